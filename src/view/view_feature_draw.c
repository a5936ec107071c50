/* SPDX-License-Identifier: MIT */
/* view_feature_draw.c - a feature's page on the screen: header, contexts with heat, neighbours. */
#include "ui/plot.h"
#include "view/view_feature.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one context ---- */

static struct feature_line line; /* too large for a stack, used by one thread */

const struct feature_line *feature_load_line(struct view *v, const struct store_context *c, bool cursor)
{
	struct feature *s = view_state(v);
	const struct store *st = feature_atlas(v)->store;
	u64 from, to;
	u64 width = s->width ? (u64)s->width : MAX_LINE / 2 - 1;
	store_text_of(st, c->position, &from, &to);
	from = c->position - from > width ? c->position - width : from;
	to = to - c->position > width + 1 ? c->position + width + 1 : to;
	line.from = from;
	line.n = (size_t)(to - from);
	for (size_t i = 0; i < line.n; i++) {
		line.tokens[i] = store_token(st, from + i);
		line.flags[i] = store_token_flags(st, from + i);
	}
	store_activations(st, s->id, from, to, line.acts);
	int peak = (int)(c->position - from);
	line.view = (struct view_tokens){.tokens = line.tokens,
					 .acts = line.acts,
					 .flags = line.flags,
					 .n = line.n,
					 .max = s->stats.max,
					 .peak = peak,
					 .cursor = -1};
	if (cursor) {
		i64 at = (i64)peak + s->token;
		at = at < 0 ? 0 : at >= (i64)line.n ? (i64)line.n - 1 : at;
		s->token = at - peak;
		line.view.cursor = (int)at;
	}
	return &line;
}

static void draw_context(struct view *v, struct rect r, int y, const struct store_context *c, bool here)
{
	char value[16];
	feature_load_line(v, c, here);
	view_format_value(value, c->act);
	rect_puts_right(r, 6, y, STYLE_NUMBER, value);
	int anchor = here && line.view.cursor != line.view.peak ? line.view.cursor : line.view.peak;
	if (line.view.cursor == line.view.peak)
		line.view.cursor = -1;
	view_put_tokens(v, r, 8, y, r.w - 9, &line.view, view_first_token(v, &line.view, anchor, r.w - 9));
	if (here) {
		rect_puts(r, 0, y, STYLE_MARK, ">");
		rect_cursor(r, 0, y);
	}
}

static void draw_neighbour(struct view *v, struct rect r, int y, const struct atlas_neighbour *n, bool here)
{
	char score[16];
	view_format_score(score, n->score);
	rect_puts_right(r, 6, y, STYLE_NUMBER, score);
	view_put_feature(v, r, 8, y, r.w - 9, n->id);
	if (here) {
		rect_puts(r, 0, y, STYLE_MARK, ">");
		rect_cursor_row(r, y);
		rect_cursor(r, 0, y);
	}
}

/* ---- the header ---- */

static void add_other(void *context, const struct label *l)
{
	struct buf *b = context;
	if (b->n)
		buf_adds(b, "  ");
	buf_adds(b, l->kind == LABEL_PERSON ? "person: " : l->kind == LABEL_LEXICAL ? "auto: " : "");
	if (l->kind == LABEL_MACHINE)
		buf_addf(b, "%s: ", l->source);
	buf_add(b, (const char *)l->text.p, l->text.n);
}

struct others {
	struct buf *b;
	bool first;
};

static void skip_first(void *context, const struct label *l)
{
	struct others *o = context;
	if (!o->first)
		add_other(o->b, l);
	o->first = false;
}

static void draw_labels(struct view *v, struct rect r)
{
	struct feature *s = view_state(v);
	struct session *session = app_session(v->app);
	struct label l;
	bool has = session_label(session, s->id, &l);
	char *tags = note_tags(session->note, s->id);
	int rating = note_rating(session->note, s->id), x = r.w - 1;
	if (tags) {
		x = rect_puts_right(r, x, 0, STYLE_TAG, tags) - 1;
		free(tags);
	}
	if (rating) {
		x -= rating;
		plot_stars(r, x, 0, rating);
		x--;
	}
	if (has)
		x = rect_puts_right(r, x, 0, STYLE_DIM,
				    l.kind == LABEL_PERSON    ? "person"
				    : l.kind == LABEL_LEXICAL ? "automatic"
							      : l.source) -
		    2;
	if (app_is_marked(v->app, s->id))
		rect_puts(r, 0, 0, STYLE_MARK, "*");
	view_put_label(v, r, 1, 0, x - 1, s->id);
}

