/* SPDX-License-Identifier: MIT */
/* test_formats.c - what is seen at a path, what is stated of it, and weights that are too large to copy. */
#include "base/json.h"
#include "base/mem.h"
#include "core/atlas.h"
#include "core/dict_impl.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char top[64];

static int make_top(void **state)
{
	(void)state;
	strcpy(top, "/tmp/featlas-test-XXXXXX");
	assert_non_null(mkdtemp(top));
	char *cache = xasprintf("%s/cache", top);
	setenv("XDG_CACHE_HOME", cache, 1);
	free(cache);
	return 0;
}

static int drop_top(void **state)
{
	(void)state;
	char *command = xasprintf("rm -rf '%s'", top);
	int r = system(command);
	free(command);
	return r;
}

static char *golden(const char *name)
{
	const char *tests = getenv("TESTS_DIR");
	return xasprintf("%s/golden/formats/%s", tests ? tests : "tests", name);
}

static void put(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", top, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

static void folder(const char *name)
{
	char *path = xasprintf("%s/%s", top, name);
	assert_int_equal(mkdir(path, 0777), 0);
	free(path);
}

static void link_to(const char *from, const char *name)
{
	char *path = xasprintf("%s/%s", top, name), *real = realpath(from, NULL);
	assert_non_null(real);
	assert_int_equal(symlink(real, path), 0);
	free(path);
	free(real);
}

static void says(const char *name, const char *what)
{
	struct err e = {0};
	char *path = xasprintf("%s/%s", top, name);
	struct dict *d = dict_open(path, &e);
	if (d || !strstr(e.msg, what))
		fail_msg("%s: '%s' does not say '%s'", name, d ? "it opens" : e.msg, what);
	free(path);
}

static void every_layout_is_recognised(void **state)
{
	(void)state;
	static const struct {
		const char *at, *format, *arch;
		enum dict_arch is;
	} want[] = {
		{"saelens-gated", "SAELens 6", "gated", DICT_GATED},
		{"saelens-flat-topk", "SAELens before 6", "topk", DICT_TOPK},
		{"saelens-matching-pursuit", "SAELens 6", "matching_pursuit", DICT_MATCHING_PURSUIT},
		{"saelens-jumprelu-skip-transcoder", "SAELens 6", "jumprelu_skip_transcoder", DICT_JUMPRELU},
		{"gemma-scope/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71", "Gemma Scope", "jumprelu", DICT_JUMPRELU},
		{"gemma-scope-2/gemma-scope-2-1b-pt/resid_post/layer_13_width_16k_l0_medium", "Gemma Scope 2", "jumprelu",
		 DICT_JUMPRELU},
		{"llama-scope/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L8R-8x", "Llama Scope", "jumprelu", DICT_JUMPRELU},
		{"llamascopium-topk", "llamascopium", "topk", DICT_TOPK},
		{"sparsify-groupmax/layers.10", "sparsify", "groupmax", DICT_GROUPMAX},
		{"dl-batch-topk", "dictionary_learning", "BatchTopKSAE", DICT_JUMPRELU},
		{"openai-topk/resid_post_mlp_v5_32k/autoencoders/6.pt", "OpenAI sparse_autoencoder", "TopK", DICT_TOPK},
		{"connor-rob", "connor_rob", "standard", DICT_STANDARD},
		{"goodfire", "goodfire", "standard", DICT_STANDARD},
		{"deepseek-r1", "deepseek_r1", "standard", DICT_STANDARD},
		{"e2e-sae", "e2e_sae", "standard", DICT_STANDARD},
		{"mwhanna", "circuit-tracer transcoder", "transcoder", DICT_STANDARD},
		{"mntss-clt", "cross-layer transcoder", "transcoder", DICT_STANDARD},
	};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct err e = {0};
		char *path = golden(want[i].at);
		struct dict *d = dict_open(path, &e);
		if (!d)
			fail_msg("%s: %s", want[i].at, e.msg);
		assert_string_equal(dict_info(d)->format, want[i].format);
		assert_string_equal(dict_info(d)->arch_name, want[i].arch);
		assert_int_equal(dict_info(d)->arch, want[i].is);
		dict_free(d);
		free(path);
	}
}

