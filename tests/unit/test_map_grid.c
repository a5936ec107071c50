/* SPDX-License-Identifier: MIT */
/* test_map_grid.c - windows and walks on a map against a look at every point. */
#include "base/mem.h"
#include "core/map_grid.h"
#include "core/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { N = 3000, W = 60, H = 40 };

static f32 xy[N][2];
static struct map_grid *grid;

/* Clumps, twins, and some points with no place. */
static int make(void **state)
{
	(void)state;
	for (u64 i = 0; i < N; i++) {
		xy[i][0] = (f32)(rand_unit(1 + i % 7, 0) + 0.1 * rand_normal(20, 2 * i));
		xy[i][1] = (f32)(0.7 * rand_unit(1 + i % 7, 1) + 0.1 * rand_normal(20, 2 * i + 1));
	}
	memcpy(xy[9], xy[8], sizeof xy[8]);
	xy[5][0] = NAN;
	xy[6][1] = INFINITY;
	struct err e = {0};
	grid = map_grid_of(&xy[0][0], N, &e);
	return grid ? 0 : -1;
}

static int drop(void **state)
{
	(void)state;
	map_grid_free(grid);
	return 0;
}

static struct map_window window(u64 seed)
{
	f64 size = 0.002 + 1.5 * rand_unit(seed, 2);
	return (struct map_window){2 * rand_unit(seed, 0) - 0.8, 1.6 * rand_unit(seed, 1) - 0.6, size / W,
				   size / H * (0.5 + rand_unit(seed, 3)), W, H};
}

static bool inside(const struct map_window *v, const f32 *p, int *x, int *y)
{
	f64 dx = floor(((f64)p[0] - v->x) / v->dot_w), dy = floor(((f64)p[1] - v->y) / v->dot_h);
	*x = (int)fmin(fmax(dx, -1), v->w);
	*y = (int)fmin(fmax(dy, -1), v->h);
	return isfinite(p[0]) && isfinite(p[1]) && *x >= 0 && *y >= 0 && *x < v->w && *y < v->h;
}

static u32 seen[N];

static void see(void *context, u32 point, f64 x, f64 y)
{
	(void)context;
	assert_true(x >= (f64)xy[point][0] && x <= (f64)xy[point][0] && y >= (f64)xy[point][1]);
	seen[point]++;
}

static void windows_hold_what_lies_in_them(void **state)
{
	(void)state;
	for (u64 seed = 100; seed < 160; seed++) {
		struct map_window v = window(seed);
		u32 got[H][W] = {0}, want[H][W] = {0}, total = 0;
		u64 work;
		int x, y;
		memset(seen, 0, sizeof seen);
		map_grid_count(grid, &v, &got[0][0], &work);
		map_grid_each(grid, &v, see, NULL);
		for (u32 i = 0; i < N; i++) {
			bool in = inside(&v, xy[i], &x, &y);
			if (in) {
				want[y][x]++;
				total++;
			}
			assert_int_equal(seen[i], in);
		}
		assert_true(map_grid_n_in(grid, &v) >= total);
		assert_true(work >= total);
		/* so few points are counted one by one; a division's rounding may move one on a dot's border */
		i32 off = 0;
		for (int k = 0; k < H * W; k++)
			off += abs((i32)got[k / W][k % W] - (i32)want[k / W][k % W]);
		assert_true(off <= 2);
	}
}

/* Many points in a few dots: by cells, all of them, and with little work. */
static void crowds_are_counted_by_cells(void **state)
{
	(void)state;
	enum { MANY = 400000, SIDE = 20 };
	f32 *many = xcalloc(2 * MANY, sizeof *many);
	for (u64 i = 0; i < 2 * MANY; i++)
		many[i] = (f32)rand_unit(77, i);
	struct err e = {0};
	struct map_grid *g = map_grid_of(many, MANY, &e);
	struct map_window v = {-0.025, -0.025, 1.05 / SIDE, 1.05 / SIDE, SIDE, SIDE};
	u32 got[SIDE][SIDE] = {0}, want[SIDE][SIDE] = {0}, total = 0, off = 0;
	u64 work;
	int x, y;
	map_grid_count(g, &v, &got[0][0], &work);
	for (u32 i = 0; i < MANY; i++)
		if (inside(&v, many + 2 * i, &x, &y))
			want[y][x]++;
	for (int k = 0; k < SIDE * SIDE; k++) {
		total += got[k / SIDE][k % SIDE];
		off += (u32)abs((i32)got[k / SIDE][k % SIDE] - (i32)want[k / SIDE][k % SIDE]);
	}
	assert_int_equal(total, MANY);
	assert_true(off < MANY / 5);
	assert_true(work < 64 * SIDE * SIDE * 4);
	map_grid_free(g);
	free(many);
}

