/* SPDX-License-Identifier: MIT */
/* view_map_draw.c - the map in cells: dots with their density, marks, and the pane below. */
#include "view/view_map.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN_X = 2, MARGIN_Y = 1 };

/* A cell is two dots wide and four high, so dots are about square; the map may be stretched this
 * much to fill a window. */
static const f64 stretch = 1.6;

int map_pane_rows(int h)
{
	return h >= 12 ? 2 : 1;
}

struct map_window map_window_of(const struct map_view *s, int w, int h)
{
	struct map_box box = map_grid_box(s->grid);
	f64 dot_w = box.w / MAX(2 * (w - 2 * MARGIN_X), 8), dot_h = box.h / MAX(4 * (h - 2 * MARGIN_Y), 8);
	if (dot_h > stretch * dot_w)
		dot_w = dot_h / stretch;
	else if (dot_w > stretch * dot_h)
		dot_h = dot_w / stretch;
	dot_w = ldexp(dot_w, -s->zoom);
	dot_h = ldexp(dot_h, -s->zoom);
	/* on whole cells of the plane, so that dots do not change as the window moves */
	f64 left = round((s->x - w * dot_w) / (2 * dot_w)) * 2 * dot_w;
	f64 above = round((s->y - 2 * h * dot_h) / (4 * dot_h)) * 4 * dot_h;
	return (struct map_window){left, above, dot_w, dot_h, 2 * w, 4 * h};
}

bool map_cell_of(const struct map_window *win, f64 x, f64 y, int *cx, int *cy)
{
	f64 dx = floor((x - win->x) / win->dot_w), dy = floor((y - win->y) / win->dot_h);
	if (!(dx >= 0 && dy >= 0 && dx < win->w && dy < win->h))
		return false;
	*cx = (int)dx / 2;
	*cy = (int)dy / 4;
	return true;
}

/* ---- dots ---- */

static enum style density(f64 n, f64 crowd)
{
	f64 part = n / fmax(crowd, 2);
	return part < 0.4 ? STYLE_MAP1 : part < 0.9 ? STYLE_MAP2 : part < 1.7 ? STYLE_MAP3 : STYLE_MAP4;
}