static void what_cannot_be_told_is_said(void **state)
{
	(void)state;
	char *one = golden("goodfire/Llama-3.1-8B-Instruct-SAE-l19.pth"), *two = golden("mwhanna/layer_3.safetensors");
	says("nowhere", "cannot open");
	folder("empty");
	says("empty", "it is empty");
	folder("words");
	put("words/README.md", "hello");
	folder("words/layers.3");
	says("words", "no weights beside 'README.md'; if one of its folders does, name that: 'layers.3/'");
	folder("two");
	link_to(one, "two/a.pth");
	link_to(two, "two/layer_3.safetensors");
	says("two", "holds 2 files of weights, name one of them: 'a.pth', 'layer_3.safetensors'");
	folder("other");
	struct err e = {0};
	char *path = xasprintf("%s/other/model.safetensors", top);
	static const f32 zeros[4];
	const struct tensor_out t = {"lm_head.weight", DTYPE_F32, 2, {2, 2}, zeros};
	assert_int_equal(safetensors_write_file(path, &t, 1, NULL, &e), 0);
	says("other", "is no dictionary that is known: its tensors are 'lm_head.weight'");
	put("other/model.safetensors", "not weights at all");
	says("other", "is none of: safetensors");
	free(path);
	free(one);
	free(two);
}

/* models--X--Y/refs/main names snapshots/REV, whose files are links into blobs. */
static void a_cache_of_hugging_face_opens(void **state)
{
	(void)state;
	struct err e = {0};
	char *weights = golden("saelens-topk/sae_weights.safetensors"), *cfg = golden("saelens-topk/cfg.json");
	folder("models--x--y");
	folder("models--x--y/refs");
	folder("models--x--y/snapshots");
	folder("models--x--y/snapshots/0123abc");
	folder("models--x--y/snapshots/other");
	put("models--x--y/refs/main", "0123abc\n");
	link_to(weights, "models--x--y/snapshots/0123abc/sae_weights.safetensors");
	link_to(cfg, "models--x--y/snapshots/0123abc/cfg.json");
	char *path = xasprintf("%s/models--x--y", top);
	struct dict *d = dict_open(path, &e);
	if (!d)
		fail_msg("%s", e.msg);
	assert_int_equal(dict_info(d)->k, 5);
	/* the blob is what it is known by */
	struct dict_identity i;
	assert_int_equal(dict_identity(d, &i, &e), 0);
	char *blob = realpath(weights, NULL);
	assert_string_equal(i.weights, blob);
	free(blob);
	dict_identity_release(&i);
	dict_free(d);
	free(path);
	free(weights);
	free(cfg);
}

static const struct dict_fact *fact(struct dict *d, const char *name)
{
	size_t n;
	const struct dict_fact *f = dict_provenance(d, &n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(f[i].name, name))
			return &f[i];
	fail_msg("no fact '%s'", name);
	return NULL;
}

static void each_statement_has_its_origin(void **state)
{
	(void)state;
	struct err e = {0};
	char *path = golden("saelens-expected-average");
	struct dict *d = dict_open(path, &e);
	assert_non_null(d);
	assert_int_equal(fact(d, "normalisation")->origin, DICT_GUESS);
	assert_non_null(strstr(fact(d, "normalisation")->why, "--norm-scale"));
	assert_int_equal(fact(d, "hook")->origin, DICT_FROM_FILE);
	assert_int_equal(fact(d, "fold")->origin, DICT_MEASURED);
	assert_int_equal(fact(d, "b_dec")->origin, DICT_FROM_FILE);
	dict_free(d);
	const struct dict_options o = {.set = DICT_SET_NORM_SCALE | DICT_SET_B_DEC, .norm_scale = 0.375};
	d = dict_open_with(path, &o, &e);
	assert_non_null(d);
	assert_int_equal(fact(d, "normalisation")->origin, DICT_GIVEN);
	assert_non_null(strstr(fact(d, "normalisation")->value, "0.375"));
	assert_int_equal(fact(d, "b_dec")->origin, DICT_GIVEN);
	assert_false(dict_info(d)->apply_b_dec_to_input);
	dict_free(d);
	const struct dict_options bad = {.set = DICT_SET_NORM_SCALE, .norm_scale = -1};
	assert_null(dict_open_with(path, &bad, &e));
	assert_int_equal(e.code, ERR_USAGE);
	free(path);
}

