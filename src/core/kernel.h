/* SPDX-License-Identifier: MIT */
/* kernel.h - products of rows kept as bf16, for the instructions that a processor has.
 *
 * Rows are bf16 [n][stride], stride a multiple of KERNEL_STEP numbers and zeros behind d.
 * A vector is prepared once for its kernel and then multiplied with many rows.
 *
 * Error: let a row w be kept as w', |w - w'| <= r |w|, and a vector x as x'.  Then
 *   |w . x - computed| <= r |w| |x| + |w'| |x - x'| + kernel_error(d) |w'| |x'|,
 * by Cauchy and Schwarz, and because any order of the d additions and products errs by no
 * more than (d + 2) 2^-24 of the sum of |w'_i x'_i| (Higham, Accuracy and Stability, 3.1).
 * x' is x, but with a kernel that `rounds`, where it is x as bf16.  Products of two bf16 are
 * exact in f32.  So no kernel's result is ever final where bits matter: it gives candidates
 * with this bound, and vec_dot decides.
 *
 * Everything here is pure; any thread.
 */
#ifndef FEATLAS_KERNEL_H
#define FEATLAS_KERNEL_H

#include "base/types.h"

enum {
	KERNEL_STEP = 32, /* numbers */
	KERNEL_M = 12,	  /* rows of a tile */
	KERNEL_N = 32,	  /* columns of a tile */
};

struct kernel {
	const char *name; /* "plain", "avx2", "avx512", "avx512bf16" */
	bool rounds;
	size_t x_size, a_size; /* bytes a number of a prepared vector, of a packed tile row, takes */
	/* x [d] as the kernel wants it: stride * x_size bytes, 64-byte aligned */
	void (*prepare)(const f32 *x, size_t d, size_t stride, void *out);
	/* c[t ldc + i] = row i . x t; rows 64-byte aligned, n_x prepared vectors one after the other.
	 * The result of a pair does not depend on n; with one vector it may differ from that with several. */
	void (*dots)(const u16 *rows, size_t stride, size_t n, const void *x, size_t n_x, f32 *c, size_t ldc);
	/* KERNEL_M rows for tiles: stride * KERNEL_M * a_size bytes */
	void (*pack)(const u16 *const row[KERNEL_M], size_t stride, void *a);
	/* c [KERNEL_M][KERNEL_N] = packed rows . columns of a panel (kernel_panel) */
	void (*tile)(size_t stride, const void *a, const u32 *b, f32 *c);
	/* For several tiles of one panel (kernel_tile); NULL, both: it would not pay.  The first also writes the
	 * panel widened, stride * KERNEL_N numbers, 64-byte aligned; the others take it so, with the same result. */
	void (*first_tile)(size_t stride, const void *a, const u32 *b, f32 *wide, f32 *c);
	void (*wide_tile)(size_t stride, const void *a, const f32 *wide, f32 *c);
	/* Of a tile: bit i is set if some c[i][j] >= min(row[i], column[j]); of one row of it: bit j. */
	u32 (*near_tile)(const f32 *c, const f32 *row, const f32 *column);
	u32 (*near_row)(const f32 *c, f32 row, const f32 *column);
	/* The same where c[i][j] + add[j] >= row[i]. */
	u32 (*over_tile)(const f32 *c, const f32 *row, const f32 *add);
	u32 (*over_row)(const f32 *c, f32 row, const f32 *add);
};

/* The kernels that this processor has, plainest first. */
const struct kernel *const *kernel_all(size_t *n);
const struct kernel *kernel_named(const char *name); /* NULL: none of that name here */
/* The fastest here, by a measurement of about a millisecond each at the first call, or the one
 * that $FEATLAS_KERNEL names. */
const struct kernel *kernel_best(void);

static inline size_t kernel_stride(size_t d)
{
	return (d + KERNEL_STEP - 1) / KERNEL_STEP * KERNEL_STEP;
}

/* One of the tiles of a panel, one after the other; wide: where it is widened by the first, or NULL. */
static inline void kernel_tile(const struct kernel *k, size_t stride, const void *a, const u32 *b, f32 *wide,
			       bool first, f32 *c)
{
	if (!wide)
		k->tile(stride, a, b, c);
	else if (first)
		k->first_tile(stride, a, b, wide, c);
	else
		k->wide_tile(stride, a, wide, c);
}

static inline f32 kernel_error(size_t d)
{
	return (f32)(d + 2) * 6.1e-8f; /* a little above 2^-24 */
}

/* KERNEL_N rows as the columns of a tile, pairs of numbers side by side: b [stride / 2][KERNEL_N];
 * a row that is NULL gives zeros.  The same for every kernel. */
void kernel_panel(const u16 *const row[KERNEL_N], size_t stride, u32 *b);
/* Rounds a vector to bf16, zeros behind it; returns |x - x'|, rounded up. */
f32 kernel_round(const f32 *x, size_t d, size_t stride, u16 *out);

#endif
