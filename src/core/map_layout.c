/* SPDX-License-Identifier: MIT */
/* map_layout.c - points that are joined attract, drawn ones repel; all move at once. */
#include "core/map.h"

#include "base/mem.h"
#include "core/rand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK = 512,
	NEGATIVES = 5, /* drawn for each unit of weight */
	MAX_DRAWN = 64
};

static const f32 curve = 1.277f, strength = 4.0f, most = 4.0f, extent = 10.0f;

struct layout {
	const struct map_edges *edges;
	size_t n;
	u64 seed;
	u32 epoch;
	f32 rate;       /* of this epoch */
	f32 beta1, beta2; /* powers of Adam's, for its corrections */
	const f32 *at;  /* [n][2] */
	f32 *next;
	f32 *moment;    /* [n][4]: first x y, second x y */
	u8 *drawn;      /* [n]: how many others repel it in an epoch */
};

static f32 clip(f32 x)
{
	return x > most ? most : x < -most ? -most : x;
}

static void attract(const struct layout *l, size_t i, f32 force[2])
{
	const struct map_edges *m = l->edges;
	f32 x = l->at[2 * i], y = l->at[2 * i + 1];
	for (u64 t = m->start[i]; t < m->start[i + 1]; t++) {
		const f32 *o = l->at + 2 * (size_t)m->to[t];
		f32 dx = x - o[0], dy = y - o[1];
		f32 c = -curve * m->weight[t] / (1 + curve * (dx * dx + dy * dy));
		force[0] += clip(c * dx);
		force[1] += clip(c * dy);
	}
}

static void repel(const struct layout *l, size_t i, f32 force[2])
{
	f32 x = l->at[2 * i], y = l->at[2 * i + 1];
	u64 stream = l->seed * 1000003u + l->epoch;
	for (u32 s = 0; s < l->drawn[i]; s += 2) {
		u64 bits = rand_u64(stream, (u64)i * (MAX_DRAWN / 2) + s / 2);
		for (u32 half = 0; half < 2 && s + half < l->drawn[i]; half++) {
			size_t j = (size_t)((half ? bits >> 32 : bits & UINT32_MAX) * (u64)l->n >> 32);
			f32 dx = x - l->at[2 * j], dy = y - l->at[2 * j + 1], d = dx * dx + dy * dy;
			f32 c = 2 * strength / ((0.001f + d) * (1 + curve * d));
			force[0] += clip(c * dx);
			force[1] += clip(c * dy);
		}
	}
}

static void move_block(void *context, size_t task, unsigned thread)
{
	struct layout *l = context;
	(void)thread;
	for (size_t i = task * BLOCK; i < MIN(l->n, (task + 1) * BLOCK); i++) {
		f32 force[2] = {0, 0}, *moment = l->moment + 4 * i;
		attract(l, i, force);
		repel(l, i, force);
		for (int k = 0; k < 2; k++) {
			moment[k] = 0.5f * moment[k] + 0.5f * force[k];
			moment[2 + k] = 0.9f * moment[2 + k] + 0.1f * force[k] * force[k];
			f32 m = moment[k] / (1 - l->beta1), v = moment[2 + k] / (1 - l->beta2);
			f32 step = l->drawn[i] ? l->rate * m / (sqrtf(v) + 1e-7f) : 0;
			l->next[2 * i + (size_t)k] = l->at[2 * i + (size_t)k] + step;
		}
	}
}

static bool is_alone(const struct map_edges *m, size_t i)
{
	return m->start[i] == m->start[i + 1];
}

static void count_drawn(struct layout *l)
{
	for (size_t i = 0; i < l->n; i++) {
		f32 sum = 0;
		for (u64 t = l->edges->start[i]; t < l->edges->start[i + 1]; t++)
			sum += l->edges->weight[t];
		f32 n = ceilf(NEGATIVES * sum);
		l->drawn[i] = (u8)MIN(n, (f32)MAX_DRAWN);
	}
}

/* The start at the extent that the curve is made for, twins a little apart. */
static void spread_out(const struct layout *l, f32 *xy)
{
	f32 top = 0;
	for (size_t i = 0; i < 2 * l->n; i++) {
		if (!isfinite(xy[i]))
			xy[i] = 0;
		top = MAX(top, fabsf(xy[i]));
	}
	for (size_t i = 0; i < 2 * l->n; i++)
		xy[i] = (top > 0 ? xy[i] * (extent / top) : 0) + 1e-3f * ((f32)rand_unit(l->seed, i) - 0.5f);
}

/* Turns the points about their mean until they spread most along x. */
static void lay_flat(const struct map_edges *m, f32 *xy)
{
	f64 x = 0, y = 0, xx = 0, yy = 0, yx = 0, n = 0;
	for (size_t i = 0; i < m->n; i++)
		if (!is_alone(m, i)) {
			x += (f64)xy[2 * i];
			y += (f64)xy[2 * i + 1];
			n++;
		}
	x /= fmax(n, 1);
	y /= fmax(n, 1);
	for (size_t i = 0; i < m->n; i++) {
		f64 a = (f64)xy[2 * i] - x, b = (f64)xy[2 * i + 1] - y;
		xx += is_alone(m, i) ? 0 : a * a;
		yy += is_alone(m, i) ? 0 : b * b;
		yx += is_alone(m, i) ? 0 : a * b;
	}
	f64 half = (xx - yy) / 2, root = sqrt(half * half + yx * yx);
	f64 c = yx, s = root - half; /* the first eigenvector */
	if (half >= 0) {
		c = half + root;
		s = yx;
	}
	f64 length = sqrt(c * c + s * s);
	c = length > 0 ? c / length : 1;
	s = length > 0 ? s / length : 0;
	for (size_t i = 0; i < m->n; i++) {
		f64 a = (f64)xy[2 * i] - x, b = (f64)xy[2 * i + 1] - y;
		xy[2 * i] = (f32)(c * a + s * b);
		xy[2 * i + 1] = (f32)(c * b - s * a);
	}
}