/* p of the vectors that interventions have is the p of the whole pipeline. */
static void directions_are_the_arithmetic(void **state)
{
	(void)state;
	static const char *const names[] = {"saelens-topk-rescaled", "saelens-jumprelu", "saelens-gated", "dl-autoencoder",
					    "llama-scope/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L8R-8x",
					    "sparsify/layers.10", "llamascopium-jumprelu"};
	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		struct err e = {0};
		char *path = golden(names[n]);
		struct dict *d = dict_open(path, &e);
		assert_non_null(d);
		const struct dict_info *i = dict_info(d);
		f32 x[32], w[32], bias, p, y[32], zero[32] = {0}, direction[32];
		for (u32 j = 0; j < i->d_in; j++)
			x[j] = sinf((f32)(j * 7 + 1)) * 3;
		for (u32 id = 0; id < i->n_features; id += 7) {
			assert_int_equal(dict_linear(d, id, w, &bias, &e), 0);
			assert_int_equal(dict_pre(d, x, 1, &id, 1, &p, &e), 0);
			f64 sum = bias;
			for (u32 j = 0; j < i->d_in; j++)
				sum += (f64)w[j] * (f64)x[j];
			if (fabs(sum - (f64)p) > 1e-4 * (1 + fabs(sum)))
				fail_msg("%s: feature %u: %g, expected %g", names[n], id, sum, (f64)p);
			/* one unit of f */
			f32 one = 1;
			struct dict_row on = {1, &id, &one}, off = {0, NULL, NULL};
			assert_int_equal(dict_decode(d, &on, 1, x, y, &e), 0);
			assert_int_equal(dict_decode(d, &off, 1, x, zero, &e), 0);
			dict_direction(d, id, direction);
			for (u32 j = 0; j < i->d_out; j++)
				assert_true(fabsf(y[j] - zero[j] - direction[j]) < 1e-4f);
		}
		dict_free(d);
		free(path);
	}
	struct err e = {0};
	f32 w[32], bias;
	char *path = golden("saelens-layer-norm");
	struct dict *d = dict_open(path, &e);
	assert_int_equal(dict_linear(d, 0, w, &bias, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.msg, "normalises each row"));
	dict_free(d);
	free(path);
}

/* The same numbers a piece at a time: [F][d], [d][F] and summed, decoders turned into a file of the cache. */
static void large_weights_are_used_in_pieces(void **state)
{
	(void)state;
	static const char *const names[] = {"saelens-topk-rescaled", "sparsify-skip/layers.10", "llamascopium-glu",
					    "dl-jumprelu", "goodfire", "mntss-clt", "saelens-matching-pursuit",
					    "llama-scope/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L8R-8x"};
	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		struct err e = {0};
		char *path = golden(names[n]);
		struct dict *d[2] = {dict_open(path, &e), dict_open(path, &e)};
		assert_true(d[0] && d[1]);
		d[1]->copy_limit = 0;
		const struct dict_info *i = dict_info(d[0]);
		f32 x[20 * 32], *f[2], *y[2];
		for (size_t j = 0; j < ARRAY_LEN(x); j++)
			x[j] = sinf((f32)(j * 13 + 1)) * 3;
		for (int k = 0; k < 2; k++) {
			struct dict_row rows[20];
			void *arena;
			f[k] = xmalloc(20 * (size_t)i->n_features * sizeof(f32));
			y[k] = xmalloc(20 * (size_t)i->d_out * sizeof(f32));
			assert_int_equal(dict_encode_dense(d[k], NULL, x, 20, f[k], &e), 0);
			assert_int_equal(dict_encode(d[k], NULL, x, 20, rows, &arena, &e), 0);
			assert_int_equal(dict_decode(d[k], rows, 20, x, y[k], &e), 0);
			free(arena);
		}
		for (size_t j = 0; j < 20 * (size_t)i->n_features; j++)
			if (fabsf(f[0][j] - f[1][j]) > 1e-4f)
				fail_msg("%s: %zu: %g and %g", names[n], j, (f64)f[0][j], (f64)f[1][j]);
		for (size_t j = 0; j < 20 * (size_t)i->d_out; j++)
			assert_true(fabsf(y[0][j] - y[1][j]) < 1e-3f);
		if (d[1]->plan.dec.layout == DICT_BY_WIDTH) {
			assert_non_null(d[1]->dec_cache);
			assert_int_equal(d[1]->dec_rows.layout, DICT_BY_FEATURE);
		}
		for (int k = 0; k < 2; k++) {
			free(f[k]);
			free(y[k]);
			dict_free(d[k]);
		}
		free(path);
	}
}

