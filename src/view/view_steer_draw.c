/* SPDX-License-Identifier: MIT */
/* view_steer_draw.c - the steering screen in cells: rows with sliders, two streams, figures. */
#include "view/view_steer.h"
#include "base/mem.h"
#include "ui/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLIDER_LOW = -3, SLIDER_HIGH = 6, SLIDER_STEPS = 2 * (SLIDER_HIGH - SLIDER_LOW) };
static const f32 WRITES = 0.005f; /* a topic score below it: the feature only detects */

/* ---- the prompt line and the rows ---- */

static void draw_prompt(struct view *v, struct rect r, int y)
{
	static const char *const where[] = {"reply", "prompt", "both"};
	struct steer_view *s = view_state(v);
	struct buf tail = BUF_INIT;
	buf_addf(&tail, "%s%s \xc2\xb7 %s \xc2\xb7 ", s->rerun ? "zr \xc2\xb7 " : "", s->ask.chat ? "chat" : "plain",
		 where[s->ask.where]);
	buf_addf(&tail, "seed %llu \xc2\xb7 ", (unsigned long long)s->ask.seed);
	buf_addf(&tail, "T %g \xc2\xb7 %u tokens", (double)s->ask.temperature, (unsigned)s->ask.n_tokens);
	int w = text_width(tail.s, tail.n);
	bool fits = r.w - w >= 36;
	rect_puts(r, 1, y, STYLE_PROMPT, "prompt");
	int room = r.w - 10 - (fits ? w + 2 : 0);
	rect_put_cut(r, 9, y, room, STYLE_NORMAL, s->ask.prompt, strlen(s->ask.prompt));
	if (fits)
		rect_puts_right(r, r.w - 1, y, STYLE_DIM, tail.s);
	buf_release(&tail);
}

/* "1.25x = 14.6"; a strength that is being typed stands as typed. */
static void strength_words(struct view *v, const struct steer_spec *row, bool typing, bool brief,
			   char out[48])
{
	struct steer_view *s = view_state(v);
	char c[16];
	if (row->method == STEER_ABLATE) {
		snprintf(out, 48, "to 0");
		return;
	}
	bool times = steer_in_maxima(row);
	int n = typing ? snprintf(out, 48, "%s%s", s->typed, times ? "x" : "")
		       : snprintf(out, 48, times ? "%.2fx" : "%.1f", (double)row->strength);
	if (brief || !times)
		return;
	view_format_value(c, steer_coefficient(v, row));
	snprintf(out + n, 48 - (size_t)n, "%*s= %s", MAX(7 - n, 1), "", c);
}

static void draw_mark(struct rect r, int x, int y, f32 units, enum style style, u32 cp)
{
	f32 at = (units - SLIDER_LOW) * 2.0f;
	if (at >= 0 && at <= SLIDER_STEPS)
		rect_cp(r, x + (int)lroundf(at), y, style, cp);
}

static void draw_slider(struct rect r, int x, int y, f32 strength, const struct dose_range *k, enum style style)
{
	int at = (int)lroundf((strength - SLIDER_LOW) * 2.0f);
	rect_printf(r, x, y, STYLE_DIM, "%d ", SLIDER_LOW);
	x += 3;
	for (int i = 0; i <= SLIDER_STEPS; i++) {
		bool far = i > -4 * SLIDER_LOW; /* beyond the usual range of 3x either way */
		u32 cp = i == -2 * SLIDER_LOW ? '0' : far ? 0x2508 : 0x2500;
		rect_cp(r, x + i, y, far ? STYLE_DIM : STYLE_LINE, cp);
	}
	draw_mark(r, x, y, k->onset, STYLE_POSITIVE, '|');
	draw_mark(r, x, y, k->collapse, STYLE_NEGATIVE, '!');
	draw_mark(r, x, y, k->collapse_low, STYLE_NEGATIVE, '!');
	bool inside = at >= 0 && at <= SLIDER_STEPS;
	rect_cp(r, x + MAX(0, MIN(at, SLIDER_STEPS)), y, style, inside ? 0x25cf : at < 0 ? '<' : '>');
	rect_printf(r, x + SLIDER_STEPS + 1, y, STYLE_DIM, " %dx", SLIDER_HIGH);
}

