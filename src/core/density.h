/* SPDX-License-Identifier: MIT */
/* density.h - how many features fire how often. */
#ifndef FEATLAS_DENSITY_H
#define FEATLAS_DENSITY_H

#include "core/store.h"

enum { DENSITY_BINS = 16 };
#define DENSITY_LOWEST (-8.0) /* log10 of the first edge */
#define DENSITY_STEP 0.5

/* By log10 of the share of unmasked indexed tokens: bin i is from LOWEST + i STEP up to the next edge; what is
 * rarer than the first edge is in the first, what always fires in the last. */
struct density {
	u64 counts[DENSITY_BINS];
	u64 n_dead;    /* never fires: in no bin */
	u64 n_indexed; /* tokens that the densities come from */
	f64 median;    /* of the features that fire; NaN without one */
};

int density_measure(const struct store *s, u32 n_features, struct density *out, struct err *e);

#endif