static void rows_at_once_are_the_rows(void **state)
{
	(void)state;
	static const char *const names[] = {"e2e-sae", "mntss-clt", "saelens-gated", "goodfire", "saelens-topk", "llamascopium-transcoder"};
	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		struct err e = {0};
		char *path = golden(names[n]);
		struct dict *d = dict_open(path, &e);
		assert_non_null(d);
		f32 all[17 * 32], one[32], biases[17], bias;
		assert_int_equal(dict_decoder_rows(d, 5, 17, all, &e), 0);
		for (u32 i = 0; i < 17; i++) {
			dict_decoder_row(d, 5 + i, one);
			for (u32 j = 0; j < dict_info(d)->d_out; j++)
				assert_true(fabsf(one[j] - all[i * dict_info(d)->d_out + j]) < 1e-6f);
		}
		assert_int_equal(dict_encoder_rows(d, 5, 17, all, biases, &e), 0);
		for (u32 i = 0; i < 17; i++) {
			dict_encoder_row(d, 5 + i, one, &bias);
			assert_true(bias == biases[i]);
			assert_memory_equal(one, all + i * dict_info(d)->d_in, dict_info(d)->d_in * sizeof(f32));
		}
		dict_free(d);
		free(path);
	}
}

static long faults(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt + u.ru_majflt;
}

/* A million features of 2304 numbers, 19 GB of them holes: only the header is read. */
static void a_million_features_open_without_being_read(void **state)
{
	(void)state;
	struct err e = {0};
	folder("million");
	put("million/cfg.json", "{\"architecture\":\"jumprelu\",\"d_in\":2304,\"d_sae\":1048576,\"metadata\":{}}");
	char *path = xasprintf("%s/million/sae_weights.safetensors", top), *where = xasprintf("%s/million", top);
	const u64 f = 1048576, w = 2304, m = f * w * 4;
	char *head = xasprintf("{\"W_enc\":{\"dtype\":\"F32\",\"shape\":[%llu,%llu],\"data_offsets\":[0,%llu]},"
			       "\"W_dec\":{\"dtype\":\"F32\",\"shape\":[%llu,%llu],\"data_offsets\":[%llu,%llu]},"
			       "\"b_enc\":{\"dtype\":\"F32\",\"shape\":[%llu],\"data_offsets\":[%llu,%llu]},"
			       "\"threshold\":{\"dtype\":\"F32\",\"shape\":[%llu],\"data_offsets\":[%llu,%llu]},"
			       "\"b_dec\":{\"dtype\":\"F32\",\"shape\":[%llu],\"data_offsets\":[%llu,%llu]}}",
			       (unsigned long long)w, (unsigned long long)f, (unsigned long long)m, (unsigned long long)f,
			       (unsigned long long)w, (unsigned long long)m, (unsigned long long)(2 * m), (unsigned long long)f,
			       (unsigned long long)(2 * m), (unsigned long long)(2 * m + 4 * f), (unsigned long long)f,
			       (unsigned long long)(2 * m + 4 * f), (unsigned long long)(2 * m + 8 * f), (unsigned long long)w,
			       (unsigned long long)(2 * m + 8 * f), (unsigned long long)(2 * m + 8 * f + 4 * w));
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	u64 n = strlen(head);
	fwrite(&n, 8, 1, out);
	fwrite(head, 1, n, out);
	fclose(out);
	if (truncate(path, (off_t)(8 + n + 2 * m + 8 * f + 4 * w)))
		skip(); /* a file system without such files */
	struct dict *d = dict_open(where, &e); /* once, so that the code is there */
	if (!d)
		fail_msg("%s", e.msg);
	dict_free(d);
	long before = faults();
	d = dict_open(where, &e);
	long after = faults();
	assert_non_null(d);
	assert_true(after - before < 400);
	assert_int_equal(dict_info(d)->n_features, f);
	/* one feature is not the matrix */
	f32 row[2304], bias;
	dict_encoder_row(d, 1000000, row, &bias);
	dict_decoder_row(d, 1000000, row);
	assert_true(faults() - after < 40000); /* of more than nine million */
	dict_free(d);
	free(head);
	free(path);
	free(where);
}

