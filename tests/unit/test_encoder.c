/* SPDX-License-Identifier: MIT */
/* test_encoder.c - the features that lead on rows against products in f64, for every kernel. */
#include "base/mem.h"
#include "core/encoder.h"
#include "core/kernel.h"
#include "core/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { F = 1000, D = 75, ROWS = 230, K = 9 };

static f32 weight[F][D], bias[F], least_of[F], x[ROWS][D];

/* Lengths from 0.05 to 20, near twins, a feature of zeros, large biases: bounds have to hold for each. */
static int make(void **state)
{
	(void)state;
	for (u64 f = 0; f < F; f++) {
		f64 size = f % 11 ? 0.05 * pow(400, rand_unit(3, f)) : 1;
		for (u64 j = 0; j < D; j++)
			weight[f][j] = (f32)(size * rand_normal(1, f * D + j));
		bias[f] = (f32)(f % 17 ? rand_normal(2, f) : 100 * rand_normal(2, f));
		least_of[f] = (f32)(40 * rand_unit(4, f));
	}
	memset(weight[5], 0, sizeof weight[5]);
	for (u64 f = 600; f < 700; f++) {
		memcpy(weight[f], weight[500], sizeof weight[f]);
		weight[f][f % D] *= 1 + 1e-6f * (f32)(f - 600);
		bias[f] = bias[500];
	}
	for (u64 t = 0; t < ROWS; t++)
		for (u64 j = 0; j < D; j++)
			x[t][j] = (f32)((t % 3 ? 1 : 30) * rand_normal(5, t * D + j));
	memset(x[7], 0, sizeof x[7]);
	return 0;
}

static int rows(void *context, u32 first, u32 n, f32 *out, struct err *e)
{
	(void)context;
	(void)e;
	memcpy(out, weight[first], n * sizeof weight[0]);
	return 0;
}

static f64 pre(size_t t, size_t f)
{
	f64 s = (f64)bias[f];
	for (size_t j = 0; j < D; j++)
		s += (f64)x[t][j] * (f64)weight[f][j];
	return s;
}

static int falling(const void *a, const void *b)
{
	f64 p = *(const f64 *)a, q = *(const f64 *)b;
	return (p < q) - (p > q);
}

/* Each is as it should be to 1e-4 of the row's largest, in value and in whether it is there. */
static void check_row(size_t t, const u32 *id, const f32 *act, u32 n, const struct encoder_cut *cut)
{
	f64 p[F], sorted[F], most = 0;
	bool listed[F] = {0};
	for (size_t f = 0; f < F; f++) {
		sorted[f] = p[f] = pre(t, f);
		most = fmax(most, p[f]);
	}
	f64 slack = 1e-4 * most;
	qsort(sorted, F, sizeof *sorted, falling);
	for (u32 i = 0; i < n; i++) {
		assert_true(id[i] < F && (!i || id[i - 1] < id[i]) && act[i] > 0);
		assert_true(fabs((f64)act[i] - p[id[i]]) <= 1e-6 * most);
		listed[id[i]] = true;
	}
	assert_true(!cut->k || n <= cut->k);
	for (size_t f = 0; f < F; f++) {
		f64 least = cut->k ? fmax(0, sorted[cut->k - 1])
				   : fmax((f64)cut->least, cut->least_of ? (f64)cut->least_of[f] : 0);
		if (p[f] > least + slack)
			assert_true(listed[f]);
		if (p[f] < least - slack)
			assert_false(listed[f]);
	}
}

static void check(const struct encoder_cut *cut)
{
	struct err e = {0};
	struct pool *pool = pool_new(3);
	struct encoder_source s = {F, D, rows, NULL, bias};
	struct encoder *c = encoder_new(&s, pool, &e);
	struct encoder_out want = {0}, o;
	size_t n_kernels;
	const struct kernel *const *kernel = kernel_all(&n_kernels);
	assert_non_null(c);
	for (size_t k = 0; k < n_kernels; k++) {
		assert_int_equal(encoder_run(c, kernel[k], k % 2 ? NULL : pool, &x[0][0], ROWS, cut, &o, &e), 0);
		if (!k) {
			want = o;
			for (size_t t = 0, at = 0; t < ROWS; at += o.row_n[t++])
				check_row(t, o.id + at, o.act + at, o.row_n[t], cut);
			continue;
		}
		/* bit for bit by any kernel and any number of threads */
		assert_int_equal(o.n, want.n);
		assert_memory_equal(o.row_n, want.row_n, ROWS * sizeof *o.row_n);
		assert_memory_equal(o.id, want.id, o.n * sizeof *o.id);
		assert_memory_equal(o.act, want.act, o.n * sizeof *o.act);
		encoder_out_release(&o);
	}
	/* and one row at a time */
	for (size_t t = 0, at = 0; t < ROWS; at += want.row_n[t++]) {
		assert_int_equal(encoder_run(c, NULL, pool, x[t], 1, cut, &o, &e), 0);
		assert_int_equal(o.n, want.row_n[t]);
		if (o.n) {
			assert_memory_equal(o.id, want.id + at, o.n * sizeof *o.id);
			assert_memory_equal(o.act, want.act + at, o.n * sizeof *o.act);
		}
		encoder_out_release(&o);
	}
	encoder_out_release(&want);
	encoder_free(c);
	pool_free(pool);
}

