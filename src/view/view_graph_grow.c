/* SPDX-License-Identifier: MIT */
/* view_graph_grow.c - where neighbours come from, and what the graph becomes when they are known.
 *
 * What is wanted - another centre, more neighbours of a node - is done as soon as the lists and labels of all
 * that come are at hand: at once, or when they have been read, or computed where an atlas has none stored.
 */
#include "view/view_graph.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST = 10,
	EXACT_LIMIT = 8 * 1000 * 1000 /* numbers in a decoder that is searched for a key */
};

struct graph_known {
	u32 feature;
	size_t n;
	struct atlas_neighbour list[GRAPH_LIST];
};

static struct atlas *atlas_of(struct view *v)
{
	return app_session(v->app)->atlas;
}

/* ---- where they come from ---- */

static size_t near_stored(void *context, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	return atlas_neighbours(context, feature, out, cap);
}

static bool goes_before(const struct atlas_neighbour *a, f32 score, u32 id)
{
	return a->score > score || (a->score >= score && a->id < id);
}

/* For small dictionaries without stored lists: all cosines, the best kept. */
static size_t near_exact(void *context, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	struct atlas *a = context;
	size_t n = 0, d = dict_info(a->dict)->d_out;
	const f32 *unit = dict_decoder_unit(a->dict, NULL, NULL);
	for (u32 i = 0; unit && i < a->n_features; i++) {
		f32 dot = 0;
		for (size_t k = 0; k < d; k++)
			dot += unit[feature * d + k] * unit[i * d + k];
		if (i == feature || !isfinite(dot) || (n == cap && goes_before(&out[n - 1], dot, i)))
			continue;
		size_t at = n < cap ? n++ : n - 1;
		for (; at > 0 && !goes_before(&out[at - 1], dot, i); at--)
			out[at] = out[at - 1];
		out[at] = (struct atlas_neighbour){i, dot};
	}
	return n;
}

bool graph_is_exact(const struct graph_source *source)
{
	return source->near == near_exact;
}

static int find_source(struct view *v, struct graph_source *out, struct err *e)
{
	struct atlas *a = atlas_of(v);
	const char *missing = atlas_missing(a, "graph");
	*out = (struct graph_source){missing ? near_exact : near_stored, a};
	if (missing && (u64)a->n_features * dict_info(a->dict)->d_out > EXACT_LIMIT)
		return err_set(e, ERR_UNAVAILABLE, "%s", missing);
	return 0;
}

/* ---- what is known ---- */

static const struct graph_known *known(const struct graph_view *s, u32 feature)
{
	for (size_t i = 0; i < s->n_known; i++)
		if (s->known[i].feature == feature)
			return &s->known[i];
	return NULL;
}

/* The source of the graph that is shown: no list that is not at hand is waited for. */
static size_t near_known(void *context, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	struct view *v = context;
	struct graph_view *s = view_state(v);
	if (!graph_is_exact(&s->source))
		return atlas_neighbours(atlas_of(v), feature, out, cap);
	const struct graph_known *k = known(s, feature);
	size_t n = k ? MIN(k->n, cap) : 0;
	if (n)
		memcpy(out, k->list, n * sizeof *out);
	return n;
}

static size_t near_nothing(void *context, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	(void)context, (void)feature, (void)out, (void)cap;
	return 0;
}

static bool has(struct view *v, u32 feature)
{
	struct graph_view *s = view_state(v);
	if (graph_is_exact(&s->source))
		return known(s, feature) && app_has(v->app, feature, ATLAS_LABELS);
	return app_has(v->app, feature, ATLAS_LABELS | ATLAS_NEIGHBOURS);
}

/* Of a list those that come: the first n that are not among `shown`. */
static size_t coming(const struct atlas_neighbour *list, size_t n_list, const u32 *shown, size_t n_shown, size_t n, u32 *out)
{
	size_t came = 0;
	for (size_t i = 0; i < n_list && came < n; i++) {
		bool old = false;
		for (size_t k = 0; k < n_shown && !old; k++)
			old = shown[k] == list[i].id;
		if (!old)
			out[came++] = list[i].id;
	}
	return came;
}

/* ---- computing lists beside the screen ---- */

struct lists_job {
	struct atlas *atlas;
	struct pool *pool;
	u32 feature, shown[GRAPH_MAX_NODES];
	size_t n, n_shown, n_lists;
	struct graph_known lists[GRAPH_LIST + 1];
	struct err e;
};

static void lists_work(void *context, struct progress *p)
{
	struct lists_job *j = context;
	u32 ids[GRAPH_LIST];
	if (!dict_decoder_unit(j->atlas->dict, j->pool, &j->e))
		return;
	struct graph_known *first = &j->lists[j->n_lists++];
	first->feature = j->feature;
	first->n = near_exact(j->atlas, j->feature, first->list, GRAPH_LIST);
	size_t n = coming(first->list, first->n, j->shown, j->n_shown, j->n, ids);
	for (size_t i = 0; i < n && !progress_cancelled(p); i++) {
		struct graph_known *k = &j->lists[j->n_lists++];
		k->feature = ids[i];
		k->n = near_exact(j->atlas, ids[i], k->list, GRAPH_LIST);
	}
}

