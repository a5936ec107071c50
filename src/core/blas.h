/* SPDX-License-Identifier: MIT */
/* blas.h - matrix products of f32; OpenBLAS is used only in blas.c.
 *
 * Each call runs on its caller's thread alone, so that the pool's workers multiply blocks of
 * their own and a block's result does not depend on the number of threads.  Matrices are
 * row-major and dense.  Any thread.
 */
#ifndef FEATLAS_BLAS_H
#define FEATLAS_BLAS_H

#include "base/types.h"

/* c [m][n] = a [m][k] b, where b is [n][k] (nt, as rows) or [k][n] (nn). */
void blas_gemm_nt(size_t m, size_t n, size_t k, const f32 *a, const f32 *b, f32 *c);
void blas_gemm_nn(size_t m, size_t n, size_t k, const f32 *a, const f32 *b, f32 *c);

#endif
