/* SPDX-License-Identifier: MIT */
/* concept.h - the feature for a concept: texts of it and others, read by the live model, features ranked.
 *
 * Three kinds of texts: those of the concept, others, and texts on which the feature may not fire at all.  How
 * features are ranked and judged: core/find.h.  A text is read once; what is added later is read then.
 * One thread at a time.
 */
#ifndef FEATLAS_CONCEPT_H
#define FEATLAS_CONCEPT_H

#include "core/find.h"
#include "session/session.h"

enum concept_kind { CONCEPT_POSITIVE, CONCEPT_NEGATIVE, CONCEPT_NOT, N_CONCEPT_KINDS };
enum { CONCEPT_MOST_TEXTS = 100000, CONCEPT_MOST_LINE = 1 << 20 };

struct concept_text {
	char *text;
	enum concept_kind kind;
	bool read;
	struct find_text found;
};

struct concept {
	struct concept_text *text;
	size_t n, count[N_CONCEPT_KINDS];
};

void concept_release(struct concept *c);
void concept_copy(const struct concept *c, struct concept *out);
int concept_add(struct concept *c, enum concept_kind kind, const char *text, size_t n, struct err *e);
void concept_remove(struct concept *c, size_t i);
void concept_forget(struct concept *c); /* what has been read: the template, say, has changed */
/* A line a text, plain or {"text": ...}; blank lines are passed over.  In a file of positive texts a line with
 * "positive": false is a negative one, so that one file may hold a concept. */
int concept_add_file(struct concept *c, enum concept_kind kind, const char *path, struct err *e);

struct concept_place {
	struct atlas *atlas;
	struct pool *pool;       /* or NULL */
	struct backend *backend; /* connected */
	bool chat;
	enum find_value value;   /* what a text is worth for a feature */
	struct progress *progress;
};
/* Reads what has not been read. */
int concept_read(struct concept *c, const struct concept_place *p, struct err *e);

struct concept_result {
	struct find_score *best; /* [n], best first; owned */
	size_t n;
	i64 n_features;          /* that fire, are not barred and pass the filter */
	u64 n_barred;            /* features that fire on a text of CONCEPT_NOT */
	struct find_held_out held_out;
};
/* Of texts that have been read.  Where no others were given, those of CONCEPT_NOT stand in for them. */
int concept_rank(const struct concept *c, u32 n_features, struct pool *pool, const struct find_filter *filter, u32 folds,
		 size_t cap, struct concept_result *out, struct err *e);
void concept_result_release(struct concept_result *r);

/* Gives the features a tag, those that have it keep it. */
int concept_tag(struct session *s, const struct concept_result *r, const char *tag, struct err *e);

#endif
