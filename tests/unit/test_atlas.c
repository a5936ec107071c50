/* SPDX-License-Identifier: MIT */
/* test_atlas.c - the sample atlas, whole, with parts missing, and damaged in every way. */
#include "base/mapfile.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "core/atlas.h"
#include "core/labels.h"
#include "core/vocab.h"
#include "io/safetensors.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/featlas-test-XXXXXX";
static const char *const files[] = {
	"atlas.json", "cfg.json", "sae_weights.safetensors", "activations.safetensors", "vocab.safetensors",
	"labels.safetensors", "logits.safetensors", "graph.safetensors", "scores.safetensors",
	"map.safetensors", "runs.jsonl"};

static char *in_folder(const char *file)
{
	return xasprintf("%s/%s", folder, file);
}

static void copy_in(const char *file)
{
	char *from = xasprintf("%s/%s", getenv("SAMPLE"), file), *to = in_folder(file);
	struct mapfile *m = mapfile_open(from, NULL);
	assert_non_null(m);
	struct span s = mapfile_span(m);
	assert_int_equal(outfile_write_all(to, s.p, s.n, NULL), 0);
	mapfile_free(m);
	free(from);
	free(to);
}

/* A fresh copy of the sample for each test. */
static int copy_sample(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		copy_in(files[i]);
	return 0;
}

static int remove_copy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *path = in_folder(files[i]);
		unlink(path);
		free(path);
	}
	return rmdir(folder);
}

/* atlas.json with one member below the root changed (a NULL value deletes); value is taken. */
static void change_json(const char *object, const char *key, json_t *value)
{
	json_t *j = atlas_json_read(folder, NULL), *in = j;
	for (const char *s = object; *s; s += strcspn(s, "/"), s += *s == '/') {
		char *name = xstrndup(s, strcspn(s, "/"));
		in = json_object_get(in, name);
		free(name);
	}
	assert_non_null(in);
	if (value)
		json_object_set_new(in, key, value);
	else
		json_object_del(in, key);
	assert_int_equal(atlas_commit(j, folder, NULL), 0);
	json_decref(j);
}

static void opens_with(const char *says)
{
	struct err e = {0};
	struct atlas *a = atlas_open(folder, &e);
	if (a || !strstr(e.msg, says))
		fail_msg("%s: '%s' does not say '%s'", a ? "opened" : "refused", e.msg, says);
	assert_int_equal(e.code, ERR_DAMAGED);
}

static void the_sample_is_read(void **state)
{
	(void)state;
	struct err e = {0};
	struct atlas *a = atlas_open(folder, &e);
	assert_string_equal(e.msg, "");
	assert_non_null(a);
	assert_int_equal(a->n_features, 512);
	assert_int_equal(a->d_model, 48);
	assert_int_equal(a->layer, 2);
	assert_string_equal(a->hook, "blocks.2.hook_resid_post");
	assert_string_equal(a->model.name, "fake world");
	assert_true(store_n_indexed(a->store) == 20000 && store_n_kept(a->store) == 19800);
	assert_null(atlas_missing(a, "graph"));
	assert_null(atlas_missing(a, "runs"));
	/* 32 is the unit of topic 0 + 0.8 topic 7, which are orthogonal: 1 / sqrt(1.64) and 0.8 times that */
	struct atlas_neighbour near[3];
	assert_int_equal(atlas_neighbours(a, 32, near, 3), 3);
	assert_int_equal(near[0].id, 0);
	assert_true(fabsf(near[0].score - 0.780869f) < 1e-3f);
	assert_int_equal(near[1].id, 7);
	assert_true(fabsf(near[1].score - 0.624695f) < 1e-3f);
	struct atlas_token up[2], down[30];
	assert_int_equal(atlas_logits(a, 0, 1, up, 2), 2);
	assert_int_equal(atlas_logits(a, 0, -1, down, 30), 20);
	struct span s = vocab_bytes(a->vocab, up[0].token);
	char *text = xstrndup((const char *)s.p, s.n);
	assert_non_null(strstr(" bridge bridges span arch cable steel deck tower suspension toll crossing pier girder \xe6\xa9\x8b", text));
	free(text);
	assert_true(up[0].value >= up[1].value && down[0].value <= down[1].value);
	struct atlas_scores scores;
	atlas_scores(a, 0, &scores);
	assert_true(scores.topic == 0.9f);
	atlas_scores(a, 511, &scores);
	assert_true(isnan(scores.input) && isnan(scores.topic));
	u32 words[20];
	assert_true(atlas_topic_words(a, 0, words, 20) >= 10);
	assert_int_equal(atlas_topic_words(a, 511, words, 20), 0);
	assert_int_equal(atlas_neighbours(a, 512, near, 3) + atlas_logits(a, 512, 1, up, 2), 0);
	struct label l;
	u64 first;
	assert_int_equal(labels_of(a->labels, 0, &first), 3);
	labels_at(a->labels, first + 1, &l);
	assert_memory_equal(l.text.p, "words about bridges", l.text.n);
	atlas_free(a);
}

