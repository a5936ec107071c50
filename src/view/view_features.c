/* SPDX-License-Identifier: MIT */
/* view_features.c - the list of features: millions of rows, sorted, filtered, previewed.
 *
 * No row is held: while nothing is sorted or filtered row i is feature i, else `order` holds
 * ids.  A new order is made by a job; the old one stays in sight until it is done.
 */
#include "view/list_act.h"
#include "view/app_private.h"
#include "view/view_features.h"

#include "base/bits.h"
#include "base/mem.h"
#include "base/shell.h"
#include "core/query.h"
#include "ui/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 1 << 20 /* rows that are looked through while a key waits */ };

const struct atlas *features_atlas(struct view *v)
{
	return app_session(v->app)->atlas;
}

u32 features_at(const struct features *s, u64 row)
{
	return s->order.ids ? s->order.ids[row] : (u32)row;
}

bool features_current(struct view *v, u32 *feature)
{
	struct features *s = view_state(v);
	if (!s->list.n)
		return false;
	*feature = features_at(s, s->list.at);
	return true;
}

/* ---- the order ---- */

static bool find_row(struct view *v, u32 feature, u64 *row)
{
	struct features *s = view_state(v);
	if (s->order.ids)
		return order_row(&s->order, features_atlas(v), feature, row);
	*row = feature;
	return feature < s->n;
}

/* ---- jobs that read the order: it stays until the last of them has ended ---- */

static void discard(struct view *v, struct order *o)
{
	app_discard(v->app, o->ids, o->n * sizeof *o->ids);
	app_discard(v->app, o->ratings, features_atlas(v)->n_features);
}