/* The dots of a cell as a braille pattern, and how many points they stand for. */
static u32 dots_of(const u32 *count, int stride, int x, int y, f32 *n)
{
	static const u8 bit[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
	u32 bits = 0;
	*n = 0;
	for (int dy = 0; dy < 4; dy++)
		for (int dx = 0; dx < 2; dx++) {
			u32 c = count[(4 * y + dy) * stride + 2 * x + dx];
			bits |= c ? bit[dy][dx] : 0u;
			*n += (f32)c;
		}
	return bits;
}

/* The shade is that of the surroundings: the dots already tell one cell from the next, and every change of
 * colour along a row costs a slow line ten bytes. */
static enum style shade(const f32 *n, int w, int h, int x, int y, f64 crowd)
{
	f64 sum = 0;
	int cells = 0;
	for (int cy = MAX(y - 1, 0); cy <= MIN(y + 1, h - 1); cy++)
		for (int cx = MAX(x - 3, 0); cx <= MIN(x + 3, w - 1); cx++, cells++)
			sum += (f64)n[cy * w + cx];
	return density(sum / cells, crowd);
}

static void draw_dots(struct view *v, struct rect r, const struct map_window *win)
{
	static const char ascii[] = {'.', ':', '%', '#'};
	struct map_view *s = view_state(v);
	size_t cells = (size_t)r.w * (size_t)r.h;
	u32 *count = xcalloc((size_t)win->w * (size_t)win->h, sizeof *count), *bits = xcalloc(cells, sizeof *bits);
	f32 *n = xcalloc(cells, sizeof *n);
	f64 crowd = map_grid_crowd(s->grid, 2 * win->dot_w, 4 * win->dot_h);
	map_grid_count(s->grid, win, count, NULL);
	for (int y = 0; y < r.h; y++)
		for (int x = 0; x < r.w; x++)
			bits[y * r.w + x] = dots_of(count, win->w, x, y, &n[y * r.w + x]);
	for (int y = 0; y < r.h; y++)
		for (int x = 0; x < r.w; x++) {
			u32 b = bits[y * r.w + x];
			char c = ascii[density((f64)n[y * r.w + x], crowd) - STYLE_MAP1];
			if (b)
				rect_cp(r, x, y, shade(n, r.w, r.h, x, y, crowd), r.g->ascii ? (u32)c : 0x2800u + b);
		}
	free(count);
	free(bits);
	free(n);
}

/* ---- marks over them ---- */

struct marks {
	struct view *v;
	struct rect r;
	const struct map_window *win;
	u8 *name; /* [h][w], 1 where a name stands */
	u8 *at;   /* [h][w], or NULL: nothing is drawn, 1 is put where a mark would be */
};

static void mark_cell(struct marks *m, int cx, int cy, enum style style, char c)
{
	if (m->at)
		m->at[cy * m->r.w + cx] = 1;
	else if (m->name[cy * m->r.w + cx] && c != '@')
		rect_attr(m->r, cx, cy, 1, ATTR_REVERSE); /* a letter of a name stays a letter */
	else
		rect_cp(m->r, cx, cy, style, (u32)c);
}

static bool put_mark(struct marks *m, u32 feature, enum style style, char c)
{
	struct map_view *s = view_state(m->v);
	f64 x, y;
	int cx, cy;
	if (!map_grid_at(s->grid, feature, &x, &y) || !map_cell_of(m->win, x, y, &cx, &cy))
		return false;
	mark_cell(m, cx, cy, style, c);
	return true;
}

/* Of the many hits in a cell one is drawn. */
static void mark_hits(struct marks *m)
{
	struct map_view *s = view_state(m->v);
	u8 *marked = xcalloc((size_t)m->r.w * (size_t)m->r.h, 1);
	int cx, cy;
	for (size_t i = 0; i < s->n_hits; i++) {
		if (!map_cell_of(m->win, s->hits[i].x, s->hits[i].y, &cx, &cy) || marked[cy * m->r.w + cx])
			continue;
		marked[cy * m->r.w + cx] = 1;
		mark_cell(m, cx, cy, STYLE_HIT, '*');
	}
	free(marked);
}

static void draw_marks(struct marks *m)
{
	struct map_view *s = view_state(m->v);
	mark_hits(m);
	for (size_t i = 0; i < s->n_near; i++)
		put_mark(m, s->near[i], app_is_hit(m->v->app, s->near[i]) ? STYLE_HIT : STYLE_NODE, 'o');
	if (app_n_marked(m->v->app) && app_n_marked(m->v->app) <= MAP_HITS) {
		size_t n;
		u32 *ids = app_marked(m->v->app, &n);
		for (size_t i = 0; i < n; i++)
			put_mark(m, ids[i], STYLE_MARK, '+');
		free(ids);
	}
	f64 x, y;
	int cx, cy;
	if (!put_mark(m, s->current, STYLE_NODE_ROOT, '@') || m->at)
		return;
	map_grid_at(s->grid, s->current, &x, &y);
	map_cell_of(m->win, x, y, &cx, &cy);
	rect_attr(m->r, cx, cy, 1, ATTR_REVERSE);
	rect_cursor(m->r, cx, cy);
}

void map_draw(struct view *v, struct rect r)
{
	struct map_view *s = view_state(v);
	struct map_window win = map_window_of(s, r.w, r.h);
	size_t cells = (size_t)r.w * (size_t)r.h;
	struct marks m = {v, r, &win, xcalloc(cells, 1), xcalloc(cells, 1)};
	bool single = map_names_features(s, &win);
	draw_dots(v, r, &win);
	if (!single) {
		draw_marks(&m);
		map_draw_groups(v, r, &win, m.at, m.name);
	}
	free(m.at);
	m.at = NULL;
	draw_marks(&m);
	if (single)
		map_draw_features(v, r, &win);
	free(m.name);
}

/* ---- the pane ---- */

void map_draw_pane(struct view *v, struct rect r)
{
	struct map_view *s = view_state(v);
	struct buf tail = BUF_INIT;
	int y = r.h - 1;
	u64 n_hits = app_hits(v->app) ? app_n_hits(v->app) : 0;
	if (n_hits)
		buf_addf(&tail, "  * %llu hit%s", (unsigned long long)n_hits, n_hits == 1 ? "" : "s");
	if (s->n_near)
		buf_addf(&tail, "  o %zu", s->n_near);
	if (s->n_stored > s->n_near)
		buf_addf(&tail, " of %zu", s->n_stored);
	if (s->n_near)
		buf_addf(&tail, " neighbour%s", s->n_stored == 1 ? "" : "s");
	int w = text_width(tail.s, tail.n);
	if (w > r.w / 2) {
		buf_clear(&tail);
		w = 0;
	}
	rect_puts(r, 1, y, STYLE_NODE_ROOT, "@");
	int used = view_put_feature(v, r, 3, y, MAX(r.w - 4 - w, 1), s->current);
	rect_put(r, 3 + used, y, -1, STYLE_DIM, tail.s, tail.n);
	buf_release(&tail);
	if (r.h < 2)
		return;
	u32 c = map_cluster(s->map, s->current), p = map_part(s->map, s->current);
	struct span name = map_cluster_name(s->map, c), part = map_part_name(s->map, p);
	int x = 3;
	x += rect_put_cut(r, x, 0, MAX(r.w - x - 1, 0), STYLE_MAP_NAME, (const char *)name.p, name.n);
	if (part.n && name.n)
		x += rect_put(r, x, 0, MAX(r.w - x - 1, 0), STYLE_DIM, " \u203a ", 5);
	rect_put_cut(r, x, 0, MAX(r.w - x - 1, 0), STYLE_DIM, (const char *)part.p, part.n);
}
