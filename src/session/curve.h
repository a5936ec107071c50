/* SPDX-License-Identifier: MIT */
/* curve.h - a line over an axis in characters: dots of braille, two by four in a cell, or ASCII.
 *
 * Knows no screen: a command prints its characters, a view puts them into cells.
 */
#ifndef FEATLAS_CURVE_H
#define FEATLAS_CURVE_H

#include "base/types.h"

struct curve {
	int w, h; /* cells */
	bool ascii;
	f64 x0, x1, y0, y1; /* what the corners stand for */
	u8 *dots; /* [h][w] braille pattern, or in ASCII the character */
};

/* w and h at least 1.  Equal ends of an axis are set apart. */
void curve_init(struct curve *c, int w, int h, bool ascii, f64 x0, f64 x1, f64 y0, f64 y1);
void curve_release(struct curve *c);
/* Through the points that are numbers; each is marked in ASCII. */
void curve_line(struct curve *c, const f64 *x, const f64 *y, size_t n);
void curve_point(struct curve *c, f64 x, f64 y); /* a dot, where nothing is */
void curve_level(struct curve *c, f64 y);        /* dotted, from side to side */
u32 curve_at(const struct curve *c, int x, int y); /* the character of a cell; a blank where nothing is */
int curve_column(const struct curve *c, f64 x);    /* the cell over which x stands; -1 or w outside */

#endif
