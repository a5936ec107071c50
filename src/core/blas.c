/* SPDX-License-Identifier: MIT */
/* blas.c - the one user of OpenBLAS, held to one thread a call. */
#include "core/blas.h"

#include <cblas.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void one_thread(void)
{
	openblas_set_num_threads(1);
}

static void gemm(CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const f32 *a, const f32 *b, f32 *c)
{
	pthread_once(&once, one_thread);
	if (!m || !n)
		return;
	blasint ldb = (blasint)(tb == CblasTrans ? k : n);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, tb, (blasint)m, (blasint)n, (blasint)k, 1, a, (blasint)k, b,
		    ldb, 0, c, (blasint)n);
}

void blas_gemm_nt(size_t m, size_t n, size_t k, const f32 *a, const f32 *b, f32 *c)
{
	gemm(CblasTrans, m, n, k, a, b, c);
}

void blas_gemm_nn(size_t m, size_t n, size_t k, const f32 *a, const f32 *b, f32 *c)
{
	gemm(CblasNoTrans, m, n, k, a, b, c);
}
