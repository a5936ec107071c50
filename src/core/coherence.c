/* SPDX-License-Identifier: MIT */
/* coherence.c - agreement of pairs, and of pairs with their words dealt anew. */
#include "core/coherence.h"

#include "base/mem.h"
#include "core/rand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct job {
	const struct word_sets *left, *right;
	const struct coherence_pair *pairs; /* numbers in kept */
	u64 n_pairs;
	const u32 *kept; /* items with both sets */
	u32 n_kept;
	u64 seed;
	f64 *mean; /* [1 + shuffles]; the first is as it is */
	struct progress *progress;
};

static f64 agreement(const struct word_sets *l, u32 i, const struct word_sets *r, u32 j)
{
	const u32 *a = l->word + l->start[i], *a_end = l->word + l->start[i + 1];
	const u32 *b = r->word + r->start[j], *b_end = r->word + r->start[j + 1];
	u64 all = (u64)(a_end - a) + (u64)(b_end - b), both = 0;
	while (a < a_end && b < b_end) {
		u32 x = *a, y = *b;
		both += x == y;
		a += x <= y;
		b += y <= x;
	}
	return (f64)both / (f64)(all - both);
}

static void shuffle(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct job *j = context;
	u32 *to = xcalloc(j->n_kept + 1ull, sizeof *to);
	f64 sum = 0;
	for (u32 i = 0; i < j->n_kept; i++)
		to[i] = j->kept[task ? rand_permute(j->seed + task, i, j->n_kept) : i];
	for (u64 i = 0; i < j->n_pairs && !progress_cancelled(j->progress); i++)
		sum += agreement(j->left, to[j->pairs[i].from], j->right, to[j->pairs[i].to]);
	j->mean[task] = sum / (f64)j->n_pairs;
	progress_add(j->progress, 1);
	free(to);
}

static void summarise(const f64 *mean, u32 n, struct coherence *out)
{
	f64 square = 0;
	out->observed = mean[0];
	out->mean = 0;
	for (u32 i = 1; i <= n; i++)
		out->mean += mean[i] / n;
	for (u32 i = 1; i <= n; i++)
		square += (mean[i] - out->mean) * (mean[i] - out->mean);
	out->sd = n > 1 ? sqrt(square / (n - 1)) : NAN;
	out->z = out->sd > 0 ? (out->observed - out->mean) / out->sd : NAN;
}

int coherence_measure(const struct word_sets *left, const struct word_sets *right, u32 n,
		      const struct coherence_pair *pairs, u64 n_pairs, u64 seed, u32 n_shuffles, struct pool *pool,
		      struct progress *progress, struct coherence *out, struct err *e)
{
	*out = (struct coherence){.n_shuffles = n_shuffles, .observed = NAN, .mean = NAN, .sd = NAN, .z = NAN};
	u32 *kept = mem_try(n + 1ull, sizeof *kept, "words", e), *place = mem_try(n + 1ull, sizeof *place, "words", e);
	struct coherence_pair *own = mem_try(n_pairs + 1, sizeof *own, "pairs", e);
	f64 *mean = mem_try(n_shuffles + 1ull, sizeof *mean, "words", e);
	int bad = !kept || !place || !own || !mean ? -1 : 0;
	for (u32 i = 0; i < n && !bad; i++) {
		bool both = left->start[i + 1] > left->start[i] && right->start[i + 1] > right->start[i];
		place[i] = both ? out->n_items : UINT32_MAX;
		if (both)
			kept[out->n_items++] = i;
	}
	for (u64 i = 0; i < n_pairs && !bad; i++)
		if (place[pairs[i].from] != UINT32_MAX && place[pairs[i].to] != UINT32_MAX)
			own[out->n_pairs++] = (struct coherence_pair){place[pairs[i].from], place[pairs[i].to]};
	if (!bad && out->n_pairs) {
		struct job j = {left, right, own, out->n_pairs, kept, out->n_items, seed, mean, progress};
		pool_each(pool, n_shuffles + 1ull, shuffle, &j);
		summarise(mean, n_shuffles, out);
		bad = progress_cancelled(progress) ? err_set(e, ERR_CANCELLED, "stopped on request") : 0;
	}
	free(kept);
	free(place);
	free(own);
	free(mean);
	return bad;
}
