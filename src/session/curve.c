/* SPDX-License-Identifier: MIT */
/* curve.c - a line over an axis in characters. */
#include "session/curve.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

void curve_init(struct curve *c, int w, int h, bool ascii, f64 x0, f64 x1, f64 y0, f64 y1)
{
	*c = (struct curve){MAX(w, 1), MAX(h, 1), ascii, x0, x1 > x0 ? x1 : x0 + 1, y0, y1 > y0 ? y1 : y0 + 1, NULL};
	c->dots = xcalloc((size_t)c->w * (size_t)c->h, 1);
}

void curve_release(struct curve *c)
{
	free(c->dots);
	c->dots = NULL;
}

/* Dots a cell, across and down. */
static int across(const struct curve *c)
{
	return c->ascii ? 1 : 2;
}

static int down(const struct curve *c)
{
	return c->ascii ? 1 : 4;
}

static void dot(struct curve *c, int x, int y, char mark, bool over)
{
	static const u8 bit[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
	int cx = x / across(c), cy = y / down(c);
	if (x < 0 || y < 0 || cx >= c->w || cy >= c->h)
		return;
	u8 *at = &c->dots[(size_t)cy * (size_t)c->w + (size_t)cx];
	if (!c->ascii)
		*at |= bit[y % 4][x % 2];
	else if (over || !*at)
		*at = (u8)mark;
}

static int column(const struct curve *c, f64 x)
{
	return (int)lround((x - c->x0) / (c->x1 - c->x0) * (f64)(c->w * across(c) - 1));
}

/* From above; what is beyond the ends stands at them. */
static int line(const struct curve *c, f64 y)
{
	f64 part = fmin(fmax((y - c->y0) / (c->y1 - c->y0), 0), 1);
	return (int)lround((1 - part) * (f64)(c->h * down(c) - 1));
}

/* Bresenham's. */
static void stroke(struct curve *c, int x0, int y0, int x1, int y1)
{
	int dx = abs(x1 - x0), dy = -abs(y1 - y0), err = dx + dy;
	char slant = (x0 < x1) == (y0 < y1) ? '\\' : '/', mark = slant;
	while (x0 != x1 || y0 != y1) {
		int twice = 2 * err;
		bool step_x = twice >= dy, step_y = twice <= dx;
		if (step_x) {
			err += dy;
			x0 += x0 < x1 ? 1 : -1;
		}
		if (step_y) {
			err += dx;
			y0 += y0 < y1 ? 1 : -1;
		}
		mark = step_x && step_y ? slant : step_x ? '-' : '|';
		dot(c, x0, y0, mark, true);
	}
}

void curve_line(struct curve *c, const f64 *x, const f64 *y, size_t n)
{
	size_t last = SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(y[i]))
			continue;
		if (last != SIZE_MAX)
			stroke(c, column(c, x[last]), line(c, y[last]), column(c, x[i]), line(c, y[i]));
		last = i;
	}
	for (size_t i = 0; i < n; i++)
		if (isfinite(y[i]))
			dot(c, column(c, x[i]), line(c, y[i]), '*', true);
}

void curve_point(struct curve *c, f64 x, f64 y)
{
	if (isfinite(y))
		dot(c, column(c, x), line(c, y), '\'', false);
}

void curve_level(struct curve *c, f64 y)
{
	for (int x = 0; x < c->w * across(c) && isfinite(y); x += 2 * across(c))
		dot(c, x, line(c, y), '.', false);
}

u32 curve_at(const struct curve *c, int x, int y)
{
	u8 at = c->dots[(size_t)y * (size_t)c->w + (size_t)x];
	return !at ? ' ' : c->ascii ? at : 0x2800u + at;
}

int curve_column(const struct curve *c, f64 x)
{
	int at = column(c, x);
	return at < 0 ? -1 : MIN(at / across(c), c->w);
}
