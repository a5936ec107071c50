/* SPDX-License-Identifier: MIT */
/* list.c - the cursor of a list. */
#include "ui/list.h"

static u64 last_top(const struct list *l)
{
	u64 h = (u64)MAX(l->h, 1);
	return l->n > h ? l->n - h : 0;
}

static void keep_in_sight(struct list *l)
{
	u64 h = (u64)MAX(l->h, 1);
	if (l->at < l->top)
		l->top = l->at;
	else if (l->at - l->top >= h)
		l->top = l->at - h + 1;
	if (l->top > last_top(l))
		l->top = last_top(l);
}

void list_resize(struct list *l, u64 n, int h)
{
	l->n = n;
	l->h = h;
	if (l->at >= n)
		l->at = n ? n - 1 : 0;
	keep_in_sight(l);
}

void list_go(struct list *l, u64 row)
{
	l->at = l->n == 0 ? 0 : MIN(row, l->n - 1);
	keep_in_sight(l);
}

static u64 moved(u64 at, i64 delta)
{
	if (delta < 0)
		return at > (u64)-delta ? at - (u64)-delta : 0;
	return at + (u64)delta;
}

void list_move(struct list *l, i64 delta)
{
	list_go(l, moved(l->at, delta));
}

void list_scroll(struct list *l, i64 delta)
{
	l->top = MIN(moved(l->top, delta), last_top(l));
	list_move(l, delta);
}

void list_centre(struct list *l)
{
	u64 half = (u64)MAX(l->h, 1) / 2;
	l->top = MIN(l->at > half ? l->at - half : 0, last_top(l));
}
