/* SPDX-License-Identifier: MIT */
/* runs.h - steering runs as they are kept: one object each, in labels.db and in an atlas' runs.jsonl.
 *
 * The object is what `featlas steer --json` prints, featlas-atlas(5).
 */
#ifndef FEATLAS_RUNS_H
#define FEATLAS_RUNS_H

#include "backend/steer.h"
#include "session/session.h"

/* What came of a request; NaN, NULL and RUNS_UNKNOWN are left out of the object. */
#define RUNS_UNKNOWN INT64_MIN
struct runs_result {
	const char *text[2]; /* baseline, steered */
	size_t n[2];
	i64 first_difference; /* token; -1: none */
	f64 change_over_norm, repeated_4grams;
	f64 loglik[2];        /* mean log-likelihood of a token, nats, under the unsteered model */
	const char *model, *warning;
	json_t *heat; /* borrowed */
};
/* Everything that makes the run, and its hash: a new reference, or NULL and *e. */
json_t *runs_json(struct session *s, const struct steer_request *q, const struct runs_result *r, struct err *e);
/* Into labels.db, by its hash. */
int runs_keep(struct session *s, const json_t *run, struct err *e);
/* Whether an object can be shown: its texts are there, its features are of this atlas. */
bool runs_is_sound(const struct atlas *a, const json_t *run);

struct runs_item {
	json_t *run;
	i64 when; /* seconds since 1970; 0: it came with the atlas */
};
struct runs {
	struct runs_item *items;
	size_t n;
};
/* All that are kept, the latest first, then those that came with the atlas; each hash once.  What is
 * damaged is left out.  Any thread that owns the note. */
int runs_load(struct note *note, const struct atlas *a, struct runs *out, struct err *e);
void runs_release(struct runs *r);
/* The only run whose hash begins so (4 digits at least); NULL and *e. */
const struct runs_item *runs_find(const struct runs *r, const char *hash, struct err *e);

const char *runs_where(const json_t *run); /* what was steered: "reply", "prompt", "prompt and reply" */
const char *runs_text(const json_t *run, const char *key); /* "" where there is none */
/* "#12 2x add if /x/ + #13 ablate" */
void runs_add_features(const json_t *run, struct buf *out);

/* The steered text's words on one line, blanks for newlines. */
void runs_add_words(const json_t *run, const char *key, struct buf *out);

/* One line a way in which the parameters of two runs differ: "seed  1  2". */
void runs_add_differences(const json_t *a, const json_t *b, struct buf *out);

#endif
