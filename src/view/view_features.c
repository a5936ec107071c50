/* SPDX-License-Identifier: MIT */
/* view_features.c - the list of features: millions of rows, sorted, filtered, previewed.
 *
 * No row is held: while nothing is sorted or filtered row i is feature i, else `order` holds
 * ids.  A new order is made by a job; the old one stays in sight until it is done.
 */
#include "view/app.h"
#include "view/list_act.h"
#include "view/order.h"
#include "view/view.h"

#include "base/mem.h"
#include "core/query.h"
#include "ui/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct features {
	struct list list;
	u32 *order;          /* [n] ids, or NULL: all, by id */
	u32 n;
	enum order_by by;
	bool reverse, hits_only, ordered;
	u32 anchor;          /* the feature one chose last */
	u32 range_from;      /* where v was pressed, or NO_FEATURE */
	char *query;         /* text of the query line, or NULL */
	u64 *query_bits;     /* or NULL */
	u64 query_hits;
	int list_y;          /* where rows begin on the screen */
	struct app_menu_item menu[N_ORDERS];
};

static const struct atlas *atlas_of(struct view *v)
{
	return app_session(v->app)->atlas;
}

static u32 feature_at(const struct features *s, u64 row)
{
	return s->order ? s->order[row] : (u32)row;
}

static bool current(struct view *v, u32 *feature)
{
	struct features *s = view_state(v);
	if (!s->list.n)
		return false;
	*feature = feature_at(s, s->list.at);
	return true;
}

/* ---- the order ---- */

static bool find_row(const struct features *s, u32 feature, u64 *row)
{
	if (!s->order) {
		*row = feature < s->n ? feature : 0;
		return feature < s->n;
	}
	for (u64 i = 0; i < s->n; i++)
		if (s->order[i] == feature) {
			*row = i;
			return true;
		}
	return false;
}

static void take_order(struct view *v, u32 *order, u32 n)
{
	struct features *s = view_state(v);
	free(s->order);
	s->order = order;
	s->n = n;
	s->ordered = true;
	list_resize(&s->list, n, s->list.h);
	u64 row = 0;
	find_row(s, s->anchor, &row);
	s->list.top = 0;
	list_go(&s->list, row);
}

static void order_done(struct view *v, void *context)
{
	struct order_work *w = context;
	if (w->failed) {
		app_error(v->app, &w->e);
		return;
	}
	take_order(v, w->order, w->n);
	w->order = NULL;
}

static void add_rating(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	struct order_work *w = context;
	(void)name;
	(void)when;
	if (feature < w->atlas->n_features)
		w->ratings[feature] = (u8)(text[0] - '0');
}

static void make_order(struct view *v)
{
	struct features *s = view_state(v);
	const struct atlas *a = atlas_of(v);
	const u64 *hits = s->hits_only ? app_hits(v->app) : NULL;
	app_job_cancel(v);
	if (s->by == ORDER_ID && !s->reverse && !hits && !s->query_bits) {
		take_order(v, NULL, a->n_features);
		return;
	}
	struct order_work *w = order_work_new(a, s->by, s->reverse, hits, s->query_bits);
	if (w->ratings)
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
	s->n = atlas_of(v)->n_features;
	s->hits_only = true;
	s->range_from = NO_FEATURE;
	s->anchor = NO_FEATURE;
	s->list.n = s->n;
	if (!atlas_missing(atlas_of(v), "scores"))
		s->by = ORDER_WRITES;
	make_order(v);
	return 0;
}

