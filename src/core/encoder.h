/* SPDX-License-Identifier: MIT */
/* encoder.h - the features that lead on rows, for many rows at a time.
 *
 * Weights are kept as bf16 in panels for the kernels, and as f32 by feature.  A kernel's product
 * is off by at most e = |x| off_f + |x - x'| |w'_f| and what kernel.h says of additions, so that a
 * feature whose product is e below the k-th cannot be among the k; the others, few more than k,
 * are computed anew as vec_dot(x, w_f) + b_f, which decides and is given.  So results are the
 * same for any kernel and any number of threads or rows at a time.
 *
 * Memory: 6 bytes a weight, 2 of them where the caller keeps the others.  Cost: 2 F d operations of the fastest kind a row.
 */
#ifndef FEATLAS_ENCODER_H
#define FEATLAS_ENCODER_H

#include "base/err.h"
#include "base/pool.h"

struct encoder;
struct kernel;

struct encoder_source {
	size_t n_features, d;
	/* Weights of features first .. first + n, at most ENCODER_BLOCK, as f32 [n][d]; any thread. */
	int (*rows)(void *context, u32 first, u32 n, f32 *out, struct err *e);
	void *context;
	const f32 *bias; /* [F], borrowed while it is made; NULL: zeros */
};
enum { ENCODER_BLOCK = 256 };

struct encoder *encoder_new(const struct encoder_source *s, struct pool *pool, struct err *e);
void encoder_free(struct encoder *c); /* NULL is fine */

/* For weights that change: room for n_features, none of them there until encoder_take, which
 * takes the values of now.  weight and bias are borrowed until the next take; with id, feature f is
 * their row id[f].  Memory: 2 bytes a weight.  The pool of encoder_take has no more threads. */
struct encoder_weights {
	const f32 *weight; /* [][d] */
	const f32 *bias;   /* or NULL: zeros */
	const u32 *id;	   /* [n] or NULL */
	size_t n;
};
struct encoder *encoder_room(size_t n_features, size_t d, struct pool *pool, struct err *e);
void encoder_take(struct encoder *c, const struct encoder_weights *w, struct pool *pool);

/* What is active: of p = x . w + b the k largest above 0 (k 0: all), above least and above least_of[f]. */
struct encoder_cut {
	size_t k;
	f32 least;	     /* not below 0; for k 0 only */
	const f32 *least_of; /* [F] or NULL; for k 0 only */
};

/* Row after row: how many are active, and in one list their ids, ascending within a row, and p. */
struct encoder_out {
	u32 *row_n; /* [n] */
	u32 *id;
	f32 *act;
	size_t n, cap;
};
void encoder_out_release(struct encoder_out *o);
/* x [n][d]; o is filled anew; kernel NULL: the best here.  One caller a pool at a time. */
int encoder_run(const struct encoder *c, const struct kernel *kernel, struct pool *pool, const f32 *x, size_t n,
		const struct encoder_cut *cut, struct encoder_out *o, struct err *e);

#endif
