/* SPDX-License-Identifier: MIT */
/* test_tensors.c - every kind of tensor file, as its own library writes it, and what lies about itself. */
#include "base/buf.h"
#include "base/mapfile.h"
#include "base/mem.h"
#include "io/cache.h"
#include "io/tensors.h"
#include "../sparse_npz.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/featlas-test-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? setenv("XDG_CACHE_HOME", folder, 1) : -1;
}

static char *arrays(void)
{
	return xasprintf("%s/featlas/arrays", folder);
}

/* How many files the cache holds; they are removed too. */
static size_t empty_cache(void)
{
	char *path = arrays();
	DIR *d = opendir(path);
	size_t n = 0;
	for (struct dirent *x; d && (x = readdir(d));) {
		if (x->d_name[0] == '.')
			continue;
		assert_int_equal(unlinkat(dirfd(d), x->d_name, 0), 0);
		n++;
	}
	if (d)
		closedir(d);
	free(path);
	return n;
}

static int remove_folder(void **state)
{
	(void)state;
	empty_cache();
	char *path = arrays(), *above = xasprintf("%s/featlas", folder);
	rmdir(path);
	rmdir(above);
	free(path);
	free(above);
	return rmdir(folder);
}

static char *golden(const char *name)
{
	return xasprintf("%s/golden/containers/%s", getenv("TESTS_DIR"), name);
}

static struct tensors *open_golden(const char *name, struct err *e)
{
	char *path = golden(name);
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
	return s;
}

static const struct tensor *need(struct tensors *s, const char *name, enum dtype dtype, int n_dims, u64 a,
				 u64 b, u64 c)
{
	struct err e = {0};
	const struct tensor *t = tensors_need(s, name, 1u << dtype, n_dims, (u64[]){a, b, c}, &e);
	assert_string_equal(e.msg, "");
	assert_non_null(t);
	assert_int_equal(t->data.n, t->n * dtype_size(t->dtype));
	return t;
}

/* What containers.py puts into each .npz. */
static void check_arrays(struct tensors *s)
{
	assert_int_equal(tensors_kind(s), TENSORS_NPZ);
	assert_int_equal(tensors_count(s), 8);
	assert_string_equal(tensors_at(s, 0)->name, "W");
	assert_null(tensors_find(s, "text"));
	const struct tensor *t = need(s, "W", DTYPE_F32, 2, 3, 4, 0);
	for (u64 i = 0; i < 12; i++)
		assert_true(tensor_f32(t, i) == (f32)i / 4);
	t = need(s, "F", DTYPE_F64, 2, 3, 5, 0);
	for (u64 i = 0; i < 15; i++)
		assert_true(tensor_f32(t, i) == (f32)i / 8);
	t = need(s, "F3", DTYPE_I16, 3, 2, 3, 4);
	for (u64 i = 0; i < 24; i++)
		assert_int_equal(tensor_u64(t, i), i);
	t = need(s, "half", DTYPE_F16, 1, 3, 0, 0);
	assert_true(tensor_f32(t, 0) == 1.5f && tensor_f32(t, 1) == -2 && tensor_f32(t, 2) == 65504);
	assert_int_equal((i64)tensor_u64(need(s, "scalar", DTYPE_I64, 0, 0, 0, 0), 0), -7);
	t = need(s, "flag", DTYPE_BOOL, 1, 2, 0, 0);
	assert_true(tensor_u64(t, 0) == 1 && tensor_u64(t, 1) == 0);
	need(s, "empty", DTYPE_F32, 2, 0, 4, 0);
	t = need(s, "bytes", DTYPE_U8, 1, 3, 0, 0);
	assert_true(tensor_u64(t, 1) == 2 && tensor_u64(t, 2) == 255);
}

static void stored_arrays_are_used_where_they_lie(void **state)
{
	(void)state;
	struct tensors *s = open_good("plain.npz");
	char *path = golden("plain.npz");
	struct mapfile *m = mapfile_open(path, NULL);
	const struct tensor *t = tensors_find(s, "W"); /* in place without being asked for */
	assert_int_equal(t->data.n, 48);
	assert_non_null(memmem(mapfile_span(m).p, mapfile_span(m).n, t->data.p, t->data.n));
	assert_true(tensors_is_mapped(s, "W"));
	assert_false(tensors_is_mapped(s, "F"));
	assert_null(tensors_find(s, "F")->data.p);
	assert_int_equal(empty_cache(), 0);
	check_arrays(s);
	assert_int_equal(empty_cache(), 2); /* those in the other order */
	assert_int_equal(tensors_verify(s, NULL, NULL), 0);
	tensors_free(s);
	mapfile_free(m);
	free(path);
}

