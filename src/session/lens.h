/* SPDX-License-Identifier: MIT */
/* lens.h - the logit lens: what each layer would say next, if it were the last.
 *
 * The row after layer L at a position takes the place of the last layer's row, and goes through the model's
 * own final norm and unembedding:
 *
 *	log p_L(token) = log softmax(unembed(norm(row_L)))
 *
 * At the last layer this is what the model does say.  A row is put there as it is (a `score` run of one token
 * whose last row is replaced), so that a final norm that is not quite indifferent to length is right too, and
 * what comes out are probabilities; the protocol's `lens` makes vectors equally long, takes the mean logit
 * off, and knows only the first k tokens.
 */
#ifndef FEATLAS_LENS_H
#define FEATLAS_LENS_H

#include "session/next.h"

/* The rows of a text after every layer, as far as a position. */
struct lens_rows {
	u32 *tokens; /* [n] */
	size_t n;
	u32 n_layers, d;
	f32 **rows; /* [n_layers], each [n][d] */
};
/* One request, of n_layers n d numbers.  On failure *out is empty. */
int lens_read(const struct live *p, const u32 *tokens, size_t n, struct lens_rows *out, struct err *e);
void lens_rows_release(struct lens_rows *r);

struct lens {
	u32 n_layers, k;
	u32 target;	  /* whose rank is followed */
	u32 *token;	  /* [n_layers][k], likeliest first */
	f32 *logp;	  /* [n_layers][k] */
	u32 *rank;	  /* [n_layers] of the target, from 1 */
	f32 *target_logp; /* [n_layers] */
};
/* At one position.  target: a token, or NO_TOKEN for the last layer's likeliest.  A few requests; on failure
 * *out is empty. */
int lens_at(const struct live *p, const struct lens_rows *r, size_t position, u32 target, u32 k,
	    struct lens *out, struct err *e);
void lens_release(struct lens *x);
/* The first layer from which on the target stays the likeliest, or n_layers. */
u32 lens_settled(const struct lens *x);

#endif
