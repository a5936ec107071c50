/* SPDX-License-Identifier: MIT */
/* map_anchors.c - the place of a group: the mean of its members, again without those far from it. */
#include "core/map_grid.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 3 };

struct sum {
	f64 x, y, reach, n;
};

struct map_anchor *map_anchors(const struct map *m, u32 n_features, bool parts, struct progress *p)
{
	u32 n_groups = parts ? map_n_parts(m) : map_n_clusters(m);
	struct map_anchor *a = xcalloc((size_t)n_groups + 1, sizeof *a);
	struct sum *sum = xcalloc((size_t)n_groups + 1, sizeof *sum);
	f64 *reach = xcalloc((size_t)n_groups + 1, sizeof *reach);
	for (int round = 0; round < 2 * ROUNDS && !progress_cancelled(p); round++) {
		/* even rounds move the middle, odd ones measure the mean distance from it */
		for (u32 i = 0; i < n_features; i++) {
			u32 k = parts ? map_part(m, i) : map_cluster(m, i);
			f32 xy[2];
			if (k == MAP_NONE || !map_xy(m, i, xy))
				continue;
			f64 x = (f64)xy[0], y = (f64)xy[1], dx = x - a[k].x, dy = y - a[k].y, far = sqrt(dx * dx + dy * dy);
			a[k].n += round == 0;
			if (round && far > 1.2 * reach[k] && round % 2 == 0)
				continue;
			sum[k].x += x;
			sum[k].y += y;
			sum[k].reach += far;
			sum[k].n++;
		}
		for (u32 k = 0; k < n_groups; k++) {
			if (sum[k].n > 0 && round % 2 == 0) {
				a[k].x = sum[k].x / sum[k].n;
				a[k].y = sum[k].y / sum[k].n;
			} else if (sum[k].n > 0) {
				reach[k] = sum[k].reach / sum[k].n;
			}
			sum[k] = (struct sum){0};
		}
	}
	free(sum);
	free(reach);
	return a;
}
