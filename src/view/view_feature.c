/* SPDX-License-Identifier: MIT */
/* view_feature.c - the page of a feature: labels, numbers, promoted tokens, contexts with the
 * heat of each token, neighbours.
 *
 * Below the header stand sections (top, interval and random contexts, neighbours), each a
 * small list of its own; the cursor runs through them all.
 */
#include "view/app.h"
#include "view/list_act.h"
#include "view/view.h"

#include "base/mem.h"
#include "ui/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONTEXTS = 256, MAX_NEIGHBOURS = 64, MAX_LINE = 8192, SECTIONS = 4 };

enum section_kind { SECTION_TOP, SECTION_INTERVAL, SECTION_RANDOM, SECTION_NEIGHBOURS };

struct section {
	size_t first, n;  /* in contexts, or neighbours */
	struct list list; /* h: rows it has on the screen */
};

struct feature {
	u32 id;
	struct store_stats stats;
	struct atlas_scores scores;
	struct store_context contexts[MAX_CONTEXTS];
	size_t n_contexts;
	struct atlas_neighbour neighbours[MAX_NEIGHBOURS];
	size_t n_neighbours;
	struct section sections[SECTIONS];
	size_t at;        /* the section with the cursor */
	i64 token;        /* the cursor's token, relative to the peak */
	int width;        /* tokens on either side; 0: all */
	bool big;         /* the section with the cursor takes all the room */
	int header_h;
	int row_y[SECTIONS];
};

static const struct atlas *atlas_of(struct view *v)
{
	return app_session(v->app)->atlas;
}

static struct section *section(struct feature *s)
{
	return &s->sections[s->at];
}

/* ---- opening ---- */

static void split_contexts(struct feature *s)
{
	for (size_t i = 0; i < s->n_contexts; i++) {
		struct section *x = &s->sections[s->contexts[i].kind];
		if (!x->n++)
			x->first = i;
	}
	s->sections[SECTION_NEIGHBOURS].n = s->n_neighbours;
	for (size_t i = 0; i < SECTIONS; i++)
		s->sections[i].list.n = s->sections[i].n;
	while (s->at + 1 < SECTIONS && !section(s)->n)
		s->at++;
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	struct feature *s = view_state(v);
	const struct atlas *a = atlas_of(v);
	if (t->feature >= a->n_features)
		return err_set(e, ERR_NOT_FOUND, "there is no feature #%u", t->feature);
	s->id = t->feature;
	s->width = 16;
	s->stats = (struct store_stats){NAN, NAN, NAN, 0};
	if (a->store) {
		store_stats(a->store, s->id, &s->stats);
		s->n_contexts = MIN(store_contexts(a->store, s->id, s->contexts, MAX_CONTEXTS), (size_t)MAX_CONTEXTS);
	}
	atlas_scores(a, s->id, &s->scores);
	s->n_neighbours = atlas_neighbours(a, s->id, s->neighbours, MAX_NEIGHBOURS);
	split_contexts(s);
	return 0;
}

static bool on_neighbour(struct feature *s)
{
	return s->at == SECTION_NEIGHBOURS && section(s)->n;
}

static const struct store_context *context_here(struct feature *s)
{
	if (s->at == SECTION_NEIGHBOURS || !section(s)->n)
		return NULL;
	return &s->contexts[section(s)->first + section(s)->list.at];
}

/* The page is about its feature; its neighbours are only pointed at by Enter. */
static bool current(struct view *v, u32 *feature)
{
	*feature = ((struct feature *)view_state(v))->id;
	return true;
}

/* ---- one context ---- */

struct line { /* the tokens of a context that are looked at */
	u64 from;
	size_t n;
	u32 tokens[MAX_LINE];
	u8 flags[MAX_LINE];
	f32 acts[MAX_LINE];
	struct view_tokens view;
};

static struct line line; /* too large for a stack, used by one thread */

static void load_line(struct view *v, const struct store_context *c, bool cursor)
{
	struct feature *s = view_state(v);
	const struct store *st = atlas_of(v)->store;
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
	line.view = (struct view_tokens){.tokens = line.tokens, .acts = line.acts, .flags = line.flags, .n = line.n,
					 .max = s->stats.max, .peak = peak, .cursor = -1};
	if (cursor) {
		i64 at = (i64)peak + s->token;
		at = at < 0 ? 0 : at >= (i64)line.n ? (i64)line.n - 1 : at;
		s->token = at - peak;
		line.view.cursor = (int)at;
	}
}

