/* SPDX-License-Identifier: MIT */
/* graph.c - the neighbourhood of a feature: nodes, weighted edges, expand, collapse, path. */
#include "core/graph.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct graph {
	struct graph_source source;
	size_t n, n_edges;
	struct graph_node node[GRAPH_MAX_NODES];
	struct atlas_neighbour list[GRAPH_MAX_NODES][GRAPH_LIST]; /* of each node */
	struct graph_edge edge[GRAPH_MAX_NODES * GRAPH_LIST];
};

size_t graph_n_nodes(const struct graph *g)
{
	return g->n;
}

const struct graph_node *graph_node(const struct graph *g, u32 i)
{
	return &g->node[i];
}

size_t graph_n_edges(const struct graph *g)
{
	return g->n_edges;
}

const struct graph_edge *graph_edge(const struct graph *g, u32 i)
{
	return &g->edge[i];
}

u32 graph_find(const struct graph *g, u32 feature)
{
	for (u32 i = 0; i < g->n; i++)
		if (g->node[i].id == feature)
			return i;
	return GRAPH_NONE;
}

/* The score with which a lists b, or NaN. */
static bool listed(const struct graph *g, u32 a, u32 b, f32 *score)
{
	for (u32 i = 0; i < g->node[a].n_listed; i++)
		if (g->list[a][i].id == g->node[b].id) {
			*score = g->list[a][i].score;
			return true;
		}
	return false;
}

static void count_hidden(struct graph *g, u32 node)
{
	struct graph_node *nd = &g->node[node];
	nd->n_hidden = 0;
	for (u32 i = 0; i < nd->n_listed; i++)
		nd->n_hidden += graph_find(g, g->list[node][i].id) == GRAPH_NONE;
}

static void link_nodes(struct graph *g)
{
	g->n_edges = 0;
	for (u32 a = 0; a < g->n; a++) {
		count_hidden(g, a);
		for (u32 b = a + 1; b < g->n; b++) {
			f32 w = 0;
			bool tree = g->node[b].parent == a || g->node[a].parent == b;
			bool near = listed(g, a, b, &w) || listed(g, b, a, &w);
			if (tree && !near)
				w = g->node[b].parent == a ? g->node[b].score : g->node[a].score;
			if (tree || near)
				g->edge[g->n_edges++] = (struct graph_edge){a, b, w, tree};
		}
	}
}

static u32 add(struct graph *g, u32 feature, u32 parent, f32 score)
{
	if (g->n == GRAPH_MAX_NODES)
		return GRAPH_NONE;
	u32 i = (u32)g->n++;
	u32 hop = parent == GRAPH_NONE ? 0 : g->node[parent].hop + 1;
	g->node[i] = (struct graph_node){.id = feature, .parent = parent, .hop = hop, .score = score};
	g->node[i].n_listed = (u32)g->source.near(g->source.context, feature, g->list[i], GRAPH_LIST);
	return i;
}

struct graph *graph_new(const struct graph_source *source, u32 centre, size_t n_first)
{
	struct graph *g = xcalloc(1, sizeof *g);
	g->source = *source;
	add(g, centre, GRAPH_NONE, 1.0f);
	graph_expand(g, 0, n_first);
	link_nodes(g);
	return g;
}

void graph_free(struct graph *g)
{
	free(g);
}

size_t graph_expand(struct graph *g, u32 node, size_t n)
{
	size_t came = 0;
	for (u32 i = 0; i < g->node[node].n_listed && came < n; i++) {
		struct atlas_neighbour nb = g->list[node][i];
		if (graph_find(g, nb.id) != GRAPH_NONE)
			continue;
		if (add(g, nb.id, node, nb.score) == GRAPH_NONE)
			break;
		came++;
	}
	link_nodes(g);
	return came;
}

static bool descends(const struct graph *g, u32 node, u32 from)
{
	for (u32 p = g->node[node].parent; p != GRAPH_NONE; p = g->node[p].parent)
		if (p == from)
			return true;
	return false;
}

/* Drops the nodes marked, keeping order; parents of those that stay stay too. */
static size_t drop(struct graph *g, const bool *gone)
{
	u32 to[GRAPH_MAX_NODES];
	size_t n = 0;
	for (u32 i = 0; i < g->n; i++) {
		if (gone[i])
			continue;
		to[i] = (u32)n;
		g->node[n] = g->node[i];
		if (g->node[n].parent != GRAPH_NONE)
			g->node[n].parent = to[g->node[n].parent];
		if (n != i)
			memcpy(g->list[n], g->list[i], sizeof g->list[n]);
		n++;
	}
	size_t went = g->n - n;
	g->n = n;
	link_nodes(g);
	return went;
}

