/* SPDX-License-Identifier: MIT */
/* knn.c - exact nearest neighbours by cosine. */
#include "core/knn.h"

#include "base/mem.h"
#include "core/blas.h"
#include "core/topk.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_A_TASK = 1024 };

/* Unit vectors' products by two routines differ by less, for any d below a million. */
static const f32 slack = 1e-4f;

/* Best first as u64: larger scores above, then lower ids. */
static u64 key_of(f32 score, u32 id)
{
	u32 bits;
	score += 0.0f; /* -0 and 0 are equal */
	memcpy(&bits, &score, 4);
	bits = bits >> 31 ? ~bits : bits | 0x80000000u;
	return (u64)bits << 32 | (u32)~id;
}

static u32 id_of(u64 key)
{
	return ~(u32)key;
}

static f32 score_of(u64 key)
{
	u32 bits = (u32)(key >> 32);
	f32 score;
	bits = bits >> 31 ? bits & 0x7fffffffu : ~bits;
	memcpy(&score, &bits, 4);
	return score;
}

static int descending(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;
	return (x < y) - (x > y);
}

static bool is_zero(const f32 *x, size_t d)
{
	for (size_t j = 0; j < d; j++)
		if (x[j] != 0)
			return false;
	return true;
}

/* The best k of n keys to id and score; returns how many there are. */
static size_t take_best(u64 *key, size_t n, size_t k, u32 *id, f32 *score)
{
	if (n > k) {
		topk_keys(key, n, k);
		n = k;
	}
	qsort(key, n, sizeof *key, descending);
	for (size_t i = 0; i < n; i++) {
		id[i] = id_of(key[i]);
		score[i] = score_of(key[i]);
	}
	return n;
}

struct near_job {
	const struct knn_rows *rows;
	const f32 *query;
	u32 but;
	u64 *key; /* [n], 0: not a candidate */
};

static void score_rows(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct near_job *j = context;
	const struct knn_rows *r = j->rows;
	size_t end = MIN((task + 1) * ROWS_A_TASK, r->n);
	for (size_t i = task * ROWS_A_TASK; i < end; i++) {
		f32 s = vec_dot(j->query, r->p + i * r->d, r->d);
		bool out = i == j->but || (s == 0 && is_zero(r->p + i * r->d, r->d));
		j->key[i] = out ? 0 : key_of(s, (u32)i);
	}
}

i64 knn_near(const struct knn_rows *rows, struct pool *pool, const f32 *query, u32 but, size_t k, u32 *id,
	     f32 *score, struct err *e)
{
	if (is_zero(query, rows->d))
		return 0;
	struct near_job j = {rows, query, but, mem_try(rows->n, sizeof(u64), "scores", e)};
	if (!j.key)
		return -1;
	pool_each(pool, (rows->n + ROWS_A_TASK - 1) / ROWS_A_TASK, score_rows, &j);
	size_t m = 0;
	for (size_t i = 0; i < rows->n; i++)
		if (j.key[i])
			j.key[m++] = j.key[i];
	m = take_best(j.key, m, k, id, score);
	free(j.key);
	return (i64)m;
}

struct graph_job {
	const struct knn_rows *rows;
	size_t k, block;
	bool *zero; /* [n] */
	size_t n_zero;
	u32 *id;
	f32 *score;
	struct progress *progress;
	struct scratch {
		f32 *z;	  /* [block][n] */
		u64 *key; /* [n] */
		struct topk *topk;
	} * scratch;
	unsigned n_scratch;
};

