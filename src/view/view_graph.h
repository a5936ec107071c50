/* SPDX-License-Identifier: MIT */
/* view_graph.h - what the files of the neighbourhood screen share. */
#ifndef FEATLAS_VIEW_GRAPH_H
#define FEATLAS_VIEW_GRAPH_H

#include "core/layout.h"
#include "view/app.h"

struct graph_view {
	struct graph_source source;
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

/* DOT, JSON, SVG by a menu. */
void graph_export(struct view *v);

#endif
