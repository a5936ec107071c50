/* SPDX-License-Identifier: MIT */
/* cell.h - the screen as a grid of cells, and drawing text into it.
 *
 * Everything that is shown goes through here, so this is the one place where hostile text is
 * made harmless: controls, escape sequences, bidi marks and broken UTF-8 become visible
 * stand-ins; a grapheme cluster takes exactly the cells it is given (a base character and at
 * most three combining marks; joiners, variation selectors and what they join are dropped,
 * regional indicators become letters); with g->ascii everything outside ASCII has a stand-in
 * of the same width.
 *
 * Invariants: a wide character in column x has a continuation cell (n == 0) in x + 1; drawing
 * over half of one blanks the other half; nothing is drawn outside the rectangle.
 * Columns and rows count from 0.  UI thread only.
 */
#ifndef FEATLAS_CELL_H
#define FEATLAS_CELL_H

#include "base/buf.h"
#include "ui/style.h"

enum { CELL_MAX = 4 }; /* code points */

struct cell {
	u32 cp[CELL_MAX];
	u8 n;     /* code points; 0: right half of a wide character */
	u8 style; /* enum style */
	u8 attr;  /* enum attr, on top */
	u8 wide;  /* 1: takes two columns */
};

struct grid {
	int w, h;
	struct cell *cells;     /* [h][w] */
	bool ascii;             /* no character outside ASCII */
	int cursor_x, cursor_y; /* the hardware cursor; -1: parked at the bottom left */
	bool cursor_shown;
};

void grid_init(struct grid *g, int w, int h);
void grid_release(struct grid *g);
void grid_resize(struct grid *g, int w, int h); /* blanks */
void grid_clear(struct grid *g);                /* spaces, STYLE_NORMAL, no cursor */
const struct cell *grid_at(const struct grid *g, int x, int y);

/* A part of a grid; drawing is relative to it and clipped to it. */
struct rect {
	struct grid *g;
	int x, y, w, h;
};

struct rect grid_rect(struct grid *g);
struct rect rect_sub(struct rect r, int x, int y, int w, int h); /* clipped to r */

/* Draw text at (x, y) in at most max columns (negative: to the right edge).  Returns the
 * columns used.  _cut: where the text does not fit its last column is '>'.
 * Text may begin left of the rectangle (x < 0): the part that shows is drawn. */
int rect_put(struct rect r, int x, int y, int max, enum style s, const char *text, size_t n);
int rect_put_cut(struct rect r, int x, int y, int max, enum style s, const char *text, size_t n);
int rect_puts(struct rect r, int x, int y, enum style s, const char *text);
int rect_printf(struct rect r, int x, int y, enum style s, const char *fmt, ...) FORMAT_PRINTF(5, 6);
/* Ends in column x (exclusive); returns the column it starts in. */
int rect_puts_right(struct rect r, int x, int y, enum style s, const char *text);
void rect_cp(struct rect r, int x, int y, enum style s, u32 cp); /* one code point */

/* w columns and h rows of a blank, or of an ASCII character. */
void rect_fill(struct rect r, int x, int y, int w, int h, enum style s, char c);
/* Change what is there: put a style, or add attributes, to w cells of a row. */
void rect_restyle(struct rect r, int x, int y, int w, enum style s);
void rect_attr(struct rect r, int x, int y, int w, u8 attr);
/* Marks a row as the selected one: ATTR_CURSOR on all of it. */
void rect_cursor_row(struct rect r, int y);
/* Puts the hardware cursor here. */
void rect_cursor(struct rect r, int x, int y);

/* Columns that rect_put would use. */
int text_width(const char *text, size_t n);
/* The longest prefix that fits in max columns: its bytes; *w (or NULL) gets its columns. */
size_t text_clip(const char *text, size_t n, int max, int *w);
/* Bytes of the first grapheme cluster of s[0..n), n > 0. */
size_t text_cluster(const char *s, size_t n);

/* The grid as text: rows joined by newlines, trailing blanks cut; peak cells (STYLE_PEAK) stand
 * between U+27E6 and U+27E7 (ASCII: [[ ]]) when marks is set. */
void grid_dump(const struct grid *g, struct buf *out, bool marks);
/* Runs of styles other than normal: "@row,first-last name[+underline][+bold][+reverse]". */
void grid_dump_attrs(const struct grid *g, struct buf *out);
/* Runs of looks other than the terminal's own, a line a row that has any:
 * "@row first-last foreground/background[+underline][+bold][+reverse] ...", colours of the 256 or "-". */
void grid_dump_looks(const struct grid *g, enum theme t, struct buf *out);
/* The grid as an SVG picture in a theme's colours. */
void grid_dump_svg(const struct grid *g, enum theme t, struct buf *out);
void grid_dump_ansi(const struct grid *g, enum theme t, struct buf *out); /* escape sequences, 256 colours */
void grid_dump_html(const struct grid *g, enum theme t, struct buf *out);
/* By the extension: txt, ans, html or svg; false if it is none of these. */
bool grid_dump_as(const struct grid *g, const char *extension, enum theme t, struct buf *out);

#endif