static u32 nearest(const struct map_window *v, f64 x, f64 y, int dx, int dy, f64 least)
{
	u32 best = MAP_NONE;
	f64 cost = INFINITY;
	for (u32 i = 0; i < N; i++) {
		f64 ax = ((f64)xy[i][0] - x) / v->dot_w, ay = ((f64)xy[i][1] - y) / v->dot_h, c;
		if (!isfinite(ax) || !isfinite(ay))
			continue;
		f64 along = dx ? ax * dx : ay * dy, across = dx ? fabs(ay) : fabs(ax);
		if (!dx && !dy)
			c = ax * ax + ay * ay;
		else if (along < least || across > along)
			continue;
		else
			c = (along + across) * (along + across);
		if (c < cost) {
			cost = c;
			best = i;
		}
	}
	return best;
}

static void walks_go_to_the_nearest(void **state)
{
	(void)state;
	static const int directions[][2] = {{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}};
	for (u64 seed = 200; seed < 260; seed++) {
		struct map_window v = window(seed);
		f64 x = v.x + rand_unit(seed, 5) * W * v.dot_w, y = v.y + rand_unit(seed, 6) * H * v.dot_h;
		for (size_t k = 0; k < ARRAY_LEN(directions); k++) {
			int dx = directions[k][0], dy = directions[k][1];
			u32 got = dx || dy ? map_grid_toward(grid, &v, x, y, dx, dy, 2) : map_grid_near(grid, &v, x, y);
			assert_int_equal(got, nearest(&v, x, y, dx, dy, 2));
		}
	}
}

static void steps_reach_every_point(void **state)
{
	(void)state;
	u32 at = 0, n = 1;
	for (u32 to; (to = map_grid_step(grid, at, -1)) != MAP_NONE;)
		at = to;
	bool met[N] = {0};
	met[at] = true;
	for (u32 to; (to = map_grid_step(grid, at, 1)) != MAP_NONE; n++) {
		assert_false(met[to]);
		met[to] = true;
		at = to;
	}
	assert_int_equal(n, N - 2);
	assert_int_equal(map_grid_n(grid), N - 2);
	assert_int_equal(map_grid_step(grid, 5, 1), MAP_NONE);
	f64 x, y;
	assert_false(map_grid_at(grid, 6, &x, &y));
	assert_false(map_grid_at(grid, N, &x, &y));
	assert_true(map_grid_at(grid, 9, &x, &y) && x >= (f64)xy[8][0] && x <= (f64)xy[8][0]);
}

static void small_maps_are_maps(void **state)
{
	(void)state;
	static const f32 few[][2] = {{0.5f, 0.5f}, {0.5f, 0.5f}, {NAN, 0}};
	struct err e = {0};
	struct map_window v = {0, 0, 0.1, 0.1, 10, 10};
	for (u32 n = 0; n <= 3; n++) {
		struct map_grid *g = map_grid_of(&few[0][0], n, &e);
		u32 count[100] = {0};
		assert_non_null(g);
		map_grid_count(g, &v, count, NULL);
		assert_int_equal(count[55], MIN(n, 2));
		assert_int_equal(map_grid_near(g, &v, 0, 0), n ? 0 : MAP_NONE);
		assert_int_equal(map_grid_toward(g, &v, 0.5, 0.5, 1, 0, 0.5), MAP_NONE);
		assert_true(map_grid_box(g).w > 0 && map_grid_box(g).h > 0);
		map_grid_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_hold_what_lies_in_them), cmocka_unit_test(crowds_are_counted_by_cells),
		cmocka_unit_test(walks_go_to_the_nearest),        cmocka_unit_test(steps_reach_every_point),
		cmocka_unit_test(small_maps_are_maps),
	};
	return cmocka_run_group_tests(tests, make, drop);
}
