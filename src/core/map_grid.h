/* SPDX-License-Identifier: MIT */
/* map_grid.h - a map in a grid of cells, so that a part of it can be drawn, counted and walked.
 *
 * Points lie sorted by cell, row after row, with counts of coarser and coarser grids above them, so
 * that drawing costs in proportion to the dots that are drawn and not to the points of the map:
 * where a window holds few points they are counted one by one, else by the cells of the grid that
 * is a little finer than the dots.  About four cells a point, 20 bytes a point.  Thread-safe to read.
 */
#ifndef FEATLAS_MAP_GRID_H
#define FEATLAS_MAP_GRID_H

#include "core/map.h"

struct map_grid;

/* Points whose numbers are not finite are left out. */
struct map_grid *map_grid_new(const struct map *m, u32 n, struct err *e);
struct map_grid *map_grid_of(const f32 *xy /* [n][2] */, u32 n, struct err *e);
void map_grid_free(struct map_grid *g); /* NULL is fine */

struct map_box {
	f64 x, y, w, h;
};
struct map_box map_grid_box(const struct map_grid *g); /* around all points; w and h above 0 */
u32 map_grid_n(const struct map_grid *g);
/* The place of a point; false where it was left out. */
bool map_grid_at(const struct map_grid *g, u32 point, f64 *x, f64 *y);

/* A window of w x h dots, each dot_w x dot_h of the map, from x, y. */
struct map_window {
	f64 x, y, dot_w, dot_h;
	int w, h;
};

/* count [h][w], added to; `work` (or NULL) gets how many points and cells were looked at. */
void map_grid_count(const struct map_grid *g, const struct map_window *v, u32 *count, u64 *work);
/* At least as many points as a window holds, and not many more. */
u64 map_grid_n_in(const struct map_grid *g, const struct map_window *v);
/* Every point of a window, in the order of the grid. */
void map_grid_each(const struct map_grid *g, const struct map_window *v,
		   void (*fn)(void *context, u32 point, f64 x, f64 y), void *context);

/* How many points share an area of w x h of the map with a point, on the average of all points. */
f64 map_grid_crowd(const struct map_grid *g, f64 w, f64 h);

/* The point nearest to a place, distance in dots of v; MAP_NONE in an empty grid. */
u32 map_grid_near(const struct map_grid *g, const struct map_window *v, f64 x, f64 y);
/* The nearest point to the left (dx -1), right, above (dy -1) or below a place, within the quarter
 * that the direction is the middle of and at least `least` dots away; MAP_NONE if there is none. */
u32 map_grid_toward(const struct map_grid *g, const struct map_window *v, f64 x, f64 y, int dx, int dy, f64 least);
/* The point `delta` places after one in the order of the grid; MAP_NONE at the ends. */
u32 map_grid_step(const struct map_grid *g, u32 point, i64 delta);

/* ---- where groups lie ---- */

struct map_anchor {
	f64 x, y; /* the middle of its members, the far ones left out */
	u32 n;
};
/* Of all clusters, or of all parts: owned, one each; n 0: no member has a place. */
struct map_anchor *map_anchors(const struct map *m, u32 n_features, bool parts, struct progress *p);

#endif
