/* SPDX-License-Identifier: MIT */
/* test_torch.c - torch's zip files, as torch.save lays them out, and pickles that lie or would run code. */
#include "base/buf.h"
#include "base/mem.h"
#include "io/pickle.h"
#include "io/tensors.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/featlas-test-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? setenv("XDG_CACHE_HOME", folder, 1) : -1;
}

/* How many files the cache holds; they are removed too. */
static size_t empty_cache(void)
{
	char *path = xasprintf("%s/featlas/arrays", folder);
	DIR *d = opendir(path);
	size_t n = 0;
	for (struct dirent *x; d && (x = readdir(d));)
		n += x->d_name[0] != '.' && !unlinkat(dirfd(d), x->d_name, 0);
	if (d)
		closedir(d);
	free(path);
	return n;
}

static int remove_folder(void **state)
{
	static const char *const below[] = {"/featlas/arrays", "/featlas", ""};
	(void)state;
	empty_cache();
	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		char *path = xasprintf("%s%s", folder, below[i]);
		rmdir(path);
		free(path);
	}
	return access(folder, F_OK) ? 0 : -1;
}

static struct tensors *open_golden(const char *name, struct err *e)
{
	char *path = xasprintf("%s/golden/torch/%s", getenv("TESTS_DIR"), name);
	struct tensors *s = tensors_open(path, e);
	free(path);
	return s;
}

static struct tensors *open_good(const char *name)
{
	struct err e = {0};
	struct tensors *s = open_golden(name, &e);
	assert_string_equal(e.msg, "");
	assert_non_null(s);
	assert_int_equal(tensors_kind(s), TENSORS_TORCH);
	return s;
}

static const struct tensor *need(struct tensors *s, const char *name, enum dtype dtype, int n_dims, u64 a,
				 u64 b)
{
	struct err e = {0};
	const struct tensor *t = tensors_need(s, name, 1u << dtype, n_dims, (u64[]){a, b, 2}, &e);
	assert_string_equal(e.msg, "");
	assert_non_null(t);
	assert_int_equal(t->data.n, t->n * dtype_size(t->dtype));
	return t;
}

static void check_views(struct tensors *s)
{
	const struct tensor *t = need(s, "decoder.weight", DTYPE_F32, 2, 4, 3);
	for (u64 i = 0; i < 12; i++)
		assert_true(tensor_f32(t, i) == (f32)(i / 3 + i % 3 * 4));
	t = need(s, "row", DTYPE_F32, 1, 4, 0);
	for (u64 i = 0; i < 4; i++)
		assert_true(tensor_f32(t, i) == (f32)(8 + i));
	t = need(s, "every", DTYPE_F32, 3, 3, 2);
	for (u64 i = 0; i < 12; i++)
		assert_true(tensor_f32(t, i) == (f32)(1 + i / 4 * 8 + i / 2 % 2 * 4 + i % 2 * 2));
	t = need(s, "broadcast", DTYPE_F32, 2, 2, 3);
	for (u64 i = 0; i < 6; i++)
		assert_true(tensor_f32(t, i) == 5);
}

static void check_types(struct tensors *s)
{
	const struct tensor *t = need(s, "encoder.bias", DTYPE_F16, 1, 3, 0);
	assert_true(tensor_f32(t, 0) == 0.5f && tensor_f32(t, 1) == -1 && tensor_f32(t, 2) == 2);
	assert_true(tensor_f32(need(s, "b", DTYPE_BF16, 1, 2, 0), 1) == -2.5f);
	assert_int_equal(tensor_u64(need(s, "n", DTYPE_I64, 0, 0, 0), 0), 32);
	assert_int_equal(tensor_u64(need(s, "mask", DTYPE_BOOL, 1, 2, 0), 0), 1);
	assert_true(tensor_f32(need(s, "d", DTYPE_F64, 1, 1, 0), 0) == 0.1f);
	assert_int_equal((i64)tensor_u64(need(s, "i32", DTYPE_I32, 1, 1, 0), 0), -3);
	assert_int_equal((i64)tensor_u64(need(s, "i16", DTYPE_I16, 1, 1, 0), 0), -4);
	assert_int_equal((i64)tensor_u64(need(s, "i8", DTYPE_I8, 1, 1, 0), 0), -5);
	assert_int_equal(tensor_u64(need(s, "u8", DTYPE_U8, 1, 1, 0), 0), 250);
	need(s, "none", DTYPE_F32, 2, 0, 4);
}

static void state_dicts_of_all_protocols_are_read(void **state)
{
	(void)state;
	static const char *const names[] = {"state2.pt", "state3.pt", "state4.pt", "state5.pt"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tensors *s = open_good(names[i]);
		assert_int_equal(tensors_count(s), 16);
		assert_string_equal(tensors_at(s, 0)->name, "encoder.weight");
		assert_true(tensors_is_mapped(s, "encoder.weight") && tensors_is_mapped(s, "row"));
		assert_false(tensors_is_mapped(s, "decoder.weight"));
		assert_int_equal((uintptr_t)tensors_find(s, "encoder.weight")->data.p % 64,
				 0); /* as torch lays it out */
		assert_int_equal(json_object_size(tensors_values(s)), 0);
		for (u64 k = 0; k < 12; k++)
			assert_true(tensor_f32(need(s, "encoder.weight", DTYPE_F32, 2, 3, 4), k) ==
					    (f32)k / 4 &&
				    tensor_f32(need(s, "w", DTYPE_F32, 2, 3, 4), k) == (f32)k / 4 + 1);
		check_types(s);
		assert_int_equal(empty_cache(), 0);
		check_views(s);
		assert_int_equal(empty_cache(), 3); /* the views that are not in C order */
		assert_int_equal(tensors_verify(s, NULL, NULL), 0);
		tensors_free(s);
	}
}

