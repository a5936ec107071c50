/* SPDX-License-Identifier: MIT */
/* view_features_order.c - the order of the list's rows, and the jobs that make it and walk it.
 *
 * A new order is made by a job; the old one stays in sight until it is done, and in memory
 * until the last job that reads it has ended.
 */
#include "view/view_features.h"

#include "base/bits.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 1 << 20 /* rows that are looked through while a key waits */ };

bool features_find(struct view *v, u32 feature, u64 guess, u64 *row)
{
	struct features *s = view_state(v);
	if (s->order.ids)
		return order_row(&s->order, features_atlas(v), feature, guess, row);
	*row = feature;
	return feature < s->order.n;
}

/* ---- it stays until the last job that reads it has ended ---- */

void features_discard_order(struct view *v, struct order *o)
{
	app_discard(v->app, o->ids, o->n * sizeof *o->ids);
	app_discard(v->app, o->ratings, app_session(v->app)->atlas->n_features);
}

static void retire(struct view *v, struct order *o)
{
	struct features *s = view_state(v);
	if (!s->n_readers) {
		features_discard_order(v, o);
		return;
	}
	s->retired = xreallocarray(s->retired, s->n_retired + 1, sizeof *s->retired);
	s->retired[s->n_retired++] = *o;
}

static void end_reading(struct view *v)
{
	struct features *s = view_state(v);
	if (--s->n_readers)
		return;
	while (s->n_retired)
		features_discard_order(v, &s->retired[--s->n_retired]);
}

void features_release_order(struct view *v)
{
	struct features *s = view_state(v);
	features_discard_order(v, &s->order);
	free(s->retired);
}

/* order: the list's from now on. */
static void take_order(struct view *v, const struct order *order)
{
	struct features *s = view_state(v);
	u64 row = 0;
	retire(v, &s->order);
	s->order = *order;
	s->ordered = true;
	list_resize(&s->list, order->n, s->list.h);
	s->list.top = 0;
	list_go(&s->list, features_find(v, s->anchor, 0, &row) ? row : 0);
}

static void order_done(struct view *v, void *context)
{
	struct order_work *w = context;
	if (w->failed) {
		app_error(v->app, &w->e);
		return;
	}
	take_order(v, &w->made);
	w->made = (struct order){0};
}

static void add_rating(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	struct order_work *w = context;
	(void)name;
	(void)when;
	if (feature < w->atlas->n_features)
		w->made.ratings[feature] = (u8)(text[0] - '0');
}

void features_make_order(struct view *v)
{
	struct features *s = view_state(v);
	const struct atlas *a = features_atlas(v);
	const u64 *hits = s->hits_only ? app_hits(v->app) : NULL;
	app_job_cancel(v);
	if (s->by == ORDER_ID && !s->reverse && !hits && !s->query_bits) {
		take_order(v, &(struct order){.n = a->n_features});
		return;
	}
	struct order_work *w = order_work_new(a, s->by, s->reverse, hits, s->query_bits);
	if (w->made.ratings)
		note_each(app_session(v->app)->note, NOTE_RATING, add_rating, w, NULL);
	struct app_job job = {.lane = LANE_FREE, .what = "sorting", .work = order_run, .done = order_done,
			      .release = order_work_free};
	app_job(v, &job, w);
}

/* ---- a range of rows, of millions beside the screen ---- */

struct range {
	struct view *list; /* of a job that reads its order, else NULL */
	const u32 *order;
	u64 from, to;     /* rows, both ends in it */
	u64 *bits;        /* of features; owned */
};

static void range_work(void *context, struct progress *p)
{
	struct range *k = context;
	for (u64 i = k->from; i <= k->to && (i % 65536 || !progress_cancelled(p)); i++)
		bits_set(k->bits, k->order[i]);
}

static void range_done(struct view *v, void *context)
{
	app_mark_all(v->app, ((struct range *)context)->bits);
	app_message(v->app, "%zu features are marked", app_n_marked(v->app));
}

static void range_free(void *context)
{
	struct range *k = context;
	if (k->list)
		end_reading(k->list);
	free(k->bits);
	free(k);
}

