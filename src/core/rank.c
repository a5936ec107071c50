/* SPDX-License-Identifier: MIT */
/* rank.c - rank correlation. */
#include "core/rank.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

struct item {
	f64 value;
	size_t at;
};

static int by_value(const void *a, const void *b)
{
	f64 x = ((const struct item *)a)->value, y = ((const struct item *)b)->value;
	return (x > y) - (x < y);
}

/* In place of the values their ranks from 1. */
static void to_ranks(f64 *v, size_t n)
{
	struct item *list = xcalloc(n + 1, sizeof *list);
	for (size_t i = 0; i < n; i++)
		list[i] = (struct item){v[i], i};
	qsort(list, n, sizeof *list, by_value);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i; end < n && list[end].value == list[i].value; end++)
			;
		for (size_t k = i; k < end; k++)
			v[list[k].at] = ((f64)i + (f64)end + 1) / 2;
	}
	free(list);
}

static f64 pearson(const f64 *x, const f64 *y, size_t n)
{
	f64 mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
	for (size_t i = 0; i < n; i++) {
		mx += x[i] / (f64)n;
		my += y[i] / (f64)n;
	}
	for (size_t i = 0; i < n; i++) {
		xx += (x[i] - mx) * (x[i] - mx);
		yy += (y[i] - my) * (y[i] - my);
		xy += (x[i] - mx) * (y[i] - my);
	}
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

f64 rank_correlation(const f64 *x, const f64 *y, size_t n, size_t *n_used)
{
	f64 *a = xcalloc(n + 1, sizeof *a), *b = xcalloc(n + 1, sizeof *b);
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (!isnan(x[i]) && !isnan(y[i])) {
			a[m] = x[i];
			b[m++] = y[i];
		}
	to_ranks(a, m);
	to_ranks(b, m);
	f64 r = m < 3 ? NAN : pearson(a, b, m);
	if (n_used)
		*n_used = m;
	free(a);
	free(b);
	return r;
}
