/* SPDX-License-Identifier: MIT */
/* kernel.c - the plain kernel, and which one is the fastest here. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif
#include "core/kernel.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/kernel_impl.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

f32 kernel_round(const f32 *x, size_t d, size_t stride, u16 *out)
{
	f64 square = 0;
	for (size_t i = 0; i < d; i++) {
		out[i] = f32_to_bf16(x[i]);
		f64 off = (f64)x[i] - (f64)bf16_to_f32(out[i]);
		square += off * off;
	}
	memset(out + d, 0, (stride - d) * sizeof *out);
	return (f32)(sqrt(square) * 1.000001);
}

void kernel_prepare_split(const f32 *x, size_t d, size_t stride, void *out)
{
	f32 *o = out;
	for (size_t i = 0; i < stride; i++)
		o[i / 32 * 32 + i % 2 * 16 + i % 32 / 2] = i < d ? x[i] : 0;
}

void kernel_pack_wide(const u16 *const row[KERNEL_M], size_t stride, void *a)
{
	f32 *o = a;
	for (size_t i = 0; i < stride; i++)
		for (int r = 0; r < KERNEL_M; r++)
			o[i * KERNEL_M + r] = row[r] ? bf16_to_f32(row[r][i]) : 0;
}

void kernel_panel(const u16 *const row[KERNEL_N], size_t stride, u32 *b)
{
	for (int r = 0; r < KERNEL_N; r++) {
		for (size_t i = 0; i < stride / 2; i++) {
			u32 pair = 0;
			if (row[r])
				memcpy(&pair, row[r] + 2 * i, sizeof pair);
			b[i * KERNEL_N + r] = pair;
		}
	}
}

static f32 low(u32 pair) /* the first of the two: memory is little-endian */
{
	return bf16_to_f32((u16)(pair & 0xffff));
}

static f32 high(u32 pair)
{
	return bf16_to_f32((u16)(pair >> 16));
}

static f32 plain_dot(const u16 *w, const f32 *x, size_t stride)
{
	f32 s[16] = {0}, sum = 0;
	for (size_t i = 0; i < stride; i += 32)
		for (int j = 0; j < 16; j++)
			s[j] += bf16_to_f32(w[i + 2 * j]) * x[i + j] +
				bf16_to_f32(w[i + 2 * j + 1]) * x[i + 16 + j];
	for (int j = 0; j < 16; j++)
		sum += s[j];
	return sum;
}

static void plain_dots(const u16 *rows, size_t stride, size_t n, const void *x, size_t n_x, f32 *c, size_t ldc)
{
	for (size_t i = 0; i < n; i++)
		for (size_t t = 0; t < n_x; t++)
			c[t * ldc + i] = plain_dot(rows + i * stride, (const f32 *)x + t * stride, stride);
}

static void plain_tile(size_t stride, const void *packed, const u32 *b, f32 *c)
{
	const f32 *a = packed;
	memset(c, 0, KERNEL_M * KERNEL_N * sizeof *c);
	for (size_t k = 0; k < stride / 2; k++, a += 2 * KERNEL_M, b += KERNEL_N) {
		f32 even[KERNEL_N], odd[KERNEL_N];
		for (int j = 0; j < KERNEL_N; j++) {
			even[j] = low(b[j]);
			odd[j] = high(b[j]);
		}
		for (int i = 0; i < KERNEL_M; i++)
			for (int j = 0; j < KERNEL_N; j++)
				c[i * KERNEL_N + j] += a[i] * even[j] + a[KERNEL_M + i] * odd[j];
	}
}

KERNEL_TESTS()

const struct kernel kernel_plain = {
	.name = "plain", .x_size = 4, .a_size = 4, .prepare = kernel_prepare_split, .dots = plain_dots,
	.pack = kernel_pack_wide, .tile = plain_tile, .near_tile = near_tile, .near_row = near_row,
	.over_tile = over_tile, .over_row = over_row,
};

/* ---- which there are, and which to take ---- */

enum { MOST = 4 };
static const struct kernel *here[MOST];
static size_t n_here;
static const struct kernel *best;
static pthread_once_t once_here = PTHREAD_ONCE_INIT, once_best = PTHREAD_ONCE_INIT;

static void find_kernels(void)
{
	here[n_here++] = &kernel_plain;
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		here[n_here++] = &kernel_avx2;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
		here[n_here++] = &kernel_avx512;
		if (__builtin_cpu_supports("avx512bf16"))
			here[n_here++] = &kernel_avx512bf16;
	}
#endif
}

const struct kernel *const *kernel_all(size_t *n)
{
	pthread_once(&once_here, find_kernels);
	*n = n_here;
	return here;
}

const struct kernel *kernel_named(const char *name)
{
	size_t n;
	const struct kernel *const *k = kernel_all(&n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(k[i]->name, name))
			return k[i];
	return NULL;
}

static u64 nanoseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* The least time of a few tiles: what else the machine does can only add. */
static u64 time_tile(const struct kernel *k, const void *a, const u32 *b, f32 *c)
{
	u64 least = UINT64_MAX;
	for (int round = 0; round < 12; round++) {
		u64 from = nanoseconds();
		for (int i = 0; i < 4; i++)
			k->tile(256, a, b, c);
		least = MIN(least, nanoseconds() - from);
	}
	return least;
}

static void choose(void)
{
	size_t n;
	const struct kernel *const *k = kernel_all(&n);
	const char *wanted = getenv("FEATLAS_KERNEL");
	best = wanted ? kernel_named(wanted) : NULL;
	if (best)
		return;
	best = k[0];
	struct {
		f32 a[256 * KERNEL_M], c[KERNEL_M * KERNEL_N];
		u32 b[128 * KERNEL_N];
	} *m = mem_try(1, sizeof *m, "a measurement", NULL);
	u64 least = UINT64_MAX;
	for (size_t i = 0; m && i < n; i++) {
		u64 t = time_tile(k[i], m->a, m->b, m->c);
		best = t < least ? k[i] : best;
		least = MIN(least, t);
	}
	free(m);
}

const struct kernel *kernel_best(void)
{
	pthread_once(&once_best, choose);
	return best;
}
