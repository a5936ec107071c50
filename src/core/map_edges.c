/* SPDX-License-Identifier: MIT */
/* map_edges.c - stored neighbours as symmetric weights: the fuzzy simplicial set of UMAP. */
#include "core/map.h"

#include "base/mem.h"
#include "core/atlas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024 };

int map_graph_read(const struct atlas *a, size_t k, struct map_graph *out, struct err *e)
{
	size_t n = a->n_features;
	if (!a->graph)
		return err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(a, "graph"));
	struct atlas_neighbour *list = xcalloc(k, sizeof *list);
	*out = (struct map_graph){.n = n, .k = k};
	out->id = mem_try(n * k, sizeof *out->id, "neighbours", e);
	out->score = out->id ? mem_try(n * k, sizeof *out->score, "neighbours", e) : NULL;
	for (u32 i = 0; out->score && i < n; i++) {
		size_t have = atlas_neighbours(a, i, list, k);
		for (size_t j = 0; j < k; j++) {
			bool there = j < have && list[j].id != i && isfinite(list[j].score);
			out->id[i * k + j] = there ? list[j].id : MAP_NONE;
			out->score[i * k + j] = there ? list[j].score : 0;
		}
	}
	free(list);
	if (out->score)
		return 0;
	map_graph_release(out);
	return -1;
}

void map_graph_release(struct map_graph *g)
{
	free(g->id);
	free(g->score);
	*g = (struct map_graph){0};
}

struct fuzzy {
	const struct map_graph *g;
	f32 *w;      /* [n][k], directed */
	u64 *start;  /* of the way back */
	u32 *from;   /* who lists me */
	struct map_edges *out;
};

/* exp(-(d - nearest) / scale), the scale such that they sum to log2(k). */
static void weigh_point(const f32 *score, const u32 *id, size_t k, f32 *w)
{
	f64 near = INFINITY, low = 0, high = INFINITY, scale = 1, sum = 0, want;
	size_t n = 0;
	for (size_t j = 0; j < k; j++)
		if (id[j] != MAP_NONE) {
			near = fmin(near, 1 - (f64)score[j]);
			n++;
		}
	want = log2((f64)n);
	for (int round = 0; round < 64; round++) {
		sum = 0;
		for (size_t j = 0; j < k; j++)
			sum += id[j] != MAP_NONE ? exp(-(1 - (f64)score[j] - near) / scale) : 0;
		if (fabs(sum - want) < 1e-5)
			break;
		if (sum > want)
			high = scale;
		else
			low = scale;
		scale = high < INFINITY ? (low + high) / 2 : scale * 2;
		if (scale < 1e-6 || scale > 1e6)
			break;
	}
	for (size_t j = 0; j < k; j++)
		w[j] = id[j] != MAP_NONE ? (f32)fmax(exp(-(1 - (f64)score[j] - near) / scale), 1e-6) : 0;
}

static void weigh(void *context, size_t task, unsigned thread)
{
	struct fuzzy *f = context;
	size_t k = f->g->k;
	(void)thread;
	for (size_t i = task * BLOCK; i < MIN(f->g->n, (task + 1) * BLOCK); i++)
		weigh_point(f->g->score + i * k, f->g->id + i * k, k, f->w + i * k);
}

/* The weight with which i lists j, 0 if it does not. */
static f32 listed(const struct fuzzy *f, size_t i, u32 j)
{
	size_t k = f->g->k;
	for (size_t t = 0; t < k; t++)
		if (f->g->id[i * k + t] == j)
			return f->w[i * k + t];
	return 0;
}

static void turn_round(struct fuzzy *f)
{
	size_t n = f->g->n, k = f->g->k;
	for (size_t t = 0; t < n * k; t++)
		if (f->g->id[t] != MAP_NONE)
			f->start[f->g->id[t] + 1]++;
	for (size_t i = 0; i < n; i++)
		f->start[i + 1] += f->start[i];
	for (size_t i = 0; i < n; i++)
		for (size_t t = 0; t < k; t++)
			if (f->g->id[i * k + t] != MAP_NONE)
				f->from[f->start[f->g->id[i * k + t]]++] = (u32)i;
	memmove(f->start + 1, f->start, n * sizeof *f->start);
	f->start[0] = 0;
}

/* Its own list first, then those who list it and are not on it; a + b - ab both ways. */
static u64 join_point(const struct fuzzy *f, size_t i, u32 *to, f32 *weight)
{
	size_t k = f->g->k;
	u64 n = 0;
	for (size_t t = 0; t < k; t++) {
		u32 j = f->g->id[i * k + t];
		f32 a = f->w[i * k + t], b = j != MAP_NONE ? listed(f, j, (u32)i) : 0;
		if (j == MAP_NONE)
			continue;
		if (to) {
			to[n] = j;
			weight[n] = a + b - a * b;
		}
		n++;
	}
	for (u64 t = f->start[i]; t < f->start[i + 1]; t++) {
		u32 j = f->from[t];
		if (listed(f, i, j) > 0)
			continue;
		if (to) {
			to[n] = j;
			weight[n] = listed(f, j, (u32)i);
		}
		n++;
	}
	return n;
}

static void count_joined(void *context, size_t task, unsigned thread)
{
	struct fuzzy *f = context;
	(void)thread;
	for (size_t i = task * BLOCK; i < MIN(f->g->n, (task + 1) * BLOCK); i++)
		f->out->start[i + 1] = join_point(f, i, NULL, NULL);
}

static void fill_joined(void *context, size_t task, unsigned thread)
{
	struct fuzzy *f = context;
	(void)thread;
	for (size_t i = task * BLOCK; i < MIN(f->g->n, (task + 1) * BLOCK); i++)
		join_point(f, i, f->out->to + f->out->start[i], f->out->weight + f->out->start[i]);
}

static int join(struct fuzzy *f, struct pool *pool, struct err *e)
{
	size_t n = f->g->n, blocks = (n + BLOCK - 1) / BLOCK;
	struct map_edges *m = f->out;
	pool_each(pool, blocks, weigh, f);
	turn_round(f);
	pool_each(pool, blocks, count_joined, f);
	for (size_t i = 0; i < n; i++)
		m->start[i + 1] += m->start[i];
	m->to = mem_try(MAX(m->start[n], 1), sizeof *m->to, "edges", e);
	m->weight = m->to ? mem_try(MAX(m->start[n], 1), sizeof *m->weight, "edges", e) : NULL;
	if (!m->weight)
		return -1;
	pool_each(pool, blocks, fill_joined, f);
	return 0;
}

int map_edges_new(const struct map_graph *g, struct pool *pool, struct map_edges *out, struct err *e)
{
	*out = (struct map_edges){.n = g->n};
	struct fuzzy f = {.g = g, .out = out};
	f.w = mem_try(g->n * g->k, sizeof *f.w, "weights", e);
	f.start = f.w ? mem_try(g->n + 1, sizeof *f.start, "weights", e) : NULL;
	f.from = f.start ? mem_try(g->n * g->k, sizeof *f.from, "weights", e) : NULL;
	out->start = f.from ? mem_try(g->n + 1, sizeof *out->start, "edges", e) : NULL;
	int r = out->start ? join(&f, pool, e) : -1;
	free(f.w);
	free(f.start);
	free(f.from);
	if (r)
		map_edges_release(out);
	return r;
}

void map_edges_release(struct map_edges *m)
{
	free(m->start);
	free(m->to);
	free(m->weight);
	*m = (struct map_edges){0};
}
