/* SPDX-License-Identifier: MIT */
/* view_map.c - all features in the plane: pan, zoom, walk to the nearest. */
#include "view/view_map.h"
#include "base/bits.h"
#include "base/mem.h"
#include "base/shell.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 50000 /* features that are sorted while a key waits */, EDGE = 2 };

static struct atlas *atlas_of(struct view *v)
{
	return app_session(v->app)->atlas;
}

/* ---- life: points are sorted once, beside the screen where they are many ---- */

struct base {
	const struct map *map;
	u32 n;
	struct map_grid *grid;
	struct map_anchor *clusters, *parts;
	struct err e;
};

static void build(void *context, struct progress *p)
{
	struct base *b = context;
	struct pages w = {.asks = true};
	progress_start(p, "sorting", "features", 0);
	if (!map_there(b->map, &w))
		pages_wait(&w);
	pages_release(&w);
	b->grid = map_grid_new(b->map, b->n, &b->e);
	if (!b->grid || progress_cancelled(p))
		return;
	b->clusters = map_anchors(b->map, b->n, false, p);
	b->parts = map_anchors(b->map, b->n, true, p);
}

static void release_base(void *context)
{
	struct base *b = context;
	map_grid_free(b->grid);
	free(b->clusters);
	free(b->parts);
	free(b);
}

static void fit(struct map_view *s)
{
	struct map_box box = map_grid_box(s->grid);
	s->x = box.x + box.w / 2;
	s->y = box.y + box.h / 2;
	s->zoom = 0;
}

/* The middle stays within the box of all points. */
static void move_to(struct map_view *s, f64 x, f64 y)
{
	struct map_box box = map_grid_box(s->grid);
	s->x = fmin(fmax(x, box.x), box.x + box.w);
	s->y = fmin(fmax(y, box.y), box.y + box.h);
}

static void place_as_kept(struct map_view *s)
{
	if (!s->kept.is)
		return;
	s->placed = true;
	s->zoom = s->kept.zoom;
	move_to(s, s->kept.x, s->kept.y);
}

/* The places of search hits as a list, so that a frame need not look at every feature. */
static void find_hits(struct view *v)
{
	struct map_view *s = view_state(v);
	const u64 *bits = app_hits(v->app);
	u64 n = bits ? app_n_hits(v->app) : 0, every = n / MAP_HITS + 1, seen = 0, n_features = atlas_of(v)->n_features;
	free(s->hits);
	s->hits = n && s->grid ? xmalloc((size_t)(n / every + 1) * sizeof *s->hits) : NULL;
	s->n_hits = 0;
	for (u64 f = 0; s->hits && (f = bits_next(bits, n_features, f)) < n_features; f++) {
		f64 x, y;
		if (seen++ % every == 0 && s->n_hits < n / every + 1 && map_grid_at(s->grid, (u32)f, &x, &y))
			s->hits[s->n_hits++] = (struct map_place){x, y};
	}
}

static void built(struct view *v, void *context)
{
	struct map_view *s = view_state(v);
	struct base *b = context;
	if (!b->grid) {
		app_error(v->app, &b->e);
		return;
	}
	s->grid = b->grid;
	s->clusters = b->clusters;
	s->parts = b->parts;
	b->grid = NULL;
	b->clusters = b->parts = NULL;
	find_hits(v);
	fit(s);
	place_as_kept(s);
}

static void find_near(struct view *v)
{
	struct map_view *s = view_state(v);
	struct atlas_neighbour list[VIEW_NEIGHBOURS];
	if (s->near_of == s->current)
		return;
	s->n_near = s->n_stored = 0;
	if (!app_has(v->app, s->current, ATLAS_NEIGHBOURS))
		return;
	s->near_of = s->current;
	s->n_stored = atlas_neighbours(atlas_of(v), s->current, list, VIEW_NEIGHBOURS);
	s->n_near = MIN(s->n_stored, (size_t)MAP_SHOWN_NEIGHBOURS);
	for (size_t i = 0; i < s->n_near; i++)
		s->near[i] = list[i].id;
}

static int open_map(struct view *v, const struct target *t, struct err *e)
{
	struct map_view *s = view_state(v);
	struct atlas *a = atlas_of(v);
	if (atlas_missing(a, "map"))
		return err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(a, "map"));
	s->map = a->map;
	s->selected = NO_FEATURE;
	s->current = t ? t->feature : NO_FEATURE;
	if (s->current == NO_FEATURE && !app_current_feature(v->app, &s->current))
		s->current = 0;
	s->near_of = NO_FEATURE;
	struct base *b = xcalloc(1, sizeof *b);
	*b = (struct base){.map = a->map, .n = a->n_features};
	struct pages seen = {0};
	if (a->n_features > AT_ONCE || !(app_is_script(v->app) || map_there(a->map, &seen))) {
		app_job(v, &(struct app_job){.lane = LANE_FREE, .what = "sorting the map", .work = build,
					     .done = built, .release = release_base}, b);
		return 0;
	}
	build(b, NULL);
	int r = b->grid ? 0 : err_set(e, b->e.code, "%s", b->e.msg);
	if (!r)
		built(v, b);
	release_base(b);
	return r;
}

