/* SPDX-License-Identifier: MIT */
/* cooc.h - features that fire on the same tokens, counted in the store's activations.
 *
 * With a and b the numbers of tokens on which two features fire, ab of those on which both do,
 * and N of all unmasked tokens indexed:
 *   Jaccard = ab / (a + b - ab),
 *   NPMI = ln(p_ab / (p_a p_b)) / -ln p_ab, p_x = x / N (Bouma 2009), 1 where p_ab is 1.
 * Pairs that never fire together have no place in a list.  One pass over all activations; nothing
 * is kept of it.
 */
#ifndef FEATLAS_COOC_H
#define FEATLAS_COOC_H

#include "base/pool.h"
#include "base/progress.h"
#include "core/store.h"

enum cooc_measure { COOC_JACCARD, COOC_NPMI };

struct cooc {
	u32 id;
	u64 both; /* tokens */
	f64 score;
};

/* The at most k others that lead by the measure, ties by id, of those that share least_both tokens or more.
 * Returns how many, or -1: ERR_UNAVAILABLE where the store keeps examples only. */
i64 cooc_near(const struct store *s, u32 n_features, u32 feature, enum cooc_measure by, u64 least_both, size_t k,
	      struct cooc *out, struct pool *pool, struct progress *progress, struct err *e);

#endif
