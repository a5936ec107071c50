/* SPDX-License-Identifier: MIT */
/* cmd_info.c - featlas info: what an atlas is and which parts are there. */
#include "cmd/info.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/atlas.h"
#include "core/labels.h"
#include "core/note.h"

#include <stdio.h>
#include <string.h>

static json_t *text(const char *s)
{
	return json_text(s, strlen(s));
}

static json_t *number(u64 n)
{
	return json_integer((json_int_t)n);
}

static json_t *model_json(const struct atlas *a)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", text(a->model.name), "sha256", text(a->model.sha256),
			 "tokenizer", text(a->model.tokenizer), "d_model", number(a->model.d_model), "n_layers",
			 number(a->model.n_layers), "n_vocab", number(a->model.n_vocab));
}

static json_t *dictionary_json(const struct atlas *a)
{
	const struct dict_info *d = dict_info(a->dict);
	json_t *j = json_pack("{s:s, s:o, s:o, s:s}", "architecture", d->arch_name, "n_features", number(d->n_features),
			      "d_model", number(d->d_in), "dtype", dtype_name(d->dtype));
	if (d->arch == DICT_TOPK)
		json_object_set_new(j, "k", number(d->k));
	return j;
}

static json_t *provenance_json(const struct atlas *a)
{
	size_t n;
	const struct dict_fact *f = dict_provenance(a->dict, &n);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:o}", "name", f[i].name, "value", text(f[i].value),
						      "origin", dict_origin_name(f[i].origin), "why", text(f[i].why)));
	return list;
}

static json_t *store_json(const struct store *s)
{
	if (!s)
		return json_null();
	json_t *j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "n_tokens", number(store_n_tokens(s)), "n_tokens_indexed",
			      number(store_n_indexed(s)), "n_tokens_kept", number(store_n_kept(s)), "n_contexts",
			      number(store_n_contexts(s)), "n_activations", number(store_n_activations(s)), "coverage",
			      store_is_full(s) ? "full" : "examples");
	if (store_is_imported(s))
		json_object_set_new(j, "statistics", json_string("imported"));
	return j;
}

static void count_label(void *context, u32 feature, const char *label, i64 when)
{
	(void)feature;
	(void)when;
	*(u64 *)context += *label != 0;
}

static json_t *info_json(const struct atlas *a, struct note *note)
{
	u64 own = 0;
	note_each_label(note, count_label, &own, NULL);
	json_t *j = json_pack("{s:o, s:o, s:s, s:s}", "atlas", text(a->folder), "name", text(a->name), "uuid", a->uuid,
			      "build_id", a->build_id);
	json_object_set_new(j, "model", model_json(a));
	json_object_set_new(j, "hook", text(a->hook));
	json_object_set_new(j, "layer", number(a->layer));
	json_object_set_new(j, "norm_median", a->norm_median > 0 ? json_f32(a->norm_median) : json_null());
	json_object_set_new(j, "dictionary", dictionary_json(a));
	json_object_set_new(j, "provenance", provenance_json(a));
	json_object_set_new(j, "store", store_json(a->store));
	json_object_set_new(j, "n_labels", number((a->labels ? labels_count(a->labels) : 0) + own));
	json_t *parts = json_array(), *missing = json_object();
	for (int i = 0; i < ATLAS_N_PARTS; i++) {
		const char *remedy = atlas_missing(a, atlas_parts[i]);
		if (remedy)
			json_object_set_new(missing, atlas_parts[i], text(remedy));
		else
			json_array_append_new(parts, json_string(atlas_parts[i]));
	}
	json_object_set_new(j, "parts", parts);
	json_object_set_new(j, "missing", missing);
	json_t *training = json_object_get(a->json, "training");
	if (training)
		json_object_set(j, "training", training);
	json_t *check = json_object_get(a->json, "check");
	if (check)
		json_object_set(j, "check", check);
	json_object_set_new(j, "labels_db",
			    json_pack("{s:o, s:b, s:o}", "path", text(note_path(note)), "exists", note_exists(note),
				      "n_labels", number(own)));
	return j;
}

void info_line(const char *name, const char *fmt, ...)
{
	struct buf words = BUF_INIT, safe = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&words, fmt, ap);
	va_end(ap);
	utf8_add_safe(&safe, words.s, words.n);
	printf("%-14s  %s\n", name, safe.s);
	buf_release(&words);
	buf_release(&safe);
}

static void print_training(const json_t *training)
{
	struct buf b = BUF_INIT;
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)training, key, v) {
		if (json_is_string(v))
			buf_addf(&b, "%s%s %s", b.n ? "  " : "", key, json_string_value(v));
		else if (json_is_integer(v))
			buf_addf(&b, "%s%s %lld", b.n ? "  " : "", key, (long long)json_integer_value(v));
		else if (json_is_number(v))
			buf_addf(&b, "%s%s %.4g", b.n ? "  " : "", key, json_number_value(v));
	}
	if (b.n)
		info_line("training", "%s", b.s);
	buf_release(&b);
}

