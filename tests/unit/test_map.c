/* SPDX-License-Identifier: MIT */
/* test_map.c - start, weights, layout, clusters, names and file of the map. */
#include "base/mem.h"
#include "base/outfile.h"
#include "core/map.h"
#include "core/rand.h"
#include "core/verify.h"
#include "io/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { N = 240, D = 12, K = 8, GROUPS = 8 };

static struct safetensors *golden;
static f32 rows[N][D], score[N][K];
static u32 id[N][K];
static struct map_graph graph = {N, K, &id[0][0], &score[0][0]};

static int open_golden(void **state)
{
	(void)state;
	struct err e = {0};
	char *path = xasprintf("%s/golden/map.safetensors", getenv("TESTS_DIR"));
	golden = safetensors_open(path, &e);
	free(path);
	if (!golden)
		return -1;
	tensor_get_f32(safetensors_find(golden, "rows"), 0, N * D, &rows[0][0]);
	tensor_get_f32(safetensors_find(golden, "neighbour_score"), 0, N * K, &score[0][0]);
	for (u64 i = 0; i < N * K; i++)
		id[i / K][i % K] = (u32)tensor_u64(safetensors_find(golden, "neighbour_id"), i);
	return 0;
}

static int close_golden(void **state)
{
	(void)state;
	safetensors_free(golden);
	return 0;
}

static void get_row(void *context, u64 row, f32 *out)
{
	(void)context;
	memcpy(out, rows[row], sizeof rows[row]);
}

static const struct map_rows all_rows = {N, D, get_row, NULL};

static void start_is_principal_components(void **state)
{
	(void)state;
	struct err e = {0};
	f32 xy[N][2];
	const struct tensor *want = safetensors_find(golden, "component");
	assert_int_equal(map_start(&all_rows, NULL, &xy[0][0], NULL, &e), 0);
	for (u64 i = 0; i < N * 2; i++)
		assert_float_equal(xy[i / 2][i % 2], tensor_f32(want, i), 2e-6);
}

static void weights_are_the_fuzzy_union(void **state)
{
	(void)state;
	struct err e = {0};
	struct map_edges m;
	const struct tensor *want = safetensors_find(golden, "weight");
	static f32 dense[N][N];
	assert_int_equal(map_edges_new(&graph, NULL, &m, &e), 0);
	for (u64 i = 0; i < N; i++)
		for (u64 t = m.start[i]; t < m.start[i + 1]; t++) {
			assert_true(dense[i][m.to[t]] == 0); /* each edge once */
			dense[i][m.to[t]] = m.weight[t];
		}
	for (u64 i = 0; i < N * N; i++)
		assert_float_equal(dense[i / N][i % N], tensor_f32(want, i), 2e-4);
	map_edges_release(&m);
}

static void lay_out(unsigned threads, u64 seed, u32 epochs, f32 *xy)
{
	struct err e = {0};
	struct pool *pool = pool_new(threads);
	struct map_edges m;
	assert_int_equal(map_edges_new(&graph, pool, &m, &e), 0);
	assert_int_equal(map_start(&all_rows, pool, xy, NULL, &e), 0);
	assert_int_equal(map_layout(&m, seed, epochs, pool, xy, NULL, &e), 0);
	map_edges_release(&m);
	pool_free(pool);
}

static void layout_is_the_same_for_any_threads(void **state)
{
	(void)state;
	static f32 one[N][2], other[N][2];
	lay_out(1, 5, 101, &one[0][0]);
	for (unsigned threads = 2; threads <= 5; threads++) {
		lay_out(threads, 5, 101, &other[0][0]);
		assert_memory_equal(one, other, sizeof one);
	}
	lay_out(2, 6, 101, &other[0][0]);
	assert_memory_not_equal(one, other, sizeof one);
}

