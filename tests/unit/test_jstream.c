/* SPDX-License-Identifier: MIT */
/* test_jstream.c - JSON as it streams by, separated values, and strings as numbers. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "core/intern.h"
#include "io/csv.h"
#include "io/jstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

static char folder[] = "/tmp/featlas-test-XXXXXX", *path;

static int make_folder(void **state)
{
	(void)state;
	path = mkdtemp(folder) ? xasprintf("%s/t.json", folder) : NULL;
	return path ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	free(path);
	return rmdir(folder);
}

/* Events as text: "id kind [bytes]" a line; a string's zeros as '~'. */
static int tell(void *context, const struct jstream_event *v, struct err *e)
{
	static const char *const kinds[] = {"null", "bool", "number", "string", "open", "close"};
	struct buf *b = context;
	(void)e;
	buf_addf(b, "%d %s", v->id, kinds[v->kind]);
	if (v->kind == JSTREAM_OPEN || v->kind == JSTREAM_CLOSE)
		buf_adds(b, v->is_array ? " array" : " object");
	if (v->kind == JSTREAM_BOOL)
		buf_adds(b, v->truth ? " true" : " false");
	for (size_t i = 0; (v->kind == JSTREAM_STRING || v->kind == JSTREAM_NUMBER) && i < v->n; i++) {
		if (!i)
			buf_addc(b, ' ');
		buf_addc(b, v->s[i] ? v->s[i] : '~');
	}
	buf_addc(b, '\n');
	return 0;
}

static const struct jstream_path paths[] = {
	{"", 0}, {".a", 1}, {".t[]", 2}, {".t", 3}, {".f[].x[]", 4}, {".f[]", 5}, {".q[][]", 6}};

static int read_bytes(const void *p, size_t n, struct buf *out, struct err *e)
{
	assert_int_equal(outfile_write_all(path, p, n, NULL), 0);
	buf_clear(out);
	return jstream_file(path, paths, ARRAY_LEN(paths), tell, out, NULL, e);
}

static void gives(const char *text, const char *events)
{
	struct buf b = BUF_INIT;
	struct err e = {0};
	int bad = read_bytes(text, strlen(text), &b, &e);
	if (bad)
		print_error("%s\n", e.msg);
	assert_int_equal(bad, 0);
	assert_string_equal(b.s, events);
	buf_release(&b);
}

static void refuses(const char *text, size_t n, const char *sentence)
{
	struct buf b = BUF_INIT;
	struct err e = {0};
	assert_int_equal(read_bytes(text, n, &b, &e), -1);
	assert_int_equal(e.code, ERR_DAMAGED);
	if (!strstr(e.msg, sentence))
		print_error("%s\n", e.msg);
	assert_non_null(strstr(e.msg, sentence));
	assert_non_null(strstr(e.msg, path));
	buf_release(&b);
}

static void paths_are_told(void **state)
{
	(void)state;
	gives("{\"a\":1,\"b\":[{\"a\":2}],\"t\":[\"x\",null,true,\"\"]}",
	      "0 open object\n1 number 1\n3 open array\n2 string x\n2 null\n2 bool true\n2 string\n3 close array\n"
	      "0 close object\n");
	gives("{\"f\":[{\"x\":[-1.5e3]},{\"a\":3}],\"q\":[[1],[],[2,3]]}",
	      "0 open object\n5 open object\n4 number -1.5e3\n5 close object\n5 open object\n5 close object\n6 number 1\n"
	      "6 number 2\n6 number 3\n0 close object\n");
	gives("\n {\"a\":1}\r\n\n{\"a\":{\"a\":2}}{}  \n",
	      "0 open object\n1 number 1\n0 close object\n0 open object\n1 open object\n"
	      "1 close object\n0 close object\n0 open object\n0 close object\n");
	gives("7 \"x\"", "0 number 7\n0 string x\n");
}

static void strings_are_bytes(void **state)
{
	(void)state;
	gives("{\"a\":\"\\u0000b\\u0000\"}", "0 open object\n1 string ~b~\n0 close object\n");
	gives("{\"a\":\"\\ud83d\\ude00 \xc3\xa9 \\\\ \\/ \\n\"}",
	      "0 open object\n1 string \xf0\x9f\x98\x80 \xc3\xa9 \\ / \n\n0 close object\n");
	/* a key may hold zeros and is another one then */
	gives("{\"a\\u0000\":1}", "0 open object\n0 close object\n");
	gives("{\"\":1}", "0 open object\n0 close object\n");
}

