/* SPDX-License-Identifier: MIT */
/* test_find.c - AUROC against all pairs, and a choice that is judged where it was not made. */
#include "core/find.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 37, F = 60 };

static struct find_text texts[N];
static f32 dense[N][F];

static u32 draw(u64 *x, u32 n)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return (u32)(*x >> 33) % n;
}

static int make(void **state)
{
	(void)state;
	u64 x = 5;
	for (u32 i = 0; i < N; i++) {
		texts[i] = (struct find_text){xcalloc(F, sizeof(u32)), xcalloc(F, sizeof(f32)), 0, i % 3 == 0};
		for (u32 f = 0; f < F; f++) {
			/* few values, so that many are equal; feature 9 tells, feature 12 never fires */
			f32 v = f == 12 || draw(&x, 3) ? 0 : (f32)(1 + draw(&x, 4));
			if (f == 9)
				v = texts[i].positive ? 6 : (f32)(i % 5 == 0 ? 1 : 0);
			dense[i][f] = v;
			if (v != 0) {
				texts[i].id[texts[i].n] = f;
				texts[i].value[texts[i].n++] = v;
			}
		}
	}
	return 0;
}

static f64 by_pairs(u32 f)
{
	f64 won = 0, all = 0;
	for (u32 i = 0; i < N; i++)
		for (u32 k = 0; k < N; k++)
			if (texts[i].positive && !texts[k].positive) {
				all++;
				won += dense[i][f] > dense[k][f] ? 1 : dense[i][f] == dense[k][f] ? 0.5 : 0;
			}
	return won / all;
}

static void all_pairs(void **state)
{
	(void)state;
	struct err e = {0};
	struct find_score best[F];
	struct pool *pool = pool_new(2);
	i64 n = find_rank(texts, N, F, NULL, pool, best, F, &e);
	assert_int_equal(n, F - 1); /* but the silent one */
	assert_int_equal(best[0].feature, 9);
	assert_true(best[0].auroc == 1);
	for (i64 i = 0; i < n; i++) {
		u32 f = best[i].feature, fires[2] = {0};
		f64 sum[2] = {0}, count[2] = {0};
		assert_true(fabs((f64)best[i].auroc - by_pairs(f)) < 1e-6);
		assert_true(fabs((f64)find_auroc(texts, N, f, NULL) - by_pairs(f)) < 1e-6);
		assert_true(!i || best[i].auroc <= best[i - 1].auroc);
		for (u32 t = 0; t < N; t++) {
			fires[texts[t].positive] += dense[t][f] != 0;
			sum[texts[t].positive] += (f64)dense[t][f];
			count[texts[t].positive]++;
		}
		assert_int_equal(best[i].n_positive, fires[1]);
		assert_int_equal(best[i].n_negative, fires[0]);
		assert_true(fabs((f64)best[i].mean_difference - (sum[1] / count[1] - sum[0] / count[0])) < 1e-5);
	}
	pool_free(pool);
}

/* 9 fires on all 13 positive texts and on 5 of the 24 others. */
static void on_these_and_not_on_those(void **state)
{
	(void)state;
	struct err e = {0};
	struct find_score best[F];
	struct find_held_out h;
	struct find_filter all_but_few = {1, 0.21f}, fewer = {1, 0.2f}, most = {0.5f, 1};
	assert_int_equal(find_rank(texts, N, F, &all_but_few, NULL, best, F, &e), 1);
	assert_int_equal(best[0].feature, 9);
	assert_int_equal(best[0].n_positive, 13);
	assert_int_equal(best[0].n_negative, 5);
	assert_int_equal(find_rank(texts, N, F, &fewer, NULL, best, F, &e), 0);
	i64 n = find_rank(texts, N, F, &most, NULL, best, F, &e);
	assert_in_range(n, 1, F - 2);
	for (i64 i = 0; i < n; i++)
		assert_in_range(best[i].n_positive, 7, 13);
	struct find_filter none = {1, 0};
	assert_int_equal(find_held_out(texts, N, F, 4, &none, NULL, &h, &e), 0);
	assert_int_equal(h.folds, 4);
	assert_int_equal(h.times, 0);
	assert_true(h.auroc == 0.5f);
	/* a text of either kind can be left out nowhere */
	assert_int_equal(find_held_out(texts, 2, F, 4, NULL, NULL, &h, &e), 0);
	assert_int_equal(h.folds, 0);
	assert_true(isnan(h.auroc));
}

