/* SPDX-License-Identifier: MIT */
/* dose.c - medians by strength, onset and collapse. */
#include "session/dose.h"

#include "base/mem.h"
#include "session/hit.h"

#include <math.h>
#include <stdlib.h>

const char *const dose_keys[N_DOSE] = {"activation", "max", "excess", "repeats", "kl", "gain", "words", "hits"};
const char *const dose_words[N_DOSE] = {
	"its own activation, mean over the reply", "its own activation, the largest of the reply",
	"nats a token above the baseline, unsteered", "repeated 4-grams",
	"KL from the baseline on its reply, nats", "nats the listed words gain after the baseline",
	"different listed words", "hits: two words, no collapse"};

f64 dose_of(const struct sweep_cell *c, enum dose_measure m)
{
	switch (m) {
	case DOSE_ACT:
		return (f64)c->acts[0].mean;
	case DOSE_MAX:
		return (f64)c->acts[0].max;
	case DOSE_EXCESS:
		return c->excess;
	case DOSE_REPEATS:
		return c->repeats;
	case DOSE_KL:
		return c->kl;
	case DOSE_GAIN:
		return c->gain;
	case DOSE_WORDS:
		return (f64)c->words;
	case DOSE_HITS:
		return c->hit;
	default:
		return NAN;
	}
}

static int ascending(const void *a, const void *b)
{
	f64 x = *(const f64 *)a, y = *(const f64 *)b;
	return (x > y) - (x < y);
}

/* Of n values in order. */
static f64 quantile(const f64 *v, size_t n, f64 q)
{
	f64 at = q * (f64)(n - 1);
	size_t i = (size_t)at;
	return i + 1 < n ? v[i] + (at - (f64)i) * (v[i + 1] - v[i]) : v[n - 1];
}

static f64 mean(const f64 *v, size_t n)
{
	f64 sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return sum / (f64)n;
}

/* The cells of one strength that are done, in order of prompt and seed; returns how many. */
static size_t gather(const struct sweep *s, enum sweep_kind kind, size_t strength, enum dose_measure m, f64 *out)
{
	size_t n = 0;
	for (size_t p = 0; p < s->q.n_prompts; p++)
		for (size_t k = 0; k < s->q.n_seeds; k++) {
			const struct sweep_cell *c = sweep_at(s, kind, p, k, strength);
			if (c && c->done && !isnan(dose_of(c, m)))
				out[n++] = dose_of(c, m);
		}
	return n;
}

static struct dose_point point(const struct sweep *s, enum sweep_kind kind, size_t strength, f64 *work)
{
	struct dose_point p = {.strength = kind == SWEEP_BASELINE ? 0 : s->q.strengths[strength]};
	for (int m = 0; m < N_DOSE; m++) {
		size_t n = gather(s, kind, strength, (enum dose_measure)m, work);
		p.n = MAX(p.n, n);
		p.low[m] = p.mid[m] = p.high[m] = NAN;
		if (!n)
			continue;
		qsort(work, n, sizeof *work, ascending);
		p.low[m] = m == DOSE_HITS ? mean(work, n) : quantile(work, n, 0.25);
		p.mid[m] = m == DOSE_HITS ? mean(work, n) : quantile(work, n, 0.5);
		p.high[m] = m == DOSE_HITS ? mean(work, n) : quantile(work, n, 0.75);
	}
	return p;
}

static bool fell_apart(const struct dose_point *p)
{
	return p->mid[DOSE_EXCESS] > HIT_EXCESS || p->mid[DOSE_REPEATS] > HIT_REPEATS;
}

static void find_range(struct dose *d)
{
	size_t end = d->n;
	for (size_t i = d->n; i-- > 0;)
		if ((f64)d->point[i].strength > d->neutral && fell_apart(&d->point[i]))
			end = d->collapse = i;
	for (size_t i = 0; i < d->n; i++)
		if ((f64)d->point[i].strength < d->neutral && fell_apart(&d->point[i]))
			d->collapse_low = i;
	for (size_t i = end; i-- > 0 && (f64)d->point[i].strength > d->neutral;) {
		if (!(d->point[i].mid[DOSE_ACT] > d->spread))
			break;
		d->onset = i;
	}
	d->n_working = d->onset == SIZE_MAX ? 0 : end - d->onset;
}

