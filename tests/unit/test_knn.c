/* SPDX-License-Identifier: MIT */
/* test_knn.c - nearest neighbours against every pair in f64. */
#include "base/mem.h"
#include "core/knn.h"
#include "core/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { N = 1100, D = 37, K = 12 };

static f32 rows_p[N][D];
static const struct knn_rows rows = {&rows_p[0][0], N, D};

/* Clustered unit rows; exact twins, opposite rows, and rows of zeros among them. */
static int make_rows(void **state)
{
	(void)state;
	for (u64 i = 0; i < N; i++) {
		f64 x[D], square = 0;
		for (u64 j = 0; j < D; j++) {
			x[j] = rand_normal(1 + i % 30, j) + 0.5 * rand_normal(100, i * D + j);
			square += x[j] * x[j];
		}
		for (int j = 0; j < D; j++)
			rows_p[i][j] = (f32)(x[j] / sqrt(square));
	}
	for (int i = 0; i < 40; i++)
		memcpy(rows_p[900 + i], rows_p[7 + i % 2], sizeof rows_p[0]);
	for (int j = 0; j < D; j++)
		rows_p[20][j] = -rows_p[21][j];
	memset(rows_p[0], 0, sizeof rows_p[0]);
	memset(rows_p[500], 0, sizeof rows_p[0]);
	memset(rows_p[N - 1], 0, sizeof rows_p[0]);
	return 0;
}

static bool zero(int i)
{
	return i == 0 || i == 500 || i == N - 1;
}

static f64 cosine(int a, int b)
{
	f64 s = 0;
	for (int j = 0; j < D; j++)
		s += (f64)rows_p[a][j] * rows_p[b][j];
	return s;
}

/* A list is right if its scores are the cosines, it is ordered, names no row twice, and no row
 * that it leaves out is nearer than its last, but for rounding. */
static void check_list(int of, const u32 *id, const f32 *score, size_t n)
{
	bool listed[N] = {0};
	for (size_t i = 0; i < n; i++) {
		assert_true(id[i] < N && (int)id[i] != of && !zero((int)id[i]) && !listed[id[i]]);
		listed[id[i]] = true;
		assert_true(fabs(score[i] - cosine(of, (int)id[i])) < 1e-6);
		if (i)
			assert_true(score[i - 1] > score[i] ||
				    (score[i - 1] == score[i] && id[i - 1] < id[i]));
	}
	for (int g = 0; g < N; g++)
		if (!listed[g] && g != of && !zero(g)) {
			assert_true(cosine(of, g) <= score[n - 1] + 1e-6);
			/* of exact twins those with lower ids are taken */
			for (size_t i = 0; i < n; i++)
				if ((int)id[i] > g)
					assert_true(memcmp(rows_p[g], rows_p[id[i]], sizeof rows_p[0]) != 0);
		}
}

static void the_graph_is_exact(void **state)
{
	(void)state;
	static u32 id[N][K], again[N][K];
	static f32 score[N][K], score_again[N][K];
	struct err e = {0};
	struct progress p = {0};
	struct pool *pool = pool_new(3);
	assert_int_equal(knn_graph(&rows, NULL, K, &id[0][0], &score[0][0], &p, &e), 0);
	assert_int_equal(atomic_load(&p.done), N);
	assert_int_equal(knn_graph(&rows, pool, K, &again[0][0], &score_again[0][0], NULL, &e), 0);
	assert_memory_equal(id, again, sizeof id);
	assert_memory_equal(score, score_again, sizeof score);
	for (int i = 0; i < N; i++) {
		if (zero(i)) {
			for (int k = 0; k < K; k++)
				assert_true(id[i][k] == KNN_NONE && score[i][k] == 0);
			continue;
		}
		check_list(i, id[i], score[i], K);
	}
	pool_free(pool);
}

static void one_query_agrees_with_the_graph(void **state)
{
	(void)state;
	static u32 id[N][K], near[N];
	static f32 score[N][K], s[N];
	struct err e = {0};
	struct pool *pool = pool_new(2);
	assert_int_equal(knn_graph(&rows, NULL, K, &id[0][0], &score[0][0], NULL, &e), 0);
	for (u32 i = 1; i < N - 1; i += 13) {
		if (zero((int)i))
			continue;
		assert_int_equal(knn_near(&rows, pool, rows_p[i], i, K, near, s, &e), K);
		assert_memory_equal(near, id[i], sizeof id[i]);
		assert_memory_equal(s, score[i], sizeof score[i]);
	}
	assert_int_equal(knn_near(&rows, pool, rows_p[500], KNN_NONE, K, near, s, &e), 0);
	/* all of them, and a query that is not a row */
	assert_int_equal(knn_near(&rows, pool, rows_p[21], KNN_NONE, N, near, s, &e), N - 3);
	assert_int_equal(near[0], 21);
	assert_int_equal(near[N - 4], 20);
	assert_true(fabsf(s[N - 4] + 1) < 1e-6f);
	pool_free(pool);
}

static void few_rows_are_padded(void **state)
{
	(void)state;
	struct knn_rows few = {rows_p[1], 3, D};
	u32 id[3][5];
	f32 score[3][5];
	struct err e = {0};
	assert_int_equal(knn_graph(&few, NULL, 5, &id[0][0], &score[0][0], NULL, &e), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(id[i][0] < 3 && id[i][1] < 3 && id[i][0] != id[i][1]);
		for (int k = 2; k < 5; k++)
			assert_true(id[i][k] == KNN_NONE);
	}
}

/* Rows that all point away from each other beside many of zeros: 0 is above every cosine. */
static void zeros_do_not_crowd_out_the_rest(void **state)
{
	(void)state;
	static f32 p[600][2];
	memset(p, 0, sizeof p);
	for (int i = 0; i < 3; i++) {
		p[100 * i][0] = (f32)cos(2 * i * M_PI / 3);
		p[100 * i][1] = (f32)sin(2 * i * M_PI / 3);
	}
	struct knn_rows few = {&p[0][0], 600, 2};
	static u32 id[600][2];
	static f32 score[600][2];
	struct err e = {0};
	assert_int_equal(knn_graph(&few, NULL, 2, &id[0][0], &score[0][0], NULL, &e), 0);
	assert_true(id[0][0] + id[0][1] == 300 && id[100][0] + id[100][1] == 200);
	assert_true(fabsf(score[200][0] + 0.5f) < 1e-6f && id[1][0] == KNN_NONE);
}

static void it_stops_when_asked(void **state)
{
	(void)state;
	static u32 id[N][K];
	static f32 score[N][K];
	struct err e = {0};
	struct progress p = {0};
	progress_cancel(&p);
	assert_int_equal(knn_graph(&rows, NULL, K, &id[0][0], &score[0][0], &p, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(atomic_load(&p.done), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_graph_is_exact),  cmocka_unit_test(one_query_agrees_with_the_graph),
		cmocka_unit_test(few_rows_are_padded), cmocka_unit_test(zeros_do_not_crowd_out_the_rest),
		cmocka_unit_test(it_stops_when_asked),
	};
	return cmocka_run_group_tests(tests, make_rows, NULL);
}
