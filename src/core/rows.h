/* SPDX-License-Identifier: MIT */
/* rows.h - unit rows kept as bf16 for fast scans, and exactly for what is given out.
 *
 * Of a dictionary they are its decoder rows divided by their lengths: half the bytes of f32,
 * so twice the speed where memory is the limit.  Those of a small dictionary are made in
 * memory; of a larger one they are written once, as $XDG_CACHE_HOME/featlas/rows-SHA256 by
 * the checksum of its weights, and mapped from then on.  The cache may be deleted at any time.
 * Thread-safe to read.
 */
#ifndef FEATLAS_ROWS_H
#define FEATLAS_ROWS_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"

struct atlas;
struct dict;
struct safetensors;

struct rows {
	size_t n, d, stride; /* kernel_stride(d) */
	const u16 *kept;     /* [n][stride], 64-byte aligned, zeros behind d */
	f32 off;             /* no row is further from what is kept of it */
	const u64 *empty;    /* a bit a row: it is all zeros, and like nothing */
	size_t n_empty;
	/* where the exact rows come from: one of the two */
	const f32 *exact;        /* [n][d], borrowed, or NULL */
	const struct dict *dict; /* borrowed */
	struct safetensors *file;
	u16 *own_kept;
	u64 *own_empty;
};

/* Of f32 rows of length 1 or 0, which outlive this. */
struct rows *rows_new(const f32 *unit, size_t n, size_t d, struct pool *pool, struct err *e);
/* Of a dictionary, which outlives this.  sha256: of its weights, for the cache; NULL: none. */
struct rows *rows_of_dict(const struct dict *d, const char *sha256, struct pool *pool, struct progress *progress,
			  struct err *e);
struct rows *rows_of_atlas(const struct atlas *a, struct pool *pool, struct progress *progress, struct err *e);
void rows_free(struct rows *r); /* NULL is fine */

/* Row id in f32, of length 1 or 0: out [d]. */
void rows_exact(const struct rows *r, u32 id, f32 *out);

static inline bool rows_is_empty(const struct rows *r, u32 id)
{
	return r->empty[id / 64] >> id % 64 & 1;
}

/* Makes a vector's length 1; all zeros if it is 0 or not finite. */
void rows_unit(f32 *x, size_t d);

#endif
