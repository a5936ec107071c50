/* SPDX-License-Identifier: MIT */
/* knn.h - exact nearest neighbours by cosine.
 *
 * Rows are unit vectors; a row of zeros is no direction: it is nobody's neighbour and has
 * none.  Candidates come from products in blocks; every score that is given is vec_dot of
 * the two rows, and the order is by score, then by id, so it depends on neither blocks nor
 * threads.
 */
#ifndef FEATLAS_KNN_H
#define FEATLAS_KNN_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"

struct knn_rows {
	const f32 *p; /* [n][d], unit rows or zeros */
	size_t n, d;
};

#define KNN_NONE UINT32_MAX

/* The at most k rows nearest to a unit vector (to zeros: none), without row `but` (KNN_NONE:
 * all).  Returns how many, or -1. */
i64 knn_near(const struct knn_rows *rows, struct pool *pool, const f32 *query, u32 but, size_t k, u32 *id,
	     f32 *score, struct err *e);
/* Of each row: id and score [n][k], padded with KNN_NONE and 0.  n^2 d operations; progress
 * counts rows and cancels. */
int knn_graph(const struct knn_rows *rows, struct pool *pool, size_t k, u32 *id, f32 *score,
	      struct progress *progress, struct err *e);

#endif
