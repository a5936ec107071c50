/* SPDX-License-Identifier: MIT */
/* topk.h - the k largest positive values of a row.
 *
 * The k-th largest of disjoint groups' maxima bounds the k-th value from below, so one
 * pass leaves few candidates; a selection among them is exact.  Ties go to the lower id;
 * NaNs are never chosen.  Expected time is linear in n.
 */
#ifndef FEATLAS_TOPK_H
#define FEATLAS_TOPK_H

#include "base/err.h"

struct topk; /* scratch; one a thread */

struct topk *topk_new(size_t max_n, struct err *e);
void topk_free(struct topk *t); /* NULL is fine */
/* Fills id and value with the at most k largest z[i] > 0, ids ascending; returns how many. */
size_t topk_row(struct topk *t, const f32 *z, size_t n, size_t k, u32 *id, f32 *value);

/* A number not above the k-th largest z[i], from the maxima of groups; -INFINITY if there are
 * too few. */
f32 topk_bound(struct topk *t, const f32 *z, size_t n, size_t k);

/* The same on keys: moves the k largest of n to the front, in no order. */
void topk_keys(u64 *key, size_t n, size_t k);
/* The upper halves alone: the k-th largest of n keys has this one; 0 < k <= n.  Moves nothing. */
u32 topk_upper(const u64 *key, size_t n, size_t k);

#endif
