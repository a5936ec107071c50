/* SPDX-License-Identifier: MIT */
/* test_knn.c - nearest neighbours against every pair in f64, here and by tests/golden/neighbours.py. */
#include "base/mem.h"
#include "core/kernel.h"
#include "core/knn.h"
#include "core/rand.h"
#include "core/rows.h"
#include "core/topk.h"
#include "io/safetensors.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
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
	assert_int_equal(atomic_load(&p.done), N * (N - 1) / 2);
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

/* ---- against numpy ---- */

static struct safetensors *golden;

static const void *number(const char *name)
{
	const struct tensor *t = safetensors_find(golden, name);
	assert_non_null(t);
	return t->data.p;
}

enum { GN = 420, GD = 70, GK = 12 };

static void every_kernel_finds_what_numpy_finds(void **state)
{
	(void)state;
	size_t n_kernels;
	const struct kernel *const *kernel = kernel_all(&n_kernels);
	const u32 *want = number("id"), *want_query = number("query_id");
	const f64 *cosine = number("cosine"), *query_cosine = number("query_cosine");
	const f32 *query = number("query");
	struct err e = {0};
	struct pool *pool = pool_new(2);
	struct rows *r = rows_new(number("rows"), GN, GD, pool, &e);
	static u32 id[GN * GK], near[GK];
	static f32 score[GN * GK], s[GK];
	assert_non_null(r);
	assert_int_equal(r->n_empty, 1);
	assert_true(rows_is_empty(r, 300) && !rows_is_empty(r, 299));
	assert_true(r->off > 0 && r->off < 1.0f / 256);
	for (size_t k = 0; k < n_kernels; k++) {
		struct knn_graph g = {kernel[k], GK, NULL};
		assert_int_equal(knn_rows_graph(r, pool, &g, id, score, NULL, &e), 0);
		for (u32 i = 0; i < GN * GK; i++) {
			if (i / GK == 300) {
				assert_true(id[i] == KNN_NONE);
				continue;
			}
			assert_true(fabs((f64)score[i] - cosine[i]) < 1e-6);
			/* what is nearer to the next than f32 tells may stand the other way about */
			bool close = (i % GK && cosine[i - 1] - cosine[i] < 1e-6) ||
				     (i % GK + 1 < GK && cosine[i] - cosine[i + 1] < 1e-6) || i % GK + 1 == GK;
			assert_true(id[i] == want[i] || close);
		}
		for (u32 q = 0; q < 5; q++) {
			assert_int_equal(knn_scan(r, kernel[k], pool, query + q * GD, KNN_NONE, GK, near, s, &e), GK);
			assert_memory_equal(near, want_query + q * GK, sizeof near);
			for (u32 i = 0; i < GK; i++)
				assert_true(fabs((f64)s[i] - query_cosine[q * GK + i]) < 1e-6);
		}
		for (u32 i = 0; i < GN; i += 7) {
			i64 n = knn_scan(r, kernel[k], NULL, (const f32 *)number("rows") + i * GD, i, GK, near, s, &e);
			assert_int_equal(n, i == 300 ? 0 : GK);
			assert_memory_equal(near, id + i * GK, (size_t)n * sizeof *near);
			assert_memory_equal(s, score + i * GK, (size_t)n * sizeof *s);
		}
	}
	rows_free(r);
	pool_free(pool);
}

/* ---- stopped, and taken up again ---- */

struct stop {
	struct progress p;
	u64 done; /* by runs before */
};

static void *no_more(void *context)
{
	struct stop *s = context;
	while (atomic_load(&s->p.done) <= s->done)
		sched_yield();
	progress_cancel(&s->p);
	return NULL;
}

