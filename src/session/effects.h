/* SPDX-License-Identifier: MIT */
/* effects.h - what matters here: which features of a prompt move what the model says next.
 *
 * The prompt's tokens are 0 to n - 1; x_t is the residual row at the atlas' hook, f_i(t) the activation of
 * feature i there, d_i its decoder row, as in featlas-atlas(5).  The measure of a run is
 *
 *	m = log p(target | prompt)  or, against another token,  m = log p(target) - log p(against)
 *
 * in nats, at the last position.  (The second is a difference of logits: the normalisation falls out.)
 *
 * Effect of feature i: m as it is, less m with the feature ablated,
 *
 *	E_i = m(x) - m(x_t - f_i(t) d_i at every t of S_i),    S_i = {t judged: f_i(t) > 0}
 *
 * so it is above 0 where the feature helps the target.  Ablating is a clamp to 0: f_i d_i leaves the row, the
 * reconstruction error stays, and all layers above compute anew.  With one position judged it is the effect
 * there; with several it is that of ablating the feature at all of them at once, which need not be the sum of
 * the single ones.  f_i(t) is that of the unchanged prompt: nothing at the hook depends on an ablation at the
 * hook.
 *
 * Direct attribution: the same with f_i(n-1) d_i taken out of y, the row of the LAST layer at the last
 * position,
 *
 *	A_i = m(y) - m(y - f_i(n-1) d_i)
 *
 * through the model's own final norm and unembedding, not linearised: what the feature says to the output
 * itself, past the layers between.  A feature that is silent at the last position has 0, by definition: only
 * through attention of later layers can it matter.  (This is not gradient times activation, which sees those
 * paths too.)
 *
 * Activation of a feature: the largest f_i(t) over S_i.
 *
 * What counts: masked tokens are left alone (featlas-atlas(5)), but for the last one, as in steering: it is
 * read even where it belongs to the chat template, unless it is the first token or a sink.
 *
 * How it is measured: `score` runs, up to EFFECTS_COLUMNS a request, that share the prompt up to the first
 * position that any of them touches.  All runs of a request, the one that is left alone too, are given the
 * rows of the positions in question, so that a run and its reference differ in the ablation alone.
 * `resolution` is the largest |m - m'| of m as it is and of such references: below it an effect says nothing.
 */
#ifndef FEATLAS_EFFECTS_H
#define FEATLAS_EFFECTS_H

#include "session/next.h"

enum { EFFECTS_COLUMNS = 48, EFFECTS_LIKELY = 8 };

struct effects_question {
	const u32 *tokens;
	const u8 *flags; /* enum token_flag, as tokenized: sinks are found here */
	size_t n;
	u32 target;	 /* NO_TOKEN: the likeliest next token */
	u32 against;	 /* NO_TOKEN: none */
	size_t from, to; /* positions judged; to 0: all */
};

enum effects_rank { EFFECTS_BY_EFFECT, EFFECTS_BY_ACTIVATION, EFFECTS_BY_ATTRIBUTION, EFFECTS_N_RANKS };
extern const char *const effects_rank_names[EFFECTS_N_RANKS]; /* "effect", "activation", "attribution" */

struct effect {
	u32 id;
	u32 n;			   /* judged positions where it fires, |S_i| */
	u32 first, peak;	   /* the first of them, and the one of its activation */
	f32 by[EFFECTS_N_RANKS];   /* the three measures */
	f32 last;		   /* f_i(n-1), 0 where silent or not judged */
	u32 rank[EFFECTS_N_RANKS]; /* from 1, by size whatever the sign; equal sizes share the first */
};

/* Of a measure with the effect, over features: as they are, and of their sizes |.| (an activation has no
 * sign). */
struct effects_relation {
	f64 pearson, spearman, pearson_sizes, spearman_sizes; /* NaN where not defined */
};

struct effects {
	u32 target, against;
	f32 target_logp, against_logp; /* as it is; NaN without against */
	u32 likely[EFFECTS_LIKELY];    /* the likeliest next tokens, NO_TOKEN where there are fewer */
	f32 likely_logp[EFFECTS_LIKELY];
	struct effect *list; /* by size of the effect, ties by id; owned */
	size_t n;
	size_t n_positions;    /* judged positions that count */
	bool last_is_template; /* the last token was read though it is the template's */
	f64 resolution;
	size_t n_last; /* features that fire at the last position */
	/* [0] over all features, [1] over those that fire at the last position; of EFFECTS_BY_ACTIVATION and
	 * EFFECTS_BY_ATTRIBUTION */
	struct effects_relation relation[2][EFFECTS_N_RANKS];
};

/* ERR_UNAVAILABLE where the dictionary writes elsewhere than it reads.  On failure *out is empty. */
int effects_measure(const struct live *p, const struct effects_question *q, struct effects *out,
		    struct err *e);
void effects_release(struct effects *x);
/* Sorts list by the size of a measure, ties by id. */
void effects_sort(struct effects *x, enum effects_rank by);

#endif
