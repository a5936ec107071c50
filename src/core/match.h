/* SPDX-License-Identifier: MIT */
/* match.h - the features of two dictionaries side by side, by decoder cosine.
 *
 * Rows are unit vectors of one width, as knn.h has them; a row of zeros matches nothing and nothing
 * matches it.  Every cosine is vec_dot of the two rows and ties go to the lower id, so the result
 * depends on neither blocks nor threads.  2 n_a n_b d operations for each direction; memory beside the
 * rows is constant for each thread.
 */
#ifndef FEATLAS_MATCH_H
#define FEATLAS_MATCH_H

#include "core/knn.h"

struct match {
	u32 id;     /* the nearest row of the other side, KNN_NONE: there is none */
	f32 cosine; /* 0 where there is none */
};

/* The nearest row of b for each row of a: out [a->n].  progress counts rows of a and cancels. */
int match_nearest(const struct knn_rows *a, const struct knn_rows *b, struct pool *pool, struct match *out,
		  struct progress *progress, struct err *e);

/* Children: the rows of b whose nearest in a is this one, with at least the cosine asked, nearest first. */
struct match_tree {
	u32 *first; /* [n_a + 1]: children of i are child[first[i]] .. child[first[i + 1] - 1] */
	struct match *child;
};

/* to_a [n_b] is match_nearest of b in a. */
int match_tree_init(struct match_tree *t, size_t n_a, const struct match *to_a, size_t n_b, f32 least, struct err *e);
void match_tree_release(struct match_tree *t);

#endif