static void absent_parts_have_remedies(void **state)
{
	(void)state;
	char *graph = in_folder("graph.safetensors");
	unlink(graph);
	free(graph);
	change_json("parts", "store", NULL);
	change_json("parts", "vocab", NULL);
	change_json("parts", "runs", NULL);
	struct err e = {0};
	struct atlas *a = atlas_open(folder, &e);
	assert_string_equal(e.msg, "");
	assert_true(!a->graph && !a->store && !a->vocab && a->labels);
	struct atlas_neighbour n;
	assert_int_equal(atlas_neighbours(a, 0, &n, 1), 0);
	char *want = xasprintf("no neighbour graph: 'graph.safetensors' is not there; make it with "
			       "'featlas neighbours %s'", folder);
	assert_string_equal(atlas_missing(a, "graph"), want);
	free(want);
	assert_non_null(strstr(atlas_missing(a, "store"), "featlas index"));
	assert_non_null(strstr(atlas_missing(a, "runs"), "featlas steer"));
	atlas_free(a);
}

/* As a command leaves it that was cut short between a part and atlas.json. */
static void parts_of_other_builds_are_absent(void **state)
{
	(void)state;
	copy_in("atlas.json");
	copy_in("graph.safetensors");
	change_json("parts/graph", "build_id", json_string("77"));
	json_t *j = atlas_json_read(folder, NULL);
	json_t *segments = json_object_get(json_object_get(json_object_get(j, "parts"), "store"), "segments");
	json_object_set_new(json_array_get(segments, 0), "build_id", json_string("78"));
	assert_int_equal(atlas_commit(j, folder, NULL), 0);
	json_decref(j);
	struct err e = {0};
	struct atlas *a = atlas_open(folder, &e);
	assert_string_equal(e.msg, "");
	assert_true(!a->graph && !a->store && a->labels && a->dict);
	const char *says = "graph.safetensors' is of build 5a3ef1a500000001, but atlas.json names build 77; make it with";
	assert_non_null(strstr(atlas_missing(a, "graph"), says));
	assert_non_null(strstr(atlas_missing(a, "store"), "names build 78; make it with 'featlas index"));
	atlas_free(a);
	copy_in("atlas.json");
}

static void strangers_are_named(void **state)
{
	(void)state;
	change_json("", "uuid", json_string("0000-1111"));
	opens_with("sae_weights.safetensors' belongs to another atlas: its uuid is 5a3ef1a5-");
	change_json("", "uuid", json_string("../../x"));
	opens_with("'uuid' is not an id");
	copy_in("atlas.json");
	change_json("parts/dictionary", "build_id", json_string("77"));
	opens_with("sae_weights.safetensors' is of build 5a3ef1a500000001, but atlas.json names build 77");
	copy_in("atlas.json");
	change_json("parts/labels", "file", json_string("../labels.safetensors"));
	opens_with("names no file inside the atlas for its labels");
	copy_in("atlas.json");
	change_json("", "version", json_integer(2));
	opens_with("'version' is 2, more than 1");
	copy_in("atlas.json");
	change_json("parts", "dictionary", NULL);
	opens_with("no dictionary; make one with 'featlas train");
	change_json("", "format", json_string("other"));
	opens_with("its format is not featlas-atlas");
}

static void paths_stay_inside(void **state)
{
	(void)state;
	static const char *const out[] = {"", "/a", "..", "../a", "a/../b", "a/..", "a//..", "..//a"};
	static const char *const in[] = {"a", "a/b", "..a", "a..", "a/..b", "...", ".a"};
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		if (atlas_is_inside(out[i]))
			fail_msg("'%s' was taken for inside", out[i]);
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		assert_true(atlas_is_inside(in[i]));
}

