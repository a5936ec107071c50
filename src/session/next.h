/* SPDX-License-Identifier: MIT */
/* next.h - what the live model says next: the whole vocabulary, and which token a text is. */
#ifndef FEATLAS_NEXT_H
#define FEATLAS_NEXT_H

#include "session/session.h"

#define NO_TOKEN UINT32_MAX

/* Where a measurement is made.  pool may be NULL: a job of the screens must not use the session's. */
struct live {
	struct backend *backend; /* connected */
	const struct atlas *atlas;
	struct pool *pool;
	struct progress *progress; /* or NULL */
};

/* Log-probabilities of all tokens after each run: out [n_runs][n_vocab].  The runs' want_tokens are set by
 * this; one request. */
int next_all(const struct live *p, struct run *runs, size_t n_runs, f32 *out, struct err *e);
/* The k likeliest (at most n), best first, ties by id; what is beyond n becomes NO_TOKEN and -INFINITY. */
void next_top(const f32 *logp, u32 n, u32 k, u32 *token, f32 *value);
/* Place of a token, from 1: how many are likelier, and one. */
u32 next_rank(const f32 *logp, u32 n, u32 token);

/* The one token that a text is; a text of several is refused with its pieces named.  One or two requests. */
int next_token(struct backend *b, const struct atlas *a, const char *text, u32 *token, struct err *e);
/* Gives an atlas without a vocabulary the live model's.  Main thread, with no job at work. */
int next_need_words(struct session *s, struct backend *b, struct err *e);
/* A token as it is said in a sentence: in double quotes, safe for a terminal. */
void next_add_token(const struct atlas *a, struct buf *out, u32 token);

#endif