static void layout_keeps_neighbours(void **state)
{
	(void)state;
	struct err e = {0};
	static f32 start[N][2], xy[N][2], drawn[N][2];
	assert_int_equal(map_start(&all_rows, NULL, &start[0][0], NULL, &e), 0);
	lay_out(2, 1, MAP_EPOCHS, &xy[0][0]);
	for (u64 i = 0; i < N * 2; i++)
		drawn[i / 2][i % 2] = (f32)rand_unit(3, i);
	f64 by_map = map_preserved(&graph, &xy[0][0], NULL), by_start = map_preserved(&graph, &start[0][0], NULL);
	f64 by_chance = map_preserved(&graph, &drawn[0][0], NULL);
	assert_true(by_map > 0.5);
	assert_true(by_map > 1.2 * by_start);
	assert_true(by_start > 3 * by_chance);
	assert_true(by_chance < 0.1);
}

static void layout_lies_flat_in_its_frame(void **state)
{
	(void)state;
	static f32 xy[N][2];
	f32 low[2] = {9, 9}, high[2] = {-9, -9};
	f64 mean[2] = {0}, across = 0, spread[2] = {0};
	lay_out(2, 1, 50, &xy[0][0]);
	for (int i = 0; i < N; i++)
		for (int k = 0; k < 2; k++) {
			low[k] = fminf(low[k], xy[i][k]);
			high[k] = fmaxf(high[k], xy[i][k]);
			mean[k] += (f64)xy[i][k] / N;
		}
	for (int i = 0; i < N; i++) {
		f64 a = (f64)xy[i][0] - mean[0], b = (f64)xy[i][1] - mean[1];
		across += a * b;
		spread[0] += a * a;
		spread[1] += b * b;
	}
	assert_float_equal(low[0], 0, 1e-6);
	assert_float_equal(low[1], 0, 1e-6);
	assert_float_equal(fmaxf(high[0], high[1]), 1, 1e-6);
	assert_true(spread[0] >= spread[1]);
	assert_true(fabs(across) < 1e-3 * spread[0]);
}

static void the_lonely_stand_in_a_row_below(void **state)
{
	(void)state;
	u32 few_id[6] = {1, 0, 1, MAP_NONE, MAP_NONE, 0};
	f32 few_score[6] = {.9f, .9f, .5f, 0, 0, .4f}, xy[12] = {0, 0, 1, 0, 0, 1, 5, 5, -7, 3, .5f, .5f};
	struct map_graph g = {6, 1, few_id, few_score};
	struct map_edges m;
	struct err e = {0};
	assert_int_equal(map_edges_new(&g, NULL, &m, &e), 0);
	assert_int_equal(map_layout(&m, 1, 10, NULL, xy, NULL, &e), 0);
	assert_float_equal(xy[6], 0.25f, 1e-6);
	assert_float_equal(xy[8], 0.75f, 1e-6);
	assert_true(xy[7] >= xy[9] && xy[7] <= xy[9]);
	for (int i = 0; i < 6; i++)
		assert_true(i == 3 || i == 4 || xy[2 * i + 1] < xy[7]);
	map_edges_release(&m);
}