/* Strings, numbers and escapes that lie across the borders of what is read at once. */
static void chunks_do_not_show(void **state)
{
	(void)state;
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	struct err e = {0};
	for (int shift = 0; shift < 12; shift++) {
		buf_clear(&text);
		buf_clear(&want);
		buf_adds(&text, "{\"t\":[\"");
		for (int i = 0; i < (1 << 18) - 14 + shift; i++)
			buf_addc(&text, 'x');
		buf_adds(&text, "\",\"\\u00e9\",12345.5]}\n{\"a\":1}");
		buf_adds(&want, "0 open object\n3 open array\n2 string ");
		for (int i = 0; i < (1 << 18) - 14 + shift; i++)
			buf_addc(&want, 'x');
		buf_adds(
			&want,
			"\n2 string \xc3\xa9\n2 number 12345.5\n3 close array\n0 close object\n0 open object\n1 number 1\n"
			"0 close object\n");
		assert_int_equal(read_bytes(text.s, text.n, &got, &e), 0);
		assert_string_equal(got.s, want.s);
	}
	buf_release(&text);
	buf_release(&want);
	buf_release(&got);
}

static void gzip_is_seen(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	struct err e = {0};
	gzFile f = gzopen(path, "wb");
	for (int i = 0; i < 3000; i++)
		gzprintf(f, "{\"a\":%d}\n", i * 7919 % 10007);
	gzclose(f);
	assert_int_equal(jstream_file(path, paths, ARRAY_LEN(paths), tell, &b, NULL, &e), 0);
	size_t lines = 0;
	for (size_t i = 0; i < b.n; i++)
		lines += b.s[i] == '\n';
	assert_int_equal(lines, 9000);
	assert_int_equal(truncate(path, 2000), 0);
	assert_int_equal(jstream_file(path, paths, ARRAY_LEN(paths), tell, &b, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "is cut off"));
	buf_release(&b);
}

static void faults_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *text, *sentence;
	} list[] = {
		{"", "holds no JSON value"},
		{"  \n", "holds no JSON value"},
		{"{\"a\":1}\n{\"a\":", "ends in the middle of a value (line 2)"},
		{"{\"a\":1}\n[1,", "ends in the middle of a value"},
		{"\"x", "in the middle"},
		{"{\"a\":1}\n\n{\"a\" 1}", "line 3: not JSON: "},
		{"{\"a\":NaN}", "line 1: NaN is no JSON value"},
		{"{\"a\":[1,-Infinity]}", "-Infinity is no JSON value"},
		{"{\"a\":1,\"b\":1,\"b\":2,\"a\":3}", "'a' stands twice in one object"},
		{"{\"a\":\"\xff\"}", "not JSON: "},
		{"{\"a\":\"\xc3\"}", "not JSON: "},
		{"{\"a\":\"x\ny\"}", "not JSON: "},
		{"{\"a\":01}", "not JSON: "},
		{"{'a':1}", "not JSON: "},
		{"/* */ {}", "not JSON: "},
		{"\xef\xbb\xbf{}", "not JSON: "},
	};
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		refuses(list[i].text, strlen(list[i].text), list[i].sentence);
	refuses("{\"a\":1}\0", 8, "not JSON: ");
	char deep[200];
	memset(deep, '[', sizeof deep);
	refuses(deep, sizeof deep, "nest deeper than 64");
}

static void length_has_a_limit(void **state)
{
	(void)state;
	size_t n = JSTREAM_LIMIT + (1 << 20);
	char *text = xmalloc(n);
	memset(text, 'x', n);
	memcpy(text, "{\"a\":\"", 6);
	refuses(text, n, "no value ends within 16 MiB");
	memset(text, ' ', n);
	refuses(text, n, "no value ends within 16 MiB");
	memset(text, 'x', n);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + (4 << 20), "\"}", 2);
	struct buf b = BUF_INIT;
	struct err e = {0};
	assert_int_equal(read_bytes(text, (4 << 20) + 2, &b, &e), 0);
	buf_release(&b);
	free(text);
}

