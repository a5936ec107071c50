/* SPDX-License-Identifier: MIT */
/* vec.h - the hot loops over rows of f32.
 *
 * Compiled for AVX-512, AVX2 and the baseline and chosen at start.  Sums run in sixteen
 * lanes in one fixed order without fused operations, so a result depends on neither the
 * processor nor the number of threads.  Pointers need no alignment.  Any thread.
 */
#ifndef FEATLAS_VEC_H
#define FEATLAS_VEC_H

#include "base/types.h"

/* Asks for a row that is read soon and lies anywhere in memory: for the second cache, as the first one waits
 * for few lines at a time. */
static inline void vec_fetch(const f32 *x, size_t n)
{
	for (size_t i = 0; i < n; i += 64 / sizeof *x)
		__builtin_prefetch(x + i, 0, 2);
}

f32 vec_dot(const f32 *a, const f32 *b, size_t n);
void vec_add(f32 *y, const f32 *x, size_t n);                 /* y += x */
void vec_sub(f32 *out, const f32 *a, const f32 *b, size_t n); /* a - b */
void vec_axpy(f32 *y, f32 a, const f32 *x, size_t n);         /* y += a x */
void vec_scale(f32 *y, f32 a, size_t n);                      /* y *= a */
/* out [n] = sum over j of coef[j] * base[index[j] * stride .. + n]. */
void vec_gather_sum(f32 *out, const f32 *base, size_t stride, const u32 *index, const f32 *coef,
		    size_t n_index, size_t n);
void vec_from_f16(f32 *out, const u16 *x, size_t n);
/* out = (x - mean) * scale */
void vec_centre(f32 *out, const f32 *x, const f32 *mean, f32 scale, size_t n);
/* Maxima of groups: out[16 b + lane] is the largest of z[256 b + 16 j + lane], j < 16;
 * n / 256 * 16 of them; the rest of z is left out. */
void vec_group_max(f32 *out, const f32 *z, size_t n);

/* Adam, bias corrections folded into rate and eps: p -= rate * m / (sqrt(v) + eps). */
struct vec_adam {
	f32 beta1, beta2, rate, eps, grad_scale;
};
void vec_adam(f32 *p, const f32 *g, f32 *m, f32 *v, size_t n, const struct vec_adam *a);

#endif