static int draw_others(struct view *v, struct rect r, int y)
{
	struct feature *s = view_state(v);
	struct session *session = app_session(v->app);
	struct buf b = BUF_INIT;
	struct others o = {&b, !session_is_rejected(session, s->id)};
	session_each_label(session, s->id, skip_first, &o);
	char *note = note_note(session->note, s->id);
	if (note)
		buf_addf(&b, "%snote: %s", b.n ? "  " : "", note);
	free(note);
	if (b.n)
		rect_put_cut(r, 1, y, r.w - 2, STYLE_DIM, b.s, b.n);
	int used = b.n > 0;
	buf_release(&b);
	return used;
}

static int put_number(struct rect r, int x, int y, const char *name, const char *value)
{
	int w = text_width(name, strlen(name)) + 1 + (int)strlen(value);
	if (x + w > r.w)
		return x;
	x += rect_puts(r, x, y, STYLE_DIM, name) + 1;
	return x + rect_puts(r, x, y, STYLE_NUMBER, value) + 2;
}

static void draw_numbers(struct view *v, struct rect r, int y)
{
	struct feature *s = view_state(v);
	const struct atlas *a = feature_atlas(v);
	f32 edges[65];
	u64 counts[64];
	f64 bars[64];
	char value[16];
	int x = 1;
	view_format_density(value, s->stats.density);
	x = put_number(r, x, y, "density", value) - 1;
	size_t n = a->store ? store_histogram(a->store, s->id, edges, counts, ARRAY_LEN(counts)) : 0;
	for (size_t i = 0; i < n; i++)
		bars[i] = (f64)counts[i];
	if (n && x + (int)n + 10 < r.w) {
		plot_sparkline(r, x, y, STYLE_BAR, bars, n, true);
		x += (int)n + 1;
	} else
		x++;
	view_format_value(value, s->stats.max);
	x = put_number(r, x, y, "max", value);
	view_format_score(value, s->scores.input);
	x = put_number(r, x, y, "detects", value);
	view_format_score(value, s->scores.topic);
	put_number(r, x, y, "writes", value);
}

static void draw_logits(struct view *v, struct rect r, int y)
{
	struct feature *s = view_state(v);
	const struct atlas *a = feature_atlas(v);
	struct atlas_token t[20];
	size_t n = atlas_logits(a, s->id, 1, t, ARRAY_LEN(t));
	if (!n) {
		const char *missing = atlas_missing(a, "logits");
		rect_put_cut(r, 1, y, r.w - 2, STYLE_DIM, missing ? missing : "-",
			     strlen(missing ? missing : "-"));
		return;
	}
	int half = r.w >= 60 ? r.w * 3 / 5 : r.w;
	int x = 1 + rect_puts(r, 1, y, STYLE_DIM, "promotes ");
	view_put_logits(v, r, x, y, half - x - 1, t, n);
	n = atlas_logits(a, s->id, -1, t, ARRAY_LEN(t));
	if (half == r.w || !n)
		return;
	x = half + rect_puts(r, half, y, STYLE_DIM, "suppresses ");
	view_put_logits(v, r, x, y, r.w - x - 1, t, n);
}

static int draw_header(struct view *v, struct rect r)
{
	int y = 1;
	draw_labels(v, r);
	if (r.h >= 14)
		y += draw_others(v, r, y);
	draw_numbers(v, r, y++);
	if (r.h >= 9)
		draw_logits(v, r, y++);
	return y;
}

/* ---- the sections ---- */

/* Rows for each: what is there, at most; the section with the cursor first, then the others in
 * turn, so that each that has something shows something. */
static void share_rows(struct feature *s, int rows)
{
	int heads = 0;
	for (size_t i = 0; i < SECTIONS; i++) {
		s->sections[i].list.h = 0;
		heads += s->sections[i].n > 0;
	}
	bool only = s->big || rows < heads * 2 + 1;
	if (only) {
		feature_section(s)->list.h = (int)MIN(feature_section(s)->n, (size_t)MAX(rows - 1, 0));
		return;
	}
	static const int least[SECTIONS] = {1, 1, 1, 2};
	int left = rows - heads;
	for (size_t i = 0; i < SECTIONS; i++) {
		int h = (int)MIN(s->sections[i].n, (size_t)least[i]);
		s->sections[i].list.h = h = MIN(h, left);
		left -= h;
	}
	static const int share[SECTIONS] = {3, 1, 1, 2};
	for (bool more = true; left > 0 && more;) {
		more = false;
		for (size_t i = 0; i < SECTIONS; i++)
			for (int k = 0; k < share[i] && left > 0; k++)
				if ((size_t)s->sections[i].list.h < s->sections[i].n) {
					s->sections[i].list.h++;
					left--;
					more = true;
				}
	}
}

static size_t n_texts(struct view *v, const struct section *x)
{
	struct feature *s = view_state(v);
	size_t n = 0;
	u64 seen[MAX_CONTEXTS], from, to;
	for (size_t i = 0; i < x->n; i++) {
		u64 position = s->contexts[x->first + i].position;
		u64 text = store_text_of(feature_atlas(v)->store, position, &from, &to);
		bool old = false;
		for (size_t k = 0; k < n && !old; k++)
			old = seen[k] == text;
		if (!old)
			seen[n++] = text;
	}
	return n;
}

