/* SPDX-License-Identifier: MIT */
/* sampler.h - the next token out of scores.  Pure but for the state; equal on every machine
 * that computes equal scores and has the same expf. */
#ifndef FEATLAS_SAMPLER_H
#define FEATLAS_SAMPLER_H

#include "base/types.h"

struct sampler {
	u64 state;       /* of the generator; sampler_init seeds it */
	f32 temperature; /* 0: the largest score, the lower id among equals */
	f32 top_p;       /* of what top_k leaves, at temperature 1; 1 or more: all */
	u32 top_k;       /* applied first; 0: SAMPLER_TOP_K_MAX */
};

enum { SAMPLER_TOP_K_MAX = 1024 };

void sampler_init(struct sampler *s, u64 seed, f32 temperature, u32 top_k, f32 top_p);
/* One draw from f32 scores [n], n at least 1. */
u32 sampler_next(struct sampler *s, const f32 *scores, u32 n);

/* The k largest of n scores, best first, ties by lower id; k at most n.  sign -1: the smallest,
 * smallest first.  O(n log k) at worst. */
void sampler_top(const f32 *scores, u32 n, f32 sign, u32 k, u32 *ids);

#endif
