/* SPDX-License-Identifier: MIT */
/* cell_dump.c - the grid as text, as runs of styles and looks, as a picture. */
#include "ui/cell.h"

#include "base/utf8.h"

#include <string.h>

static void add_cell(struct buf *out, const struct cell *c)
{
	for (int i = 0; i < c->n; i++) {
		char s[4];
		buf_add(out, s, utf8_encode((i32)c->cp[i], s));
	}
}

static bool is_blank(const struct cell *c)
{
	return c->n == 1 && c->cp[0] == ' ';
}

static int row_end(const struct grid *g, int y)
{
	int end = g->w;
	while (end > 0 && is_blank(grid_at(g, end - 1, y)))
		end--;
	return end;
}

void grid_dump(const struct grid *g, struct buf *out, bool marks)
{
	for (int y = 0; y < g->h; y++) {
		int end = row_end(g, y);
		bool in = false;
		for (int x = 0; x <= end; x++) {
			const struct cell *c = grid_at(g, x, y);
			bool peak = marks && x < end && c->style == STYLE_PEAK;
			if (peak != in)
				buf_adds(out, g->ascii ? peak ? "[[" : "]]" : peak ? "\u27e6" : "\u27e7");
			in = peak;
			if (x < end)
				add_cell(out, c);
		}
		buf_addc(out, '\n');
	}
}

static bool same_style(const struct cell *a, const struct cell *b)
{
	return a->style == b->style && a->attr == b->attr;
}