static void an_atlas_names_its_dictionary(void **state)
{
	(void)state;
	struct err e = {0};
	char *at = golden("dl-topk"), *out = xasprintf("%s/linked.atlas", top);
	const struct dict_options o = {.set = DICT_SET_NORM_SCALE, .norm_scale = 2};
	assert_int_equal(atlas_link(at, &o, out, "linked", &e), 0);
	assert_int_equal(atlas_link(at, &o, out, "linked", &e), -1);
	struct atlas *a = atlas_open(out, &e);
	if (!a)
		fail_msg("%s", e.msg);
	assert_false(a->bare);
	assert_true(dict_info(a->dict)->norm_scale == 2);
	assert_string_equal(a->hook, "blocks.3.hook_resid_post");
	assert_int_equal(a->layer, 3);
	assert_string_equal(a->model.name, "made/up-70m");
	assert_non_null(strstr(atlas_missing(a, "store"), "featlas index"));
	atlas_free(a);
	/* another dictionary in its place */
	json_t *j = atlas_json_read(out, &e);
	json_t *entry = json_object_get(json_object_get(j, "parts"), "dictionary");
	json_object_set_new(entry, "header_sha256", json_string("00"));
	assert_int_equal(atlas_commit(j, out, &e), 0);
	assert_null(atlas_open(out, &e));
	assert_int_equal(e.code, ERR_DAMAGED);
	assert_non_null(strstr(e.msg, "is not the dictionary that"));
	json_object_set_new(entry, "at", json_string("elsewhere"));
	assert_int_equal(atlas_commit(j, out, &e), 0);
	assert_null(atlas_open(out, &e));
	assert_non_null(strstr(e.msg, "absolute path"));
	json_decref(j);
	free(at);
	free(out);
}

static void a_bare_dictionary_is_an_atlas(void **state)
{
	(void)state;
	struct err e = {0};
	char *at = golden("gemma-scope/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71");
	struct atlas *a = atlas_open(at, &e), *b = atlas_open(at, &e);
	assert_true(a && b && a->bare);
	assert_string_equal(a->uuid, b->uuid);
	assert_int_equal(strlen(a->uuid), 36);
	assert_string_equal(a->notes, "");
	assert_string_equal(a->hook, "blocks.20.hook_resid_post");
	assert_int_equal(a->layer, 20);
	assert_null(atlas_missing(a, "dictionary"));
	for (int i = 1; i < ATLAS_N_PARTS; i++)
		assert_non_null(strstr(atlas_missing(a, atlas_parts[i]), "featlas import"));
	atlas_free(a);
	atlas_free(b);
	free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_is_recognised),
		cmocka_unit_test(what_cannot_be_told_is_said),
		cmocka_unit_test(a_cache_of_hugging_face_opens),
		cmocka_unit_test(each_statement_has_its_origin),
		cmocka_unit_test(directions_are_the_arithmetic),
		cmocka_unit_test(large_weights_are_used_in_pieces),
		cmocka_unit_test(rows_at_once_are_the_rows),
		cmocka_unit_test(a_million_features_open_without_being_read),
		cmocka_unit_test(an_atlas_names_its_dictionary),
		cmocka_unit_test(a_bare_dictionary_is_an_atlas),
	};
	return cmocka_run_group_tests(tests, make_top, drop_top);
}
