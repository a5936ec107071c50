/* SPDX-License-Identifier: MIT */
/* quiz.h - a person judges a label: which of ten contexts belong to it?
 *
 * Four to six of the ten activate the feature (how many is not told), half of the others are its neighbours'
 * contexts; see core/evidence.h.  What the answers came to is kept in labels.db.
 */
#ifndef FEATLAS_QUIZ_H
#define FEATLAS_QUIZ_H

#include "core/evidence.h"
#include "session/session.h"

enum { QUIZ_TEXTS = 10 };

struct quiz {
	u32 feature;
	char *label; /* owned; the one that was shown when it was made */
	struct evidence_ask ask;
	struct evidence_question question[EVIDENCE_MOST];
	size_t n;
};

/* ERR_NOT_FOUND where the feature has no label. */
struct quiz *quiz_new(struct session *s, u32 feature, bool fuzzing, u64 seed, struct err *e);
void quiz_free(struct quiz *q); /* NULL is fine */
const char *quiz_method(const struct quiz *q);
/* yes [n]: those that belong.  On disk when it returns. */
int quiz_keep(struct session *s, const struct quiz *q, const u8 *answer, struct evidence_score *score, struct err *e);

/* What is kept of a score, the same for people and machines: accuracy, balanced_accuracy, precision, recall, f1,
 * fires, silent, neighbours {asked, right}, levels [[asked, right], ...] from the weakest, assumed, unjudged. */
json_t *evidence_json(const struct evidence_score *s);
/* The balanced accuracy of what was kept, and of which label (owned, or label NULL); false if there is none.
 * method NULL: by detection, else by fuzzing. */
bool quiz_kept(struct session *s, u32 feature, const char *method, f32 *balanced, char **label);

#endif
