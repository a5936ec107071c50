/* SPDX-License-Identifier: MIT */
/* test_dict.c - dictionaries against numbers made apart by tests/golden/encode.py. */
#include "base/json.h"
#include "base/mem.h"
#include "core/dict.h"
#include "core/dict_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct want {
	struct dict *dict;
	struct safetensors *file;
	size_t n, d, f;
	f32 *x, *pre, *acts, *recon;
};

static char *golden(const char *name)
{
	const char *tests = getenv("TESTS_DIR");
	return xasprintf("%s/golden/encode/%s", tests ? tests : "tests", name);
}

static f32 *numbers(const struct want *w, const char *name)
{
	const struct tensor *t = safetensors_find(w->file, name);
	f32 *out = xmalloc(t->n * 4);
	tensor_get_f32(t, 0, t->n, out);
	return out;
}

static void want_open(struct want *w, const char *name)
{
	struct err e = {0};
	char *folder = golden(name), *path = xasprintf("%s/want.safetensors", folder);
	w->dict = dict_open(folder, &e);
	if (!w->dict)
		fail_msg("%s", e.msg);
	w->file = safetensors_open(path, &e);
	if (!w->file)
		fail_msg("%s", e.msg);
	w->n = safetensors_find(w->file, "x")->shape[0];
	w->d = safetensors_find(w->file, "x")->shape[1];
	w->f = safetensors_find(w->file, "acts")->shape[1];
	w->x = numbers(w, "x");
	w->pre = numbers(w, "pre");
	w->acts = numbers(w, "acts");
	w->recon = numbers(w, "recon");
	free(folder);
	free(path);
}

static void want_release(struct want *w)
{
	dict_free(w->dict);
	safetensors_free(w->file);
	free(w->x);
	free(w->pre);
	free(w->acts);
	free(w->recon);
}

static f32 largest(const f32 *x, size_t n)
{
	f32 m = 0;
	for (size_t i = 0; i < n; i++)
		m = MAX(m, fabsf(x[i]));
	return m;
}

/* Within 1e-4 of the row's maximum, and active exactly where it should be. */
static void same_rows(const char *name, const f32 *got, const f32 *want, size_t n, size_t width, bool support)
{
	for (size_t i = 0; i < n; i++) {
		f32 room = 1e-4f * largest(want + i * width, width);
		for (size_t j = 0; j < width; j++) {
			f32 a = got[i * width + j], b = want[i * width + j];
			if (!(fabsf(a - b) <= room) || (support && (a != 0) != (b != 0)))
				fail_msg("%s: row %zu, column %zu: %.8g, expected %.8g", name, i, j, (f64)a,
					 (f64)b);
		}
	}
}

static void check_case(const char *name, struct pool *pool)
{
	struct want w;
	struct err e = {0};
	want_open(&w, name);
	f32 *acts = xmalloc(w.n * w.f * 4), *pre = xmalloc(w.n * w.f * 4), *y = xmalloc(w.n * w.d * 4);
	u32 *all = xmalloc(w.f * 4);
	struct dict_row rows[16];
	void *arena;
	for (u32 i = 0; i < w.f; i++)
		all[i] = i;

	assert_int_equal(dict_encode_dense(w.dict, pool, w.x, w.n, acts, &e), 0);
	same_rows(name, acts, w.acts, w.n, w.f, true);
	assert_int_equal(dict_pre(w.dict, w.x, w.n, all, w.f, pre, &e), 0);
	same_rows(name, pre, w.pre, w.n, w.f, false);

	assert_int_equal(dict_encode(w.dict, pool, w.x, w.n, rows, &arena, &e), 0);
	for (size_t i = 0; i < w.n; i++) {
		size_t at = 0;
		for (u32 f = 0; f < w.f; f++) {
			if (!acts[i * w.f + f])
				continue;
			assert_true(at < rows[i].n && rows[i].id[at] == f);
			assert_true(rows[i].act[at++] == acts[i * w.f + f]);
		}
		assert_int_equal(at, rows[i].n);
	}
	assert_int_equal(dict_decode(w.dict, rows, w.n, w.x, y, &e), 0);
	same_rows(name, y, w.recon, w.n, w.d, false);
	free(arena);
	free(acts);
	free(pre);
	free(y);
	free(all);
	want_release(&w);
}

static void every_case_gives_the_expected_numbers(void **state)
{
	(void)state;
	static const char *const names[] = {"standard", "topk-ties",  "topk-flat",    "topk-rescaled",
					    "jumprelu", "layer-norm", "constant-norm"};
	struct pool *pool = pool_new(2);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		check_case(names[i], NULL);
		check_case(names[i], pool);
	}
	pool_free(pool);
}

