/* SPDX-License-Identifier: MIT */
/* view_map.h - what the files of the map screen share. */
#ifndef FEATLAS_VIEW_MAP_H
#define FEATLAS_VIEW_MAP_H

#include "core/map_grid.h"
#include "view/app.h"

enum { MAP_MAX_ZOOM = 16, MAP_SHOWN_NEIGHBOURS = 16, MAP_HITS = 65536, MAP_PATH = 24 };

struct map_place {
	f64 x, y;
};

struct map_view {
	const struct map *map;
	struct map_grid *grid;       /* NULL: still being sorted */
	struct map_anchor *clusters, *parts;
	u32 current;
	f64 x, y;                    /* the middle of the window */
	int zoom;                    /* each step halves a dot */
	bool placed;                 /* the window has been put somewhere */
	struct {
		bool is;
		f64 x, y;
		int zoom;
	} kept;                      /* where it was in the session before */
	struct map_place *hits;      /* of the search, evenly thinned where there are too many */
	size_t n_hits;
	u32 near[MAP_SHOWN_NEIGHBOURS], near_of; /* of the current one, or of none: not read yet */
	size_t n_near, n_stored;     /* drawn; and in the atlas, as a feature's page counts them */
	u32 selected;                /* feature that Space chose last, or NO_FEATURE */
	u32 path[MAP_PATH];
	size_t n_path;
	int drag_x, drag_y;
	bool dragged;
};

/* Rows of the pane below the map. */
int map_pane_rows(int h);
/* The window on a body of w x h cells, pane left out. */
struct map_window map_window_of(const struct map_view *s, int w, int h);
/* The cell of a place; false if it lies outside the window. */
bool map_cell_of(const struct map_window *win, f64 x, f64 y, int *cx, int *cy);
void map_draw(struct view *v, struct rect r);
void map_draw_pane(struct view *v, struct rect r);

/* True where the window holds so few features that they are named singly. */
bool map_names_features(const struct map_view *s, const struct map_window *win);
/* Names of groups where there is room, the same whatever is marked, but that one steps aside from a mark beside it.
 * mark [h][w]: 1 where a mark will stand.  name [h][w] becomes 1 where a name stands, so that marks go beside or
 * into it. */
void map_draw_groups(struct view *v, struct rect r, const struct map_window *win, const u8 *mark, u8 *name);
/* Labels of all features beside their dots, where there is room. */
void map_draw_features(struct view *v, struct rect r, const struct map_window *win);

#endif
