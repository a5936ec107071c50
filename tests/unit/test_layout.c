/* SPDX-License-Identifier: MIT */
/* test_layout.c - labels never overlap, never leave the area, and can all be walked to. */
#include "core/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Numerical Recipes' generator: the same graphs everywhere. */
static u32 next_random(u32 *s)
{
	*s = *s * 1664525u + 1013904223u;
	return *s >> 8;
}

/* Any feature's list is drawn from its id and the world's seed. */
static size_t near(void *context, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	u32 seed = *(u32 *)context, s = feature * 7919u + seed;
	size_t n = 1 + next_random(&s) % cap;
	u32 id = feature;
	for (size_t i = 0; i < n; i++) {
		id = (id + 1 + next_random(&s) % 40) % 500;
		if (id == feature)
			id = (id + 1) % 500;
		out[i] = (struct atlas_neighbour){id, 0.9f - 0.03f * (f32)i};
	}
	return n;
}

static struct graph *random_graph(u32 *seed, const struct graph_source *source, i32 *width)
{
	u32 s = *seed;
	struct graph *g = graph_new(source, next_random(&s) % 500, next_random(&s) % 14);
	u32 more = next_random(&s) % 6;
	for (u32 i = 0; i < more; i++)
		graph_expand(g, next_random(&s) % (u32)graph_n_nodes(g), next_random(&s) % 8);
	for (u32 i = 0; i < graph_n_nodes(g); i++)
		width[i] = 1 + (i32)(next_random(&s) % 40);
	return g;
}

static void check_boxes(const struct layout_box *b, size_t n, i32 w, i32 h)
{
	for (size_t i = 0; i < n; i++) {
		if (!b[i].w)
			continue;
		assert_true(b[i].x >= 0 && b[i].x + b[i].w <= w);
		assert_true(b[i].y >= 0 && b[i].y < h);
		for (size_t k = 0; k < i; k++) /* a column of air between two labels of a row */
			assert_true(!b[k].w || b[k].y != b[i].y || b[k].x > b[i].x + b[i].w ||
				    b[i].x > b[k].x + b[k].w);
	}
}

static size_t walked(u32 (*next)[4], size_t n, u32 from, u64 *bits)
{
	u32 todo[GRAPH_MAX_NODES];
	size_t n_todo = 1, reached = 0;
	todo[0] = from;
	*bits = (u64)1 << from;
	while (n_todo) {
		u32 at = todo[--n_todo];
		reached++;
		for (int d = 0; d < 4; d++) {
			u32 to = next[at][d];
			if (to == GRAPH_NONE || *bits >> to & 1)
				continue;
			assert_true(to < n);
			*bits |= (u64)1 << to;
			todo[n_todo++] = to;
		}
	}
	return reached;
}

static void check_walk(const struct layout_box *b, size_t n)
{
	u32 next[GRAPH_MAX_NODES][4];
	size_t placed = 0;
	layout_walk(b, n, next);
	for (size_t i = 0; i < n; i++)
		placed += b[i].w > 0;
	for (u32 i = 0; i < n; i++) {
		u64 bits;
		if (!b[i].w)
			continue;
		assert_int_equal(walked(next, n, i, &bits), placed);
		/* a step leads to its side */
		u32 l = next[i][LAYOUT_LEFT], r = next[i][LAYOUT_RIGHT];
		u32 u = next[i][LAYOUT_UP], d = next[i][LAYOUT_DOWN];
		assert_true(l == GRAPH_NONE || 2 * b[l].x + b[l].w < 2 * b[i].x + b[i].w);
		assert_true(r == GRAPH_NONE || 2 * b[r].x + b[r].w > 2 * b[i].x + b[i].w);
		assert_true(u == GRAPH_NONE || b[u].y < b[i].y);
		assert_true(d == GRAPH_NONE || b[d].y > b[i].y);
	}
}

