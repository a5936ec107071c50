/* SPDX-License-Identifier: MIT */
/* probe.h - a dense linear probe: what all numbers of a row together tell, as a yardstick for single features.
 *
 * Ridge regression of 1 and -1 on the rows, each column less its mean and divided by its deviation + 1e-6 (both
 * of the training rows), with lambda = d / 2: with s = Z Z' the score of a row z is z Z' (s + lambda I)^-1 y.
 */
#ifndef FEATLAS_PROBE_H
#define FEATLAS_PROBE_H

#include "base/err.h"
#include "base/types.h"

/* Mean over folds (find.h deals them) of the AUROC on the fold of the probe made without it; NaN where no fold
 * has both kinds.  x: [n][d].  O(folds n^2 (n + d)). */
int probe_held_out(const f32 *x, const bool *positive, size_t n, u32 d, u32 folds, f32 *auroc, struct err *e);

#endif
