/* SPDX-License-Identifier: MIT */
/* test_safetensors.c - the reader against the reference library's file and against lies. */
#include "base/buf.h"
#include "base/mapfile.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "io/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/featlas-test-XXXXXX", *path;

static int make_folder(void **state)
{
	(void)state;
	path = mkdtemp(folder) ? xasprintf("%s/t.safetensors", folder) : NULL;
	return path ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	free(path);
	return rmdir(folder);
}

static struct safetensors *open_bytes(const void *p, size_t n, struct err *e)
{
	assert_int_equal(outfile_write_all(path, p, n, NULL), 0);
	return safetensors_open(path, e);
}

static void the_reference_library_is_read(void **state)
{
	(void)state;
	char *reference = xasprintf("%s/golden/reference.safetensors", getenv("TESTS_DIR"));
	struct err e = {0};
	struct safetensors *s = safetensors_open(reference, &e);
	assert_string_equal(e.msg, "");
	assert_non_null(s);
	assert_int_equal(safetensors_count(s), 8);
	assert_string_equal(safetensors_metadata(s, "text"), "gr\xc3\xbc\xc3\x9f""e\n");
	assert_null(safetensors_metadata(s, "none"));
	u64 want[] = {2, TENSOR_ANY};
	const struct tensor *t = safetensors_need(s, "matrix", 1u << DTYPE_F32, 2, want, &e);
	assert_non_null(t);
	assert_true(tensor_f32(t, 5) == 1.25f);
	f32 row[3];
	tensor_get_f32(safetensors_find(s, "half"), 0, 3, row);
	assert_true(row[0] == 1.5f && row[1] == -2 && row[2] == 65504);
	assert_true(tensor_f32(safetensors_find(s, "double"), 0) == 0.1f);
	assert_int_equal((i64)tensor_u64(safetensors_find(s, "scalar"), 0), -7);
	assert_int_equal(safetensors_find(s, "scalar")->n_dims, 0);
	assert_int_equal((i64)tensor_u64(safetensors_find(s, "small"), 0), -3);
	assert_true(tensor_f32(safetensors_find(s, "small"), 0) == -3);
	assert_int_equal(tensor_u64(safetensors_find(s, "bytes"), 2), 255);
	assert_int_equal(safetensors_find(s, "empty")->n, 0);
	assert_null(safetensors_find(s, "nothing"));
	safetensors_free(s);
	free(reference);
}

static void needs_name_what_is_wrong(void **state)
{
	(void)state;
	f32 x[6] = {0};
	struct tensor_out out[] = {{"W", DTYPE_F32, 2, {2, 3}, x}};
	struct err e = {0};
	assert_int_equal(safetensors_write_file(path, out, 1, NULL, &e), 0);
	struct safetensors *s = safetensors_open(path, &e);
	assert_non_null(s);
	u64 want[] = {TENSOR_ANY, 4};
	assert_null(safetensors_need(s, "W", 1u << DTYPE_F16 | 1u << DTYPE_F32, 2, want, &e));
	assert_non_null(strstr(e.msg, "tensor 'W' is F32 [2, 3], expected F16 or F32 [*, 4]"));
	assert_null(safetensors_need(s, "W", 1u << DTYPE_U8, 2, (u64[]){2, 3}, &e));
	assert_null(safetensors_need(s, "V", 1u << DTYPE_U8, 2, want, &e));
	assert_non_null(strstr(e.msg, "has no tensor 'V'"));
	safetensors_free(s);
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	u8 bytes[] = {1, 2, 3};
	f64 doubles[] = {0.5, -1};
	u16 words[] = {7};
	struct tensor_out out[] = {{"b", DTYPE_U8, 1, {3}, bytes},
				   {"w", DTYPE_U16, 1, {1}, words},
				   {"none", DTYPE_F32, 2, {0, 9}, NULL},
				   {"d", DTYPE_F64, 1, {2}, doubles}};
	const char *meta[] = {"uuid", "abc", "broken", "\xff", NULL};
	struct err e = {0};
	assert_int_equal(safetensors_write_file(path, out, ARRAY_LEN(out), meta, &e), 0);
	struct safetensors *s = safetensors_open(path, &e);
	assert_non_null(s);
	assert_string_equal(safetensors_metadata(s, "uuid"), "abc");
	assert_string_equal(safetensors_metadata(s, "broken"), "\xef\xbf\xbd");
	const struct tensor *t = safetensors_at(s, 0); /* the largest items come first, on a multiple of 64 */
	assert_string_equal(t->name, "d");
	assert_int_equal((uintptr_t)t->data.p % 64, 0);
	assert_true(tensor_f32(t, 1) == -1);
	assert_int_equal(tensor_u64(safetensors_find(s, "w"), 0), 7);
	assert_memory_equal(safetensors_find(s, "b")->data.p, bytes, 3);
	safetensors_free(s);
}

