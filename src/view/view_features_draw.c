/* SPDX-License-Identifier: MIT */
/* view_features_draw.c - the list of features on the screen: rows, columns, the preview. */
#include "ui/key.h"
#include "ui/plot.h"
#include "view/view_features.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum value { V_DENSITY, V_MAX, V_MEAN, V_DETECTS, V_OUTPUT, V_WRITES, V_RATING, V_TAGS, V_PROMOTES };

static const struct column {
	const char *word; /* in the configuration */
	const char *head;
	int w;            /* with the blank before it */
	int from_w;       /* with all that need less, shown from this width of the screen on */
	enum value value;
	enum order_by by; /* ORDER_ID: none */
} columns[] = {
	{"density", "density", 9, 40, V_DENSITY, ORDER_DENSITY},
	{"max", "max", 6, 48, V_MAX, ORDER_MAX},
	{"detects", "det", 5, 64, V_DETECTS, ORDER_DETECTS},
	{"writes", "wri", 5, 56, V_WRITES, ORDER_WRITES},
	{"rating", "rate", 6, 72, V_RATING, ORDER_RATING},
	{"tags", "tags", 12, 90, V_TAGS, ORDER_ID},
	{"mean", "mean", 6, 96, V_MEAN, ORDER_ID},
	{"output", "out", 5, 101, V_OUTPUT, ORDER_OUTPUT},
	{"promotes", "promotes", 58, 160, V_PROMOTES, ORDER_ID},
};

struct shown {
	const struct column *list[ARRAY_LEN(columns)];
	size_t n;
	int width; /* of all */
};

const char *features_column(size_t i)
{
	return i < ARRAY_LEN(columns) ? columns[i].word : NULL;
}

static const struct column *column_of(const char *word, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (strlen(columns[i].word) == n && !strncmp(columns[i].word, word, n))
			return &columns[i];
	return NULL;
}

int features_check_columns(const char *words, struct err *e)
{
	for (const char *s = words + strspn(words, " "); *s;) {
		size_t n = strcspn(s, " ");
		if (!column_of(s, n))
			return err_set(e, ERR_USAGE,
				       "there is no column '%.*s': density, max, mean, detects, output, writes, "
				       "rating, tags, promotes",
				       (int)MIN(n, 40u), s);
		s += n;
		s += strspn(s, " ");
	}
	return 0;
}

/* Those that are left out make room for those that need a wider screen. */
static bool has_room(const struct column *c, const char *words, int w)
{
	int need = c->from_w;
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (columns[i].from_w < c->from_w && !key_in_context(words, columns[i].word))
			need -= columns[i].w;
	return w >= need;
}

static struct shown shown_columns(struct view *v, int w)
{
	const char *words = app_setting(v->app, SET_COLUMNS);
	struct shown out = {0};
	for (const char *s = words + strspn(words, " "); *s;) {
		size_t n = strcspn(s, " ");
		const struct column *c = column_of(s, n);
		if (c && has_room(c, words, w) && out.n < ARRAY_LEN(columns)) {
			out.list[out.n++] = c;
			out.width += c->w;
		}
		s += n;
		s += strspn(s, " ");
	}
	return out;
}

static int id_width(struct view *v)
{
	char b[16];
	return MAX(snprintf(b, sizeof b, "#%u", features_atlas(v)->n_features - 1), 4);
}

static void head_line(struct view *v, struct rect r, int y)
{
	struct features *s = view_state(v);
	struct shown cols = shown_columns(v, r.w);
	int idw = id_width(v), x = r.w - cols.width;
	const char *arrow = s->reverse ? "\u2191" : "\u2193";
	rect_fill(r, 0, y, r.w, 1, STYLE_HEAD, ' ');
	rect_puts_right(r, 2 + idw, y, STYLE_HEAD,
			s->by == ORDER_ID ? s->reverse ? "id\u2193" : "id\u2191" : "id");
	rect_puts(r, 4 + idw, y, STYLE_HEAD, "label");
	for (size_t i = 0; i < cols.n; i++) {
		const struct column *c = cols.list[i];
		char head[24];
		snprintf(head, sizeof head, "%s%s", c->head, c->by == s->by && s->by != ORDER_ID ? arrow : "");
		if (c->value == V_TAGS || c->value == V_RATING || c->value == V_PROMOTES)
			rect_puts(r, x + 1, y, STYLE_HEAD, head);
		else
			rect_puts_right(r, x + c->w, y, STYLE_HEAD, head);
		x += c->w;
	}
}

static void put_cell_value(struct view *v, struct rect r, int x, int y, const struct column *c, u32 f)
{
	const struct atlas *a = features_atlas(v);
	struct note *note = app_session(v->app)->note;
	struct store_stats st = {NAN, NAN, NAN, 0};
	struct atlas_scores sc;
	char text[16] = "";
	if (c->value == V_RATING) {
		plot_stars(r, x + 1, y, note_rating(note, f));
		return;
	}
	if (c->value == V_TAGS) {
		char *tags = note_tags(note, f);
		if (tags)
			rect_put_cut(r, x + 1, y, c->w - 1, STYLE_TAG, tags, strlen(tags));
		free(tags);
		return;
	}
	if (c->value == V_PROMOTES) {
		struct atlas_token t[12];
		size_t n = atlas_logits(a, f, 1, t, ARRAY_LEN(t));
		view_put_logits(v, r, x + 1, y, c->w - 2, t, n);
		return;
	}
	if (a->store)
		store_stats(a->store, f, &st);
	atlas_scores(a, f, &sc);
	switch (c->value) {
	case V_DENSITY: view_format_density(text, st.density); break;
	case V_MAX: view_format_value(text, st.max * view_fold(v, f)); break;
	case V_MEAN: view_format_value(text, st.mean * view_fold(v, f)); break;
	case V_DETECTS: view_format_score(text, sc.input); break;
	case V_OUTPUT: view_format_score(text, sc.output); break;
	default: view_format_score(text, sc.topic); break;
	}
	rect_puts_right(r, x + c->w, y, STYLE_NUMBER, text);
}

