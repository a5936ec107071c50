/* SPDX-License-Identifier: MIT */
/* sampler.c - the next token out of scores. */
#include "module/sampler.h"

#include <math.h>

/* splitmix64, Steele, Lea and Flood 2014 */
static u64 draw(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void sampler_init(struct sampler *s, u64 seed, f32 temperature, u32 top_k, f32 top_p)
{
	*s = (struct sampler){seed, temperature, top_p, top_k ? MIN(top_k, (u32)SAMPLER_TOP_K_MAX) : SAMPLER_TOP_K_MAX};
}

/* Whether id a ranks below b. */
static bool below(const f32 *scores, f32 sign, u32 a, u32 b)
{
	f32 x = sign * scores[a], y = sign * scores[b];
	return x < y || (x == y && a > b);
}

/* Restores the heap whose root is the worst of the best. */
static void sift(const f32 *scores, f32 sign, u32 *heap, u32 n, u32 i)
{
	for (;;) {
		u32 worst = i, left = 2 * i + 1;
		for (u32 c = left; c < left + 2 && c < n; c++)
			if (below(scores, sign, heap[c], heap[worst]))
				worst = c;
		if (worst == i)
			return;
		u32 t = heap[i];
		heap[i] = heap[worst];
		heap[worst] = t;
		i = worst;
	}
}

void sampler_top(const f32 *scores, u32 n, f32 sign, u32 k, u32 *ids)
{
	if (!k)
		return;
	for (u32 i = 0; i < k; i++)
		ids[i] = i;
	for (u32 i = k / 2; i-- > 0;)
		sift(scores, sign, ids, k, i);
	for (u32 i = k; i < n; i++)
		if (below(scores, sign, ids[0], i)) {
			ids[0] = i;
			sift(scores, sign, ids, k, 0);
		}
	/* the worst goes to the end, again and again */
	for (u32 end = k - 1; end > 0; end--) {
		u32 t = ids[0];
		ids[0] = ids[end];
		ids[end] = t;
		sift(scores, sign, ids, end, 0);
	}
}

static u32 best(const f32 *scores, u32 n)
{
	u32 b = 0;
	for (u32 i = 1; i < n; i++)
		if (scores[i] > scores[b])
			b = i;
	return b;
}

/* How many of the k best hold the share top_p of their weight; at least one. */
static u32 nucleus(const f32 *scores, const u32 *ids, u32 k, f32 top_p)
{
	f64 total = 0, sum = 0;
	for (u32 i = 0; i < k; i++)
		total += exp((f64)scores[ids[i]] - (f64)scores[ids[0]]);
	for (u32 i = 0; i < k; i++) {
		sum += exp((f64)scores[ids[i]] - (f64)scores[ids[0]]);
		if (sum >= (f64)top_p * total)
			return i + 1;
	}
	return k;
}

u32 sampler_next(struct sampler *s, const f32 *scores, u32 n)
{
	if (!(s->temperature > 0))
		return best(scores, n);
	u32 ids[SAMPLER_TOP_K_MAX], k = MIN(s->top_k, n);
	sampler_top(scores, n, 1, k, ids);
	k = nucleus(scores, ids, k, s->top_p);
	f64 weight[SAMPLER_TOP_K_MAX], total = 0;
	for (u32 i = 0; i < k; i++) {
		weight[i] = exp(((f64)scores[ids[i]] - (f64)scores[ids[0]]) / (f64)s->temperature);
		total += weight[i];
	}
	f64 at = (f64)(draw(&s->state) >> 11) * 0x1p-53 * total;
	for (u32 i = 0; i + 1 < k; i++) {
		if (at < weight[i])
			return ids[i];
		at -= weight[i];
	}
	return ids[k - 1];
}