size_t graph_collapse(struct graph *g, u32 node)
{
	bool gone[GRAPH_MAX_NODES] = {false};
	for (u32 i = 0; i < g->n; i++)
		gone[i] = descends(g, i, node);
	for (u32 i = 0; i < g->n; i++)
		for (u32 p = i; g->node[i].pinned && p != GRAPH_NONE; p = g->node[p].parent)
			gone[p] = false;
	return drop(g, gone);
}

void graph_pin(struct graph *g, u32 node, bool on)
{
	g->node[node].pinned = on;
}

static f32 score_between(const struct graph *g, u32 a, u32 feature)
{
	for (u32 i = 0; i < g->node[a].n_listed; i++)
		if (g->list[a][i].id == feature)
			return g->list[a][i].score;
	return 0.0f;
}

size_t graph_show_path(struct graph *g, const u32 *path, size_t n)
{
	for (u32 i = 0; i < g->n; i++)
		g->node[i].on_path = false;
	size_t shown = 0;
	u32 before = GRAPH_NONE;
	for (size_t i = 0; i < n; i++) {
		u32 at = graph_find(g, path[i]);
		if (at == GRAPH_NONE && before != GRAPH_NONE)
			at = add(g, path[i], before, score_between(g, before, path[i]));
		if (at == GRAPH_NONE)
			break;
		g->node[at].on_path = true;
		before = at;
		shown++;
	}
	link_nodes(g);
	return shown;
}

/* Dijkstra's algorithm with a linear table of what was seen: neighbourhoods are small and
 * the source's lists, not this, take the time. */
struct seen {
	u32 id, from; /* from: index of the one before, or GRAPH_NONE */
	f64 cost;
	bool done;
};

struct search {
	struct seen *seen;
	size_t n, cap;
	u32 *slot; /* open addressing, index + 1 into seen; 0 empty */
	size_t n_slots;
};

static u32 *slot_of(const struct search *s, u32 id)
{
	size_t h = (id * 2654435761u) & (s->n_slots - 1);
	while (s->slot[h] && s->seen[s->slot[h] - 1].id != id)
		h = (h + 1) & (s->n_slots - 1);
	return &s->slot[h];
}

static void reach(struct search *s, u32 id, u32 from, f64 cost)
{
	u32 *slot = slot_of(s, id);
	if (!*slot) {
		if (s->n == s->cap)
			return;
		s->seen[s->n++] = (struct seen){id, from, cost, false};
		*slot = (u32)s->n;
	} else if (cost < s->seen[*slot - 1].cost) {
		s->seen[*slot - 1].cost = cost;
		s->seen[*slot - 1].from = from;
	}
}

static u32 cheapest(const struct search *s)
{
	u32 best = GRAPH_NONE;
	for (u32 i = 0; i < s->n; i++)
		if (!s->seen[i].done && (best == GRAPH_NONE || s->seen[i].cost < s->seen[best].cost))
			best = i;
	return best;
}

static size_t trace(const struct search *s, u32 at, u32 *out, size_t cap)
{
	size_t n = 0;
	for (u32 i = at; i != GRAPH_NONE; i = s->seen[i].from)
		n++;
	if (n > cap)
		return 0;
	for (size_t k = n; k-- > 0; at = s->seen[at].from)
		out[k] = s->seen[at].id;
	return n;
}

size_t graph_path(const struct graph_source *source, u32 from, u32 to, size_t limit, u32 *out, size_t cap)
{
	struct search s = {.cap = (limit + 1) * GRAPH_LIST, .n_slots = 64};
	while (s.n_slots < 2 * s.cap)
		s.n_slots *= 2;
	s.seen = xcalloc(s.cap, sizeof *s.seen);
	s.slot = xcalloc(s.n_slots, sizeof *s.slot);
	reach(&s, from, GRAPH_NONE, 0);
	size_t found = 0;
	for (size_t visited = 0; visited < limit; visited++) {
		u32 i = cheapest(&s);
		if (i == GRAPH_NONE)
			break;
		if (s.seen[i].id == to) {
			found = trace(&s, i, out, cap);
			break;
		}
		s.seen[i].done = true;
		struct atlas_neighbour list[GRAPH_LIST];
		size_t n = source->near(source->context, s.seen[i].id, list, GRAPH_LIST);
		for (size_t k = 0; k < n; k++)
			reach(&s, list[k].id, i, s.seen[i].cost + MAX(0.0, 1.0 - (f64)list[k].score));
	}
	free(s.seen);
	free(s.slot);
	return found;
}
