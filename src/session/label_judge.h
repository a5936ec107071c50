/* SPDX-License-Identifier: MIT */
/* label_judge.h - labels judged by a machine: by a chat endpoint, or by their own words.
 *
 * detection and fuzzing ask a chat endpoint about five texts at a time (core/evidence.h says of which); lexical
 * says yes where a word of the label stands in the text, topic where one of the feature's topic words does.
 * A request that fails, or whose answer is no list of the right length, leaves its texts unjudged: that is no
 * wrong answer.
 */
#ifndef FEATLAS_LABEL_JUDGE_H
#define FEATLAS_LABEL_JUDGE_H

#include "core/judged.h"
#include "session/chat.h"
#include "session/session.h"

enum judge_method { JUDGE_DETECTION, JUDGE_FUZZING, JUDGE_LEXICAL, JUDGE_TOPIC, N_JUDGE_METHODS };
extern const char *const judge_methods[N_JUDGE_METHODS];
enum { JUDGE_AT_ONCE = 5, JUDGE_FIRES = 10, JUDGE_OTHER = 5, JUDGE_NEAR = 5 };

enum judge_state { JUDGE_WAITING, JUDGE_DONE, JUDGE_FAILED, JUDGE_NO_TEXTS /* too few to ask about */ };

struct judge_item {
	u32 feature;
	char *label; /* owned */
	enum label_kind kind;
	enum judge_state state;
	bool kept;   /* was judged before, in the same way, and stands in the atlas */
	struct evidence_score score;
};

struct judge {
	const struct atlas *atlas;
	enum judge_method method;
	struct evidence_ask ask; /* fuzzing is set by the method */
	struct chat *chat;       /* detection, fuzzing */
	struct progress *progress;
};

struct judged_method judge_method_of(const struct judge *j);
/* What the atlas has of this label by this method; false if nothing, or not all of it was judged. */
bool judge_find(const struct judge *j, struct judge_item *x);
/* Judges the items that wait, on the pool's threads.  -1 only where nothing can be asked at all, or
 * when it was cancelled; what was done until then is in the items. */
int judge_all(struct judge *j, struct judge_item *items, size_t n, struct pool *pool, struct err *e);
/* Calls send with each request that judging the item would send. */
int judge_requests(struct judge *j, const struct judge_item *x, void (*send)(void *context, json_t *body), void *context,
		   struct err *e);
/* Puts what was judged into the atlas' part `evidence`, in place of what it has of the same labels and method. */
int judge_keep(const struct judge *j, const struct judge_item *items, size_t n, struct err *e);

#endif
