/* SPDX-License-Identifier: MIT */
/* train_step.h - one training step of a dictionary: loss, gradients, Adam.
 *
 * For rows x of a batch of B, w and d the encoder and decoder rows of a feature:
 *   z = (x - b_dec) w + b_enc, of which some are active, f = z, and all others 0,
 *   y_g = b_dec + the sum of f d over the features below m_g, m_1 < ... < m_G = F,
 *   loss = sum over g of |x - y_g|^2 / (B var G)
 *        + aux_weight * sum' |(x - y_G) - sum f' d|^2 / (B' var)
 *        + penalty * the active features of a row.
 * What is active, always of z > 0:
 *   ROW        the k largest of each row (TopK; Gao et al. 2024);
 *   BATCH      the k B largest of the batch (BatchTopK; Bussmann et al. 2024), afterwards what is
 *              above `threshold`, the running mean of the least that a batch kept;
 *   THRESHOLD  what is above a threshold t of the feature's own (JumpReLU; Rajamanoharan et al. 2024),
 *              which is learned as log t.  The loss has no slope there; with a bandwidth h,
 *                df/dt = -t / h and d[f > 0]/dt = -1 / h where |z - t| < h / 2, and 0 elsewhere,
 *              stand in for it.  The penalty is raised while more than k are active, and lowered while
 *              fewer are; it is there with this choice only.
 * G > 1 is Matryoshka (Bussmann et al. 2025): m_g = F (2^g - 1) / 2^G, so that each part is about twice
 * as large as the one before it.  The paper sums over g; the mean differs by a factor.
 *
 * The auxiliary term (AuxK; Gao et al. 2024, appendix A.2) is over the first B' = aux_rows rows
 * (rows come shuffled), f' the largest min(dead, d / 2) positive z among dead features, and
 * x - y_G taken as given there.  Only active features cost work beyond z itself: entries are
 * sorted by feature, each feature's gradient is summed by one task in the order of rows, so
 * that a step gives the same bits for any number of threads and any kernel.
 */
#ifndef FEATLAS_TRAIN_STEP_H
#define FEATLAS_TRAIN_STEP_H

#include "base/err.h"
#include "base/pool.h"

enum step_choice { CHOICE_ROW, CHOICE_BATCH, CHOICE_THRESHOLD };
enum { STEP_MOST_PREFIXES = 8 };

struct step_shape {
	u32 d, n_features, k;
	u32 batch;    /* rows of a batch at most */
	u32 aux_rows; /* of these, rows that feel the auxiliary loss */
	f32 aux_weight;
	f32 var; /* mean of |x - mean|^2 */
	enum step_choice choice;
	u32 prefixes;  /* G; 0 is 1 */
	f32 bandwidth; /* h */
};

/* Parameters, their gradients, or one of Adam's moments: views of one block. */
struct step_params {
	f32 *w_enc, *w_dec; /* [F][d] */
	f32 *b_enc;         /* [F] */
	f32 *b_dec;         /* [d] */
	f32 *log_threshold; /* [F], or NULL: not learned */
	f32 *block;
	size_t n; /* elements of the block */
};

/* What a step moves beside its parameters. */
struct step_state {
	f64 threshold; /* BATCH */
	f64 penalty;   /* THRESHOLD */
};

struct step_loss {
	f64 error;  /* sum of |x - y_G|^2 */
	f64 nested; /* sum of the mean over g of |x - y_g|^2 */
	f64 aux;    /* sum of the auxiliary squares */
	u64 active; /* f > 0 */
	size_t rows, aux_rows;
};

struct step;

struct step *step_new(const struct step_shape *shape, struct pool *pool /* borrowed */, struct err *e);
void step_free(struct step *s); /* NULL is fine */
struct step_params *step_params(struct step *s);
struct step_params *step_grad(struct step *s);
struct step_params *step_moment(struct step *s, int which /* 1 or 2 */);
struct step_state *step_state(struct step *s);
/* m_g, g from 1 to G. */
u32 step_prefix(const struct step_shape *shape, u32 g);

/* Random unit decoder rows, the encoder tied to them, biases zero, thresholds 1, moments zero. */
void step_init(struct step *s, u64 seed);
/* Thresholds at which the rows have k active features each in the mean, and a penalty to match: what
 * a feature just above its threshold takes off the loss.  Nothing with ROW. */
int step_fit(struct step *s, const f32 *x, size_t n, struct err *e);
/* Loss alone, n <= batch rows; with BATCH, what is above the threshold is active. */
int step_forward(struct step *s, const f32 *x, size_t n, struct step_loss *loss, struct err *e);
/* Loss and plain gradients.  dead: ids of dead features, ascending; fired [F] (or NULL) is set
 * to whether a feature was active. */
int step_gradients(struct step *s, const f32 *x, size_t n, const u32 *dead, size_t n_dead, bool *fired,
		   struct step_loss *loss, struct err *e);
/* Takes from each decoder row's gradient the part along the row, clips the norm of all
 * gradients to 1, one step of Adam (0.9, 0.999), ten times as fast for thresholds, decoder rows back to
 * unit norm; moves the state.  t
 * counts from 1.  Returns the norm before clipping. */
f64 step_update(struct step *s, f64 rate, u64 t);

#endif
