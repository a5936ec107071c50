/* SPDX-License-Identifier: MIT */
/* knn.c - exact nearest neighbours by cosine. */
#include "core/knn_impl.h"

#include "base/mem.h"
#include "core/kernel.h"
#include "core/rows.h"
#include "core/topk.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_A_TASK = 1024 };
_Static_assert(ROWS_A_TASK % KERNEL_N == 0, "products are looked at by whole tiles' rows");

u64 knn_key(f32 score, u32 id)
{
	u32 bits;
	score += 0.0f; /* -0 and 0 are equal */
	memcpy(&bits, &score, 4);
	bits = bits >> 31 ? ~bits : bits | 0x80000000u;
	return (u64)bits << 32 | (u32)~id;
}

f32 knn_key_score(u64 key)
{
	u32 bits = (u32)(key >> 32);
	f32 score;
	bits = bits >> 31 ? bits & 0x7fffffffu : ~bits;
	memcpy(&score, &bits, 4);
	return score;
}

static int descending(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;
	return (x < y) - (x > y);
}

static bool is_zero(const f32 *x, size_t d)
{
	for (size_t j = 0; j < d; j++)
		if (x[j] != 0)
			return false;
	return true;
}

size_t knn_take_best(u64 *key, size_t n, size_t k, u32 *id, f32 *score)
{
	if (n > k) {
		topk_keys(key, n, k);
		n = k;
	}
	qsort(key, n, sizeof *key, descending);
	for (size_t i = 0; i < n; i++) {
		id[i] = knn_key_id(key[i]);
		score[i] = knn_key_score(key[i]);
	}
	return n;
}

struct near_job {
	const struct knn_rows *rows;
	const f32 *query;
	u32 but;
	u64 *key; /* [n], 0: not a candidate */
};

static void score_rows(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct near_job *j = context;
	const struct knn_rows *r = j->rows;
	size_t end = MIN((task + 1) * ROWS_A_TASK, r->n);
	for (size_t i = task * ROWS_A_TASK; i < end; i++) {
		f32 s = vec_dot(j->query, r->p + i * r->d, r->d);
		bool out = i == j->but || (s == 0 && is_zero(r->p + i * r->d, r->d));
		j->key[i] = out ? 0 : knn_key(s, (u32)i);
	}
}

i64 knn_near(const struct knn_rows *rows, struct pool *pool, const f32 *query, u32 but, size_t k, u32 *id,
	     f32 *score, struct err *e)
{
	if (is_zero(query, rows->d))
		return 0;
	struct near_job j = {rows, query, but, mem_try(rows->n, sizeof(u64), "scores", e)};
	if (!j.key)
		return -1;
	pool_each(pool, (rows->n + ROWS_A_TASK - 1) / ROWS_A_TASK, score_rows, &j);
	size_t m = 0;
	for (size_t i = 0; i < rows->n; i++)
		if (j.key[i])
			j.key[m++] = j.key[i];
	m = knn_take_best(j.key, m, k, id, score);
	free(j.key);
	return (i64)m;
}

/* ---- lists of candidates ---- */

void knn_list_release(struct knn_list *l)
{
	if (l->grown)
		free(l->key);
	*l = (struct knn_list){0};
}

void knn_list_narrow(struct knn_list *l, const struct knn_bound *b, f32 *least)
{
	if (l->n <= b->k)
		return;
	f32 kth = knn_key_score((u64)topk_upper(l->key, l->n, b->k) << 32);
	*least = fmaxf(*least, kth - 2 * b->slack);
	u64 bound = knn_key(*least, UINT32_MAX);
	u32 kept = 0;
	for (u32 i = 0; i < l->n; i++) {
		u64 key = l->key[i];
		l->key[kept] = key;
		kept += key >= bound;
	}
	l->n = kept;
}

static int grow(struct knn_list *l)
{
	u32 cap = 2 * l->cap + 32;
	u64 *key = realloc(l->grown ? l->key : NULL, cap * sizeof *key);
	if (!key)
		return -1;
	if (!l->grown && l->n)
		memcpy(key, l->key, l->n * sizeof *key);
	l->key = key;
	l->cap = cap;
	l->grown = true;
	return 0;
}

int knn_list_add(struct knn_list *l, const struct knn_bound *b, f32 *least, u64 key)
{
	if (l->n == l->cap) {
		knn_list_narrow(l, b, least);
		/* where many are near the bound, narrowing soon leaves no room */
		if (l->n >= l->cap / 4 * 3 && grow(l))
			return -1;
	}
	if (knn_key_score(key) >= *least)
		l->key[l->n++] = key;
	return 0;
}