static void cfg_is_understood(void **state)
{
	(void)state;
	struct want w;
	want_open(&w, "topk-flat");
	const struct dict_info *i = dict_info(w.dict);
	assert_int_equal(i->arch, DICT_TOPK);
	assert_string_equal(i->arch_name, "topk");
	assert_int_equal(i->k, 5);
	assert_int_equal(i->dtype, DTYPE_F16);
	assert_true(i->prepend_bos && i->apply_b_dec_to_input);
	assert_string_equal(i->hook_name, "blocks.1.hook_resid_post");
	want_release(&w);
	want_open(&w, "jumprelu");
	assert_false(dict_info(w.dict)->prepend_bos);
	assert_string_equal(dict_info(w.dict)->model_name, "made-up");
	want_release(&w);
}

static void rows_and_units_are_the_weights(void **state)
{
	(void)state;
	struct want w;
	struct err e = {0};
	want_open(&w, "topk-rescaled");
	const struct tensor *enc, *dec;
	char *folder = golden("topk-rescaled"), *path = xasprintf("%s/sae_weights.safetensors", folder);
	struct safetensors *s = safetensors_open(path, &e);
	enc = safetensors_find(s, "W_enc");
	dec = safetensors_find(s, "W_dec");
	const f32 *unit = dict_decoder_unit(w.dict, NULL, &e);
	for (u32 id = 0; id < w.f; id += 37) {
		f32 a[16], b[16], bias;
		dict_encoder_row(w.dict, id, a, &bias);
		dict_decoder_row(w.dict, id, b);
		f64 square = 0, dot = 0, size = 0;
		for (u64 j = 0; j < w.d; j++) {
			assert_true(a[j] == tensor_f32(enc, j * w.f + id));
			assert_true(b[j] == tensor_f32(dec, id * w.d + j));
			f64 u = unit[id * w.d + j];
			square += u * u;
			dot += u * b[j];
			size += (f64)b[j] * b[j];
		}
		assert_true(bias == tensor_f32(safetensors_find(s, "b_enc"), id));
		assert_true(fabs(square - 1) < 1e-5 && fabs(dot / sqrt(size) - 1) < 1e-5);
	}
	safetensors_free(s);
	free(folder);
	free(path);
	want_release(&w);
}

/* A folder with the given cfg.json beside weights of F 4, d 2, threshold absent. */
static char folder[64];

