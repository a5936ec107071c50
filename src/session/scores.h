/* SPDX-License-Identifier: MIT */
/* scores.h - what a feature does to the live model's next token.
 *
 * Output score (Arad et al., EMNLP 2025): the prompt "From my experience,", at its last token
 * the feature raised by factor times the largest activation of any feature there; score =
 * (largest probability over the feature's lens tokens) x (1 - best rank of these / V), rank
 * 0 the likeliest.
 * Topic score: gain of the next-token probability of a feature's topic words, summed over all
 * but the one that gains most, when strength times its maximum is added at the last token,
 * mean over neutral prompts.  Without that one word because a feature that completes a phrase
 * ("of" before "course") would else lead every list; for the same reason there is no score
 * with fewer than four words.
 * Each feature is a column of a batch.
 */
#ifndef FEATLAS_SCORES_H
#define FEATLAS_SCORES_H

#include "backend/backend.h"
#include "core/dict.h"

#define SCORES_OUTPUT_PROMPT "From my experience,"
enum { SCORES_N_PROMPTS = 5, SCORES_MIN_WORDS = 4 };
extern const char *const scores_prompts[SCORES_N_PROMPTS];

struct scores_place {
	struct backend *backend;
	struct dict *dict;
	const char *hook;
	struct progress *progress;
};

/* tokens: [F][k], UINT32_MAX where there is none; out [F] gets NaN where a feature has none. */
int scores_output(const struct scores_place *p, const u32 *tokens, u32 k, f64 factor, f32 *out, struct err *e);
/* words: [F][k], UINT32_MAX after the last; max: [F].  NaN with too few words or for a
 * feature that never fires. */
int scores_topic(const struct scores_place *p, const u32 *words, u32 k, const f32 *max, f64 strength, f32 *out,
		 struct err *e);

#endif