static void lists_done(struct view *v, void *context)
{
	struct graph_view *s = view_state(v);
	struct lists_job *j = context;
	if (!j->n_lists) {
		s->want = GRAPH_NOTHING;
		app_error(v->app, &j->e);
		return;
	}
	s->known = xreallocarray(s->known, s->n_known + j->n_lists, sizeof *s->known);
	for (size_t i = 0; i < j->n_lists; i++)
		if (!known(s, j->lists[i].feature))
			s->known[s->n_known++] = j->lists[i];
	graph_go_on(v);
}

static size_t shown(const struct graph_view *s, u32 *out)
{
	size_t n = s->want == GRAPH_EXPAND ? graph_n_nodes(s->graph) : 0;
	for (u32 i = 0; i < n; i++)
		out[i] = graph_node(s->graph, i)->id;
	if (!n)
		out[n++] = s->wanted;
	return n;
}

static void compute_lists(struct view *v)
{
	struct graph_view *s = view_state(v);
	struct lists_job *j = xcalloc(1, sizeof *j);
	*j = (struct lists_job){.atlas = atlas_of(v), .pool = app_session(v->app)->pool, .feature = s->wanted,
				.n = MIN(s->n_wanted, (size_t)GRAPH_LIST)};
	j->n_shown = shown(s, j->shown);
	app_job_cancel(v);
	app_job(v, &(struct app_job){.lane = LANE_POOL, .what = "neighbours", .work = lists_work,
				     .done = lists_done, .release = free}, j);
}

/* ---- growing ---- */

void graph_changed(struct graph_view *s, u32 feature)
{
	u32 at = graph_find(s->graph, feature);
	s->current = at == GRAPH_NONE ? 0 : at;
	s->laid_w = 0;
	graph_order(s);
}

static void centre_on(struct view *v, const struct graph_source *source)
{
	struct graph_view *s = view_state(v);
	struct graph *fresh = graph_new(source, s->wanted, FIRST);
	graph_free(s->graph);
	s->graph = fresh;
	s->note[0] = 0;
	graph_changed(s, s->wanted);
}

static void expand(struct view *v)
{
	struct graph_view *s = view_state(v);
	u32 node = graph_find(s->graph, s->wanted), here = graph_node(s->graph, s->current)->id;
	if (node == GRAPH_NONE)
		return;
	size_t n = graph_expand(s->graph, node, s->n_wanted);
	if (!n && graph_n_nodes(s->graph) == GRAPH_MAX_NODES)
		app_message(v->app, "%d nodes are as many as a drawing holds; - takes some away",
			    GRAPH_MAX_NODES);
	else if (!n)
		app_message(v->app, "all %u neighbours of #%u are shown",
			    (unsigned)graph_node(s->graph, node)->n_listed, (unsigned)s->wanted);
	graph_changed(s, here);
}

static bool all_at_hand(struct view *v)
{
	struct graph_view *s = view_state(v);
	struct atlas_neighbour list[GRAPH_LIST];
	u32 ids[GRAPH_LIST], old[GRAPH_MAX_NODES];
	if (!has(v, s->wanted))
		return false;
	size_t n = near_known(v, s->wanted, list, GRAPH_LIST);
	n = coming(list, n, old, shown(s, old), MIN(s->n_wanted, (size_t)GRAPH_LIST), ids);
	bool all = true;
	for (size_t i = 0; i < n; i++)
		all &= has(v, ids[i]);
	return all;
}

void graph_go_on(struct view *v)
{
	struct graph_view *s = view_state(v);
	if (s->want == GRAPH_NOTHING || !all_at_hand(v))
		return;
	if (s->want == GRAPH_EXPAND)
		expand(v);
	else
		centre_on(v, &(struct graph_source){near_known, v});
	s->want = GRAPH_NOTHING;
}

void graph_want(struct view *v, enum graph_want what, u32 feature, size_t n)
{
	struct graph_view *s = view_state(v);
	s->want = what;
	s->wanted = feature;
	s->n_wanted = what == GRAPH_CENTRE ? FIRST : n;
	graph_go_on(v);
	if (s->want != GRAPH_NOTHING && graph_is_exact(&s->source))
		compute_lists(v);
}

int graph_begin(struct view *v, u32 feature, struct err *e)
{
	struct graph_view *s = view_state(v);
	if (find_source(v, &s->source, e))
		return -1;
	s->wanted = feature;
	centre_on(v, &(struct graph_source){near_nothing, v}); /* the centre alone, for the first frame */
	graph_want(v, GRAPH_CENTRE, feature, 0);
	return 0;
}
