/* SPDX-License-Identifier: MIT */
/* map_grid.c - points sorted into a grid, counted on coarser ones above it. */
#include "core/map_grid.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_LEVEL = 3, MAX_LEVEL = 12, FINER = 4, FINER_MANY = 2, MANY_DOTS = 100000, EACH_PER_DOT = 12, MOST_A_DOT = 24 };

struct map_grid {
	u32 n, n_all;
	struct map_box box;
	int top;            /* the finest level: 2^top cells a side */
	u32 *start;         /* [4^top + 1], row after row */
	u32 *point;         /* [n] */
	f32 *xy;            /* [n][2], in that order */
	u32 *place;         /* [n_all]: where a point stands in that order, MAP_NONE if nowhere */
	u32 *count[MAX_LEVEL]; /* of the levels below the top */
	f64 crowd[MAX_LEVEL + 1]; /* mean count of the cell a point lies in */
};

/* ---- making it ---- */

static bool has_place(const f32 *xy)
{
	return isfinite(xy[0]) && isfinite(xy[1]);
}

static void find_box(struct map_grid *g, const f32 *xy)
{
	f64 low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
	for (u32 i = 0; i < g->n_all; i++) {
		if (!has_place(xy + 2 * (size_t)i))
			continue;
		g->n++;
		for (size_t k = 0; k < 2; k++) {
			low[k] = fmin(low[k], (f64)xy[2 * (size_t)i + k]);
			high[k] = fmax(high[k], (f64)xy[2 * (size_t)i + k]);
		}
	}
	f64 side = g->n ? fmax(high[0] - low[0], high[1] - low[1]) : 1;
	side = side > 0 ? side : 1;
	g->box = (struct map_box){g->n ? low[0] : 0, g->n ? low[1] : 0, g->n ? high[0] - low[0] : 0,
				  g->n ? high[1] - low[1] : 0};
	/* a line of points has a box too */
	g->box.w = fmax(g->box.w, side / 1024);
	g->box.h = fmax(g->box.h, side / 1024);
}

static i64 column(const struct map_grid *g, int level, f64 x)
{
	return (i64)floor((x - g->box.x) / g->box.w * (f64)(1 << level));
}

static i64 row(const struct map_grid *g, int level, f64 y)
{
	return (i64)floor((y - g->box.y) / g->box.h * (f64)(1 << level));
}

static i64 into(i64 k, int level)
{
	return MIN(MAX(k, 0), ((i64)1 << level) - 1);
}

static size_t cell_of(const struct map_grid *g, f64 x, f64 y)
{
	return (size_t)into(row(g, g->top, y), g->top) << g->top | (size_t)into(column(g, g->top, x), g->top);
}

static void sort_points(struct map_grid *g, const f32 *xy)
{
	size_t n_cells = (size_t)1 << 2 * g->top;
	for (u32 i = 0; i < g->n_all; i++)
		if (has_place(xy + 2 * (size_t)i))
			g->start[cell_of(g, (f64)xy[2 * (size_t)i], (f64)xy[2 * (size_t)i + 1]) + 1]++;
	for (size_t c = 0; c < n_cells; c++)
		g->start[c + 1] += g->start[c];
	for (u32 i = 0; i < g->n_all; i++) {
		const f32 *p = xy + 2 * (size_t)i;
		g->place[i] = MAP_NONE;
		if (!has_place(p))
			continue;
		u32 at = g->start[cell_of(g, (f64)p[0], (f64)p[1])]++;
		g->place[i] = at;
		g->point[at] = i;
		g->xy[2 * (size_t)at] = p[0];
		g->xy[2 * (size_t)at + 1] = p[1];
	}
	memmove(g->start + 1, g->start, n_cells * sizeof *g->start);
	g->start[0] = 0;
}

static u32 count_of(const struct map_grid *g, int level, size_t cell)
{
	return level == g->top ? g->start[cell + 1] - g->start[cell] : g->count[level][cell];
}

static void count_level(struct map_grid *g, int level)
{
	size_t side = (size_t)1 << level;
	for (size_t y = 0; y < side; y++)
		for (size_t x = 0; x < side; x++) {
			size_t below = y << (level + 2) | x << 1, next = below + ((size_t)1 << (level + 1));
			g->count[level][y << level | x] =
				count_of(g, level + 1, below) + count_of(g, level + 1, below + 1) +
				count_of(g, level + 1, next) + count_of(g, level + 1, next + 1);
		}
}

