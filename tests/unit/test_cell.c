/* SPDX-License-Identifier: MIT */
/* test_cell.c - hostile text in cells, wide characters at edges, clipping, dumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ui/cell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct grid g;

static struct rect fresh(int w, int h)
{
	grid_release(&g);
	grid_init(&g, w, h);
	return grid_rect(&g);
}

static void shows(const char *want)
{
	struct buf b = BUF_INIT;
	grid_dump(&g, &b, false);
	assert_string_equal(b.s, want);
	buf_release(&b);
}

static void put(const char *text, const char *want, int columns)
{
	struct rect r = fresh(20, 1);
	assert_int_equal(rect_puts(r, 0, 0, STYLE_NORMAL, text), columns);
	assert_int_equal(text_width(text, strlen(text)), columns);
	shows(want);
}

static void hostile_text_becomes_cells(void **state)
{
	(void)state;
	put("plain", "plain\n", 5);
	put("a\033[2Jb", "a␛[2Jb\n", 6);
	put("a\nb\tc\rd", "a↵b␉c␍d\n", 7);
	put("\x7f\xc2\x9b!", "␡·!\n", 3);
	put("a\xff\xfe"
	    "b", "a\uFFFD\uFFFDb\n", 4);
	put("\xe2\x80\xaeright to left\xe2\x80\xac", "·right to left·\n", 15); /* override and its end */
	put("\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD\n", 3);                          /* a lone surrogate */
	put("\xef\xbb\xbfx", "·x\n", 2);
}

static void clusters_take_the_cells_they_are_given(void **state)
{
	(void)state;
	put("e\u0301x", "e\u0301x\n", 2);
	put("橋の下", "橋の下\n", 6);
	put("👨\u200d👩\u200d👧!", "👨!\n", 3);       /* a family: its first */
	put("👍🏽!", "👍!\n", 3);                   /* a skin tone */
	put("🇩🇪!", "DE!\n", 3);                  /* a flag */
	put("❤\ufe0f!", "❤!\n", 2);              /* a variation selector */
	put("\u0301x", "◌\u0301x\n", 2);         /* a mark without a base */
	put("\u1112\u1161\u11ab!", "\u1112\u1161\u11ab!\n", 3); /* Hangul of three parts */
}

static void a_storm_of_marks_is_cut(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	buf_addc(&b, 'a');
	for (int i = 0; i < 500; i++)
		buf_adds(&b, "\u0300");
	buf_addc(&b, 'b');
	put(b.s, "a\u0300\u0300\u0300b\n", 2);
	buf_release(&b);
}

static void wide_characters_are_never_halved(void **state)
{
	(void)state;
	struct rect r = fresh(5, 1);
	rect_puts(r, 0, 0, STYLE_NORMAL, "橋橋橋");
	shows("橋橋\n");
	rect_puts(r, 1, 0, STYLE_NORMAL, "x");
	shows(" x橋\n");
	rect_puts(r, 2, 0, STYLE_NORMAL, "y");
	shows(" xy\n");
	r = fresh(6, 1);
	rect_puts(r, 1, 0, STYLE_NORMAL, "橋");
	rect_puts(r, 0, 0, STYLE_NORMAL, "の"); /* over its left half */
	shows("の\n");
	r = fresh(4, 1);
	rect_puts(r, -1, 0, STYLE_NORMAL, "橋a"); /* half of it is outside */
	shows(" a\n");
}

static void long_text_is_cut_with_a_sign(void **state)
{
	(void)state;
	struct rect r = fresh(10, 1);
	assert_int_equal(rect_put_cut(r, 0, 0, 6, STYLE_NORMAL, "abcdef", 6), 6);
	shows("abcdef\n");
	r = fresh(10, 1);
	assert_int_equal(rect_put_cut(r, 0, 0, 6, STYLE_NORMAL, "abcdefg", 7), 6);
	shows("abcde>\n");
	r = fresh(10, 1);
	assert_int_equal(rect_put_cut(r, 0, 0, 6, STYLE_NORMAL, "ab橋橋橋", 11), 6);
	shows("ab橋 >\n");
	r = fresh(10, 1);
	assert_int_equal(rect_put_cut(r, 0, 0, 0, STYLE_NORMAL, "abc", 3), 0);
	shows("\n");
}

