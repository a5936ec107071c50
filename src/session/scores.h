/* SPDX-License-Identifier: MIT */
/* scores.h - what a feature does to the live model's next token.
 *
 * Output score (Arad et al., EMNLP 2025): the prompt "From my experience,", at its last token
 * the feature raised by factor times the largest activation of any feature there; score =
 * (largest probability over the feature's lens tokens) x (1 - best rank of these / V), rank
 * 0 the likeliest.  The published factor is 10; which one works depends on the model, so several
 * are tried on a sample of features, and the score is also given at the smallest whose mean is nine tenths
 * of the largest: beyond it the model says nothing but the feature's tokens, whatever the feature.
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
#define SCORES_PUBLISHED_FACTOR 10.0
enum { SCORES_N_PROMPTS = 5, SCORES_MIN_WORDS = 4, SCORES_N_FACTORS = 8, SCORES_SAMPLE = 256 };
extern const char *const scores_prompts[SCORES_N_PROMPTS];
extern const f64 scores_factors[SCORES_N_FACTORS];

struct scores_place {
	struct backend *backend; /* connected */
	struct dict *dict;
	const char *hook;
	struct progress *progress;
};

enum scores_stage {
	SCORES_TOPIC,                                      /* one for each prompt */
	SCORES_SEARCH = SCORES_TOPIC + SCORES_N_PROMPTS,   /* of the factor */
	SCORES_OUTPUT, SCORES_TUNED, SCORES_DONE,
};

/* All of it, which can be stopped after any batch and taken up again: what has been done so far is what
 * stands below `so far`, and nothing else. */
struct scores_job {
	struct scores_place place;
	/* asked; borrowed */
	const u32 *words;    /* [F][n_words], UINT32_MAX after the last */
	const u32 *promoted; /* [F][n_promoted], UINT32_MAX where there is none; NULL: no output scores */
	u32 n_words, n_promoted;
	const f32 *max;      /* [F] */
	f64 strength, factor;
	/* After every batch; may write the state somewhere.  -1 ends the job. */
	int (*keep)(void *context, struct err *e);
	void *context;
	/* so far; buffers are the caller's: gain zeros, the others NaN at first */
	u32 stage, next;     /* enum scores_stage, the next feature in it */
	f32 *gain;           /* [F][n_words], summed over prompts */
	f32 *output, *tuned; /* [F]: at factor, at best_factor; NaN where a feature promotes no known token */
	f64 mean[SCORES_N_FACTORS], median[SCORES_N_FACTORS]; /* of the sample's scores, by factor */
	u32 n_sample;        /* features in it */
	f64 best_factor;
};

/* Which of scores_factors works, by the means there. */
int scores_choose_factor(const f64 mean[SCORES_N_FACTORS]);
/* Goes on until all is done or it is stopped: then -1, ERR_CANCELLED. */
int scores_run(struct scores_job *j, struct err *e);
/* The topic scores of a finished job: out [F]; NaN with too few words or for a feature that never fires. */
void scores_topic(const struct scores_job *j, f32 *out);

#endif