/* " if /regex/" at the right of the label's room, which gets smaller. */
static void draw_condition(struct rect r, int x, int y, int *room, const struct steer_spec *row)
{
	struct buf words = BUF_INIT;
	if (!row->condition)
		return;
	buf_adds(&words, "if ");
	steer_if_add(row, &words);
	int w = MIN(text_width(words.s, words.n), MAX(*room - 8, *room / 2));
	rect_put_cut(r, x + *room - w, y, w, STYLE_CHANGED, words.s, words.n);
	*room -= w + 1;
	buf_release(&words);
}

static void draw_row(struct view *v, struct rect r, int y, size_t i)
{
	struct steer_view *s = view_state(v);
	const struct steer_spec *row = &s->ask.row[i];
	bool here = i == s->row && !s->in_list, slider = r.w >= 72, brief = r.w < 56;
	const char *method = steer_spec_method(row->method);
	int n = MAX((int)strlen(method) + 2, 8), tail = (slider ? 27 : 0) + (brief ? 6 : 14) + n;
	char words[48];
	strength_words(v, row, here && s->n_typed && !steer_is_minus(s), brief, words);
	rect_puts(r, 0, y, STYLE_MARK, i == s->row ? ">" : " ");
	int room = MAX(r.w - 2 - tail, 6), x = r.w - tail;
	draw_condition(r, 2, y, &room, row);
	view_put_feature(v, r, 2, y, room, row->feature);
	rect_puts(r, x + 1, y, STYLE_NORMAL, method);
	rect_puts(r, x + n, y, STYLE_NUMBER, words);
	struct dose_range range = steer_range(v, row, s->ask.where);
	if (slider && row->method != STEER_ABLATE)
		draw_slider(r, r.w - 26, y, row->strength / steer_unit(v, row), &range, here ? STYLE_MARK : STYLE_NUMBER);
	if (here) {
		rect_cursor_row(r, y);
		rect_cursor(r, 0, y);
	}
}

/* ---- the streams ---- */

/* What differs from the other stream, where that is asked.  A word that is hot keeps its colour: it is
 * what shows whether the difference comes from the feature. */
static void mark_changed(const struct steer_live *l, int which, u8 *style, u8 *attr)
{
	const struct buf *text = &l->stream[which].text, *other = &l->stream[!which].text;
	bool *changed = xcalloc(text->n + 1, sizeof *changed);
	words_diff(other->s, other->n, text->s, text->n, changed);
	for (size_t i = 0; i < text->n; i++)
		if (changed[i] && style[i] == STYLE_NORMAL)
			style[i] = STYLE_CHANGED;
		else if (changed[i])
			attr[i] = ATTR_BOLD | ATTR_UNDERLINE;
	free(changed);
}

/* A style for each byte: the heat of the chosen feature. */
static u8 *styles_of(struct view *v, const struct steer_live *l, int which)
{
	struct steer_view *s = view_state(v);
	const struct steer_stream *t = &l->stream[which];
	u8 *style = xcalloc(t->text.n + 1, 1);
	u32 feature = s->ask.n_rows ? s->ask.row[s->row].feature : NO_FEATURE;
	struct store *store = app_session(v->app)->atlas->store;
	struct store_stats stats = {0};
	size_t k = 0, from = 0;
	while (k < l->n_features && l->feature[k] != feature)
		k++;
	if (store && feature != NO_FEATURE)
		store_stats(store, feature, &stats);
	for (size_t i = 0; i < t->n && k < l->n_features; i++) {
		f32 act = t->token[i].act[k];
		if (act > 0 && stats.max > 0)
			memset(style + from, (int)style_heat(act / stats.max), t->token[i].end - from);
		from = t->token[i].end;
	}
	return style;
}