static void cancelled_work_says_so(void **state)
{
	(void)state;
	struct err e = {0};
	struct progress p = {0};
	struct map_edges m;
	static f32 xy[N][2];
	u32 a[N], b[N], n_a, n_b;
	assert_int_equal(map_edges_new(&graph, NULL, &m, &e), 0);
	progress_cancel(&p);
	assert_int_equal(map_start(&all_rows, NULL, &xy[0][0], &p, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	e = (struct err){0};
	assert_int_equal(map_layout(&m, 1, 100, NULL, &xy[0][0], &p, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	e = (struct err){0};
	assert_int_equal(map_clusters(&m, a, b, &n_a, &n_b, &p, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	map_edges_release(&m);
}

/* Groups of 40, 30, 20 points in a ring of five neighbours each, joined by one weak edge, and two
 * that have only each other. */
static void clusters_are_those_planted(void **state)
{
	(void)state;
	enum { P = 92, Q = 5 };
	static const u32 first[] = {0, 40, 70, 90, 92};
	u32 near[P][Q], cluster[P], part[P], n_clusters, n_parts;
	f32 cosine[P][Q];
	for (u32 g = 0; g < 4; g++)
		for (u32 i = first[g]; i < first[g + 1]; i++)
			for (u32 k = 0; k < Q; k++) {
				u32 n = first[g + 1] - first[g];
				near[i][k] = k + 1 < n ? first[g] + (i - first[g] + k + 1) % n : MAP_NONE;
				cosine[i][k] = 0.8f - 0.01f * (f32)k;
			}
	near[0][4] = 45;
	cosine[0][4] = 0.1f;
	struct map_graph g = {P, Q, &near[0][0], &cosine[0][0]};
	struct map_edges m;
	struct err e = {0};
	assert_int_equal(map_edges_new(&g, NULL, &m, &e), 0);
	assert_int_equal(map_clusters(&m, cluster, part, &n_clusters, &n_parts, NULL, &e), 0);
	assert_true(n_parts >= n_clusters);
	for (u32 i = 0; i < P; i++) {
		assert_true(cluster[i] == MAP_NONE || cluster[i] < n_clusters);
		assert_true(part[i] == MAP_NONE || part[i] < n_parts);
		for (u32 j = 0; j < P; j++) {
			if (cluster[i] == cluster[j] && cluster[i] != MAP_NONE)
				assert_true((i < 40) == (j < 40) && (i < 70) == (j < 70));
			if (part[i] == part[j] && part[i] != MAP_NONE)
				assert_int_equal(cluster[i], cluster[j]);
		}
	}
	assert_int_equal(cluster[90], MAP_NONE);
	assert_int_equal(cluster[91], MAP_NONE);
	u32 size[P] = {0};
	for (u32 i = 0; i < 90; i++)
		size[cluster[i]]++;
	for (u32 c = 1; c < n_clusters; c++)
		assert_true(size[c - 1] >= size[c]);
	map_edges_release(&m);
}

static void clusters_of_the_golden_rows(void **state)
{
	(void)state;
	struct map_edges m;
	struct err e = {0};
	u32 cluster[N], part[N], n_clusters, n_parts;
	assert_int_equal(map_edges_new(&graph, NULL, &m, &e), 0);
	assert_int_equal(map_clusters(&m, cluster, part, &n_clusters, &n_parts, NULL, &e), 0);
	/* the groups are well apart: no cluster mixes two */
	for (u32 i = 0; i < N; i++)
		for (u32 j = 0; j < N; j++)
			if (cluster[i] == cluster[j])
				assert_int_equal(i % GROUPS, j % GROUPS);
	map_edges_release(&m);
}

static const char *const texts[] = {
	"bridges over rivers", "the word \"bridge\"", "a bridge, or Bridges", "rivers and bridge",
	"bread and butter",    "bread: recipe",       "baking bread",         "butter, recipe",
	"of the and",          "",                    "\xff\xfe bad \xe2\x80\xae", "Br\xc3\xbc" "cke br\xc3\xbc" "cke",
};

static void text_of(void *context, u32 i, struct buf *out)
{
	(void)context;
	buf_adds(out, texts[i]);
}

static void names_are_common_words(void **state)
{
	(void)state;
	static const u32 group[] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2};
	struct map_texts t = {ARRAY_LEN(texts), text_of, NULL};
	struct buf names = BUF_INIT;
	map_names(&t, group, 3, &names);
	const char *s = names.s;
	assert_true(strstr(s, "bridge") && strstr(s, "rivers") && !strstr(s, "the") && !strstr(s, "word"));
	assert_true(!strstr(s, "bridges")); /* one word to a name */
	s += strlen(s) + 1;
	assert_true(strstr(s, "bread") == s && strstr(s, "recipe") && !strstr(s, "and"));
	s += strlen(s) + 1;
	assert_string_equal(s, ""); /* nothing twice: twice in one text counts once */
	assert_int_equal(names.n, (size_t)(s + 1 - names.s));
	buf_release(&names);
}

static void say(void *context, const char *sentence)
{
	snprintf(context, 200, "%s", sentence);
}

static void file_comes_back(void **state)
{
	(void)state;
	char folder[] = "/tmp/test_map.XXXXXX", said[200] = "";
	struct err e = {0};
	f32 xy[] = {0, 0, .5f, 1, 1, .25f};
	u32 cluster[] = {0, 1, MAP_NONE}, part[] = {0, 2, MAP_NONE};
	struct buf names = BUF_INIT, parts = BUF_INIT;
	buf_add(&names, "one\0two", 8);
	buf_add(&parts, "a\0\0ccc", 7);
	struct map_parts m = {3, xy, cluster, part, 2, 3, &names, &parts};
	assert_non_null(mkdtemp(folder));
	char *path = xasprintf("%s/map.safetensors", folder);
	assert_int_equal(map_write(path, &m, "u", "b", &e), 0);
	struct safetensors *s = safetensors_open(path, &e);
	assert_null(map_open(s, 4, &e)); /* of another dictionary */
	assert_int_equal(e.code, ERR_DAMAGED);
	struct map *map = map_open(s, 3, &e);
	assert_non_null(map);
	f32 at[2];
	assert_true(map_xy(map, 1, at) && at[0] < .6f && at[1] > .9f);
	assert_int_equal(map_n_clusters(map), 2);
	assert_int_equal(map_n_parts(map), 3);
	assert_int_equal(map_cluster(map, 1), 1);
	assert_int_equal(map_part(map, 1), 2);
	assert_int_equal(map_cluster(map, 2), MAP_NONE);
	struct span n = map_cluster_name(map, 1);
	assert_true(n.n == 3 && !memcmp(n.p, "two", 3));
	n = map_part_name(map, 2);
	assert_true(n.n == 3 && !memcmp(n.p, "ccc", 3));
	assert_int_equal(map_part_name(map, 1).n, 0);
	assert_int_equal(map_part_name(map, 99).n, 0);
	struct verify v = {.say = say, .context = said, .n_features = 3, .n_vocab = UINT32_MAX};
	verify_map(&v, s);
	assert_int_equal(v.n_faults, 0);
	map_free(map);
	safetensors_free(s);
	unlink(path);

	xy[3] = NAN;
	cluster[0] = 7;
	names.s[1] = '\n';
	assert_int_equal(map_write(path, &m, "u", "b", &e), 0);
	s = safetensors_open(path, &e);
	assert_non_null(map = map_open(s, 3, &e));
	assert_false(map_xy(map, 1, at));
	assert_int_equal(map_cluster(map, 0), MAP_NONE);
	verify_map(&v, s);
	assert_int_equal(v.n_faults, 3);
	map_free(map);
	safetensors_free(s);
	unlink(path);
	rmdir(folder);
	free(path);
	buf_release(&names);
	buf_release(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_is_principal_components),
		cmocka_unit_test(weights_are_the_fuzzy_union),
		cmocka_unit_test(layout_is_the_same_for_any_threads),
		cmocka_unit_test(layout_keeps_neighbours),
		cmocka_unit_test(layout_lies_flat_in_its_frame),
		cmocka_unit_test(the_lonely_stand_in_a_row_below),
		cmocka_unit_test(cancelled_work_says_so),
		cmocka_unit_test(clusters_are_those_planted),
		cmocka_unit_test(clusters_of_the_golden_rows),
		cmocka_unit_test(names_are_common_words),
		cmocka_unit_test(file_comes_back),
	};
	return cmocka_run_group_tests(tests, open_golden, close_golden);
}
