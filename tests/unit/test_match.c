/* SPDX-License-Identifier: MIT */
/* test_match.c - nearest rows of two matrices against a plain double loop. */
#include "core/match.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NA = 300, NB = 5000, D = 24 };

static f32 *unit_rows(size_t n, u64 seed)
{
	f32 *p = xmalloc(n * D * sizeof *p);
	u64 x = seed;
	for (size_t i = 0; i < n; i++) {
		f64 sum = 0;
		for (size_t k = 0; k < D; k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			p[i * D + k] = (f32)(i64)(x >> 33) / 0x1p31f - 0.5f;
			sum += (f64)p[i * D + k] * (f64)p[i * D + k];
		}
		for (size_t k = 0; k < D; k++)
			p[i * D + k] = (f32)((f64)p[i * D + k] / sqrt(sum));
	}
	return p;
}

static f64 cosine(const f32 *x, const f32 *y)
{
	f64 s = 0;
	for (size_t k = 0; k < D; k++)
		s += (f64)x[k] * (f64)y[k];
	return s;
}

static void nearest(void **state)
{
	(void)state;
	struct err e = {0};
	struct pool *pool = pool_new(3);
	f32 *a = unit_rows(NA, 1), *b = unit_rows(NB, 2);
	/* rows of zeros on both sides, an equal pair, and the same direction twice */
	for (size_t k = 0; k < D; k++) {
		a[7 * D + k] = b[9 * D + k] = 0;
		b[4321 * D + k] = b[4500 * D + k] = a[50 * D + k];
	}
	struct knn_rows ra = {a, NA, D}, rb = {b, NB, D};
	struct match *to_b = xmalloc(NA * sizeof *to_b), *alone = xmalloc(NA * sizeof *alone);
	assert_int_equal(match_nearest(&ra, &rb, pool, to_b, NULL, &e), 0);
	assert_int_equal(match_nearest(&ra, &rb, NULL, alone, NULL, &e), 0);
	for (u32 i = 0; i < NA; i++) {
		f64 best = -2;
		for (u32 j = 0; j < NB; j++)
			if (j != 9)
				best = fmax(best, cosine(a + i * D, b + j * D));
		assert_int_equal(to_b[i].id, alone[i].id);
		assert_true(to_b[i].cosine == alone[i].cosine);
		if (i == 7) {
			assert_int_equal(to_b[i].id, KNN_NONE);
			continue;
		}
		assert_true(fabs((f64)to_b[i].cosine - best) < 1e-5);
		assert_true(fabs(cosine(a + i * D, b + to_b[i].id * D) - best) < 1e-6);
	}
	assert_int_equal(to_b[50].id, 4321); /* of equal ones the lower */
	free(to_b);
	free(alone);
	free(a);
	free(b);
	pool_free(pool);
}

static void tree(void **state)
{
	(void)state;
	struct err e = {0};
	static const struct match to_a[] = {{2, 0.9f}, {0, 0.6f}, {2, 0.95f}, {KNN_NONE, 0}, {2, 0.4f}, {2, 0.9f}};
	struct match_tree t;
	assert_int_equal(match_tree_init(&t, 3, to_a, 6, 0.5f, &e), 0);
	assert_int_equal(t.first[1], 1);
	assert_int_equal(t.first[2], 1);
	assert_int_equal(t.first[3], 4);
	assert_int_equal(t.child[0].id, 1);
	/* nearest first, of equal ones the lower; what is below the least is nobody's */
	assert_int_equal(t.child[1].id, 2);
	assert_int_equal(t.child[2].id, 0);
	assert_int_equal(t.child[3].id, 5);
	match_tree_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nearest), cmocka_unit_test(tree)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