static void any_graph_in_any_area(void **state)
{
	(void)state;
	static const struct {
		i32 w, h;
	} areas[] = {{80, 16}, {40, 5}, {200, 52}, {60, 12}, {120, 34}, {40, 2}, {7, 3}, {1, 1}, {23, 9}};
	for (u32 seed = 1; seed <= 60; seed++) {
		i32 width[GRAPH_MAX_NODES];
		struct graph_source source = {near, &seed};
		struct graph *g = random_graph(&seed, &source, width);
		size_t n = graph_n_nodes(g);
		for (size_t a = 0; a < ARRAY_LEN(areas); a++) {
			struct layout_box box[GRAPH_MAX_NODES], again[GRAPH_MAX_NODES];
			layout_graph(g, width, areas[a].w, areas[a].h, box);
			layout_graph(g, width, areas[a].w, areas[a].h, again);
			assert_memory_equal(box, again, n * sizeof *box);
			check_boxes(box, n, areas[a].w, areas[a].h);
			check_walk(box, n);
			assert_true(box[0].w > 0);
		}
		graph_free(g);
	}
}

static void a_dozen_fit_a_common_terminal(void **state)
{
	(void)state;
	for (u32 seed = 1; seed <= 60; seed++) {
		struct graph_source source = {near, &seed};
		struct graph *g = graph_new(&source, seed, 12);
		i32 width[GRAPH_MAX_NODES];
		struct layout_box box[GRAPH_MAX_NODES];
		for (u32 i = 0; i < graph_n_nodes(g); i++)
			width[i] = 24;
		layout_graph(g, width, 80, 16, box);
		for (u32 i = 0; i < graph_n_nodes(g); i++)
			assert_true(box[i].w >= 16);
		assert_true(box[0].y == 7 || box[0].y == 8); /* the centre is in the middle */
		assert_true(abs(box[0].x + box[0].w / 2 - 40) <= 1);
		layout_graph(g, width, 40, 6, box); /* what is left of 40x10 */
		for (u32 i = 0; i < graph_n_nodes(g); i++)
			assert_true(box[i].w >= LAYOUT_MIN_WIDTH);
		graph_free(g);
	}
}

/* Drawn by hand: the steps a person expects. */
static void steps_go_where_one_looks(void **state)
{
	(void)state;
	/*          1
	 *   2    0    3
	 *     4    5      */
	static const struct layout_box box[] = {{10, 2, 4}, {10, 0, 4}, {3, 2, 4},
						 {15, 2, 4}, {5, 4, 4},	 {10, 4, 4}};
	u32 next[6][4];
	layout_walk(box, 6, next);
	assert_int_equal(next[0][LAYOUT_UP], 1);
	assert_int_equal(next[0][LAYOUT_LEFT], 2);
	assert_int_equal(next[0][LAYOUT_RIGHT], 3);
	assert_int_equal(next[0][LAYOUT_DOWN], 5);
	assert_int_equal(next[2][LAYOUT_DOWN], 4);
	assert_int_equal(next[4][LAYOUT_RIGHT], 5);
	assert_int_equal(next[1][LAYOUT_DOWN], 0);
	assert_int_equal(next[3][LAYOUT_RIGHT], GRAPH_NONE);
}

/* Two far apart in a row with a nearer one between rows: nothing may be cut off. */
static void nothing_is_cut_off(void **state)
{
	(void)state;
	for (u32 seed = 1; seed <= 400; seed++) {
		struct layout_box box[12];
		u32 s = seed;
		size_t n = 0;
		while (n < 12) {
			struct layout_box b = {(i32)(next_random(&s) % 60), (i32)(next_random(&s) % 8), 3};
			bool clear = true;
			for (size_t i = 0; i < n; i++)
				clear = clear && (box[i].y != b.y || abs(box[i].x - b.x) > 3);
			if (clear)
				box[n++] = b;
		}
		check_walk(box, 12);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_graph_in_any_area),
		cmocka_unit_test(a_dozen_fit_a_common_terminal),
		cmocka_unit_test(steps_go_where_one_looks),
		cmocka_unit_test(nothing_is_cut_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