/* What the columns read of a feature. */
static unsigned row_parts(struct view *v, const struct shown *cols)
{
	unsigned parts = app_setting_number(v->app, SET_FOLD) ? ATLAS_DECODER : 0;
	for (size_t i = 0; i < cols->n; i++)
		parts |= cols->list[i]->value == V_PROMOTES ? ATLAS_LOGITS : ATLAS_NUMBERS;
	return parts;
}

static void draw_row(struct view *v, struct rect r, int y, u64 row, const struct shown *cols)
{
	struct features *s = view_state(v);
	u32 f = features_at(s, row);
	int idw = id_width(v), x = r.w - cols->width;
	char id[16];
	bool here = row == s->list.at;
	if (here)
		rect_puts(r, 0, y, STYLE_MARK, ">");
	if (app_is_marked(v->app, f))
		rect_puts(r, 1, y, STYLE_MARK, "*");
	snprintf(id, sizeof id, "#%u", f);
	rect_puts_right(r, 2 + idw, y, STYLE_ID, id);
	bool has = app_has(v->app, f, ATLAS_LABELS | row_parts(v, cols));
	if (has)
		view_put_label(v, r, 4 + idw, y, x - 4 - idw, f);
	else
		rect_puts(r, 4 + idw, y, STYLE_DIM, "\u2026");
	for (size_t i = 0; i < cols->n && has; i++) {
		put_cell_value(v, r, x, y, cols->list[i], f);
		x += cols->list[i]->w;
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
	if (s->order.ids && s->order.n != features_atlas(v)->n_features)
		buf_addf(&right, "%u of %u", s->order.n, features_atlas(v)->n_features);
	else if (app_hits(v->app))
		buf_addf(&right, "%llu hits in %u", (unsigned long long)app_n_hits(v->app), s->order.n);
	else
		buf_addf(&right, "%u features", s->order.n);
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
static void draw_context(struct view *v, struct rect r, int y, const struct store_context *c, f32 fold)
{
	const struct atlas *a = features_atlas(v);
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
	view_format_value(value, c->act * fold);
	rect_puts_right(r, 6, y, STYLE_NUMBER, value);
	view_put_tokens(v, r, 8, y, r.w - 9, &t, view_first_token(v, &t, t.peak, r.w - 9));
}

static void draw_preview(struct view *v, struct rect r)
{
	const struct atlas *a = features_atlas(v);
	struct store_context c[64];
	struct atlas_token t[12];
	u32 f;
	if (!features_current(v, &f) || r.h < 2)
		return;
	for (int x = 0; x < r.w; x++)
		rect_cp(r, x, 0, STYLE_LINE, 0x2500);
	int x = 2 + rect_printf(r, 2, 1, STYLE_ID, "#%u", (unsigned)f) + 2; /* its label stands in the list */
	if (!app_has(v->app, f, ATLAS_LOGITS | ATLAS_BEST)) {
		rect_puts(r, x, 1, STYLE_DIM, "\u2026");
		return;
	}
	size_t n = atlas_logits(a, f, 1, t, ARRAY_LEN(t));
	if (n) {
		x += rect_puts(r, x, 1, STYLE_DIM, "promotes ");
		view_put_logits(v, r, x, 1, r.w - x - 1, t, n);
	}
	if (!a->store) {
		view_put_sentence(r, 2, 2, atlas_missing(a, "store"));
		return;
	}
	n = store_contexts(a->store, f, c, MIN(ARRAY_LEN(c), (size_t)MAX(r.h - 2, 0)));
	n = MIN(n, (size_t)MAX(r.h - 2, 0));
	f32 fold = view_fold(v, f);
	if (!n && r.h > 2)
		rect_puts(r, 2, 2, STYLE_DIM, "it never fires on the indexed text");
	for (size_t i = 0; i < MIN(n, ARRAY_LEN(c)); i++)
		draw_context(v, r, 2 + (int)i, &c[i], fold);
}

void features_draw(struct view *v, struct rect r)
{
	struct features *s = view_state(v);
	struct shown cols = shown_columns(v, r.w);
	int preview = r.h >= 32 ? 8 : r.h >= 15 ? 5 : 0;
	if (s->preview_wish)
		preview = MIN(s->preview_wish, r.h - 5);
	if (app_setting_number(v->app, SET_PREVIEW))
		preview = 0;
	s->preview = preview = MAX(preview, 0);
	draw_top_line(v, r);
	head_line(v, r, 1);
	s->list_y = 2;
	struct rect rows = rect_sub(r, 0, 2, r.w, r.h - 2 - preview);
	list_resize(&s->list, s->order.n, rows.h);
	if (!s->ordered) { /* rows that would move under the eye are not shown */
		rect_puts(rows, 2, 1, STYLE_DIM, "\u2026");
		return;
	}
	for (int y = 0; y < rows.h && s->list.top + (u64)y < s->list.n; y++)
		draw_row(v, rows, y, s->list.top + (u64)y, &cols);
	if (!s->list.n) {
		const char *missing = atlas_missing(features_atlas(v), "labels");
		int used =
			view_put_sentence(rows, 2, 1,
					  s->query ? "no feature fits; & with an empty line clears the query"
						   : "no label matches; an empty / shows all");
		if (missing)
			view_put_sentence(rows, 2, 1 + used, missing);
	}
	if (preview)
		draw_preview(v, rect_sub(r, 0, r.h - preview, r.w, preview));
}