static void find_crowds(struct map_grid *g)
{
	for (int level = 0; level <= g->top; level++) {
		f64 sum = 0;
		for (size_t c = 0; c < (size_t)1 << 2 * level; c++)
			sum += (f64)count_of(g, level, c) * (f64)count_of(g, level, c);
		g->crowd[level] = g->n ? sum / (f64)g->n : 0;
	}
}

struct map_grid *map_grid_of(const f32 *xy, u32 n, struct err *e)
{
	struct map_grid *g = xcalloc(1, sizeof *g);
	g->n_all = n;
	find_box(g, xy);
	g->top = MIN_LEVEL;
	while (g->top < MAX_LEVEL && (u64)1 << 2 * g->top < 4 * (u64)g->n)
		g->top++;
	bool good = (g->start = mem_try(((size_t)1 << 2 * g->top) + 1, sizeof *g->start, "the map", e)) &&
		    (g->point = mem_try((size_t)g->n + 1, sizeof *g->point, "the map", e)) &&
		    (g->xy = mem_try(2 * (size_t)g->n + 2, sizeof *g->xy, "the map", e)) &&
		    (g->place = mem_try((size_t)n + 1, sizeof *g->place, "the map", e));
	for (int level = g->top - 1; good && level >= 0; level--)
		good = (g->count[level] = mem_try((size_t)1 << 2 * level, sizeof **g->count, "the map", e));
	if (!good) {
		map_grid_free(g);
		return NULL;
	}
	sort_points(g, xy);
	for (int level = g->top - 1; level >= 0; level--)
		count_level(g, level);
	find_crowds(g);
	return g;
}

struct map_grid *map_grid_new(const struct map *m, u32 n, struct err *e)
{
	f32 *xy = mem_try(2 * (size_t)n + 2, sizeof *xy, "the map", e);
	if (!xy)
		return NULL;
	for (u32 i = 0; i < n; i++)
		map_xy(m, i, xy + 2 * (size_t)i);
	struct map_grid *g = map_grid_of(xy, n, e);
	free(xy);
	return g;
}

void map_grid_free(struct map_grid *g)
{
	if (!g)
		return;
	for (int level = 0; level < MAX_LEVEL; level++)
		free(g->count[level]);
	free(g->start);
	free(g->point);
	free(g->xy);
	free(g->place);
	free(g);
}

struct map_box map_grid_box(const struct map_grid *g)
{
	return g->box;
}

u32 map_grid_n(const struct map_grid *g)
{
	return g->n;
}

bool map_grid_at(const struct map_grid *g, u32 point, f64 *x, f64 *y)
{
	u32 at = point < g->n_all ? g->place[point] : MAP_NONE;
	if (at == MAP_NONE)
		return false;
	*x = (f64)g->xy[2 * (size_t)at];
	*y = (f64)g->xy[2 * (size_t)at + 1];
	return true;
}

/* ---- windows ---- */

struct span_of { /* cells of a level that a window touches, ends included */
	i64 left, right, above, below;
	bool empty;
};

static struct span_of touched(const struct map_grid *g, const struct map_window *v, int level)
{
	f64 right = v->x + v->w * v->dot_w, below = v->y + v->h * v->dot_h;
	struct span_of s = {
		.left = into(column(g, level, v->x), level), .right = into(column(g, level, right), level),
		.above = into(row(g, level, v->y), level), .below = into(row(g, level, below), level),
		.empty = right < g->box.x || below < g->box.y || v->x > g->box.x + g->box.w ||
			 v->y > g->box.y + g->box.h || !g->n,
	};
	return s;
}

u64 map_grid_n_in(const struct map_grid *g, const struct map_window *v)
{
	struct span_of s = touched(g, v, g->top);
	u64 n = 0;
	for (i64 y = s.above; y <= s.below && !s.empty; y++) {
		const u32 *row_start = g->start + ((size_t)y << g->top);
		n += row_start[s.right + 1] - row_start[s.left];
	}
	return n;
}

void map_grid_each(const struct map_grid *g, const struct map_window *v,
		   void (*fn)(void *context, u32 point, f64 x, f64 y), void *context)
{
	struct span_of s = touched(g, v, g->top);
	f64 right = v->x + v->w * v->dot_w, below = v->y + v->h * v->dot_h;
	for (i64 y = s.above; y <= s.below && !s.empty; y++) {
		const u32 *row_start = g->start + ((size_t)y << g->top);
		for (u32 at = row_start[s.left]; at < row_start[s.right + 1]; at++) {
			f64 px = (f64)g->xy[2 * (size_t)at], py = (f64)g->xy[2 * (size_t)at + 1];
			if (px >= v->x && px < right && py >= v->y && py < below)
				fn(context, g->point[at], px, py);
		}
	}
}

