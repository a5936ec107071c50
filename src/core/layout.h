/* SPDX-License-Identifier: MIT */
/* layout.h - a neighbourhood graph into integer cells, and the walk from label to label.
 *
 * A label is a box one cell high.  The start is radial: the centre in the middle, each node
 * in its parent's sector, like beside like; springs along edges and repulsion between boxes
 * then loosen it (Fruchterman and Reingold 1991); last, each box is put into the free cells
 * nearest to where it wants to be, in order of hop and arrival.  So boxes never overlap and
 * never leave the area; where there is no room, labels are narrowed, and then left out.
 * Same input, same output: only + - * / and sqrt, which IEEE 754 fixes to the bit.
 */
#ifndef FEATLAS_LAYOUT_H
#define FEATLAS_LAYOUT_H

#include "core/graph.h"

enum { LAYOUT_MIN_WIDTH = 4 };

struct layout_box {
	i32 x, y, w; /* cells [x, x + w) of row y; w 0: no room, not placed */
};

/* label_width: cells each node's label would like, at least 1.  area: width x height. */
void layout_graph(const struct graph *g, const i32 *label_width, i32 width, i32 height,
		  struct layout_box *out);

enum layout_direction { LAYOUT_LEFT, LAYOUT_DOWN, LAYOUT_UP, LAYOUT_RIGHT };

/* next[i][d]: the placed box nearest to box i in a direction, or GRAPH_NONE.  From any placed
 * box every other can be reached. */
void layout_walk(const struct layout_box *box, size_t n, u32 (*next)[4]);

#endif