/* Where a stream begins: models like to start a reply with a blank. */
static size_t leading(const struct buf *b)
{
	size_t n = 0;
	while (n < b->n && (b->s[n] == ' ' || b->s[n] == '\n'))
		n++;
	return n;
}

static void draw_stream(struct view *v, struct rect r, const struct steer_live *l, int which)
{
	struct steer_view *s = view_state(v);
	const struct buf *b = &l->stream[which].text;
	u8 *style = styles_of(v, l, which), *attr = xcalloc(b->n + 1, 1);
	if (s->diff)
		mark_changed(l, which, style, attr);
	size_t skip = leading(b);
	struct words w = {b->s + skip, b->n - skip, style + skip, STYLE_NORMAL, attr + skip};
	size_t lines = words_lines(&w, r.w), h = (size_t)MAX(r.h, 1);
	size_t above = lines > h ? lines - h : 0;
	s->scroll_end = MAX(s->scroll_end, (int)above);
	/* while it comes the end is what one reads; then the beginning */
	words_draw(&w, r, l->over ? MIN(above, (size_t)s->scroll) : above);
	free(style);
	free(attr);
}

/* Whether what is shown is what the rows and options ask for now. */
static bool is_asked(struct view *v)
{
	struct steer_view *s = view_state(v);
	struct steer_request q = steer_request(&s->ask);
	char hex[65];
	return !steer_hash(app_session(v->app)->atlas, &q, hex, NULL) && !strcmp(hex, s->live->hash);
}

static void draw_streams(struct view *v, struct rect r)
{
	struct steer_view *s = view_state(v);
	int left = s->left_wish ? s->left_wish : (r.w - 3) / 2;
	left = MAX(MIN(left, r.w - 13), 10);
	int bar = left + 1;
	s->bar_x = r.x + bar;
	s->bar_y = (int)s->ask.n_rows + 1; /* below the prompt and the features */
	rect_puts(r, 1, 0, STYLE_HEAD, "baseline");
	int x = bar + 2 + rect_puts(r, bar + 2, 0, STYLE_HEAD, "steered");
	if (!is_asked(v))
		rect_puts(r, x, 0, STYLE_CHANGED, r.w < 60 ? " before" : " before the changes; Enter runs");
	else if (s->live->replayed)
		rect_puts(r, x, 0, STYLE_DIM, " \xc2\xb7 recorded");
	for (int y = 0; y < r.h; y++)
		rect_cp(r, bar, y, STYLE_LINE, 0x2502);
	s->scroll_end = 0;
	pthread_mutex_lock(&s->live->lock);
	draw_stream(v, rect_sub(r, 1, 1, left - 1, r.h - 1), s->live, 0);
	draw_stream(v, rect_sub(r, bar + 2, 1, r.w - bar - 3, r.h - 1), s->live, 1);
	pthread_mutex_unlock(&s->live->lock);
}

/* ---- recorded runs ---- */

static void run_words(const json_t *run, struct buf *out)
{
	const json_t *features = json_object_get(run, "features");
	for (size_t i = 0; i < json_array_size(features); i++) {
		const json_t *f = json_array_get(features, i), *strength = json_object_get(f, "strength");
		buf_addf(out, "%s#%llu", i ? " + " : "", (unsigned long long)json_opt_u64(f, "id", 0));
		if (json_is_string(strength))
			buf_addf(out, " %s", json_string_value(strength));
		else if (json_is_number(strength))
			buf_addf(out, " %gx", json_number_value(strength));
		buf_addf(out, " %s", json_opt_str(f, "method", "add"));
		const char *label = json_opt_str(f, "label", "");
		if (*label && json_array_size(features) == 1)
			buf_addf(out, "  %s", label);
	}
	buf_addf(out, "  \xe2\x80\x9c%s\xe2\x80\x9d", json_opt_str(run, "prompt", ""));
}