/* Rows whose product is near enough to the k-th largest to be among the best, scored anew. */
static size_t candidates(const struct graph_job *g, struct scratch *s, size_t row, const f32 *z)
{
	const struct knn_rows *r = g->rows;
	/* the row itself and those of zeros may be among the largest */
	f32 least = topk_bound(s->topk, z, r->n, g->k + 1 + g->n_zero) - slack;
	const f32 *x = r->p + row * r->d;
	size_t m = 0;
	for (size_t i = 0; i < r->n; i++)
		if (z[i] >= least && i != row && !g->zero[i])
			s->key[m++] = key_of(z[i], (u32)i);
	/* the bound is loose: narrow to the true k-th of these before the dear part */
	if (m > g->k) {
		topk_keys(s->key, m, g->k);
		f32 kth = score_of(s->key[0]);
		for (size_t i = 1; i < g->k; i++)
			kth = fminf(kth, score_of(s->key[i]));
		size_t kept = g->k;
		for (size_t i = g->k; i < m; i++)
			if (score_of(s->key[i]) >= kth - slack)
				s->key[kept++] = s->key[i];
		m = kept;
	}
	for (size_t i = 0; i < m; i++) {
		u32 id = id_of(s->key[i]);
		s->key[i] = key_of(vec_dot(x, r->p + id * r->d, r->d), id);
	}
	return m;
}

static void graph_block(void *context, size_t task, unsigned thread)
{
	struct graph_job *g = context;
	struct scratch *s = &g->scratch[thread];
	const struct knn_rows *r = g->rows;
	size_t from = task * g->block, n = MIN(g->block, r->n - from);
	if (progress_cancelled(g->progress))
		return;
	blas_gemm_nt(n, r->n, r->d, r->p + from * r->d, r->p, s->z);
	for (size_t i = 0; i < n; i++) {
		size_t at = (from + i) * g->k, m = 0;
		if (!g->zero[from + i])
			m = take_best(s->key, candidates(g, s, from + i, s->z + i * r->n), g->k, g->id + at,
				      g->score + at);
		for (; m < g->k; m++) {
			g->id[at + m] = KNN_NONE;
			g->score[at + m] = 0;
		}
	}
	progress_add(g->progress, n);
}

static int graph_new(struct graph_job *g, struct pool *pool, struct err *e)
{
	static const char what[] = "the products of rows";
	size_t n = g->rows->n;
	g->block = MAX((size_t)16, MIN((size_t)256, ((size_t)4 << 20) / MAX(n, 1) / 16 * 16));
	g->n_scratch = pool ? pool_threads(pool) : 1;
	g->scratch = xcalloc(g->n_scratch, sizeof *g->scratch);
	g->zero = mem_try(n, sizeof *g->zero, what, e);
	if (!g->zero)
		return -1;
	for (size_t i = 0; i < n; i++)
		g->n_zero += g->zero[i] = is_zero(g->rows->p + i * g->rows->d, g->rows->d);
	for (unsigned i = 0; i < g->n_scratch; i++) {
		struct scratch *s = &g->scratch[i];
		s->z = mem_try(g->block * n, sizeof *s->z, what, e);
		s->key = mem_try(n, sizeof *s->key, what, e);
		s->topk = topk_new(n, e);
		if (!s->z || !s->key || !s->topk)
			return -1;
	}
	return 0;
}

static void graph_release(struct graph_job *g)
{
	for (unsigned i = 0; i < g->n_scratch; i++) {
		free(g->scratch[i].z);
		free(g->scratch[i].key);
		topk_free(g->scratch[i].topk);
	}
	free(g->scratch);
	free(g->zero);
}

int knn_graph(const struct knn_rows *rows, struct pool *pool, size_t k, u32 *id, f32 *score,
	      struct progress *progress, struct err *e)
{
	struct graph_job g = {.rows = rows, .k = k, .id = id, .score = score, .progress = progress};
	int bad = graph_new(&g, pool, e);
	if (!bad) {
		progress_start(progress, "comparing", "features", rows->n);
		pool_each(pool, (rows->n + g.block - 1) / g.block, graph_block, &g);
		if (progress_cancelled(progress))
			bad = err_set(e, ERR_CANCELLED, "stopped before every feature was compared");
	}
	graph_release(&g);
	return bad;
}
