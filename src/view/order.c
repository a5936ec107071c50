/* SPDX-License-Identifier: MIT */
/* order.c - sorting features on a worker. */
#include "view/order.h"

#include "base/bits.h"
#include "base/mem.h"
#include "core/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct order_word order_words[N_ORDERS] = {
	{'i', "id"},
	{'d', "density: share of tokens where it fires"},
	{'m', "max: the largest activation"},
	{'e', "detects: do its peaks stand on the tokens it promotes"},
	{'w', "writes: does the model write about its topic when it is added"},
	{'r', "your rating"},
	{'u', "uncertain: the score of the best label, lowest first"},
	{'o', "output: does it raise the tokens it promotes"},
};

enum { DIGIT = 11 /* bits */ };
static const u32 ABSENT = UINT32_MAX;

struct item {
	u32 key; /* ascending is the order wanted */
	u32 id;
};

struct order_work *order_work_new(const struct atlas *atlas, enum order_by by, bool reverse, const u64 *a,
				  const u64 *b)
{
	struct order_work *w = xcalloc(1, sizeof *w);
	size_t words = bits_words(atlas->n_features);
	*w = (struct order_work){.atlas = atlas, .made = {.by = by, .reverse = reverse}};
	if (by == ORDER_RATING)
		w->made.ratings = xcalloc(atlas->n_features, 1);
	if (!a && !b)
		return w;
	w->keep = xcalloc(words, sizeof *w->keep);
	for (size_t i = 0; i < words; i++)
		w->keep[i] = (a ? a[i] : UINT64_MAX) & (b ? b[i] : UINT64_MAX);
	return w;
}

void order_work_free(void *work)
{
	struct order_work *w = work;
	free(w->keep);
	free(w->made.ratings);
	free(w->made.ids);
	free(w);
}

static f32 best_score(const struct labels *l, u32 f)
{
	u64 first = 0, n = l ? labels_of(l, f, &first) : 0;
	f32 best = NAN;
	struct label one;
	for (u64 i = 0; i < n; i++) {
		labels_at(l, first + i, &one);
		if (!isnan(one.score) && !(one.score <= best))
			best = one.score;
	}
	return best;
}

static f32 number_of(const struct order *o, const struct atlas *atlas, u32 f)
{
	struct store_stats st = {NAN, NAN, NAN, 0};
	struct atlas_scores sc;
	switch (o->by) {
	case ORDER_DENSITY: case ORDER_MAX:
		if (atlas->store)
			store_stats(atlas->store, f, &st);
		return o->by == ORDER_MAX ? st.max : st.density;
	case ORDER_DETECTS: case ORDER_WRITES: case ORDER_OUTPUT:
		atlas_scores(atlas, f, &sc);
		return o->by == ORDER_DETECTS ? sc.input : o->by == ORDER_WRITES ? sc.topic : sc.output;
	case ORDER_RATING: return o->ratings[f];
	case ORDER_UNCERTAIN: return -best_score(atlas->labels, f);
	default: return 0;
	}
}

/* Larger numbers get smaller keys; what is absent the largest. */
static u32 key_of(const struct order *o, const struct atlas *atlas, u32 f)
{
	u32 bits;
	f32 x = o->by == ORDER_ID ? 0 : number_of(o, atlas, f);
	if (isnan(x))
		return ABSENT;
	x += 0.0f; /* one zero */
	memcpy(&bits, &x, sizeof bits);
	return bits >> 31 ? bits : 0x7fffffffu - bits;
}

/* ---- where a feature is ---- */

static bool before(const struct order *o, struct item x, struct item y)
{
	bool absent = x.key == ABSENT, turned = o->reverse && !absent;
	if (absent != (y.key == ABSENT))
		return !absent;
	if (x.key != y.key)
		return (x.key < y.key) != turned;
	return x.id != y.id && (x.id < y.id) != turned;
}

bool order_row(const struct order *o, const struct atlas *atlas, u32 feature, u64 guess, u64 *row)
{
	if (guess < o->n && o->ids[guess] == feature) {
		*row = guess;
		return true;
	}
	if (feature >= atlas->n_features)
		return false;
	struct item wanted = {key_of(o, atlas, feature), feature};
	u32 from = 0, to = o->n;
	while (from < to) {
		u32 mid = from + (to - from) / 2;
		if (before(o, (struct item){key_of(o, atlas, o->ids[mid]), o->ids[mid]}, wanted))
			from = mid + 1;
		else
			to = mid;
	}
	*row = from;
	return from < o->n && o->ids[from] == feature;
}

/* ---- making it ---- */

static bool goes_on(struct progress *p, u32 i)
{
	return i % 65536 || !progress_cancelled(p);
}

/* One pass of a radix sort, which keeps the order of what is equal: `from` into `to`. */
static void sort_digit(const struct item *from, struct item *to, u32 n, int shift, struct progress *p)
{
	u32 at[(1 << DIGIT) + 1] = {0};
	for (u32 i = 0; i < n && goes_on(p, i); i++)
		at[(from[i].key >> shift & ((1 << DIGIT) - 1)) + 1]++;
	for (size_t k = 0; k < 1 << DIGIT; k++)
		at[k + 1] += at[k];
	for (u32 i = 0; i < n && goes_on(p, i); i++)
		to[at[from[i].key >> shift & ((1 << DIGIT) - 1)]++] = from[i];
}

/* What is absent stays last whichever way. */
static void turn(struct item *list, u32 n)
{
	u32 end = n;
	while (end > 0 && list[end - 1].key == ABSENT)
		end--;
	for (u32 i = 0; i < end / 2; i++) {
		struct item swap = list[i];
		list[i] = list[end - 1 - i];
		list[end - 1 - i] = swap;
	}
}

static u32 collect(const struct order_work *w, struct item *list, struct progress *p)
{
	u64 total = w->atlas->n_features;
	u32 n = 0;
	for (u64 f = 0; f < total && goes_on(p, n); f++) {
		if (w->keep && (f = bits_next(w->keep, total, f)) == total)
			break;
		list[n++] = (struct item){key_of(&w->made, w->atlas, (u32)f), (u32)f};
	}
	return n;
}

void order_run(void *work, struct progress *p)
{
	struct order_work *w = work;
	u64 rows = w->keep ? bits_count(w->keep, w->atlas->n_features) : w->atlas->n_features;
	struct item *list = mem_try_raw(rows, sizeof *list, "a sorted list", &w->e);
	size_t sorted = w->made.by == ORDER_ID ? 0 : rows;
	struct item *other = list ? mem_try_raw(sorted, sizeof *other, "a sorted list", &w->e) : NULL;
	w->failed = !other;
	u32 n = w->failed ? 0 : collect(w, list, p);
	for (int shift = 0; n && w->made.by != ORDER_ID && shift < 32 && !progress_cancelled(p); shift += DIGIT) {
		sort_digit(list, other, n, shift, p);
		struct item *swap = list;
		list = other;
		other = swap;
	}
	free(other);
	if (w->made.reverse && !progress_cancelled(p))
		turn(list, n);
	u32 *ids = w->failed ? NULL : mem_try_raw(rows, sizeof *ids, "a sorted list", &w->e);
	w->failed = !ids;
	for (u32 i = 0; ids && i < n && goes_on(p, i); i++)
		ids[i] = list[i].id;
	free(list);
	if (progress_cancelled(p)) { /* nobody takes it: given back here, beside the screen */
		free(ids);
		ids = NULL;
		n = 0;
	}
	w->made.ids = ids;
	w->made.n = n;
}
