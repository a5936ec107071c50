/* SPDX-License-Identifier: MIT */
/* test_graph.c - growing and shrinking a neighbourhood, and paths through it. */
#include "core/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* A small world written by hand: each feature and whom it lists. */
struct world {
	u32 id;
	struct atlas_neighbour list[5];
	size_t n;
};
static const struct world world[] = {
	{1, {{2, 0.9f}, {3, 0.8f}, {4, 0.7f}}, 3},
	{2, {{1, 0.9f}, {3, 0.6f}, {5, 0.5f}}, 3},
	{3, {{1, 0.8f}, {2, 0.6f}, {6, 0.4f}}, 3},
	{4, {{1, 0.7f}, {7, 0.3f}}, 2},
	{5, {{2, 0.5f}, {6, 0.5f}}, 2},
	{6, {{8, 0.95f}, {5, 0.5f}, {3, 0.4f}}, 3},
	{7, {{4, 0.3f}, {8, 0.2f}}, 2},
	{8, {{6, 0.95f}}, 1},
	{9, {{1, 0.9f}, {2, 0.1f}}, 2}, /* listed by nobody */
};

static size_t near(void *context, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	(void)context;
	for (size_t i = 0; i < ARRAY_LEN(world); i++)
		if (world[i].id == feature) {
			size_t n = MIN(world[i].n, cap);
			for (size_t k = 0; k < n; k++)
				out[k] = world[i].list[k];
			return n;
		}
	return 0;
}

static const struct graph_source source = {near, NULL};

static void begins_with_the_nearest(void **state)
{
	(void)state;
	struct graph *g = graph_new(&source, 1, 2);
	assert_int_equal(graph_n_nodes(g), 3);
	assert_int_equal(graph_node(g, 0)->id, 1);
	assert_int_equal(graph_node(g, 0)->parent, GRAPH_NONE);
	assert_int_equal(graph_node(g, 0)->n_hidden, 1); /* 4 */
	assert_int_equal(graph_node(g, 1)->id, 2);
	assert_int_equal(graph_node(g, 2)->id, 3);
	assert_int_equal(graph_node(g, 2)->hop, 1);
	assert_int_equal(graph_n_edges(g), 3); /* 1-2, 1-3 by the tree, 2-3 by likeness */
	assert_true(graph_edge(g, 0)->tree);
	assert_false(graph_edge(g, 2)->tree);
	assert_true(graph_edge(g, 2)->weight == 0.6f);
	graph_free(g);
}

static void expands_and_collapses(void **state)
{
	(void)state;
	struct graph *g = graph_new(&source, 1, 2);
	assert_int_equal(graph_expand(g, graph_find(g, 3), 4), 1); /* 6; 1 and 2 are there */
	assert_int_equal(graph_expand(g, graph_find(g, 6), 1), 1); /* 8 */
	assert_int_equal(graph_node(g, graph_find(g, 8))->hop, 3);
	assert_int_equal(graph_expand(g, graph_find(g, 6), 4), 1); /* 5 */
	assert_int_equal(graph_expand(g, graph_find(g, 6), 4), 0);
	/* 5 stays pinned, and so do 6 and 3 that lead to it */
	graph_pin(g, graph_find(g, 5), true);
	assert_int_equal(graph_collapse(g, 0), 2); /* 2 and 8 */
	assert_int_equal(graph_n_nodes(g), 4);
	assert_int_equal(graph_find(g, 8), GRAPH_NONE);
	u32 five = graph_find(g, 5);
	assert_int_equal(graph_node(g, graph_node(g, five)->parent)->id, 6);
	assert_int_equal(graph_node(g, graph_node(g, graph_node(g, five)->parent)->parent)->id, 3);
	graph_pin(g, five, false);
	assert_int_equal(graph_collapse(g, 0), 3);
	assert_int_equal(graph_n_nodes(g), 1);
	assert_int_equal(graph_n_edges(g), 0);
	assert_int_equal(graph_node(g, 0)->n_hidden, 3);
	graph_free(g);
}

static void finds_the_cheapest_path(void **state)
{
	(void)state;
	u32 path[8];
	/* 1-3-6-8 costs .2 + .6 + .05 = .85; 1-2-5-6-8 1.15; 1-4-7-8 1.8 */
	assert_int_equal(graph_path(&source, 1, 8, 100, path, 8), 4);
	static const u32 want[] = {1, 3, 6, 8};
	assert_memory_equal(path, want, sizeof want);
	assert_int_equal(graph_path(&source, 1, 1, 100, path, 8), 1);
	assert_int_equal(graph_path(&source, 1, 9, 100, path, 8), 0);
	/* 2 is seen first at .9 and then, by way of 1, at .2 */
	assert_int_equal(graph_path(&source, 9, 2, 100, path, 8), 3);
	assert_int_equal(path[1], 1);
	assert_int_equal(graph_path(&source, 1, 8, 100, path, 3), 0); /* longer than asked */
	assert_int_equal(graph_path(&source, 1, 8, 2, path, 8), 0);   /* farther than allowed */
}

static void shows_a_path(void **state)
{
	(void)state;
	struct graph *g = graph_new(&source, 1, 1);
	static const u32 path[] = {1, 3, 6, 8};
	assert_int_equal(graph_show_path(g, path, 4), 4);
	assert_int_equal(graph_n_nodes(g), 5);
	u32 eight = graph_find(g, 8);
	assert_true(graph_node(g, eight)->on_path);
	assert_true(graph_node(g, eight)->score == 0.95f);
	assert_int_equal(graph_node(g, graph_node(g, eight)->parent)->id, 6);
	assert_false(graph_node(g, graph_find(g, 2))->on_path);
	assert_int_equal(graph_show_path(g, NULL, 0), 0);
	assert_false(graph_node(g, eight)->on_path);
	graph_free(g);
}

/* A ring of a thousand in which each lists its 24 neighbours: fuller than a graph may be. */
static size_t near_ring(void *context, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	(void)context;
	for (size_t k = 0; k < cap; k++)
		out[k] = (struct atlas_neighbour){(feature + (u32)k + 1) % 1000, 1.0f / (f32)(k + 2)};
	return cap;
}

static void stays_within_its_bounds(void **state)
{
	(void)state;
	struct graph_source ring = {near_ring, NULL};
	struct graph *g = graph_new(&ring, 990, 100);
	assert_int_equal(graph_n_nodes(g), 1 + GRAPH_LIST);
	for (u32 i = 0; i < graph_n_nodes(g); i++)
		graph_expand(g, i, 100);
	assert_int_equal(graph_n_nodes(g), GRAPH_MAX_NODES);
	assert_int_equal(graph_expand(g, 5, 10), 0);
	u32 path[1000];
	assert_true(graph_path(&ring, 0, 500, 1000, path, 1000) >= 500 / GRAPH_LIST);
	graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_the_nearest), cmocka_unit_test(expands_and_collapses),
		cmocka_unit_test(finds_the_cheapest_path), cmocka_unit_test(shows_a_path),
		cmocka_unit_test(stays_within_its_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