static void close(struct view *v)
{
	struct features *s = view_state(v);
	free(s->order);
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

static u64 *copy_marks(struct view *v)
{
	size_t n;
	u32 *list = app_marked(v->app, &n);
	u64 *bits = xcalloc((atlas_of(v)->n_features + (size_t)63) / 64, sizeof *bits);
	for (size_t i = 0; i < n; i++)
		bits[list[i] / 64] |= (u64)1 << (list[i] % 64);
	free(list);
	return bits;
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
		app_prompt_fault(v->app, column, e.msg);
		return false;
	}
	struct query_work *w = xcalloc(1, sizeof *w);
	w->query = q;
	w->text = xstrdup(text);
	w->folder = xstrdup(session->atlas->folder);
	w->uuid = xstrdup(session->atlas->uuid);
	w->world = (struct query_world){.atlas = session->atlas, .pool = session->pool, .marked = copy_marks(v)};
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

static void ask_query(struct view *v)
{
	struct features *s = view_state(v);
	struct app_prompt p = {.label = "& ", .initial = s->query, .history = "query", .commit = commit_query};
	app_prompt(v, &p);
}

/* ---- drawing ---- */

static const struct column {
	const char *head;
	int w;      /* with the blank before it */
	int from_w; /* shown from this width of the screen on */
	enum order_by by;
} columns[] = {
	{"density", 9, 40, ORDER_DENSITY}, {"max", 6, 48, ORDER_MAX},	  {"det", 5, 64, ORDER_DETECTS},
	{"wri", 5, 56, ORDER_WRITES},	   {"rate", 6, 72, ORDER_RATING}, {"tags", 12, 90, ORDER_ID},
};

static int columns_width(int w)
{
	int sum = 0;
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		sum += w >= columns[i].from_w ? columns[i].w : 0;
	return sum;
}

static int id_width(struct view *v)
{
	char b[16];
	return MAX(snprintf(b, sizeof b, "#%u", atlas_of(v)->n_features - 1), 4);
}

static void head_line(struct view *v, struct rect r, int y)
{
	struct features *s = view_state(v);
	int idw = id_width(v), x = r.w - columns_width(r.w);
	const char *arrow = s->reverse ? "\u2191" : "\u2193";
	rect_fill(r, 0, y, r.w, 1, STYLE_HEAD, ' ');
	rect_puts_right(r, 2 + idw, y, STYLE_HEAD, s->by == ORDER_ID ? s->reverse ? "id\u2193" : "id\u2191" : "id");
	rect_puts(r, 4 + idw, y, STYLE_HEAD, "label");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		char head[24];
		if (r.w < columns[i].from_w)
			continue;
		bool left = columns[i].by == ORDER_ID || columns[i].by == ORDER_RATING;
		snprintf(head, sizeof head, "%s%s", columns[i].head,
			 columns[i].by == s->by && s->by != ORDER_ID ? arrow : "");
		if (left)
			rect_puts(r, x + 1, y, STYLE_HEAD, head);
		else
			rect_puts_right(r, x + columns[i].w, y, STYLE_HEAD, head);
		x += columns[i].w;
	}
}

static void put_cell_value(struct view *v, struct rect r, int x, int y, const struct column *c, u32 f)
{
	const struct atlas *a = atlas_of(v);
	struct note *note = app_session(v->app)->note;
	struct store_stats st = {NAN, NAN, NAN, 0};
	struct atlas_scores sc = {NAN, NAN, NAN};
	char text[16] = "";
	if (c->by == ORDER_RATING) {
		plot_stars(r, x + 1, y, note_rating(note, f));
		return;
	}
	if (c->by == ORDER_ID) {
		char *tags = note_tags(note, f);
		if (tags)
			rect_put_cut(r, x + 1, y, c->w - 1, STYLE_TAG, tags, strlen(tags));
		free(tags);
		return;
	}
	if (a->store)
		store_stats(a->store, f, &st);
	atlas_scores(a, f, &sc);
	if (c->by == ORDER_DENSITY)
		view_format_density(text, st.density);
	else if (c->by == ORDER_MAX)
		view_format_value(text, st.max);
	else
		view_format_score(text, c->by == ORDER_DETECTS ? sc.input : sc.topic);
	rect_puts_right(r, x + c->w, y, STYLE_NUMBER, text);
}

static void draw_row(struct view *v, struct rect r, int y, u64 row)
{
	struct features *s = view_state(v);
	u32 f = feature_at(s, row);
	int idw = id_width(v), x = r.w - columns_width(r.w);
	char id[16];
	bool here = row == s->list.at;
	if (here)
		rect_puts(r, 0, y, STYLE_MARK, ">");
	if (app_is_marked(v->app, f))
		rect_puts(r, 1, y, STYLE_MARK, "*");
	snprintf(id, sizeof id, "#%u", f);
	rect_puts_right(r, 2 + idw, y, STYLE_ID, id);
	view_put_label(v, r, 4 + idw, y, x - 4 - idw, f);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (r.w >= columns[i].from_w) {
			put_cell_value(v, r, x, y, &columns[i], f);
			x += columns[i].w;
		}
	if (here) {
		rect_cursor_row(r, y);
		rect_cursor(r, 0, y);
	}
}

static void add_search_words(struct view *v, struct buf *b)
{
	struct features *s = view_state(v);
	if (s->query)
		buf_addf(b, "& %s   ", s->query);
	app_add_search_words(v->app, b);
}

