/* SPDX-License-Identifier: MIT */
/* cell.c - the grid, and hostile text made into cells. */
#include "ui/cell.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cell blank = {{' '}, 1, STYLE_NORMAL, 0, 0};

void grid_init(struct grid *g, int w, int h)
{
	*g = (struct grid){0};
	grid_resize(g, w, h);
}

void grid_release(struct grid *g)
{
	free(g->cells);
	g->cells = NULL;
	g->w = g->h = 0;
}

void grid_resize(struct grid *g, int w, int h)
{
	g->w = MAX(w, 1);
	g->h = MAX(h, 1);
	g->cells = xreallocarray(g->cells, (size_t)g->w * (size_t)g->h, sizeof *g->cells);
	grid_clear(g);
}

void grid_clear(struct grid *g)
{
	size_t n = (size_t)g->w * (size_t)g->h;
	for (size_t i = 0; i < n; i++)
		g->cells[i] = blank;
	g->cursor_x = g->cursor_y = -1;
	g->cursor_shown = false;
}

static struct cell *at(const struct grid *g, int x, int y)
{
	return &g->cells[(size_t)y * (size_t)g->w + (size_t)x];
}

const struct cell *grid_at(const struct grid *g, int x, int y)
{
	return x < 0 || y < 0 || x >= g->w || y >= g->h ? &blank : at(g, x, y);
}

struct rect grid_rect(struct grid *g)
{
	return (struct rect){g, 0, 0, g->w, g->h};
}

struct rect rect_sub(struct rect r, int x, int y, int w, int h)
{
	int x0 = MAX(x, 0), y0 = MAX(y, 0), x1 = MIN(x + w, r.w), y1 = MIN(y + h, r.h);
	return (struct rect){r.g, r.x + x0, r.y + y0, MAX(x1 - x0, 0), MAX(y1 - y0, 0)};
}

/* ---- clusters ---- */

struct cluster {
	u32 cp[CELL_MAX];
	u8 n, width;
	size_t bytes;
};

enum { ZWJ = 0x200d, DOTTED_CIRCLE = 0x25cc };

static bool is_variation(i32 cp)
{
	return (cp >= 0xfe00 && cp <= 0xfe0f) || (cp >= 0xe0100 && cp <= 0xe01ef);
}

static bool is_flag_letter(i32 cp)
{
	return cp >= 0x1f1e6 && cp <= 0x1f1ff;
}

static bool is_skin_tone(i32 cp)
{
	return cp >= 0x1f3fb && cp <= 0x1f3ff;
}

/* Vowels and finals of Hangul take no room behind their consonant. */
static bool is_jamo_tail(i32 cp)
{
	return (cp > 0x1160 && cp <= 0x11ff) || (cp >= 0xd7b0 && cp <= 0xd7ff);
}

static u32 stand_in(i32 cp)
{
	if (cp == '\n')
		return 0x21b5;
	if (cp < 0x20)
		return (u32)cp + 0x2400;
	if (cp == 0x7f)
		return 0x2421;
	if (is_flag_letter(cp))
		return (u32)(cp - 0x1f1e6 + 'A');
	if (cp == ZWJ || is_variation(cp) || utf8_is_unsafe(cp))
		return 0xb7;
	return (u32)cp;
}

static void first_of_cluster(struct cluster *c, i32 cp)
{
	u32 base = stand_in(cp);
	int w = utf8_width((i32)base);
	c->n = 0;
	if (w == 0)
		c->cp[c->n++] = DOTTED_CIRCLE; /* a mark without a base */
	c->cp[c->n++] = base;
	c->width = (u8)MAX(w, 1);
}

