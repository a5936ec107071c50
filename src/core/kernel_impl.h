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

#endif