static void count_points(const struct map_grid *g, const struct map_window *v, u32 *count)
{
	struct span_of s = touched(g, v, g->top);
	f64 per_x = 1 / v->dot_w, per_y = 1 / v->dot_h;
	for (i64 y = s.above; y <= s.below && !s.empty; y++) {
		const u32 *row_start = g->start + ((size_t)y << g->top);
		for (u32 at = row_start[s.left]; at < row_start[s.right + 1]; at++) {
			f64 dx = ((f64)g->xy[2 * (size_t)at] - v->x) * per_x;
			f64 dy = ((f64)g->xy[2 * (size_t)at + 1] - v->y) * per_y;
			if (dx >= 0 && dy >= 0 && dx < v->w && dy < v->h)
				count[(size_t)dy * (size_t)v->w + (size_t)dx]++;
		}
	}
}

/* A cell counts for the dot its middle lies in. */
static u64 count_cells(const struct map_grid *g, const struct map_window *v, int level, u32 *count)
{
	struct span_of s = touched(g, v, level);
	f64 cell_w = g->box.w / (f64)(1 << level), cell_h = g->box.h / (f64)(1 << level);
	size_t width = (size_t)(s.right - s.left + 1);
	if (s.empty)
		return 0;
	i32 *to = xmalloc(width * sizeof *to);
	for (i64 x = s.left; x <= s.right; x++) {
		f64 dx = floor((g->box.x + ((f64)x + 0.5) * cell_w - v->x) / v->dot_w);
		to[x - s.left] = dx >= 0 && dx < v->w ? (i32)dx : -1;
	}
	for (i64 y = s.above; y <= s.below; y++) {
		f64 dy = floor((g->box.y + ((f64)y + 0.5) * cell_h - v->y) / v->dot_h);
		if (dy < 0 || dy >= v->h)
			continue;
		u32 *line = count + (size_t)dy * (size_t)v->w;
		size_t first = (size_t)y << level | (size_t)s.left;
		for (size_t x = 0; x < width; x++)
			if (to[x] >= 0)
				line[to[x]] += count_of(g, level, first + x);
	}
	free(to);
	return (u64)width * (u64)(s.below - s.above + 1);
}

static f64 cells_a_dot(const struct map_grid *g, const struct map_window *v, int level)
{
	f64 side = (f64)(1 << level);
	return v->dot_w * side / g->box.w * (v->dot_h * side / g->box.h);
}

/* Cells of a level in a dot's shorter side. */
static f64 cells_across(const struct map_grid *g, const struct map_window *v, int level)
{
	f64 side = (f64)(1 << level);
	return fmin(v->dot_w * side / g->box.w, v->dot_h * side / g->box.h);
}

void map_grid_count(const struct map_grid *g, const struct map_window *v, u32 *count, u64 *work)
{
	u64 dots = (u64)v->w * (u64)v->h, points = map_grid_n_in(g, v);
	f64 finer = dots > MANY_DOTS ? FINER_MANY : FINER;
	int level = 0;
	while (level < g->top && cells_across(g, v, level) < finer)
		level++;
	/* finer than is seen is slower than a key may be */
	if (level && cells_a_dot(g, v, level) > MOST_A_DOT && cells_across(g, v, level - 1) >= FINER_MANY)
		level--;
	bool one_by_one = points <= EACH_PER_DOT * dots || cells_across(g, v, level) < FINER_MANY;
	u64 looked = points;
	if (one_by_one)
		count_points(g, v, count);
	else
		looked = count_cells(g, v, level, count);
	if (work)
		*work = looked;
}

f64 map_grid_crowd(const struct map_grid *g, f64 w, f64 h)
{
	int level = 0;
	while (level < g->top && g->box.w * g->box.h / (f64)((u64)1 << 2 * level) > w * h)
		level++;
	f64 cell = g->box.w * g->box.h / (f64)((u64)1 << 2 * level);
	return fmax(1, g->crowd[level] * w * h / cell);
}

/* ---- looking for a point ---- */

struct look {
	const struct map_grid *g;
	const struct map_window *v;
	f64 x, y, least;
	int dx, dy;  /* both 0: any direction */
	u32 best;
	f64 cost;
};