static void fit(const struct map_edges *m, f32 *xy)
{
	f32 low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
	size_t n_alone = 0, at = 0;
	for (size_t i = 0; i < m->n; i++) {
		n_alone += is_alone(m, i);
		for (size_t k = 0; k < 2 && !is_alone(m, i); k++) {
			low[k] = MIN(low[k], xy[2 * i + k]);
			high[k] = MAX(high[k], xy[2 * i + k]);
		}
	}
	f32 wide = MAX(high[0] - low[0], high[1] - low[1]);
	f32 bottom = wide > 0 ? (high[1] - low[1]) / wide : 0;
	for (size_t i = 0; i < m->n; i++) {
		bool alone = is_alone(m, i);
		f32 x = alone ? ((f32)at + 0.5f) / (f32)n_alone : wide > 0 ? (xy[2 * i] - low[0]) / wide : 0.5f;
		f32 y = alone ? bottom + 0.03f : wide > 0 ? (xy[2 * i + 1] - low[1]) / wide : 0;
		at += alone;
		xy[2 * i] = x;
		xy[2 * i + 1] = y;
	}
}

static void run(struct layout *l, f32 *a, f32 *b, u32 epochs, struct pool *pool, struct progress *p)
{
	l->beta1 = l->beta2 = 1;
	for (l->epoch = 0; l->epoch < epochs && !progress_cancelled(p); l->epoch++) {
		l->at = l->epoch % 2 ? b : a;
		l->next = l->epoch % 2 ? a : b;
		l->rate = 1 - (f32)l->epoch / (f32)epochs;
		l->beta1 *= 0.5f;
		l->beta2 *= 0.9f;
		pool_each(pool, (l->n + BLOCK - 1) / BLOCK, move_block, l);
		progress_add(p, 1);
	}
	if (epochs % 2)
		memcpy(a, b, 2 * l->n * sizeof *a);
}

int map_layout(const struct map_edges *m, u64 seed, u32 epochs, struct pool *pool, f32 *xy, struct progress *p,
	       struct err *e)
{
	struct layout l = {.edges = m, .n = m->n, .seed = seed};
	f32 *other = mem_try(2 * m->n, sizeof *other, "the map", e);
	l.moment = other ? mem_try(4 * m->n, sizeof *l.moment, "the map", e) : NULL;
	l.drawn = l.moment ? mem_try(m->n, 1, "the map", e) : NULL;
	bool made = l.drawn != NULL;
	if (made) {
		progress_start(p, "laying out", "epochs", epochs);
		spread_out(&l, xy);
		count_drawn(&l);
		run(&l, xy, other, epochs, pool, p);
		lay_flat(m, xy);
		fit(m, xy);
	}
	free(other);
	free(l.moment);
	free(l.drawn);
	return !made ? -1 : progress_cancelled(p) ? err_set(e, ERR_CANCELLED, "stopped before the map was laid out") : 0;
}

/* ---- how good it is ---- */

enum { SAMPLE = 1000, SAMPLE_WORK = 400 * 1000 * 1000, MAX_K = 64 };

struct measure {
	const struct map_graph *g;
	const f32 *xy;
	size_t n_sample;
	u32 *kept, *listed; /* [n_sample] */
};

/* The k nearest on the map, by insertion; ties by id. */
static size_t nearest(const struct measure *s, size_t i, size_t k, u32 *id)
{
	f32 d[MAX_K];
	size_t n = 0;
	for (size_t j = 0; j < s->g->n; j++) {
		f32 dx = s->xy[2 * j] - s->xy[2 * i], dy = s->xy[2 * j + 1] - s->xy[2 * i + 1];
		f32 dist = dx * dx + dy * dy;
		if (j == i || (n == k && dist >= d[n - 1]))
			continue;
		size_t at = n < k ? n++ : n - 1;
		for (; at && d[at - 1] > dist; at--) {
			d[at] = d[at - 1];
			id[at] = id[at - 1];
		}
		d[at] = dist;
		id[at] = (u32)j;
	}
	return n;
}

static void measure_point(void *context, size_t task, unsigned thread)
{
	struct measure *s = context;
	size_t k = MIN(s->g->k, MAX_K), i = task * s->g->n / s->n_sample;
	u32 id[MAX_K];
	size_t n = nearest(s, i, k, id);
	(void)thread;
	for (size_t t = 0; t < k; t++) {
		u32 want = s->g->id[i * s->g->k + t];
		s->listed[task] += want != MAP_NONE;
		for (size_t j = 0; want != MAP_NONE && j < n; j++)
			s->kept[task] += id[j] == want;
	}
}

f64 map_preserved(const struct map_graph *g, const f32 *xy, struct pool *pool)
{
	struct measure s = {.g = g, .xy = xy};
	s.n_sample = MIN(g->n, MAX(MIN(SAMPLE, SAMPLE_WORK / MAX(g->n, 1)), 16));
	s.kept = xcalloc(s.n_sample + 1, sizeof *s.kept);
	s.listed = xcalloc(s.n_sample + 1, sizeof *s.listed);
	pool_each(pool, s.n_sample, measure_point, &s);
	u64 kept = 0, listed = 0;
	for (size_t i = 0; i < s.n_sample; i++) {
		kept += s.kept[i];
		listed += s.listed[i];
	}
	free(s.kept);
	free(s.listed);
	return listed ? (f64)kept / (f64)listed : 0;
}
