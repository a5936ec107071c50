/* SPDX-License-Identifier: MIT */
/* test_cooc.c - features that fire together against tests/golden/neighbours.py. */
#include "base/mem.h"
#include "core/cooc.h"
#include "core/index.h"
#include "io/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { F = 60, N = 3000 };

static struct safetensors *golden;
static struct store *whole, *halves, *examples;
static char folder[] = "/tmp/featlas-cooc-XXXXXX";
static char *path[4];

static const void *number(const char *name)
{
	const struct tensor *t = safetensors_find(golden, name);
	assert_non_null(t);
	return t->data.p;
}

/* The part [from, to) of the tokens as a segment. */
static void write_segment(const char *file, u64 from, u64 to, bool full)
{
	struct err e = {0};
	const u64 *ptr = number("fires_ptr");
	const u32 *pos = number("fires_pos");
	const u8 *kept = number("kept");
	struct index_image *m = index_image_new(F, 2, to - from, 1, folder, &e);
	assert_non_null(m);
	m->text_ptr[1] = to - from;
	m->n_indexed = to - from;
	for (u64 i = from; i < to; i++) {
		m->flags[i - from] = kept[i] ? 0 : TOKEN_SINK;
		m->n_kept += kept[i];
	}
	for (u32 f = 0; f < F; f++) {
		u32 at[N];
		f32 act[N];
		u64 n = 0;
		for (u64 i = ptr[f]; i < ptr[f + 1]; i++)
			if (pos[i] >= from && pos[i] < to) {
				at[n] = pos[i] - (u32)from;
				act[n++] = 1;
			}
		m->scale[f] = 1;
		m->count[f] = n;
		index_image_contexts(m, f, NULL, 0);
		assert_int_equal(index_image_activations(m, f, at, act, n, &e), 0);
	}
	assert_int_equal(index_image_write(m, file, full, "u", "b", from, &e), 0);
	index_image_free(m);
}

static int open_all(void **state)
{
	(void)state;
	struct err e = {0};
	char *file = xasprintf("%s/golden/neighbours.safetensors",
			       getenv("TESTS_DIR") ? getenv("TESTS_DIR") : "tests");
	golden = safetensors_open(file, &e);
	free(file);
	if (!golden || !mkdtemp(folder))
		return -1;
	for (int i = 0; i < 4; i++)
		path[i] = xasprintf("%s/%d", folder, i);
	write_segment(path[0], 0, N, true);
	write_segment(path[1], 0, 1777, true);
	write_segment(path[2], 1777, N, true);
	write_segment(path[3], 0, N, false);
	whole = store_open((const char *const *)path, 1, F, &e);
	halves = store_open((const char *const *)path + 1, 2, F, &e);
	examples = store_open((const char *const *)path + 3, 1, F, &e);
	return !whole || !halves || !examples;
}

static int close_all(void **state)
{
	(void)state;
	store_free(whole);
	store_free(halves);
	store_free(examples);
	safetensors_free(golden);
	for (int i = 0; i < 4; i++) {
		unlink(path[i]);
		free(path[i]);
	}
	return rmdir(folder);
}

static void check(const struct store *s, u32 f, enum cooc_measure by, u64 least, struct pool *pool)
{
	const f64 *want = (const f64 *)number(by == COOC_NPMI ? "npmi" : "jaccard") + (size_t)f * F;
	const u32 *both = (const u32 *)number("both") + (size_t)f * F;
	struct cooc out[F];
	struct err e = {0};
	size_t listed = 0;
	for (u32 g = 0; g < F; g++)
		listed += g != f && both[g] >= least;
	i64 n = cooc_near(s, F, f, by, least, F, out, pool, NULL, &e);
	assert_int_equal(n, listed);
	for (i64 i = 0; i < n; i++) {
		assert_true(out[i].id != f && out[i].both == both[out[i].id] && out[i].both >= least);
		assert_true(fabs(out[i].score - want[out[i].id]) < 1e-12);
		assert_true(!i || out[i - 1].score > out[i].score ||
			    (out[i - 1].score == out[i].score && out[i - 1].id < out[i].id));
	}
	struct cooc few[3];
	assert_int_equal(cooc_near(s, F, f, by, least, 3, few, NULL, NULL, &e), MIN(n, 3));
	for (i64 i = 0; i < MIN(n, 3); i++)
		assert_int_equal(few[i].id, out[i].id);
}

static void measures_are_numpys(void **state)
{
	(void)state;
	struct pool *pool = pool_new(2);
	for (u32 f = 0; f < F; f++) {
		check(whole, f, COOC_JACCARD, 1, pool);
		check(whole, f, COOC_NPMI, 1, pool);
		check(halves, f, COOC_NPMI, 3, pool);
		check(halves, f, COOC_JACCARD, 1, NULL);
	}
	pool_free(pool);
}

static void twins_lead_and_the_dead_have_none(void **state)
{
	(void)state;
	struct cooc out[2];
	struct err e = {0};
	assert_int_equal(cooc_near(whole, F, 10, COOC_JACCARD, 1, 2, out, NULL, NULL, &e), 2);
	assert_true(out[0].id == 11 && out[0].score == 1);
	assert_int_equal(cooc_near(whole, F, 20, COOC_NPMI, 1, 2, out, NULL, NULL, &e), 0);
}

static void postings_come_in_pieces(void **state)
{
	(void)state;
	const u64 *ptr = number("fires_ptr");
	const u32 *pos = number("fires_pos");
	u64 at[7];
	for (u32 f = 0; f < F; f += 11) {
		u64 n = ptr[f + 1] - ptr[f];
		for (u64 skip = 0; skip <= n; skip += 7) {
			u64 got = store_postings(halves, f, skip, at, 7);
			assert_int_equal(got, MIN(n - skip, 7u));
			for (u64 i = 0; i < got; i++)
				assert_int_equal(at[i], pos[ptr[f] + skip + i]);
		}
	}
	assert_int_equal(store_postings(whole, F, 0, at, 7), 0);
}

static void examples_only_are_refused(void **state)
{
	(void)state;
	struct cooc out[2];
	struct err e = {0};
	assert_int_equal(cooc_near(examples, F, 1, COOC_JACCARD, 1, 2, out, NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.msg, "examples only"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measures_are_numpys),
		cmocka_unit_test(twins_lead_and_the_dead_have_none),
		cmocka_unit_test(postings_come_in_pieces),
		cmocka_unit_test(examples_only_are_refused),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