static void the_k_largest(void **state)
{
	(void)state;
	check(&(struct encoder_cut){.k = K});
	check(&(struct encoder_cut){.k = 1});
	check(&(struct encoder_cut){.k = 130}); /* among the near twins */
	check(&(struct encoder_cut){.k = F});
}

static void all_above(void **state)
{
	(void)state;
	check(&(struct encoder_cut){.least = 0});
	check(&(struct encoder_cut){.least = 12.5f});
	check(&(struct encoder_cut){.least_of = least_of});
}

/* Weights that the caller keeps: the values of now, all of them or those that are named. */
static void weights_that_change(void **state)
{
	(void)state;
	static u32 id[F];
	static f32 moved[F][D];
	struct err e = {0};
	struct pool *pool = pool_new(3);
	struct encoder_source s = {F, D, rows, NULL, bias};
	struct encoder *all = encoder_new(&s, pool, &e), *c = encoder_room(F, D, pool, &e);
	struct encoder_cut cut = {.least = 3};
	struct encoder_out want, got;
	size_t n = 0;
	for (u32 f = 1; f < F; f += 3)
		id[n++] = f;
	memset(moved, 0, sizeof moved);
	encoder_take(c, &(struct encoder_weights){&moved[0][0], bias, NULL, F}, pool);
	memcpy(moved, weight, sizeof moved);
	encoder_take(c, &(struct encoder_weights){&moved[0][0], bias, id, n}, pool);
	assert_int_equal(encoder_run(all, NULL, pool, &x[0][0], ROWS, &cut, &want, &e), 0);
	assert_int_equal(encoder_run(c, NULL, pool, &x[0][0], ROWS, &cut, &got, &e), 0);
	size_t at = 0, k = 0;
	for (size_t t = 0; t < ROWS; t++) {
		for (u32 i = 0; i < want.row_n[t]; i++, at++) {
			if (want.id[at] % 3 != 1)
				continue;
			assert_int_equal(id[got.id[k]], want.id[at]);
			assert_memory_equal(&got.act[k], &want.act[at], sizeof *got.act);
			k++;
		}
	}
	assert_true(k > ROWS);
	assert_int_equal(got.n, k);
	encoder_out_release(&got);
	encoder_out_release(&want);
	encoder_free(all);
	encoder_free(c);
	pool_free(pool);
}

/* The k-th of one group is a guess for the next; here most are wrong, and results the same. */
static void guesses_that_are_wrong(void **state)
{
	(void)state;
	enum { MANY = 700 };
	static f32 y[MANY][D];
	struct err e = {0};
	struct encoder_source s = {F, D, rows, NULL, NULL};
	struct encoder *c = encoder_new(&s, NULL, &e);
	struct encoder_cut cut = {.k = K};
	struct encoder_out want, got;
	for (size_t t = 0; t < MANY; t++) /* rows along a feature, and rows that are near nothing */
		for (size_t j = 0; j < D; j++)
			y[t][j] = t / 190 % 2 ? (f32)(1e-3 * rand_normal(7, t * D + j)) + (j == t % D ? 1 : 0)
					      : weight[600 + t % 100][j] * (t % 5 ? 1 : -1);
	memset(y[400], 0, sizeof y[400]);
	assert_int_equal(encoder_run(c, NULL, NULL, &y[0][0], MANY, &cut, &got, &e), 0);
	for (size_t t = 0, at = 0; t < MANY; at += got.row_n[t++]) {
		assert_int_equal(encoder_run(c, NULL, NULL, y[t], 1, &cut, &want, &e), 0);
		assert_int_equal(got.row_n[t], want.n);
		if (want.n) {
			assert_memory_equal(got.id + at, want.id, want.n * sizeof *want.id);
			assert_memory_equal(got.act + at, want.act, want.n * sizeof *want.act);
		}
		encoder_out_release(&want);
	}
	encoder_out_release(&got);
	encoder_free(c);
}

static int no_rows(void *context, u32 first, u32 n, f32 *out, struct err *e)
{
	(void)context;
	(void)n;
	(void)out;
	return first ? err_set(e, ERR_DAMAGED, "no rows from %u", first) : 0;
}

static void failures_are_passed_on(void **state)
{
	(void)state;
	struct err e = {0};
	struct encoder_source s = {F, D, no_rows, NULL, NULL};
	assert_null(encoder_new(&s, NULL, &e));
	assert_int_equal(e.code, ERR_DAMAGED);
	assert_string_equal(e.msg, "no rows from 256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_that_change),
		cmocka_unit_test(guesses_that_are_wrong),
		cmocka_unit_test(the_k_largest),
		cmocka_unit_test(all_above),
		cmocka_unit_test(failures_are_passed_on),
	};
	return cmocka_run_group_tests(tests, make, NULL);
}
