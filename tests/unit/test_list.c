/* SPDX-License-Identifier: MIT */
/* test_list.c - the cursor of a list of any length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ui/list.h"

static void is(const struct list *l, u64 at, u64 top)
{
	assert_int_equal(l->at, at);
	assert_int_equal(l->top, top);
}

static void it_scrolls_as_little_as_it_can(void **state)
{
	(void)state;
	struct list l = {0};
	list_resize(&l, 100, 10);
	is(&l, 0, 0);
	list_move(&l, 9);
	is(&l, 9, 0);
	list_move(&l, 1);
	is(&l, 10, 1);
	list_move(&l, -9);
	is(&l, 1, 1);
	list_move(&l, -1);
	is(&l, 0, 0);
	list_go(&l, 1000);
	is(&l, 99, 90);
	list_move(&l, -1000);
	is(&l, 0, 0);
}

static void pages_move_window_and_cursor(void **state)
{
	(void)state;
	struct list l = {0};
	list_resize(&l, 100, 10);
	list_move(&l, 3);
	list_scroll(&l, 9);
	is(&l, 12, 9);
	list_scroll(&l, 200);
	is(&l, 99, 90);
	list_scroll(&l, -9);
	is(&l, 90, 81);
	list_scroll(&l, -1000);
	is(&l, 0, 0);
	list_go(&l, 50);
	list_centre(&l);
	is(&l, 50, 45);
	list_go(&l, 2);
	list_centre(&l);
	is(&l, 2, 0);
}

static void short_empty_and_shrinking_lists_hold(void **state)
{
	(void)state;
	struct list l = {0};
	list_resize(&l, 0, 10);
	list_move(&l, 5);
	list_scroll(&l, 5);
	is(&l, 0, 0);
	list_resize(&l, 3, 10);
	list_scroll(&l, 9);
	is(&l, 2, 0);
	list_resize(&l, 100, 10);
	list_go(&l, 99);
	list_resize(&l, 20, 10);
	is(&l, 19, 10);
	list_resize(&l, 20, 40);
	is(&l, 19, 0);
	list_resize(&l, 20, 0);
	is(&l, 19, 19);
}

static void millions_cost_nothing(void **state)
{
	(void)state;
	struct list l = {0};
	list_resize(&l, 34000000, 50);
	list_go(&l, 33999999);
	is(&l, 33999999, 33999950);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_scrolls_as_little_as_it_can),
		cmocka_unit_test(pages_move_window_and_cursor),
		cmocka_unit_test(short_empty_and_shrinking_lists_hold),
		cmocka_unit_test(millions_cost_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