/* ---- is it monotone ---- */

struct pair {
	f64 x, y;
};

static int by_x(const void *a, const void *b)
{
	return ascending(&((const struct pair *)a)->x, &((const struct pair *)b)->x);
}

static int by_y(const void *a, const void *b)
{
	return ascending(&((const struct pair *)a)->y, &((const struct pair *)b)->y);
}

/* Puts ranks in place of x or of y; equal ones share their mean rank. */
static void rank(struct pair *p, size_t n, bool of_y)
{
	qsort(p, n, sizeof *p, of_y ? by_y : by_x);
	for (size_t i = 0, k; i < n; i = k) {
		f64 v = of_y ? p[i].y : p[i].x;
		for (k = i; k < n && (of_y ? p[k].y : p[k].x) <= v; k++)
			;
		for (size_t j = i; j < k; j++)
			*(of_y ? &p[j].y : &p[j].x) = (f64)(i + k - 1) / 2;
	}
}

/* Pearson's of the ranks. */
static f64 spearman(struct pair *p, size_t n)
{
	f64 xy = 0, xx = 0, yy = 0, middle = (f64)(n - 1) / 2;
	rank(p, n, false);
	rank(p, n, true);
	for (size_t i = 0; i < n; i++) {
		xy += (p[i].x - middle) * (p[i].y - middle);
		xx += (p[i].x - middle) * (p[i].x - middle);
		yy += (p[i].y - middle) * (p[i].y - middle);
	}
	return n >= 2 && xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

/* The share of steps within the working range at which the median grows. */
static f64 rising(const struct dose *d, enum dose_measure m)
{
	size_t up = 0;
	for (size_t i = 0; i < d->n_working; i++) {
		const struct dose_point *at = &d->point[d->onset + i];
		if (isnan(at->mid[m]))
			return NAN;
		up += i && at->mid[m] > at[-1].mid[m];
	}
	return d->n_working >= 2 ? (f64)up / (f64)(d->n_working - 1) : NAN;
}

static void judge_order(struct dose *d, const struct sweep *s, enum sweep_kind kind, f64 *work)
{
	size_t n_each = s->q.n_prompts * s->q.n_seeds, n = 0;
	struct pair *p = xcalloc(d->n_working * n_each + 1, sizeof *p);
	for (size_t i = 0; i < d->n_working; i++) {
		const struct dose_point *at = &d->point[d->onset + i];
		p[i] = (struct pair){(f64)at->strength, at->mid[DOSE_ACT]};
	}
	d->rising = rising(d, DOSE_ACT);
	d->rising_gain = rising(d, DOSE_GAIN);
	if (d->n_working >= 2)
		d->rho = spearman(p, d->n_working);
	for (size_t i = 0; i < d->n_working; i++) {
		size_t of = gather(s, kind, d->onset + i, DOSE_ACT, work);
		for (size_t k = 0; k < of; k++)
			p[n++] = (struct pair){(f64)s->q.strengths[d->onset + i], work[k]};
	}
	if (d->n_working >= 2)
		d->rho_cells = spearman(p, n);
	free(p);
}

void dose_init(struct dose *d, const struct sweep *s, enum sweep_kind kind)
{
	f64 *work = xcalloc(s->q.n_prompts * s->q.n_seeds + 1, sizeof *work);
	*d = (struct dose){.n = s->q.n_strengths, .onset = SIZE_MAX, .collapse = SIZE_MAX, .collapse_low = SIZE_MAX,
			   .spread = NAN, .rising = NAN, .rising_gain = NAN, .rho = NAN, .rho_cells = NAN,
			   .neutral = steer_is_factor(s->q.specs[0].method) ? 1 : 0};
	d->point = xcalloc(d->n, sizeof *d->point);
	for (size_t i = 0; i < d->n; i++)
		d->point[i] = point(s, kind, i, work);
	d->baseline = point(s, SWEEP_BASELINE, 0, work);
	size_t n = gather(s, SWEEP_BASELINE, 0, DOSE_ACT, work);
	if (n) {
		qsort(work, n, sizeof *work, ascending);
		d->spread = work[(9 * n + 9) / 10 - 1];
	}
	find_range(d);
	judge_order(d, s, kind, work);
	free(work);
}

void dose_release(struct dose *d)
{
	free(d->point);
	d->point = NULL;
}