static void the_writer_holds_to_what_was_declared(void **state)
{
	(void)state;
	struct err e = {0};
	u64 shape[] = {4};
	unlink(path);
	struct safetensors_writer *w = safetensors_writer_new(path, &e);
	safetensors_writer_declare(w, "a", DTYPE_U8, 1, shape);
	safetensors_writer_declare(w, "c", DTYPE_U32, 1, shape);
	assert_int_equal(safetensors_writer_begin(w, &e), 0);
	assert_string_equal(safetensors_writer_next(w), "c");
	assert_int_equal(safetensors_writer_add(w, "01234567", 8, &e), 0);
	assert_int_equal(safetensors_writer_add(w, "01234567+", 9, &e), -1);
	assert_int_equal(safetensors_writer_add(w, "01234567", 8, &e), 0);
	assert_string_equal(safetensors_writer_next(w), "a");
	assert_int_equal(safetensors_writer_commit(w, &e), -1);
	assert_non_null(strstr(e.msg, "tensor 'a' is not complete"));
	assert_int_equal(access(path, F_OK), -1);
}

/* A file of a header and some bytes of data. */
static struct safetensors *open_header(const char *header, size_t n_data, struct err *e)
{
	struct buf b = BUF_INIT;
	u64 n = strlen(header);
	buf_add(&b, &n, 8);
	buf_adds(&b, header);
	for (size_t i = 0; i < n_data; i++)
		buf_addc(&b, 'x');
	struct safetensors *s = open_bytes(b.s, b.n, e);
	buf_release(&b);
	return s;
}

#define T(dtype, shape, from, to) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

static void lying_headers_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *header;
		size_t n_data;
		const char *says;
	} cases[] = {
		{"", 0, "is not valid JSON"},
		{"[]", 0, "is not an object"},
		{"{\"a\":", 0, "is not valid JSON"},
		{"{\"a\":1}", 0, "tensor 'a' has no dtype"},
		{"{\"a\":{}}", 0, "has no dtype"},
		{"{\"a\":" T("F8_E4M3", "[4]", 0, 4) "}", 4, "has dtype 'F8_E4M3', which is not read here"},
		{"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4, "has no shape"},
		{"{\"a\":" T("U8", "[4.0]", 0, 4) "}", 4, "not of whole numbers"},
		{"{\"a\":" T("U8", "[-4]", 0, 4) "}", 4, "not of whole numbers"},
		{"{\"a\":" T("U8", "[1,1,1,1,1,1,1,1,4]", 0, 4) "}", 4, "more than 8 dimensions"},
		{"{\"a\":" T("U8", "[4294967296,4294967296,4294967296]", 0, 0) "}", 0, "too large to be true"},
		{"{\"a\":" T("F64", "[2305843009213693952]", 0, 0) "}", 0, "do not fit its dtype and shape"},
		{"{\"a\":" T("F32", "[1]", 0, 3) "}", 3, "do not fit its dtype and shape"},
		{"{\"a\":" T("U8", "[4]", 4, 0) "}", 4, "no valid data_offsets"},
		{"{\"a\":" T("U8", "[4]", -4, 0) "}", 4, "no valid data_offsets"},
		{"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0]}}", 4, "no valid data_offsets"},
		{"{\"a\":" T("U8", "[99999999999]", 0, 99999999999) "}", 4, "beyond the end"},
		{"{\"a\":" T("U8", "[5]", 0, 5) "}", 4, "beyond the end"},
		{"{\"a\":" T("U8", "[3]", 0, 3) "}", 4, "1 bytes at the end belong to no tensor"},
		{"{\"a\":" T("U8", "[3]", 1, 4) "}", 4, "'a' has a hole before it"},
		{"{\"a\":" T("U8", "[2]", 0, 2) ",\"b\":" T("U8", "[1]", 3, 4) "}", 4, "'b' has a hole before it"},
		{"{\"a\":" T("U8", "[3]", 0, 3) ",\"b\":" T("U8", "[2]", 2, 4) "}", 4, "'b' overlaps"},
		{"{\"a\":" T("U8", "[4]", 0, 4) ",\"b\":" T("U8", "[4]", 0, 4) "}", 4, "'b' overlaps"},
		{"{\"a\":" T("U8", "[2]", 0, 2) ",\"a\":" T("U8", "[2]", 2, 4) "}", 4, "duplicate"},
		{"{\"__metadata__\":{\"a\":1}}", 0, "is not an object of strings"},
		{"{\"__metadata__\":3}", 0, "is not an object of strings"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		assert_null(open_header(cases[i].header, cases[i].n_data, &e));
		assert_int_equal(e.code, ERR_DAMAGED);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("case %zu: '%s' does not say '%s'", i, e.msg, cases[i].says);
		if (!strstr(e.msg, path))
			fail_msg("case %zu: '%s' does not name the file", i, e.msg);
	}
	/* what the format allows: padding, no tensors, empty tensors, a scalar, any order */
	static const char *const good[] = {
		"{}    ", "{\"__metadata__\":{}}", "{\"__metadata__\":null}",
		"{\"b\":" T("U8", "[0]", 0, 0) ",\"a\":" T("F64", "[3,0]", 0, 0) "}",
	};
	struct safetensors *s;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_non_null(s = open_header(good[i], 0, NULL));
		safetensors_free(s);
	}
	s = open_header("{\"b\":" T("U8", "[3]", 1, 4) ",\"a\":" T("U8", "[]", 0, 1) "}", 4, NULL);
	assert_non_null(s);
	assert_string_equal(safetensors_at(s, 0)->name, "a");
	safetensors_free(s);
}