static void retire(struct view *v, struct order *o)
{
	struct features *s = view_state(v);
	if (!s->n_readers) {
		discard(v, o);
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
		discard(v, &s->retired[--s->n_retired]);
}

/* order: of n rows, the list's from now on. */
static void take_order(struct view *v, const struct order *order, u32 n)
{
	struct features *s = view_state(v);
	u64 row = 0;
	retire(v, &s->order);
	s->order = *order;
	s->n = n;
	s->ordered = true;
	list_resize(&s->list, n, s->list.h);
	s->list.top = 0;
	list_go(&s->list, find_row(v, s->anchor, &row) ? row : 0);
}

static void order_done(struct view *v, void *context)
{
	struct order_work *w = context;
	if (w->failed) {
		app_error(v->app, &w->e);
		return;
	}
	take_order(v, &w->made, w->made.n);
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

static void make_order(struct view *v)
{
	struct features *s = view_state(v);
	const struct atlas *a = features_atlas(v);
	const u64 *hits = s->hits_only ? app_hits(v->app) : NULL;
	app_job_cancel(v);
	if (s->by == ORDER_ID && !s->reverse && !hits && !s->query_bits) {
		take_order(v, &(struct order){0}, a->n_features);
		return;
	}
	struct order_work *w = order_work_new(a, s->by, s->reverse, hits, s->query_bits);
	if (w->made.ratings)
		note_each(app_session(v->app)->note, NOTE_RATING, add_rating, w, NULL);
	struct app_job job = {.lane = LANE_FREE, .what = "sorting", .work = order_run, .done = order_done,
			      .release = order_work_free};
	app_job(v, &job, w);
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	struct features *s = view_state(v);
	(void)t;
	(void)e;
	s->n = features_atlas(v)->n_features;
	s->hits_only = true;
	s->range_from = NO_FEATURE;
	s->anchor = NO_FEATURE;
	s->list.n = s->n;
	int first = app_setting_number(v->app, SET_SORT);
	if (first)
		s->by = (enum order_by)(first - 1);
	else if (!atlas_missing(features_atlas(v), "scores"))
		s->by = ORDER_WRITES;
	make_order(v);
	return 0;
}

static void close(struct view *v)
{
	struct features *s = view_state(v);
	discard(v, &s->order);
	free(s->retired);
	free(s->query);
	free(s->query_bits);
}

static void changed(struct view *v, enum view_change what)
{
	struct features *s = view_state(v);
	if (what == CHANGE_HITS && s->hits_only)
		make_order(v);
}

/* ---- the query line ---- */

struct query_work {
	struct query *query;
	char *text, *folder, *uuid;
	struct query_world world;
	struct session_people people; /* copies: the worker reads while the person may edit */
	struct search_result result;
	int failed;
	struct err e;
};

static void query_work_run(void *context, struct progress *p)
{
	struct query_work *w = context;
	/* a handle of its own: the database's belongs to the other thread */
	w->world.note = note_open(w->folder, w->uuid, NULL);
	w->failed = query_run(w->query, &w->world, &w->result, p, &w->e);
	note_free(w->world.note);
}

static void query_done(struct view *v, void *context)
{
	struct query_work *w = context;
	struct features *s = view_state(v);
	if (w->failed) {
		app_error(v->app, &w->e);
		return;
	}
	free(s->query);
	free(s->query_bits);
	s->query = w->text;
	s->query_bits = w->result.bits;
	s->query_hits = w->result.n_hits;
	w->text = NULL;
	w->result = (struct search_result){0};
	make_order(v);
}

static void query_release(void *context)
{
	struct query_work *w = context;
	query_free(w->query);
	search_result_release(&w->result);
	free((void *)(uintptr_t)w->world.marked);
	session_people_release(&w->people);
	free(w->text);
	free(w->folder);
	free(w->uuid);
	free(w);
}

static bool commit_query(struct view *v, const char *text, void *context)
{
	struct features *s = view_state(v);
	struct session *session = app_session(v->app);
	struct err e = {0};
	size_t column = 0;
	(void)context;
	if (!text[0]) {
		free(s->query);
		free(s->query_bits);
		s->query = NULL;
		s->query_bits = NULL;
		make_order(v);
		return true;
	}
	struct query *q = query_parse(text, SEARCH_SMART, &column, &e);
	if (!q) {
		const char *what = strstr(e.msg, ": "); /* the caret says where */
		app_prompt_fault(v->app, column, !strncmp(e.msg, "query, column", 13) && what ? what + 2 : e.msg);
		return false;
	}
	struct query_work *w = xcalloc(1, sizeof *w);
	w->query = q;
	w->text = xstrdup(text);
	w->folder = xstrdup(session->atlas->notes);
	w->uuid = xstrdup(session->atlas->uuid);
	w->world =
		(struct query_world){.atlas = session->atlas, .pool = session->pool, .marked = app_copy_marks(v->app)};
	session_people_copy(session, &w->people);
	w->world.people = w->people.items;
	w->world.n_people = w->people.n;
	w->world.hidden = w->people.hidden;
	struct app_job job = {.lane = LANE_POOL, .what = "query", .work = query_work_run, .done = query_done,
			      .release = query_release};
	app_job_cancel(v);
	app_job(v, &job, w);
	return true;
}

static void complete_query(struct view *v, const char *word, struct buf *out, void *context)
{
	(void)v;
	(void)context;
	bool state = !strncmp(word, "is:", 3);
	for (size_t i = 0; !state && query_keys[i].name; i++)
		if (!strncmp(query_keys[i].name, word, strlen(word)))
			buf_addf(out, "%s:\t%s  %s\n", query_keys[i].name, query_keys[i].value, query_keys[i].help);
	for (size_t i = 0; state && query_states[i]; i++)
		if (!strncmp(query_states[i], word + 3, strlen(word + 3)))
			buf_addf(out, "is:%s\n", query_states[i]);
}

static void ask_query(struct view *v)
{
	struct features *s = view_state(v);
	struct app_prompt p = {.label = "& ",
			       .initial = s->query,
			       .history = "query",
			       .commit = commit_query,
			       .complete = complete_query};
	app_prompt(v, &p);
}

/* ---- actions ---- */

static void chose(struct view *v)
{
	struct features *s = view_state(v);
	features_current(v, &s->anchor);
}

static void sort_chosen(struct view *v, size_t i)
{
	struct features *s = view_state(v);
	s->by = (enum order_by)i;
	s->reverse = false;
	s->anchor = NO_FEATURE;
	make_order(v);
}

static void sort_menu(struct view *v)
{
	struct features *s = view_state(v);
	for (size_t i = 0; i < N_ORDERS; i++)
		s->menu[i] = (struct app_menu_item){(u32)order_words[i].key, order_words[i].text};
	app_menu(v, "sort by", s->menu, N_ORDERS, sort_chosen);
}

/* ---- where it stands ---- */

void features_save(struct view *v, struct buf *out)
{
	struct features *s = view_state(v);
	u32 f;
	buf_addf(out, "sort %d %d\n", (int)s->by, s->reverse);
	if (features_current(v, &f))
		buf_addf(out, "at %u\n", f);
	if (s->query) /* last: its job makes the order again */
		buf_addf(out, "query %s\n", s->query);
}

void features_restore(struct view *v, const char *verb, const char *words)
{
	struct features *s = view_state(v);
	int by, reverse;
	u64 row = 0;
	if (!strcmp(verb, "query")) {
		commit_query(v, words, NULL);
	} else if (!strcmp(verb, "sort") && sscanf(words, "%d %d", &by, &reverse) == 2 && by >= 0 && by < N_ORDERS) {
		s->by = (enum order_by)by;
		s->reverse = reverse != 0;
		make_order(v);
	} else if (!strcmp(verb, "at")) {
		s->anchor = (u32)strtoul(words, NULL, 10);
		if (s->ordered && find_row(v, s->anchor, &row))
			list_go(&s->list, row);
	}
}

/* ---- columns ---- */

static bool has_column(struct view *v, const char *word)
{
	return key_in_context(app_setting(v->app, SET_COLUMNS), word);
}

static void columns_menu(struct view *v);

static void column_chosen(struct view *v, size_t chosen)
{
	struct features *s = view_state(v);
	struct buf b = BUF_INIT;
	const char *words = app_setting(v->app, SET_COLUMNS), *word = features_column(chosen);
	bool had = has_column(v, word);
	for (const char *w = words; *w;) {
		size_t n = strcspn(w, " ");
		if (n && (!had || n != strlen(word) || strncmp(w, word, n) != 0))
			buf_addf(&b, "%s%.*s", b.n ? " " : "", (int)n, w);
		w += n + (w[n] == ' ');
	}
	if (!had)
		buf_addf(&b, "%s%s", b.n ? " " : "", word);
	app_set(v->app, SET_COLUMNS, b.s, NULL);
	buf_release(&b);
	s->column = chosen;
	columns_menu(v);
}

static void columns_menu(struct view *v)
{
	struct features *s = view_state(v);
	struct app_menu_item items[16];
	char texts[16][24];
	size_t n = 0;
	for (; features_column(n) && n < ARRAY_LEN(items); n++) {
		snprintf(texts[n], sizeof texts[n], "%s %s", has_column(v, features_column(n)) ? "[x]" : "[ ]",
			 features_column(n));
		items[n] = (struct app_menu_item){'1' + (u32)n, texts[n]};
	}
	app_menu(v, "columns; Esc when done", items, n, column_chosen);
	app_menu_at(v, s->column);
}

/* ---- a range of rows, of millions beside the screen ---- */

struct range {
	struct view *list; /* of a job that reads its order, else NULL */
	const u32 *order; /* or NULL: all, by id */
	u64 from, to;     /* rows, both ends in it */
	u64 *bits;        /* of features; owned */
};

static void range_work(void *context, struct progress *p)
{
	struct range *k = context;
	for (u64 i = k->from; i <= k->to && (i % 65536 || !progress_cancelled(p)); i++) {
		u64 f = k->order ? k->order[i] : i;
		k->bits[f / 64] |= (u64)1 << (f % 64);
	}
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
	if (s->range_from == NO_FEATURE)
		return false;
	*from = s->range_row;
	return (*from < s->n && features_at(s, *from) == s->range_from) || find_row(v, s->range_from, from);
}

static void mark_range(struct view *v)
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
	if (k->to - k->from < AT_ONCE) {
		range_work(k, NULL);
		range_done(v, k);
		range_free(k);
		return;
	}
	k->list = v;
	s->n_readers++;
	app_message(v->app, "marking %llu features", (unsigned long long)(k->to - k->from + 1));
	app_job(v, &(struct app_job){.lane = LANE_FREE, .what = "marking", .work = range_work,
				     .done = range_done, .release = range_free}, k);
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

static void next_hit(struct view *v, int direction)
{
	struct features *s = view_state(v);
	const u64 *hits = app_hits(v->app);
	if (!hits || !s->list.n) {
		app_message(v->app, hits ? "no label matches" : "nothing is searched for; / does");
		return;
	}
	if (!s->order.ids) {
		go_hit(v, bits_step(hits, s->n, s->list.at, direction));
		return;
	}
	struct seek k = {.list = v, .order = s->order.ids, .bits = hits, .n = s->n, .at = s->list.at,
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

static void mark(struct view *v)
{
	struct features *s = view_state(v);
	u32 f;
	if (!features_current(v, &f))
		return;
	app_mark(v->app, f, !app_is_marked(v->app, f));
	list_move(&s->list, 1);
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct features *s = view_state(v);
	u32 f;
	if (list_act(&s->list, a, count)) {
		chose(v);
		return VIEW_HANDLED;
	}
	switch (a) {
	case ACT_OPEN:
		if (features_current(v, &f))
			app_push_feature(v->app, f);
		break;
	case ACT_MARK: mark(v); chose(v); break;
	case ACT_RANGE: mark_range(v); break;
	case ACT_NEXT_HIT: next_hit(v, 1); break;
	case ACT_PREVIOUS_HIT: next_hit(v, -1); break;
	case ACT_SORT: sort_menu(v); break;
	case ACT_REVERSE:
		s->reverse = !s->reverse;
		s->anchor = NO_FEATURE;
		make_order(v);
		break;
	case ACT_VIEW_HITS: s->hits_only = !s->hits_only; make_order(v); break;
	case ACT_QUERY: ask_query(v); break;
	case ACT_REFRESH: make_order(v); break;
	case ACT_VIEW_COLUMNS: columns_menu(v); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct features *s = view_state(v);
	u64 row = 0;
	if (!find_row(v, from, &row))
		return false;
	i64 next = (i64)row + delta;
	if (next < 0 || next >= (i64)s->n)
		return false;
	list_go(&s->list, (u64)next);
	*to = s->anchor = features_at(s, (u64)next);
	return true;
}

static void exact(struct view *v, struct buf *out)
{
	const struct atlas *a = features_atlas(v);
	struct store_stats st;
	u32 f;
	if (!features_current(v, &f))
		return;
	buf_addf(out, "#%u\n", f);
	if (a->store) {
		store_stats(a->store, f, &st);
		buf_addf(out, "density %.9g  (%llu of %llu tokens)\nmax     ", (f64)st.density,
			 (unsigned long long)st.count, (unsigned long long)store_n_kept(a->store));
		view_add_value(v, out, f, st.max);
		buf_adds(out, "\nmean    ");
		view_add_value(v, out, f, st.mean);
		buf_adds(out, "\n");
	}
	view_add_scores(v, out, f);
}

static void command(struct view *v, struct buf *out)
{
	static const char *const measures[N_ORDERS] = {
		[ORDER_DENSITY] = "density", [ORDER_MAX] = "max", [ORDER_DETECTS] = "detects", [ORDER_WRITES] = "writes",
		[ORDER_OUTPUT] = "output"};
	struct features *s = view_state(v);
	const char *by = measures[s->by], *pattern = app_search_text(v->app);
	bool all = !s->query && !pattern;
	atlas_add_command(features_atlas(v), all && by ? "top" : "search", out);
	if (by)
		buf_addf(out, " --by %s", by);
	if (s->query) {
		buf_adds(out, " --query ");
		shell_add_word(out, s->query);
	} else if (pattern || !by) {
		buf_addc(out, ' ');
		shell_add_argument(out, pattern ? pattern : "");
	}
}

/* The line above the preview can be dragged. */
static bool drag(struct view *v, int x, int y, bool began)
{
	struct features *s = view_state(v);
	(void)x;
	if (began)
		return s->preview && y == v->h - s->preview;
	s->preview_wish = MIN(MAX(v->h - y, 2), v->h - 5);
	return true;
}

static void click(struct view *v, int x, int y, int times)
{
	struct features *s = view_state(v);
	(void)x;
	u64 row = s->list.top + (u64)MAX(y - s->list_y, 0);
	if (y < s->list_y || y >= s->list_y + s->list.h || row >= s->list.n)
		return;
	list_go(&s->list, row);
	chose(v);
	if (times == 2)
		act(v, ACT_OPEN, 0);
}

static const char *why_not(struct view *v, enum action a)
{
	if (a == ACT_VIEW_HITS && !app_hits(v->app))
		return "nothing is searched for; / does";
	return NULL;
}

static size_t n_rows(struct view *v)
{
	return ((struct features *)view_state(v))->n;
}

static bool row_text(struct view *v, size_t row, struct buf *out)
{
	struct features *s = view_state(v);
	if (row >= s->n)
		return false;
	char *label = session_label_text(app_session(v->app), features_at(s, row));
	buf_addf(out, "#%u\t%s", features_at(s, row), label);
	free(label);
	return true;
}

const struct view_class view_features = {
	.name = "features",
	.title = NULL,
	.size = sizeof(struct features),
	.hints = {{ACT_OPEN, "open"},
		  {ACT_SEARCH, "search"},
		  {ACT_QUERY, "query"},
		  {ACT_SORT, "sort"},
		  {ACT_MARK, "mark"},
		  {ACT_LABEL, "label"},
		  {ACT_TAG, "tag"},
		  {ACT_RATE, "rate"},
		  {ACT_UNDO, "undo"}},
	.open = open,
	.close = close,
	.draw = features_draw,
	.act = act,
	.why_not = why_not,
	.current = features_current,
	.step = step,
	.changed = changed,
	.n_rows = n_rows,
	.row_text = row_text,
	.exact = exact,
	.command = command,
	.click = click,
	.drag = drag,
};
