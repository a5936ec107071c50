/* SPDX-License-Identifier: MIT */
/* train_step.h - one training step of a TopK dictionary: loss, gradients, Adam.
 *
 * For rows x of a batch of B, w and d the encoder and decoder rows of a feature:
 *   z = (x - b_dec) w + b_enc,  f = the k largest z, then ReLU,  y = b_dec + sum f d,
 *   loss = sum |x - y|^2 / (B var)
 *        + aux_weight * sum' |(x - y) - sum f' d|^2 / (B' var),
 * the auxiliary term (AuxK; Gao et al. 2024, appendix A.2) over the first B' = aux_rows rows
 * (rows come shuffled), f' the largest min(dead, d / 2) positive z among dead features, and
 * x - y taken as given there.  Only active features cost work beyond z itself: entries are
 * sorted by feature, each feature's gradient is summed by one task in the order of rows, so
 * that a step gives the same bits for any number of threads.
 */
#ifndef FEATLAS_TRAIN_STEP_H
#define FEATLAS_TRAIN_STEP_H

#include "base/err.h"
#include "base/pool.h"

struct step_shape {
	u32 d, n_features, k;
	u32 batch;    /* rows of a batch at most */
	u32 aux_rows; /* of these, rows that feel the auxiliary loss */
	f32 aux_weight;
	f32 var; /* mean of |x - mean|^2 */
};

/* Parameters, their gradients, or one of Adam's moments: views of one block. */
struct step_params {
	f32 *w_enc, *w_dec; /* [F][d] */
	f32 *b_enc;         /* [F] */
	f32 *b_dec;         /* [d] */
	f32 *block;
	size_t n; /* elements of the block */
};

struct step_loss {
	f64 error; /* sum of |x - y|^2 */
	f64 aux;   /* sum of the auxiliary squares */
	u64 active; /* f > 0 */
	size_t rows, aux_rows;
};

struct step;

struct step *step_new(const struct step_shape *shape, struct pool *pool /* borrowed */, struct err *e);
void step_free(struct step *s); /* NULL is fine */
const struct step_shape *step_shape(const struct step *s);
struct step_params *step_params(struct step *s);
struct step_params *step_grad(struct step *s);
struct step_params *step_moment(struct step *s, int which /* 1 or 2 */);

/* Random unit decoder rows, the encoder tied to them, biases zero, moments zero. */
void step_init(struct step *s, u64 seed);
/* Loss alone, n <= batch rows. */
void step_forward(struct step *s, const f32 *x, size_t n, struct step_loss *loss);
/* Loss and plain gradients.  dead: ids of dead features, ascending; fired [F] (or NULL) is set
 * to whether a feature was active. */
void step_gradients(struct step *s, const f32 *x, size_t n, const u32 *dead, size_t n_dead, bool *fired,
		    struct step_loss *loss);
/* Takes from each decoder row's gradient the part along the row, clips the norm of all
 * gradients to 1, one step of Adam (0.9, 0.999), decoder rows back to unit norm.  t counts
 * from 1.  Returns the norm before clipping. */
f64 step_update(struct step *s, f64 rate, u64 t);

#endif
