/* SPDX-License-Identifier: MIT */
/* vec.c - the hot loops over rows of f32, cloned for the processors at hand. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3,no-math-errno,no-trapping-math")
#endif
#include "core/vec.h"

#include "core/clones.h"

#include <math.h>
#include <string.h>

typedef f32 v16 __attribute__((vector_size(64), aligned(4), may_alias));
#define AT(p) (*(const v16 *)(p))
#define PUT(p, x) (*(v16 *)(p) = (x))

CLONES f32 vec_dot(const f32 *a, const f32 *b, size_t n)
{
	v16 s = {0}, t = {0};
	size_t i = 0;
	for (; i + 32 <= n; i += 32) {
		s += AT(a + i) * AT(b + i);
		t += AT(a + i + 16) * AT(b + i + 16);
	}
	if (i + 16 <= n) {
		s += AT(a + i) * AT(b + i);
		i += 16;
	}
	s += t;
	f32 lane[16], sum = 0;
	memcpy(lane, &s, sizeof lane);
	for (int w = 8; w; w /= 2)
		for (int j = 0; j < w; j++)
			lane[j] += lane[j + w];
	for (; i < n; i++)
		sum += a[i] * b[i];
	return lane[0] + sum;
}

CLONES void vec_add(f32 *y, const f32 *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

CLONES void vec_sub(f32 *out, const f32 *a, const f32 *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = a[i] - b[i];
}

CLONES void vec_axpy(f32 *y, f32 a, const f32 *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += a * x[i];
}

CLONES void vec_scale(f32 *y, f32 a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] *= a;
}

/* Six accumulators at a time stay in registers, so a row is read once and nothing written. */
CLONES void vec_gather_sum(f32 *out, const f32 *base, size_t stride, const u32 *index, const f32 *coef,
			   size_t n_index, size_t n)
{
	size_t i = 0;
	for (; i + 96 <= n; i += 96) {
		v16 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0};
		for (size_t j = 0; j < n_index; j++) {
			const f32 *x = base + index[j] * stride + i;
			f32 c = coef[j];
			s0 += AT(x) * c;
			s1 += AT(x + 16) * c;
			s2 += AT(x + 32) * c;
			s3 += AT(x + 48) * c;
			s4 += AT(x + 64) * c;
			s5 += AT(x + 80) * c;
		}
		PUT(out + i, s0);
		PUT(out + i + 16, s1);
		PUT(out + i + 32, s2);
		PUT(out + i + 48, s3);
		PUT(out + i + 64, s4);
		PUT(out + i + 80, s5);
	}
	for (; i + 16 <= n; i += 16) {
		v16 s = {0};
		for (size_t j = 0; j < n_index; j++)
			s += AT(base + index[j] * stride + i) * coef[j];
		PUT(out + i, s);
	}
	for (; i < n; i++) {
		f32 s = 0;
		for (size_t j = 0; j < n_index; j++)
			s += base[index[j] * stride + i] * coef[j];
		out[i] = s;
	}
}

/* Exponent and mantissa are moved into place and the bias put right by a multiplication,
 * which is exact for subnormals too; infinities and NaNs keep their all-ones exponent. */
CLONES void vec_from_f16(f32 *out, const u16 *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		u32 h = x[i], em = (h & 0x7fff) << 13, bits;
		f32 f;
		memcpy(&f, &em, 4);
		f *= 0x1p112f;
		memcpy(&bits, &f, 4);
		bits |= (h & 0x7c00) == 0x7c00 ? 0x7f800000u : 0;
		bits |= (h & 0x8000) << 16;
		memcpy(out + i, &bits, 4);
	}
}

CLONES void vec_centre(f32 *out, const f32 *x, const f32 *mean, f32 scale, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (x[i] - mean[i]) * scale;
}

CLONES void vec_group_max(f32 *out, const f32 *z, size_t n)
{
	for (size_t b = 0; b < n / 256; b++, z += 256, out += 16) {
		f32 m[16];
		memcpy(m, z, sizeof m);
		for (int j = 1; j < 16; j++)
			for (int i = 0; i < 16; i++)
				m[i] = z[16 * j + i] > m[i] ? z[16 * j + i] : m[i];
		memcpy(out, m, sizeof m);
	}
}

CLONES void vec_adam(f32 *p, const f32 *g, f32 *m, f32 *v, size_t n, const struct vec_adam *a)
{
	f32 b1 = a->beta1, b2 = a->beta2, rate = a->rate, eps = a->eps, scale = a->grad_scale;
	for (size_t i = 0; i < n; i++) {
		f32 x = g[i] * scale;
		m[i] += (1 - b1) * (x - m[i]);
		v[i] += (1 - b2) * (x * x - v[i]);
		p[i] -= rate * m[i] / (sqrtf(v[i]) + eps);
	}
}
