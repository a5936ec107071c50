/* SPDX-License-Identifier: MIT */
/* view_feature_draw.c - a feature's page on the screen: header, contexts with heat, neighbours. */
#include "core/judged.h"
#include "session/quiz.h"
#include "ui/plot.h"
#include "view/view_feature.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* What a person's quiz and a machine's judgement made of the label that is shown: "quiz .83  judged .71". */
static void add_evidence(struct session *s, u32 feature, const struct label *l, struct buf *b)
{
	struct judgement x;
	char value[16], *asked = NULL, *shown = session_label_text(s, feature);
	f32 quiz, judged = NAN;
	if (quiz_kept(s, feature, NULL, &quiz, &asked) && !strcmp(asked, shown)) {
		view_format_score(value, quiz);
		buf_addf(b, "quiz %s  ", value);
	}
	free(asked);
	free(shown);
	if (s->atlas->judged && judged_best(s->atlas->judged, feature, &l->text, &x, &judged)) {
		view_format_score(value, judged);
		bool model = *x.method.model;
		buf_addf(b, "%s %s  ", model ? "judged" : "words", value);
	}
}

static void draw_labels(struct view *v, struct rect r)
{
	struct feature *s = view_state(v);
	struct session *session = app_session(v->app);
	struct label l;
	bool has = app_has(v->app, s->id, ATLAS_LABELS) && session_label(session, s->id, &l);
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
	if (has) {
		struct buf b = BUF_INIT;
		if (r.w >= 60)
			add_evidence(session, s->id, &l, &b);
		buf_adds(&b, l.kind == LABEL_PERSON ? "person" : l.kind == LABEL_LEXICAL ? "automatic" : l.source);
		x = rect_puts_right(r, x, 0, STYLE_DIM, b.s) - 2;
		buf_release(&b);
	}
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
	view_format_value(value, s->stats.max * s->fold);
	x = put_number(r, x, y, "max", value);
	view_format_score(value, s->scores.input);
	x = put_number(r, x, y, "detects", value);
	view_format_score(value, s->scores.topic);
	put_number(r, x, y, "writes", value);
}

static int draw_header(struct view *v, struct rect r)
{
	struct feature *s = view_state(v);
	int y = 1;
	draw_labels(v, r);
	if (r.h >= 14)
		y += draw_others(v, r, y);
	draw_numbers(v, r, y++);
	if (r.h >= 9)
		y += view_put_promoted(v, r, y, s->id);
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

static void draw_section_head(struct view *v, struct rect r, int y, size_t i)
{
	static const char *const words[] = {"top", "intervals", "random", "neighbours by decoder"};
	struct feature *s = view_state(v);
	const struct section *x = &s->sections[i];
	struct buf b = BUF_INIT;
	char right[64];
	buf_addf(&b, "%s  %zu", words[i], x->n_all);
	if (i != SECTION_NEIGHBOURS)
		buf_addf(&b, " context%s, %zu text%s", x->n_all == 1 ? "" : "s", x->n_texts,
			 x->n_texts == 1 ? "" : "s");
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
	struct context_look look = feature_look(s);
	list_resize(&x->list, x->n, x->list.h);
	draw_section_head(v, r, y++, i);
	s->row_y[i] = y;
	for (int k = 0; k < x->list.h && x->list.top + (u64)k < x->n; k++, y++) {
		u64 row = x->list.top + (u64)k;
		bool here = i == s->at && row == x->list.at;
		if (i == SECTION_NEIGHBOURS)
			draw_neighbour(v, r, y, &s->neighbours[row], here);
		else
			context_draw(v, r, y, &look, &s->contexts[x->first + row], here ? &s->token : NULL,
				     s->alike[x->first + row]);
	}
	return y;
}

static void draw_token_line(struct view *v, struct rect r, int y)
{
	struct feature *s = view_state(v);
	const struct store_context *c = feature_context(s);
	struct context_look look = feature_look(s);
	if (c)
		context_draw_token(v, r, y, &look, c, &s->token);
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
	if (!feature_load(v)) {
		draw_labels(v, r);
		rect_puts(r, 1, 1, STYLE_DIM, "\u2026");
		return;
	}
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