static void header_lengths_are_checked(void **state)
{
	(void)state;
	static const u64 lengths[] = {1, 100, 100000000, 100000001, 1ull << 40, UINT64_MAX};
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct err e = {0};
		u8 bytes[10] = {0};
		memcpy(bytes, &lengths[i], 8);
		memcpy(bytes + 8, "{}", 2);
		assert_null(open_bytes(bytes, sizeof bytes, &e));
		assert_int_equal(e.code, ERR_DAMAGED);
		/* above the reference library's limit nobody asks whether the file is long enough */
		assert_non_null(strstr(e.msg, lengths[i] > 100000000 ? "its header would be" : i ? "is cut short" : "JSON"));
	}
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	u32 numbers[] = {1, 2, 3};
	struct tensor_out out[] = {{"n", DTYPE_U32, 1, {3}, numbers}, {"b", DTYPE_U8, 1, {3}, numbers}};
	assert_int_equal(safetensors_write_file(path, out, 2, (const char *[]){"k", "v", NULL}, NULL), 0);
	struct mapfile *m = mapfile_open(path, NULL);
	struct span all = mapfile_span(m);
	for (size_t n = 0; n < all.n; n++) {
		struct err e = {0};
		if (open_bytes(all.p, n, &e))
			fail_msg("%zu of %zu bytes were taken for the file", n, all.n);
		assert_int_equal(e.code, ERR_DAMAGED);
	}
	mapfile_free(m);
}

/* A file that shrinks while it is open is named, and the program ends with 3. */
static void a_shrinking_file_is_named(void **state)
{
	(void)state;
	static u8 page[1 << 16];
	struct tensor_out out[] = {{"n", DTYPE_U8, 1, {sizeof page}, page}};
	assert_int_equal(safetensors_write_file(path, out, 1, NULL, NULL), 0);
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	if (!child) {
		dup2(fds[1], 2);
		mapfile_on_sigbus(NULL);
		struct safetensors *s = safetensors_open(path, NULL);
		if (!s || truncate(path, 4096))
			_exit(9);
		_exit((int)tensor_u64(safetensors_at(s, 0), sizeof page - 1));
	}
	close(fds[1]);
	char said[512] = "";
	assert_true(read(fds[0], said, sizeof said - 1) > 0);
	for (size_t n; (n = strlen(said)) < sizeof said - 1 && read(fds[0], said + n, sizeof said - 1 - n) > 0;)
		;
	close(fds[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	char *want = xasprintf("featlas: '%s' was truncated while it was open\n", path);
	assert_string_equal(said, want);
	free(want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_library_is_read), cmocka_unit_test(needs_name_what_is_wrong),
		cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(the_writer_holds_to_what_was_declared),
		cmocka_unit_test(lying_headers_are_refused), cmocka_unit_test(header_lengths_are_checked),
		cmocka_unit_test(every_truncation_is_refused), cmocka_unit_test(a_shrinking_file_is_named),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
