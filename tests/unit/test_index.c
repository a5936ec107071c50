/* SPDX-License-Identifier: MIT */
/* test_index.c - the store against a plain float64 computation (tests/golden/make_index.py). */
#include "base/half.h"
#include "base/mapfile.h"
#include "base/mem.h"
#include "core/dict_write.h"
#include "core/index.h"
#include "core/prune.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { F = 12, D = 8, K = 3, TOP = 6, BINS = 20, MAX_ACTS = 4096 };

static struct safetensors *golden;
static char folder[64];
static struct dict *dict;
static struct acts *acts;

static const struct tensor *want(const char *name)
{
	const struct tensor *t = safetensors_find(golden, name);
	assert_non_null(t);
	return t;
}

static char *in_folder(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

static void write_dictionary(void)
{
	struct err e = {0};
	f32 w_enc[F * D], w_dec[F * D], b_enc[F], b_dec[D];
	tensor_get_f32(want("w_enc"), 0, F * D, w_enc);
	tensor_get_f32(want("w_dec"), 0, F * D, w_dec);
	tensor_get_f32(want("b_enc"), 0, F, b_enc);
	tensor_get_f32(want("b_dec"), 0, D, b_dec);
	struct dict_weights w = {.d = D,
				 .n_features = F,
				 .k = K,
				 .w_enc = w_enc,
				 .w_dec = w_dec,
				 .b_enc = b_enc,
				 .b_dec = b_dec};
	json_t *about = json_pack("{s:s}", "hook_name", "blocks.1.hook_resid_post");
	assert_int_equal(dict_write(folder, &w, DTYPE_F32, about, "u", "b", &e), 0);
	json_decref(about);
	dict = dict_open(folder, &e);
	assert_non_null(dict);
}

static void write_acts(void)
{
	struct err e = {0};
	char *path = in_folder("t.acts");
	const char *hook = "blocks.1.hook_resid_post";
	struct acts_writer *w = acts_writer_open(path, json_object(), &hook, 1, D, &e);
	const struct tensor *ptr = want("text_ptr"), *tokens = want("tokens"), *rows = want("rows");
	for (u64 t = 0; t + 1 < ptr->n; t++) {
		u64 from = tensor_u64(ptr, t), n = tensor_u64(ptr, t + 1) - from;
		f32 x[64 * D];
		const f32 *xs = x;
		u32 ids[64];
		tensor_get_f32(rows, from * D, n * D, x);
		for (u64 i = 0; i < n; i++)
			ids[i] = (u32)tensor_u64(tokens, from + i);
		assert_int_equal(acts_writer_text(w, ids, want("flags")->data.p + from, &xs, n, &e), 0);
	}
	assert_int_equal(acts_writer_close(w, &e), 0);
	acts = acts_open(path, &e);
	assert_non_null(acts);
	free(path);
}

static int set_up(void **state)
{
	(void)state;
	struct err e = {0};
	char *path =
		xasprintf("%s/golden/index.safetensors", getenv("TESTS_DIR") ? getenv("TESTS_DIR") : "tests");
	golden = safetensors_open(path, &e);
	free(path);
	strcpy(folder, "/tmp/featlas-index-XXXXXX");
	if (!golden || !mkdtemp(folder))
		return -1;
	write_dictionary();
	write_acts();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dict_free(dict);
	acts_free(acts);
	safetensors_free(golden);
	char *command = xasprintf("rm -rf '%s'", folder);
	int bad = system(command);
	free(command);
	return bad;
}

static struct index_options options(u64 memory)
{
	struct index_options o = index_defaults;
	o.n_top = TOP;
	o.memory = memory;
	o.uuid = "u";
	o.build_id = "b";
	return o;
}

static struct index_report build(const char *name, u64 memory, unsigned threads)
{
	struct err e = {0};
	struct index_options o = options(memory);
	struct index_report r;
	struct pool *pool = pool_new(threads);
	char *path = in_folder(name);
	assert_int_equal(index_build(dict, acts, 0, path, &o, pool, NULL, &r, &e), 0);
	free(path);
	pool_free(pool);
	return r;
}

static struct store *open_store(const char *name)
{
	struct err e = {0};
	char *path = in_folder(name);
	struct store *s = store_open((const char *const *)&path, 1, F, &e);
	assert_non_null(s);
	free(path);
	return s;
}

static void near(f32 a, f32 b, f32 tolerance)
{
	if (!(fabsf(a - b) <= tolerance * MAX(1e-6f, fabsf(b))))
		fail_msg("%.9g is not %.9g", (f64)a, (f64)b);
}

static void the_store_is_what_the_definitions_say(void **state)
{
	(void)state;
	struct index_report r = build("a.safetensors", 1 << 20, 2);
	struct store *s = open_store("a.safetensors");
	u64 n_tokens = want("tokens")->n;
	assert_int_equal(r.n_tokens, n_tokens);
	assert_int_equal(store_n_tokens(s), n_tokens);
	assert_int_equal(r.n_activations, want("act_pos")->n);
	assert_int_equal(r.n_dead, 1);
	assert_true(store_is_full(s));
	near(acts_norm_median(acts, 0), tensor_f32(want("norm_median"), 0), 1e-4f);
	for (u64 i = 0; i < n_tokens; i++) {
		assert_int_equal(store_token(s, i), tensor_u64(want("tokens"), i));
		assert_int_equal(store_token_flags(s, i), want("out_flags")->data.p[i]);
	}
	f32 *act = xcalloc(n_tokens, sizeof *act), *expected = xcalloc(n_tokens, sizeof *expected);
	for (u32 f = 0; f < F; f++) {
		struct store_stats t;
		store_stats(s, f, &t);
		assert_int_equal(t.count, tensor_u64(want("count"), f));
		near(t.density, tensor_f32(want("density"), f), 1e-6f);
		near(t.max, tensor_f32(want("max"), f), 1e-5f);
		near(t.mean, tensor_f32(want("mean"), f), 1e-5f);
		memset(expected, 0, n_tokens * sizeof *expected);
		for (u64 i = tensor_u64(want("feature_ptr"), f); i < tensor_u64(want("feature_ptr"), f + 1);
		     i++)
			expected[tensor_u64(want("act_pos"), i)] = tensor_f32(want("act"), i);
		store_activations(s, f, 0, n_tokens, act);
		for (u64 i = 0; i < n_tokens; i++)
			near(act[i], expected[i], 0x1p-10f);
	}
	free(act);
	free(expected);
	store_free(s);
}

static void histograms_agree(void **state)
{
	(void)state;
	build("h.safetensors", 1 << 20, 1);
	struct store *s = open_store("h.safetensors");
	for (u32 f = 0; f < F; f++) {
		f32 edges[BINS + 1];
		u64 counts[BINS];
		assert_int_equal(store_histogram(s, f, edges, counts, BINS), BINS);
		for (u32 b = 0; b <= BINS; b++)
			near(edges[b], tensor_f32(want("hist_edge"), f * (BINS + 1) + b), 1e-5f);
		for (u32 b = 0; b < BINS; b++)
			assert_int_equal(counts[b], tensor_u64(want("hist_count"), f * BINS + b));
	}
	store_free(s);
}

static void top_contexts_are_one_a_text_and_unlike_each_other(void **state)
{
	(void)state;
	build("t.safetensors", 1 << 20, 1);
	struct store *s = open_store("t.safetensors");
	for (u32 f = 0; f < F; f++) {
		struct store_context c[64];
		size_t n = store_contexts(s, f, c, ARRAY_LEN(c)), n_top = 0;
		u64 from = tensor_u64(want("top_ptr"), f), to = tensor_u64(want("top_ptr"), f + 1);
		while (n_top < n && c[n_top].kind == CONTEXT_TOP)
			n_top++;
		assert_int_equal(n_top, to - from);
		for (size_t i = 0; i < n_top; i++)
			assert_int_equal(c[i].position, tensor_u64(want("top_pos"), from + i));
	}
	store_free(s);
}

static void drawn_contexts_lie_where_they_should(void **state)
{
	(void)state;
	build("d.safetensors", 1 << 20, 1);
	struct store *s = open_store("d.safetensors");
	for (u32 f = 0; f < F; f++) {
		struct store_context c[64];
		struct store_stats t;
		size_t n = store_contexts(s, f, c, ARRAY_LEN(c)), per_kind[3] = {0}, per_interval[5] = {0};
		store_stats(s, f, &t);
		for (size_t i = 0; i < n; i++) {
			f32 here;
			store_activations(s, f, c[i].position, c[i].position + 1, &here);
			near(here, c[i].act, 0x1p-10f);
			assert_true(here > 0);
			per_kind[c[i].kind]++;
			for (size_t k = 0; k < i; k++)
				assert_true(c[k].position != c[i].position);
			if (c[i].kind != CONTEXT_INTERVAL)
				continue;
			assert_true(c[i].interval < 5);
			per_interval[c[i].interval]++;
			assert_true(c[i].act >= t.max * (f32)c[i].interval / 5 * 0.99999f);
			assert_true(c[i].act <= t.max * (f32)(c[i].interval + 1) / 5 * 1.00001f);
		}
		for (int k = 0; k < 5; k++)
			assert_true(per_interval[k] <= 5);
		assert_int_equal(per_kind[CONTEXT_RANDOM], MIN(5u, t.count - per_kind[0] - per_kind[1]));
	}
	store_free(s);
}

static void the_file_does_not_depend_on_threads_or_memory(void **state)
{
	(void)state;
	struct err e = {0};
	build("one.safetensors", 1 << 20, 1);
	build("four.safetensors", 64, 4); /* a range a feature */
	char *a = in_folder("one.safetensors"), *b = in_folder("four.safetensors");
	struct mapfile *x = mapfile_open(a, &e), *y = mapfile_open(b, &e);
	assert_int_equal(mapfile_span(x).n, mapfile_span(y).n);
	assert_memory_equal(mapfile_span(x).p, mapfile_span(y).p, mapfile_span(x).n);
	mapfile_free(x);
	mapfile_free(y);
	free(a);
	free(b);
}

static void pruning_keeps_what_is_near_contexts(void **state)
{
	(void)state;
	struct err e = {0};
	build("full.safetensors", 1 << 20, 1);
	struct store *s = open_store("full.safetensors");
	char *path = in_folder("pruned.safetensors");
	u64 n_kept;
	assert_int_equal(prune_store(s, F, 1, path, "u", "c", NULL, &n_kept, &e), 0);
	free(path);
	struct store *p = open_store("pruned.safetensors");
	assert_false(store_is_full(p));
	assert_int_equal(store_n_tokens(p), store_n_tokens(s));
	assert_int_equal(store_n_indexed(p), store_n_indexed(s));
	assert_int_equal(store_n_kept(p), store_n_kept(s));
	assert_int_equal(store_n_contexts(p), store_n_contexts(s));
	assert_int_equal(store_n_activations(p), n_kept);
	assert_true(n_kept < store_n_activations(s));
	u64 n = store_n_tokens(s), seen = 0;
	f32 *all = xcalloc(n, sizeof *all), *some = xcalloc(n, sizeof *some);
	for (u32 f = 0; f < F; f++) {
		struct store_stats t, u;
		struct store_context c[64];
		size_t n_contexts = store_contexts(s, f, c, ARRAY_LEN(c));
		store_stats(s, f, &t);
		store_stats(p, f, &u);
		assert_memory_equal(&t, &u, sizeof t);
		store_activations(s, f, 0, n, all);
		store_activations(p, f, 0, n, some);
		for (u64 i = 0; i < n; i++) {
			bool close = false;
			u64 start, end;
			store_text_of(s, i, &start, &end);
			for (size_t k = 0; k < n_contexts; k++)
				close |= c[k].position >= start && c[k].position < end &&
					 c[k].position + 1 >= i && c[k].position <= i + 1;
			assert_true(some[i] == (close ? all[i] : 0));
			seen += some[i] > 0;
		}
	}
	assert_int_equal(seen, n_kept);
	free(all);
	free(some);
	store_free(p);
	store_free(s);
}

static void scales_bring_maxima_into_range(void **state)
{
	(void)state;
	assert_true(index_scale(0) == 1);
	assert_true(index_scale(50000) == 1);
	assert_true(index_scale(65505) == 65536);
	assert_true(index_scale(1e-6f) == 0x1p-19f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_store_is_what_the_definitions_say),
		cmocka_unit_test(histograms_agree),
		cmocka_unit_test(top_contexts_are_one_a_text_and_unlike_each_other),
		cmocka_unit_test(drawn_contexts_lie_where_they_should),
		cmocka_unit_test(the_file_does_not_depend_on_threads_or_memory),
		cmocka_unit_test(pruning_keeps_what_is_near_contexts),
		cmocka_unit_test(scales_bring_maxima_into_range),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
