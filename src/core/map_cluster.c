/* SPDX-License-Identifier: MIT */
/* map_cluster.c - groups of a weighted graph by modularity, level upon level. */
#include "core/map.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES = 20, MAX_LEVELS = 48, SMALLEST = 4 };

/* Resolutions: a few dozen clusters, and parts of about as many members as a cluster has parts. */
static const f64 coarse = 2, fine_per_root = 0.22;

/* A graph of one level: nodes are the groups of the level below. */
struct level {
	size_t n;
	u64 *start;
	u32 *to;
	f64 *weight;
	f64 *degree; /* [n], loops twice */
	f64 *loop;   /* [n] */
};

static void release(struct level *l)
{
	free(l->start);
	free(l->to);
	free(l->weight);
	free(l->degree);
	free(l->loop);
	*l = (struct level){0};
}

static int allocate(struct level *l, size_t n, u64 n_edges, struct err *e)
{
	*l = (struct level){.n = n};
	if ((l->start = mem_try(n + 1, sizeof *l->start, "clusters", e)) &&
	    (l->to = mem_try(MAX(n_edges, 1), sizeof *l->to, "clusters", e)) &&
	    (l->weight = mem_try(MAX(n_edges, 1), sizeof *l->weight, "clusters", e)) &&
	    (l->degree = mem_try(n, sizeof *l->degree, "clusters", e)) &&
	    (l->loop = mem_try(n, sizeof *l->loop, "clusters", e)))
		return 0;
	release(l);
	return -1;
}

static int first_level(const struct map_edges *m, struct level *l, struct err *e)
{
	if (allocate(l, m->n, m->start[m->n], e))
		return -1;
	memcpy(l->start, m->start, (m->n + 1) * sizeof *l->start);
	for (size_t i = 0; i < m->n; i++)
		for (u64 t = m->start[i]; t < m->start[i + 1]; t++) {
			l->to[t] = m->to[t];
			l->weight[t] = (f64)m->weight[t];
			l->degree[i] += (f64)m->weight[t];
		}
	return 0;
}

struct mover {
	const struct level *l;
	u32 *group;    /* [n] */
	f64 *total;    /* [n] degrees in a group */
	f64 *link;     /* [n] weight from the node at hand to a group */
	u32 *touched;
	f64 twice;     /* the weight of all */
	f64 resolution;
};

/* To the group that gains most modularity; the lower number where two gain the same. */
static bool move_node(struct mover *m, u32 i)
{
	const struct level *l = m->l;
	u32 old = m->group[i], best = old;
	size_t n = 0;
	m->touched[n++] = old;
	m->link[old] = 0;
	for (u64 t = l->start[i]; t < l->start[i + 1]; t++) {
		u32 g = m->group[l->to[t]];
		if (m->link[g] < 0) {
			m->link[g] = 0;
			m->touched[n++] = g;
		}
		m->link[g] += l->weight[t];
	}
	m->total[old] -= l->degree[i];
	f64 most = m->link[old] - m->resolution * m->total[old] * l->degree[i] / m->twice +
		   1e-10 * l->degree[i];
	for (size_t k = 1; k < n; k++) {
		u32 g = m->touched[k];
		f64 gain = m->link[g] - m->resolution * m->total[g] * l->degree[i] / m->twice;
		if (gain > most || (gain >= most && g < best && best != old)) {
			most = gain;
			best = g;
		}
	}
	for (size_t k = 0; k < n; k++)
		m->link[m->touched[k]] = -1;
	m->total[best] += l->degree[i];
	m->group[i] = best;
	return best != old;
}

/* Numbers groups in the order of their first node; returns how many. */
static size_t renumber(u32 *group, size_t n, u32 *map)
{
	size_t next = 0;
	memset(map, 0xff, n * sizeof *map);
	for (size_t i = 0; i < n; i++) {
		if (map[group[i]] == MAP_NONE)
			map[group[i]] = (u32)next++;
		group[i] = map[group[i]];
	}
	return next;
}

/* Groups of one level, and how many; 0 on failure. */
static size_t group_level(const struct level *l, f64 resolution, u32 *group, const struct progress *p, struct err *e)
{
	struct mover m = {.l = l, .group = group, .resolution = resolution};
	size_t n_groups = 0, n = l->n;
	m.total = mem_try(n, sizeof *m.total, "clusters", e);
	m.link = m.total ? mem_try(n, sizeof *m.link, "clusters", e) : NULL;
	m.touched = m.link ? mem_try(n + 1, sizeof *m.touched, "clusters", e) : NULL;
	for (size_t i = 0; m.touched && i < n; i++) {
		group[i] = (u32)i;
		m.total[i] = l->degree[i];
		m.twice += l->degree[i];
		m.link[i] = -1;
	}
	if (m.touched) {
		m.twice = fmax(m.twice, 1e-300);
		for (int pass = 0; pass < PASSES && !progress_cancelled(p); pass++) {
			size_t moved = 0;
			for (u32 i = 0; i < n; i++)
				moved += move_node(&m, i);
			if (moved <= n / 1000)
				break;
		}
		n_groups = renumber(group, n, m.touched);
	}
	free(m.total);
	free(m.link);
	free(m.touched);
	return n_groups;
}

