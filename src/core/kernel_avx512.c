/* SPDX-License-Identifier: MIT */
/* kernel_avx512.c - products of bf16 rows sixteen at a time: widened to f32, or by vdpbf16ps. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif
#include "core/kernel_impl.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")))
#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")))
#define INLINE static inline __attribute__((always_inline))

/* AHEAD: numbers, that memory is asked for while these are worked on */
enum { ROWS = 4 /* of a block */, AHEAD = 1024, AHEAD_ROUND = 2048 };

/* ---- what a tile holds ---- */

AVX512 INLINE u32 at_least(__m512 low, __m512 high, __m512 x, __m512 y)
{
	return (u32)_mm512_cmp_ps_mask(low, x, _CMP_GE_OQ) | (u32)_mm512_cmp_ps_mask(high, y, _CMP_GE_OQ) << 16;
}

AVX512 static u32 near_row(const f32 *c, f32 row, const f32 *column)
{
	__m512 x = _mm512_set1_ps(row);
	return at_least(_mm512_loadu_ps(c), _mm512_loadu_ps(c + 16), _mm512_min_ps(x, _mm512_loadu_ps(column)),
			_mm512_min_ps(x, _mm512_loadu_ps(column + 16)));
}

AVX512 static u32 over_row(const f32 *c, f32 row, const f32 *add)
{
	__m512 x = _mm512_set1_ps(row);
	return at_least(_mm512_add_ps(_mm512_loadu_ps(c), _mm512_loadu_ps(add)),
			_mm512_add_ps(_mm512_loadu_ps(c + 16), _mm512_loadu_ps(add + 16)), x, x);
}

AVX512 static u32 near_tile(const f32 *c, const f32 *row, const f32 *column)
{
	__m512 low = _mm512_loadu_ps(column), high = _mm512_loadu_ps(column + 16);
	u32 hits = 0;
#pragma GCC unroll 12
	for (int i = 0; i < KERNEL_M; i++, c += KERNEL_N) {
		__m512 x = _mm512_set1_ps(row[i]);
		hits |= (u32)(at_least(_mm512_loadu_ps(c), _mm512_loadu_ps(c + 16), _mm512_min_ps(x, low),
				       _mm512_min_ps(x, high)) != 0) << i;
	}
	return hits;
}

AVX512 static u32 over_tile(const f32 *c, const f32 *row, const f32 *add)
{
	__m512 low = _mm512_loadu_ps(add), high = _mm512_loadu_ps(add + 16);
	u32 hits = 0;
#pragma GCC unroll 12
	for (int i = 0; i < KERNEL_M; i++, c += KERNEL_N) {
		__m512 x = _mm512_set1_ps(row[i]);
		hits |= (u32)(at_least(_mm512_add_ps(_mm512_loadu_ps(c), low),
				       _mm512_add_ps(_mm512_loadu_ps(c + 16), high), x, x) != 0) << i;
	}
	return hits;
}

/* ---- widened to f32 ---- */

/* Four sums side by side: halves added, then neighbours. */
AVX512 INLINE __m128 four_sums(__m512 a, __m512 b, __m512 c, __m512 d)
{
	__m256 p = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
	__m256 q = _mm256_add_ps(_mm512_castps512_ps256(b), _mm512_extractf32x8_ps(b, 1));
	__m256 r = _mm256_add_ps(_mm512_castps512_ps256(c), _mm512_extractf32x8_ps(c, 1));
	__m256 s = _mm256_add_ps(_mm512_castps512_ps256(d), _mm512_extractf32x8_ps(d, 1));
	__m256 all = _mm256_hadd_ps(_mm256_hadd_ps(p, q), _mm256_hadd_ps(r, s));
	return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
}

AVX512 INLINE void put_sums(__m512 *s, f32 *c, size_t n)
{
	_mm_mask_storeu_ps(c, (__mmask8)((1u << n) - 1), four_sums(s[0], s[1], s[2], s[3]));
}

AVX512 INLINE __m512 even(__m512i pairs)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}

AVX512 INLINE __m512 odd(__m512i pairs)
{
	return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000u)));
}

