/* SPDX-License-Identifier: MIT */
/* eval.h - how good a dictionary is on held-out text, by definition of featlas-atlas(5).
 *
 * Rows: every unmasked token of the held-out texts of a harvest; FVU is centred on their mean.
 * Cross-entropy: the texts go through the model again, states first, then runs that replace
 * the unmasked tokens' rows at the hook; nats a token over the target tokens after the prompt.
 * Texts with a masked token after the prompt are left out of the latter.
 */
#ifndef FEATLAS_EVAL_H
#define FEATLAS_EVAL_H

#include "backend/backend.h"
#include "core/acts.h"
#include "core/dict.h"

struct eval_result {
	u64 n_texts_held_out, n_rows; /* of the rows' figures */
	f64 fvu, l0;
	u64 n_silent;                 /* features that fire on none of these rows */
	u64 n_texts, n_targets;       /* of the model's figures; 0 without a backend */
	f64 ce_clean, ce_spliced, ce_mean, ce_zero, ce_self; /* nats a target token */
	f64 recovered, recovered_zero; /* (mean - spliced) / (mean - clean), zero likewise */
};

int eval_rows(struct dict *d, struct acts *a, size_t hook, struct pool *pool, struct progress *progress,
	      f32 *mean /* [d], out: of the held-out rows */, struct eval_result *r, struct err *e);
/* After eval_rows.  At most max_texts texts. */
int eval_model(struct dict *d, struct acts *a, size_t hook, struct backend *b, struct pool *pool,
	       struct progress *progress, const f32 *mean, u64 max_texts, struct eval_result *r, struct err *e);

#endif
