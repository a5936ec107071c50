/* SPDX-License-Identifier: MIT */
/* test_words.c - wrapping, repetition, differences of running text. */
#include "ui/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *drawn(const char *text, int w, int h, size_t skip)
{
	struct grid g = {0};
	struct buf out = BUF_INIT;
	grid_init(&g, w, h);
	grid_clear(&g);
	words_draw(&(struct words){text, strlen(text), NULL, STYLE_NORMAL, NULL}, grid_rect(&g), skip);
	grid_dump(&g, &out, false);
	grid_release(&g);
	while (out.n && out.s[out.n - 1] == '\n')
		out.s[--out.n] = 0;
	return buf_take(&out);
}

static void check(const char *text, int w, int h, size_t skip, const char *want)
{
	char *got = drawn(text, w, h, skip);
	assert_string_equal(got, want);
	free(got);
}

static void wraps_at_words(void **state)
{
	(void)state;
	check("the long way home", 8, 4, 0, "the long\nway home");
	check("the long way home", 7, 4, 0, "the\nlong\nway\nhome");
	check("incomprehensible", 6, 4, 0, "incomp\nrehens\nible");
	check("a\n\nb c", 8, 4, 0, "a\n\nb c");
	check("one two three four", 5, 2, 1, "two\nthree");
	check("", 5, 2, 0, "");
	/* a wide character is never halved */
	check("\xe6\x9c\xa8\xe6\x9c\xa8\xe6\x9c\xa8", 5, 3, 0, "\xe6\x9c\xa8\xe6\x9c\xa8\n\xe6\x9c\xa8");
	struct words w = {"one two three four", 18, NULL, STYLE_NORMAL, NULL};
	assert_int_equal(words_lines(&w, 5), 4);
	assert_int_equal(words_lines(&w, 1), 15); /* letter by letter, blanks gone */
	assert_int_equal(words_lines(&(struct words){"", 0, NULL, STYLE_NORMAL, NULL}, 9), 1);
}

static void styles_follow_the_bytes(void **state)
{
	(void)state;
	struct grid g = {0};
	u8 style[7] = {0, 0, 0, STYLE_HEAT3, STYLE_HEAT3, STYLE_HEAT3, STYLE_HEAT3};
	grid_init(&g, 4, 2);
	grid_clear(&g);
	words_draw(&(struct words){"ab cdef", 7, style, STYLE_NORMAL, NULL}, grid_rect(&g), 0);
	assert_int_equal(grid_at(&g, 0, 0)->style, STYLE_NORMAL);
	assert_int_equal(grid_at(&g, 0, 1)->style, STYLE_HEAT3);
	assert_int_equal(grid_at(&g, 3, 1)->cp[0], 'f');
	u8 attr[7] = {0, 0, 0, 0, 0, ATTR_BOLD, 0};
	words_draw(&(struct words){"ab cdef", 7, style, STYLE_NORMAL, attr}, grid_rect(&g), 0);
	assert_int_equal(grid_at(&g, 1, 1)->attr, 0);
	assert_int_equal(grid_at(&g, 2, 1)->attr, ATTR_BOLD);
	assert_int_equal(grid_at(&g, 2, 1)->style, STYLE_HEAT3);
	assert_int_equal(grid_at(&g, 3, 1)->attr, 0);
	grid_release(&g);
}

static void counts_repetition(void **state)
{
	(void)state;
	assert_true(words_repetition("a b c", 5) == 0.0);
	assert_true(words_repetition("a b c d e f", 11) == 0.0);
	const char *three = "a b c x a b c y"; /* three words again are not four */
	assert_true(words_repetition(three, strlen(three)) == 0.0);
	/* abcd bcda cdab dabc abcd: the last of five stood before */
	const char *s = "a b c d a b c d";
	assert_true(words_repetition(s, strlen(s)) == 0.2);
}

static void finds_the_first_difference(void **state)
{
	(void)state;
	assert_int_equal(words_first_difference("a b c", 5, "a b  c", 6), 0);
	assert_int_equal(words_first_difference("a b c", 5, "a x c", 5), 2);
	assert_int_equal(words_first_difference("a b", 3, "a b c", 5), 3);
	assert_int_equal(words_first_difference("", 0, "a", 1), 1);
}

static void marks_what_is_new(void **state)
{
	(void)state;
	static const char a[] = "the cat sat on the mat", b[] = "the dog sat on a mat now";
	bool changed[sizeof b];
	words_diff(a, strlen(a), b, strlen(b), changed);
	char got[sizeof b] = "";
	for (size_t i = 0; i < strlen(b); i++)
		got[i] = changed[i] ? '^' : ' ';
	assert_string_equal(got, "    ^^^        ^     ^^^");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wraps_at_words), cmocka_unit_test(styles_follow_the_bytes),
		cmocka_unit_test(counts_repetition), cmocka_unit_test(finds_the_first_difference),
		cmocka_unit_test(marks_what_is_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