static u64 resident(void) /* bytes */
{
	long total, pages;
	FILE *f = fopen("/proc/self/statm", "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &total, &pages), 2);
	fclose(f);
	return (u64)pages * (u64)sysconf(_SC_PAGESIZE);
}

/* Gemma Scope's largest: 19 GB, whose second array begins beyond 4 GiB. */
static void a_million_features_are_mapped_and_not_read(void **state)
{
	(void)state;
	static const char *const names[] = {"W_enc", "W_dec", "b_enc", "b_dec", "threshold"};
	char *path = xasprintf("%s/params.npz", folder);
	assert_int_equal(sparse_npz(path, 1 << 20, 2304), 0);
	u64 before = resident();
	struct err e = {0};
	struct tensors *s = tensors_open(path, &e);
	assert_string_equal(e.msg, "");
	assert_non_null(s);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct tensor *t = tensors_data(s, names[i], &e);
		assert_non_null(t);
		assert_true(tensors_is_mapped(s, names[i]));
		assert_true(tensor_f32(t, t->n - 1) == (f32)(i + 1));
		assert_true(tensor_f32(t, t->n - 2) == 0);
	}
	assert_int_equal(tensors_find(s, "W_dec")->n, 2304ull << 20);
	assert_true(resident() - before < 4 << 20); /* pages around what was read just now */
	tensors_free(s);
	unlink(path);
	free(path);
	assert_int_equal(empty_cache(), 0);
}

static void packed_arrays_are_inflated_once(void **state)
{
	(void)state;
	static const char *const names[] = {"packed.npz", "streamed.npz"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tensors *s = open_good(names[i]);
		assert_false(tensors_is_mapped(s, "W"));
		check_arrays(s);
		assert_int_equal(tensors_verify(s, NULL, NULL), 0);
		tensors_free(s);
		assert_int_equal(empty_cache(), 7 + 2); /* all but the empty one, and two in C order */
	}
}

/* The only file of the cache. */
static char *only_file(struct stat *st)
{
	char *dir = arrays(), *path = NULL;
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *x; (x = readdir(d));) {
		if (x->d_name[0] == '.')
			continue;
		assert_null(path);
		path = xasprintf("%s/%s", dir, x->d_name);
	}
	closedir(d);
	free(dir);
	assert_non_null(path);
	assert_int_equal(stat(path, st), 0);
	return path;
}

static int fill_with(struct safetensors_writer *w, void *ctx, struct err *e)
{
	u32 *n = ctx;
	++*n;
	return *n > 9 ? err_set(e, ERR_FAILED, "no more") : safetensors_writer_add(w, n, sizeof *n, e);
}

static u32 get(const char *key, u32 *n)
{
	struct tensor like = {.dtype = DTYPE_U32, .n = 1};
	struct err e = {0};
	struct safetensors *s = cache_get(key, &like, fill_with, n, &e);
	assert_true(!s == !!e.msg[0]);
	u32 v = s ? (u32)tensor_u64(safetensors_find(s, "data"), 0) : 0;
	safetensors_free(s);
	return v;
}

/* A file under the name of another key, by accident or not, is not taken for it. */
static void a_cached_file_is_known_by_its_key(void **state)
{
	(void)state;
	struct stat st;
	u32 n = 0;
	assert_int_equal(get("one", &n), 1);
	assert_int_equal(get("one", &n), 1);
	char *one = only_file(&st), *kept = xasprintf("%s/kept", folder);
	assert_int_equal(rename(one, kept), 0);
	assert_int_equal(get("two", &n), 2);
	char *two = only_file(&st);
	assert_int_equal(rename(kept, two), 0);
	assert_int_equal(get("two", &n), 3);
	n = 10;
	assert_int_equal(get("three", &n), 0);
	assert_int_equal(empty_cache(), 1);
	free(one);
	free(two);
	free(kept);
}