/* n <= ROWS rows with n_x vectors; rows past n are the last one again. */
AVX512 INLINE void wide_block(const u16 *w, size_t stride, size_t n, const f32 *x, const int n_x, f32 *c,
			      size_t ldc)
{
	__m512 s[4][ROWS];
	const u16 *row[ROWS];
#pragma GCC unroll 12
	for (int i = 0; i < ROWS; i++)
		row[i] = w + MIN((size_t)i, n - 1) * stride;
#pragma GCC unroll 12
	for (int t = 0; t < n_x; t++)
#pragma GCC unroll 12
		for (int i = 0; i < ROWS; i++)
			s[t][i] = _mm512_setzero_ps();
	for (size_t k = 0; k < stride; k += 32) {
		__m512 e[ROWS], o[ROWS];
#pragma GCC unroll 12
		for (int i = 0; i < ROWS; i++) {
			__m512i p = _mm512_loadu_si512(row[i] + k);
			e[i] = even(p);
			o[i] = odd(p);
		}
#pragma GCC unroll 12
		for (int t = 0; t < n_x; t++) {
			__m512 xe = _mm512_loadu_ps(x + (size_t)t * stride + k);
			__m512 xo = _mm512_loadu_ps(x + (size_t)t * stride + k + 16);
#pragma GCC unroll 12
			for (int i = 0; i < ROWS; i++)
				s[t][i] = _mm512_fmadd_ps(o[i], xo, _mm512_fmadd_ps(e[i], xe, s[t][i]));
		}
	}
#pragma GCC unroll 12
	for (int t = 0; t < n_x; t++)
		put_sums(s[t], c + (size_t)t * ldc, n);
}

/* One vector: rows from end to end, as memory likes to be read. */
AVX512 static void wide_scan(const u16 *rows, size_t stride, size_t n, const f32 *x, f32 *c)
{
	for (size_t i = 0; i < n; i += ROWS) {
		size_t m = MIN((size_t)ROWS, n - i);
		__m512 s[ROWS];
#pragma GCC unroll 4
		for (size_t j = 0; j < ROWS; j++) {
			const u16 *w = rows + (i + MIN(j, m - 1)) * stride;
			__m512 a = _mm512_setzero_ps(), b = a;
			for (size_t k = 0; k < stride; k += 32) {
				__m512i p = _mm512_loadu_si512(w + k);
				_mm_prefetch((const char *)(w + k + AHEAD), _MM_HINT_T0);
				a = _mm512_fmadd_ps(even(p), _mm512_loadu_ps(x + k), a);
				b = _mm512_fmadd_ps(odd(p), _mm512_loadu_ps(x + k + 16), b);
			}
			s[j] = _mm512_add_ps(a, b);
		}
		put_sums(s, c + i, m);
	}
}

AVX512 static void wide_dots(const u16 *rows, size_t stride, size_t n, const void *x, size_t n_x, f32 *c,
			     size_t ldc)
{
	if (n_x == 1) {
		wide_scan(rows, stride, n, x, c);
		return;
	}
	for (size_t i = 0; i < n; i += ROWS) {
		size_t m = MIN((size_t)ROWS, n - i), t = 0;
		const u16 *w = rows + i * stride;
		for (; t + 4 <= n_x; t += 4)
			wide_block(w, stride, m, (const f32 *)x + t * stride, 4, c + t * ldc + i, ldc);
		for (; t < n_x; t++)
			wide_block(w, stride, m, (const f32 *)x + t * stride, 1, c + t * ldc + i, ldc);
	}
}

AVX512 INLINE void clear_sums(__m512 s[KERNEL_M][2])
{
#pragma GCC unroll 12
	for (int i = 0; i < KERNEL_M; i++)
		s[i][0] = s[i][1] = _mm512_setzero_ps();
}

AVX512 INLINE void put_tile(__m512 s[KERNEL_M][2], f32 *c)
{
#pragma GCC unroll 12
	for (int i = 0; i < KERNEL_M; i++) {
		_mm512_storeu_ps(c + i * KERNEL_N, s[i][0]);
		_mm512_storeu_ps(c + i * KERNEL_N + 16, s[i][1]);
	}
}