static void consider(struct look *l, i64 cx, i64 cy)
{
	const struct map_grid *g = l->g;
	size_t cell = (size_t)cy << g->top | (size_t)cx;
	for (u32 at = g->start[cell]; at < g->start[cell + 1]; at++) {
		f64 dx = ((f64)g->xy[2 * (size_t)at] - l->x) / l->v->dot_w;
		f64 dy = ((f64)g->xy[2 * (size_t)at + 1] - l->y) / l->v->dot_h;
		f64 along = l->dx ? dx * l->dx : dy * l->dy, across = l->dx ? fabs(dy) : fabs(dx), cost;
		if (!l->dx && !l->dy)
			cost = dx * dx + dy * dy;
		else if (along < l->least || across > along)
			continue;
		else
			cost = (along + across) * (along + across);
		if (cost < l->cost || (cost <= l->cost && g->point[at] < l->best)) {
			l->cost = cost;
			l->best = g->point[at];
		}
	}
}

/* What a point in a cell of a level costs at least; infinite where none can be meant.  A point may lie out of
 * its cell by a rounding. */
static f64 least_cost(const struct look *l, int level, i64 cx, i64 cy)
{
	const struct map_grid *g = l->g;
	f64 w = g->box.w / (f64)(1 << level), h = g->box.h / (f64)(1 << level), slack = 1e-6;
	f64 left = (g->box.x + ((f64)cx - slack) * w - l->x) / l->v->dot_w;
	f64 right = (g->box.x + ((f64)cx + 1 + slack) * w - l->x) / l->v->dot_w;
	f64 above = (g->box.y + ((f64)cy - slack) * h - l->y) / l->v->dot_h;
	f64 below = (g->box.y + ((f64)cy + 1 + slack) * h - l->y) / l->v->dot_h;
	f64 x = fmax(fmax(left, -right), 0), y = fmax(fmax(above, -below), 0);
	if (!l->dx && !l->dy)
		return x * x + y * y;
	f64 near = l->dx > 0 ? left : l->dx < 0 ? -right : l->dy > 0 ? above : -below;
	f64 far = l->dx > 0 ? right : l->dx < 0 ? -left : l->dy > 0 ? below : -above, across = l->dx ? y : x;
	if (far < l->least || across > far)
		return INFINITY;
	f64 cost = fmax(near, fmax(l->least, across)) + across;
	return cost * cost;
}

/* A cell of a level and all in it: the promising quarter first, none that is empty or too far. */
static void look_into(struct look *l, int level, i64 cx, i64 cy)
{
	struct quarter {
		i64 x, y;
		f64 cost;
	} q[4];
	if (level == l->g->top) {
		consider(l, cx, cy);
		return;
	}
	for (int i = 0; i < 4; i++) {
		struct quarter one = {2 * cx + i % 2, 2 * cy + i / 2, INFINITY};
		int k = i;
		if (count_of(l->g, level + 1, (size_t)one.y << (level + 1) | (size_t)one.x))
			one.cost = least_cost(l, level + 1, one.x, one.y);
		for (; k > 0 && q[k - 1].cost > one.cost; k--)
			q[k] = q[k - 1];
		q[k] = one;
	}
	for (int i = 0; i < 4; i++)
		if (isfinite(q[i].cost) && q[i].cost <= l->cost)
			look_into(l, level + 1, q[i].x, q[i].y);
}

static u32 search(struct look *l)
{
	l->best = MAP_NONE;
	l->cost = INFINITY;
	if (l->g->n)
		look_into(l, 0, 0, 0);
	return l->best;
}

u32 map_grid_near(const struct map_grid *g, const struct map_window *v, f64 x, f64 y)
{
	struct look l = {.g = g, .v = v, .x = x, .y = y};
	return search(&l);
}

u32 map_grid_toward(const struct map_grid *g, const struct map_window *v, f64 x, f64 y, int dx, int dy, f64 least)
{
	struct look l = {.g = g, .v = v, .x = x, .y = y, .least = least, .dx = dx, .dy = dy};
	return search(&l);
}

u32 map_grid_step(const struct map_grid *g, u32 point, i64 delta)
{
	u32 at = point < g->n_all ? g->place[point] : MAP_NONE;
	if (at == MAP_NONE || (i64)at + delta < 0 || (i64)at + delta >= (i64)g->n)
		return MAP_NONE;
	return g->point[(i64)at + delta];
}