static void parts_are_noted(void **state)
{
	(void)state;
	struct err e = {0};
	json_t *j = atlas_json_new("mine");
	assert_int_equal(strlen(atlas_json_uuid(j)), 36);
	char *build = xstrdup(atlas_json_build_id(j));
	atlas_json_new_build(j);
	assert_string_not_equal(build, atlas_json_build_id(j));
	free(build);
	for (int i = 0; i < 2; i++)
		assert_int_equal(atlas_note_part(j, folder, "store", "activations.safetensors", "featlas index x", NULL, &e), 0);
	assert_int_equal(atlas_note_part(j, folder, "store", "scores.safetensors", NULL, NULL, &e), 0);
	const json_t *list = json_object_get(json_object_get(json_object_get(j, "parts"), "store"), "segments");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_opt_str(json_array_get(list, 0), "build_id", ""), "5a3ef1a500000001");
	assert_string_equal(json_opt_str(json_array_get(list, 0), "command", ""), "featlas index x");
	assert_int_equal(atlas_note_part(j, folder, "graph", "none.safetensors", NULL, json_object(), &e), -1);
	atlas_drop_part(j, "store");
	assert_null(json_object_get(json_object_get(j, "parts"), "store"));
	json_decref(j);
}

struct heard {
	char all[4096];
};

static void hear(void *context, const char *sentence)
{
	struct heard *h = context;
	size_t n = strlen(h->all);
	snprintf(h->all + n, sizeof h->all - n, "%s\n", sentence);
}

/* Verify says exactly these n faults, the text among them. */
static void verify_says(u64 n, const char *text)
{
	struct heard h = {""};
	struct err e = {0};
	u64 faults;
	assert_int_equal(atlas_verify(folder, NULL, hear, &h, &faults, &e), 0);
	if (faults != n || !strstr(h.all, text))
		fail_msg("wanted %d faults with '%s', got: %s", (int)n, text, h.all);
}

/* Element i of a tensor becomes value, in place. */
static void poke(const char *file, const char *tensor, u64 i, u64 value)
{
	char *path = in_folder(file);
	struct safetensors *s = safetensors_open(path, NULL);
	struct mapfile *m = mapfile_open(path, NULL);
	assert_true(s && m);
	const struct tensor *t = safetensors_find(s, tensor);
	const struct tensor *first = safetensors_at(s, 0);
	/* the data begins where the first tensor does; the header is what is left of the file */
	u64 bytes = 0;
	for (size_t k = 0; k < safetensors_count(s); k++)
		bytes += safetensors_at(s, k)->data.n;
	size_t at = mapfile_span(m).n - bytes + (size_t)(t->data.p - first->data.p) + i * dtype_size(t->dtype);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, &value, dtype_size(t->dtype), (off_t)at), dtype_size(t->dtype));
	close(fd);
	mapfile_free(m);
	safetensors_free(s);
	free(path);
}

static void renote(const char *part, const char *file)
{
	json_t *j = atlas_json_read(folder, NULL);
	assert_int_equal(atlas_note_part(j, folder, part, file, NULL, NULL, NULL), 0);
	assert_int_equal(atlas_commit(j, folder, NULL), 0);
	json_decref(j);
}

