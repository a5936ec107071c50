/* SPDX-License-Identifier: MIT */
/* suite_steer.h - does one feature make the model write about a concept, by the rule of hit.h?
 *
 * Choosing, on seeds 1 to 10.  Candidates: the features that know the concept best (suite_rank.h), and those
 * whose topic words hold words of the concept's list, the best writers among them first.  A feature is added on
 * prompt and reply.  Round 1: every candidate at 1.5 and 2 times its maximum, five seeds, one prompt, short
 * replies; the two with most hits, then most listed words, go on if they have any to speak of.  Round 2: these at
 * five strengths from 1 to 2, six seeds, whole replies; the second only where the first hits in less than five.
 * Round 3: the three best of feature and strength after two more prompts, ten seeds, until one hits in nine of ten
 * texts, all but the first with two hits or more; the one with most hits in rounds 2 and 3 is chosen.
 * Judging, on seeds 21 to 30 and three other prompts: the choice, the unsteered model, and a random
 * direction of the same norm.  (Seeds 11 to 20 judged an earlier choice, made on half as long replies.)
 * Both go on where they stopped: what stands in the tables is not done again, a concept's first round
 * neither when its list of words has changed since, unless nothing of it goes on.
 */
#ifndef FEATLAS_SUITE_STEER_H
#define FEATLAS_SUITE_STEER_H

#include "session/suite_rank.h"
#include "session/steer_tables.h"

enum { SUITE_CANDIDATES = 8, SUITE_SCREEN_TOKENS = 60, SUITE_TOKENS = 120, SUITE_SEEDS = 10 };
#define SUITE_TEMPERATURE 0.7f

struct suite_steer {
	struct session *s;
	struct backend *b;            /* connected */
	const struct suite *suite;
	const struct suite_result *results; /* [suite->n]; for choosing */
	struct steer_tables *tables;
	bool plain;                   /* prompts without the chat template */
	struct progress *progress;    /* counts generated tokens of the concept at hand */
	/* A concept is done, and written.  choice or figure is NULL.  May be NULL. */
	void (*say)(void *context, const struct suite_concept *c, const struct steer_choice *choice,
		    const struct steer_figure *figure);
	/* Each text that is judged, or tried (it has a round), as one JSON object (borrowed).  May be NULL. */
	void (*text)(void *context, const json_t *o);
	void *context;
};

int suite_steer_choose(struct suite_steer *c, struct err *e);
/* Of the concepts that have a choice. */
int suite_steer_judge(struct suite_steer *c, struct err *e);

/* The features to try: at most SUITE_CANDIDATES, each once. */
size_t suite_candidates(struct session *s, const struct suite_concept *c, const struct suite_result *r,
			  u32 out[SUITE_CANDIDATES]);

#endif