static void draw_top_line(struct view *v, struct rect r)
{
	struct features *s = view_state(v);
	struct buf left = BUF_INIT, right = BUF_INIT;
	add_search_words(v, &left);
	if (s->order && s->n != atlas_of(v)->n_features)
		buf_addf(&right, "%u of %u", s->n, atlas_of(v)->n_features);
	else if (app_hits(v->app))
		buf_addf(&right, "%llu hits in %u", (unsigned long long)app_n_hits(v->app), s->n);
	else
		buf_addf(&right, "%u features", s->n);
	app_add_search_time(v->app, &right);
	if (s->ordered && s->list.n && r.w >= 60)
		buf_addf(&right, " \u00b7 row %llu", (unsigned long long)s->list.at + 1);
	if (app_n_marked(v->app))
		buf_addf(&right, " \u00b7 %zu marked", app_n_marked(v->app));
	if (app_job_runs(v))
		buf_adds(&right, " \u2026");
	int x = rect_puts_right(r, r.w - 1, 0, STYLE_DIM, right.s);
	rect_put_cut(r, 1, 0, MAX(x - 2, 0), STYLE_PROMPT, left.s, left.n);
	buf_release(&left);
	buf_release(&right);
}

/* One line of a top context. */
static void draw_context(struct view *v, struct rect r, int y, const struct store_context *c)
{
	const struct atlas *a = atlas_of(v);
	u64 from, to;
	u32 tokens[80];
	char value[16];
	store_text_of(a->store, c->position, &from, &to);
	from = c->position - from > 40 ? c->position - 40 : from;
	to = MIN(to, c->position + 40);
	size_t n = (size_t)MIN(to - from, ARRAY_LEN(tokens));
	for (size_t i = 0; i < n; i++)
		tokens[i] = store_token(a->store, from + i);
	/* only the peak: the heat of every token is the page's matter, and costs a slow line too much */
	struct view_tokens t = {.tokens = tokens, .n = n, .peak = (int)(c->position - from), .cursor = -1};
	view_format_value(value, c->act);
	rect_puts_right(r, 6, y, STYLE_NUMBER, value);
	view_put_tokens(v, r, 8, y, r.w - 9, &t, view_first_token(v, &t, t.peak, r.w - 9));
}

static void draw_preview(struct view *v, struct rect r)
{
	const struct atlas *a = atlas_of(v);
	struct store_context c[8];
	struct atlas_token t[12];
	u32 f;
	if (!current(v, &f) || r.h < 2)
		return;
	for (int x = 0; x < r.w; x++)
		rect_cp(r, x, 0, STYLE_LINE, 0x2500);
	int x = 2 + view_put_feature(v, r, 2, 1, MAX(r.w / 2 - 2, 16), f) + 2;
	size_t n = atlas_logits(a, f, 1, t, ARRAY_LEN(t));
	if (n && x + 24 < r.w) {
		x += rect_puts(r, x, 1, STYLE_DIM, "promotes ");
		view_put_logits(v, r, x, 1, r.w - x - 1, t, n);
	}
	if (!a->store) {
		view_put_sentence(r, 2, 2, atlas_missing(a, "store"));
		return;
	}
	n = store_contexts(a->store, f, c, MIN(ARRAY_LEN(c), (size_t)MAX(r.h - 2, 0)));
	n = MIN(n, (size_t)MAX(r.h - 2, 0));
	if (!n && r.h > 2)
		rect_puts(r, 2, 2, STYLE_DIM, "it never fires on the indexed text");
	for (size_t i = 0; i < MIN(n, ARRAY_LEN(c)); i++)
		draw_context(v, r, 2 + (int)i, &c[i]);
}

static void draw(struct view *v, struct rect r)
{
	struct features *s = view_state(v);
	int preview = r.h >= 32 ? 8 : r.h >= 15 ? 5 : 0;
	draw_top_line(v, r);
	head_line(v, r, 1);
	s->list_y = 2;
	struct rect rows = rect_sub(r, 0, 2, r.w, r.h - 2 - preview);
	list_resize(&s->list, s->n, rows.h);
	if (!s->ordered) { /* rows that would move under the eye are not shown */
		rect_puts(rows, 2, 1, STYLE_DIM, "\u2026");
		return;
	}
	for (int y = 0; y < rows.h && s->list.top + (u64)y < s->list.n; y++)
		draw_row(v, rows, y, s->list.top + (u64)y);
	if (!s->list.n) {
		const char *missing = atlas_missing(atlas_of(v), "labels");
		int used = view_put_sentence(rows, 2, 1, s->query ? "no feature fits; & with an empty line clears the query"
								  : "no label matches; an empty / shows all");
		if (missing)
			view_put_sentence(rows, 2, 1 + used, missing);
	}
	if (preview)
		draw_preview(v, rect_sub(r, 0, r.h - preview, r.w, preview));
}

