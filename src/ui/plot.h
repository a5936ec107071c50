/* SPDX-License-Identifier: MIT */
/* plot.h - small drawings in text: sparklines, bars, stars. */
#ifndef FEATLAS_PLOT_H
#define FEATLAS_PLOT_H

#include "ui/cell.h"

/* A value a cell, scaled to the largest, on a log scale when `logarithmic` (0 stays empty). */
void plot_sparkline(struct rect r, int x, int y, enum style s, const f64 *v, size_t n, bool logarithmic);
/* A bar of r = 0..1 over w cells, in eighths; full cells at least. */
void plot_bar(struct rect r, int x, int y, int w, enum style s, f64 part);
void plot_stars(struct rect r, int x, int y, int rating);

#endif
