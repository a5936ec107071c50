/* SPDX-License-Identifier: MIT */
/* coherence.h - do neighbours agree more than chance?
 *
 * Each item has two sets of words, left and right (they may be the same).  The agreement of a pair (i, j) is
 * |L_i & R_j| / |L_i | R_j| (Jaccard), the measure its mean over all pairs.  Chance: the sets are dealt anew to
 * the items by a seeded permutation and the pairs stay as they are, so often; z is how many standard
 * deviations of these the observed mean lies above theirs.
 * Items with an empty set, and pairs with such an item, are left out, of the permutations too.
 */
#ifndef FEATLAS_COHERENCE_H
#define FEATLAS_COHERENCE_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"

struct word_sets {
	u64 *start; /* [n + 1] */
	u32 *word;  /* each item's ascending, none twice */
};
struct coherence_pair { u32 from, to; };

struct coherence {
	u32 n_items;  /* with both sets */
	u64 n_pairs;
	u32 n_shuffles;
	f64 observed, mean, sd, z; /* NaN where there is no pair; z also where sd is 0 */
};

/* The permutations depend on seed, the number of items and nothing else.  Memory beside the sets: O(n + pairs).
 * progress counts shuffles and cancels. */
int coherence_measure(const struct word_sets *left, const struct word_sets *right, u32 n,
		      const struct coherence_pair *pairs, u64 n_pairs, u64 seed, u32 n_shuffles, struct pool *pool,
		      struct progress *progress, struct coherence *out, struct err *e);

#endif
