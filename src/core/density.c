/* SPDX-License-Identifier: MIT */
/* density.c - the histogram of densities. */
#include "core/density.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static size_t bin_of(f64 density)
{
	f64 at = floor((log10(density) - DENSITY_LOWEST) / DENSITY_STEP);
	return at < 0 ? 0 : MIN((size_t)at, (size_t)DENSITY_BINS - 1);
}

static int by_size(const void *a, const void *b)
{
	f32 x = *(const f32 *)a, y = *(const f32 *)b;
	return (x > y) - (x < y);
}

int density_measure(const struct store *s, u32 n_features, struct density *out, struct err *e)
{
	f32 *all = mem_try(n_features + 1ull, sizeof *all, "densities", e);
	size_t n = 0;
	*out = (struct density){.n_indexed = store_n_indexed(s), .median = NAN};
	if (!all)
		return -1;
	for (u32 f = 0; f < n_features; f++) {
		struct store_stats stats;
		store_stats(s, f, &stats);
		if (!(stats.density > 0)) {
			out->n_dead++;
			continue;
		}
		all[n++] = stats.density;
		out->counts[bin_of((f64)stats.density)]++;
	}
	qsort(all, n, sizeof *all, by_size);
	if (n)
		out->median = ((f64)all[(n - 1) / 2] + (f64)all[n / 2]) / 2;
	free(all);
	return 0;
}
