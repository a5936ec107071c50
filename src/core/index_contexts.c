/* SPDX-License-Identifier: MIT */
/* index_contexts.c - which places stand for a feature. */
#include "core/index.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	ALIKE = 8, /* windows of so many tokens on either side that are the same count once */
	NEAR = 8   /* an interval's place is the strongest within so many tokens */
};

struct peak {
	u32 pos;
	f32 act;
};

/* splitmix64 (Steele, Lea, Flood 2014) */
static u64 draw(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static u64 text_of(const struct index_image *m, u32 pos)
{
	u64 lo = 0, hi = m->n_texts;
	while (hi - lo > 1) {
		u64 mid = lo + (hi - lo) / 2;
		if (m->text_ptr[mid] <= pos)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* The strongest place of each text, the first of equals. */
static size_t text_peaks(const struct index_image *m, const u32 *pos, const f32 *act, u64 n, struct peak *out)
{
	size_t n_out = 0;
	u64 end = 0;
	for (u64 i = 0; i < n; i++) {
		if (pos[i] >= end) {
			end = m->text_ptr[text_of(m, pos[i]) + 1];
			out[n_out++] = (struct peak){pos[i], act[i]};
		} else if (act[i] > out[n_out - 1].act) {
			out[n_out - 1] = (struct peak){pos[i], act[i]};
		}
	}
	return n_out;
}

static int strongest(const void *a, const void *b)
{
	const struct peak *x = a, *y = b;
	if (x->act != y->act)
		return x->act < y->act ? 1 : -1;
	return (x->pos > y->pos) - (x->pos < y->pos);
}

static void window(const struct index_image *m, u32 pos, u64 *from, u64 *to)
{
	u64 t = text_of(m, pos);
	*from = MAX(m->text_ptr[t], pos > ALIKE ? pos - ALIKE : 0u);
	*to = MIN(m->text_ptr[t + 1], (u64)pos + ALIKE + 1);
}

static bool alike(const struct index_image *m, u32 a, u32 b)
{
	u64 a0, a1, b0, b1;
	window(m, a, &a0, &a1);
	window(m, b, &b0, &b1);
	return a - a0 == b - b0 && a1 - a0 == b1 - b0 &&
	       !memcmp(m->tokens + a0, m->tokens + b0, (a1 - a0) * sizeof *m->tokens);
}

static bool chosen(const struct store_context *c, size_t n, u32 pos)
{
	for (size_t i = 0; i < n; i++)
		if (c[i].position == pos)
			return true;
	return false;
}

static size_t choose_top(const struct index_image *m, u32 n_top, const u32 *pos, const f32 *act, u64 n,
			 struct store_context *out)
{
	struct peak *p = xcalloc(MIN(n, m->n_texts) + 1, sizeof *p);
	size_t n_peaks = text_peaks(m, pos, act, n, p), n_out = 0;
	qsort(p, n_peaks, sizeof *p, strongest);
	for (size_t i = 0; i < n_peaks && n_out < n_top; i++) {
		bool seen = false;
		for (size_t k = 0; k < n_out && !seen; k++)
			seen = alike(m, p[i].pos, (u32)out[k].position);
		if (!seen)
			out[n_out++] = (struct store_context){p[i].pos, p[i].act, CONTEXT_TOP, 0};
	}
	free(p);
	return n_out;
}

static bool is_local_peak(const u32 *pos, const f32 *act, u64 n, u64 i)
{
	for (u64 k = i; k-- > 0 && pos[i] - pos[k] <= NEAR;)
		if (act[k] >= act[i])
			return false;
	for (u64 k = i + 1; k < n && pos[k] - pos[i] <= NEAR; k++)
		if (act[k] > act[i])
			return false;
	return true;
}

/* Reservoir sampling (Vitter's algorithm R): the slot for the seen-th candidate, or -1. */
static i64 slot(u64 *state, u64 seen, u32 size)
{
	u64 at = seen < size ? seen : draw(state) % (seen + 1);
	return at < size ? (i64)at : -1;
}

static int by_kind(const void *a, const void *b)
{
	const struct store_context *x = a, *y = b;
	if (x->interval != y->interval)
		return x->interval < y->interval ? 1 : -1;
	if (x->kind == CONTEXT_INTERVAL && x->act != y->act)
		return x->act < y->act ? 1 : -1;
	return (x->position > y->position) - (x->position < y->position);
}

static size_t choose_intervals(const struct index_options *o, const u32 *pos, const f32 *act, u64 n, f32 max,
			       u64 *state, struct store_context *all, size_t n_all)
{
	struct store_context *out = all + n_all;
	u64 seen[256] = {0};
	u32 n_intervals = MIN(o->n_intervals, 255u);
	struct store_context *kept = xcalloc((size_t)n_intervals * o->per_interval + 1, sizeof *kept);
	for (u64 i = 0; i < n; i++) {
		if (!is_local_peak(pos, act, n, i) || chosen(all, n_all, pos[i]))
			continue;
		u32 at = MIN((u32)((f64)act[i] / max * n_intervals), n_intervals - 1);
		i64 s = slot(state, seen[at]++, o->per_interval);
		if (s >= 0)
			kept[(size_t)at * o->per_interval + (size_t)s] =
				(struct store_context){pos[i], act[i], CONTEXT_INTERVAL, (u8)at};
	}
	size_t n_out = 0;
	for (u32 at = 0; at < n_intervals; at++)
		for (u32 s = 0; s < MIN(seen[at], (u64)o->per_interval); s++)
			out[n_out++] = kept[(size_t)at * o->per_interval + s];
	free(kept);
	qsort(out, n_out, sizeof *out, by_kind);
	return n_out;
}

static size_t choose_random(u32 n_random, const u32 *pos, const f32 *act, u64 n, u64 *state,
			    struct store_context *all, size_t n_all)
{
	struct store_context *out = all + n_all;
	u64 seen = 0;
	for (u64 i = 0; i < n; i++) {
		if (chosen(all, n_all, pos[i]))
			continue;
		i64 s = slot(state, seen++, n_random);
		if (s >= 0)
			out[s] = (struct store_context){pos[i], act[i], CONTEXT_RANDOM, 0};
	}
	size_t n_out = (size_t)MIN(seen, (u64)n_random);
	qsort(out, n_out, sizeof *out, by_kind);
	return n_out;
}

size_t index_contexts_cap(const struct index_options *o)
{
	return (size_t)o->n_top + (size_t)o->n_intervals * o->per_interval + o->n_random;
}

size_t index_choose(const struct index_image *m, const struct index_options *o, u32 feature, const u32 *pos,
		    const f32 *act, u64 n, f32 max, struct store_context *out)
{
	if (!n)
		return 0;
	u64 state = o->seed * 0x9e3779b97f4a7c15u ^ ((u64)feature << 32 | 0x5bd1e995u);
	size_t n_out = choose_top(m, o->n_top, pos, act, n, out);
	if (o->n_intervals && o->per_interval)
		n_out += choose_intervals(o, pos, act, n, max, &state, out, n_out);
	if (o->n_random)
		n_out += choose_random(o->n_random, pos, act, n, &state, out, n_out);
	return n_out;
}
