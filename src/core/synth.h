/* SPDX-License-Identifier: MIT */
/* synth.h - made-up atlases of any size, for tests and benchmarks.
 *
 * Labels are phrases over a vocabulary whose words are as frequent as their rank says (Zipf),
 * about 40 bytes each, one in fifty with letters beyond ASCII.  Decoder rows are of length 1
 * and stand in clusters of about 64, whose features share a topic in their labels and fire in
 * the same texts; densities spread over three and a half decades, one feature in fifty is dead.
 *
 * Everything is a function of (seed, feature), so files are the same for any number of
 * threads; they are streamed, in memory that grows by 8 bytes for 16,384 features.
 */
#ifndef FEATLAS_SYNTH_H
#define FEATLAS_SYNTH_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"

struct synth_options {
	u32 n_features, d;
	u64 seed;
	bool labels_only; /* no vocabulary and no store; the dictionary is there all the same */
};

/* Writes an atlas into a folder that is there. */
int synth_write(const char *folder, const struct synth_options *o, struct pool *pool, struct progress *progress,
		struct err *e);

enum { SYNTH_LABEL_MAX = 192 };
/* The label of a feature; returns its length.  No newline, valid UTF-8. */
size_t synth_label(u64 seed, u32 n_features, u32 feature, char out[SYNTH_LABEL_MAX]);

#endif
