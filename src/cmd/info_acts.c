/* SPDX-License-Identifier: MIT */
/* info_acts.c - info of a harvest: its model, texts and hooks. */
#include "cmd/info.h"

#include "base/mem.h"
#include "base/shell.h"
#include "core/acts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool info_is_acts(const char *path)
{
	char *json = xasprintf("%s/acts.json", path), *atlas = xasprintf("%s/atlas.json", path);
	bool is = !access(json, F_OK) && access(atlas, F_OK);
	free(json);
	free(atlas);
	return is;
}

static u64 n_held_out(const struct acts *a)
{
	u64 n = 0;
	for (u64 i = 0; i < acts_n_texts(a); i++)
		n += acts_held_out(i);
	return n;
}

static json_t *hooks_json(const struct acts *a)
{
	json_t *list = json_array();
	for (size_t i = 0; i < acts_n_hooks(a); i++) {
		json_t *o = json_pack("{s:o, s:I}", "name", json_text(acts_hook(a, i), strlen(acts_hook(a, i))), "layer",
				      (json_int_t)acts_layer(a, i));
		json_object_set_new(o, "norm_median", json_f32(acts_norm_median(a, i)));
		json_array_append_new(list, o);
	}
	return list;
}

static void print_json(const struct acts *a)
{
	static const char *const kept[] = {"model", "corpus", "corpus_sha256", "context_size", "mask"};
	json_t *o = json_pack("{s:o}", "acts", json_text(acts_folder(a), strlen(acts_folder(a))));
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (json_object_get(acts_json(a), kept[i]))
			json_object_set(o, kept[i], json_object_get(acts_json(a), kept[i]));
	json_object_set_new(o, "n_texts", json_integer((json_int_t)acts_n_texts(a)));
	json_object_set_new(o, "n_texts_held_out", json_integer((json_int_t)n_held_out(a)));
	json_object_set_new(o, "n_tokens", json_integer((json_int_t)acts_n_tokens(a)));
	json_object_set_new(o, "hooks", hooks_json(a));
	cmd_print_json(o);
}

static void print_words(const struct acts *a)
{
	const json_t *about = acts_json(a), *model = json_object_get(about, "model");
	const char *corpus = json_opt_str(about, "corpus", "");
	info_line("activations", "%s", acts_folder(a));
	info_line("model", "%s, %llu layers, %u wide", json_opt_str(model, "name", "not known"),
		  (unsigned long long)json_opt_u64(model, "n_layers", 0), acts_d(a));
	info_line("texts", "%llu, %llu of them held out; %llu tokens%s%s", (unsigned long long)acts_n_texts(a),
		  (unsigned long long)n_held_out(a), (unsigned long long)acts_n_tokens(a), *corpus ? ", of " : "", corpus);
	for (size_t i = 0; i < acts_n_hooks(a); i++)
		info_line(i ? "" : "hooks", "%s, median norm %.4g", acts_hook(a, i), (f64)acts_norm_median(a, i));
	struct buf word = BUF_INIT;
	shell_add_path(&word, acts_folder(a));
	info_line("next", "featlas train %s ATLAS%s --features F --k K", word.s, acts_n_hooks(a) > 1 ? " --hook H" : "");
	buf_release(&word);
}

int info_acts(const char *path, bool json, struct err *e)
{
	struct acts *a = acts_open(path, e);
	if (!a)
		return -1;
	if (json)
		print_json(a);
	else
		print_words(a);
	acts_free(a);
	return EXIT_OK;
}