/* Whatever is wrong inside a file whose checksum is right. */
static void verify_reads_every_number(void **state)
{
	(void)state;
	static const struct {
		const char *part, *file, *tensor;
		u64 index, value;
		const char *says;
	} cases[] = {
		{"dictionary", "sae_weights", "W_dec", 100, 0x7fc00000, "tensor 'W_dec' holds no number at 100"},
		{"dictionary", "sae_weights", "b_enc", 3, 0x7f800000, "tensor 'b_enc' holds infinity at 3"},
		{"vocab", "vocab", "offset", 5, 1, "'offset' does not ascend"},
		{"labels", "labels", "bytes", 0, 0xff, "label 0 is not valid UTF-8"},
		{"labels", "labels", "bytes", 1, '\n', "label 0 has a newline"},
		{"labels", "labels", "feature", 0, 400, "label 1 is not in the order of features"},
		{"labels", "labels", "feature", 550, 512, "label 550 is of a feature that is not there"},
		{"store", "activations", "tokens", 7, 650, "token 650 at position 7 is not in the vocabulary"},
		{"store", "activations", "token_flags", 1, 4, "19799 tokens are unmasked, its metadata says 19800"},
		{"store", "activations", "text_ptr", 1, 100000, "'text_ptr' does not ascend"},
		{"store", "activations", "feature_ptr", 1, 1u << 30, "'feature_ptr' does not ascend"},
		{"store", "activations", "act_pos", 1, 0, "feature 0 has positions that do not ascend"},
		{"store", "activations", "act_pos", 700, 20000, "feature 0 fires beyond the last token"},
		{"store", "activations", "act_pos", 0, 0, "feature 0 fires on a masked token"},
		{"store", "activations", "act_val", 0, 0x7c00, "no positive number"},
		{"store", "activations", "act_val", 0, 0x7800, "feature 0 has an activation above its maximum"},
		{"store", "activations", "count", 0, 1, "activations and a count of 1"},
		{"store", "activations", "density", 0, 0, "feature 0 has a density of 0"},
		{"store", "activations", "hist_count", 0, 99999, "in its histogram"},
		{"store", "activations", "hist_edge", 1, 0xbf800000, "edges that do not ascend"},
		{"store", "activations", "ctx_pos", 0, 30000, "contexts of feature 0 stand beyond the last token"},
		{"store", "activations", "ctx_kind", 0, 9, "contexts of feature 0 are of no known kind"},
		{"store", "activations", "ctx_kind", 0, 2, "not in the order top, interval, random"},
		{"store", "activations", "ctx_val", 1, 0x7f000000, "do not descend by activation"},
		{"store", "activations", "ctx_val", 0, 0x44000000, "its context says 512"},
		{"logits", "logits", "promoted_token", 21, 651, "'promoted_token' of feature 1 names token 651"},
		{"logits", "logits", "promoted_value", 1, 0x7800, "'promoted_value' of feature 0 is out of order"},
		{"graph", "graph", "neighbour_id", 0, 512, "of feature 0 names feature 512, which is not there"},
		{"graph", "graph", "neighbour_id", 0, 0, "feature 0 is its own neighbour"},
		{"scores", "scores", "topic_score", 2, 0x7f800000, "tensor 'topic_score' holds infinity at 2"},
		{"scores", "scores", "topic_word", 2, 700, "names token 700"},
		{"map", "map", "xy", 9, 0x7fc00000, "tensor 'xy' holds no number at 9"},
		{"map", "map", "cluster", 4, 24, "'cluster' of feature 4 is 24 of 24"},
		{"map", "map", "part", 5, 48, "'part' of feature 5 is 48 of 48"},
		{"map", "map", "name_offset", 1, 1u << 20, "'name_offset' does not ascend"},
		{"map", "map", "name_bytes", 2, '\n', "a name is not a line of valid UTF-8"},
	};
	verify_says(0, "");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *file = xasprintf("%s.safetensors", cases[i].file);
		poke(file, cases[i].tensor, cases[i].index, cases[i].value);
		renote(cases[i].part, file);
		struct heard h = {""};
		u64 n;
		assert_int_equal(atlas_verify(folder, NULL, hear, &h, &n, NULL), 0);
		if (!n || !strstr(h.all, cases[i].says))
			fail_msg("case %zu: %d faults: '%s' does not say '%s'", i, (int)n, h.all, cases[i].says);
		copy_in(file);
		copy_in("atlas.json");
		free(file);
	}
}

static void verify_checks_every_file(void **state)
{
	(void)state;
	poke("graph.safetensors", "neighbour_score", 5, 0);
	verify_says(2, "graph.safetensors' has the checksum");
	copy_in("graph.safetensors");
	char *path = in_folder("labels.safetensors");
	assert_int_equal(truncate(path, 3000), 0);
	verify_says(2, "labels.safetensors' is 3000 bytes long, atlas.json says 2");
	unlink(path);
	verify_says(1, "labels.safetensors': No such file");
	free(path);
	copy_in("labels.safetensors");
	change_json("parts/store", "segments", json_pack("[{s:s}]", "file", "/etc/passwd"));
	verify_says(1, "names no file inside the atlas for its store");
	copy_in("atlas.json");
	change_json("", "uuid", json_string("abc"));
	verify_says(8, "scores.safetensors' belongs to another atlas");
	char *json = in_folder("atlas.json"), *runs = in_folder("runs.jsonl");
	assert_int_equal(outfile_write_all(runs, "{}\n{\n", 5, NULL), 0);
	copy_in("atlas.json");
	renote("runs", "runs.jsonl");
	verify_says(1, "line 2 of '");
	assert_int_equal(outfile_write_all(json, "{]", 2, NULL), 0);
	verify_says(1, "atlas.json' is not valid JSON");
	unlink(json);
	struct err e = {0};
	u64 n;
	assert_int_equal(atlas_verify(folder, NULL, hear, NULL, &n, &e), -1);
	assert_int_equal(e.code, ERR_FAILED);
	free(json);
	free(runs);
}

static void verify_can_be_stopped(void **state)
{
	(void)state;
	struct progress p = {0};
	progress_cancel(&p);
	struct heard h = {""};
	struct err e = {0};
	u64 n;
	assert_int_equal(atlas_verify(folder, &p, hear, &h, &n, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, copy_sample, remove_copy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_sample_is_read), TEST(absent_parts_have_remedies), TEST(parts_of_other_builds_are_absent),
		TEST(strangers_are_named),
		TEST(paths_stay_inside), TEST(parts_are_noted), TEST(verify_reads_every_number),
		TEST(verify_checks_every_file), TEST(verify_can_be_stopped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