static void add_attrs(struct buf *out, u8 attr)
{
	static const char *const names[] = {"underline", "bold", "reverse", "cursor"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (attr & 1u << i)
			buf_addf(out, "+%s", names[i]);
}

void grid_dump_attrs(const struct grid *g, struct buf *out)
{
	for (int y = 0; y < g->h; y++)
		for (int x = 0; x < g->w;) {
			const struct cell *c = grid_at(g, x, y);
			int from = x;
			while (x < g->w && same_style(grid_at(g, x, y), c))
				x++;
			if (c->style == STYLE_NORMAL && !c->attr)
				continue;
			buf_addf(out, "@%d,%d-%d %s", y, from, x - 1, style_name(c->style));
			add_attrs(out, c->attr);
			buf_addc(out, '\n');
		}
	if (g->cursor_shown)
		buf_addf(out, "cursor %d,%d\n", g->cursor_y, g->cursor_x);
}

static bool same_look(struct look a, struct look b)
{
	return a.fg == b.fg && a.bg == b.bg && a.attr == b.attr;
}

static struct look look_at(const struct grid *g, int x, int y, enum theme t)
{
	const struct cell *c = grid_at(g, x, y);
	return style_cell_look(c->style, c->attr, t);
}

static void add_colour(struct buf *out, int colour)
{
	if (colour < 0)
		buf_addc(out, '-');
	else
		buf_addf(out, "%d", colour);
}

void grid_dump_looks(const struct grid *g, enum theme t, struct buf *out)
{
	const struct look plain = {-1, -1, 0};
	for (int y = 0; y < g->h; y++) {
		bool begun = false;
		for (int x = 0; x < g->w;) {
			struct look l = look_at(g, x, y, t);
			int from = x;
			while (x < g->w && same_look(look_at(g, x, y, t), l))
				x++;
			if (same_look(l, plain))
				continue;
			if (!begun)
				buf_addf(out, "@%d", y);
			begun = true;
			buf_addf(out, " %d-%d ", from, x - 1);
			add_colour(out, l.fg);
			buf_addc(out, '/');
			add_colour(out, l.bg);
			add_attrs(out, l.attr);
		}
		if (begun)
			buf_addc(out, '\n');
	}
}

/* ---- a picture ---- */

static const double cell_w = 8.4, cell_h = 18;

static void add_escaped(struct buf *out, const struct cell *c)
{
	u32 cp = c->n ? c->cp[0] : ' ';
	if (cp == '&')
		buf_adds(out, "&amp;");
	else if (cp == '<')
		buf_adds(out, "&lt;");
	else if (cp == '>')
		buf_adds(out, "&gt;");
	else
		add_cell(out, c);
}

struct paint {
	u32 fg, bg;
	bool has_bg, bold, underline;
};

static struct paint paint_of(const struct cell *c, enum theme t)
{
	struct look l = style_cell_look(c->style, c->attr, t);
	u32 paper = style_paper(t), ink = style_ink(t);
	struct paint p = {l.fg < 0 ? ink : style_rgb(l.fg), l.bg < 0 ? paper : style_rgb(l.bg), l.bg >= 0,
			  (l.attr & ATTR_BOLD) != 0, (l.attr & ATTR_UNDERLINE) != 0};
	if (l.attr & ATTR_REVERSE) {
		u32 swap = p.fg;
		p.fg = p.bg;
		p.bg = swap;
		p.has_bg = true;
	}
	return p;
}

static bool same_paint(struct paint a, struct paint b)
{
	return a.fg == b.fg && a.bg == b.bg && a.has_bg == b.has_bg && a.bold == b.bold &&
	       a.underline == b.underline;
}

static bool is_plain(const struct cell *c)
{
	return c->n == 1 && c->cp[0] < 0x7f;
}

/* The end of a run that one <text> can hold: ASCII of one look, or one other character. */
static int run_end(const struct grid *g, int x, int y, enum theme t)
{
	const struct cell *c = grid_at(g, x, y);
	struct paint p = paint_of(c, t);
	if (!is_plain(c))
		return x + 1 + c->wide;
	while (x < g->w && is_plain(grid_at(g, x, y)) && same_paint(paint_of(grid_at(g, x, y), t), p))
		x++;
	return x;
}

static void add_run(const struct grid *g, int x, int end, int y, enum theme t, struct buf *out)
{
	struct paint p = paint_of(grid_at(g, x, y), t);
	if (p.has_bg)
		buf_addf(out, "<rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%.0f\" fill=\"#%06x\"/>\n",
			 x * cell_w + 8, y * cell_h + 8, (end - x) * cell_w, cell_h, p.bg);
	int last = end;
	while (last > x && !p.underline && is_blank(grid_at(g, last - 1, y)))
		last--;
	if (last == x)
		return;
	buf_addf(out, "<text x=\"%.1f\" y=\"%.1f\" textLength=\"%.1f\" fill=\"#%06x\"%s%s>", x * cell_w + 8,
		 y * cell_h + 8 + 13.5, (last - x) * cell_w, p.fg, p.bold ? " font-weight=\"bold\"" : "",
		 p.underline ? " text-decoration=\"underline\"" : "");
	for (int i = x; i < last; i++)
		if (grid_at(g, i, y)->n)
			add_escaped(out, grid_at(g, i, y));
	buf_adds(out, "</text>\n");
}

void grid_dump_svg(const struct grid *g, enum theme t, struct buf *out)
{
	double w = g->w * cell_w + 16, h = g->h * cell_h + 16;
	buf_addf(out,
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 "
		 "%.0f %.0f\" "
		 "font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\" "
		 "xml:space=\"preserve\">\n<rect width=\"%.0f\" height=\"%.0f\" rx=\"6\" fill=\"#%06x\"/>\n",
		 w, h, w, h, w, h, style_paper(t));
	for (int y = 0; y < g->h; y++)
		for (int x = 0, end; x < g->w; x = end) {
			end = run_end(g, x, y, t);
			add_run(g, x, end, y, t, out);
		}
	buf_adds(out, "</svg>\n");
}

/* ---- with colours: for terminals, for browsers ---- */

static void add_sgr(struct buf *out, struct look l)
{
	buf_adds(out, "\033[0");
	if (l.attr & ATTR_BOLD)
		buf_adds(out, ";1");
	if (l.attr & ATTR_UNDERLINE)
		buf_adds(out, ";4");
	if (l.attr & ATTR_REVERSE)
		buf_adds(out, ";7");
	if (l.fg >= 0)
		buf_addf(out, ";38;5;%d", l.fg);
	if (l.bg >= 0)
		buf_addf(out, ";48;5;%d", l.bg);
	buf_addc(out, 'm');
}

void grid_dump_ansi(const struct grid *g, enum theme t, struct buf *out)
{
	for (int y = 0; y < g->h; y++) {
		for (int x = 0; x < g->w; x++) {
			struct look l = look_at(g, x, y, t);
			if (!x || !same_look(look_at(g, x - 1, y, t), l))
				add_sgr(out, l);
			add_cell(out, grid_at(g, x, y));
		}
		buf_adds(out, "\033[0m\n");
	}
}

void grid_dump_html(const struct grid *g, enum theme t, struct buf *out)
{
	buf_addf(out,
		 "<!DOCTYPE html>\n<meta charset=\"utf-8\"><title>featlas</title>\n"
		 "<pre style=\"color:#%06x;background:#%06x;font-family:ui-monospace,monospace;"
		 "line-height:1.2;padding:8px;display:inline-block\">",
		 style_ink(t), style_paper(t));
	for (int y = 0; y < g->h; y++, buf_addc(out, '\n'))
		for (int x = 0; x < g->w;) {
			const struct cell *c = grid_at(g, x, y);
			struct paint p = paint_of(c, t);
			buf_addf(out, "<span style=\"color:#%06x%s%s", p.fg, p.bold ? ";font-weight:bold" : "",
				 p.underline ? ";text-decoration:underline" : "");
			if (p.has_bg)
				buf_addf(out, ";background:#%06x", p.bg);
			buf_adds(out, "\">");
			for (; x < g->w && same_paint(paint_of(grid_at(g, x, y), t), p); x++)
				if (grid_at(g, x, y)->n)
					add_escaped(out, grid_at(g, x, y));
			buf_adds(out, "</span>");
		}
	buf_adds(out, "</pre>\n");
}

bool grid_dump_as(const struct grid *g, const char *extension, enum theme t, struct buf *out)
{
	if (!strcmp(extension, "svg"))
		grid_dump_svg(g, t, out);
	else if (!strcmp(extension, "html"))
		grid_dump_html(g, t, out);
	else if (!strcmp(extension, "ans"))
		grid_dump_ansi(g, t, out);
	else if (!strcmp(extension, "txt"))
		grid_dump(g, out, true);
	else
		return false;
	return true;
}
