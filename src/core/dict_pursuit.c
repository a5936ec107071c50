/* SPDX-License-Identifier: MIT */
/* dict_pursuit.c - matching pursuit: the feature nearest to what is left, again and again.
 *
 * SAELens, saes/matching_pursuit_sae.py: each step takes relu of the largest product, whichever feature it is,
 * and ends when the rest is small, when a step adds no feature to those there, or after so many steps.
 */
#include "core/dict_impl.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;
	return (x > y) - (x < y);
}

static u32 best_of(const f32 *p, u32 n)
{
	u32 best = 0;
	for (u32 i = 1; i < n; i++)
		if (p[i] > p[best])
			best = i;
	return best;
}

static int take_away(const struct dict *d, u32 id, f32 by, f32 *r, f32 *row, struct err *e)
{
	u32 w = d->plan.dec.width;
	if (d->dec.p) {
		vec_axpy(r, -by, d->dec.p + (size_t)id * w, w);
		return 0;
	}
	if (dict_matrix_rows(d, &d->plan.dec, id, 1, row, e))
		return -1;
	vec_axpy(r, -by, row, w);
	return 0;
}

int dict_pursue(const struct dict *d, f32 *r, f32 *p, f32 *dense, u32 *id, f32 *act, f32 *tile, f32 *z, size_t *n,
		struct err *e)
{
	const struct dict_plan *plan = &d->plan;
	struct dict_matrix by_feature = plan->dec;
	by_feature.layout = d->dec.p ? DICT_BY_FEATURE : plan->dec.layout;
	u32 w = plan->dec.width, n_features = plan->info.n_features;
	int bad = 0;
	*n = 0;
	for (u32 step = 0; step < plan->max_steps && !bad; step++) {
		if ((bad = dict_products(d, &by_feature, d->dec.p, r, 1, p, tile, z, e)))
			break;
		u32 best = best_of(p, n_features);
		bool adds = p[best] > 0 && dense[best] == 0;
		if (p[best] > 0) {
			if (adds)
				id[(*n)++] = best;
			dense[best] += p[best];
			bad = take_away(d, best, p[best], r, tile, e);
		}
		/* a step of nothing leads to nothing more */
		if ((plan->stop_on_same && !adds) || !(p[best] > 0) || sqrtf(vec_dot(r, r, w)) < (f32)plan->residual)
			break;
	}
	qsort(id, *n, sizeof *id, ascending);
	for (size_t i = 0; i < *n; i++) {
		act[i] = dense[id[i]];
		dense[id[i]] = 0;
	}
	return bad;
}
