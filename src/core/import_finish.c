/* SPDX-License-Identifier: MIT */
/* import_finish.c - all batches into the files of an atlas. */
#include "core/import_merge.h"

#include "base/mem.h"
#include "core/vocab.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy_column(struct safetensors_writer *w, FILE *f, struct err *e)
{
	enum { STEP = 1 << 18 };
	u8 *b = xmalloc(STEP);
	int bad = fflush(f) || fseeko(f, 0, SEEK_SET) ? err_os(e, "cannot read a scratch file") : 0;
	for (size_t n; !bad && (n = fread(b, 1, STEP, f));)
		bad = safetensors_writer_add(w, b, n, e);
	if (!bad && ferror(f))
		bad = err_os(e, "cannot read a scratch file");
	free(b);
	return bad;
}

/* The token ids, in the order in which the contexts were written. */
static int emit_tokens(struct merge *m, struct safetensors_writer *w, bool narrow, struct err *e)
{
	struct buf b = BUF_INIT;
	int bad = 0;
	progress_start(m->progress, "writing texts", "features", m->n_features);
	for (u32 f = 0; f < m->n_features && !bad; f++) {
		bad = loader_feature(m->l, f, &m->x, e);
		buf_clear(&b);
		for (size_t i = 0; !bad && i < m->x.n_contexts; i++)
			for (u32 k = 0; k < m->x.contexts[i].n; k++) {
				u32 id = loaded_token(&m->x.contexts[i], k);
				u16 half = (u16)id;
				buf_add(&b, narrow ? (const void *)&half : &id, narrow ? 2 : 4);
			}
		if (!bad)
			bad = safetensors_writer_add(w, b.s, b.n, e);
		progress_add(m->progress, 1);
		if (!bad && progress_cancelled(m->progress))
			bad = err_set(e, ERR_CANCELLED, "stopped on request");
	}
	buf_release(&b);
	return bad;
}

static int emit_zeros(struct safetensors_writer *w, u64 n, struct err *e)
{
	static const u8 zeros[4096];
	for (u64 i = 0; i < n; i += sizeof zeros)
		if (safetensors_writer_add(w, zeros, MIN(n - i, sizeof zeros), e))
			return -1;
	return 0;
}

static void declare(struct safetensors_writer *w, const struct merge *m, enum column c)
{
	u64 n = (u64)MAX(ftello(m->column[c]), 0) / dtype_size(import_columns[c].dtype);
	u64 table[] = {m->n_features, m->n_features ? n / m->n_features : 0};
	safetensors_writer_declare(w, import_columns[c].name, import_columns[c].dtype,
				   import_columns[c].is_table ? 2 : 1,
				   import_columns[c].is_table ? table : &n);
}

static int column_named(const char *name, enum column from, enum column to)
{
	for (enum column c = from; c <= to; c++)
		if (!strcmp(import_columns[c].name, name))
			return (int)c;
	return -1;
}

/* A file of columns [from, to], with tokens and flags where it is the store's. */
static int write_columns(struct merge *m, const char *file, enum column from, enum column to,
			 const char *const *meta, struct err *e)
{
	char *path = xasprintf("%s/%s", m->im->out, file);
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	free(path);
	if (!w)
		return -1;
	bool is_store = from == TEXT_PTR, narrow = m->report->n_vocab <= UINT16_MAX + 1u;
	for (; *meta; meta += 2)
		safetensors_writer_meta(w, meta[0], meta[1]);
	for (enum column c = from; c <= to; c++)
		declare(w, m, c);
	if (is_store) {
		safetensors_writer_declare(w, "tokens", narrow ? DTYPE_U16 : DTYPE_U32, 1,
					   &m->report->n_tokens);
		safetensors_writer_declare(w, "token_flags", DTYPE_U8, 1, &m->report->n_tokens);
	}
	int bad = safetensors_writer_begin(w, e);
	for (const char *name; !bad && (name = safetensors_writer_next(w));) {
		int c = column_named(name, from, to);
		if (c >= 0)
			bad = copy_column(w, m->column[c], e);
		else if (!strcmp(name, "tokens"))
			bad = emit_tokens(m, w, narrow, e);
		else
			bad = emit_zeros(w, m->report->n_tokens, e);
	}
	if (!bad)
		return safetensors_writer_commit(w, e);
	safetensors_writer_abandon(w);
	return -1;
}

static int note_part(struct merge *m, const char *part, const char *file, struct err *e)
{
	return atlas_note_part(m->json, m->im->out, part, file, "import", json_incref(m->o->details), e);
}

