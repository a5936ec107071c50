/* SPDX-License-Identifier: MIT */
/* find.c - features ranked by how well they tell two kinds of text apart. */
#include "core/find.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct value {
	u32 id;
	f32 act;
};

static int by_id(const void *a, const void *b)
{
	const struct value *x = a, *y = b;
	return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->act < y->act) - (x->act > y->act);
}

void find_gather(const struct dict_row *rows, size_t n, enum find_value how, bool positive, struct find_text *out)
{
	size_t all = 0, m = 0;
	for (size_t i = 0; i < n; i++)
		all += rows[i].n;
	struct value *v = xcalloc(all + 1, sizeof *v);
	for (size_t i = 0; i < n; i++)
		for (u32 k = 0; k < rows[i].n; k++)
			v[m++] = (struct value){rows[i].id[k], rows[i].act[k]};
	qsort(v, all, sizeof *v, by_id);
	*out = (struct find_text){xcalloc(all + 1, sizeof *out->id), xcalloc(all + 1, sizeof *out->value), 0, positive};
	for (size_t i = 0; i < all; i = m) {
		f64 sum = 0;
		for (m = i; m < all && v[m].id == v[i].id; m++)
			sum += (f64)v[m].act;
		out->id[out->n] = v[i].id;
		out->value[out->n++] = how == FIND_MAX ? v[i].act : (f32)(sum / (f64)n);
	}
	free(v);
}

void find_text_release(struct find_text *t)
{
	free(t->id);
	free(t->value);
	*t = (struct find_text){0};
}

static f32 value_of(const struct find_text *t, u32 feature)
{
	size_t from = 0, to = t->n;
	while (from < to) {
		size_t mid = (from + to) / 2;
		if (t->id[mid] < feature)
			from = mid + 1;
		else
			to = mid;
	}
	return from < t->n && t->id[from] == feature ? t->value[from] : 0;
}

struct judged {
	f32 value;
	bool positive;
};

static int by_value(const void *a, const void *b)
{
	f32 x = ((const struct judged *)a)->value, y = ((const struct judged *)b)->value;
	return (x > y) - (x < y);
}

static bool is_near(f32 x, f32 y)
{
	return fabs((f64)y - (f64)x) <= FIND_ROUNDING * fmax(fabs((f64)x), fabs((f64)y));
}

/* Puts n values in order, and in place of those that are one the least of them. */
static void settle(struct judged *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	for (size_t i = 0, end; i < n; i = end) {
		f32 last = v[i].value;
		for (end = i + 1; end < n && is_near(last, v[end].value); end++) {
			last = v[end].value;
			v[end].value = v[i].value;
		}
	}
}

/* Of n settled values that are not 0, and so many zeros of either kind. */
static f32 auroc_of(const struct judged *v, size_t n, u64 zero_positive, u64 zero_negative)
{
	u64 positive = zero_positive, negative = zero_negative, below = zero_negative;
	f64 pairs = 0.5 * (f64)zero_positive * (f64)zero_negative;
	for (size_t i = 0, end; i < n; i = end) {
		u64 p = 0, q = 0;
		for (end = i; end < n && v[end].value == v[i].value; end++)
			*(v[end].positive ? &p : &q) += 1;
		pairs += (f64)p * ((f64)below + 0.5 * (f64)q);
		below += q;
		positive += p;
		negative += q;
	}
	return positive && negative ? (f32)(pairs / ((f64)positive * (f64)negative)) : NAN;
}

f32 find_auroc(const struct find_text *t, size_t n, u32 feature, const bool *use)
{
	struct judged *v = xcalloc(n + 1, sizeof *v);
	u64 zero[2] = {0};
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		if (use && !use[i])
			continue;
		f32 x = value_of(&t[i], feature);
		if (x == 0)
			zero[t[i].positive]++;
		else
			v[m++] = (struct judged){x, t[i].positive};
	}
	settle(v, m);
	f32 a = auroc_of(v, m, zero[1], zero[0]);
	free(v);
	return a;
}

/* The texts' values by feature. */
struct table {
	u64 *start; /* [F + 1] */
	struct judged *v;
	u64 n_positive, n_negative;
};

static void table_release(struct table *x)
{
	free(x->start);
	free(x->v);
}

static int table_init(struct table *x, const struct find_text *t, size_t n, const bool *use, u32 n_features, struct err *e)
{
	*x = (struct table){mem_try(n_features + 1ull, sizeof *x->start, "features", e), NULL, 0, 0};
	u64 *at = x->start ? mem_try(n_features + 1ull, sizeof *at, "features", e) : NULL;
	if (!at) {
		table_release(x);
		return -1;
	}
	memset(x->start, 0, (n_features + 1ull) * sizeof *x->start);
	for (size_t i = 0; i < n; i++) {
		if (use && !use[i])
			continue;
		*(t[i].positive ? &x->n_positive : &x->n_negative) += 1;
		for (size_t k = 0; k < t[i].n; k++)
			x->start[t[i].id[k] + 1]++;
	}
	for (u32 f = 0; f < n_features; f++) {
		x->start[f + 1] += x->start[f];
		at[f] = x->start[f];
	}
	x->v = mem_try(x->start[n_features] + 1, sizeof *x->v, "values", e);
	for (size_t i = 0; i < n && x->v; i++)
		for (size_t k = 0; k < t[i].n && (!use || use[i]); k++)
			x->v[at[t[i].id[k]]++] = (struct judged){t[i].value[k], t[i].positive};
	free(at);
	if (x->v)
		return 0;
	table_release(x);
	return -1;
}

enum { FEATURES_A_TASK = 1024 };

struct job {
	struct table *table;
	u32 n_features;
	struct find_score *all; /* [F] */
};

