/* SPDX-License-Identifier: MIT */
/* view_sweep_draw.c - the sweep screen in cells: the grid, its curve, the text under the cursor. */
#include "view/view_sweep.h"

#include "base/mem.h"
#include "session/curve.h"
#include "session/hit.h"
#include "ui/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 7 /* columns left of the grid */, COLUMN = 6, TALL = 12 /* rows of a body with more than the grid */ };

void sweep_format(char out[16], enum dose_measure m, f64 x)
{
	if (isnan(x))
		snprintf(out, 16, "-");
	else if (m == DOSE_REPEATS)
		snprintf(out, 16, "%.0f%%", 100 * x);
	else if (m == DOSE_WORDS)
		snprintf(out, 16, "%g", x);
	else if (m == DOSE_HITS)
		snprintf(out, 16, "%s", x > 0 ? "hit" : "no");
	else
		snprintf(out, 16, "%.*f", fabs(x) < 9.995 ? 2 : fabs(x) < 99.95 ? 1 : 0, fabs(x) < 0.005 ? 0 : x);
}

/* ---- lines above the grid ---- */

static void draw_what(struct view *v, struct rect r, int y)
{
	static const char *const where[] = {"reply", "prompt", "both"};
	struct sweep_view *s = view_state(v);
	char tail[96];
	snprintf(tail, sizeof tail, "%s \xc2\xb7 %s \xc2\xb7 T %g \xc2\xb7 %u tokens", s->ask.chat ? "chat" : "plain",
		 where[s->ask.where], (f64)s->ask.temperature, s->ask.n_tokens);
	int w = text_width(tail, strlen(tail)), x = 1, room = r.w - w - 3;
	bool fits = room >= 24;
	room = fits ? room : r.w - 2;
	for (size_t i = 0; i < s->ask.n_rows && x < room; i++) {
		const struct steer_spec *f = &s->ask.row[i];
		if (i)
			x += rect_puts(r, x, y, STYLE_DIM, " + ");
		int share = MAX((room - x) / (int)(s->ask.n_rows - i) - (s->ask.n_rows > 1 ? 3 : 0), 6);
		x += view_put_feature(v, r, x, y, MIN(share, room - x), f->feature);
		if (f->method != STEER_ADD && room - x > 8)
			x += rect_printf(r, x, y, STYLE_NORMAL, " %s", steer_spec_method(f->method));
		if (f->hook[0] && room - x > 8)
			x += rect_put_cut(r, x + 1, y, room - x - 1, STYLE_NORMAL, f->hook, strlen(f->hook)) + 1;
	}
	if (fits)
		rect_puts_right(r, r.w - 1, y, STYLE_DIM, tail);
}

static void draw_measure(struct view *v, struct rect r, int y, bool brief)
{
	struct sweep_view *s = view_state(v);
	int x = 1 + rect_puts(r, 1, y, STYLE_HEAD, dose_keys[s->measure]);
	if (brief) {
		rect_puts(r, x + 1, y, STYLE_DIM, "of");
		view_put_feature(v, r, x + 4, y, r.w - x - 5, s->ask.row[0].feature);
		return;
	}
	rect_put_cut(r, x + 2, y, r.w - x - 3, STYLE_DIM, dose_words[s->measure], strlen(dose_words[s->measure]));
}

/* ---- the grid ---- */

struct scale {
	f64 low, high;
};

/* From nothing (0, or the least there is) to the most on the grid. */
static struct scale scale_of(const struct sweep_view *s)
{
	struct scale k = {0, 0};
	const struct sweep *w = s->live ? s->live->shown : NULL;
	for (size_t i = 0; w && i < w->n_cells; i++) {
		f64 x = w->cells[i].done ? dose_of(&w->cells[i], s->measure) : NAN;
		if (isfinite(x)) {
			k.low = fmin(k.low, x);
			k.high = fmax(k.high, x);
		}
	}
	/* the rule's limits are hot at least */
	if (s->measure == DOSE_EXCESS)
		k = (struct scale){0, fmax(k.high, HIT_EXCESS)};
	if (s->measure == DOSE_REPEATS)
		k.high = fmax(k.high, HIT_REPEATS);
	return k;
}

