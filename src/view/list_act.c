/* SPDX-License-Identifier: MIT */
/* list_act.c - moves in lists. */
#include "view/list_act.h"

bool list_act(struct list *l, enum action a, int count)
{
	i64 n = count ? count : 1, page = MAX(l->h - 1, 1), half = MAX(l->h / 2, 1);
	u64 line = count ? (u64)count - 1 : 0;
	switch (a) {
	case ACT_DOWN: list_move(l, n); return true;
	case ACT_UP: list_move(l, -n); return true;
	case ACT_HALF_DOWN: list_scroll(l, half * n); return true;
	case ACT_HALF_UP: list_scroll(l, -half * n); return true;
	case ACT_PAGE_DOWN: list_scroll(l, page * n); return true;
	case ACT_PAGE_UP: list_scroll(l, -page * n); return true;
	case ACT_FIRST: list_go(l, line); return true;
	case ACT_LAST: list_go(l, count ? line : l->n - (l->n > 0)); return true;
	default: return false;
	}
}