/* One number of each row with one of each column. */
AVX512 INLINE void add_products(__m512 s[KERNEL_M][2], const f32 *a, __m512 w0, __m512 w1)
{
#pragma GCC unroll 12
	for (int i = 0; i < KERNEL_M; i++) {
		__m512 x = _mm512_set1_ps(a[i]);
		s[i][0] = _mm512_fmadd_ps(x, w0, s[i][0]);
		s[i][1] = _mm512_fmadd_ps(x, w1, s[i][1]);
	}
}

AVX512 INLINE void narrow_tile(size_t stride, const f32 *a, const u32 *b, f32 *wide, f32 *c)
{
	__m512 s[KERNEL_M][2];
	clear_sums(s);
	for (size_t k = 0; k < stride / 2; k++, a += 2 * KERNEL_M, b += KERNEL_N) {
		__m512i p0 = _mm512_load_si512(b), p1 = _mm512_load_si512(b + 16);
		__m512 w0 = even(p0), w1 = even(p1), w2 = odd(p0), w3 = odd(p1);
		if (wide) {
			_mm512_store_ps(wide, w0);
			_mm512_store_ps(wide + 16, w1);
			_mm512_store_ps(wide + KERNEL_N, w2);
			_mm512_store_ps(wide + KERNEL_N + 16, w3);
			wide += 2 * KERNEL_N;
		}
		add_products(s, a, w0, w1);
		add_products(s, a + KERNEL_M, w2, w3);
	}
	put_tile(s, c);
}

AVX512 static void tile(size_t stride, const void *packed, const u32 *b, f32 *c)
{
	narrow_tile(stride, packed, b, NULL, c);
}

/* What is written waits for memory while the tile multiplies. */
AVX512 static void first_tile(size_t stride, const void *packed, const u32 *b, f32 *wide, f32 *c)
{
	narrow_tile(stride, packed, b, wide, c);
}

/* Widening takes one in thirteen of what a tile does on the units that multiply. */
AVX512 static void wide_tile(size_t stride, const void *packed, const f32 *b, f32 *c)
{
	const f32 *a = packed;
	__m512 s[KERNEL_M][2];
	clear_sums(s);
	for (size_t k = 0; k < stride; k++, a += KERNEL_M, b += KERNEL_N)
		add_products(s, a, _mm512_load_ps(b), _mm512_load_ps(b + 16));
	put_tile(s, c);
}

const struct kernel kernel_avx512 = {
	.name = "avx512", .x_size = 4, .a_size = 4, .prepare = kernel_prepare_split, .dots = wide_dots,
	.pack = kernel_pack_wide, .tile = tile, .first_tile = first_tile, .wide_tile = wide_tile,
	.near_tile = near_tile, .near_row = near_row, .over_tile = over_tile, .over_row = over_row,
};

/* ---- vdpbf16ps ---- */

static void round_x(const f32 *x, size_t d, size_t stride, void *out)
{
	kernel_round(x, d, stride, out);
}

BF16 INLINE void round_block(const u16 *w, size_t stride, size_t n, const u16 *x, const int n_x, f32 *c,
			     size_t ldc)
{
	__m512 s[6][ROWS];
	const u16 *row[ROWS];
#pragma GCC unroll 12
	for (int i = 0; i < ROWS; i++)
		row[i] = w + MIN((size_t)i, n - 1) * stride;
#pragma GCC unroll 12
	for (int t = 0; t < n_x; t++)
#pragma GCC unroll 12
		for (int i = 0; i < ROWS; i++)
			s[t][i] = _mm512_setzero_ps();
	for (size_t k = 0; k < stride; k += 32) {
		__m512bh p[ROWS];
#pragma GCC unroll 12
		for (int i = 0; i < ROWS; i++)
			p[i] = (__m512bh)_mm512_loadu_si512(row[i] + k);
#pragma GCC unroll 6
		for (int t = 0; t < n_x; t++) {
			__m512bh v = (__m512bh)_mm512_loadu_si512(x + (size_t)t * stride + k);
#pragma GCC unroll 4
			for (int i = 0; i < ROWS; i++)
				s[t][i] = _mm512_dpbf16_ps(s[t][i], p[i], v);
		}
	}
#pragma GCC unroll 12
	for (int t = 0; t < n_x; t++)
		put_sums(s[t], c + (size_t)t * ldc, n);
}

