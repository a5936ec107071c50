/* SPDX-License-Identifier: MIT */
/* graph.h - the neighbourhood of a feature: nodes, weighted edges, expand, collapse, path.
 *
 * A tree of who brought whom (parent), plus an edge between any two shown nodes where one
 * lists the other among its nearest.  Node 0 is the centre.  Order is by arrival, and
 * arrival is by score and then id, so the same calls give the same graph.  Where neighbours
 * come from is a function: the stored lists, an exact search, co-activation.  One thread.
 */
#ifndef FEATLAS_GRAPH_H
#define FEATLAS_GRAPH_H

#include "core/atlas.h"

enum { GRAPH_MAX_NODES = 64, GRAPH_LIST = 24 /* neighbours asked for a node */ };
#define GRAPH_NONE UINT32_MAX

struct graph_source {
	/* Nearest of a feature, best first, without itself; returns how many, at most cap. */
	size_t (*near)(void *context, u32 feature, struct atlas_neighbour *out, size_t cap);
	void *context;
};

struct graph_node {
	u32 id;         /* feature */
	u32 parent;     /* index of the node that brought it; GRAPH_NONE for the centre */
	u32 hop;        /* steps along parents */
	f32 score;      /* of the edge to the parent; 1 for the centre */
	u32 n_listed;   /* neighbours it lists */
	u32 n_hidden;   /* of these, not shown */
	bool pinned;    /* stays when its parent collapses */
	bool on_path;   /* of the last graph_show_path */
};

struct graph_edge {
	u32 a, b;   /* nodes, a < b */
	f32 weight;
	bool tree;  /* parent and child */
};

struct graph;

struct graph *graph_new(const struct graph_source *source, u32 centre, size_t n_first);
void graph_free(struct graph *g); /* NULL is fine */
size_t graph_n_nodes(const struct graph *g);
const struct graph_node *graph_node(const struct graph *g, u32 i);
size_t graph_n_edges(const struct graph *g);
const struct graph_edge *graph_edge(const struct graph *g, u32 i); /* by a, then b */
u32 graph_find(const struct graph *g, u32 feature); /* node, or GRAPH_NONE */
/* Shows up to n more of a node's neighbours; returns how many came. */
size_t graph_expand(struct graph *g, u32 node, size_t n);
/* Takes away what a node brought, and what that brought; a pinned node, and those that lead
 * to it, stay.  Node numbers change: look the features up again.  Returns how many went. */
size_t graph_collapse(struct graph *g, u32 node);
void graph_pin(struct graph *g, u32 node, bool on);
/* Shows the features of a path, each brought by the one before; path[0] must be shown.
 * Returns how many of them are shown in the end (the graph may be full). */
size_t graph_show_path(struct graph *g, const u32 *path, size_t n);

/* The path of least summed 1 - score along neighbour lists, ends included; ids into out.
 * Visits at most `limit` features.  Returns its length, 0 if there is none within reach,
 * or if it is longer than cap.  Pure: fit for a job when the source is. */
size_t graph_path(const struct graph_source *source, u32 from, u32 to, size_t limit, u32 *out, size_t cap);

#endif
