/* SPDX-License-Identifier: MIT */
/* layout_walk.c - from label to label by direction, so that every label can be reached. */
#include "core/layout.h"

#include <stdlib.h>
#include <string.h>

/* The natural choice is the nearest box on that side, what lies off to the side counting
 * double.  That alone can leave a box that no step leads to; such a box takes over the step
 * that bends least.  Should that fail, rows decide: sideways along a row, up and down to the
 * next row, which reaches everything by construction. */
struct walk {
	const struct layout_box *box;
	size_t n;
	u32 (*next)[4];
};

/* Twice the distances between the middles, in columns; rows count two columns. */
static i32 across(const struct walk *w, u32 a, u32 b)
{
	return 2 * w->box[b].x + w->box[b].w - 2 * w->box[a].x - w->box[a].w;
}

static i32 down(const struct walk *w, u32 a, u32 b)
{
	return 4 * (w->box[b].y - w->box[a].y);
}

/* The cost of a step, or -1 where b is not on that side of a. */
static i32 cost(const struct walk *w, u32 a, u32 b, int d)
{
	if (!w->box[b].w || a == b)
		return -1;
	i32 x = across(w, a, b), y = down(w, a, b);
	bool sideways = d == LAYOUT_LEFT || d == LAYOUT_RIGHT;
	i32 along = sideways ? x : y, off = abs(sideways ? y : x);
	if (d == LAYOUT_LEFT || d == LAYOUT_UP)
		along = -along;
	if (along <= 0)
		return -1;
	/* a wide box stands below all that it covers */
	if (!sideways)
		off = MAX(off - (w->box[a].w + w->box[b].w) / 2, off / 8);
	return along + (sideways ? 3 : 2) * off + (off > 2 * along ? 1000 : 0);
}

static u32 nearest(const struct walk *w, u32 a, int d)
{
	u32 best = GRAPH_NONE;
	i32 least = 0;
	for (u32 b = 0; b < w->n; b++) {
		i32 c = cost(w, a, b, d);
		if (c >= 0 && (best == GRAPH_NONE || c < least)) {
			best = b;
			least = c;
		}
	}
	return best;
}

/* Marks all that steps lead to from a box; returns how many. */
static size_t spread(const struct walk *w, u32 from, bool *reached)
{
	u32 todo[GRAPH_MAX_NODES];
	size_t n_todo = 1, n = 1;
	memset(reached, 0, w->n * sizeof *reached);
	todo[0] = from;
	reached[from] = true;
	while (n_todo) {
		u32 at = todo[--n_todo];
		for (int d = 0; d < 4; d++) {
			u32 to = w->next[at][d];
			if (to == GRAPH_NONE || reached[to])
				continue;
			reached[to] = true;
			todo[n_todo++] = to;
			n++;
		}
	}
	return n;
}

static size_t n_placed(const struct walk *w)
{
	size_t n = 0;
	for (size_t i = 0; i < w->n; i++)
		n += w->box[i].w > 0;
	return n;
}

static bool connected(const struct walk *w)
{
	bool reached[GRAPH_MAX_NODES];
	for (u32 i = 0; i < w->n; i++)
		if (w->box[i].w && spread(w, i, reached) < n_placed(w))
			return false;
	return true;
}

/* Gives box t the cheapest step that loses nothing; false if there is none. */
static bool adopt(const struct walk *w, u32 from, u32 t, size_t n_now, const bool *reached)
{
	u32 best = GRAPH_NONE;
	int best_d = 0;
	i32 least = 0;
	for (u32 s = 0; s < w->n; s++)
		for (int d = 0; d < 4; d++) {
			i32 c = reached[s] ? cost(w, s, t, d) : -1;
			if (c < 0 || (best != GRAPH_NONE && c >= least))
				continue;
			u32 old = w->next[s][d];
			bool after[GRAPH_MAX_NODES];
			w->next[s][d] = t;
			bool gains = spread(w, from, after) > n_now;
			w->next[s][d] = old;
			if (gains) {
				best = s;
				best_d = d;
				least = c;
			}
		}
	if (best != GRAPH_NONE)
		w->next[best][best_d] = t;
	return best != GRAPH_NONE;
}

static void mend(const struct walk *w)
{
	u32 from = 0;
	bool reached[GRAPH_MAX_NODES];
	while (from < w->n && !w->box[from].w)
		from++;
	if (from == w->n)
		return;
	for (;;) {
		size_t n = spread(w, from, reached);
		bool mended = false;
		for (u32 t = 0; t < w->n && !mended; t++)
			mended = w->box[t].w && !reached[t] && adopt(w, from, t, n, reached);
		if (!mended)
			return;
	}
}

/* The next box of the same row, or GRAPH_NONE. */
static u32 in_row(const struct walk *w, u32 a, int d)
{
	u32 best = GRAPH_NONE;
	for (u32 b = 0; b < w->n; b++)
		if (w->box[b].w && b != a && w->box[b].y == w->box[a].y && cost(w, a, b, d) > 0 &&
		    (best == GRAPH_NONE || abs(across(w, a, b)) < abs(across(w, a, best))))
			best = b;
	return best;
}

static u32 in_next_row(const struct walk *w, u32 a, int d)
{
	u32 best = GRAPH_NONE;
	for (u32 b = 0; b < w->n; b++) {
		if (cost(w, a, b, d) < 0)
			continue;
		i32 rows = abs(w->box[b].y - w->box[a].y);
		i32 best_rows = best == GRAPH_NONE ? INT32_MAX : abs(w->box[best].y - w->box[a].y);
		if (rows < best_rows || (rows == best_rows && abs(across(w, a, b)) < abs(across(w, a, best))))
			best = b;
	}
	return best;
}

static void by_rows(const struct walk *w)
{
	for (u32 i = 0; i < w->n; i++) {
		if (!w->box[i].w)
			continue;
		w->next[i][LAYOUT_LEFT] = in_row(w, i, LAYOUT_LEFT);
		w->next[i][LAYOUT_RIGHT] = in_row(w, i, LAYOUT_RIGHT);
		w->next[i][LAYOUT_UP] = in_next_row(w, i, LAYOUT_UP);
		w->next[i][LAYOUT_DOWN] = in_next_row(w, i, LAYOUT_DOWN);
	}
}

void layout_walk(const struct layout_box *box, size_t n, u32 (*next)[4])
{
	struct walk w = {box, n, next};
	for (u32 i = 0; i < n; i++)
		for (int d = 0; d < 4; d++)
			next[i][d] = box[i].w ? nearest(&w, i, d) : GRAPH_NONE;
	mend(&w);
	if (!connected(&w))
		by_rows(&w);
}
