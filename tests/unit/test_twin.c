/* SPDX-License-Identifier: MIT */
/* test_twin.c - who writes what another only detects, in a world written by hand. */
#include "core/twin.h"

#include "core/run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { F = 8 };

static const struct one {
	f32 detects, writes;
	u32 words[6];
	size_t n;
	struct atlas_neighbour near[2];
	size_t n_near;
} world[F] = {
	/* 0 detects planets; 1 writes them; 2 writes more, of something else; 3 shares two words and is no neighbour */
	{0.9f, 0.001f, {1, 2, 3, 4, 5, 6}, 6, {{2, 0.9f}, {4, 0.2f}}, 2},
	{0.2f, 0.05f, {6, 5, 4, 77}, 4, {{0}}, 0},
	{0.3f, 0.5f, {6, 101, 102}, 3, {{0}}, 0},
	{0.4f, 0.4f, {5, 6, 103}, 3, {{0}}, 0},
	/* a neighbour with two words of it */
	{0.1f, 0.06f, {1, 6, 104}, 3, {{0}}, 0},
	/* no words: by cosine */
	{NAN, NAN, {0}, 0, {{6, 0.31f}, {2, 0.29f}}, 2},
	{0.5f, 0.01f, {105}, 1, {{0}}, 0},
	/* alone, and nobody about it writes */
	{0.7f, 0.004f, {201, 202, 203}, 3, {{0}}, 0},
};

/* In place of atlas.c's. */
void atlas_scores(const struct atlas *a, u32 feature, struct atlas_scores *out)
{
	(void)a;
	*out = (struct atlas_scores){world[feature].detects, NAN, world[feature].writes, NAN};
}

size_t atlas_neighbours(const struct atlas *a, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	(void)a;
	size_t n = MIN(world[feature].n_near, cap);
	memcpy(out, world[feature].near, n * sizeof *out);
	return n;
}

size_t atlas_topic_words(const struct atlas *a, u32 feature, u32 *tokens, size_t cap)
{
	(void)a;
	size_t n = MIN(world[feature].n, cap);
	memcpy(tokens, world[feature].words, n * sizeof *tokens);
	return n;
}

static void writer_of_a_detector(void **state)
{
	(void)state;
	struct atlas a = {.n_features = F};
	struct twins t;
	twin_find(&a, 0, &t);
	assert_true(t.known && t.only_detects);
	assert_int_equal(t.detector, 0); /* itself */
	assert_true(t.detects == 0.9f);
	assert_int_equal(t.writer, 4); /* not 2, one word; not 3, two words and no neighbour */
	assert_true(t.writes == 0.06f);
	assert_int_equal(t.writer_words, 2);
	twin_find(&a, 1, &t); /* shares three of four with 0 */
	assert_false(t.only_detects);
	assert_int_equal(t.writer, 1);
	assert_int_equal(t.detector, 0);
	assert_int_equal(t.detector_words, 3);
}

static void too_many_to_scan(void **state)
{
	(void)state;
	struct atlas a = {.n_features = TWIN_SCAN + 1};
	struct twins t;
	twin_find(&a, 1, &t); /* it lists no neighbour */
	assert_int_equal(t.detector, 1);
	twin_find(&a, 0, &t);
	assert_int_equal(t.writer, 4);
}

static void without_words(void **state)
{
	(void)state;
	struct atlas a = {.n_features = F};
	struct twins t;
	twin_find(&a, 5, &t);
	assert_false(t.known);
	assert_false(t.only_detects);
	assert_int_equal(t.writer, 6); /* 2 is too far */
	assert_int_equal(t.detector, 6);
	twin_find(&a, 7, &t);
	assert_true(t.only_detects);
	assert_int_equal(t.writer, NO_FEATURE);
	assert_int_equal(t.detector, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(writer_of_a_detector), cmocka_unit_test(too_many_to_scan),
					   cmocka_unit_test(without_words)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