static void nothing_is_drawn_outside(void **state)
{
	(void)state;
	struct rect r = fresh(6, 3), in = rect_sub(r, 2, 1, 2, 1);
	rect_fill(r, 0, 0, 6, 3, STYLE_NORMAL, '.');
	rect_puts(in, -1, 0, STYLE_NORMAL, "abcdef");
	rect_puts(in, 0, 1, STYLE_NORMAL, "no");
	rect_puts(in, 0, -1, STYLE_NORMAL, "no");
	rect_fill(in, -5, -5, 99, 99, STYLE_DIM, '#');
	shows("......\n..##..\n......\n");
	rect_cursor(in, 2, 0);
	assert_false(g.cursor_shown);
	rect_cursor(in, 1, 0);
	assert_true(g.cursor_shown && g.cursor_x == 3 && g.cursor_y == 1);
	in = rect_sub(r, 50, 50, 3, 3);
	assert_int_equal(in.w, 0);
	rect_puts(in, 0, 0, STYLE_NORMAL, "x");
}

static void ascii_keeps_the_columns(void **state)
{
	(void)state;
	struct rect r = fresh(20, 1);
	g.ascii = true;
	rect_puts(r, 0, 0, STYLE_NORMAL, "é…橋▁█│─★e\u0301\033");
	shows("e~? _#|-*e^\n");
}

static void text_is_clipped_at_clusters(void **state)
{
	(void)state;
	int w;
	assert_int_equal(text_clip("ab橋", 5, 3, &w), 2);
	assert_int_equal(w, 2);
	assert_int_equal(text_clip("e\u0301e", 4, 1, &w), 3);
	assert_int_equal(text_cluster("👨\u200d👩x", 12), 11);
	assert_int_equal(text_clip("", 0, 3, &w), 0);
}

static void dumps_name_styles(void **state)
{
	(void)state;
	struct rect r = fresh(12, 2);
	struct buf b = BUF_INIT;
	rect_puts(r, 0, 0, STYLE_NORMAL, "a ");
	rect_puts(r, 2, 0, STYLE_PEAK, "peak");
	rect_puts(r, 0, 1, STYLE_ID, "#7");
	rect_attr(r, 1, 1, 1, ATTR_UNDERLINE | ATTR_CURSOR);
	grid_dump(&g, &b, true);
	assert_string_equal(b.s, "a \u27e6peak\u27e7\n#7\n");
	buf_clear(&b);
	grid_dump_attrs(&g, &b);
	assert_string_equal(b.s, "@0,2-5 peak\n@1,0-0 id\n@1,1-1 id+underline+cursor\n");
	buf_clear(&b);
	grid_dump_looks(&g, THEME_DARK, &b);
	assert_string_equal(b.s, "@0 2-5 16/215+bold\n@1 0-0 110/- 1-1 110/238+underline\n");
	buf_clear(&b);
	grid_dump_looks(&g, THEME_MONO, &b);
	assert_string_equal(b.s, "@0 2-5 -/-+bold+reverse\n@1 1-1 -/-+underline+reverse\n");
	buf_clear(&b);
	rect_puts(r, 0, 0, STYLE_NORMAL, "<&>");
	grid_dump_svg(&g, THEME_DARK, &b);
	assert_non_null(strstr(b.s, "&lt;&amp;&gt;"));
	assert_non_null(strstr(b.s, "</svg>"));
	buf_release(&b);
}