static int write_store(struct merge *m, struct err *e)
{
	char number[32];
	snprintf(number, sizeof number, "%llu", (unsigned long long)m->n_counted);
	const char *meta[] = {"uuid",
			      atlas_json_uuid(m->json),
			      "build_id",
			      atlas_json_build_id(m->json),
			      "coverage",
			      "examples",
			      "statistics",
			      "imported",
			      "n_tokens_indexed",
			      number,
			      "n_tokens_kept",
			      number,
			      "first_token",
			      "0",
			      NULL};
	if (!m->report->n_contexts && !m->n_numbers)
		return 0;
	return write_columns(m, "activations.safetensors", TEXT_PTR, CTX_INTERVAL, meta, e) ||
	       note_part(m, "store", "activations.safetensors", e);
}

static int write_tables(struct merge *m, struct err *e)
{
	const char *meta[] = {"uuid", atlas_json_uuid(m->json), "build_id", atlas_json_build_id(m->json),
			      NULL};
	if (m->n_promoted + m->n_suppressed &&
	    (write_columns(m, "logits.safetensors", PROMOTED, SUPPRESSED_VALUE, meta, e) ||
	     note_part(m, "logits", "logits.safetensors", e)))
		return -1;
	if (m->n_near && (write_columns(m, "graph.safetensors", NEAR, NEAR_SCORE, meta, e) ||
			  note_part(m, "graph", "graph.safetensors", e)))
		return -1;
	return 0;
}

static int write_vocab(struct merge *m, struct err *e)
{
	const struct intern *t = loader_tokens(m->l);
	u32 n = m->report->n_vocab;
	if (!n)
		return 0;
	struct span *tokens = mem_try(n, sizeof *tokens, "the vocabulary", e);
	u8 *special = tokens ? mem_try(n, 1, "the vocabulary", e) : NULL;
	for (u32 i = 0; special && i < n; i++)
		tokens[i] = intern_at(t, i);
	char *path = xasprintf("%s/vocab.safetensors", m->im->out);
	int bad = special ? vocab_write(path, tokens, special, n, atlas_json_uuid(m->json),
					atlas_json_build_id(m->json), e)
			  : -1;
	free(path);
	free(tokens);
	free(special);
	return bad || note_part(m, "vocab", "vocab.safetensors", e) ? -1 : 0;
}

static int write_labels(struct merge *m, struct err *e)
{
	label_list_settle(m->labels);
	const struct label *items = label_list_items(m->labels, &m->report->n_labels);
	if (!m->report->n_labels)
		return 0;
	char *path = xasprintf("%s/labels.safetensors", m->im->out);
	int bad = labels_write(path, items, m->report->n_labels, atlas_json_uuid(m->json),
			       atlas_json_build_id(m->json), e);
	free(path);
	return bad || note_part(m, "labels", "labels.safetensors", e) ? -1 : 0;
}

/* The stand-in: decoder rows if they came along. */
static int write_dictionary(struct merge *m, struct err *e)
{
	const char *meta[] = {
		"format", "pt", "uuid", atlas_json_uuid(m->json), "build_id", atlas_json_build_id(m->json),
		NULL};
	const char *model = json_opt_str(json_object_get(m->json, "model"), "name", ""),
		   *hook = json_opt_str(json_object_get(m->json, "hook"), "name", "");
	json_t *cfg = json_pack("{s:s, s:i, s:i, s:b, s:s, s:{s:s, s:s}}", "architecture", "none", "d_in",
				(int)m->width, "d_sae", (int)m->n_features, "apply_b_dec_to_input", 0,
				"normalize_activations", "none", "metadata", "model_name", model, "hook_name",
				hook);
	char *path = xasprintf("%s/cfg.json", m->im->out);
	int bad = json_write_file(path, cfg, e);
	free(path);
	json_decref(cfg);
	return bad || write_columns(m, "sae_weights.safetensors", W_DEC, W_DEC, meta, e) ||
	       note_part(m, "dictionary", "sae_weights.safetensors", e);
}

/* ---- all of it ---- */

static u64 count_of(const struct import_part *p, const char *name)
{
	return json_opt_u64(p->about, name, 0);
}

static int sum_parts(struct merge *m, u32 n_parts, json_t *about, struct err *e)
{
	for (u32 i = 0; i < n_parts; i++) {
		const struct import_part *p = loader_part(m->l, i);
		u32 width = (u32)count_of(p, "width");
		const char *key;
		json_t *v;
		m->bins = MAX(m->bins, (u32)count_of(p, "bins"));
		m->n_promoted = MAX(m->n_promoted, (u32)count_of(p, "promoted"));
		m->n_suppressed = MAX(m->n_suppressed, (u32)count_of(p, "suppressed"));
		m->n_near = MAX(m->n_near, (u32)count_of(p, "near"));
		m->n_counted = MAX(m->n_counted, count_of(p, "n_counted"));
		m->n_numbers += count_of(p, "n_features");
		m->report->n_negative += count_of(p, "n_negative");
		if (width && m->width && width != m->width)
			return err_set(e, ERR_DAMAGED,
				       "vectors have %u numbers in one batch and %u in another", m->width,
				       width);
		m->width = MAX(m->width, width);
		json_object_foreach(json_object_get(p->about, "about"), key, v) {
			const json_t *had = json_object_get(about, key);
			if (had && !json_equal((json_t *)(uintptr_t)had, v))
				return err_set(
					e, ERR_DAMAGED,
					"the source is of more than one dictionary: its %s is '%.64s' and "
					"'%.64s'",
					key, json_string_value(had), json_string_value(v));
			json_object_set(about, key, v);
		}
	}
	return 0;
}

