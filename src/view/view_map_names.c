/* SPDX-License-Identifier: MIT */
/* view_map_names.c - names on the map, the weightiest first, none over another. */
#include "view/view_map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
	PARTS_FROM = 2,       /* zoom from which parts are named */
	CELLS_A_NAME = 80,
	MIN_NAME = 30,        /* a name may be as long; on a wide screen as its fifth part */
	FEATURES_A_ROW = 3    /* at most so many features a row, for them to be named singly */
};

struct place {
	struct view *v;
	struct rect r;
	const struct map_window *win;
	u8 *taken; /* [h][w] */
	const u8 *mark; /* [h][w], or NULL: where marks will stand */
};

static int longest_name(struct rect r)
{
	return MIN(MAX(MIN_NAME, r.w / 5), r.w - 2);
}

/* Free for w cells from x on, with a blank on either side that may lie outside. */
static bool is_free(const struct place *p, int x, int y, int w)
{
	if (x < 0 || y < 0 || y >= p->r.h || x + w > p->r.w)
		return false;
	for (int k = MAX(x - 1, 0); k < MIN(x + w + 1, p->r.w); k++)
		if (p->taken[y * p->r.w + k])
			return false;
	return true;
}

static void take(struct place *p, int x, int y, int w)
{
	memset(p->taken + y * p->r.w + x, 1, (size_t)w);
}

/* ---- groups ---- */

/* A mark beside a name would read as a letter of it. */
static bool adjoins_mark(const struct place *p, int x, int y, int w)
{
	const u8 *row = p->mark + y * p->r.w;
	return (x > 0 && row[x - 1]) || (x + w < p->r.w && row[x + w]);
}

/* x or a cell or two beside it, where the name is free and no mark adjoins it; -1: none. */
static int step_aside(const struct place *p, int x, int y, int w)
{
	static const int steps[] = {0, -1, 1, -2, 2};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (is_free(p, x + steps[i], y, w) && !adjoins_mark(p, x + steps[i], y, w))
			return x + steps[i];
	return -1;
}

/* In the middle of the group if that is free, else some rows off. */
static bool put_name(struct place *p, const struct map_anchor *a, struct span name)
{
	static const int rows[] = {0, -1, 1, -2, 2};
	static const int columns[] = {0, -6, 6};
	int cx, cy, w = MIN(text_width((const char *)name.p, name.n), longest_name(p->r));
	if (!a->n || !name.n || !map_cell_of(p->win, a->x, a->y, &cx, &cy))
		return false;
	int left = MIN(MAX(cx - w / 2, 0), p->r.w - w);
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(columns); i++) {
		int x = left + columns[i / ARRAY_LEN(rows)], y = cy + rows[i % ARRAY_LEN(rows)];
		if (!is_free(p, x, y, w))
			continue;
		int aside = step_aside(p, x, y, w); /* among many marks there is no such place */
		x = aside >= 0 ? aside : x;
		rect_fill(p->r, x - 1, y, w + 2, 1, STYLE_NORMAL, ' ');
		rect_put_cut(p->r, x, y, w, STYLE_MAP_NAME, (const char *)name.p, name.n);
		take(p, x, y, w);
		return true;
	}
	return false;
}

static void name_groups(struct place *p)
{
	struct map_view *s = view_state(p->v);
	bool parts = s->zoom >= PARTS_FROM;
	u32 n = parts ? map_n_parts(s->map) : map_n_clusters(s->map), room = (u32)(p->r.w * p->r.h / CELLS_A_NAME);
	for (u32 i = 0, put = 0; i < n && put < MAX(room, 2); i++)
		put += put_name(p, parts ? &s->parts[i] : &s->clusters[i],
				parts ? map_part_name(s->map, i) : map_cluster_name(s->map, i));
}

/* ---- single features ---- */

struct few {
	u32 feature[1024];
	size_t n;
};

static void collect(void *context, u32 point, f64 x, f64 y)
{
	struct few *f = context;
	(void)x;
	(void)y;
	if (f->n < ARRAY_LEN(f->feature))
		f->feature[f->n++] = point;
}

static int label_width(struct view *v, struct rect r, u32 feature)
{
	struct label l;
	char id[16];
	int w = snprintf(id, sizeof id, "#%u", (unsigned)feature);
	if (app_has(v->app, feature, ATLAS_LABELS) && session_label(app_session(v->app), feature, &l))
		w += 1 + text_width((const char *)l.text.p, l.text.n);
	return MIN(w, longest_name(r));
}

static void put_feature(struct place *p, u32 feature)
{
	struct map_view *s = view_state(p->v);
	f64 x, y;
	int cx, cy, w = label_width(p->v, p->r, feature);
	if (!map_grid_at(s->grid, feature, &x, &y) || !map_cell_of(p->win, x, y, &cx, &cy))
		return;
	p->taken[cy * p->r.w + cx] = 0;
	const int at[][2] = {{cx + 2, cy}, {cx - 1 - w, cy}, {cx + 1, cy - 1}, {cx + 1, cy + 1},
			     {cx - w, cy - 1}, {cx - w, cy + 1}};
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		if (!is_free(p, at[i][0], at[i][1], w))
			continue;
		rect_fill(p->r, at[i][0], at[i][1], w, 1, STYLE_NORMAL, ' ');
		view_put_feature(p->v, p->r, at[i][0], at[i][1], w, feature);
		take(p, at[i][0], at[i][1], w);
		break;
	}
	p->taken[cy * p->r.w + cx] = 1;
}

/* 0 first: the current one, hits, neighbours and the selection, the rest. */
static int rank(struct view *v, u32 feature)
{
	struct map_view *s = view_state(v);
	if (feature == s->current)
		return 0;
	if (app_is_hit(v->app, feature))
		return 1;
	for (size_t i = 0; i < s->n_near; i++)
		if (s->near[i] == feature)
			return 2;
	return app_is_marked(v->app, feature) ? 2 : 3;
}

static void name_features(struct place *p)
{
	struct map_view *s = view_state(p->v);
	struct few f = {.n = 0};
	map_grid_each(s->grid, p->win, collect, &f);
	for (size_t i = 0; i < f.n; i++) {
		f64 x, y;
		int cx, cy;
		if (map_grid_at(s->grid, f.feature[i], &x, &y) && map_cell_of(p->win, x, y, &cx, &cy))
			p->taken[cy * p->r.w + cx] = 1;
	}
	for (int turn = 0; turn < 4; turn++)
		for (size_t i = 0; i < f.n; i++)
			if (rank(p->v, f.feature[i]) == turn)
				put_feature(p, f.feature[i]);
}

bool map_names_features(const struct map_view *s, const struct map_window *win)
{
	return map_grid_n_in(s->grid, win) <= (u64)(FEATURES_A_ROW * win->h / 4);
}

void map_draw_groups(struct view *v, struct rect r, const struct map_window *win, const u8 *mark, u8 *name)
{
	struct place p = {v, r, win, name, mark};
	name_groups(&p);
}

void map_draw_features(struct view *v, struct rect r, const struct map_window *win)
{
	struct place p = {v, r, win, xcalloc((size_t)r.w * (size_t)r.h, 1), NULL};
	name_features(&p);
	free(p.taken);
}
