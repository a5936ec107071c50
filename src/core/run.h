/* SPDX-License-Identifier: MIT */
/* run.h - what is asked of a live model: runs, their interventions, and the arithmetic.
 *
 * Shared by the client (backend) and the modules, so that a clamp is the same sum in every
 * module.  Vectors are borrowed.  d is the width of the residual stream.  Notation as in
 * featlas-atlas(5): x a residual row, d_i a decoder row, w_i an encoder vector, p the
 * pre-activation, f the activation.
 */
#ifndef FEATLAS_RUN_H
#define FEATLAS_RUN_H

#include "base/err.h"

/* Interventions carry vectors, not features.  Several at one hook all read the unmodified x
 * and their changes are summed; orthogonal and cap come after the sum, each reading what the
 * one before it in the list left.  u is d at length 1. */
enum intervention_kind {
	INTERVENE_ADD,     /* x + c d */
	INTERVENE_CLAMP,   /* x + (c - f) d; ablate is a clamp to 0 */
	INTERVENE_SCALE,   /* x + (s - 1) f d */
	INTERVENE_PIN,     /* x + (c - p) / (w.d) d, so that p = c exactly */
	INTERVENE_REPLACE, /* the given row instead of x */
	INTERVENE_ORTHOGONAL, /* x + (c - 1) (u.x) u: the part along d is scaled by c, 0 takes it away */
	INTERVENE_CAP,     /* x - (u.x - c) u where u.x > c: the part along d is brought down to c */
	N_INTERVENTION_KINDS,
};
extern const char *const intervention_kinds[N_INTERVENTION_KINDS]; /* "add", as in featlas-backend(7) */
enum intervention_where { WHERE_REPLY, WHERE_PROMPT, WHERE_BOTH };
#define NO_FEATURE UINT32_MAX

/* Holds at a token where f of the row as it came is above an amount. */
struct run_condition {
	const f32 *encoder;  /* [d]; NULL: always */
	f32 bias, threshold; /* as of an intervention */
	u32 feature;         /* of a TopK dictionary: id in the loaded encoder, else NO_FEATURE */
	f32 above;
};

struct intervention {
	enum intervention_kind kind;
	const char *hook;
	const f32 *direction; /* [d] decoder row; all but replace */
	f32 amount;           /* add: c; clamp: target; scale: s; pin: target; orthogonal, cap: c */
	const f32 *encoder;   /* [d] clamp, scale, pin: encoder vector */
	f32 bias;             /* encoder bias, b_dec folded in: p = w.x + bias */
	f32 threshold;        /* f = p where p > threshold and p > 0, else 0 (ReLU: 0) */
	u32 feature; /* clamp, scale of a TopK dictionary: id in the loaded encoder, else NO_FEATURE */
	const f32 *rows;      /* replace: [n_rows][d]; a row that begins with NaN is left alone */
	size_t n_rows;        /* tokens from n_rows on are left alone */
	enum intervention_where where; /* not for replace, whose rows say it */
	struct run_condition when;     /* only where it holds; all zero: always */
	bool off;                      /* touches nothing, until an update turns it on */
};

struct run {
	const char *name;                 /* "baseline" */
	const u32 *tokens;                /* prompt (generate) or whole text (score) */
	const u8 *flags; /* [n_tokens] enum token_flag; masked tokens are not steered; may be NULL */
	size_t n_tokens;
	size_t n_prompt; /* score: tokens before this one are not judged; generate: not used */
	const struct intervention *list;
	size_t n_list;
	u64 seed;
	const u32 *want_tokens;           /* score: log-probabilities of these after the last position */
	size_t n_want;
	bool paced;                       /* generate: no token before the reader of the last one has said so */
};

struct generate_options {
	u32 n_tokens;      /* at most so many; 60 */
	f32 temperature;   /* 0: greedy */
	u32 top_k;         /* 0: 80 */
	f32 top_p;         /* 0: 0.97 */
	const char *rows_hook; /* stream this hook's row of each token, or NULL */
};

struct score {
	f64 nll;         /* nats, summed over judged tokens */
	u64 n;           /* judged tokens */
	f64 kl;          /* mean KL(first run || this run) over judged positions; NaN for the first */
	f32 *want_logp;  /* [n_want], owned; NULL if none wanted */
};

/* A TopK dictionary's encoder, given to a module once: f_i needs every p. */
struct run_encoder {
	f32 *w;    /* [n][d] */
	f32 *bias; /* [n], b_dec folded in */
	u32 n, d, k;
};

/* Everything finite, the vectors its kind needs there, pin's |w.d| at least 0.1, orthogonal's and
 * cap's d not 0; features below encoder's n (encoder may be NULL: ERR_UNAVAILABLE where one is needed). */
int run_check(const struct intervention *v, u32 d, const struct run_encoder *encoder, struct err *e);

/* An amount that v may be given instead of its own. */
int run_check_amount(const struct intervention *v, f32 amount, u32 d, struct err *e);

/* Whether v may touch a position; one that is off touches none.  The reply is the last prompt token and all after it, the
 * prompt all before.  Masked tokens are left alone, but never the last prompt token, and
 * replace obeys only its rows.  n_prompt: of a generate run its n_tokens. */
bool run_touches(const struct intervention *v, const struct run *r, size_t n_prompt, size_t position);

/* Applies the interventions of run r at one hook to the row of one position, in place: replace,
 * then the summed changes, then orthogonal and cap in list order.  A change with coefficient 0
 * leaves x's bits alone.  work: [d + encoder's n] f32 of scratch.  Conditions read x as it came.
 * Returns whether x was written. */
bool run_apply(const struct run *r, const char *hook, const struct run_encoder *encoder, size_t n_prompt,
	       size_t position, u32 d, f32 *x, f32 *work);

/* f of one feature of a TopK dictionary at x: p where it is among the k largest and positive
 * (ties: the lower id first), else 0.  work: [n]. */
f32 run_topk(const struct run_encoder *c, const f32 *x, u32 feature, f32 *work);

#endif