static void close_map(struct view *v)
{
	struct map_view *s = view_state(v);
	map_grid_free(s->grid);
	free(s->clusters);
	free(s->parts);
	free(s->hits);
}

/* ---- the window ---- */

static int map_rows(const struct view *v)
{
	return MAX(v->h - map_pane_rows(v->h), 1);
}

static struct map_window window(const struct view *v)
{
	return map_window_of(view_state((struct view *)(uintptr_t)v), v->w, map_rows(v));
}

static void pan(struct view *v, int dx, int dy, int count)
{
	struct map_view *s = view_state(v);
	struct map_window win = window(v);
	/* whole cells, so that what stays is drawn with the same dots */
	f64 cells_x = MAX(v->w / 3, 1), cells_y = MAX(map_rows(v) / 3, 1), n = MAX(count, 1);
	move_to(s, s->x + dx * n * cells_x * 2 * win.dot_w, s->y + dy * n * cells_y * 4 * win.dot_h);
}

/* Zooms with a place staying where it is on the screen. */
static void zoom_at(struct view *v, int steps, f64 x, f64 y)
{
	struct map_view *s = view_state(v);
	int zoom = MIN(MAX(s->zoom + steps, 0), MAP_MAX_ZOOM);
	if (zoom == s->zoom) {
		app_message(v->app, zoom ? "as near as it gets" : "all of the map is on the screen");
		return;
	}
	f64 scale = ldexp(1, s->zoom - zoom);
	s->zoom = zoom;
	move_to(s, x + (s->x - x) * scale, y + (s->y - y) * scale);
	if (!zoom)
		fit(s);
}

static bool current_cell(struct view *v, int *cx, int *cy)
{
	struct map_view *s = view_state(v);
	struct map_window win = window(v);
	f64 x, y;
	return map_grid_at(s->grid, s->current, &x, &y) && map_cell_of(&win, x, y, cx, cy);
}

static void zoom(struct view *v, int steps)
{
	struct map_view *s = view_state(v);
	int cx, cy;
	f64 x = s->x, y = s->y;
	if (current_cell(v, &cx, &cy))
		map_grid_at(s->grid, s->current, &x, &y);
	zoom_at(v, steps, x, y);
}

/* Moves the window only if the feature is not well inside it. */
static void show_current(struct view *v)
{
	struct map_view *s = view_state(v);
	struct map_window win = window(v);
	int cx, cy, h = map_rows(v), margin = MIN(EDGE, (h - 1) / 2);
	f64 x, y;
	if (!map_grid_at(s->grid, s->current, &x, &y))
		return;
	bool inside = map_cell_of(&win, x, y, &cx, &cy);
	if (!inside)
		move_to(s, x, y);
	else if (cx < EDGE || cx >= v->w - EDGE)
		pan(v, cx < EDGE ? -1 : 1, 0, 1);
	else if (s->zoom && (cy < margin || cy >= h - margin))
		pan(v, 0, cy < margin ? -1 : 1, 1);
}

static void choose(struct view *v, u32 feature)
{
	struct map_view *s = view_state(v);
	s->current = feature;
	show_current(v);
}

/* To the nearest in a direction; from the middle if the current one is not to be seen. */
static void walk(struct view *v, int dx, int dy, int count)
{
	struct map_view *s = view_state(v);
	for (int i = 0; i < MAX(count, 1); i++) {
		struct map_window win = window(v);
		int cx, cy;
		f64 x = s->x, y = s->y;
		u32 to;
		if (current_cell(v, &cx, &cy)) {
			map_grid_at(s->grid, s->current, &x, &y);
			to = map_grid_toward(s->grid, &win, x, y, dx, dy, dx ? 1.5 : 3);
			if (to == MAP_NONE) /* within a cell, where that is all there is */
				to = map_grid_toward(s->grid, &win, x, y, dx, dy, 1e-3);
		} else {
			to = map_grid_near(s->grid, &win, x, y);
		}
		if (to == MAP_NONE || to == s->current)
			return;
		choose(v, to);
	}
}

static void next_hit(struct view *v, int direction)
{
	struct map_view *s = view_state(v);
	u32 n = atlas_of(v)->n_features;
	if (!app_hits(v->app) || !app_n_hits(v->app)) {
		app_message(v->app, app_pattern(v->app) ? "no label matches" : "nothing is searched for; / does");
		return;
	}
	u64 to = bits_step(app_hits(v->app), n, s->current, direction);
	if (to < n)
		choose(v, (u32)to);
}