static void *ask_for_all(void *arg)
{
	static const char *const names[] = {"W", "F", "F3", "half", "scalar", "flag", "empty", "bytes"};
	struct tensors *s = arg;
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct tensor *t = tensors_data(s, names[i], NULL);
		n += t && (!t->n || tensor_u64(t, t->n - 1) != 12345);
	}
	return n == ARRAY_LEN(names) ? s : NULL;
}

static void threads_may_ask_for_the_same(void **state)
{
	(void)state;
	pthread_t threads[4];
	struct tensors *s[] = {open_good("packed.npz"), open_good("packed.npz")};
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_for_all, s[i % 2]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *done = NULL;
		pthread_join(threads[i], &done);
		assert_ptr_equal(done, s[i % 2]);
	}
	check_arrays(s[0]);
	check_arrays(s[1]);
	tensors_free(s[0]);
	tensors_free(s[1]);
	assert_int_equal(empty_cache(), 7 + 2);
}

static void rewrite(const char *path, long at, char byte)
{
	FILE *f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	fputc(byte, f);
	assert_int_equal(fclose(f), 0);
}

static void what_is_kept_is_used_again_unless_it_is_damaged(void **state)
{
	(void)state;
	struct stat first, again;
	struct tensors *s = open_good("packed.npz");
	need(s, "W", DTYPE_F32, 2, 3, 4, 0);
	tensors_free(s);
	char *path = only_file(&first);
	s = open_good("packed.npz");
	need(s, "W", DTYPE_F32, 2, 3, 4, 0);
	tensors_free(s);
	free(only_file(&again));
	assert_int_equal(first.st_ino, again.st_ino);
	rewrite(path, 9, 'x'); /* its header */
	s = open_good("packed.npz");
	assert_true(tensor_f32(need(s, "W", DTYPE_F32, 2, 3, 4, 0), 11) == 2.75f);
	tensors_free(s);
	free(only_file(&again));
	assert_int_not_equal(first.st_ino, again.st_ino);
	assert_int_equal(truncate(path, 100), 0);
	s = open_good("packed.npz");
	assert_true(tensor_f32(need(s, "W", DTYPE_F32, 2, 3, 4, 0), 11) == 2.75f);
	tensors_free(s);
	free(path);
	assert_int_equal(empty_cache(), 1);
}

static void all_versions_of_npy_are_read(void **state)
{
	(void)state;
	static const char *const names[] = {"v1", "v2", "v3", "py2"};
	struct tensors *s = open_good("versions.npz");
	assert_int_equal(tensors_count(s), 4);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(tensor_f32(need(s, names[i], DTYPE_F32, 2, 3, 4, 0), 7) == 1.75f);
	tensors_free(s);
}

static void shards_are_one(void **state)
{
	(void)state;
	struct tensors *s = open_good("shards/m.safetensors.index.json");
	assert_int_equal(tensors_kind(s), TENSORS_SHARDS);
	assert_int_equal(tensors_count(s), 3);
	assert_true(tensor_f32(need(s, "W", DTYPE_F32, 2, 3, 4, 0), 11) == 2.75f);
	assert_true(tensor_f32(need(s, "V", DTYPE_F32, 2, 3, 4, 0), 11) == 3.75f);
	assert_int_equal(tensor_u64(need(s, "k", DTYPE_I32, 0, 0, 0, 0), 0), 5);
	assert_true(tensors_is_mapped(s, "V"));
	assert_string_equal(tensors_metadata(s, "format"), "pt");
	assert_null(tensors_metadata(s, "total_size"));
	assert_null(tensors_value(s, "k"));
	tensors_free(s);
}

/* As huggingface_hub lays a repository out: snapshots/REVISION/NAME links to ../../blobs/HASH. */
static void a_hugging_face_snapshot_opens(void **state)
{
	(void)state;
	static const char *const names[] = {"m.safetensors.index.json", "m-00001-of-00002.safetensors",
					    "m-00002-of-00002.safetensors"};
	char *dir = xasprintf("%s/snapshot", folder), *index = xasprintf("%s/m.safetensors.index.json", dir);
	assert_int_equal(mkdir(dir, 0777), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *name = xasprintf("shards/%s", names[i]), *from = golden(name),
		     *to = xasprintf("%s/%s", dir, names[i]);
		assert_int_equal(symlink(from, to), 0);
		free(name);
		free(from);
		free(to);
	}
	struct err e = {0};
	struct tensors *s = tensors_open(index, &e);
	assert_string_equal(e.msg, "");
	assert_int_equal(tensors_count(s), 3);
	tensors_free(s);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *link = xasprintf("%s/%s", dir, names[i]);
		unlink(link);
		free(link);
	}
	rmdir(dir);
	free(dir);
	free(index);
}