static void draw_context(struct view *v, struct rect r, int y, const struct store_context *c, bool here)
{
	char value[16];
	load_line(v, c, here);
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
				    l.kind == LABEL_PERSON ? "person" : l.kind == LABEL_LEXICAL ? "automatic" : l.source) - 2;
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
	const struct atlas *a = atlas_of(v);
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
	const struct atlas *a = atlas_of(v);
	struct atlas_token t[20];
	size_t n = atlas_logits(a, s->id, 1, t, ARRAY_LEN(t));
	if (!n) {
		const char *missing = atlas_missing(a, "logits");
		rect_put_cut(r, 1, y, r.w - 2, STYLE_DIM, missing ? missing : "-", strlen(missing ? missing : "-"));
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
		section(s)->list.h = (int)MIN(section(s)->n, (size_t)MAX(rows - 1, 0));
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
		u64 text = store_text_of(atlas_of(v)->store, s->contexts[x->first + i].position, &from, &to);
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
	const struct store_context *c = context_here(s);
	struct buf b = BUF_INIT;
	if (!c)
		return;
	load_line(v, c, true);
	size_t at = (size_t)line.view.cursor;
	u64 position = line.from + at, from, to;
	char value[16];
	view_format_value(value, line.acts[at]);
	u64 text = store_text_of(atlas_of(v)->store, position, &from, &to);
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
	const struct atlas *a = atlas_of(v);
	const char *store = atlas_missing(a, "store"), *graph = atlas_missing(a, "graph");
	struct feature *s = view_state(v);
	if (store)
		y += view_put_sentence(r, 1, y, store);
	else if (!s->n_contexts)
		y += view_put_sentence(r, 1, y, "it never fires on the indexed text, so there are no contexts");
	if (graph)
		view_put_sentence(r, 1, y, graph);
}

static void draw(struct view *v, struct rect r)
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

/* ---- actions ---- */

static void next_section(struct feature *s, int direction)
{
	for (int k = 1; k <= SECTIONS; k++) {
		size_t i = (s->at + (size_t)(direction > 0 ? k : SECTIONS - k)) % SECTIONS;
		if (s->sections[i].n) {
			s->at = i;
			break;
		}
	}
	s->token = 0;
}

/* The cursor runs on into the next section. */
static bool move(struct feature *s, enum action a, int count)
{
	struct list *l = &section(s)->list;
	int n = count ? count : 1;
	if (a != ACT_DOWN && a != ACT_UP) {
		s->token = a == ACT_FIRST || a == ACT_LAST ? 0 : s->token;
		return list_act(l, a, count);
	}
	for (; n > 0; n--) {
		size_t before = s->at;
		l = &section(s)->list;
		if (a == ACT_DOWN && l->at + 1 < l->n)
			list_move(l, 1);
		else if (a == ACT_UP && l->at > 0)
			list_move(l, -1);
		else {
			next_section(s, a == ACT_DOWN ? 1 : -1);
			if (a == ACT_DOWN ? s->at <= before : s->at >= before)
				s->at = before; /* the ends do not wrap */
			else
				list_go(&section(s)->list, a == ACT_DOWN ? 0 : UINT64_MAX / 2);
		}
		s->token = 0;
	}
	return true;
}

static void open_text(struct view *v, const struct store_context *c)
{
	const struct atlas *a = atlas_of(v);
	struct feature *s = view_state(v);
	struct buf b = BUF_INIT;
	u64 from, to;
	store_text_of(a->store, c->position, &from, &to);
	to = MIN(to, from + MAX_LINE);
	size_t n = 0;
	for (u64 i = from; i < to; i++)
		if (!(store_token_flags(a->store, i) & TOKEN_SPECIAL))
			line.tokens[n++] = store_token(a->store, i);
	if (a->vocab)
		vocab_add_text(a->vocab, &b, line.tokens, n);
	struct target t = {.feature = s->id, .text = b.s};
	const struct view_class *text = app_view_of(ACT_GO_TEXT);
	if (text)
		app_push(v->app, text, &t);
	buf_release(&b);
}