static void every_byte_string_is_drawn_within_its_columns(void **state)
{
	(void)state;
	u32 seed = 12345;
	for (int round = 0; round < 2000; round++) {
		char text[24];
		for (size_t i = 0; i < sizeof text; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = (char)(seed >> 24);
		}
		struct rect r = fresh(60, 1);
		int w = rect_put(r, 0, 0, -1, STYLE_NORMAL, text, sizeof text);
		assert_int_equal(w, text_width(text, sizeof text));
		for (int x = 0; x < 60; x++) {
			const struct cell *c = grid_at(&g, x, 0);
			assert_true(c->n <= CELL_MAX);
			for (int i = 0; i < c->n; i++)
				assert_true(c->cp[i] >= 0x20 && !(c->cp[i] >= 0x7f && c->cp[i] < 0xa0));
			assert_true(!c->wide || grid_at(&g, x + 1, 0)->n == 0);
		}
	}
}

static void heat_has_six_steps(void **state)
{
	(void)state;
	assert_int_equal(style_heat(0), STYLE_NORMAL);
	assert_int_equal(style_heat(-1), STYLE_NORMAL);
	assert_int_equal(style_heat(NAN), STYLE_NORMAL);
	assert_int_equal(style_heat(1e-6f), STYLE_HEAT1);
	assert_int_equal(style_heat(0.1f), STYLE_HEAT2);  /* 0.05 + 0.95 log10(1.9) = 0.315 */
	assert_int_equal(style_heat(0.25f), STYLE_HEAT4); /* 0.05 + 0.95 log10(3.25) = 0.536 */
	assert_int_equal(style_heat(0.5f), STYLE_HEAT5);  /* 0.05 + 0.95 log10(5.5) = 0.753 */
	assert_int_equal(style_heat(1), STYLE_HEAT6);
	assert_int_equal(style_heat(7), STYLE_HEAT6);
}

static void meanings_survive_without_colour(void **state)
{
	(void)state;
	static const enum style told_apart[] = {STYLE_HEAT1, STYLE_HEAT3, STYLE_HEAT5, STYLE_HEAT6};
	for (size_t i = 0; i + 1 < ARRAY_LEN(told_apart); i++)
		assert_int_not_equal(style_look(told_apart[i], THEME_MONO).attr,
				     style_look(told_apart[i + 1], THEME_MONO).attr);
	for (int s = 0; s < N_STYLES; s++) {
		struct look l = style_look((enum style)s, THEME_MONO);
		assert_true(l.fg == -1 && l.bg == -1);
	}
	/* what is reversed stands out of the reversed cursor row */
	u8 plain = style_cell_look(STYLE_NORMAL, ATTR_CURSOR, THEME_MONO).attr;
	u8 peak = style_cell_look(STYLE_PEAK, ATTR_CURSOR, THEME_MONO).attr;
	assert_true(plain & ATTR_REVERSE);
	assert_false(peak & ATTR_REVERSE);
	assert_int_equal(style_basic_colour(196), 1);
	assert_int_equal(style_basic_colour(46), 2);
	assert_int_equal(style_basic_colour(231), 7);
	assert_int_equal(style_basic_colour(16), 0);
}

static int release(void **state)
{
	(void)state;
	grid_release(&g);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_text_becomes_cells),
		cmocka_unit_test(clusters_take_the_cells_they_are_given),
		cmocka_unit_test(a_storm_of_marks_is_cut),
		cmocka_unit_test(wide_characters_are_never_halved),
		cmocka_unit_test(long_text_is_cut_with_a_sign),
		cmocka_unit_test(nothing_is_drawn_outside),
		cmocka_unit_test(ascii_keeps_the_columns),
		cmocka_unit_test(text_is_clipped_at_clusters),
		cmocka_unit_test(dumps_name_styles),
		cmocka_unit_test(every_byte_string_is_drawn_within_its_columns),
		cmocka_unit_test(heat_has_six_steps),
		cmocka_unit_test(meanings_survive_without_colour),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