static void draw_section_head(struct view *v, struct rect r, int y, size_t i)
{
	static const char *const words[] = {"top", "intervals", "random", "neighbours by decoder"};
	struct feature *s = view_state(v);
	const struct section *x = &s->sections[i];
	struct buf b = BUF_INIT;
	char right[64];
	buf_addf(&b, "%s  %zu", words[i], x->n);
	if (i != SECTION_NEIGHBOURS) {
		size_t texts = n_texts(v, x);
		buf_addf(&b, " context%s, %zu text%s", x->n == 1 ? "" : "s", texts, texts == 1 ? "" : "s");
	}
	rect_put_cut(r, 1, y, r.w - 2, i == s->at ? STYLE_PROMPT : STYLE_DIM, b.s, b.n);
	u64 last = MIN(x->list.top + (u64)x->list.h, x->list.n);
	int n = snprintf(right, sizeof right, "%llu-%llu of %zu", (unsigned long long)x->list.top + 1,
			 (unsigned long long)last, x->n);
	if (i != SECTION_NEIGHBOURS && i == s->at && n > 0)
		snprintf(right + n, sizeof right - (size_t)n, s->width ? ", w %d" : ", w all", s->width);
	if (text_width(b.s, b.n) + (int)strlen(right) + 4 < r.w)
		rect_puts_right(r, r.w - 1, y, STYLE_DIM, right);
	buf_release(&b);
}

static int draw_section(struct view *v, struct rect r, int y, size_t i)
{
	struct feature *s = view_state(v);
	struct section *x = &s->sections[i];
	list_resize(&x->list, x->n, x->list.h);
	draw_section_head(v, r, y++, i);
	s->row_y[i] = y;
	for (int k = 0; k < x->list.h && x->list.top + (u64)k < x->n; k++, y++) {
		u64 row = x->list.top + (u64)k;
		bool here = i == s->at && row == x->list.at;
		if (i == SECTION_NEIGHBOURS)
			draw_neighbour(v, r, y, &s->neighbours[row], here);
		else
			draw_context(v, r, y, &s->contexts[x->first + row], here);
	}
	return y;
}

static void draw_token_line(struct view *v, struct rect r, int y)
{
	struct feature *s = view_state(v);
	const struct store_context *c = feature_context(s);
	struct buf b = BUF_INIT;
	if (!c)
		return;
	feature_load_line(v, c, true);
	size_t at = (size_t)line.view.cursor;
	u64 position = line.from + at, from, to;
	char value[16];
	/* the store keeps a peak as f32, what is around it as f16 */
	view_format_value(value, position == c->position ? c->act : line.acts[at]);
	u64 text = store_text_of(feature_atlas(v)->store, position, &from, &to);
	buf_addc(&b, '"');
	session_add_token(app_session(v->app), &b, line.tokens[at]);
	buf_addf(&b, "\" %s \u00b7 token %llu of text %llu", line.acts[at] > 0 ? value : "silent",
		 (unsigned long long)(position - from), (unsigned long long)text);
	if (line.flags[at] & TOKEN_MASKED)
		buf_addf(&b, " \u00b7 not counted (%s)", line.flags[at] & TOKEN_FIRST	? "first"
							 : line.flags[at] & TOKEN_SPECIAL ? "special"
											  : "sink");
	else if (line.flags[at] & TOKEN_PROMPT)
		buf_adds(&b, " \u00b7 prompt");
	rect_put_cut(r, 1, y, r.w - 2, STYLE_NUMBER, b.s, b.n);
	buf_release(&b);
}

static void draw_missing(struct view *v, struct rect r, int y)
{
	const struct atlas *a = feature_atlas(v);
	const char *store = atlas_missing(a, "store"), *graph = atlas_missing(a, "graph");
	struct feature *s = view_state(v);
	if (store)
		y += view_put_sentence(r, 1, y, store);
	else if (!s->n_contexts)
		y += view_put_sentence(r, 1, y,
				       "it never fires on the indexed text, so there are no contexts");
	if (graph)
		view_put_sentence(r, 1, y, graph);
}

void feature_draw(struct view *v, struct rect r)
{
	struct feature *s = view_state(v);
	int y = draw_header(v, r), missing = 0;
	if (!s->n_contexts || !s->n_neighbours)
		missing = 2;
	int status = r.h >= 9;
	share_rows(s, r.h - y - status - missing);
	for (size_t i = 0; i < SECTIONS; i++)
		if (s->sections[i].list.h > 0)
			y = draw_section(v, r, y, i);
	if (missing)
		draw_missing(v, rect_sub(r, 0, 0, r.w, r.h - status), y);
	if (status)
		draw_token_line(v, r, r.h - 1);
}