/* ] and [ go through the grid row after row, so that features in one place are reached too. */
static bool step_from(struct view *v, u32 from, int delta, u32 *to)
{
	struct map_view *s = view_state(v);
	*to = s->grid ? map_grid_step(s->grid, from, delta) : MAP_NONE;
	if (*to == MAP_NONE)
		return false;
	choose(v, *to);
	return true;
}

static void step(struct view *v, int delta)
{
	struct map_view *s = view_state(v);
	u32 to;
	if (!step_from(v, s->current, delta, &to))
		app_message(v->app, delta > 0 ? "that is the last on the map" : "that is the first on the map");
}

static void mark(struct view *v)
{
	struct map_view *s = view_state(v);
	bool on = !app_is_marked(v->app, s->current);
	app_mark(v->app, s->current, on);
	s->selected = on ? s->current : NO_FEATURE;
}

/* ---- actions ---- */

static bool is_mine(enum action a)
{
	switch (a) {
	case ACT_LEFT: case ACT_RIGHT: case ACT_UP: case ACT_DOWN:
	case ACT_PAN_LEFT: case ACT_PAN_RIGHT: case ACT_PAN_UP: case ACT_PAN_DOWN:
	case ACT_HALF_DOWN: case ACT_HALF_UP: case ACT_PAGE_DOWN: case ACT_PAGE_UP:
	case ACT_MORE: case ACT_LESS: case ACT_CENTRE: case ACT_FIT: case ACT_NEXT_HIT: case ACT_PREVIOUS_HIT:
	case ACT_NEXT_FEATURE: case ACT_PREVIOUS_FEATURE:
		return true;
	default:
		return false;
	}
}

static const char *why_not(struct view *v, enum action a)
{
	struct map_view *s = view_state(v);
	f64 x, y;
	if (!s->grid && is_mine(a))
		return "the map is still being sorted";
	if (a == ACT_FIRST || a == ACT_LAST)
		return "a map has no first line: f shows all of it, ] goes on";
	if (a == ACT_CENTRE && !map_grid_at(s->grid, s->current, &x, &y))
		return "this feature has no place on the map";
	return NULL;
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct map_view *s = view_state(v);
	switch (a) {
	case ACT_LEFT: walk(v, -1, 0, count); return VIEW_HANDLED;
	case ACT_RIGHT: walk(v, 1, 0, count); return VIEW_HANDLED;
	case ACT_UP: walk(v, 0, -1, count); return VIEW_HANDLED;
	case ACT_DOWN: walk(v, 0, 1, count); return VIEW_HANDLED;
	case ACT_PAN_LEFT: pan(v, -1, 0, count); return VIEW_HANDLED;
	case ACT_PAN_RIGHT: pan(v, 1, 0, count); return VIEW_HANDLED;
	case ACT_PAN_UP: case ACT_HALF_UP: case ACT_PAGE_UP: pan(v, 0, -1, count); return VIEW_HANDLED;
	case ACT_PAN_DOWN: case ACT_HALF_DOWN: case ACT_PAGE_DOWN: pan(v, 0, 1, count); return VIEW_HANDLED;
	case ACT_MORE: zoom(v, MAX(count, 1)); return VIEW_HANDLED;
	case ACT_LESS: zoom(v, -MAX(count, 1)); return VIEW_HANDLED;
	case ACT_FIT: fit(s); return VIEW_HANDLED;
	case ACT_CENTRE: {
		f64 x, y;
		map_grid_at(s->grid, s->current, &x, &y);
		move_to(s, x, y);
		return VIEW_HANDLED;
	}
	case ACT_NEXT_HIT: next_hit(v, 1); return VIEW_HANDLED;
	case ACT_PREVIOUS_HIT: next_hit(v, -1); return VIEW_HANDLED;
	case ACT_NEXT_FEATURE: step(v, MAX(count, 1)); return VIEW_HANDLED;
	case ACT_PREVIOUS_FEATURE: step(v, -MAX(count, 1)); return VIEW_HANDLED;
	case ACT_MARK: mark(v); return VIEW_HANDLED;
	case ACT_OPEN: app_push_feature(v->app, s->current); return VIEW_HANDLED;
	default: return VIEW_IGNORED;
	}
}

/* ---- the mouse ---- */

static void take(struct view *v, int x, int y)
{
	struct map_view *s = view_state(v);
	struct map_window win = window(v);
	u32 f = map_grid_near(s->grid, &win, win.x + (2 * x + 1) * win.dot_w, win.y + (4 * y + 2) * win.dot_h);
	if (f != MAP_NONE) {
		s->current = f;
	}
}

static void click(struct view *v, int x, int y, int times)
{
	struct map_view *s = view_state(v);
	if (!s->grid || y >= map_rows(v))
		return;
	if (times > 1)
		app_push_feature(v->app, s->current);
	else
		take(v, x, y);
}