/* Members of each group, a list with starts. */
static void list_members(const u32 *group, size_t n, size_t n_groups, u64 *start, u32 *member)
{
	memset(start, 0, (n_groups + 1) * sizeof *start);
	for (size_t i = 0; i < n; i++)
		start[group[i] + 1]++;
	for (size_t g = 0; g < n_groups; g++)
		start[g + 1] += start[g];
	for (size_t i = 0; i < n; i++)
		member[start[group[i]]++] = (u32)i;
	memmove(start + 1, start, n_groups * sizeof *start);
	start[0] = 0;
}

static void fold(const struct level *l, const u32 *group, const u64 *first, const u32 *member, f64 *sum,
		 u32 *touched, struct level *out)
{
	u64 at = 0;
	for (u32 g = 0; g < out->n; g++) {
		size_t n = 0;
		for (u64 k = first[g]; k < first[g + 1]; k++) {
			u32 i = member[k];
			out->loop[g] += l->loop[i];
			for (u64 t = l->start[i]; t < l->start[i + 1]; t++) {
				u32 to = group[l->to[t]];
				if (sum[to] <= 0 && to != g)
					touched[n++] = to;
				sum[to] += l->weight[t];
			}
		}
		out->loop[g] += sum[g];
		out->degree[g] = out->loop[g];
		sum[g] = 0;
		for (size_t k = 0; k < n; k++) {
			out->to[at] = touched[k];
			out->weight[at++] = sum[touched[k]];
			out->degree[g] += sum[touched[k]];
			sum[touched[k]] = 0;
		}
		out->start[g + 1] = at;
	}
}

static int next_level(const struct level *l, const u32 *group, size_t n_groups, struct level *out, struct err *e)
{
	u64 *first = mem_try(n_groups + 1, sizeof *first, "clusters", e);
	u32 *member = first ? mem_try(l->n, sizeof *member, "clusters", e) : NULL;
	f64 *sum = member ? mem_try(n_groups, sizeof *sum, "clusters", e) : NULL;
	u32 *touched = sum ? mem_try(n_groups, sizeof *touched, "clusters", e) : NULL;
	int r = touched ? allocate(out, n_groups, l->start[l->n], e) : -1;
	if (!r) {
		list_members(group, l->n, n_groups, first, member);
		fold(l, group, first, member, sum, touched, out);
	}
	free(first);
	free(member);
	free(sum);
	free(touched);
	return r;
}

/* ---- levels, at one resolution and then at the other ---- */

struct levels {
	size_t n;
	size_t n_groups;
	u32 *group; /* [n], of each point, at the level reached */
};

/* Climbs from *at as far as the resolution carries; *at is the last level's graph. */
static int climb(struct level *at, f64 resolution, struct levels *s, struct progress *p, struct err *e)
{
	for (int i = 0; i < MAX_LEVELS && !progress_cancelled(p); i++) {
		struct level next;
		u32 *group = mem_try(at->n, sizeof *group, "clusters", e);
		size_t n = group ? group_level(at, resolution, group, p, e) : 0;
		int r = n ? next_level(at, group, n, &next, e) : -1;
		bool last = n == at->n;
		for (size_t k = 0; !r && k < s->n; k++)
			s->group[k] = group[s->group[k]];
		free(group);
		if (r)
			return -1;
		release(at);
		*at = next;
		s->n_groups = n;
		progress_add(p, 1);
		if (last)
			break;
	}
	return 0;
}

struct size_of {
	u32 group, n;
};

static int by_size(const void *a, const void *b)
{
	const struct size_of *x = a, *y = b;
	return x->n != y->n ? (x->n < y->n ? 1 : -1) : x->group < y->group ? -1 : x->group > y->group;
}

/* Numbers by size, the small left out. */
static u32 number(const u32 *group, size_t n, size_t n_groups, u32 *out)
{
	struct size_of *size = xcalloc(n_groups + 1, sizeof *size);
	u32 *to = xcalloc(n_groups + 1, sizeof *to), kept = 0;
	for (size_t g = 0; g < n_groups; g++)
		size[g].group = (u32)g;
	for (size_t i = 0; i < n; i++)
		size[group[i]].n++;
	qsort(size, n_groups, sizeof *size, by_size);
	for (size_t g = 0; g < n_groups; g++)
		to[size[g].group] = size[g].n >= SMALLEST ? kept++ : MAP_NONE;
	for (size_t i = 0; i < n; i++)
		out[i] = to[group[i]];
	free(size);
	free(to);
	return kept;
}

int map_clusters(const struct map_edges *m, u32 *cluster, u32 *part, u32 *n_clusters, u32 *n_parts,
		 struct progress *p, struct err *e)
{
	struct levels s = {.n = m->n, .n_groups = m->n};
	struct level at = {0};
	progress_start(p, "clusters", "levels", 0);
	s.group = mem_try(m->n, sizeof *s.group, "clusters", e);
	int r = s.group ? first_level(m, &at, e) : -1;
	for (size_t i = 0; !r && i < m->n; i++)
		s.group[i] = (u32)i;
	if (!r && !(r = climb(&at, fmax(coarse, fine_per_root * sqrt((f64)m->n)), &s, p, e))) {
		*n_parts = number(s.group, s.n, s.n_groups, part);
		r = climb(&at, coarse, &s, p, e);
	}
	if (!r)
		*n_clusters = number(s.group, s.n, s.n_groups, cluster);
	release(&at);
	free(s.group);
	return r ? -1 : progress_cancelled(p) ? err_set(e, ERR_CANCELLED, "stopped before the clusters were found") : 0;
}