static int count_features(struct merge *m, struct err *e)
{
	u32 n = loader_n_features(m->l);
	m->n_features = m->o->n_features ? m->o->n_features : n;
	m->report->n_features = m->n_features;
	m->report->n_vocab = intern_count(loader_tokens(m->l));
	if (n > m->n_features)
		return err_set(e, ERR_DAMAGED, "the source has feature %u, but the dictionary only %u", n - 1,
			       m->n_features);
	return n ? 0 : err_set(e, ERR_DAMAGED, "the source says nothing of any feature");
}

static json_t *text_or(const char *given, const json_t *about, const char *key)
{
	const json_t *v = json_object_get(about, key);
	if (given)
		return json_text(given, strlen(given));
	return v ? json_incref((json_t *)(uintptr_t)v) : json_string("");
}

/* The layer in "blocks.22.hook_resid_post", or at the head of "20-gemmascope-res-16k". */
static u32 layer_of(const char *s)
{
	while (*s && (*s < '0' || *s > '9'))
		s++;
	return (u32)MIN(strtoul(s, NULL, 10), UINT16_MAX);
}

static void describe(struct merge *m, const json_t *about)
{
	json_t *model = text_or(m->o->model, about, "model"), *hook = text_or(m->o->hook, about, "hook");
	const char *place =
		json_string_length(hook) ? json_string_value(hook) : json_opt_str(about, "source", "");
	u32 d = m->o->d_model ? m->o->d_model : m->width;
	/* a dictionary that is named says what the records do not */
	if (json_string_length(model) || !m->o->dict)
		json_object_set_new(m->json, "model",
				    json_pack("{s:O, s:s, s:s, s:I, s:i, s:i}", "name", model, "sha256", "",
					      "tokenizer", "", "d_model", (json_int_t)d, "n_layers", 0,
					      "n_vocab", 0));
	if (json_string_length(hook) || !m->o->dict)
		json_object_set_new(m->json, "hook", json_pack("{s:O, s:i, s:s}", "name", hook, "layer",
							       (int)layer_of(place), "place", ""));
	json_object_set_new(m->json, "norm_median", json_null());
	json_object_set_new(m->json, "template", json_string(""));
	json_object_set_new(m->json, "corpus", text_or(NULL, about, "dataset"));
	json_object_set(m->json, "imported", (json_t *)(uintptr_t)about);
	json_decref(model);
	json_decref(hook);
}

static u32 count_batches(const struct import *im)
{
	u32 n = 0;
	while (import_has(im, n))
		n++;
	return n;
}

/* The files of a folder whose names have this in them. */
static void remove_files(const char *folder, const char *with)
{
	DIR *d = opendir(folder);
	for (struct dirent *x; d && (x = readdir(d));) {
		char *path = xasprintf("%s/%s", folder, x->d_name);
		if (strstr(x->d_name, with) && strcmp(x->d_name, ".") && strcmp(x->d_name, ".."))
			unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
}

static int write_all(struct merge *m, struct err *e)
{
	if (mkdir(m->im->out, 0777) && errno != EEXIST)
		return err_os(e, "cannot make '%s'", m->im->out);
	remove_files(m->im->out, ".part-"); /* what a killed import had begun to write */
	int bad = m->o->dict ? atlas_json_link_dict(m->json, m->o->dict, m->o->dict_options, "import", e)
			     : write_dictionary(m, e);
	return bad || write_store(m, e) || write_tables(m, e) || write_vocab(m, e) ||
	       write_labels(m, e) || atlas_commit(m->json, m->im->out, e);
}

int import_finish(struct import *im, const struct import_options *o, struct progress *progress,
		  struct import_report *report, struct err *e)
{
	*report = (struct import_report){0};
	struct merge m = {.im = im, .o = o, .progress = progress, .report = report};
	json_t *about = json_object();
	u32 n = count_batches(im);
	m.labels = label_list_new();
	m.json = atlas_json_new(o->name);
	int bad = !(m.l = loader_new(im, n, e)) || sum_parts(&m, n, about, e) || count_features(&m, e);
	if (!bad) {
		describe(&m, about);
		bad = import_merge(&m, e) || write_all(&m, e);
	}
	if (!bad) {
		remove_files(im->folder, "");
		rmdir(im->folder);
	}
	for (enum column c = 0; c < N_COLUMNS; c++)
		if (m.column[c])
			fclose(m.column[c]);
	label_list_free(m.labels);
	loaded_release(&m.x);
	loader_free(m.l);
	json_decref(m.json);
	json_decref(about);
	return bad ? -1 : 0;
}