/* One vector: rows from end to end, as memory likes to be read. */
BF16 static void round_scan(const u16 *rows, size_t stride, size_t n, const u16 *x, f32 *c)
{
	for (size_t i = 0; i < n; i += ROWS) {
		size_t m = MIN((size_t)ROWS, n - i);
		__m512 s[ROWS];
#pragma GCC unroll 4
		for (size_t j = 0; j < ROWS; j++) {
			const u16 *w = rows + (i + MIN(j, m - 1)) * stride;
			__m512 a = _mm512_setzero_ps(), b = a;
			size_t k = 0;
			for (; k + 64 <= stride; k += 64) {
				_mm_prefetch((const char *)(w + k + AHEAD_ROUND), _MM_HINT_T1);
				_mm_prefetch((const char *)(w + k + AHEAD_ROUND + 32), _MM_HINT_T1);
				a = _mm512_dpbf16_ps(a, (__m512bh)_mm512_loadu_si512(w + k),
						     (__m512bh)_mm512_loadu_si512(x + k));
				b = _mm512_dpbf16_ps(b, (__m512bh)_mm512_loadu_si512(w + k + 32),
						     (__m512bh)_mm512_loadu_si512(x + k + 32));
			}
			if (k < stride)
				a = _mm512_dpbf16_ps(a, (__m512bh)_mm512_loadu_si512(w + k),
						     (__m512bh)_mm512_loadu_si512(x + k));
			s[j] = _mm512_add_ps(a, b);
		}
		put_sums(s, c + i, m);
	}
}

BF16 static void round_dots(const u16 *rows, size_t stride, size_t n, const void *x, size_t n_x, f32 *c,
			    size_t ldc)
{
	if (n_x == 1) {
		round_scan(rows, stride, n, x, c);
		return;
	}
	for (size_t i = 0; i < n; i += ROWS) {
		size_t m = MIN((size_t)ROWS, n - i), t = 0;
		const u16 *w = rows + i * stride, *v = x;
		for (; t + 6 <= n_x; t += 6)
			round_block(w, stride, m, v + t * stride, 6, c + t * ldc + i, ldc);
		for (; t + 2 <= n_x; t += 2)
			round_block(w, stride, m, v + t * stride, 2, c + t * ldc + i, ldc);
		if (t < n_x)
			round_block(w, stride, m, v + t * stride, 1, c + t * ldc + i, ldc);
	}
}

static void pack_pairs(const u16 *const row[KERNEL_M], size_t stride, void *a)
{
	u32 *o = a;
	for (size_t k = 0; k < stride / 2; k++)
#pragma GCC unroll 12
		for (int i = 0; i < KERNEL_M; i++) {
			u32 pair = 0;
			if (row[i])
				memcpy(&pair, row[i] + 2 * k, sizeof pair);
			o[k * KERNEL_M + i] = pair;
		}
}

BF16 static void round_tile(size_t stride, const void *packed, const u32 *b, f32 *c)
{
	const u32 *a = packed;
	__m512 s[KERNEL_M][2];
	clear_sums(s);
	for (size_t k = 0; k < stride / 2; k++, a += KERNEL_M, b += KERNEL_N) {
		__m512bh w0 = (__m512bh)_mm512_load_si512(b), w1 = (__m512bh)_mm512_load_si512(b + 16);
#pragma GCC unroll 12
		for (int i = 0; i < KERNEL_M; i++) {
			__m512bh x = (__m512bh)_mm512_set1_epi32((int)a[i]);
			s[i][0] = _mm512_dpbf16_ps(s[i][0], x, w0);
			s[i][1] = _mm512_dpbf16_ps(s[i][1], x, w1);
		}
	}
	put_tile(s, c);
}

const struct kernel kernel_avx512bf16 = {
	.name = "avx512bf16", .rounds = true, .x_size = 2, .a_size = 2, .prepare = round_x, .dots = round_dots,
	.pack = pack_pairs, .tile = round_tile, .near_tile = near_tile, .near_row = near_row,
	.over_tile = over_tile, .over_row = over_row,
};
#endif
