/* SPDX-License-Identifier: MIT */
/* probe.c - ridge regression with fewer rows than columns. */
#include "core/probe.h"

#include "base/mem.h"
#include "core/find.h"

#include <math.h>
#include <stdlib.h>

/* Standardised by the training rows: z [n][d] of all rows. */
static void standardise(const f32 *x, const bool *train, size_t n, u32 d, f64 *z)
{
	for (u32 k = 0; k < d; k++) {
		f64 sum = 0, square = 0, m = 0;
		for (size_t i = 0; i < n; i++)
			if (train[i]) {
				sum += (f64)x[i * d + k];
				m++;
			}
		for (size_t i = 0; i < n; i++) {
			f64 gap = (f64)x[i * d + k] - sum / m;
			square += train[i] ? gap * gap : 0;
		}
		for (size_t i = 0; i < n; i++)
			z[i * d + k] = ((f64)x[i * d + k] - sum / m) / (sqrt(square / m) + 1e-6);
	}
}

static f64 dot(const f64 *a, const f64 *b, u32 d)
{
	f64 sum = 0;
	for (u32 k = 0; k < d; k++)
		sum += a[k] * b[k];
	return sum;
}

/* Solves s y = y for a positive definite s [m][m], which is overwritten. */
static void solve(f64 *s, size_t m, f64 *y)
{
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j <= i; j++) {
			f64 sum = s[i * m + j];
			for (size_t k = 0; k < j; k++)
				sum -= s[i * m + k] * s[j * m + k];
			s[i * m + j] = i == j ? sqrt(sum) : sum / s[j * m + j];
		}
	for (size_t i = 0; i < m; i++) {
		for (size_t k = 0; k < i; k++)
			y[i] -= s[i * m + k] * y[k];
		y[i] /= s[i * m + i];
	}
	for (size_t i = m; i-- > 0;) {
		for (size_t k = i + 1; k < m; k++)
			y[i] -= s[k * m + i] * y[k];
		y[i] /= s[i * m + i];
	}
}

struct work {
	f64 *z, *s, *y; /* [n][d], [n][n], [n] */
	size_t *at;     /* [n] training rows */
	bool *train;
	struct find_text *score; /* [n] as a text with one feature */
	u32 *id;
	f32 *value;
};

/* The AUROC on the rows that are not trained on. */
static f32 judge(struct work *w, const bool *positive, size_t n, u32 d)
{
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (w->train[i])
			w->at[m++] = i;
	for (size_t i = 0; i < m; i++) {
		for (size_t j = 0; j <= i; j++)
			w->s[i * m + j] = dot(w->z + w->at[i] * d, w->z + w->at[j] * d, d) + (i == j ? d / 2.0 : 0);
		w->y[i] = positive[w->at[i]] ? 1 : -1;
	}
	solve(w->s, m, w->y);
	for (size_t i = 0; i < n; i++) {
		f64 sum = 0;
		for (size_t j = 0; j < m && !w->train[i]; j++)
			sum += w->y[j] * dot(w->z + i * d, w->z + w->at[j] * d, d);
		w->value[i] = (f32)sum;
		w->score[i] = (struct find_text){&w->id[i], &w->value[i], 1, positive[i]};
		w->train[i] = !w->train[i]; /* now: those that are judged */
	}
	return find_auroc(w->score, n, 0, w->train);
}

int probe_held_out(const f32 *x, const bool *positive, size_t n, u32 d, u32 folds, f32 *auroc, struct err *e)
{
	struct work w = {0};
	u32 *fold = xcalloc(n + 1, sizeof *fold), judged = 0;
	f64 sum = 0;
	int bad = !(w.z = mem_try((u64)n * d + 1, sizeof *w.z, "a probe", e)) ||
		  !(w.s = mem_try((u64)n * n + 1, sizeof *w.s, "a probe", e)) ? -1 : 0;
	w.y = xcalloc(n + 1, sizeof *w.y);
	w.at = xcalloc(n + 1, sizeof *w.at);
	w.train = xcalloc(n + 1, sizeof *w.train);
	w.score = xcalloc(n + 1, sizeof *w.score);
	w.id = xcalloc(n + 1, sizeof *w.id);
	w.value = xcalloc(n + 1, sizeof *w.value);
	find_deal(positive, n, folds, fold);
	for (u32 k = 0; k < folds && !bad; k++) {
		unsigned in = 0, out = 0;
		for (size_t i = 0; i < n; i++) {
			w.train[i] = fold[i] != k;
			*(w.train[i] ? &in : &out) |= positive[i] ? 1 : 2;
		}
		if (in != 3 || out != 3)
			continue;
		standardise(x, w.train, n, d, w.z);
		sum += (f64)judge(&w, positive, n, d);
		judged++;
	}
	*auroc = judged ? (f32)(sum / judged) : NAN;
	free(w.z);
	free(w.s);
	free(w.y);
	free(w.at);
	free(w.train);
	free(w.score);
	free(w.id);
	free(w.value);
	free(fold);
	return bad;
}
