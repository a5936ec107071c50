/* SPDX-License-Identifier: MIT */
/* query.h - the query language: which features, by labels, numbers and what people did.
 *
 *	query = and { "or" and };  and = not { ["and"] not };  not = [ "not" | "-" ] term
 *	term  = "(" query ")" | /regex/ | word | "text" | key:value
 *
 * A bare word, a "text" and /regex/ are regular expressions over labels (in /.../ a slash is
 * \/).  Values are words, "texts" or /regexes/; numbers are `<1e-4`, `>=3`, `2..5`, `7`, or
 * several of them with commas.  The keys stand in query_keys.
 */
#ifndef FEATLAS_QUERY_H
#define FEATLAS_QUERY_H

#include "core/atlas.h"
#include "core/note.h"
#include "core/search.h"

struct query;

/* *column (or NULL) gets the byte where it went wrong, from 0; the message names it from 1. */
struct query *query_parse(const char *text, enum search_case c, size_t *column, struct err *e);
void query_free(struct query *q); /* NULL is fine */

/* For completion and the manual; ends with a NULL name. */
struct query_key {
	const char *name, *value, *help; /* "density", "<N", "share of tokens where it fires" */
};
extern const struct query_key query_keys[];
extern const char *const query_states[]; /* the words of is:, NULL at the end */

struct query_world {
	const struct atlas *atlas;
	struct note *note;           /* or NULL; used by the calling thread only */
	struct pool *pool;           /* or NULL */
	const struct label *people;  /* what people wrote */
	size_t n_people;
	const u64 *hidden;           /* rejected features, or NULL */
	const u64 *marked;           /* bit set of the rows marked on screen, or NULL */
	/* Sets the bit of every feature that fires on a text; NULL where no model can be asked. */
	int (*fires)(void *context, const char *text, u64 *bits, struct err *e);
	void *fires_context;
};
/* Fills r (see search.h).  A term that needs a missing part fails with the remedy. */
int query_run(const struct query *q, const struct query_world *w, struct search_result *r, struct progress *progress,
	      struct err *e);

#endif
