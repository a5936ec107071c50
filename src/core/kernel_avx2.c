/* SPDX-License-Identifier: MIT */
/* kernel_avx2.c - products of bf16 rows, widened to f32, eight at a time. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif
#include "core/kernel_impl.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))

/* Numbers, that memory is asked for while these are worked on. */
enum { AHEAD = 1024 };

AVX2 static inline __m256 even(__m256i pairs)
{
	return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

AVX2 static inline __m256 odd(__m256i pairs)
{
	return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000u)));
}

AVX2 static inline f32 sum(__m256 v)
{
	__m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* Two rows with three vectors: each number is loaded and widened once. */
AVX2 static inline __attribute__((always_inline)) void block(const u16 *w0, const u16 *w1, const f32 *x,
							     size_t stride, int n_x, f32 *c, size_t ldc,
							     bool both)
{
	__m256 s[2][3];
#pragma GCC unroll 12
	for (int t = 0; t < 3; t++)
		s[0][t] = s[1][t] = _mm256_setzero_ps();
	for (size_t i = 0; i < stride; i += 32) {
#pragma GCC unroll 12
		for (size_t half = 0; half < 2; half++) {
			__m256i p0 = _mm256_loadu_si256((const void *)(w0 + i + 16 * half));
			__m256i p1 = _mm256_loadu_si256((const void *)(w1 + i + 16 * half));
			__m256 e0 = even(p0), o0 = odd(p0), e1 = even(p1), o1 = odd(p1);
#pragma GCC unroll 12
			for (int t = 0; t < n_x; t++) {
				const f32 *at = x + (size_t)t * stride + i + 8 * half;
				__m256 xe = _mm256_loadu_ps(at), xo = _mm256_loadu_ps(at + 16);
				s[0][t] = _mm256_fmadd_ps(o0, xo, _mm256_fmadd_ps(e0, xe, s[0][t]));
				s[1][t] = _mm256_fmadd_ps(o1, xo, _mm256_fmadd_ps(e1, xe, s[1][t]));
			}
		}
	}
#pragma GCC unroll 12
	for (int t = 0; t < n_x; t++) {
		c[(size_t)t * ldc] = sum(s[0][t]);
		if (both)
			c[(size_t)t * ldc + 1] = sum(s[1][t]);
	}
}

/* One vector: rows from end to end, as memory likes to be read. */
AVX2 static void scan(const u16 *rows, size_t stride, size_t n, const f32 *x, f32 *c)
{
	for (size_t i = 0; i < n; i++) {
		const u16 *w = rows + i * stride;
		__m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
		for (size_t k = 0; k < stride; k += 32) {
			__m256i p0 = _mm256_loadu_si256((const void *)(w + k));
			__m256i p1 = _mm256_loadu_si256((const void *)(w + k + 16));
			_mm_prefetch((const char *)(w + k + AHEAD), _MM_HINT_T0);
			s[0] = _mm256_fmadd_ps(even(p0), _mm256_loadu_ps(x + k), s[0]);
			s[1] = _mm256_fmadd_ps(even(p1), _mm256_loadu_ps(x + k + 8), s[1]);
			s[2] = _mm256_fmadd_ps(odd(p0), _mm256_loadu_ps(x + k + 16), s[2]);
			s[3] = _mm256_fmadd_ps(odd(p1), _mm256_loadu_ps(x + k + 24), s[3]);
		}
		c[i] = sum(_mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3])));
	}
}

AVX2 static void dots(const u16 *rows, size_t stride, size_t n, const void *x, size_t n_x, f32 *c, size_t ldc)
{
	if (n_x == 1) {
		scan(rows, stride, n, x, c);
		return;
	}
	for (size_t i = 0; i < n; i += 2) {
		const u16 *w0 = rows + i * stride;
		bool both = i + 1 < n;
		const u16 *w1 = both ? w0 + stride : w0;
		size_t t = 0;
		for (; t + 3 <= n_x; t += 3)
			block(w0, w1, (const f32 *)x + t * stride, stride, 3, c + t * ldc + i, ldc, both);
		for (; t < n_x; t++)
			block(w0, w1, (const f32 *)x + t * stride, stride, 1, c + t * ldc + i, ldc, both);
	}
}

/* Six rows and sixteen columns of a tile. */
AVX2 static inline __attribute__((always_inline)) void part(size_t pairs, const f32 *a, const u32 *b, f32 *c)
{
	__m256 s[6][2];
#pragma GCC unroll 12
	for (int i = 0; i < 6; i++)
		s[i][0] = s[i][1] = _mm256_setzero_ps();
	for (size_t k = 0; k < pairs; k++, a += 2 * KERNEL_M, b += KERNEL_N) {
		__m256i p0 = _mm256_loadu_si256((const void *)b), p1 = _mm256_loadu_si256((const void *)(b + 8));
		__m256 w0 = even(p0), w1 = even(p1);
#pragma GCC unroll 12
		for (int i = 0; i < 6; i++) {
			__m256 x = _mm256_broadcast_ss(a + i);
			s[i][0] = _mm256_fmadd_ps(x, w0, s[i][0]);
			s[i][1] = _mm256_fmadd_ps(x, w1, s[i][1]);
		}
		w0 = odd(p0);
		w1 = odd(p1);
#pragma GCC unroll 12
		for (int i = 0; i < 6; i++) {
			__m256 x = _mm256_broadcast_ss(a + KERNEL_M + i);
			s[i][0] = _mm256_fmadd_ps(x, w0, s[i][0]);
			s[i][1] = _mm256_fmadd_ps(x, w1, s[i][1]);
		}
	}
#pragma GCC unroll 12
	for (int i = 0; i < 6; i++) {
		_mm256_storeu_ps(c + i * KERNEL_N, s[i][0]);
		_mm256_storeu_ps(c + i * KERNEL_N + 8, s[i][1]);
	}
}

AVX2 static void tile(size_t stride, const void *packed, const u32 *b, f32 *c)
{
	const f32 *a = packed;
	for (int i = 0; i < KERNEL_M; i += 6)
		for (int j = 0; j < KERNEL_N; j += 16)
			part(stride / 2, a + i, b + j, c + i * KERNEL_N + j);
}

KERNEL_TESTS(AVX2)

const struct kernel kernel_avx2 = {
	.name = "avx2", .x_size = 4, .a_size = 4, .prepare = kernel_prepare_split, .dots = dots,
	.pack = kernel_pack_wide, .tile = tile, .near_tile = near_tile, .near_row = near_row,
	.over_tile = over_tile, .over_row = over_row,
};
#endif
