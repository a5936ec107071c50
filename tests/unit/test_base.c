/* SPDX-License-Identifier: MIT */
/* test_base.c - errors, buffers, UTF-8, half floats, the pool, files that appear whole. */
#include "base/bits.h"
#include "base/buf.h"
#include "base/half.h"
#include "base/json.h"
#include "base/mapfile.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "base/pages.h"
#include "base/pool.h"
#include "base/sha256.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static void errors_keep_code_and_wrap(void **state)
{
	(void)state;
	struct err e = {0};
	assert_int_equal(err_set(&e, ERR_DAMAGED, "tensor '%s'", "x"), -1);
	err_wrap(&e, "cannot open '%s'", "a.st");
	assert_int_equal(e.code, ERR_DAMAGED);
	assert_string_equal(e.msg, "cannot open 'a.st': tensor 'x'");
	err_set(NULL, ERR_FAILED, "nobody listens");
}

static void buffers_grow_and_cut(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	assert_string_equal(b.s, "");
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "%d,", i);
	assert_int_equal(b.n, 290);
	buf_remove(&b, 0, 288);
	assert_string_equal(b.s, "9,");
	buf_remove(&b, 1, 99);
	assert_string_equal(b.s, "9");
	buf_release(&b);
}

/* Unicode 15, section 3.9: one U+FFFD for each maximal subpart of an ill-formed sequence;
 * the inputs are the standard's table 3-8 and 3-11. */
static void broken_utf8_becomes_replacements(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
							 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41"},
		{"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"a\xef\xbf\xbd", "a\xef\xbf\xbd"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT;
		utf8_add_valid(&b, cases[i].in, strlen(cases[i].in));
		assert_string_equal(b.s, cases[i].out);
		buf_release(&b);
	}
	assert_true(utf8_is_valid("gr\xc3\xbc\xc3\x9f", 6));
	assert_false(utf8_is_valid("\xff", 1));
}

static void unsafe_text_is_made_visible(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	utf8_add_safe(&b, "a\033[2J\n\xe2\x80\xae", 9);
	assert_string_equal(b.s, "a\xe2\x90\x9b[2J\xe2\x86\xb5\xc2\xb7");
	buf_release(&b);
}

static void halves_round_to_even(void **state)
{
	(void)state;
	assert_int_equal(f32_to_f16(65504.0f), 0x7bff);
	assert_true(isinf(f16_to_f32(f32_to_f16(65520.0f))));
	assert_int_equal(f32_to_bf16(1.0f + 1.0f / 256), 0x3f80); /* halfway, to even */
	assert_int_equal(f32_to_bf16(1.0f + 3.0f / 256), 0x3f82);
	for (u32 h = 0; h < 0x7c00; h++)
		assert_int_equal(f32_to_f16(f16_to_f32((u16)h)), h);
}

static void count_task(void *context, size_t task, unsigned thread)
{
	(void)thread;
	((int *)context)[task]++;
}

static void the_pool_runs_each_task_once(void **state)
{
	(void)state;
	struct pool *p = pool_new(4);
	for (int round = 0; round < 50; round++) {
		int seen[97] = {0};
		pool_each(p, 97, count_task, seen);
		for (int i = 0; i < 97; i++)
			assert_int_equal(seen[i], 1);
	}
	pool_free(p);
}

#ifdef __linux__
struct priorities {
	pthread_barrier_t both;
	int of[2];
};

static void note_priority(void *context, size_t task, unsigned thread)
{
	struct priorities *p = context;
	(void)task;
	p->of[thread] = getpriority(PRIO_PROCESS, 0);
	pthread_barrier_wait(&p->both); /* a task for each of the two */
}

static void a_pool_gives_way_to_its_caller(void **state)
{
	(void)state;
	struct pool *p = pool_new(2);
	struct priorities seen;
	int own = getpriority(PRIO_PROCESS, 0);
	if (pool_threads(p) < 2 || own > 9)
		skip();
	pthread_barrier_init(&seen.both, NULL, 2);
	pool_each(p, 2, note_priority, &seen);
	assert_int_equal(seen.of[0], own);
	assert_int_equal(seen.of[1], own);
	pool_stay_behind(p);
	for (int i = 0; i < 2; i++) { /* and no further the second time */
		pool_each(p, 2, note_priority, &seen);
		assert_int_equal(seen.of[0], own);
		assert_int_equal(seen.of[1], own + 10);
	}
	pool_step_back();
	assert_int_equal(getpriority(PRIO_PROCESS, 0), own); /* the main thread never does */
	pthread_barrier_destroy(&seen.both);
	pool_free(p);
}
#endif