static void enter(struct view *v)
{
	struct feature *s = view_state(v);
	const struct store_context *c = context_here(s);
	if (on_neighbour(s))
		app_push_feature(v->app, s->neighbours[section(s)->list.at].id);
	else if (c)
		open_text(v, c);
}

static void move_token(struct feature *s, i64 delta)
{
	s->token += delta;
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct feature *s = view_state(v);
	int n = count ? count : 1;
	if (move(s, a, count))
		return VIEW_HANDLED;
	switch (a) {
	case ACT_LEFT: move_token(s, -n); break;
	case ACT_RIGHT: move_token(s, n); break;
	case ACT_TOKEN_FIRST: s->token = INT32_MIN; break;
	case ACT_TOKEN_LAST: s->token = INT32_MAX; break;
	case ACT_NEXT_PANE: next_section(s, 1); break;
	case ACT_PREVIOUS_PANE: next_section(s, -1); break;
	case ACT_WIDTH: s->width = s->width == 5 ? 16 : s->width == 16 ? 0 : 5; break;
	case ACT_MORE: s->big = true; break;
	case ACT_LESS: s->big = false; break;
	case ACT_OPEN: enter(v); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static const char *why_not(struct view *v, enum action a)
{
	struct feature *s = view_state(v);
	bool token = a == ACT_LEFT || a == ACT_RIGHT || a == ACT_TOKEN_FIRST || a == ACT_TOKEN_LAST;
	if (token && !context_here(s))
		return "the cursor is not on a context";
	if (a == ACT_WIDTH && !s->n_contexts)
		return "there are no contexts";
	return NULL;
}

static void crumb(struct view *v, struct buf *out)
{
	buf_addf(out, "#%u", ((struct feature *)view_state(v))->id);
}

static void exact(struct view *v, struct buf *out)
{
	struct feature *s = view_state(v);
	const struct store_context *c = context_here(s);
	if (on_neighbour(s)) {
		const struct atlas_neighbour *n = &s->neighbours[section(s)->list.at];
		buf_addf(out, "cosine of #%u and #%u: %.9g\nfeatlas near %s %u --json", s->id, n->id, (f64)n->score,
			 atlas_of(v)->folder, s->id);
		return;
	}
	if (c) {
		load_line(v, c, true);
		u64 position = line.from + (u64)line.view.cursor;
		buf_addf(out, "activation %.9g at position %llu\n", (f64)line.acts[line.view.cursor],
			 (unsigned long long)position);
	}
	buf_addf(out, "density %.9g  (%llu tokens)\nmax     %.9g\nmean    %.9g\n", (f64)s->stats.density,
		 (unsigned long long)s->stats.count, (f64)s->stats.max, (f64)s->stats.mean);
	buf_addf(out, "detects %.9g\noutput  %.9g\nwrites  %.9g\nfeatlas show %s %u --json", (f64)s->scores.input,
		 (f64)s->scores.output, (f64)s->scores.topic, atlas_of(v)->folder, s->id);
}

static void command(struct view *v, struct buf *out)
{
	buf_addf(out, "featlas show %s %u", atlas_of(v)->folder, ((struct feature *)view_state(v))->id);
}

static void click(struct view *v, int x, int y, int times)
{
	struct feature *s = view_state(v);
	(void)x;
	for (size_t i = 0; i < SECTIONS; i++) {
		struct list *l = &s->sections[i].list;
		if (l->h <= 0 || y < s->row_y[i] || y >= s->row_y[i] + l->h)
			continue;
		s->at = i;
		s->token = 0;
		list_go(l, l->top + (u64)(y - s->row_y[i]));
		if (times == 2)
			enter(v);
	}
}

const struct view_class view_feature = {
	.name = "feature",
	.title = NULL,
	.size = sizeof(struct feature),
	.hints = {{ACT_OPEN, "open"}, {ACT_RIGHT, "token"}, {ACT_NEXT_FEATURE, "next"}, {ACT_LABEL, "label"},
		  {ACT_GO_GRAPH, "graph"}, {ACT_GO_STEER, "steer"}, {ACT_WIDTH, "width"}, {ACT_TAG, "tag"},
		  {ACT_RATE, "rate"}},
	.open = open,
	.draw = draw,
	.act = act,
	.crumb = crumb,
	.why_not = why_not,
	.current = current,
	.exact = exact,
	.command = command,
	.click = click,
};
