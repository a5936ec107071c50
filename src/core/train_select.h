/* SPDX-License-Identifier: MIT */
/* train_select.h - which features are active on the rows of a batch.
 *
 * Values and choices are the encoder's (encoder.h): the same for any kernel and any number of
 * threads.
 */
#ifndef FEATLAS_TRAIN_SELECT_H
#define FEATLAS_TRAIN_SELECT_H

#include "core/encoder.h"

struct selection {
	struct encoder_out out; /* row after row, ids ascending until select_above */
	size_t *at;		/* [rows + 1] where a row begins in out */
	u32 *n;			/* [rows] its active features; those behind them are near a threshold only */
	f32 *dz;		/* beside out: the loss by z, for whoever computes it */
	size_t most_rows, n_rows, cap_dz;
	u64 *key;
	size_t cap_key;
};

int selection_init(struct selection *s, size_t most_rows, struct err *e);
void selection_release(struct selection *s);

/* What the cut says, row by row. */
int select_rows(struct selection *s, const struct encoder *c, struct pool *pool, const f32 *x, size_t n,
		const struct encoder_cut *cut, struct err *e);
/* The `total` largest above 0 of all rows together, ties by row and id; *least is the smallest of
 * them, or 0 where there is none.  guess: a number that few more than those exceed; it changes the
 * time, not the result. */
int select_batch(struct selection *s, const struct encoder *c, struct pool *pool, const f32 *x, size_t n, size_t total,
		 f32 guess, f32 *least, struct err *e);
/* Of each row those above threshold[f] become the active ones and come first, in order. */
void select_above(struct selection *s, struct pool *pool, const f32 *threshold);

#endif