static void make_folder(const char *cfg, u64 wrong_rows)
{
	struct err e = {0};
	static const f32 zeros[64];
	strcpy(folder, "/tmp/featlas-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	char *a = xasprintf("%s/cfg.json", folder), *b = xasprintf("%s/sae_weights.safetensors", folder);
	json_t *j = json_parse(cfg, strlen(cfg), "cfg", &e);
	assert_int_equal(json_write_file(a, j, &e), 0);
	struct tensor_out t[] = {{"W_enc", DTYPE_F32, 2, {2, 4}, zeros},
				 {"W_dec", DTYPE_F32, 2, {wrong_rows, 2}, zeros},
				 {"b_enc", DTYPE_F32, 1, {4}, zeros},
				 {"b_dec", DTYPE_F32, 1, {2}, zeros}};
	assert_int_equal(safetensors_write_file(b, t, 4, NULL, &e), 0);
	json_decref(j);
	free(a);
	free(b);
}

static void drop_folder(void)
{
	char *a = xasprintf("%s/cfg.json", folder), *b = xasprintf("%s/sae_weights.safetensors", folder);
	unlink(a);
	unlink(b);
	rmdir(folder);
	free(a);
	free(b);
}

static void refused(const char *cfg, u64 rows, const char *says)
{
	struct err e = {0};
	make_folder(cfg, rows);
	struct dict *d = dict_open(folder, &e);
	if (d || !strstr(e.msg, says))
		fail_msg("'%s' does not say '%s'", e.msg, says);
	drop_folder();
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	refused("{\"architecture\":\"odd\",\"d_in\":2,\"d_sae\":4}", 4, "architecture 'odd' is not known");
	refused("{\"architecture\":\"gated\",\"d_in\":2,\"d_sae\":4}", 4, "no tensor 'b_gate'");
	refused("{\"architecture\":\"temporal\",\"d_in\":2,\"d_sae\":4}", 4, "temporal");
	refused("{\"architecture\":\"topk\",\"d_in\":2,\"d_sae\":4}", 4, "'k' is missing");
	refused("{\"architecture\":\"topk\",\"d_in\":2,\"d_sae\":4,\"k\":5}", 4, "'k'");
	refused("{\"architecture\":\"topk\",\"d_in\":2,\"d_sae\":4,\"k\":0}", 4, "'k' is 0");
	refused("{\"architecture\":\"standard\",\"d_in\":0,\"d_sae\":4}", 4, "no dictionary's");
	refused("{\"architecture\":\"standard\",\"d_in\":2}", 4, "'d_sae' is missing");
	refused("{\"architecture\":\"standard\",\"d_in\":2,\"d_sae\":4}", 5, "W_dec");
	refused("{\"architecture\":\"jumprelu\",\"d_in\":2,\"d_sae\":4}", 4, "threshold");
	refused("{\"architecture\":\"standard\",\"d_in\":2,\"d_sae\":4,\"normalize_activations\":\"odd\"}", 4,
		"'odd'");
	refused("{\"architecture\":\"standard\",\"d_in\":2,\"d_sae\":4,\"d_out\":3}", 4, "d_out differs");
	struct err e = {0};
	assert_null(dict_open("/nonexistent", &e));
	assert_non_null(strstr(e.msg, "cannot open '/nonexistent'"));
}

/* Rows that are zero or not finite: no activation, no crash, a finite reconstruction. */
static void odd_rows_are_harmless(void **state)
{
	(void)state;
	struct want w;
	struct err e = {0};
	want_open(&w, "topk-ties");
	f32 x[3 * 12] = {0}, y[3 * 12];
	struct dict_row rows[3];
	void *arena;
	for (int j = 0; j < 12; j++) {
		x[12 + j] = NAN;
		x[24 + j] = j ? 0 : 1e30f;
	}
	assert_int_equal(dict_encode(w.dict, NULL, x, 3, rows, &arena, &e), 0);
	assert_int_equal(rows[1].n, 0);
	assert_true(rows[2].n <= 5);
	assert_int_equal(dict_decode(w.dict, rows, 2, x, y, &e), 0);
	for (int j = 0; j < 24; j++)
		assert_true(isfinite(y[j]));
	free(arena);
	assert_int_equal(dict_encode(w.dict, NULL, x, 0, rows, &arena, &e), 0);
	free(arena);
	want_release(&w);
}

static void what_is_written_opens(void **state)
{
	(void)state;
	static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
	struct want w;
	struct err e = {0};
	want_open(&w, "topk-ties");
	f32 enc[300 * 12], dec[300 * 12], be[300], bd[12];
	for (u32 f = 0; f < 300; f++) {
		dict_encoder_row(w.dict, f, enc + f * 12, be + f);
		dict_decoder_row(w.dict, f, dec + f * 12);
	}
	dict_b_dec(w.dict, bd);
	struct dict_weights out = {12, 300, 5, enc, dec, be, bd, NULL};
	json_t *about = json_pack("{s:s, s:b}", "hook_name", "blocks.9.hook_resid_post", "prepend_bos", 0);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		strcpy(folder, "/tmp/featlas-test-XXXXXX");
		assert_non_null(mkdtemp(folder));
		assert_int_equal(dict_write(folder, &out, types[i], about, "u", "b", &e), 0);
		struct dict *d = dict_open(folder, &e);
		if (!d)
			fail_msg("%s", e.msg);
		assert_int_equal(dict_info(d)->dtype, types[i]);
		assert_string_equal(dict_info(d)->hook_name, "blocks.9.hook_resid_post");
		f32 row[12], bias;
		for (u32 f = 0; f < 300; f += 13) {
			dict_encoder_row(d, f, row, &bias);
			for (int j = 0; j < 12;
			     j++) /* multiples of 1/32 up to 4: exact in 8 bits, but for the last */
				assert_true(fabsf(row[j] - enc[f * 12 + j]) <= fabsf(enc[f * 12 + j]) / 256);
			dict_decoder_row(d, f, row);
			for (int j = 0; j < 12; j++)
				assert_true(fabsf(row[j] - dec[f * 12 + j]) <= fabsf(dec[f * 12 + j]) / 256);
		}
		dict_free(d);
		drop_folder();
	}
	json_decref(about);
	want_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_gives_the_expected_numbers),
		cmocka_unit_test(cfg_is_understood),
		cmocka_unit_test(rows_and_units_are_the_weights),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(odd_rows_are_harmless),
		cmocka_unit_test(what_is_written_opens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
