/* SPDX-License-Identifier: MIT */
/* plot.c - small drawings in text. */
#include "ui/plot.h"

#include <math.h>

void plot_sparkline(struct rect r, int x, int y, enum style s, const f64 *v, size_t n, bool logarithmic)
{
	f64 top = 0;
	for (size_t i = 0; i < n; i++)
		top = fmax(top, v[i]);
	if (!(top > 0))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!(v[i] > 0))
			continue;
		f64 part = logarithmic ? log1p(v[i]) / log1p(top) : v[i] / top;
		int step = (int)lround(part * 8);
		rect_cp(r, x + (int)i, y, s, 0x2580 + (u32)MAX(MIN(step, 8), 1));
	}
}

void plot_bar(struct rect r, int x, int y, int w, enum style s, f64 part)
{
	int eighths = (int)lround(fmin(fmax(part, 0), 1) * w * 8);
	int full = eighths / 8;
	for (int i = 0; i < full; i++)
		rect_cp(r, x + i, y, s, r.g->ascii ? '#' : 0x2588);
	if (eighths % 8 && !r.g->ascii)
		rect_cp(r, x + full, y, s, 0x2590u - (u32)(eighths % 8));
}

void plot_stars(struct rect r, int x, int y, int rating)
{
	for (int i = 0; i < rating; i++)
		rect_cp(r, x + i, y, STYLE_STAR, 0x2605);
}