static void draw_past(struct view *v, struct rect r)
{
	struct steer_view *s = view_state(v);
	size_t n = json_array_size(s->past), h = (size_t)MAX(r.h - 1, 1);
	rect_printf(r, 1, 0, STYLE_HEAD, "%zu recorded run%s, newest first: %sEnter replays", n,
		    n == 1 ? "" : "s", s->in_list ? "" : "Tab, then ");
	s->past_top = MIN(s->past_top, s->past_at);
	if (s->past_at >= s->past_top + h)
		s->past_top = s->past_at + 1 - h;
	for (size_t y = 0; y < h && s->past_top + y < n; y++) {
		struct buf text = BUF_INIT;
		run_words(json_array_get(s->past, n - 1 - s->past_top - y), &text);
		rect_put_cut(r, 2, (int)y + 1, r.w - 3, STYLE_NORMAL, text.s, text.n);
		buf_release(&text);
		if (s->in_list && s->past_top + y == s->past_at) {
			rect_puts(r, 0, (int)y + 1, STYLE_MARK, ">");
			rect_cursor_row(r, (int)y + 1);
			rect_cursor(r, 0, (int)y + 1);
		}
	}
}

/* ---- figures and the warning ---- */

/* What the added rows shift a residual by, in medians of its norm; NaN with other methods. */
static f32 shift(struct view *v)
{
	struct steer_view *s = view_state(v);
	struct atlas *a = app_session(v->app)->atlas;
	size_t d = dict_info(a->dict)->d_out;
	f32 *sum = xcalloc(d, sizeof *sum), *row = xcalloc(d, sizeof *row);
	f64 norm = 0;
	for (size_t i = 0; i < s->ask.n_rows; i++) {
		if (s->ask.row[i].method != STEER_ADD)
			norm = NAN;
		f32 c = steer_coefficient(v, &s->ask.row[i]);
		dict_decoder_row(a->dict, s->ask.row[i].feature, row);
		for (size_t k = 0; k < d; k++)
			sum[k] += c * row[k];
	}
	for (size_t k = 0; k < d; k++)
		norm += (f64)sum[k] * (f64)sum[k];
	free(sum);
	free(row);
	return a->norm_median > 0 ? (f32)sqrt(norm) / a->norm_median : NAN;
}

static bool is_conditional(const struct steer_ask *ask)
{
	for (size_t i = 0; i < ask->n_rows; i++)
		if (!ask->row[i].condition)
			return false;
	return ask->n_rows > 0;
}

static void figures(struct view *v, struct buf *out)
{
	struct steer_view *s = view_state(v);
	char size[16];
	f32 measured = NAN;
	if (s->live) {
		const struct buf *a = &s->live->stream[0].text, *b = &s->live->stream[1].text;
		pthread_mutex_lock(&s->live->lock);
		size_t first = words_first_difference(a->s, a->n, b->s, b->n);
		f64 ra = words_repetition(a->s, a->n), rb = words_repetition(b->s, b->n);
		bool any = a->n && b->n, over = s->live->over;
		pthread_mutex_unlock(&s->live->lock);
		if (any && first)
			buf_addf(out, "differs from word %zu   ", first);
		else if (any && over)
			buf_adds(out, "no difference   ");
		if (any)
			buf_addf(out, "repeats %.0f %%, baseline %.0f %%   ", 100 * rb, 100 * ra);
		measured = is_asked(v) ? (f32)s->live->change : NAN;
	}
	f32 x = isnan(measured) ? shift(v) : measured;
	view_format_value(size, x);
	if (x > 0)
		buf_addf(out, "change %s of the norm", size);
	else if (measured == 0 && is_conditional(&s->ask))
		buf_adds(out, "the condition never held");
}

