/* SPDX-License-Identifier: MIT */
/* cooc.c - features that fire on the same tokens. */
#include "core/cooc.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { FEATURES_A_TASK = 256, PIECE = 4096 };

struct job {
	const struct store *store;
	u32 n_features, feature;
	enum cooc_measure by;
	u64 least_both, n_kept, count; /* count: where the feature fires */
	u64 *here;		       /* a bit a token */
	f64 *score;		       /* [F]; NaN: not listed */
	u64 *both;		       /* [F] */
	struct progress *progress;
};

static f64 measure(const struct job *j, u64 other, u64 both)
{
	if (j->by == COOC_JACCARD)
		return (f64)both / (f64)(j->count + other - both);
	f64 n = (f64)j->n_kept, p = (f64)both / n;
	return p >= 1 ? 1 : log(p / ((f64)j->count / n * ((f64)other / n))) / -log(p);
}

static u64 shared(const struct job *j, u32 other, u64 *count)
{
	u64 at[PIECE], n = 0, both = 0, got;
	do {
		got = store_postings(j->store, other, n, at, PIECE);
		for (u64 i = 0; i < got; i++)
			both += j->here[at[i] / 64] >> at[i] % 64 & 1;
		n += got;
	} while (got == PIECE);
	*count = n;
	return both;
}

static void count_range(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct job *j = context;
	u32 from = (u32)task * FEATURES_A_TASK, end = MIN(from + FEATURES_A_TASK, j->n_features);
	for (u32 f = from; f < end && !progress_cancelled(j->progress); f++) {
		u64 count;
		j->both[f] = shared(j, f, &count);
		bool listed = f != j->feature && j->both[f] >= MAX(j->least_both, 1);
		j->score[f] = listed ? measure(j, count, j->both[f]) : NAN;
	}
	progress_add(j->progress, end - from);
}

static void mark(struct job *j)
{
	u64 at[PIECE], got;
	do {
		got = store_postings(j->store, j->feature, j->count, at, PIECE);
		for (u64 i = 0; i < got; i++)
			j->here[at[i] / 64] |= (u64)1 << at[i] % 64;
		j->count += got;
	} while (got == PIECE);
}

static bool before(const struct cooc *a, const struct cooc *b)
{
	return a->score != b->score ? a->score > b->score : a->id < b->id;
}

static int by_score(const void *a, const void *b)
{
	return before(a, b) ? -1 : before(b, a);
}

static i64 best(const struct job *j, size_t k, struct cooc *out, struct err *e)
{
	size_t n = 0;
	struct cooc *all = mem_try(j->n_features, sizeof *all, "features that fire together", e);
	if (!all)
		return -1;
	for (u32 f = 0; f < j->n_features; f++)
		if (!isnan(j->score[f]))
			all[n++] = (struct cooc){f, j->both[f], j->score[f]};
	qsort(all, n, sizeof *all, by_score);
	n = MIN(n, k);
	for (size_t i = 0; i < n; i++)
		out[i] = all[i];
	free(all);
	return (i64)n;
}

i64 cooc_near(const struct store *s, u32 n_features, u32 feature, enum cooc_measure by, u64 least_both, size_t k,
	      struct cooc *out, struct pool *pool, struct progress *progress, struct err *e)
{
	static const char what[] = "features that fire together";
	if (!store_is_full(s))
		return err_set(e, ERR_UNAVAILABLE,
			       "the store keeps activations near examples only, so what fires together cannot be "
			       "counted; 'featlas index' makes a whole one of a harvest");
	struct job j = {.store = s, .n_features = n_features, .feature = feature, .by = by, .least_both = least_both,
			.n_kept = store_n_kept(s), .progress = progress};
	i64 n = -1;
	j.here = mem_try(store_n_tokens(s) / 64 + 1, sizeof *j.here, what, e);
	j.score = mem_try(n_features, sizeof *j.score, what, e);
	j.both = mem_try(n_features, sizeof *j.both, what, e);
	if (j.here && j.score && j.both) {
		mark(&j);
		progress_start(progress, "counting", "features", n_features);
		pool_each(pool, (n_features + (size_t)FEATURES_A_TASK - 1) / FEATURES_A_TASK, count_range, &j);
		n = progress_cancelled(progress) ? err_set(e, ERR_CANCELLED, "stopped") : best(&j, k, out, e);
	}
	free(j.here);
	free(j.score);
	free(j.both);
	return n;
}
