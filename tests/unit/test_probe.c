/* SPDX-License-Identifier: MIT */
/* test_probe.c - a ridge probe against the figure of tests/golden/probe.py. */
#include "core/probe.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { N = 31, D = 40 };

static f32 x[N * D];
static bool positive[N];

static int make(void **state)
{
	(void)state;
	u64 s = 11;
	for (int i = 0; i < N * D; i++) {
		s = s * 6364136223846793005u + 1442695040888963407u;
		x[i] = (f32)((s >> 33) % 2001) / 1000 - 1;
	}
	for (int i = 0; i < N; i++) {
		positive[i] = i % 3 == 0;
		for (int k = 0; k < 3 && positive[i]; k++)
			x[i * D + k] += 0.6f;
	}
	return 0;
}

static void held_out(void **state)
{
	(void)state;
	struct err e = {0};
	f32 auroc;
	assert_int_equal(probe_held_out(x, positive, N, D, 4, &auroc, &e), 0);
	assert_true(fabs((f64)auroc - 0.675) < 1e-6);
}

static void one_kind(void **state)
{
	(void)state;
	struct err e = {0};
	bool none[N] = {false};
	f32 auroc;
	assert_int_equal(probe_held_out(x, none, N, D, 4, &auroc, &e), 0);
	assert_true(isnan(auroc));
	for (int i = 0; i < N * D; i++) /* nothing to tell them by */
		x[i] = 3;
	assert_int_equal(probe_held_out(x, positive, N, D, 4, &auroc, &e), 0);
	assert_true(auroc == 0.5f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(held_out), cmocka_unit_test(one_kind)};
	return cmocka_run_group_tests(tests, make, NULL);
}
