/* SPDX-License-Identifier: MIT */
/* map.h - all features in the plane, and the clusters of their neighbour graph.
 *
 * The layout is that of UMAP (McInnes, Healy and Melville 2018) on stored nearest neighbours: fuzzy
 * weights with a local scale, a start from principal components, attraction along edges and
 * repulsion from drawn points.  Two things are changed: the curve 1 / (1 + a d^2) has no exponent
 * (a = 1.277 is the fit for min_dist 0.195), and all points of an epoch move at once, each by Adam,
 * as in uwot's batch mode, so that the result does not depend on the number of threads.  Repulsion
 * outweighs attraction sixteen times as much as there: more neighbours stay near (on attraction and
 * repulsion: Boehm, Berens and Kobak 2022; figures in docs/map.md).
 * Clusters maximise modularity (Blondel et al. 2008; resolution: Reichardt and Bornholdt 2006), first
 * at a fine resolution, then of these parts at a coarse one.  Everything is seeded and ordered.
 */
#ifndef FEATLAS_MAP_H
#define FEATLAS_MAP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pages.h"
#include "base/pool.h"
#include "base/progress.h"

struct atlas;
struct safetensors;

#define MAP_NONE UINT32_MAX

enum { MAP_NEIGHBOURS = 15, MAP_EPOCHS = 500 };

/* ---- making one ---- */

struct map_graph {
	size_t n, k;
	u32 *id;    /* [n][k], nearest first, padded with MAP_NONE */
	f32 *score; /* [n][k], cosines */
};

/* The first k stored neighbours of each feature, or fewer where fewer are stored; owned. */
int map_graph_read(const struct atlas *a, size_t k, struct map_graph *out, struct err *e);
void map_graph_release(struct map_graph *g);

struct map_rows { /* get may be called from any thread */
	size_t n, d;
	void (*get)(void *context, u64 row, f32 *out /* [d] */);
	void *context;
};

/* xy [n][2]: each row on the two first principal components, of a sample of rows where they are
 * many (64 MiB of them, evenly spaced); the largest part of a component is positive. */
int map_start(const struct map_rows *rows, struct pool *pool, f32 *xy, struct progress *p, struct err *e);

/* Symmetric weights in (0, 1], a row for each point. */
struct map_edges {
	size_t n;
	u64 *start; /* [n + 1] */
	u32 *to;
	f32 *weight;
};
int map_edges_new(const struct map_graph *g, struct pool *pool, struct map_edges *out, struct err *e);
void map_edges_release(struct map_edges *m);

/* xy [n][2], the start in, the layout out: its long axis along x, the larger side from 0 to 1.
 * Points without neighbours stand in a row below. */
int map_layout(const struct map_edges *m, u64 seed, u32 epochs, struct pool *pool, f32 *xy, struct progress *p,
	       struct err *e);

/* cluster [n] and part [n] of it: numbers from 0 by size, the largest first; MAP_NONE for what
 * clings to fewer than three others.  A part lies in one cluster. */
int map_clusters(const struct map_edges *m, u32 *cluster, u32 *part, u32 *n_clusters, u32 *n_parts,
		 struct progress *p, struct err *e);

/* Names of groups, each of at most three words that its texts have more often than the others', by
 * the log-odds ratio with an informative prior (Monroe, Colaresi and Quinn 2008); "" where no word
 * stands out.  text(context, i, out) appends the text of i.  names: n_groups strings, each with a
 * NUL. */
struct map_texts {
	size_t n;
	void (*text)(void *context, u32 i, struct buf *out);
	void *context;
};
void map_names(const struct map_texts *t, const u32 *group, u32 n_groups, struct buf *names);

/* The share of listed neighbours that are among as many nearest on the map, over a sample. */
f64 map_preserved(const struct map_graph *g, const f32 *xy, struct pool *pool);

struct map_parts {
	size_t n;
	const f32 *xy;              /* [n][2] */
	const u32 *cluster, *part;  /* [n] */
	u32 n_clusters, n_parts;
	const struct buf *cluster_names, *part_names; /* as map_names gives them */
};
int map_write(const char *path, const struct map_parts *m, const char *uuid, const char *build_id, struct err *e);

/* ---- reading it ---- */

struct map;

/* Checks shapes and offsets; numbers are checked as they are read.  Borrows the file. */
struct map *map_open(const struct safetensors *file, u32 n_features, struct err *e);
void map_free(struct map *m); /* NULL is fine */
bool map_there(const struct map *m, struct pages *w); /* is all of it in memory?  (pages.h) */
/* False where the file holds no numbers. */
bool map_xy(const struct map *m, u32 feature, f32 xy[2]);
u32 map_n_clusters(const struct map *m);
u32 map_n_parts(const struct map *m);
u32 map_cluster(const struct map *m, u32 feature); /* or MAP_NONE */
u32 map_part(const struct map *m, u32 feature);
/* Hostile text, "" if it has none. */
struct span map_cluster_name(const struct map *m, u32 cluster);
struct span map_part_name(const struct map *m, u32 part);

#endif