static enum style heat(const struct scale *k, f64 x)
{
	f64 part = k->high > k->low ? (x - k->low) / (k->high - k->low) : 0;
	return style_heat((f32)fmin(fmax(part, 0), 1));
}

static void put_value(struct rect r, int x, int y, const struct sweep_view *s, const struct scale *k, f64 v)
{
	char text[16];
	sweep_format(text, s->measure, v);
	rect_fill(r, x, y, COLUMN - 1, 1, heat(k, v), ' ');
	rect_puts_right(r, x + COLUMN - 1, y, heat(k, v), text);
}

static int column_x(const struct sweep_view *s, i64 column)
{
	return NAMES + (column < 0 ? 0 : COLUMN * (int)(column - (i64)s->left + 1));
}

static void put_cell(struct rect r, int y, const struct sweep_view *s, const struct scale *k, i64 column, size_t row)
{
	const struct sweep *w = s->live ? s->live->shown : NULL;
	const struct sweep_cell *c = !w ? NULL : column < 0 ? sweep_at(w, SWEEP_BASELINE, 0, row, 0)
							    : sweep_at(w, SWEEP_STEERED, 0, row, (size_t)column);
	int x = column_x(s, column);
	if (c && c->done)
		put_value(r, x, y, s, k, dose_of(c, s->measure));
	else
		rect_puts_right(r, x + COLUMN - 1, y, STYLE_DIM, w ? "\xe2\x80\xa6" : "\xc2\xb7");
	if (column == s->column && row == s->row) {
		rect_attr(r, x, y, COLUMN - 1, ATTR_REVERSE | ATTR_BOLD);
		rect_cursor(r, x + COLUMN - 2, y);
	}
}

static bool is_mark(const struct sweep_view *s, size_t i, char *mark)
{
	if (!s->dose.point)
		return false;
	*mark = i == s->dose.onset ? '|' : i == s->dose.collapse || i == s->dose.collapse_low ? '!' : 0;
	return *mark;
}

static void draw_strengths(struct view *v, struct rect r, int y, size_t shown)
{
	struct sweep_view *s = view_state(v);
	const struct steer_spec *first = &s->ask.row[0];
	rect_puts(r, 1, y, STYLE_DIM, s->left ? "seed <" : "seed");
	rect_puts_right(r, column_x(s, -1) + COLUMN - 1, y, STYLE_DIM, "base");
	for (size_t i = s->left; i < s->left + shown; i++) {
		char name[24], mark;
		int end = column_x(s, (i64)i) + COLUMN - 1;
		snprintf(name, sizeof name, "%.4g%s", (f64)s->strengths[i], steer_in_maxima(first) ? "x" : "");
		rect_puts_right(r, end, y, STYLE_ID, name);
		if (is_mark(s, i, &mark))
			rect_printf(r, end, y, mark == '!' ? STYLE_NEGATIVE : STYLE_MARK, "%c", mark);
	}
	if (s->left + shown < s->n_strengths)
		rect_puts(r, column_x(s, (i64)(s->left + shown)), y, STYLE_DIM, ">");
}

static void draw_grid(struct view *v, struct rect r, size_t shown, size_t rows)
{
	struct sweep_view *s = view_state(v);
	struct scale k = scale_of(s);
	for (size_t y = 0; y < rows; y++) {
		size_t row = s->top + y;
		rect_printf(r, 1, (int)y, STYLE_DIM, "%5llu", (unsigned long long)s->seeds[row]);
		if (row == s->row)
			rect_puts(r, 0, (int)y, STYLE_MARK, ">");
		put_cell(r, (int)y, s, &k, -1, row);
		for (size_t i = 0; i < shown; i++)
			put_cell(r, (int)y, s, &k, (i64)(s->left + i), row);
	}
}

