/* SPDX-License-Identifier: MIT */
/* match.c - the nearest rows of one matrix in another, and what splits into what. */
#include "core/match.h"

#include "base/mem.h"
#include "core/blas.h"
#include "core/vec.h"

#include <stdlib.h>

enum { BLOCK = 64, TILE = 4096 };

/* Unit vectors' products by two routines differ by less, for any d below a million. */
static const f32 slack = 1e-4f;

struct job {
	const struct knn_rows *a, *b;
	const bool *zero; /* [b->n] */
	struct match *out;
	f32 **z; /* a thread's [BLOCK][TILE] */
	struct progress *progress;
};

static bool is_zero(const f32 *x, size_t d)
{
	for (size_t i = 0; i < d; i++)
		if (x[i] != 0)
			return false;
	return true;
}

/* Only what comes near the largest product so far is worth the exact one. */
static void take_tile(const struct job *j, size_t row, size_t from, size_t n, const f32 *z, f32 *largest)
{
	const f32 *x = j->a->p + row * j->a->d;
	struct match *best = &j->out[row];
	for (size_t i = 0; i < n; i++) {
		if (z[i] < *largest - slack || j->zero[from + i])
			continue;
		*largest = MAX(*largest, z[i]);
		f32 cosine = vec_dot(x, j->b->p + (from + i) * j->b->d, j->b->d);
		/* ids rise, so an equal one comes too late */
		if (best->id == KNN_NONE || cosine > best->cosine)
			*best = (struct match){(u32)(from + i), cosine};
	}
}

static void match_block(void *context, size_t task, unsigned thread)
{
	struct job *j = context;
	f32 *z = j->z[thread], largest[BLOCK];
	size_t first = task * BLOCK, n = MIN((size_t)BLOCK, j->a->n - first), d = j->a->d;
	if (progress_cancelled(j->progress))
		return;
	for (size_t i = 0; i < n; i++) {
		j->out[first + i] = (struct match){KNN_NONE, 0};
		largest[i] = -2;
	}
	for (size_t from = 0; from < j->b->n; from += TILE) {
		size_t width = MIN((size_t)TILE, j->b->n - from);
		blas_gemm_nt(n, width, d, j->a->p + first * d, j->b->p + from * d, z);
		for (size_t i = 0; i < n; i++)
			if (!is_zero(j->a->p + (first + i) * d, d))
				take_tile(j, first + i, from, width, z + i * width, &largest[i]);
	}
	progress_add(j->progress, n);
}

int match_nearest(const struct knn_rows *a, const struct knn_rows *b, struct pool *pool, struct match *out,
		  struct progress *progress, struct err *e)
{
	static const char what[] = "the products of rows";
	unsigned n_threads = pool ? pool_threads(pool) : 1;
	bool *zero = mem_try(b->n, sizeof *zero, what, e);
	f32 **z = xcalloc(n_threads, sizeof *z);
	int bad = zero ? 0 : -1;
	for (unsigned i = 0; i < n_threads && !bad; i++)
		bad = (z[i] = mem_try((size_t)BLOCK * TILE, sizeof **z, what, e)) ? 0 : -1;
	if (!bad) {
		for (size_t i = 0; i < b->n; i++)
			zero[i] = is_zero(b->p + i * b->d, b->d);
		struct job j = {a, b, zero, out, z, progress};
		progress_start(progress, "comparing", "features", a->n);
		pool_each(pool, (a->n + BLOCK - 1) / BLOCK, match_block, &j);
		if (progress_cancelled(progress))
			bad = err_set(e, ERR_CANCELLED, "stopped before every feature was compared");
	}
	for (unsigned i = 0; i < n_threads; i++)
		free(z[i]);
	free(z);
	free(zero);
	return bad;
}

static int nearest_first(const void *x, const void *y)
{
	const struct match *a = x, *b = y;
	return a->cosine != b->cosine ? (a->cosine < b->cosine) - (a->cosine > b->cosine)
				      : (a->id > b->id) - (a->id < b->id);
}

int match_tree_init(struct match_tree *t, size_t n_a, const struct match *to_a, size_t n_b, f32 least, struct err *e)
{
	static const char what[] = "the tree of features";
	*t = (struct match_tree){mem_try(n_a + 1, sizeof *t->first, what, e), NULL};
	if (!t->first || !(t->child = mem_try(n_b, sizeof *t->child, what, e))) {
		match_tree_release(t);
		return -1;
	}
	for (size_t i = 0; i <= n_a; i++)
		t->first[i] = 0;
	for (size_t b = 0; b < n_b; b++)
		if (to_a[b].id != KNN_NONE && to_a[b].cosine >= least)
			t->first[to_a[b].id + 1]++;
	for (size_t i = 0; i < n_a; i++)
		t->first[i + 1] += t->first[i];
	u32 *at = xmalloc((n_a + 1) * sizeof *at);
	for (size_t i = 0; i < n_a; i++)
		at[i] = t->first[i];
	for (size_t b = 0; b < n_b; b++)
		if (to_a[b].id != KNN_NONE && to_a[b].cosine >= least)
			t->child[at[to_a[b].id]++] = (struct match){(u32)b, to_a[b].cosine};
	free(at);
	for (size_t i = 0; i < n_a; i++)
		if (t->first[i + 1] - t->first[i] > 1)
			qsort(t->child + t->first[i], t->first[i + 1] - t->first[i], sizeof *t->child, nearest_first);
	return 0;
}

void match_tree_release(struct match_tree *t)
{
	free(t->first);
	free(t->child);
	*t = (struct match_tree){0};
}
