/* SPDX-License-Identifier: MIT */
/* rank.h - do two measures put things in the same order? */
#ifndef FEATLAS_RANK_H
#define FEATLAS_RANK_H

#include "base/types.h"

/* Spearman's rank correlation: Pearson's of the ranks, those of equal values averaged.  Pairs with a NaN are
 * left out; *n_used (or NULL) gets how many are left.  NaN with fewer than three, or where one side is all equal.
 * Under no relation it is about normal with mean 0 and deviation 1 / sqrt(n - 1). */
f64 rank_correlation(const f64 *x, const f64 *y, size_t n, size_t *n_used);

#endif
