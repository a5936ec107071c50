/* SPDX-License-Identifier: MIT */
/* view_graph.h - what the files of the neighbourhood screen share. */
#ifndef FEATLAS_VIEW_GRAPH_H
#define FEATLAS_VIEW_GRAPH_H

#include "core/layout.h"
#include "view/app.h"

enum graph_want { GRAPH_NOTHING, GRAPH_CENTRE, GRAPH_EXPAND };

struct graph_view {
	struct graph_source source; /* for any thread; it may wait */
	enum graph_want want;       /* what is to be done when its lists are at hand */
	u32 wanted;                 /* the feature it is about */
	size_t n_wanted;            /* of its neighbours */
	struct graph_known *known;  /* lists that were computed; owned */
	size_t n_known;
	struct graph *graph;
	struct layout_box box[GRAPH_MAX_NODES];
	u32 walk[GRAPH_MAX_NODES][4];
	u32 current;          /* node */
	u32 selected;         /* feature that Space chose last, or NO_FEATURE */
	bool as_list;
	int laid_w, laid_h;   /* what box was laid out for; 0: anew */
	u32 order[GRAPH_MAX_NODES]; /* of the list: a tree, children by arrival */
	size_t top;           /* first row of the list */
	char note[96];        /* "path of 4, costs 0.85", in the title line */
};

/* Opens on a feature: -1 where neighbours are not to be had. */
int graph_begin(struct view *v, u32 feature, struct err *e);
/* Another centre (n is not used), or up to n more neighbours of a feature that is shown: now, or soon. */
void graph_want(struct view *v, enum graph_want what, u32 feature, size_t n);
void graph_go_on(struct view *v);
/* After the graph has changed: the feature under the cursor. */
void graph_changed(struct graph_view *s, u32 feature);
bool graph_is_exact(const struct graph_source *source); /* each list takes a pass over the decoder */

/* "by decoder, 2 hops, 21 of 27 nodes". */
void graph_add_status(struct view *v, struct buf *out);
/* Rows of the pane below the drawing. */
int graph_pane_rows(int h);
void graph_draw(struct view *v, struct rect r);
void graph_draw_list(struct view *v, struct rect r);
void graph_draw_pane(struct view *v, struct rect r);
/* The order of the list, from the graph. */
void graph_order(struct graph_view *s);
/* Cosine of two features' decoder rows; NaN when a row is zero. */
f32 graph_cosine(struct view *v, u32 a, u32 b);
/* The node's label as it would like to stand: cells. */
i32 graph_label_width(struct view *v, u32 node);

/* x: DOT, JSON, SVG. */
size_t graph_savings(struct view *v, const struct app_menu_item **items);
void graph_save(struct view *v, size_t index);

#endif
