/* SPDX-License-Identifier: MIT */
/* view_features.c - the list of features: millions of rows, sorted, filtered, previewed.
 *
 * No row is held: while nothing is sorted or filtered row i is feature i, else `order` holds
 * ids.
 */
#include "view/view_features.h"

#include "base/shell.h"
#include "ui/key.h"
#include "view/list_act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int open(struct view *v, const struct target *t, struct err *e)
{
	struct features *s = view_state(v);
	(void)t;
	(void)e;
	s->order.n = features_atlas(v)->n_features;
	s->hits_only = true;
	s->range_from = NO_FEATURE;
	s->anchor = NO_FEATURE;
	s->list.n = s->order.n;
	int first = app_setting_number(v->app, SET_SORT);
	if (first)
		s->by = (enum order_by)(first - 1);
	else if (!atlas_missing(features_atlas(v), "scores"))
		s->by = ORDER_WRITES;
	features_make_order(v);
	return 0;
}

static void close(struct view *v)
{
	struct features *s = view_state(v);
	features_release_order(v);
	free(s->query);
	free(s->query_bits);
}

static void changed(struct view *v, enum view_change what)
{
	struct features *s = view_state(v);
	if (what == CHANGE_HITS && s->hits_only)
		features_make_order(v);
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
	features_make_order(v);
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
		features_set_query(v, words);
	} else if (!strcmp(verb, "sort") && sscanf(words, "%d %d", &by, &reverse) == 2 && by >= 0 && by < N_ORDERS) {
		s->by = (enum order_by)by;
		s->reverse = reverse != 0;
		features_make_order(v);
	} else if (!strcmp(verb, "at")) {
		s->anchor = (u32)strtoul(words, NULL, 10);
		if (s->ordered && features_find(v, s->anchor, s->list.at, &row))
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
	case ACT_RANGE: features_mark_range(v); break;
	case ACT_NEXT_HIT: features_next_hit(v, 1); break;
	case ACT_PREVIOUS_HIT: features_next_hit(v, -1); break;
	case ACT_SORT: sort_menu(v); break;
	case ACT_REVERSE:
		s->reverse = !s->reverse;
		s->anchor = NO_FEATURE;
		features_make_order(v);
		break;
	case ACT_VIEW_HITS: s->hits_only = !s->hits_only; features_make_order(v); break;
	case ACT_QUERY: features_ask_query(v); break;
	case ACT_REFRESH: features_make_order(v); break;
	case ACT_VIEW_COLUMNS: columns_menu(v); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct features *s = view_state(v);
	u64 row = 0;
	if (!features_find(v, from, s->list.at, &row))
		return false;
	i64 next = (i64)row + delta;
	if (next < 0 || next >= (i64)s->order.n)
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
	return ((struct features *)view_state(v))->order.n;
}

static bool row_text(struct view *v, size_t row, struct buf *out)
{
	struct features *s = view_state(v);
	if (row >= s->order.n)
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