static void a_stopped_graph_goes_on(void **state)
{
	(void)state;
	/* blocks are of 1536 rows at most: two stops */
	enum { MANY = 4000, NARROW = 9, FEW = 5 };
	static f32 p[MANY][NARROW];
	static u32 id[MANY][FEW], again[MANY][FEW];
	static f32 score[MANY][FEW], score_again[MANY][FEW];
	char path[] = "/tmp/featlas-knn-XXXXXX";
	struct err e = {0};
	struct pool *pool = pool_new(2);
	for (u64 i = 0; i < MANY; i++) {
		for (u64 j = 0; j < NARROW; j++)
			p[i][j] = i == 2000 ? 0 : (f32)rand_normal(5, i % 1000 * NARROW + j);
		rows_unit(p[i], NARROW);
	}
	assert_true(mkstemp(path) >= 0);
	unlink(path);
	struct rows *r = rows_new(&p[0][0], MANY, NARROW, pool, &e);
	struct knn_graph whole = {NULL, FEW, NULL};
	assert_int_equal(knn_rows_graph(r, pool, &whole, &id[0][0], &score[0][0], NULL, &e), 0);
	struct knn_checkpoint c = {path, "this one", 0};
	struct knn_graph g = {NULL, FEW, &c};
	unsigned stops = 0;
	for (unsigned tries = 0; !stops; tries++) {
		/* on a busy machine all may be compared before the stopper gets its turn */
		assert_true(tries < 1000);
		unlink(path);
		u64 done = 0;
		for (int bad = -1; bad;) {
			struct stop stop = {.done = done};
			pthread_t stopper;
			memset(again, 0, sizeof again);
			/* at least one block is done before it is stopped */
			pthread_create(&stopper, NULL, no_more, &stop);
			bad = knn_rows_graph(r, pool, &g, &again[0][0], &score_again[0][0],
					     &stop.p, &e);
			done = atomic_load(&stop.p.done);
			pthread_join(stopper, NULL);
			assert_true(!bad || e.code == ERR_CANCELLED);
			stops += bad != 0;
		}
	}
	assert_memory_equal(id, again, sizeof id);
	assert_memory_equal(score, score_again, sizeof score);

	/* the last checkpoint is still there */
	c.identity = "another";
	assert_int_equal(knn_rows_graph(r, pool, &g, &again[0][0], &score_again[0][0], NULL, &e), -1);
	assert_non_null(strstr(e.msg, "another comparison"));
	c.identity = "this one";
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 8), 0);
	assert_int_equal(knn_rows_graph(r, pool, &g, &again[0][0], &score_again[0][0], NULL, &e), -1);
	unlink(path);
	rows_free(r);
	pool_free(pool);
}

static int open_golden(void **state)
{
	struct err e = {0};
	char *path = xasprintf("%s/golden/neighbours.safetensors",
			       getenv("TESTS_DIR") ? getenv("TESTS_DIR") : "tests");
	golden = safetensors_open(path, &e);
	free(path);
	return !golden || make_rows(state);
}

static int close_golden(void **state)
{
	(void)state;
	safetensors_free(golden);
	return 0;
}

static int falling(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;
	return (x < y) - (x > y);
}

/* Far apart, alike, and differing in their lower halves only. */
static void the_kth_of_keys_is_found(void **state)
{
	(void)state;
	u64 key[150], sorted[150];
	for (size_t n = 1; n <= ARRAY_LEN(key); n += n < 20 ? 1 : 13) {
		for (int bits = 0; bits <= 64; bits += 8) {
			for (size_t i = 0; i < n; i++)
				key[i] = bits ? rand_u64(n, i) >> (64 - bits) << (bits % 16 ? 32 - bits / 2 : 0) : UINT64_MAX;
			memcpy(sorted, key, sizeof sorted);
			qsort(sorted, n, sizeof *sorted, falling);
			for (size_t k = 1; k <= n; k++)
				assert_int_equal(topk_upper(key, n, k), sorted[k - 1] >> 32);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_graph_is_exact),  cmocka_unit_test(one_query_agrees_with_the_graph),
		cmocka_unit_test(few_rows_are_padded), cmocka_unit_test(zeros_do_not_crowd_out_the_rest),
		cmocka_unit_test(it_stops_when_asked), cmocka_unit_test(every_kernel_finds_what_numpy_finds),
		cmocka_unit_test(a_stopped_graph_goes_on), cmocka_unit_test(the_kth_of_keys_is_found),
	};
	return cmocka_run_group_tests(tests, open_golden, close_golden);
}