static void files_appear_whole(void **state)
{
	(void)state;
	char folder[] = "/tmp/featlas-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char *path = xasprintf("%s/x", folder), hex[65];
	struct err e = {0};
	assert_int_equal(outfile_write_all(path, "abc", 3, &e), 0);
	struct outfile *o = outfile_new(path, &e);
	assert_non_null(o);
	assert_int_equal(outfile_add(o, "new", 3, &e), 0);
	outfile_abandon(o);
	/* FIPS 180-2's example */
	assert_int_equal(sha256_file(path, hex, NULL, &e), 0);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0); /* no part file is left */
	free(path);
}

static void holds(const char *path, const char *want)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	assert_int_equal(n, (ssize_t)strlen(want));
	assert_string_equal(text, want);
}

static mode_t kind_of(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & S_IFMT;
}

static void links_stay(void **state)
{
	(void)state;
	char old[PATH_MAX], folder[] = "/tmp/featlas-test-XXXXXX";
	struct err e = {0};
	assert_non_null(getcwd(old, sizeof old));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("sub", 0777), 0);
	assert_int_equal(symlink("../file", "sub/a"), 0);
	assert_int_equal(symlink("sub/a", "b"), 0);
	assert_int_equal(symlink("c", "c"), 0);
	assert_int_equal(outfile_write_all("b", "one", 3, &e), 0); /* which leads nowhere yet */
	holds("file", "one");
	assert_int_equal(outfile_write_all("b", "two", 3, &e), 0);
	holds("file", "two");
	struct outfile *o = outfile_new("b", &e);
	assert_int_equal(outfile_add(o, "no", 2, &e), 0);
	outfile_abandon(o);
	holds("b", "two");
	assert_int_equal(kind_of("b"), S_IFLNK);
	assert_int_equal(kind_of("sub/a"), S_IFLNK);
	assert_int_equal(outfile_write_all("c", "x", 1, &e), -1); /* in a circle */
	assert_null(outfile_new("", &e));
	assert_null(outfile_new("sub", &e)); /* a folder, which is seen before the work */
	assert_int_equal(unlink("b") | unlink("c") | unlink("sub/a") | unlink("file") | rmdir("sub"), 0);
	assert_int_equal(chdir(old), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* By links of its own, lest a fault here replaces the machine's. */
static void devices_and_pipes_are_written_to(void **state)
{
	(void)state;
	char old[PATH_MAX], folder[] = "/tmp/featlas-test-XXXXXX", text[8] = "";
	struct err e = {0};
	assert_non_null(getcwd(old, sizeof old));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(symlink("/dev/null", "null") | symlink("/dev/full", "full") | mkfifo("fifo", 0666), 0);
	assert_int_equal(outfile_write_all("null", "abc", 3, &e), 0);
	assert_int_equal(kind_of("null"), S_IFLNK);
	if (!access("full", W_OK)) {
		assert_int_equal(outfile_write_all("full", "abc", 3, &e), -1);
		assert_non_null(strstr(e.msg, "cannot write 'full'"));
	}
	int reader = open("fifo", O_RDONLY | O_NONBLOCK);
	assert_int_equal(outfile_write_all("fifo", "abc", 3, &e), 0);
	assert_int_equal(read(reader, text, sizeof text), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(kind_of("fifo"), S_IFIFO);
	close(reader);
	assert_int_equal(unlink("null") | unlink("full") | unlink("fifo"), 0);
	assert_int_equal(chdir(old), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void descriptors_go_on_where_they_are(void **state)
{
	(void)state;
	char path[] = "/tmp/featlas-test-XXXXXX", name[32];
	struct err e = {0};
	int fd = mkstemp(path);
	assert_true(fd > 2);
	assert_int_equal(write(fd, "head ", 5), 5);
	snprintf(name, sizeof name, "/dev/fd/%d", fd);
	assert_int_equal(outfile_write_all(name, "one ", 4, &e), 0);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	assert_int_equal(outfile_write_all(name, "two", 3, &e), 0);
	holds(path, "head one two");
	/* one that is the program's own, one for reading, one that is none */
	assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(outfile_write_all(name, "no", 2, &e), -1);
	close(fd);
	fd = open(path, O_RDONLY);
	snprintf(name, sizeof name, "/dev/fd/%d", fd);
	assert_int_equal(outfile_write_all(name, "no", 2, &e), -1);
	close(fd);
	assert_int_equal(outfile_write_all(name, "no", 2, &e), -1);
	holds(path, "head one two");
	assert_int_equal(unlink(path), 0);
}

static void json_says_where_it_is_wrong(void **state)
{
	(void)state;
	struct err e = {0};
	assert_null(json_parse("{\"a\":}", 6, "'x.json'", &e));
	assert_int_equal(e.code, ERR_DAMAGED);
	assert_non_null(strstr(e.msg, "'x.json' is not valid JSON at byte"));
	json_t *j = json_parse("{\"n\":-1}", 8, "'x.json'", &e);
	u64 n;
	assert_int_equal(json_get_u64(j, "n", 10, &n, "'x.json'", &e), -1);
	assert_string_equal(e.msg, "'x.json': 'n' is not a whole number from 0 on");
	json_decref(j);
	struct buf b = BUF_INIT;
	j = json_pack("[o,o]", json_f32(0.1f), json_f32(16777216.0f));
	json_add_line(&b, j);
	assert_string_equal(b.s, "[0.1,16777216.0]");
	json_decref(j);
	buf_release(&b);
}

/* Against one bit after another; what stands behind the end is not looked at. */
static void bits_are_found_by_words(void **state)
{
	(void)state;
	u64 bits[4];
	u32 random = 1;
	for (u64 n = 1; n <= 256; n += 17)
		for (int round = 0; round < 40; round++) {
			for (size_t i = 0; i < ARRAY_LEN(bits); i++)
				bits[i] = 0;
			for (int k = 0; k < round; k++)
				random = random * 1664525 + 1013904223, bits[random >> 30] |= (u64)1 << (random >> 8 & 63);
			bits[n / 64 % 4] |= n % 64 ? UINT64_MAX << (n % 64) : 0;
			for (u64 at = 0; at < n; at++) {
				u64 next = at, last = at, up = n, down = n;
				while (next < n && !bits_has(bits, next))
					next++;
				for (u64 i = 1; i <= n && up == n; i++)
					up = bits_has(bits, (at + i) % n) ? (at + i) % n : n;
				for (u64 i = 1; i <= n && down == n; i++)
					down = bits_has(bits, (at + n - i) % n) ? (at + n - i) % n : n;
				while (last > 0 && !bits_has(bits, last - 1))
					last--;
				assert_int_equal(bits_next(bits, n, at), next);
				assert_int_equal(bits_last(bits, at), last - 1);
				assert_int_equal(bits_step(bits, n, at, 1), up);
				assert_int_equal(bits_step(bits, n, at, -1), down);
			}
		}
}

static void bits_are_counted_and_added_by_words(void **state)
{
	(void)state;
	for (u64 n = 0; n <= 256; n += 16)
		for (u64 from = 0; from <= n; from += 5)
			for (u64 to = from; to <= n; to += 7) {
				u64 bits[5] = {0};
				bits_add(bits, from, to);
				for (u64 i = 0; i < 320; i++)
					assert_int_equal(bits_has(bits, i), i >= from && i < to);
				for (u64 i = n; i < 320; i++) /* behind the end: not counted */
					bits[i / 64] |= (u64)1 << (i % 64);
				assert_int_equal(bits_count(bits, n), to - from);
			}
}

/* What has left the memory is seen to be missing, and comes when it is asked for. */
static void pages_come_when_they_are_asked_for(void **state)
{
	(void)state;
	enum { SIZE = 1 << 22 };
	struct err e = {0};
	char path[] = "pages-XXXXXX";
	int fd = mkstemp(path);
	char *bytes = xcalloc(SIZE, 1);
	assert_int_equal(write(fd, bytes, SIZE), SIZE);
	fsync(fd);
	struct mapfile *m = mapfile_open(path, &e);
	const u8 *p = mapfile_span(m).p;
	/* where the file system keeps its files in memory nothing leaves it */
	bool left = !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	struct pages looks = {0}, asks = {.asks = true};
	left = left && !pages_there(&looks, p + SIZE / 2, 1);
	assert_true(looks.missed == left);
	assert_true(pages_there(NULL, p, SIZE));
	assert_true(pages_there(&looks, p, 0));
	assert_true(pages_there(&asks, p + 5, SIZE - 10) == !left);
	assert_true(asks.missed == left);
	pages_wait(&asks);
	asks.missed = false;
	assert_true(pages_there(&asks, p + 5, SIZE - 10));
	assert_true(pages_there(&looks, p + SIZE - 1, 1));
	assert_false(asks.missed);
	pages_release(&asks);
	mapfile_free(m);
	close(fd);
	unlink(path);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_are_found_by_words), cmocka_unit_test(bits_are_counted_and_added_by_words),
		cmocka_unit_test(pages_come_when_they_are_asked_for),
		cmocka_unit_test(errors_keep_code_and_wrap), cmocka_unit_test(buffers_grow_and_cut),
		cmocka_unit_test(broken_utf8_becomes_replacements), cmocka_unit_test(unsafe_text_is_made_visible),
		cmocka_unit_test(halves_round_to_even), cmocka_unit_test(the_pool_runs_each_task_once),
#ifdef __linux__
		cmocka_unit_test(a_pool_gives_way_to_its_caller),
#endif
		cmocka_unit_test(links_stay), cmocka_unit_test(devices_and_pipes_are_written_to),
		cmocka_unit_test(descriptors_go_on_where_they_are),
		cmocka_unit_test(files_appear_whole), cmocka_unit_test(json_says_where_it_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