static int say_no(void *context, const struct jstream_event *v, struct err *e)
{
	(void)context;
	return v->id == 1 && v->n == 2 ? err_set(e, ERR_FAILED, "'a' is not liked") : 0;
}

static void the_reader_may_refuse(void **state)
{
	(void)state;
	struct err e = {0};
	const char *text = "{\"a\":1}\n{\"a\":3}\n{\"a\":22}\n";
	assert_int_equal(outfile_write_all(path, text, strlen(text), NULL), 0);
	assert_int_equal(jstream_file(path, paths, ARRAY_LEN(paths), say_no, NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_FAILED);
	assert_non_null(strstr(e.msg, "line 3: 'a' is not liked"));
}

static void progress_counts_and_stops(void **state)
{
	(void)state;
	struct progress p = {0};
	struct err e = {0};
	struct buf b = BUF_INIT;
	assert_int_equal(outfile_write_all(path, "{\"a\":1}\n", 8, NULL), 0);
	assert_int_equal(jstream_file(path, paths, ARRAY_LEN(paths), tell, &b, &p, &e), 0);
	assert_int_equal(p.done, 8);
	progress_cancel(&p);
	assert_int_equal(jstream_file(path, paths, ARRAY_LEN(paths), tell, &b, &p, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(jstream_file("/nowhere/x.json", paths, ARRAY_LEN(paths), tell, &b, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "cannot open '/nowhere/x.json'"));
	buf_release(&b);
}

static struct jstream_event event(enum jstream_kind kind, const char *s)
{
	return (struct jstream_event){.kind = kind, .s = s, .n = strlen(s)};
}

static void whole_numbers_are_exact(void **state)
{
	(void)state;
	u64 x = 0;
	struct err e = {0};
	static const char *const bad[] = {
		"", "-1", "1.0", "1e3", "18446744073709551616", "99999999999999999999", "0x1", " 1", "+1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct jstream_event v = event(JSTREAM_STRING, bad[i]);
		assert_int_equal(jstream_u64(&v, "index", UINT64_MAX, &x, &e), -1);
		assert_string_equal(e.msg, "'index' is no whole number from 0 to 18446744073709551615");
	}
	struct jstream_event v = event(JSTREAM_NUMBER, "18446744073709551615");
	assert_int_equal(jstream_u64(&v, "index", UINT64_MAX, &x, &e), 0);
	assert_true(x == UINT64_MAX);
	v = event(JSTREAM_STRING, "9007199254740993");
	assert_int_equal(jstream_u64(&v, "index", UINT64_MAX, &x, &e), 0);
	assert_true(x == 9007199254740993u);
	assert_int_equal(jstream_u64(&v, "index", 9007199254740992u, &x, &e), -1);
	v = event(JSTREAM_NULL, "");
	assert_int_equal(jstream_u64(&v, "index", 9, &x, &e), -1);
}

/* Each is the double that the compiler reads in the same text, on both paths. */
static void numbers_are_rounded_once(void **state)
{
	(void)state;
#define TEXT(x) {#x, x}
	static const struct {
		const char *text;
		f64 want;
	} list[] = {TEXT(0),
		    TEXT(0.0),
		    TEXT(-0.0),
		    TEXT(1),
		    TEXT(0.1),
		    TEXT(0.3),
		    TEXT(-12.5),
		    TEXT(123456789012345),
		    TEXT(0.123456789012345),
		    TEXT(1234567890123456),
		    TEXT(9007199254740993.0),
		    TEXT(0.00000000000000000000001),
		    TEXT(1e23),
		    TEXT(8.41e21),
		    TEXT(5e-324),
		    TEXT(2.2250738585072011e-308),
		    TEXT(1.7976931348623157e308),
		    TEXT(0.000000000000000000000000000000000000000000123),
		    TEXT(179.00000000000000001),
		    TEXT(99.99999),
		    TEXT(7.0000000000000000000000000000000000000001)};
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		f64 got = 99;
		struct jstream_event v = event(JSTREAM_NUMBER, list[i].text);
		assert_int_equal(jstream_f64(&v, "x", &got, NULL), 0);
		assert_memory_equal(&got, &list[i].want, sizeof got);
	}
	struct err e = {0};
	f64 got;
	struct jstream_event v = event(JSTREAM_NUMBER, "1e999");
	assert_int_equal(jstream_f64(&v, "x", &got, &e), -1);
	assert_string_equal(e.msg, "'x' is 1e999, which no double holds");
	v = event(JSTREAM_STRING, "1");
	assert_int_equal(jstream_f64(&v, "x", &got, &e), -1);
	assert_string_equal(e.msg, "'x' is no number");
}

/* Rows as text: fields between bars, a line each. */
static void rows(const char *text, char separator, const char *want)
{
	struct csv c;
	struct err e = {0};
	struct buf b = BUF_INIT;
	int more;
	csv_init(&c, (struct span){(const u8 *)text, strlen(text)}, separator, "'t'");
	while ((more = csv_next(&c, &e)) > 0) {
		buf_addf(&b, "%llu", (unsigned long long)c.line);
		for (size_t i = 0; i < c.n_fields; i++) {
			buf_addc(&b, '|');
			buf_add(&b, c.field[i].p, c.field[i].n);
		}
		buf_addc(&b, ';');
	}
	if (more < 0)
		buf_adds(&b, e.msg);
	assert_string_equal(b.s, want);
	buf_release(&b);
	csv_release(&c);
}

static void values_are_separated(void **state)
{
	(void)state;
	rows("a,b\r\nc,\n,d", ',', "1|a|b;2|c|;3||d;");
	rows("\xef\xbb\xbf\"a,\"\"\",\"x\ny\"\r\n\r\n\nz,\"\"", ',', "1|a,\"|x\ny;5|z|;");
	rows("", ',', "");
	rows("\n\n", ',', "");
	rows("a\tb,\"c\"\nd\t\n", '\t', "1|a|b,\"c\";2|d|;");
	rows("a\rb\n", ',', "1|a\rb;");
	rows("a\n\"b\nc", ',', "1|a;'t' line 2: a quote that never closes");
	rows("\"b\nc\"d\n", ',', "'t' line 2: text behind a closing quote");
	rows("a\"\n", ',', "'t' line 1: a quote inside a field that does not begin with one");
	rows("\"a\"", ',', "1|a;");
	rows(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,", ',',
	     "'t' line 1: too many fields");
}

static void strings_become_numbers(void **state)
{
	(void)state;
	struct err e = {0};
	struct intern *base = intern_new(NULL);
	assert_int_equal(intern_add(base, "", 0, &e), 0);
	assert_int_equal(intern_add(base, "a\0b", 3, &e), 1);
	assert_int_equal(intern_add(base, "a\0c", 3, &e), 2);
	assert_int_equal(intern_add(base, "a\0b", 3, &e), 1);
	struct intern *t = intern_new(base);
	assert_int_equal(intern_add(t, "a\0c", 3, &e), 2);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 50000; i++) {
			char s[16];
			int n = snprintf(s, sizeof s, "w%d", i);
			assert_int_equal(intern_add(t, s, (size_t)n, &e), i + 3);
		}
	assert_int_equal(intern_count(t), 50003);
	assert_int_equal(intern_n_base(t), 3);
	assert_int_equal(intern_count(base), 3);
	struct span s = intern_at(t, 1);
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b", 3);
	s = intern_at(t, 50002);
	assert_int_equal(s.n, 6);
	assert_memory_equal(s.p, "w49999", 6);
	assert_int_equal(intern_at(t, 50003).n, 0);
	char *long_one = xcalloc(INTERN_LONGEST + 1, 1);
	assert_int_equal(intern_add(t, long_one, INTERN_LONGEST + 1, &e), -1);
	assert_non_null(strstr(e.msg, "longer than 4096"));
	free(long_one);
	intern_free(t);
	intern_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_told),          cmocka_unit_test(strings_are_bytes),
		cmocka_unit_test(chunks_do_not_show),      cmocka_unit_test(gzip_is_seen),
		cmocka_unit_test(faults_are_named),        cmocka_unit_test(length_has_a_limit),
		cmocka_unit_test(the_reader_may_refuse),   cmocka_unit_test(progress_counts_and_stops),
		cmocka_unit_test(whole_numbers_are_exact), cmocka_unit_test(numbers_are_rounded_once),
		cmocka_unit_test(values_are_separated),    cmocka_unit_test(strings_become_numbers),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
