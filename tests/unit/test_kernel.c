/* SPDX-License-Identifier: MIT */
/* test_kernel.c - every kernel of this processor against products in f64. */
#include "base/half.h"
#include "base/mem.h"
#include "core/kernel.h"
#include "core/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { ROWS = 39, VECTORS = 13, MOST = 2304 };

struct numbers {
	size_t d, stride;
	f32 x[VECTORS][MOST];
	u16 *rows; /* [ROWS][stride] */
};

static void make(struct numbers *m, size_t d)
{
	m->d = d;
	m->stride = kernel_stride(d);
	m->rows = mem_try(ROWS * m->stride, sizeof *m->rows, "rows", NULL);
	for (size_t i = 0; i < ROWS; i++)
		for (size_t j = 0; j < d; j++)
			m->rows[i * m->stride + j] =
				f32_to_bf16((f32)(rand_normal(d, i * d + j) * pow(10, (f64)(i % 7) - 3)));
	for (size_t t = 0; t < VECTORS; t++)
		for (size_t j = 0; j < d; j++)
			m->x[t][j] = (f32)rand_normal(d + 1, t * d + j);
}

/* |w| |x| and w . x in f64. */
static f64 product(const struct numbers *m, size_t i, const f32 *x, f64 *lengths)
{
	f64 s = 0, w2 = 0, x2 = 0;
	for (size_t j = 0; j < m->d; j++) {
		f64 w = (f64)bf16_to_f32(m->rows[i * m->stride + j]);
		s += w * (f64)x[j];
		w2 += w * w;
		x2 += (f64)x[j] * (f64)x[j];
	}
	*lengths = sqrt(w2 * x2);
	return s;
}

static void *prepare(const struct kernel *k, const struct numbers *m, size_t first, size_t n)
{
	u8 *p = mem_try(n * m->stride, k->x_size, "vectors", NULL);
	for (size_t t = 0; t < n; t++)
		k->prepare(m->x[first + t], m->d, m->stride, p + t * m->stride * k->x_size);
	return p;
}

static void check_dots(const struct kernel *k, const struct numbers *m)
{
	static f32 c[VECTORS * ROWS], alone[ROWS];
	static u16 rounded[MOST];
	void *x = prepare(k, m, 0, VECTORS);
	memset(c, 0xff, sizeof c);
	k->dots(m->rows, m->stride, ROWS, x, VECTORS, c, ROWS);
	for (size_t t = 0; t < VECTORS; t++) {
		f64 x_off = k->rounds ? (f64)kernel_round(m->x[t], m->d, m->stride, rounded) : 0, x2 = 0;
		for (size_t j = 0; j < m->d; j++)
			x2 += (f64)m->x[t][j] * (f64)m->x[t][j];
		for (size_t i = 0; i < ROWS; i++) {
			f64 lengths, want = product(m, i, m->x[t], &lengths);
			f64 bound = lengths * ((f64)kernel_error(m->d) + x_off / sqrt(x2));
			assert_true(fabs((f64)c[t * ROWS + i] - want) <= bound);
		}
		/* one vector alone, all rows or some: the same products of those rows */
		void *one = prepare(k, m, t, 1);
		k->dots(m->rows, m->stride, ROWS, one, 1, alone, ROWS);
		for (size_t i = 0; i < ROWS; i++) {
			f64 lengths, want = product(m, i, m->x[t], &lengths);
			assert_true(fabs((f64)alone[i] - want) <=
				    lengths * ((f64)kernel_error(m->d) + x_off / sqrt(x2)));
		}
		for (size_t i = 0; i < ROWS; i += 5) {
			f32 single;
			k->dots(m->rows + i * m->stride, m->stride, 1, one, 1, &single, 1);
			assert_memory_equal(&single, alone + i, sizeof single);
		}
		free(one);
	}
	free(x);
}

static void check_tile(const struct kernel *k, const struct numbers *m)
{
	const u16 *a_row[KERNEL_M], *b_row[KERNEL_N];
	f32 c[KERNEL_M][KERNEL_N], wide[MOST];
	void *a = mem_try(m->stride * KERNEL_M, k->a_size, "a", NULL);
	u32 *b = mem_try(m->stride / 2 * KERNEL_N, sizeof *b, "b", NULL);
	for (size_t i = 0; i < KERNEL_M; i++)
		a_row[i] = i == 3 ? NULL : m->rows + (i + 20) * m->stride;
	for (size_t j = 0; j < KERNEL_N; j++)
		b_row[j] = j == 31 ? NULL : m->rows + j * m->stride;
	k->pack(a_row, m->stride, a);
	kernel_panel(b_row, m->stride, b);
	k->tile(m->stride, a, b, &c[0][0]);
	for (size_t i = 0; i < KERNEL_M; i++) {
		for (size_t j = 0; a_row[i] && j < m->d; j++)
			wide[j] = bf16_to_f32(a_row[i][j]);
		for (size_t j = 0; j < KERNEL_N; j++) {
			f64 lengths = 0, want = a_row[i] && b_row[j] ? product(m, j, wide, &lengths) : 0;
			assert_true(fabs((f64)c[i][j] - want) <= lengths * (f64)kernel_error(m->d));
		}
	}
	if (k->wide_tile) {
		f32 same[2][KERNEL_M][KERNEL_N], *b_wide = mem_try(m->stride * KERNEL_N, sizeof *b_wide, "b", NULL);
		kernel_tile(k, m->stride, a, b, b_wide, true, &same[0][0][0]);
		kernel_tile(k, m->stride, a, NULL, b_wide, false, &same[1][0][0]);
		assert_memory_equal(same[0], c, sizeof c);
		assert_memory_equal(same[1], c, sizeof c);
		free(b_wide);
	}
	free(a);
	free(b);
}

