/* SPDX-License-Identifier: MIT */
/* view_text_draw.c - the text screen: what fires on a range, ranked; the words in heat. */
#include "view/view_text.h"
#include "base/mem.h"
#include "ui/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void text_result_release(struct text_result *r)
{
	free(r->tokens);
	free(r->flags);
	free(r->rows);
	free(r->arena);
	memset(r, 0, sizeof *r);
}

f32 text_act(const struct text_result *r, size_t token, u32 feature)
{
	const struct dict_row *row = &r->rows[token];
	u32 lo = 0, hi = row->n;
	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;
		if (row->id[mid] < feature)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < row->n && row->id[lo] == feature ? row->act[lo] : 0.0f;
}

void text_range(const struct text_view *s, size_t *from, size_t *to)
{
	size_t a = s->anchor == SIZE_MAX ? s->cursor : s->anchor;
	size_t b = s->anchor == SIZE_MAX || s->fixed == SIZE_MAX ? s->cursor : s->fixed;
	*from = MIN(a, b);
	*to = MIN(MAX(a, b) + 1, s->r.n);
}

/* ---- the table ---- */

static int by_id(const void *a, const void *b)
{
	const struct text_row *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_number(f32 x, f32 y)
{
	return x > y ? -1 : x < y;
}

/* What is not measured goes last. */
static f32 size_of(const struct text_row *t, enum text_rank rank)
{
	f32 x = rank == RANK_EFFECT ? t->effect : t->attribution;
	return isnan(x) ? -1 : fabsf(x);
}

static int by_rank(const void *a, const void *b, void *context)
{
	const struct text_row *x = a, *y = b;
	const struct text_view *s = context;
	int c = 0;
	if (s->rank == RANK_EFFECT || s->rank == RANK_ATTRIBUTION)
		c = by_number(size_of(x, s->rank), size_of(y, s->rank));
	if (s->rank == RANK_SUM)
		c = by_number(x->sum, y->sum);
	if (s->rank == RANK_RARITY) /* a density that is not known goes last */
		c = -by_number(isnan(x->density) ? 2.0f : x->density, isnan(y->density) ? 2.0f : y->density);
	if (!c)
		c = by_number(x->act, y->act);
	if (s->reverse)
		c = -c;
	return c ? c : by_id(a, b);
}

static bool left_out(const struct text_view *s, u32 id)
{
	for (size_t i = s->not_from; i < s->not_to; i++)
		if (text_act(&s->r, i, id) > 0)
			return true;
	return false;
}

/* Sorted by id, one row a feature, the largest activation. */
static size_t unite(struct text_row *t, size_t n)
{
	size_t out = 0;
	qsort(t, n, sizeof *t, by_id);
	for (size_t i = 0; i < n; i++) {
		if (!out || t[out - 1].id != t[i].id)
			t[out++] = t[i];
		else
			t[out - 1].act = MAX(t[out - 1].act, t[i].act);
	}
	return out;
}

static void complete(struct text_view *s, struct text_row *t, const struct store *store)
{
	struct store_stats stats;
	const struct text_effects *e = text_effects(s);
	t->effect = t->attribution = NAN;
	for (size_t i = 0; e && i < e->x.n; i++)
		if (e->x.list[i].id == t->id) {
			t->effect = e->x.list[i].by[EFFECTS_BY_EFFECT];
			t->attribution = e->x.list[i].by[EFFECTS_BY_ATTRIBUTION];
		}
	t->sum = 0;
	t->density = NAN;
	for (size_t i = 0; i < s->r.n; i++)
		t->sum += text_act(&s->r, i, t->id);
	if (store) {
		store_stats(store, t->id, &stats);
		t->density = stats.density;
	}
}

/* What was measured is more than what was read: the last token of a chat is the template's. */
static bool add_measured(struct text_view *s)
{
	const struct text_effects *e = text_wants_effects(s) ? text_effects(s) : NULL;
	if (!e)
		return false;
	s->table = xcalloc(e->x.n + 1, sizeof *s->table);
	for (size_t i = 0; i < e->x.n; i++)
		if (!left_out(s, e->x.list[i].id))
			s->table[s->n_table++] = (struct text_row){.id = e->x.list[i].id,
								   .act = e->x.list[i].by[EFFECTS_BY_ACTIVATION]};
	return true;
}

static void add_read(struct text_view *s)
{
	size_t from, to, n = 0;
	text_range(s, &from, &to);
	for (size_t i = from; i < to; i++)
		n += s->r.rows[i].n;
	s->table = xcalloc(n + 1, sizeof *s->table);
	for (size_t i = from; i < to; i++) {
		const struct dict_row *f = &s->r.rows[i];
		for (u32 k = 0; k < f->n; k++)
			if (!left_out(s, f->id[k]))
				s->table[s->n_table++] = (struct text_row){.id = f->id[k], .act = f->act[k]};
	}
}

void text_build(struct text_view *s, const struct store *store)
{
	free(s->table);
	s->n_table = 0;
	if (!add_measured(s))
		add_read(s);
	s->n_table = unite(s->table, s->n_table);
	for (size_t i = 0; i < s->n_table; i++)
		complete(s, &s->table[i], store);
	qsort_r(s->table, s->n_table, sizeof *s->table, by_rank, s);
	s->row = s->top = 0;
	if (s->at_head && s->heat != NO_FEATURE && s->n_table)
		s->heat = s->table[0].id;
	for (size_t i = 0; i < s->n_table; i++)
		if (s->table[i].id == s->heat)
			s->row = i;
}

void text_heat(struct text_view *s, const struct store *store)
{
	struct store_stats stats = {0};
	free(s->heats);
	s->heats = xcalloc(s->r.n + 1, sizeof *s->heats);
	s->heat_max = 0;
	for (size_t i = 0; i < s->r.n; i++) {
		if (s->heat != NO_FEATURE)
			s->heats[i] = text_act(&s->r, i, s->heat);
		else
			for (u32 k = 0; k < s->r.rows[i].n; k++)
				s->heats[i] += s->r.rows[i].act[k];
		s->heat_max = MAX(s->heat_max, s->heats[i]);
	}
	if (s->heat != NO_FEATURE && store)
		store_stats(store, s->heat, &stats);
	s->heat_max = MAX(s->heat_max, stats.max);
}

/* ---- drawing ---- */

static void draw_advice(struct view *v, struct rect r)
{
	struct text_view *s = view_state(v);
	if (s->text)
		rect_put_cut(r, 1, 0, r.w - 2, STYLE_NORMAL, s->text, strlen(s->text));
	if (s->trouble[0])
		words_sentence(r, 1, s->text ? 2 : 1, STYLE_ERROR, s->trouble);
	else if (app_job_runs(v))
		rect_puts(r, 1, 2, STYLE_DIM, "\xe2\x80\xa6");
	else
		rect_puts(r, 1, 1, STYLE_DIM, "i types a text; what fires on its tokens is shown here");
}

/* Rows of the words: what they need, at most two in five. */
static int draw_words(struct view *v, struct rect r)
{
	struct text_view *s = view_state(v);
	struct view_tokens t = {.tokens = s->r.tokens, .acts = s->heats, .flags = s->r.flags, .n = s->r.n,
				.max = s->heat_max, .peak = -1, .cursor = (int)s->cursor};
	int most = MAX(r.h * 2 / 5, 2), at = 0;
	struct rect pane = rect_sub(r, 1, 0, r.w - 2, most);
	int rows = view_wrap_tokens(v, pane, 0, 0, pane.w, most, &t, s->skip, &at);
	int skip = at < s->skip ? at : at >= s->skip + most ? at + 1 - most : s->skip;
	skip = MIN(skip, MAX(rows - most, 0));
	if (skip != s->skip) {
		s->skip = skip;
		rect_fill(pane, 0, 0, pane.w, most, STYLE_NORMAL, ' ');
		view_wrap_tokens(v, pane, 0, 0, pane.w, most, &t, s->skip, &at);
	}
	return MIN(rows, most);
}

static bool none_counts(const struct text_view *s, size_t from, size_t to)
{
	for (; from < to; from++)
		if (!(s->r.flags[from] & TOKEN_MASKED))
			return false;
	return true;
}

static void draw_heading(struct view *v, struct rect r, int y)
{
	static const char *const names[N_RANKS] = {"activation", "effect", "attribution", "rarity", "sum"};
	struct text_view *s = view_state(v);
	struct buf text = BUF_INIT;
	size_t from, to;
	text_range(s, &from, &to);
	buf_adds(&text, "on \"");
	for (size_t i = from; i < to && i < from + 6; i++)
		session_add_token(app_session(v->app), &text, s->r.tokens[i]);
	buf_addf(&text, "%s\" (%zu", to > from + 6 ? "\xe2\x80\xa6" : "", from);
	buf_addf(&text, to > from + 1 ? "-%zu)  " : ")  ", to - 1);
	if (!s->n_table && none_counts(s, from, to))
		buf_adds(&text, "not counted: first, special or a sink  ");
	else
		buf_addf(&text, "%zu fire%s  ", s->n_table, s->not_to > s->not_from ? ", not there" : "");
	int x = 1 + rect_put(r, 1, y, -1, STYLE_NORMAL, text.s, text.n);
	buf_clear(&text);
	buf_addf(&text, "rank: %s%s  heat: ", names[s->rank], s->reverse ? ", reversed" : "");
	if (s->heat == NO_FEATURE)
		buf_adds(&text, "total");
	else
		buf_addf(&text, "#%u %.3g", (unsigned)s->heat, (double)s->heats[s->cursor]);
	int w = text_width(text.s, text.n);
	if (x + w + 1 > r.w) /* no room for both: the rank is what changes the order below */
		text.n = (size_t)(strstr(text.s, "  heat") - text.s);
	w = text_width(text.s, text.n);
	if (x + w < r.w)
		rect_put(r, r.w - w - 1, y, -1, STYLE_DIM, text.s, text.n);
	buf_release(&text);
}

/* The columns: the first always, the others by room and rank. */
enum column { COLUMN_ACT, COLUMN_SUM, COLUMN_EFFECT, COLUMN_ATTRIBUTION, COLUMN_DENSITY, N_COLUMNS };
static const struct {
	const char *name;
	int w;
} columns[N_COLUMNS] = {{"activ", 5}, {"sum", 7}, {"effect", 7}, {"attrib", 7}, {"density", 8}};

static int column_width(const struct text_view *s, int w, enum column c)
{
	/* beside two numbers of five columns there is room for air */
	return columns[c].w + (c == COLUMN_DENSITY && !text_wants_effects(s) ? w >= 60 ? 2 : 1 : 0);
}

static bool has_column(const struct text_view *s, int w, enum column c)
{
	bool wide = w >= 60, effects = text_wants_effects(s);
	switch (c) {
	case COLUMN_SUM: return wide && !effects;
	case COLUMN_EFFECT: return effects && (wide || s->rank == RANK_EFFECT);
	case COLUMN_ATTRIBUTION: return effects && (wide || s->rank == RANK_ATTRIBUTION);
	case COLUMN_DENSITY: return wide || !effects;
	default: return true;
	}
}

static void draw_number(struct view *v, struct rect r, int right, int y, const struct text_row *t, enum column c)
{
	struct text_view *s = view_state(v);
	const struct text_effects *e = text_effects(s);
	char text[16];
	f32 x = c == COLUMN_EFFECT ? t->effect : t->attribution;
	enum style style = c == COLUMN_DENSITY ? STYLE_DIM : STYLE_NUMBER;
	if (c == COLUMN_ACT || c == COLUMN_SUM)
		view_format_value(text, c == COLUMN_ACT ? t->act : t->sum);
	else if (c == COLUMN_DENSITY)
		view_format_density(text, t->density);
	else if (!e && app_job_runs(v))
		strcpy(text, "\xe2\x80\xa6");
	else {
		view_format_signed(text, x);
		if (e && (f64)fabsf(x) <= e->x.resolution) /* says nothing */
			style = STYLE_DIM;
	}
	rect_put(r, right - text_width(text, strlen(text)), y, -1, style, text, strlen(text));
}

static void draw_row(struct view *v, struct rect r, int y, size_t at)
{
	struct text_view *s = view_state(v);
	const struct text_row *t = &s->table[at];
	int x = 3;
	rect_puts(r, 0, y, STYLE_MARK, at == s->row ? ">" : " ");
	rect_puts(r, 1, y, STYLE_MARK, app_is_marked(v->app, t->id) ? "*" : " ");
	for (int c = 0; c < N_COLUMNS; c++)
		if (has_column(s, r.w, (enum column)c)) {
			x += column_width(s, r.w, (enum column)c);
			draw_number(v, r, x, y, t, (enum column)c);
		}
	x += 2;
	view_put_feature(v, r, x, y, r.w - x - 1, t->id);
	if (at == s->row) {
		rect_cursor_row(r, y);
		rect_cursor(r, 0, y);
	}
}

static void draw_table(struct view *v, struct rect r)
{
	struct text_view *s = view_state(v);
	int x = 3;
	for (int c = 0; c < N_COLUMNS; c++)
		if (has_column(s, r.w, (enum column)c)) {
			x += column_width(s, r.w, (enum column)c);
			rect_puts_right(r, x, 0, STYLE_HEAD, columns[c].name);
		}
	rect_puts(r, x + 2, 0, STYLE_HEAD, "id and label");
	size_t h = (size_t)MAX(r.h - 1, 1);
	s->top = s->row < s->top ? s->row : s->row >= s->top + h ? s->row + 1 - h : s->top;
	for (size_t y = 0; y < h && s->top + y < s->n_table; y++)
		draw_row(v, r, (int)y + 1, s->top + y);
}

void text_draw(struct view *v, struct rect r)
{
	struct text_view *s = view_state(v);
	if (!s->r.n) {
		draw_advice(v, r);
		return;
	}
	int y = draw_words(v, r) + (r.h >= 14 ? 1 : 0);
	draw_heading(v, r, y);
	if (text_wants_effects(s))
		text_draw_target(v, r, ++y);
	draw_table(v, rect_sub(r, 0, y + 1, r.w, r.h - y - 1));
}
