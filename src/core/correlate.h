/* SPDX-License-Identifier: MIT */
/* correlate.h - how two lists of numbers go together.
 *
 * Pearson: sum (x - mx)(y - my) / sqrt(sum (x - mx)^2 sum (y - my)^2), in f64.
 * Spearman: Pearson of the ranks, equal numbers sharing the mean of theirs.
 * Both are NaN where there are fewer than two pairs or one list is all the same; neither takes a NaN.
 */
#ifndef FEATLAS_CORRELATE_H
#define FEATLAS_CORRELATE_H

#include "base/types.h"

f64 correlate_pearson(const f64 *x, const f64 *y, size_t n);
f64 correlate_spearman(const f64 *x, const f64 *y, size_t n);
/* Spearman's of the pairs without a NaN; *n_used (or NULL) gets how many they are.  NaN with fewer than three: two
 * always agree or disagree wholly. */
f64 correlate_spearman_known(const f64 *x, const f64 *y, size_t n, size_t *n_used);
/* Ranks from 1 on, the smallest first, ties shared: out [n].  No NaN in x. */
void correlate_ranks(const f64 *x, size_t n, f64 *out);

#endif
