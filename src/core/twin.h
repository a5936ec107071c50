/* SPDX-License-Identifier: MIT */
/* twin.h - of the features about one thing, which detects it best and which writes it best.
 *
 * Alike are: a stored neighbour that shares two topic words, and, in atlases of at most TWIN_SCAN
 * features, any that shares a third of the topic words (three at least).  A feature that has fewer than
 * three topic words has neighbours of cosine 0.3 instead.  Itself is among them.  Of these the writer has the
 * largest topic score, the detector the largest input score; ties go to the feature itself, then to the
 * lower id.  A pass over the topic words of all features where they are few enough: 0.3 ms for 8,192.
 */
#ifndef FEATLAS_TWIN_H
#define FEATLAS_TWIN_H

#include "core/atlas.h"

enum { TWIN_SCAN = 65536 };
#define TWIN_WRITES 0.005f /* a topic score below it: the feature only detects */

struct twins {
	bool known;                /* the feature's topic score is */
	bool only_detects;         /* and is below TWIN_WRITES */
	u32 writer, detector;      /* NO_FEATURE where no score is known; the writer also where none writes */
	f32 writes, detects;       /* theirs */
	u32 writer_words, detector_words; /* topic words shared */
};

void twin_find(const struct atlas *a, u32 feature, struct twins *out);

#endif