static void check_value(struct tensors *s, const char *name, const char *want)
{
	const json_t *v = tensors_value(s, name);
	struct buf b = BUF_INIT;
	if (v)
		json_add_line(&b, v);
	if (strcmp(b.s, want))
		fail_msg("%s: '%s', and not '%s'", name, b.s, want);
	buf_release(&b);
}

static void plain_values_are_kept(void **state)
{
	(void)state;
	static const char *const names[] = {"values.pt", "values4.pt"};
	static const char *const wants[][2] = {
		{"activation", "\"TopK\""},
		{"activation_state_dict.k", "32"},
		{"activation_state_dict.postact_fn", "\"ReLU\""},
		{"lr", "0.125"},
		{"none", "null"},
		{"yes", "true"},
		{"no", "false"},
		{"sizes.1", "2"},
		{"sizes.2.1", "300"},
		{"sizes.2.2", "70000"},
		{"sizes.2.3", "-1"},
		{"big", "null"},
		{"long", "1099511627776"},
		{"minus", "-1099511627776"},
		{"text", "\"gr\xc3\xbc\xc3\x9f"
			 "e\""},
		{"nul", "\"a\\u0000b\""},
		{"nan", "\"nan\""},
		{"inf", "\"inf\""},
		{"7", "\"seven\""},
		{"size.0", "2"},
		{"size.1", "3"},
		{"np", "0.25"},
		{"np32", "-1.5"},
		{"npi", "-9"},
		{"npb", "true"},
		{"set.0", "5"},
		{"class", "\"torch.FloatStorage\""},
		{"again", "\"TopK\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tensors *s = open_good(names[i]);
		for (size_t k = 0; k < ARRAY_LEN(wants); k++)
			check_value(s, wants[k][0], wants[k][1]);
		assert_int_equal(json_object_size(tensors_values(s)),
				 ARRAY_LEN(wants) + 2); /* sizes.0, sizes.2.0 */
		assert_int_equal(tensors_count(s), 1);
		assert_true(tensor_f32(need(s, "pre_bias", DTYPE_F32, 1, 4, 0), 3) == 0.75f);
		tensors_free(s);
	}
}

static void modules_of_unknown_classes_are_dictionaries(void **state)
{
	(void)state;
	struct tensors *s = open_good("module.pt");
	assert_int_equal(tensors_count(s), 2);
	assert_true(tensor_f32(need(s, "encoder.weight", DTYPE_F32, 2, 3, 4), 11) == 2.75f);
	assert_true(tensor_f32(need(s, "threshold", DTYPE_F32, 1, 4, 0), 0) == 1);
	check_value(s, "encoder.in_features", "4");
	check_value(s, "encoder.bias", "null");
	tensors_free(s);
	s = open_good("lone.pt");
	need(s, "tensor", DTYPE_F32, 2, 3, 4);
	tensors_free(s);
	s = open_good("dtype.pt");
	assert_int_equal(tensor_u64(need(s, "t", DTYPE_U16, 1, 2, 0), 1), 65535);
	tensors_free(s);
}

static void what_the_disk_cannot_hold_is_not_begun(void **state)
{
	(void)state;
	struct err e = {0};
	struct tensors *s = open_good("huge.pt");
	assert_int_equal(tensors_find(s, "W")->n, 1ull << 50);
	assert_null(tensors_data(s, "W", &e));
	if (!strstr(e.msg, "an array of 4294967296 MiB is to be kept in"))
		fail_msg("'%s'", e.msg);
	tensors_free(s);
	assert_int_equal(empty_cache(), 0);
}

static void lies_are_refused(void **state)
{
	(void)state;
	char *path = xasprintf("%s/golden/torch/bad.tsv", getenv("TESTS_DIR")), line[512];
	FILE *f = fopen(path, "r");
	size_t n = 0;
	assert_non_null(f);
	for (; fgets(line, sizeof line, f); n++) {
		char *what = strchr(line, '\t');
		assert_non_null(what);
		*what++ = 0;
		what[strcspn(what, "\n")] = 0;
		struct err e = {0};
		char *name = xasprintf("bad/%s", line);
		struct tensors *s = open_golden(name, &e);
		if (s)
			fail_msg("%s: opened, '%s' expected", line, what);
		if (!strstr(e.msg, what) || !strstr(e.msg, line))
			fail_msg("%s: '%s' does not say '%s' of it", line, e.msg, what);
		assert_int_equal(e.code, ERR_DAMAGED);
		free(name);
	}
	assert_true(n > 70);
	fclose(f);
	free(path);
}

static void every_truncation_of_a_pickle_is_refused(void **state)
{
	(void)state;
	static const char pickle[] = "\x80\x02}q\0(X\1\0\0\0aq\1K\5X\1\0\0\0bq\2]q\3(K\1M\2\3eu.";
	static const char *const none[] = {NULL};
	for (size_t n = 0; n < sizeof pickle; n++) {
		struct err e = {0};
		u8 *exact = xmalloc(n + 1);
		memcpy(exact, pickle, n);
		struct pickle *p = pickle_parse((struct span){exact, n}, "it", none, &e);
		assert_true(!p == (n + 1 < sizeof pickle));
		assert_true(!p == !!e.msg[0]);
		pickle_free(p);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_dicts_of_all_protocols_are_read),
		cmocka_unit_test(plain_values_are_kept),
		cmocka_unit_test(modules_of_unknown_classes_are_dictionaries),
		cmocka_unit_test(what_the_disk_cannot_hold_is_not_begun),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(every_truncation_of_a_pickle_is_refused),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
