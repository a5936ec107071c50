/* SPDX-License-Identifier: MIT */
/* correlate.c - correlations of numbers and of ranks. */
#include "core/correlate.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* Rounding must not make a list that is all the same look as if it were not. */
static bool varies(const f64 *x, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (x[i] != x[0])
			return true;
	return false;
}

f64 correlate_pearson(const f64 *x, const f64 *y, size_t n)
{
	if (!varies(x, n) || !varies(y, n))
		return NAN;
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
	return xy / sqrt(xx * yy);
}

struct item {
	f64 value;
	size_t at;
};

static int by_value(const void *a, const void *b)
{
	f64 x = ((const struct item *)a)->value, y = ((const struct item *)b)->value;
	return (x > y) - (x < y);
}

void correlate_ranks(const f64 *x, size_t n, f64 *out)
{
	struct item *all = xcalloc(n + 1, sizeof *all);
	for (size_t i = 0; i < n; i++)
		all[i] = (struct item){x[i], i};
	qsort(all, n, sizeof *all, by_value);
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i; j < n && all[j].value == all[i].value; j++)
			;
		for (size_t k = i; k < j; k++)
			out[all[k].at] = (f64)(i + 1 + j) / 2;
	}
	free(all);
}

f64 correlate_spearman(const f64 *x, const f64 *y, size_t n)
{
	f64 *ranks = xcalloc(2 * n + 1, sizeof *ranks);
	correlate_ranks(x, n, ranks);
	correlate_ranks(y, n, ranks + n);
	f64 r = correlate_pearson(ranks, ranks + n, n);
	free(ranks);
	return r;
}

f64 correlate_spearman_known(const f64 *x, const f64 *y, size_t n, size_t *n_used)
{
	f64 *a = xcalloc(2 * n + 1, sizeof *a), *b = a + n;
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (!isnan(x[i]) && !isnan(y[i])) {
			a[m] = x[i];
			b[m++] = y[i];
		}
	f64 r = m < 3 ? NAN : correlate_spearman(a, b, m);
	if (n_used)
		*n_used = m;
	free(a);
	return r;
}