f32 knn_slack(const struct rows *r, f32 x_length, f32 x_off)
{
	f32 kept = 1 + 1e-5f + r->off; /* |w'|, as |w| is 1 but for rounding */
	/* the error of additions twice: of the product, and of vec_dot, which it is compared with */
	return (r->off * x_length + kept * x_off + 2 * kernel_error(r->d) * kept * (x_length + x_off)) * 1.0001f;
}

/* ---- one vector ---- */

struct scan {
	const struct rows *rows;
	const struct kernel *kernel;
	const void *x;
	u32 but;
	struct knn_bound bound;
	struct scan_part {
		struct knn_list list;
		f32 least;
		bool failed;
	} * part; /* one a thread */
};

static void take(struct scan *s, struct scan_part *p, const f32 *z, size_t from, size_t i)
{
	u32 id = (u32)(from + i);
	if (id != s->but && !rows_is_empty(s->rows, id) &&
	    knn_list_add(&p->list, &s->bound, &p->least, knn_key(z[i], id)))
		p->failed = true;
}

static void scan_rows(void *context, size_t task, unsigned thread)
{
	struct scan *s = context;
	struct scan_part *p = &s->part[thread];
	const struct rows *r = s->rows;
	size_t from = task * ROWS_A_TASK, n = MIN((size_t)ROWS_A_TASK, r->n - from);
	f32 z[ROWS_A_TASK], no_column[KERNEL_N];
	s->kernel->dots(r->kept + from * r->stride, r->stride, n, s->x, 1, z, n);
	for (size_t i = n; i % KERNEL_N; i++)
		z[i] = NAN; /* is never near */
	for (size_t j = 0; j < KERNEL_N; j++)
		no_column[j] = INFINITY;
	for (size_t i = 0; i < n; i += KERNEL_N)
		for (u32 hits = s->kernel->near_row(z + i, p->least, no_column); hits; hits &= hits - 1)
			take(s, p, z, from, i + (size_t)__builtin_ctz(hits));
}

/* All that may be among the k best, scored anew in f32. */
static i64 settle(struct scan *s, unsigned n_parts, const f32 *query, u32 *id, f32 *score, struct err *e)
{
	struct scan_part all = {.least = -INFINITY};
	const struct rows *r = s->rows;
	bool failed = false;
	for (unsigned i = 0; i < n_parts; i++) {
		struct scan_part *p = &s->part[i];
		failed |= p->failed;
		all.least = fmaxf(all.least, p->least);
	}
	for (unsigned i = 0; i < n_parts; i++)
		for (u32 k = 0; k < s->part[i].list.n; k++)
			failed |= knn_list_add(&all.list, &s->bound, &all.least, s->part[i].list.key[k]);
	knn_list_narrow(&all.list, &s->bound, &all.least);
	f32 *row = mem_try(r->d, sizeof *row, "a row", e);
	i64 n = -1;
	if (failed)
		err_set(e, ERR_FAILED, "no memory for candidates");
	else if (row) {
		for (u32 k = 0; k < all.list.n; k++) {
			u32 at = knn_key_id(all.list.key[k]);
			rows_exact(r, at, row);
			all.list.key[k] = knn_key(vec_dot(query, row, r->d), at);
		}
		n = (i64)knn_take_best(all.list.key, all.list.n, s->bound.k, id, score);
	}
	free(row);
	knn_list_release(&all.list);
	return n;
}

i64 knn_scan(const struct rows *r, const struct kernel *kernel, struct pool *pool, const f32 *query, u32 but,
	     size_t k, u32 *id, f32 *score, struct err *e)
{
	const struct kernel *kn = kernel ? kernel : kernel_best();
	unsigned threads = pool ? pool_threads(pool) : 1;
	struct scan s = {.rows = r, .kernel = kn, .but = but, .bound.k = MIN(k, r->n)};
	if (!s.bound.k || is_zero(query, r->d))
		return 0;
	u8 *x = mem_try(r->stride, kn->x_size, "a vector", e);
	u16 *rounded = mem_try(r->stride, sizeof *rounded, "a vector", e);
	i64 n = -1;
	if (x && rounded) {
		kn->prepare(query, r->d, r->stride, x);
		f32 off = kn->rounds ? kernel_round(query, r->d, r->stride, rounded) : 0;
		s.x = x;
		s.bound.slack = knn_slack(r, sqrtf(vec_dot(query, query, r->d)) * 1.0001f, off);
		s.part = xcalloc(threads, sizeof *s.part);
		for (unsigned i = 0; i < threads; i++)
			s.part[i].least = -INFINITY;
		pool_each(pool, (r->n + ROWS_A_TASK - 1) / ROWS_A_TASK, scan_rows, &s);
		n = settle(&s, threads, query, id, score, e);
		for (unsigned i = 0; i < threads; i++)
			knn_list_release(&s.part[i].list);
		free(s.part);
	}
	free(x);
	free(rounded);
	return n;
}