static void products_are_within_the_bound(void **state)
{
	(void)state;
	static const size_t widths[] = {1, 31, 32, 37, 64, 96, 576, 2304};
	size_t n;
	const struct kernel *const *k = kernel_all(&n);
	struct numbers *m = xcalloc(1, sizeof *m);
	for (size_t w = 0; w < ARRAY_LEN(widths); w++) {
		make(m, widths[w]);
		for (size_t i = 0; i < n; i++) {
			check_dots(k[i], m);
			check_tile(k[i], m);
		}
		free(m->rows);
	}
	free(m);
}

static f32 one_of_few(u64 stream, u64 i)
{
	static const f32 few[] = {-INFINITY, -1, 0, 0.5f, 1, INFINITY, NAN, 2};
	return few[rand_u64(stream, i) % ARRAY_LEN(few)];
}

/* Equal numbers, infinities and NaNs are among them. */
static void tiles_say_what_is_large_enough(void **state)
{
	(void)state;
	size_t n;
	const struct kernel *const *k = kernel_all(&n);
	f32 c[KERNEL_M][KERNEL_N], row[KERNEL_M], column[KERNEL_N];
	for (u64 round = 0; round < 300; round++) {
		u32 near = 0, over = 0, near_of[KERNEL_M] = {0}, over_of[KERNEL_M] = {0};
		for (u64 i = 0; i < KERNEL_M * KERNEL_N; i++)
			(&c[0][0])[i] = round % 2 ? one_of_few(1 + round, i) : (f32)rand_normal(1 + round, i);
		for (u64 i = 0; i < KERNEL_M; i++)
			row[i] = i % 3 ? INFINITY : round % 4 ? 2.5f : one_of_few(1000 + round, i + 1);
		for (u64 j = 0; j < KERNEL_N; j++)
			column[j] = round % 4 > 1 ? INFINITY : one_of_few(2000 + round, j);
		for (u32 i = 0; i < KERNEL_M; i++) {
			if (row[i] != row[i])
				row[i] = 1;
			for (u32 j = 0; j < KERNEL_N; j++) {
				if (column[j] != column[j])
					column[j] = 0.25f;
				near_of[i] |= (u32)(c[i][j] >= fminf(row[i], column[j])) << j;
				over_of[i] |= (u32)(c[i][j] + column[j] >= row[i]) << j;
			}
			near |= (u32)(near_of[i] != 0) << i;
			over |= (u32)(over_of[i] != 0) << i;
		}
		for (size_t t = 0; t < n; t++) {
			assert_int_equal(k[t]->near_tile(&c[0][0], row, column), near);
			assert_int_equal(k[t]->over_tile(&c[0][0], row, column), over);
			for (u32 i = 0; i < KERNEL_M; i++) {
				assert_int_equal(k[t]->near_row(c[i], row[i], column), near_of[i]);
				assert_int_equal(k[t]->over_row(c[i], row[i], column), over_of[i]);
			}
		}
	}
}

static void rounding_says_how_far_it_went(void **state)
{
	(void)state;
	static const f32 x[] = {1, 1.00390625f, -3.14159f, 0, 1e-30f, 1e30f};
	u16 out[32];
	memset(out, 0xff, sizeof out);
	assert_true(kernel_round(x, 1, 32, out) == 0);
	assert_int_equal(out[0], 0x3f80);
	for (int i = 1; i < 32; i++)
		assert_int_equal(out[i], 0);
	/* 1 + 2^-8 lies between 1 and 1 + 2^-7: even wins */
	f32 off = kernel_round(x, 3, 32, out);
	f64 third = fabs(-3.14159 - (f64)bf16_to_f32(out[2]));
	assert_int_equal(out[1], 0x3f80);
	assert_true((f64)off >= hypot(0.00390625, third) * 0.999999 && (f64)off <= hypot(0.00390625, third) * 1.00001);
}

static void one_is_chosen(void **state)
{
	(void)state;
	size_t n;
	const struct kernel *const *k = kernel_all(&n);
	assert_true(n >= 1 && !strcmp(k[0]->name, "plain"));
	for (size_t i = 0; i < n; i++)
		assert_ptr_equal(kernel_named(k[i]->name), k[i]);
	assert_null(kernel_named("none"));
	assert_ptr_equal(kernel_named(kernel_best()->name), kernel_best());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products_are_within_the_bound),
		cmocka_unit_test(tiles_say_what_is_large_enough),
		cmocka_unit_test(rounding_says_how_far_it_went),
		cmocka_unit_test(one_is_chosen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