/* The first cluster of s[0..n), n > 0. */
static void next_cluster(const char *s, size_t n, struct cluster *c)
{
	if ((u8)s[0] >= 0x20 && (u8)s[0] < 0x7f && (n == 1 || (u8)s[1] < 0x80)) {
		*c = (struct cluster){{(u8)s[0]}, 1, 1, 1};
		return;
	}
	i32 before, after, state = 0;
	size_t i = utf8_next(s, n, &before);
	first_of_cluster(c, before);
	/* a stand-in joins nothing */
	bool alone = c->cp[0] != (u32)before && c->cp[0] != DOTTED_CIRCLE;
	while (i < n && !alone) {
		size_t k = utf8_next(s + i, n - i, &after);
		if (utf8_grapheme_break(before, after, &state))
			break;
		bool joined = before == ZWJ || is_skin_tone(after);
		int w = is_jamo_tail(after) ? 0 : utf8_width(after);
		if (!joined && (w > 0 || utf8_is_unsafe(after)))
			break; /* takes room of its own on a terminal */
		if (!joined && after != ZWJ && !is_variation(after) && c->n < CELL_MAX)
			c->cp[c->n++] = (u32)after;
		before = after;
		i += k;
	}
	c->bytes = i;
}

size_t text_cluster(const char *s, size_t n)
{
	struct cluster c;
	next_cluster(s, n, &c);
	return c.bytes;
}

int text_width(const char *text, size_t n)
{
	int w = 0;
	struct cluster c;
	for (size_t i = 0; i < n; i += c.bytes) {
		next_cluster(text + i, n - i, &c);
		w += c.width;
	}
	return w;
}

size_t text_clip(const char *text, size_t n, int max, int *w)
{
	int used = 0;
	size_t i = 0;
	struct cluster c;
	while (i < n) {
		next_cluster(text + i, n - i, &c);
		if (used + c.width > max)
			break;
		used += c.width;
		i += c.bytes;
	}
	if (w)
		*w = used;
	return i;
}

/* ---- ASCII ---- */

static char ascii_of(u32 cp)
{
	static const struct {
		u32 cp;
		char c;
	} table[] = {
		{0xa0, ' '},	{0xb7, '.'},   {0xd7, 'x'},    {0x2013, '-'}, {0x2014, '-'}, {0x2018, '\''},
		{0x2019, '\''}, {0x201c, '"'}, {0x201d, '"'},  {0x2022, '*'}, {0x2026, '~'}, {0x203a, '>'},
		{0x2190, '<'},	{0x2191, '+'}, {0x2192, '>'},  {0x2193, '-'}, {0x21b5, '$'}, {0x2212, '-'},
		{0x25cb, 'o'},	{0x25cf, '@'}, {0x25cc, 'o'},  {0x2605, '*'}, {0x2606, '.'}, {0x27e6, '['},
		{0x27e7, ']'},	{0x25b8, '>'}, {0x25be, 'v'},  {0x2713, '+'}, {0x2588, '#'}, {0x258c, '|'},
		{0x2590, '|'},	{0x2571, '/'}, {0x2572, '\\'},
	};
	if (cp >= 0x20 && cp < 0x7f) /* under marks */
		return (char)cp;
	if (cp >= 0x2581 && cp <= 0x2588)
		return "_.-=+*%#"[cp - 0x2581];
	if (cp >= 0x2800 && cp <= 0x28ff)
		return cp == 0x2800 ? ' ' : ':';
	if (cp >= 0x2400 && cp <= 0x2421)
		return '^';
	if (cp == 0x2500 || cp == 0x2501 || cp == 0x2504 || cp == 0x2508)
		return '-';
	if (cp == 0x2502 || cp == 0x2503 || cp == 0x2506 || cp == 0x250a)
		return '|';
	if (cp >= 0x250c && cp <= 0x254b)
		return '+';
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].cp == cp)
			return table[i].c;
	char letter = utf8_base_letter((i32)cp);
	return letter ? letter : '?';
}

/* ---- drawing ---- */

/* Cells never keep half of a wide character. */
static void unlink_wide(struct grid *g, int x, int y)
{
	struct cell *c = at(g, x, y);
	if (c->n == 0 && x > 0)
		*at(g, x - 1, y) = blank;
	if (c->wide && x + 1 < g->w)
		*at(g, x + 1, y) = blank;
}

