/* SPDX-License-Identifier: MIT */
/* kernel_impl.h - the kernels there are; for kernel*.c only. */
#ifndef FEATLAS_KERNEL_IMPL_H
#define FEATLAS_KERNEL_IMPL_H

#include "core/kernel.h"

extern const struct kernel kernel_plain;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2, kernel_avx512, kernel_avx512bf16;
#endif

/* A vector of f32 for kernels that widen rows: of each 32 numbers the even ones, then the odd. */
void kernel_prepare_split(const f32 *x, size_t d, size_t stride, void *out);
/* Rows of a tile as f32 [stride][KERNEL_M]. */
void kernel_pack_wide(const u16 *const row[KERNEL_M], size_t stride, void *a);

/* What a kernel says of its tiles, for compilers to make vectors of. */
static inline __attribute__((always_inline)) u32 kernel_near_row(const f32 *c, f32 row, const f32 *column)
{
	u32 hits = 0;
	for (u32 j = 0; j < KERNEL_N; j++)
		hits |= (u32)((c[j] >= row) | (c[j] >= column[j])) << j;
	return hits;
}

static inline __attribute__((always_inline)) u32 kernel_over_row(const f32 *c, f32 row, const f32 *add)
{
	u32 hits = 0;
	for (u32 j = 0; j < KERNEL_N; j++)
		hits |= (u32)(c[j] + add[j] >= row) << j;
	return hits;
}

#define KERNEL_TESTS(TARGET) \
	TARGET static u32 near_row(const f32 *c, f32 row, const f32 *column) \
	{ \
		return kernel_near_row(c, row, column); \
	} \
	TARGET static u32 over_row(const f32 *c, f32 row, const f32 *add) \
	{ \
		return kernel_over_row(c, row, add); \
	} \
	TARGET static u32 near_tile(const f32 *c, const f32 *row, const f32 *column) \
	{ \
		u32 hits = 0; \
		for (u32 i = 0; i < KERNEL_M; i++) \
			hits |= (u32)(kernel_near_row(c + i * KERNEL_N, row[i], column) != 0) << i; \
		return hits; \
	} \
	TARGET static u32 over_tile(const f32 *c, const f32 *row, const f32 *add) \
	{ \
		u32 hits = 0; \
		for (u32 i = 0; i < KERNEL_M; i++) \
			hits |= (u32)(kernel_over_row(c + i * KERNEL_N, row[i], add) != 0) << i; \
		return hits; \
	}

#endif
