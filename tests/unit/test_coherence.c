/* SPDX-License-Identifier: MIT */
/* test_coherence.c - agreement of neighbours counted by hand, chance against its exact mean. */
#include "core/coherence.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* 0 {1,2,3}, 1 {2,3,4}, 2 {}, 3 {9}, 4 {1,9} */
static u64 start[] = {0, 3, 6, 6, 7, 9};
static u32 word[] = {1, 2, 3, 2, 3, 4, 9, 1, 9};
static const struct word_sets sets = {start, word};

static void by_hand(void **state)
{
	(void)state;
	struct err e = {0};
	struct coherence c;
	/* the pairs with 2 are left out: 2/4 of 0 and 1, 1/2 of 3 and 4, 0 of 1 and 3 */
	const struct coherence_pair pairs[] = {{0, 1}, {0, 2}, {2, 4}, {3, 4}, {1, 3}};
	assert_int_equal(coherence_measure(&sets, &sets, 5, pairs, 5, 1, 50, NULL, NULL, &c, &e), 0);
	assert_int_equal(c.n_items, 4);
	assert_int_equal(c.n_pairs, 3);
	assert_int_equal(c.n_shuffles, 50);
	assert_true(fabs(c.observed - (0.5 + 0.5 + 0) / 3) < 1e-12);
}

/* Left and right are other sets: {1,2} of 0 against {2,3} of 1, and back {4} against {1,4,5}. */
static void two_sides(void **state)
{
	(void)state;
	struct err e = {0};
	struct coherence c;
	u64 ls[] = {0, 2, 3}, rs[] = {0, 3, 5};
	u32 lw[] = {1, 2, 4}, rw[] = {1, 4, 5, 2, 3};
	const struct word_sets l = {ls, lw}, r = {rs, rw};
	const struct coherence_pair pairs[] = {{0, 1}, {1, 0}};
	assert_int_equal(coherence_measure(&l, &r, 2, pairs, 2, 1, 2, NULL, NULL, &c, &e), 0);
	assert_true(fabs(c.observed - (1.0 / 3 + 1.0 / 3) / 2) < 1e-12);
}

static u32 draw(u64 *x, u32 n)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return (u32)(*x >> 33) % n;
}

/* The mean over all ordered pairs of different items, which the shuffles are a sample of. */
static f64 exact_mean(const struct word_sets *s, u32 n)
{
	f64 sum = 0;
	for (u32 i = 0; i < n; i++)
		for (u32 j = 0; j < n; j++) {
			u64 both = 0, a = s->start[i + 1] - s->start[i], b = s->start[j + 1] - s->start[j];
			for (u64 x = s->start[i]; x < s->start[i + 1]; x++)
				for (u64 y = s->start[j]; y < s->start[j + 1]; y++)
					both += s->word[x] == s->word[y];
			if (i != j)
				sum += (f64)both / (f64)(a + b - both);
		}
	return sum / n / (n - 1);
}

static void chance(void **state)
{
	(void)state;
	enum { N = 60, R = 400 };
	struct err e = {0};
	struct coherence c, again;
	struct coherence_pair pairs[N];
	u64 x = 3, s[N + 1] = {0};
	u32 w[N * 12];
	for (u32 i = 0; i < N; i++) {
		s[i + 1] = s[i];
		for (u32 k = 0; k < 12; k++)
			if (!draw(&x, 3) || !k)
				w[s[i + 1]++] = 12 * draw(&x, 2) + k;
		pairs[i] = (struct coherence_pair){i, (i + 1) % N};
	}
	struct word_sets all = {s, w};
	for (u32 i = 0; i < N; i++) /* ascending */
		for (u64 a = s[i]; a < s[i + 1]; a++)
			for (u64 b = a + 1; b < s[i + 1]; b++)
				if (w[b] < w[a]) {
					u32 t = w[a];
					w[a] = w[b];
					w[b] = t;
				}
	struct pool *pool = pool_new(3);
	assert_int_equal(coherence_measure(&all, &all, N, pairs, N, 7, R, pool, NULL, &c, &e), 0);
	assert_true(fabs(c.mean - exact_mean(&all, N)) < 5 * c.sd / sqrt(R));
	assert_true(fabs(c.z) < 4); /* neighbours are no more alike than any */
	assert_int_equal(coherence_measure(&all, &all, N, pairs, N, 7, R, NULL, NULL, &again, &e), 0);
	assert_true(c.mean == again.mean && c.sd == again.sd); /* whatever the threads */
	assert_int_equal(coherence_measure(&all, &all, N, pairs, N, 8, R, NULL, NULL, &again, &e), 0);
	assert_true(c.mean != again.mean);
	pool_free(pool);
}

static void nothing(void **state)
{
	(void)state;
	struct err e = {0};
	struct coherence c;
	const struct coherence_pair pairs[] = {{0, 2}};
	assert_int_equal(coherence_measure(&sets, &sets, 5, pairs, 1, 1, 5, NULL, NULL, &c, &e), 0);
	assert_int_equal(c.n_pairs, 0);
	assert_true(isnan(c.observed) && isnan(c.z));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand), cmocka_unit_test(two_sides), cmocka_unit_test(chance),
					   cmocka_unit_test(nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