/* What to say of a feature that recognises its topic and does not write about it. */
static void warning(struct view *v, struct buf *out)
{
	struct steer_view *s = view_state(v);
	struct atlas *a = app_session(v->app)->atlas;
	struct atlas_scores scores, best = {0};
	struct atlas_neighbour near[24];
	u32 id = s->ask.n_rows ? s->ask.row[s->row].feature : NO_FEATURE, writer = NO_FEATURE;
	if (id == NO_FEATURE)
		return;
	atlas_scores(a, id, &scores);
	if (!(scores.topic < WRITES)) /* not known is no warning */
		return;
	size_t n = atlas_neighbours(a, id, near, ARRAY_LEN(near));
	for (size_t i = 0; i < n; i++) {
		struct atlas_scores of;
		atlas_scores(a, near[i].id, &of);
		if (of.topic >= WRITES && (writer == NO_FEATURE || of.topic > best.topic)) {
			writer = near[i].id;
			best = of;
		}
	}
	char score[16];
	view_format_score(score, scores.topic);
	buf_addf(out, "#%u only detects (writes %s)", (unsigned)id, score);
	if (writer == NO_FEATURE)
		return;
	char *label = session_label_text(app_session(v->app), writer);
	view_format_score(score, best.topic);
	buf_addf(out, "; of its neighbours #%u writes best (%s): %s", (unsigned)writer, score, label);
	free(label);
}

/* What the marks on the sliders mean, where there are some. */
static void draw_legend(struct view *v, struct rect r, int y)
{
	struct steer_view *s = view_state(v);
	bool begins = false, ends = false;
	for (size_t i = 0; i < s->ask.n_rows && r.w >= 72; i++) {
		struct dose_range k = steer_range(v, &s->ask.row[i], s->ask.where);
		begins = begins || !isnan(k.onset);
		ends = ends || !isnan(k.collapse) || !isnan(k.collapse_low);
	}
	if (begins || ends)
		rect_puts_right(r, r.w - 1, y, STYLE_DIM, !ends ? "| effect begins" : begins ?
				"| effect begins  ! falls apart" : "! falls apart");
}

static void draw_body(struct view *v, struct rect r)
{
	struct steer_view *s = view_state(v);
	bool past = json_array_size(s->past) > 0;
	int y = 0;
	if (s->trouble[0])
		y = words_sentence(r, 1, 0, STYLE_ERROR, s->trouble) + 1;
	struct rect rest = rect_sub(r, 0, y, r.w, r.h - y);
	if (s->live && !s->in_list)
		draw_streams(v, rest);
	else if (past)
		draw_past(v, rest);
	else if (!s->trouble[0])
		rect_puts(rest, 1, 0, STYLE_DIM, "Enter runs the model twice, as it is and steered");
}

void steer_draw(struct view *v, struct rect r)
{
	struct steer_view *s = view_state(v);
	struct buf text = BUF_INIT, warn = BUF_INIT;
	int y = 1, most = MAX(r.h - 5, 1), top = MAX((int)s->row + 1 - most, 0);
	s->bar_x = 0;
	draw_prompt(v, r, 0);
	for (int i = top; i < (int)s->ask.n_rows && i < top + most; i++)
		draw_row(v, r, y++, (size_t)i);
	if (!s->ask.n_rows)
		rect_puts(r, 2, y++, STYLE_DIM, "no feature yet: a adds one");
	figures(v, &text);
	warning(v, &warn);
	int bottom = (text.n ? 1 : 0) + (warn.n ? 1 : 0);
	if (r.h >= 16)
		draw_legend(v, r, y++);
	draw_body(v, rect_sub(r, 0, y, r.w, r.h - y - bottom));
	if (text.n)
		rect_put_cut(r, 1, r.h - bottom, r.w - 2, STYLE_DIM, text.s, text.n);
	if (warn.n)
		rect_put_cut(r, 1, r.h - 1, r.w - 2, STYLE_CHANGED, warn.s, warn.n);
	buf_release(&text);
	buf_release(&warn);
}