static void score_some(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct job *j = context;
	const struct table *x = j->table;
	for (u64 f = task * FEATURES_A_TASK; f < MIN((task + 1) * FEATURES_A_TASK, (u64)j->n_features); f++) {
		struct find_score *s = &j->all[f];
		struct judged *v = x->v + x->start[f];
		u64 n = x->start[f + 1] - x->start[f];
		f64 sum[2] = {0};
		*s = (struct find_score){.feature = (u32)f};
		settle(v, n);
		for (u64 i = 0; i < n; i++) {
			sum[v[i].positive] += (f64)v[i].value;
			*(v[i].positive ? &s->n_positive : &s->n_negative) += 1;
		}
		s->mean_difference = (f32)((x->n_positive ? sum[1] / (f64)x->n_positive : 0) -
					   (x->n_negative ? sum[0] / (f64)x->n_negative : 0));
		s->auroc = auroc_of(v, n, x->n_positive - s->n_positive, x->n_negative - s->n_negative);
	}
}

static int better(const void *a, const void *b)
{
	const struct find_score *x = a, *y = b;
	if (x->auroc != y->auroc)
		return x->auroc < y->auroc ? 1 : -1;
	if (x->mean_difference != y->mean_difference)
		return x->mean_difference < y->mean_difference ? 1 : -1;
	return (x->feature > y->feature) - (x->feature < y->feature);
}

static bool passes(const struct find_filter *f, const struct find_score *s, const struct table *x)
{
	if (!s->n_positive && !s->n_negative)
		return false;
	return !f || ((f64)s->n_positive >= (f64)f->on * (f64)x->n_positive - 1e-6 &&
		      (f64)s->n_negative <= (f64)f->off * (f64)x->n_negative + 1e-6);
}

/* Every feature that fires and passes, best first: *n of them, owned by the caller. */
static struct find_score *rank(const struct find_text *t, size_t n, const bool *use, u32 n_features,
			       const struct find_filter *filter, struct pool *pool, u64 *n_out, struct err *e)
{
	struct table x;
	if (table_init(&x, t, n, use, n_features, e))
		return NULL;
	struct find_score *all = mem_try(n_features + 1ull, sizeof *all, "features", e);
	u64 m = 0;
	if (all && x.n_positive && x.n_negative) {
		struct job j = {&x, n_features, all};
		pool_each(pool, (n_features + FEATURES_A_TASK - 1) / FEATURES_A_TASK, score_some, &j);
		for (u32 f = 0; f < n_features; f++)
			if (passes(filter, &all[f], &x))
				all[m++] = all[f];
		qsort(all, m, sizeof *all, better);
	} else if (all) {
		err_set(e, ERR_USAGE, "there must be texts of both kinds, positive and negative");
		free(all);
		all = NULL;
	}
	table_release(&x);
	*n_out = m;
	return all;
}

i64 find_rank(const struct find_text *t, size_t n, u32 n_features, const struct find_filter *filter, struct pool *pool,
	      struct find_score *out, size_t cap, struct err *e)
{
	u64 m;
	struct find_score *all = rank(t, n, NULL, n_features, filter, pool, &m, e);
	if (!all)
		return -1;
	memcpy(out, all, MIN(m, (u64)cap) * sizeof *out);
	free(all);
	return (i64)m;
}

void find_deal(const bool *positive, size_t n, u32 folds, u32 *fold)
{
	u32 next[2] = {0};
	for (size_t i = 0; i < n; i++)
		fold[i] = next[positive[i]]++ % folds;
}

int find_held_out(const struct find_text *t, size_t n, u32 n_features, u32 folds, const struct find_filter *filter,
		  struct pool *pool, struct find_held_out *out, struct err *e)
{
	u32 n_none = 0; /* folds without a choice */
	u32 *fold = xcalloc(n + 1, sizeof *fold), *chosen = xcalloc(folds + 1, sizeof *chosen);
	bool *use = xcalloc(n + 1, sizeof *use);
	f64 sum = 0;
	int bad = 0;
	*out = (struct find_held_out){.auroc = NAN, .chosen = UINT32_MAX};
	for (size_t i = 0; i < n; i++)
		use[i] = t[i].positive;
	find_deal(use, n, folds, fold);
	for (u32 k = 0; k < folds && !bad; k++) {
		u64 m = 0;
		u32 out_of = 0, left = 0; /* kinds in the fold, and without it */
		for (size_t i = 0; i < n; i++) {
			use[i] = fold[i] != k;
			*(use[i] ? &left : &out_of) |= t[i].positive ? 1 : 2;
		}
		if (out_of != 3 || left != 3)
			continue;
		struct find_score *all = rank(t, n, use, n_features, filter, pool, &m, e);
		if (all && !m && filter) {
			n_none++;
			free(all);
			continue;
		}
		if (!all || !m) {
			bad = all ? err_set(e, ERR_FAILED, "no feature fires on these texts") : -1;
			free(all);
			break;
		}
		for (size_t i = 0; i < n; i++)
			use[i] = fold[i] == k;
		chosen[out->folds++] = all[0].feature;
		sum += (f64)find_auroc(t, n, all[0].feature, use);
		free(all);
	}
	for (u32 i = 0; i < out->folds && !bad; i++) {
		u32 times = 0;
		for (u32 k = 0; k < out->folds; k++)
			times += chosen[k] == chosen[i];
		if (times > out->times) {
			out->times = times;
			out->chosen = chosen[i];
		}
	}
	out->folds += n_none;
	if (!bad && out->folds)
		out->auroc = (f32)((sum + 0.5 * n_none) / out->folds);
	free(fold);
	free(chosen);
	free(use);
	return bad;
}