static void set_cell(struct grid *g, int x, int y, enum style s, const struct cluster *c)
{
	unlink_wide(g, x, y);
	struct cell *to = at(g, x, y);
	*to = (struct cell){.n = c->n, .style = (u8)s, .wide = c->width == 2};
	memcpy(to->cp, c->cp, sizeof c->cp);
	if (g->ascii && (c->n > 1 || c->cp[0] > 0x7e)) {
		to->cp[0] = (u8)ascii_of(c->cp[0]);
		to->n = 1;
		to->wide = 0;
	}
	if (c->width != 2)
		return;
	unlink_wide(g, x + 1, y);
	if (g->ascii)
		*at(g, x + 1, y) = (struct cell){{' '}, 1, (u8)s, 0, 0};
	else
		*at(g, x + 1, y) = (struct cell){.n = 0, .style = (u8)s};
}

/* Draws until max columns are full; *done gets the bytes used up. */
static int put(struct rect r, int x, int y, int max, enum style s, const char *text, size_t n, size_t *done)
{
	int used = 0;
	size_t i = 0;
	struct cluster c;
	if (max < 0 || max > r.w - x)
		max = r.w - x;
	while (i < n) {
		next_cluster(text + i, n - i, &c);
		if (used + c.width > max)
			break;
		int col = x + used;
		if (y >= 0 && y < r.h && col >= 0)
			set_cell(r.g, r.x + col, r.y + y, s, &c);
		used += c.width;
		i += c.bytes;
	}
	*done = i;
	return used;
}

int rect_put(struct rect r, int x, int y, int max, enum style s, const char *text, size_t n)
{
	size_t done;
	return put(r, x, y, max, s, text, n, &done);
}

int rect_put_cut(struct rect r, int x, int y, int max, enum style s, const char *text, size_t n)
{
	size_t done;
	if (max < 0 || max > r.w - x)
		max = r.w - x;
	if (max <= 0)
		return 0;
	int used = put(r, x, y, max, s, text, n, &done);
	if (done == n)
		return used;
	if (used < max)
		rect_fill(r, x + used, y, max - used, 1, s, ' ');
	rect_cp(r, x + max - 1, y, s, '>');
	return max;
}

int rect_puts(struct rect r, int x, int y, enum style s, const char *text)
{
	return rect_put(r, x, y, -1, s, text, strlen(text));
}

int rect_printf(struct rect r, int x, int y, enum style s, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	int used = rect_put(r, x, y, -1, s, b.s, b.n);
	buf_release(&b);
	return used;
}

int rect_puts_right(struct rect r, int x, int y, enum style s, const char *text)
{
	size_t n = strlen(text);
	int from = x - text_width(text, n);
	rect_put(r, from, y, -1, s, text, n);
	return from;
}

void rect_cp(struct rect r, int x, int y, enum style s, u32 cp)
{
	char c[4];
	rect_put(r, x, y, -1, s, c, utf8_encode((i32)cp, c));
}

void rect_fill(struct rect r, int x, int y, int w, int h, enum style s, char c)
{
	struct rect in = rect_sub(r, x, y, w, h);
	struct cluster k = {{(u8)c}, 1, 1, 1};
	for (int j = 0; j < in.h; j++)
		for (int i = 0; i < in.w; i++)
			set_cell(in.g, in.x + i, in.y + j, s, &k);
}

void rect_restyle(struct rect r, int x, int y, int w, enum style s)
{
	struct rect in = rect_sub(r, x, y, w, 1);
	for (int i = 0; in.h && i < in.w; i++)
		at(in.g, in.x + i, in.y)->style = (u8)s;
}

void rect_attr(struct rect r, int x, int y, int w, u8 attr)
{
	struct rect in = rect_sub(r, x, y, w, 1);
	for (int i = 0; in.h && i < in.w; i++)
		at(in.g, in.x + i, in.y)->attr |= attr;
}

void rect_cursor_row(struct rect r, int y)
{
	rect_attr(r, 0, y, r.w, ATTR_CURSOR);
}

void rect_cursor(struct rect r, int x, int y)
{
	if (x < 0 || y < 0 || x >= r.w || y >= r.h)
		return;
	r.g->cursor_x = r.x + x;
	r.g->cursor_y = r.y + y;
	r.g->cursor_shown = true;
}