static void draw_medians(struct view *v, struct rect r, int y, size_t shown)
{
	struct sweep_view *s = view_state(v);
	char text[16];
	rect_puts(r, 0, y, STYLE_HEAD, s->measure == DOSE_HITS ? "share" : "median");
	enum dose_measure as = s->measure == DOSE_HITS ? DOSE_REPEATS : s->measure; /* a share */
	sweep_format(text, as, s->dose.baseline.mid[s->measure]);
	rect_puts_right(r, column_x(s, -1) + COLUMN - 1, y, STYLE_NUMBER, text);
	for (size_t i = s->left; i < s->left + shown; i++) {
		sweep_format(text, as, s->dose.point[i].mid[s->measure]);
		rect_puts_right(r, column_x(s, (i64)i) + COLUMN - 1, y, STYLE_NUMBER, text);
	}
}

/* ---- the curve, below the columns it is of ---- */

static void draw_curve(struct view *v, struct rect r, size_t shown)
{
	struct sweep_view *s = view_state(v);
	const struct dose *d = &s->dose;
	enum dose_measure m = s->measure;
	struct curve c;
	f64 *x = xcalloc(d->n, sizeof *x), *y = xcalloc(d->n, sizeof *y), low = 0, high = d->baseline.mid[m];
	char text[16];
	for (size_t i = 0; i < d->n; i++) {
		x[i] = (f64)i;
		y[i] = d->point[i].mid[m];
		low = fmin(low, d->point[i].low[m]);
		high = fmax(high, d->point[i].high[m]);
	}
	f64 level = m == DOSE_ACT ? d->spread : d->baseline.mid[m];
	high = fmax(high, m == DOSE_REPEATS ? HIT_REPEATS : level);
	bool ascii = app_is_ascii(v->app);
	curve_init(&c, COLUMN * (int)shown, r.h, ascii, (f64)s->left - 0.5, (f64)(s->left + shown) - 0.5, low, high);
	curve_line(&c, x + s->left, y + s->left, shown);
	for (size_t i = s->left; i < s->left + shown && !ascii; i++) {
		curve_point(&c, x[i], d->point[i].low[m]);
		curve_point(&c, x[i], d->point[i].high[m]);
	}
	curve_level(&c, level);
	for (int row = 0; row < c.h; row++)
		for (int col = 0; col < c.w; col++)
			if (curve_at(&c, col, row) != ' ')
				rect_cp(r, NAMES + COLUMN + col, row, STYLE_BAR, curve_at(&c, col, row));
	sweep_format(text, m == DOSE_HITS ? DOSE_REPEATS : m, c.y1);
	rect_puts_right(r, NAMES + COLUMN - 1, 0, STYLE_DIM, text);
	sweep_format(text, m == DOSE_HITS ? DOSE_REPEATS : m, c.y0);
	rect_puts_right(r, NAMES + COLUMN - 1, r.h - 1, STYLE_DIM, text);
	curve_release(&c);
	free(x);
	free(y);
}

/* ---- the text under the cursor ---- */

static void add_figures(const struct sweep_view *s, const struct sweep_cell *c, struct buf *out)
{
	static const enum dose_measure shown[] = {DOSE_ACT, DOSE_EXCESS, DOSE_REPEATS, DOSE_KL, DOSE_WORDS};
	if (c->kind == SWEEP_BASELINE)
		buf_adds(out, "baseline");
	else
		dose_add_strength(s->live->shown, s->strengths[c->strength], out);
	buf_addf(out, " seed %llu", (unsigned long long)s->seeds[c->seed]);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		char text[16];
		sweep_format(text, shown[i], dose_of(c, shown[i]));
		buf_addf(out, "  %s %s", dose_keys[shown[i]], text);
	}
	if (c->hit)
		buf_adds(out, "  hit");
}

