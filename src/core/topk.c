/* SPDX-License-Identifier: MIT */
/* topk.c - the k largest positive values of a row. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif
#include "core/topk.h"

#include "base/mem.h"
#include "core/clones.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct topk {
	size_t max_n;
	u64 *key;  /* [max_n]: value above, complement of the id below, so larger is better */
	f32 *most; /* [max_n / 16] group maxima */
};

struct topk *topk_new(size_t max_n, struct err *e)
{
	struct topk *t = xcalloc(1, sizeof *t);
	t->max_n = max_n;
	t->key = mem_try(max_n, sizeof *t->key, "the selection of the largest", e);
	t->most = mem_try(max_n / 16 + 16, sizeof *t->most, "the selection of the largest", e);
	if (t->key && t->most)
		return t;
	topk_free(t);
	return NULL;
}

void topk_free(struct topk *t)
{
	if (!t)
		return;
	free(t->key);
	free(t->most);
	free(t);
}

/* Hoare's selection: the k largest come first and x[k - 1] is the k-th; reorders x. */
#define SELECT(type, x, n, k) \
	do { \
		i64 lo_ = 0, hi_ = (i64)(n) - 1, at_ = (i64)(k) - 1; \
		while (lo_ < hi_) { \
			type pivot_ = (x)[at_]; \
			i64 i_ = lo_, j_ = hi_; \
			do { \
				while ((x)[i_] > pivot_) \
					i_++; \
				while ((x)[j_] < pivot_) \
					j_--; \
				if (i_ <= j_) { \
					type swap_ = (x)[i_]; \
					(x)[i_++] = (x)[j_]; \
					(x)[j_--] = swap_; \
				} \
			} while (i_ <= j_); \
			if (j_ < at_) \
				lo_ = i_; \
			if (i_ > at_) \
				hi_ = j_; \
		} \
	} while (0)

void topk_keys(u64 *key, size_t n, size_t k)
{
	if (k && k < n)
		SELECT(u64, key, n, k);
}

/* Compilers make vectors of these. */
static inline __attribute__((always_inline)) size_t n_from(const u64 *key, size_t n, u64 from)
{
	u64 count = 0;
	for (size_t i = 0; i < n; i++)
		count += key[i] >= from;
	return count;
}

static inline __attribute__((always_inline)) u64 least_from(const u64 *key, size_t n, u64 from)
{
	u64 least = UINT64_MAX;
	for (size_t i = 0; i < n; i++) {
		u64 x = key[i] >= from ? key[i] : UINT64_MAX;
		least = x < least ? x : least;
	}
	return least;
}

/* The interval is halved; where keys differ it soon parts them, without a branch that cannot be foreseen. */
CLONES u32 topk_upper(const u64 *key, size_t n, size_t k)
{
	u64 low = UINT64_MAX, high = 0; /* it is one of low .. high */
	for (size_t i = 0; i < n; i++) {
		low = key[i] < low ? key[i] : low;
		high = key[i] > high ? key[i] : high;
	}
	low >>= 32;
	high >>= 32;
	while (low < high) {
		u64 middle = low + (high - low + 1) / 2;
		size_t count = n_from(key, n, middle << 32);
		if (count == k)
			return (u32)(least_from(key, n, middle << 32) >> 32);
		if (count > k)
			low = middle;
		else
			high = middle - 1;
	}
	return (u32)low;
}

f32 topk_bound(struct topk *t, const f32 *z, size_t n, size_t k)
{
	size_t groups = n / 256 * 16, numbers = 0;
	if (groups < k || !k)
		return -INFINITY;
	vec_group_max(t->most, z, n);
	for (size_t i = 0; i < groups; i++)
		if (t->most[i] == t->most[i])
			t->most[numbers++] = t->most[i];
	if (numbers < k)
		return -INFINITY;
	SELECT(f32, t->most, numbers, k);
	return t->most[k - 1];
}

static int ascending(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;
	return (x > y) - (x < y);
}

static void sort_ids(u32 *id, size_t n)
{
	if (n > 64) {
		qsort(id, n, sizeof *id, ascending);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		u32 x = id[i];
		size_t j = i;
		for (; j && id[j - 1] > x; j--)
			id[j] = id[j - 1];
		id[j] = x;
	}
}

size_t topk_row(struct topk *t, const f32 *z, size_t n, size_t k, u32 *id, f32 *value)
{
	f32 least = topk_bound(t, z, n, k);
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		if (z[i] >= least && z[i] > 0) {
			u32 bits;
			memcpy(&bits, z + i, 4);
			t->key[m++] = (u64)bits << 32 | (u32)~i;
		}
	}
	if (m > k) {
		topk_keys(t->key, m, k);
		m = k;
	}
	for (size_t i = 0; i < m; i++)
		id[i] = ~(u32)t->key[i];
	sort_ids(id, m);
	for (size_t i = 0; i < m; i++)
		value[i] = z[id[i]];
	return m;
}