static bool wheel(struct view *v, int x, int y, int steps)
{
	struct map_view *s = view_state(v);
	if (!s->grid)
		return true;
	struct map_window win = window(v);
	zoom_at(v, steps, win.x + (2 * x + 1) * win.dot_w, win.y + (4 * MIN(y, map_rows(v) - 1) + 2) * win.dot_h);
	return true;
}

/* ---- what the app asks ---- */

static void crumb(struct view *v, struct buf *out)
{
	(void)v;
	buf_adds(out, "map");
}

static void status(struct view *v, struct buf *out)
{
	struct map_view *s = view_state(v);
	if (v->w >= 100)
		buf_addf(out, "%u features, ", (unsigned)atlas_of(v)->n_features);
	buf_addf(out, "%u clusters", (unsigned)map_n_clusters(s->map));
	if (s->zoom)
		buf_addf(out, "  %gx", ldexp(1, s->zoom));
}

static bool current(struct view *v, u32 *feature)
{
	struct map_view *s = view_state(v);
	*feature = s->current;
	return true;
}

static void changed(struct view *v, enum view_change what)
{
	if (what == CHANGE_HITS)
		find_hits(v);
}

static void add_name(struct buf *out, const char *what, u32 number, struct span name)
{
	if (number == MAP_NONE) {
		buf_addf(out, "%s: none\n", what);
		return;
	}
	buf_addf(out, "%s: %u, '", what, (unsigned)number);
	utf8_add_safe(out, (const char *)name.p, name.n);
	buf_adds(out, "'\n");
}

static void exact(struct view *v, struct buf *out)
{
	struct map_view *s = view_state(v);
	f32 xy[2];
	if (map_xy(s->map, s->current, xy))
		buf_addf(out, "#%u: x %.9g, y %.9g\n", (unsigned)s->current, (double)xy[0], (double)xy[1]);
	u32 c = map_cluster(s->map, s->current), p = map_part(s->map, s->current);
	add_name(out, "cluster", c, map_cluster_name(s->map, c));
	add_name(out, "part", p, map_part_name(s->map, p));
	char *path = xasprintf("%s/map.safetensors", atlas_of(v)->folder);
	shell_add_path(out, path);
	free(path);
}

static void command(struct view *v, struct buf *out)
{
	struct map_view *s = view_state(v);
	atlas_add_command(atlas_of(v), "near", out);
	buf_addf(out, " %u -k %d", (unsigned)s->current, MAP_SHOWN_NEIGHBOURS);
}

static void keep(struct view *v, struct buf *out)
{
	const struct map_view *s = view_state(v);
	if (s->placed)
		buf_addf(out, "%d %.17g %.17g", s->zoom, s->x, s->y);
	else if (s->kept.is) /* still being sorted */
		buf_addf(out, "%d %.17g %.17g", s->kept.zoom, s->kept.x, s->kept.y);
}

static void take_up(struct view *v, const char *line)
{
	struct map_view *s = view_state(v);
	f64 zoom;
	s->kept.is = sscanf(line, "%lf %lf %lf", &zoom, &s->kept.x, &s->kept.y) == 3 && zoom >= 0 &&
		     zoom <= MAP_MAX_ZOOM && isfinite(s->kept.x) && isfinite(s->kept.y);
	s->kept.zoom = s->kept.is ? (int)zoom : 0;
	if (s->grid)
		place_as_kept(s);
}

static void draw(struct view *v, struct rect r)
{
	struct map_view *s = view_state(v);
	int pane = map_pane_rows(r.h);
	if (!s->grid) {
		view_put_sentence(r, 1, 1, "the map is being sorted …");
		return;
	}
	if (!s->placed) {
		s->placed = true;
		show_current(v);
	}
	find_near(v);
	map_draw(v, rect_sub(r, 0, 0, r.w, r.h - pane));
	map_draw_pane(v, rect_sub(r, 0, r.h - pane, r.w, pane));
}

const struct view_class view_map = {
	.name = "map",
	.size = sizeof(struct map_view),
	.hints = {{ACT_OPEN, "open"}, {ACT_MORE, "zoom", ACT_LESS}, {ACT_FIT, "fit"},
		  {ACT_SEARCH, "light up"}, {ACT_NEXT_HIT, "hit"}, {ACT_CENTRE, "centre"}, {ACT_GO_GRAPH, "graph"}},
	.open = open_map,
	.close = close_map,
	.draw = draw,
	.act = act,
	.crumb = crumb,
	.status = status,
	.why_not = why_not,
	.current = current,
	.step = step_from,
	.changed = changed,
	.exact = exact,
	.command = command,
	.click = click,
	.wheel = wheel,
	.keep = keep,
	.take_up = take_up,
};
