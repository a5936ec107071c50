/* SPDX-License-Identifier: MIT */
/* map_start.c - the two first principal components of rows. */
#include "core/map.h"

#include "base/mem.h"
#include "core/blas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	SAMPLE_BYTES = 64 << 20,
	STRIPE = 64,  /* rows of the covariance a task makes */
	BLOCK = 256,  /* samples summed in f32 before they go into f64 */
	VECTORS = 6,  /* more than two, so that the first two settle sooner */
	ROUNDS = 1000,
	ROWS = 1024   /* projected by a task */
};

struct start {
	const struct map_rows *rows;
	size_t m, d;
	f32 *x;                 /* [m][d], the sample */
	f64 *mean;              /* [d] */
	f64 *cov;               /* [d][d] */
	f64 *v, *w;             /* [VECTORS][d] */
	f32 *xy;
	struct progress *p;
};

static void take_samples(void *context, size_t task, unsigned thread)
{
	struct start *s = context;
	(void)thread;
	for (size_t i = task * ROWS; i < MIN(s->m, (task + 1) * ROWS); i++)
		s->rows->get(s->rows->context, (u64)i * s->rows->n / s->m, s->x + i * s->d);
}

static void centre(struct start *s)
{
	for (size_t i = 0; i < s->m; i++)
		for (size_t j = 0; j < s->d; j++)
			s->mean[j] += (f64)s->x[i * s->d + j];
	for (size_t j = 0; j < s->d; j++)
		s->mean[j] /= (f64)s->m;
	for (size_t i = 0; i < s->m; i++)
		for (size_t j = 0; j < s->d; j++)
			s->x[i * s->d + j] -= (f32)s->mean[j];
}

static void add_stripe(void *context, size_t task, unsigned thread)
{
	struct start *s = context;
	size_t from = task * STRIPE, width = MIN(STRIPE, s->d - from);
	f32 *turned = xmalloc(STRIPE * BLOCK * sizeof *turned), *sum = xmalloc(STRIPE * s->d * sizeof *sum);
	(void)thread;
	for (size_t at = 0; at < s->m && !progress_cancelled(s->p); at += BLOCK) {
		size_t n = MIN(BLOCK, s->m - at);
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < width; j++)
				turned[j * n + i] = s->x[(at + i) * s->d + from + j];
		blas_gemm_nn(width, s->d, n, turned, s->x + at * s->d, sum);
		for (size_t k = 0; k < width * s->d; k++)
			s->cov[from * s->d + k] += (f64)sum[k];
	}
	free(turned);
	free(sum);
}

static void multiply(void *context, size_t task, unsigned thread)
{
	struct start *s = context;
	(void)thread;
	for (size_t i = task * STRIPE; i < MIN(s->d, (task + 1) * STRIPE); i++)
		for (size_t k = 0; k < VECTORS; k++) {
			f64 sum = 0;
			for (size_t j = 0; j < s->d; j++)
				sum += s->cov[i * s->d + j] * s->v[k * s->d + j];
			s->w[k * s->d + i] = sum;
		}
}

static f64 dot(const f64 *a, const f64 *b, size_t n)
{
	f64 sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* Gram-Schmidt, twice, so that what is nearly parallel comes out at right angles too. */
static void straighten(f64 *v, size_t d)
{
	for (size_t k = 0; k < VECTORS; k++) {
		f64 *x = v + k * d;
		for (int twice = 0; twice < 2; twice++)
			for (size_t i = 0; i < k; i++) {
				f64 part = dot(x, v + i * d, d);
				for (size_t j = 0; j < d; j++)
					x[j] -= part * v[i * d + j];
			}
		f64 length = sqrt(dot(x, x, d));
		for (size_t j = 0; j < d; j++)
			x[j] = length > 1e-150 ? x[j] / length : 0;
	}
}

/* How far the first two still turn in one round. */
static f64 turn(const struct start *s)
{
	f64 most = 0;
	for (size_t k = 0; k < 2; k++) {
		const f64 *a = s->v + k * s->d, *b = s->w + k * s->d;
		f64 sum = 0;
		for (size_t j = 0; j < s->d; j++)
			sum += (a[j] - b[j]) * (a[j] - b[j]);
		most = fmax(most, sum);
	}
	return sqrt(most);
}

static void find_axes(struct start *s, struct pool *pool)
{
	for (size_t i = 0; i < VECTORS * s->d; i++)
		s->v[i] = (f64)((i * 2654435761u >> 7) % 1000) / 1000 - 0.4995;
	straighten(s->v, s->d);
	for (int round = 0; round < ROUNDS && !progress_cancelled(s->p); round++) {
		pool_each(pool, (s->d + STRIPE - 1) / STRIPE, multiply, s);
		straighten(s->w, s->d);
		f64 moved = turn(s);
		memcpy(s->v, s->w, VECTORS * s->d * sizeof *s->v);
		if (moved < 1e-9)
			break;
	}
	for (size_t k = 0; k < 2; k++) {
		f64 *x = s->v + k * s->d, top = 0;
		for (size_t j = 0; j < s->d; j++)
			top = fabs(x[j]) > fabs(top) ? x[j] : top;
		for (size_t j = 0; j < s->d && top < 0; j++)
			x[j] = -x[j];
	}
}

static void project(void *context, size_t task, unsigned thread)
{
	struct start *s = context;
	f32 *row = xmalloc(s->d * sizeof *row);
	(void)thread;
	for (size_t i = task * ROWS; i < MIN(s->rows->n, (task + 1) * ROWS); i++) {
		s->rows->get(s->rows->context, i, row);
		f64 a = 0, b = 0;
		for (size_t j = 0; j < s->d; j++) {
			f64 x = (f64)row[j] - s->mean[j];
			a += x * s->v[j];
			b += x * s->v[s->d + j];
		}
		s->xy[2 * i] = (f32)a;
		s->xy[2 * i + 1] = (f32)b;
	}
	free(row);
	progress_add(s->p, MIN(ROWS, s->rows->n - task * ROWS));
}

int map_start(const struct map_rows *rows, struct pool *pool, f32 *xy, struct progress *p, struct err *e)
{
	size_t d = rows->d, most = SAMPLE_BYTES / (d * sizeof(f32)), m = MIN(rows->n, MAX(most, 2));
	struct start s = {.rows = rows, .m = m, .d = d, .xy = xy, .p = p};
	s.x = mem_try(m * d, sizeof *s.x, "a sample of rows", e);
	s.cov = s.x ? mem_try(d * d, sizeof *s.cov, "their covariance", e) : NULL;
	s.mean = xcalloc(d, sizeof *s.mean);
	s.v = xcalloc(VECTORS * d, sizeof *s.v);
	s.w = xcalloc(VECTORS * d, sizeof *s.w);
	if (s.cov) {
		progress_start(p, "principal components", "features", rows->n);
		pool_each(pool, (m + ROWS - 1) / ROWS, take_samples, &s);
		centre(&s);
		pool_each(pool, (d + STRIPE - 1) / STRIPE, add_stripe, &s);
		find_axes(&s, pool);
		if (!progress_cancelled(p))
			pool_each(pool, (rows->n + ROWS - 1) / ROWS, project, &s);
	}
	bool made = s.cov != NULL;
	free(s.x);
	free(s.cov);
	free(s.mean);
	free(s.v);
	free(s.w);
	return !made ? -1 : progress_cancelled(p) ? err_set(e, ERR_CANCELLED, "interrupted") : 0;
}
