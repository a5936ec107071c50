/* SPDX-License-Identifier: MIT */
/* list.h - the cursor of a list of any length: which row is selected, which rows show.
 *
 * Holds no rows; 34 million cost what ten do.  All moves are O(1).
 */
#ifndef FEATLAS_LIST_H
#define FEATLAS_LIST_H

#include "base/types.h"

struct list {
	u64 n, at, top; /* rows, cursor, first row shown; at < n unless n == 0 */
	int h;          /* rows that fit */
};

void list_resize(struct list *l, u64 n, int h); /* keeps the cursor in range and in sight */
void list_go(struct list *l, u64 row);          /* clamped; scrolls as little as it can */
void list_move(struct list *l, i64 delta);
void list_scroll(struct list *l, i64 delta);    /* moves window and cursor */
/* Puts the cursor row in the middle, where the ends allow. */
void list_centre(struct list *l);

#endif
