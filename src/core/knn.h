/* SPDX-License-Identifier: MIT */
/* knn.h - exact nearest neighbours by cosine.
 *
 * Rows are unit vectors; a row of zeros is no direction: it is nobody's neighbour and has
 * none.  Candidates come from fast products; every score that is given is vec_dot of the two
 * rows in f32, and the order is by score, then by id, so results depend on neither kernels,
 * blocks nor threads.
 *
 * No true neighbour is lost among the candidates: if a fast product differs from the true one
 * by at most s (kernel.h has the bound, rows.h the distances in it), then the k best have
 * products of at least t - 2 s, where t is the k-th largest of any products seen so far: k rows
 * have a true score of t - s or more, so the true k-th has, and its product is at most s less.
 */
#ifndef FEATLAS_KNN_H
#define FEATLAS_KNN_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"

struct kernel;
struct rows;

struct knn_rows {
	const f32 *p; /* [n][d], unit rows or zeros */
	size_t n, d;
};

#define KNN_NONE UINT32_MAX

/* The at most k rows nearest to a unit vector (to zeros: none), without row `but` (KNN_NONE:
 * all).  Returns how many, or -1.  kernel: NULL for the best here. */
i64 knn_scan(const struct rows *rows, const struct kernel *kernel, struct pool *pool, const f32 *query, u32 but,
	     size_t k, u32 *id, f32 *score, struct err *e);
/* The same over f32 rows, with no preparation. */
i64 knn_near(const struct knn_rows *rows, struct pool *pool, const f32 *query, u32 but, size_t k, u32 *id,
	     f32 *score, struct err *e);

/* Where a long comparison can go on after it was stopped. */
struct knn_checkpoint {
	const char *path;
	const char *identity; /* what is compared: a checkpoint of anything else is refused */
	f64 every;	      /* seconds between two; 0: after every block of rows */
};

struct knn_graph {
	const struct kernel *kernel; /* NULL: the best here */
	size_t k;
	const struct knn_checkpoint *checkpoint; /* or NULL */
};

/* Of each row: id and score [n][k], padded with KNN_NONE and 0.  Blocked and symmetric: n^2 d
 * operations (half of what all ordered pairs take); memory 2 n d bytes for packed rows and 16 k +
 * 256 or more bytes a row for candidates.  progress counts pairs, and cancels after the block at
 * hand, with a checkpoint if there is to be one; ERR_CANCELLED then.  The checkpoint is removed by
 * the caller, when the result is safe.
 *
 * Every process of ranks.h calls this with the same rows and k; id and score come about in rank
 * 0, and there are no checkpoints where there are several. */
int knn_rows_graph(const struct rows *rows, struct pool *pool, const struct knn_graph *g, u32 *id, f32 *score,
		   struct progress *progress, struct err *e);
int knn_graph(const struct knn_rows *rows, struct pool *pool, size_t k, u32 *id, f32 *score,
	      struct progress *progress, struct err *e);

#endif
