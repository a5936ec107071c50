/* SPDX-License-Identifier: MIT */
/* suite_rank.h - which single feature knows a concept of a suite, and how well.
 *
 * Features are chosen on the texts of the concept's main language (core/find.h); held out means the choice was
 * made without the texts it is judged on.  The other languages are judged with the feature that was chosen on
 * the main one, so these are held out too.
 */
#ifndef FEATLAS_SUITE_RANK_H
#define FEATLAS_SUITE_RANK_H

#include "core/find.h"
#include "session/session.h"
#include "session/suite.h"

enum { SUITE_TOP = 8 };
#define SUITE_GOOD 0.9f /* AUROC that counts as knowing a concept */

struct suite_options {
	bool chat;             /* as a user's message; else plain */
	enum find_value value;
	u32 folds;
};

struct suite_language {
	char code[SUITE_LANGUAGE];
	u32 n_positive, n_negative;
	f32 auroc; /* of the best feature; NaN without both kinds */
};

struct suite_result {
	const struct suite_concept *concept; /* borrowed */
	u32 n_positive, n_negative;          /* of the main language */
	struct find_score top[SUITE_TOP];  /* chosen on all of these, best first */
	size_t n_top;                        /* 0: nothing fires */
	struct find_held_out held_out;
	f32 dense;                           /* held out, of a linear probe on the mean of the rows (core/probe.h) */
	struct suite_language languages[SUITE_MAX_LANGUAGES]; /* the others */
	size_t n_languages;
};

/* out [suite->n].  b: as suite_rows_read has it. */
int suite_rank(struct session *s, struct backend *b, const struct suite *suite, const struct suite_options *o,
		 struct suite_result *out, struct progress *progress, struct err *e);
/* Other languages in which the feature has SUITE_GOOD. */
size_t suite_languages_good(const struct suite_result *r);

#endif