static bool find_range(struct view *v, u64 *from)
{
	const struct features *s = view_state(v);
	return s->range_from != NO_FEATURE && features_find(v, s->range_from, s->range_row, from);
}

void features_mark_range(struct view *v)
{
	struct features *s = view_state(v);
	u64 from;
	u32 here;
	if (!features_current(v, &here))
		return;
	if (!find_range(v, &from)) {
		s->range_from = here;
		s->range_row = s->list.at;
		app_message(v->app, "a range from #%u: move, then v again", here);
		return;
	}
	s->range_from = NO_FEATURE;
	struct range *k = xcalloc(1, sizeof *k);
	*k = (struct range){NULL, s->order.ids, MIN(from, s->list.at), MAX(from, s->list.at), NULL};
	k->bits = xcalloc(bits_words(features_atlas(v)->n_features), sizeof *k->bits);
	if (!k->order) {
		bits_add(k->bits, k->from, k->to + 1);
	} else if (k->to - k->from < AT_ONCE) {
		range_work(k, NULL);
	} else {
		k->list = v;
		s->n_readers++;
		app_message(v->app, "marking %llu features", (unsigned long long)(k->to - k->from + 1));
		app_job(v, &(struct app_job){.lane = LANE_FREE, .what = "marking", .work = range_work,
					     .done = range_done, .release = range_free, .stays = true}, k);
		return;
	}
	range_done(v, k);
	range_free(k);
}

/* ---- the next hit: in an order of millions it may be far ---- */

struct seek {
	struct view *list; /* whose order it is */
	const u32 *order;
	const u64 *bits;
	u64 *own_bits;    /* what bits are, if they are owned */
	u64 n, at;
	int direction;
	u64 row;          /* out; n: none */
};

/* Looks at up to `most` rows; true if it found one or has seen all. */
static bool seek(struct seek *k, u64 most, struct progress *p)
{
	u64 row = k->at;
	k->row = k->n;
	for (u64 i = 1; i <= MIN(most, k->n); i++) {
		row = k->direction > 0 ? row + 1 < k->n ? row + 1 : 0 : row ? row - 1 : k->n - 1;
		if (bits_has(k->bits, k->order[row])) {
			k->row = row;
			return true;
		}
		if (p && i % 65536 == 0 && progress_cancelled(p))
			return true;
	}
	return most >= k->n;
}

static void seek_work(void *context, struct progress *p)
{
	seek(context, UINT64_MAX, p);
}

static void go_hit(struct view *v, u64 row)
{
	struct features *s = view_state(v);
	if (row < s->list.n) {
		list_go(&s->list, row);
		features_current(v, &s->anchor);
	} else {
		app_message(v->app, "no hit is in this list");
	}
}

static void seek_done(struct view *v, void *context)
{
	go_hit(v, ((struct seek *)context)->row);
}

static void seek_free(void *context)
{
	struct seek *k = context;
	end_reading(k->list);
	free(k->own_bits);
	free(k);
}

void features_next_hit(struct view *v, int direction)
{
	struct features *s = view_state(v);
	const u64 *hits = app_hits(v->app);
	if (!hits || !s->list.n) {
		app_message(v->app, hits ? "no label matches" : "nothing is searched for; / does");
		return;
	}
	if (!s->order.ids) {
		go_hit(v, bits_step(hits, s->order.n, s->list.at, direction));
		return;
	}
	struct seek k = {.list = v, .order = s->order.ids, .bits = hits, .n = s->order.n, .at = s->list.at,
			 .direction = direction};
	if (seek(&k, AT_ONCE, NULL)) {
		go_hit(v, k.row);
		return;
	}
	if (app_job_runs(v)) {
		app_message(v->app, "the list is still being looked through");
		return;
	}
	size_t bytes = bits_words(features_atlas(v)->n_features) * sizeof *k.own_bits;
	struct seek *beside = xmalloc(sizeof *beside);
	k.bits = k.own_bits = memcpy(xmalloc(bytes), hits, bytes);
	*beside = k;
	s->n_readers++;
	app_job(v, &(struct app_job){.lane = LANE_FREE, .what = "looking for the next hit", .work = seek_work,
				     .done = seek_done, .release = seek_free}, beside);
}