static void held_out(void **state)
{
	(void)state;
	struct err e = {0};
	struct find_held_out h;
	assert_int_equal(find_held_out(texts, N, F, 4, NULL, NULL, &h, &e), 0);
	assert_int_equal(h.folds, 4);
	assert_int_equal(h.chosen, 9);
	assert_int_equal(h.times, 4);
	assert_true(h.auroc == 1);
	/* without the one that tells, the best of many by chance is worse where it was not chosen */
	struct find_score best[1];
	for (u32 i = 0; i < N; i++)
		for (size_t k = 0; k < texts[i].n; k++)
			if (texts[i].id[k] == 9)
				texts[i].value[k] = 1;
	for (u32 i = 0; i < N; i++) {
		size_t m = 0;
		for (size_t k = 0; k < texts[i].n; k++)
			if (texts[i].id[k] != 9) {
				texts[i].id[m] = texts[i].id[k];
				texts[i].value[m++] = texts[i].value[k];
			}
		texts[i].n = m;
	}
	assert_true(find_rank(texts, N, F, NULL, NULL, best, 1, &e) > 0);
	assert_int_equal(find_held_out(texts, N, F, 6, NULL, NULL, &h, &e), 0);
	assert_true(h.auroc < best[0].auroc - 0.05f);
}

/* What two texts share gives values that differ by how a model added up: no order of them is evidence. */
static void rounding_is_a_tie(void **state)
{
	(void)state;
	enum { EACH = 6 };
	struct err e = {0};
	struct find_text t[2 * EACH];
	struct find_score best[4];
	u32 id[] = {0, 1, 2, 3};
	f32 value[2 * EACH][4];
	for (u32 i = 0; i < 2 * EACH; i++) {
		bool positive = i < EACH;
		f32 noise = (f32)(positive ? 1 + 2e-6 * (f64)i : 1 - 3e-6 * (f64)i);
		value[i][0] = 7 * noise;                        /* the same for all */
		value[i][1] = positive ? 1.001f * noise : noise; /* a tenth of a percent is a difference */
		value[i][2] = (f32)(1 + 0.9e-4 * (f64)i);       /* a chain is one value */
		value[i][3] = i == 0 ? 2 : noise;               /* tells one text */
		t[i] = (struct find_text){id, value[i], 4, positive};
	}
	assert_int_equal(find_rank(t, 2 * EACH, 4, NULL, NULL, best, 4, &e), 4);
	assert_int_equal(best[0].feature, 1);
	assert_true(best[0].auroc == 1);
	assert_int_equal(best[1].feature, 3);
	assert_true(fabs((f64)best[1].auroc - (0.5 + 0.5 / EACH)) < 1e-6);
	assert_int_equal(best[2].feature, 0);
	assert_int_equal(best[3].feature, 2);
	for (u32 i = 2; i < 4; i++) {
		assert_true(best[i].auroc == 0.5f);
		assert_true(best[i].mean_difference == 0);
		assert_true(find_auroc(t, 2 * EACH, best[i].feature, NULL) == 0.5f);
	}
}

static void one_kind(void **state)
{
	(void)state;
	struct err e = {0};
	struct find_score best[1];
	assert_int_equal(find_rank(texts, 1, F, NULL, NULL, best, 1, &e), -1);
	assert_string_equal(e.msg, "there must be texts of both kinds, positive and negative");
	assert_true(isnan(find_auroc(texts, 1, 3, NULL)));
}

static int release(void **state)
{
	(void)state;
	for (u32 i = 0; i < N; i++) {
		free(texts[i].id);
		free(texts[i].value);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_pairs), cmocka_unit_test(on_these_and_not_on_those), cmocka_unit_test(held_out), cmocka_unit_test(rounding_is_a_tie),
					   cmocka_unit_test(one_kind)};
	return cmocka_run_group_tests(tests, make, release);
}
