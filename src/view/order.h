/* SPDX-License-Identifier: MIT */
/* order.h - the order of a list of features: what to sort by, and the worker that does. */
#ifndef FEATLAS_ORDER_H
#define FEATLAS_ORDER_H

#include "base/progress.h"
#include "core/atlas.h"

enum order_by { ORDER_ID, ORDER_DENSITY, ORDER_MAX, ORDER_DETECTS, ORDER_WRITES, ORDER_RATING, ORDER_UNCERTAIN,
		ORDER_OUTPUT, N_ORDERS };

struct order_word {
	char key; /* in the menu */
	const char *text;
};
extern const struct order_word order_words[N_ORDERS];

struct order_work {
	const struct atlas *atlas; /* borrowed */
	enum order_by by;
	bool reverse;
	u64 *keep;      /* a bit a feature, or NULL: all; owned */
	u8 *ratings;    /* [n_features] for ORDER_RATING, filled by the caller; owned */
	u32 *order;     /* out: [n] ids; owned until taken */
	u32 n;
	u32 anchor, anchor_row; /* a feature to look for meanwhile, or UINT32_MAX; out: where it is, else 0 */
	int failed;
	struct err e;
};

/* a and b (bit sets, or NULL) are both copied; a feature must be in each that is there. */
struct order_work *order_work_new(const struct atlas *atlas, enum order_by by, bool reverse, const u64 *a,
				  const u64 *b);
void order_work_free(void *work);
/* A job: largest first (ids: smallest first), absent numbers last, ties by id.  O(n). */
void order_run(void *work, struct progress *p);

#endif
