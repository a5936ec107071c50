/* SPDX-License-Identifier: MIT */
/* agree.h - neighbour coherence of an atlas: do stored neighbours have more words in common than chance?
 *
 * Four kinds of words (core/coherence.h has the measure):
 *   labels    of the label shown: runs of letters, at least four, in lower case
 *   written   the same where the label is by a person or a model, not lexical
 *   topic     the topic words of scores.safetensors
 *   contexts  content tokens (core/topic.h) within 12 tokens of the 25 strongest contexts: left those in texts of
 *             even number, right of odd, so that no pair agrees by having the same passage
 * Of large atlases so many features are drawn, each with all its neighbours.
 */
#ifndef FEATLAS_AGREE_H
#define FEATLAS_AGREE_H

#include "core/coherence.h"
#include "session/session.h"

enum agree_kind { AGREE_LABELS, AGREE_WRITTEN, AGREE_TOPIC, AGREE_CONTEXTS, N_AGREE };
extern const char *const agree_names[N_AGREE];

enum { AGREE_FEATURES = 8192, AGREE_SHUFFLES = 100 };

/* Needs the graph: ERR_UNAVAILABLE with the remedy.  A kind whose part is missing has no pairs. */
int agree_measure(struct session *s, u64 seed, struct progress *progress, struct coherence out[N_AGREE], struct err *e);

#endif
