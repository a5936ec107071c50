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

struct order {
	enum order_by by;
	bool reverse;
	u8 *ratings;    /* [n_features] for ORDER_RATING, else NULL; owned */
	u32 *ids;       /* [n], owned */
	u32 n;
};

/* Where a feature is in it; false: nowhere, and *row may be anything.  ids is not NULL, and the atlas's numbers
 * are those of then.  O(log n) of them are read, and may come from a disk; none where it is in row `guess`, which
 * may be any number. */
bool order_row(const struct order *o, const struct atlas *atlas, u32 feature, u64 guess, u64 *row);

struct order_work {
	const struct atlas *atlas; /* borrowed */
	u64 *keep;          /* a bit a feature, or NULL: all; owned */
	struct order made;  /* ratings are filled by the caller; out: ids, n; owned until taken */
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
