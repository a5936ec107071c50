/* SPDX-License-Identifier: MIT */
/* train_impl.h - a step's own; for train_step.c and train_grad.c only. */
#ifndef FEATLAS_TRAIN_IMPL_H
#define FEATLAS_TRAIN_IMPL_H

#include "core/train_select.h"
#include "core/train_step.h"

enum { FEATURES_A_TASK = 64, COLUMNS_A_TASK = 96, ROWS_A_TASK = 32 };

/* One active feature of one row, as its feature's gradient needs it. */
struct entries {	/* sorted by feature, then main before auxiliary, then row */
	size_t *start;	/* [F + 2] */
	u32 *x_row;	/* in xc */
	u32 *error_row; /* in error */
	f32 *act, *dz;
	size_t cap;
};

struct step {
	struct step_shape shape;
	struct pool *pool;
	struct step_params param, grad, moment[2];
	struct step_state state;
	f32 *threshold, *reach; /* [F] of now, and what z must exceed to matter; THRESHOLD only */
	struct encoder *encoder, *dead_encoder;
	struct selection main, aux;
	f32 *xc; /* [batch][d] x - b_dec */
	/* the loss by y_g for its part of the features, [prefixes n][d], then by the auxiliary sum */
	f32 *error;
	f64 *row_error, *row_nested, *row_aux;
	f32 *y; /* [threads][2][d] */
	struct entries entries;
	u32 *every;  /* 0, 1, 2, ...: an index of all rows or features */
	f32 *ones;   /* [batch] */
	f64 *square; /* [F] of a feature's gradients */
	/* of the call at hand */
	const f32 *x;
	size_t n, n_aux;
	const u32 *dead;
	size_t n_dead;
	bool backward;
	f32 least; /* the least that the batch kept */
	u64 active;
	f32 clip;
	struct {
		f64 rate;
		u64 t;
	} adam;
};

#endif
