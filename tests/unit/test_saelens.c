/* SPDX-License-Identifier: MIT */
/* test_saelens.c - dictionaries that SAELens wrote or loaded, against its own numbers.
 *
 * tests/golden/saelens/make.py made the files.  Tolerance: 1e-4 of the row's largest value.
 */
#include "base/mem.h"
#include "core/dict.h"
#include "io/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static f32 *get(const struct safetensors *s, const char *name, u64 *n, u64 *width)
{
	struct err e = {0};
	u64 any[] = {TENSOR_ANY, TENSOR_ANY};
	const struct tensor *t = safetensors_need(s, name, 1u << DTYPE_F32, 2, any, &e);
	assert_string_equal(e.msg, "");
	f32 *v = xcalloc(t->n, sizeof *v);
	tensor_get_f32(t, 0, t->n, v);
	*n = t->shape[0];
	*width = t->shape[1];
	return v;
}

static void agree(const char *what, const f32 *got, const f32 *want, u64 n, u64 width)
{
	for (u64 i = 0; i < n; i++) {
		f32 largest = 0;
		for (u64 k = 0; k < width; k++)
			largest = fmaxf(largest, fabsf(want[i * width + k]));
		for (u64 k = 0; k < width; k++) {
			f32 a = got[i * width + k], b = want[i * width + k];
			if (!(fabsf(a - b) <= 1e-4f * largest))
				fail_msg("%s: row %d, column %d: %g, SAELens has %g", what, (int)i, (int)k, (f64)a, (f64)b);
		}
	}
}

static void compare(const char *name, const char *folder)
{
	struct err e = {0};
	char *path = xasprintf("%s/golden/saelens/%s/io.safetensors", getenv("TESTS_DIR"), name);
	struct safetensors *s = safetensors_open(path, &e);
	struct dict *d = s ? dict_open(folder, &e) : NULL;
	assert_string_equal(e.msg, "");
	u64 n, d_in, f, d_out;
	f32 *x = get(s, "x", &n, &d_in), *acts = get(s, "acts", &n, &f), *recon = get(s, "recon", &n, &d_out);
	assert_int_equal(dict_info(d)->n_features, f);
	assert_int_equal(dict_info(d)->d_in, d_in);
	f32 *got = xcalloc(n * f, sizeof *got), *y = xcalloc(n * d_out, sizeof *y);
	assert_int_equal(dict_encode_dense(d, NULL, x, n, got, &e), 0);
	agree(name, got, acts, n, f);
	struct dict_row *rows = xcalloc(n, sizeof *rows);
	void *arena;
	assert_int_equal(dict_encode(d, NULL, x, n, rows, &arena, &e), 0);
	assert_int_equal(dict_decode(d, rows, n, x, y, &e), 0);
	agree(name, y, recon, n, d_out);
	free(arena);
	free(rows);
	free(got);
	free(y);
	free(x);
	free(acts);
	free(recon);
	dict_free(d);
	safetensors_free(s);
	free(path);
}

static void the_sample_atlas_is_what_saelens_loads(void **state)
{
	(void)state;
	compare("sample", getenv("SAMPLE"));
}

static void what_saelens_writes_is_read(void **state)
{
	(void)state;
	static const char *const names[] = {"standard", "no-b-dec", "layer-norm", "constant-norm",
					    "topk", "topk-rescale", "jumprelu"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *folder = xasprintf("%s/golden/saelens/%s", getenv("TESTS_DIR"), names[i]);
		compare(names[i], folder);
		free(folder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sample_atlas_is_what_saelens_loads), cmocka_unit_test(what_saelens_writes_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