static void draw_plan(struct view *v, struct rect r)
{
	struct sweep_view *s = view_state(v);
	struct buf text = BUF_INIT;
	buf_addf(&text, "Enter generates %zu texts of %u tokens: %zu strengths and a baseline, %zu seed%s, after the prompt (i): %s",
		 (s->n_strengths + 1) * s->n_seeds, s->ask.n_tokens, s->n_strengths, s->n_seeds,
		 s->n_seeds == 1 ? "" : "s", s->ask.prompt);
	words_sentence(r, 1, 0, STYLE_DIM, text.s);
	buf_release(&text);
}

static void draw_text(struct view *v, struct rect r)
{
	struct sweep_view *s = view_state(v);
	const struct sweep_cell *c = sweep_here(s);
	if (s->trouble[0])
		words_sentence(r, 1, 0, STYLE_ERROR, s->trouble);
	else if (!c)
		draw_plan(v, r);
	else if (!c->done)
		rect_puts(r, 1, 0, STYLE_DIM, app_job_runs(v) ? "not generated yet" : "stopped before this one; Enter goes on");
	if (!c || !c->done || s->trouble[0])
		return;
	struct buf figures = BUF_INIT;
	size_t skip = 0;
	add_figures(s, c, &figures);
	rect_put_cut(r, 1, 0, r.w - 2, STYLE_DIM, figures.s, figures.n);
	buf_release(&figures);
	while (skip < c->text.n && (c->text.s[skip] == ' ' || c->text.s[skip] == '\n'))
		skip++;
	struct words w = {c->text.s + skip, c->text.n - skip, NULL, STYLE_NORMAL, NULL};
	words_draw(&w, rect_sub(r, 1, 1, r.w - 2, r.h - 1), 0);
}

/* ---- the whole ---- */

/* Scrolls so that the cursor is on the screen, and so that none of it stays empty that the grid could fill, as after a
 * resize.  At most as many columns and rows as the grid has. */
static void follow(struct sweep_view *s, size_t columns, size_t rows)
{
	size_t column = (size_t)MAX(s->column, 0);
	if (column < s->left || s->column < 0)
		s->left = column;
	if (column >= s->left + columns)
		s->left = column + 1 - columns;
	s->top = MIN(s->top, s->row);
	if (s->row >= s->top + rows)
		s->top = s->row + 1 - rows;
	s->left = MIN(s->left, s->n_strengths - columns);
	s->top = MIN(s->top, s->n_seeds - rows);
}

void sweep_draw(struct view *v, struct rect r)
{
	struct sweep_view *s = view_state(v);
	bool tall = r.h >= TALL;
	int head = tall ? 3 : 2, y = head;
	size_t columns = MIN(s->n_strengths, (size_t)MAX((r.w - NAMES - 1) / COLUMN - 1, 1));
	size_t rows = MIN(s->n_seeds, (size_t)MAX(r.h - head - (r.h >= 18 ? 11 : tall ? 5 : 2), 1));
	follow(s, columns, rows);
	if (s->live)
		pthread_mutex_lock(&s->live->lock);
	if (s->live)
		sweep_refresh_dose(v);
	if (tall)
		draw_what(v, r, 0);
	draw_measure(v, r, head - 2, !tall);
	draw_strengths(v, r, head - 1, columns);
	draw_grid(v, rect_sub(r, 0, y, r.w, (int)rows), columns, rows);
	y += (int)rows;
	if (tall && s->live) {
		int curve = r.h - y - 1 >= 9 ? 5 : r.h - y - 1 >= 7 ? 3 : 0;
		draw_medians(v, r, y++, columns);
		if (curve)
			draw_curve(v, rect_sub(r, 0, y, r.w, curve), columns);
		y += curve;
	}
	draw_text(v, rect_sub(r, 0, y + (r.h - y > 5), r.w, r.h - y - (r.h - y > 5)));
	if (s->live)
		pthread_mutex_unlock(&s->live->lock);
}