static void needs_name_what_is_wrong(void **state)
{
	(void)state;
	struct err e = {0};
	struct tensors *s = open_good("plain.npz");
	assert_null(tensors_need(s, "W", 1u << DTYPE_F16, 2, (u64[]){TENSOR_ANY, 5}, &e));
	assert_non_null(strstr(e.msg, "plain.npz': tensor 'W' is F32 [3, 4], expected F16 [*, 5]"));
	assert_null(tensors_need(s, "X", 1u << DTYPE_F32, 1, (u64[]){1}, &e));
	assert_non_null(strstr(e.msg, "has no tensor 'X'"));
	assert_null(tensors_data(s, "text", &e));
	tensors_free(s);
}

static void says(const struct err *e, const char *name, const char *what)
{
	if (!strstr(e->msg, what))
		fail_msg("%s: '%s' does not say '%s'", name, e->msg, what);
	if (!strstr(e->msg, name))
		fail_msg("%s: '%s' does not name the file", name, e->msg);
	assert_int_equal(e->code, strstr(name, "missing.json") ? ERR_FAILED : ERR_DAMAGED);
}

static void lies_are_refused(void **state)
{
	(void)state;
	char *path = golden("bad.tsv"), line[512];
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
		says(&e, line, what);
		free(name);
	}
	assert_true(n > 50);
	fclose(f);
	free(path);
	assert_int_equal(empty_cache(), 0);
}

static void lies_about_contents_are_refused_when_read(void **state)
{
	(void)state;
	static const struct {
		const char *name, *says;
	} cases[] = {
		{"late-more.npz", "entry 'W.npy' inflates to more bytes than it declares"},
		{"late-fewer.npz", "entry 'W.npy' inflates to fewer bytes than it declares"},
		{"late-crc.npz", "entry 'W.npy' has contents that do not fit its checksum"},
		{"late-damaged.npz", "entry 'W.npy' "},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		char *name = xasprintf("bad/%s", cases[i].name);
		struct tensors *s = open_good(name);
		assert_null(tensors_data(s, "W", &e));
		says(&e, cases[i].name, cases[i].says);
		e.msg[0] = 0;
		assert_int_equal(tensors_verify(s, NULL, &e), -1);
		says(&e, cases[i].name, cases[i].says);
		tensors_free(s);
		assert_int_equal(empty_cache(), 0); /* nothing half-made stays */
		free(name);
	}
	/* what is stored is used unread: only verify reads it */
	struct err e = {0};
	struct tensors *s = open_good("bad/late-stored-crc.npz");
	assert_non_null(tensors_data(s, "W", &e));
	assert_int_equal(tensors_verify(s, NULL, &e), -1);
	says(&e, "late-stored-crc.npz", "do not fit its checksum");
	tensors_free(s);
}

static void without_a_place_nothing_is_made(void **state)
{
	(void)state;
	struct err e = {0};
	char *home = getenv("HOME") ? xstrdup(getenv("HOME")) : NULL;
	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	struct tensors *s = open_good("packed.npz");
	assert_null(tensors_data(s, "W", &e));
	assert_non_null(strstr(e.msg, "no place for an array"));
	tensors_free(s);
	setenv("XDG_CACHE_HOME", folder, 1);
	if (home)
		setenv("HOME", home, 1);
	free(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_arrays_are_used_where_they_lie),
		cmocka_unit_test(a_million_features_are_mapped_and_not_read),
		cmocka_unit_test(packed_arrays_are_inflated_once),
		cmocka_unit_test(a_cached_file_is_known_by_its_key),
		cmocka_unit_test(threads_may_ask_for_the_same),
		cmocka_unit_test(what_is_kept_is_used_again_unless_it_is_damaged),
		cmocka_unit_test(all_versions_of_npy_are_read),
		cmocka_unit_test(shards_are_one),
		cmocka_unit_test(a_hugging_face_snapshot_opens),
		cmocka_unit_test(needs_name_what_is_wrong),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(lies_about_contents_are_refused_when_read),
		cmocka_unit_test(without_a_place_nothing_is_made),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
