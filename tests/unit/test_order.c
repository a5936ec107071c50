/* SPDX-License-Identifier: MIT */
/* test_order.c - sorting features, and where a feature is in what was sorted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/mem.h"
#include "core/labels.h"
#include "view/order.h"

#include <math.h>
#include <stdlib.h>

static struct atlas *atlas;

struct row {
	f32 x; /* NAN: absent */
	u32 id;
};

static f32 best_score(u32 f)
{
	f32 best = NAN;
	for (u64 i = 0; i < labels_count(atlas->labels); i++) {
		struct label l;
		labels_at(atlas->labels, i, &l);
		if (l.feature == f && !isnan(l.score) && !(l.score <= best))
			best = l.score;
	}
	return best;
}

static f32 number(enum order_by by, u32 f)
{
	struct store_stats st;
	struct atlas_scores sc;
	store_stats(atlas->store, f, &st);
	atlas_scores(atlas, f, &sc);
	switch (by) {
	case ORDER_DENSITY: return st.density;
	case ORDER_MAX: return st.max;
	case ORDER_DETECTS: return sc.input;
	case ORDER_WRITES: return sc.topic;
	case ORDER_RATING: return (f32)(f * 7 % 5);
	case ORDER_OUTPUT: return sc.output;
	case ORDER_UNCERTAIN: return -best_score(f);
	default: return 0;
	}
}

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (isnan(x->x) != isnan(y->x))
		return isnan(x->x) ? 1 : -1;
	if (x->x != y->x && !isnan(x->x))
		return x->x > y->x ? -1 : 1;
	return x->id < y->id ? -1 : 1;
}

/* Rows as they are to be, by qsort. */
static u32 wanted(struct row *rows, enum order_by by, bool reverse, const u64 *keep)
{
	u32 n = 0, present = 0;
	for (u32 f = 0; f < atlas->n_features; f++)
		if (!keep || bits_has(keep, f))
			rows[n++] = (struct row){number(by, f), f};
	qsort(rows, n, sizeof *rows, compare);
	while (present < n && !isnan(rows[present].x))
		present++;
	for (u32 i = 0; reverse && i < present / 2; i++) {
		struct row swap = rows[i];
		rows[i] = rows[present - 1 - i];
		rows[present - 1 - i] = swap;
	}
	return n;
}

static void check(enum order_by by, bool reverse, const u64 *keep)
{
	struct row *rows = xcalloc(atlas->n_features, sizeof *rows);
	struct order_work *w = order_work_new(atlas, by, reverse, keep, NULL);
	struct progress p = {0};
	for (u32 f = 0; w->made.ratings && f < atlas->n_features; f++)
		w->made.ratings[f] = (u8)number(by, f);
	order_run(w, &p);
	assert_false(w->failed);
	assert_int_equal(w->made.n, wanted(rows, by, reverse, keep));
	u64 at;
	for (u32 i = 0; i < w->made.n; i++) {
		assert_int_equal(w->made.ids[i], rows[i].id);
		u64 guesses[] = {i, i / 2, UINT64_MAX};
		for (size_t k = 0; k < ARRAY_LEN(guesses); k++) {
			assert_true(order_row(&w->made, atlas, rows[i].id, guesses[k], &at));
			assert_int_equal(at, i);
		}
	}
	for (u32 f = 0; keep && f < atlas->n_features; f++)
		assert_int_equal(order_row(&w->made, atlas, f, 0, &at), bits_has(keep, f));
	assert_false(order_row(&w->made, atlas, UINT32_MAX, 0, &at));
	order_work_free(w);
	free(rows);
}

static void every_order_is_that_of_qsort_and_every_row_is_found(void **state)
{
	(void)state;
	u64 *keep = xcalloc(bits_words(atlas->n_features), sizeof *keep);
	u32 absent = 0, below = 0;
	for (u32 f = 0; f < atlas->n_features; f++) {
		absent += isnan(number(ORDER_WRITES, f));
		below += number(ORDER_UNCERTAIN, f) < 0;
	}
	/* what is absent stays last whichever way, and what is below zero is in its order */
	assert_in_range(absent, 1, atlas->n_features - 1);
	assert_in_range(below, 2, atlas->n_features - 1);
	for (u32 f = 0; f < atlas->n_features; f += 3)
		keep[f / 64] |= (u64)1 << (f % 64);
	for (int by = 0; by < N_ORDERS; by++)
		for (int reverse = 0; reverse < 2; reverse++) {
			check((enum order_by)by, reverse, NULL);
			check((enum order_by)by, reverse, keep);
		}
	free(keep);
}

static void a_stopped_one_gives_nothing(void **state)
{
	(void)state;
	struct order_work *w = order_work_new(atlas, ORDER_MAX, false, NULL, NULL);
	struct progress p = {0};
	progress_cancel(&p);
	order_run(w, &p);
	assert_null(w->made.ids);
	assert_int_equal(w->made.n, 0);
	order_work_free(w);
}

int main(void)
{
	struct err e = {0};
	atlas = atlas_open(getenv("SAMPLE"), &e);
	if (!atlas) {
		print_message("%s\n", e.msg);
		return 1;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_is_that_of_qsort_and_every_row_is_found),
		cmocka_unit_test(a_stopped_one_gives_nothing),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	atlas_free(atlas);
	return r;
}
