/* SPDX-License-Identifier: MIT */
/* explain.h - labels made by a chat endpoint, from contexts that no question is made of.
 *
 * Shown are up to 20 contexts of all strengths (evidence_is_shown), strongest first, with the tokens where the
 * feature fires marked, and the tokens it promotes.  A label is one line of at most 200 bytes.
 */
#ifndef FEATLAS_EXPLAIN_H
#define FEATLAS_EXPLAIN_H

#include "session/chat.h"
#include "session/session.h"

#define EXPLAIN_SOURCE "explain"
enum { EXPLAIN_TEXTS = 20, EXPLAIN_MOST = 200 };

struct explain_item {
	u32 feature;
	char *label;    /* owned; NULL: none came */
	bool no_texts;  /* it has no context to show */
};
/* On the pool's threads; as judge_all. */
int explain_all(const struct atlas *a, struct chat *c, struct explain_item *items, size_t n, struct pool *pool,
		struct progress *progress, struct err *e);
/* The request of a feature, or NULL where there is nothing to show. */
json_t *explain_request(const struct atlas *a, const struct chat *c, u32 feature, struct err *e);
/* Adds what came to the base of labels, as a machine's; a label of the same source and model is replaced. */
int explain_keep(const struct atlas *a, const char *model, const struct explain_item *items, size_t n, struct err *e);
/* Whether the base has a label of this source and model. */
bool explain_has(const struct atlas *a, u32 feature, const char *model);
/* An answer as a label: owned, or NULL where there is none in it. */
char *explain_clean(const char *text);

#endif