static void print_provenance(const struct atlas *a)
{
	size_t n;
	const struct dict_fact *f = dict_provenance(a->dict, &n);
	for (size_t i = 0; i < n; i++) {
		char name[40];
		snprintf(name, sizeof name, "  %s", f[i].name);
		info_line(name, "%s  [%s%s%s]", f[i].value, dict_origin_name(f[i].origin), *f[i].why ? ": " : "", f[i].why);
	}
}

static void print_store(const struct store *s)
{
	if (!s)
		return;
	if (store_is_imported(s) && !store_n_indexed(s)) {
		info_line("store", "%llu activations, %llu contexts; statistics as published, over how many tokens is not said",
			   (unsigned long long)store_n_activations(s), (unsigned long long)store_n_contexts(s));
		return;
	}
	info_line("store", "%llu tokens indexed, %llu of them kept, %llu activations, %llu contexts%s%s",
		   (unsigned long long)store_n_indexed(s), (unsigned long long)store_n_kept(s),
		   (unsigned long long)store_n_activations(s), (unsigned long long)store_n_contexts(s),
		   store_is_full(s) ? "" : "; activations only near the contexts",
		   store_is_imported(s) ? "; statistics as published" : "");
}

static void print_parts(const struct atlas *a)
{
	struct buf b = BUF_INIT;
	for (int i = 0; i < ATLAS_N_PARTS; i++)
		if (!atlas_missing(a, atlas_parts[i]))
			buf_addf(&b, "%s%s", b.n ? ", " : "", atlas_parts[i]);
	info_line("parts", "%s", b.s);
	buf_clear(&b);
	atlas_add_command(a, "import", &b);
	if (a->bare)
		info_line("missing", "all others; make an atlas of this dictionary with '%s OUT.atlas'", b.s);
	buf_release(&b);
	if (a->bare)
		return;
	for (int i = 0; i < ATLAS_N_PARTS; i++)
		if (atlas_missing(a, atlas_parts[i]))
			info_line("missing", "%s", atlas_missing(a, atlas_parts[i]));
}

/* What is not known of it is left out. */
static void print_model(const struct atlas *a)
{
	const struct {
		u32 n;
		const char *what;
	} sizes[] = {{a->model.n_layers, "layers"}, {a->model.d_model, "wide"}, {a->model.n_vocab, "tokens"}};
	struct buf b = BUF_INIT;
	buf_adds(&b, *a->model.name ? a->model.name : "not known");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (sizes[i].n)
			buf_addf(&b, ", %u %s", sizes[i].n, sizes[i].what);
	info_line("model", "%s", b.s);
	buf_release(&b);
}

static void print_info(const struct atlas *a, struct note *note)
{
	const struct dict_info *d = dict_info(a->dict);
	u64 own = 0;
	note_each_label(note, count_label, &own, NULL);
	info_line("atlas", "%s, %s", *a->name ? a->name : "unnamed", a->folder);
	print_model(a);
	if (a->norm_median > 0)
		info_line("hook", "%s, median norm %.4g", a->hook, (f64)a->norm_median);
	else
		info_line("hook", "%s", *a->hook ? a->hook : "not known");
	char k[24] = "";
	if (d->arch == DICT_TOPK)
		snprintf(k, sizeof k, ", k %u", d->k);
	info_line("dictionary", "%s, %u features%s, %s", d->arch_name, d->n_features, k, dtype_name(d->dtype));
	print_provenance(a);
	print_training(json_object_get(a->json, "training"));
	const json_t *check = json_object_get(a->json, "check");
	if (check)
		info_line("check", "%s: %s", json_opt_str(check, "verdict", ""), json_opt_str(check, "sentence", ""));
	print_store(a->store);
	info_line("labels", "%llu in the atlas, %llu of your own",
		   (unsigned long long)(a->labels ? labels_count(a->labels) : 0), (unsigned long long)own);
	info_line("edits", "%s%s", note_path(note), note_exists(note) ? "" : " (made at the first edit)");
	print_parts(a);
}

int cmd_info(const struct cmd_args *a, struct err *e)
{
	struct dict_options options;
	if (info_is_acts(a->positional[0]))
		return info_acts(a->positional[0], arg_flag(a, "json"), e);
	struct atlas *atlas = cmd_dict_options(a, &options, e) ? NULL : atlas_open_with(a->positional[0], &options, e);
	if (!atlas)
		return -1;
	struct note *note = note_open(atlas->notes, atlas->uuid, e);
	if (note && arg_flag(a, "json"))
		cmd_print_json(info_json(atlas, note));
	else if (note)
		print_info(atlas, note);
	int status = note ? EXIT_OK : -1;
	note_free(note);
	atlas_free(atlas);
	return status;
}