/* ---- actions ---- */

static void chose(struct view *v)
{
	struct features *s = view_state(v);
	current(v, &s->anchor);
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

static void mark_range(struct view *v)
{
	struct features *s = view_state(v);
	u64 from;
	u32 here;
	if (!current(v, &here))
		return;
	if (s->range_from == NO_FEATURE || !find_row(s, s->range_from, &from)) {
		s->range_from = here;
		app_message(v->app, "a range from #%u: move, then v again", here);
		return;
	}
	u64 a = MIN(from, s->list.at), b = MAX(from, s->list.at);
	for (u64 i = a; i <= b; i++)
		app_mark(v->app, feature_at(s, i), true);
	s->range_from = NO_FEATURE;
	app_message(v->app, "%zu features are selected", app_n_marked(v->app));
}

static void next_hit(struct view *v, int direction)
{
	struct features *s = view_state(v);
	if (!app_hits(v->app) || !s->list.n) {
		app_message(v->app, app_hits(v->app) ? "no label matches" : "nothing is searched for; / does");
		return;
	}
	for (u64 i = 1; i <= s->list.n; i++) {
		u64 row = direction > 0 ? (s->list.at + i) % s->list.n : (s->list.at + s->list.n - i) % s->list.n;
		if (app_is_hit(v->app, feature_at(s, row))) {
			list_go(&s->list, row);
			return;
		}
	}
	app_message(v->app, "no hit is in this list");
}

static void mark(struct view *v)
{
	struct features *s = view_state(v);
	u32 f;
	if (!current(v, &f))
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
		if (current(v, &f))
			app_push_feature(v->app, f);
		break;
	case ACT_MARK: mark(v); chose(v); break;
	case ACT_RANGE: mark_range(v); break;
	case ACT_NEXT_HIT: next_hit(v, 1); chose(v); break;
	case ACT_PREVIOUS_HIT: next_hit(v, -1); chose(v); break;
	case ACT_SORT: sort_menu(v); break;
	case ACT_REVERSE:
		s->reverse = !s->reverse;
		s->anchor = NO_FEATURE;
		make_order(v);
		break;
	case ACT_VIEW_HITS: s->hits_only = !s->hits_only; make_order(v); break;
	case ACT_QUERY: ask_query(v); break;
	case ACT_REFRESH: make_order(v); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct features *s = view_state(v);
	u64 row;
	if (!find_row(s, from, &row))
		return false;
	i64 next = (i64)row + delta;
	if (next < 0 || next >= (i64)s->n)
		return false;
	list_go(&s->list, (u64)next);
	*to = s->anchor = feature_at(s, (u64)next);
	return true;
}

static void exact(struct view *v, struct buf *out)
{
	const struct atlas *a = atlas_of(v);
	struct store_stats st;
	struct atlas_scores sc;
	u32 f;
	if (!current(v, &f))
		return;
	buf_addf(out, "#%u\n", f);
	if (a->store) {
		store_stats(a->store, f, &st);
		buf_addf(out, "density %.9g  (%llu of %llu tokens)\nmax     %.9g\nmean    %.9g\n", (f64)st.density,
			 (unsigned long long)st.count, (unsigned long long)store_n_kept(a->store), (f64)st.max,
			 (f64)st.mean);
	}
	atlas_scores(a, f, &sc);
	buf_addf(out, "detects %.9g\noutput  %.9g\nwrites  %.9g\nfeatlas show %s %u --json", (f64)sc.input, (f64)sc.output,
		 (f64)sc.topic, a->folder, f);
}

static void command(struct view *v, struct buf *out)
{
	struct features *s = view_state(v);
	app_add_search_command(v->app, s->query, out);
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
	char *label = session_label_text(app_session(v->app), feature_at(s, row));
	buf_addf(out, "#%u\t%s", feature_at(s, row), label);
	free(label);
	return true;
}

const struct view_class view_features = {
	.name = "features",
	.title = NULL,
	.size = sizeof(struct features),
	.hints = {{ACT_OPEN, "open"}, {ACT_SEARCH, "search"}, {ACT_QUERY, "query"}, {ACT_SORT, "sort"}, {ACT_MARK, "mark"},
		  {ACT_LABEL, "label"}, {ACT_TAG, "tag"}, {ACT_RATE, "rate"}, {ACT_UNDO, "undo"}},
	.open = open,
	.close = close,
	.draw = draw,
	.act = act,
	.why_not = why_not,
	.current = current,
	.step = step,
	.changed = changed,
	.n_rows = n_rows,
	.row_text = row_text,
	.exact = exact,
	.command = command,
	.click = click,
};
