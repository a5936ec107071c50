/* SPDX-License-Identifier: MIT */
/* rand.h - seeded numbers and permutations that can be taken up anywhere.
 *
 * Everything is a function of (seed, index), so a resumed run needs no generator's state.
 * Mixing: splitmix64 (Steele, Lea, Flood 2014).
 */
#ifndef FEATLAS_RAND_H
#define FEATLAS_RAND_H

#include "base/types.h"
#include <math.h>

static inline u64 rand_u64(u64 seed, u64 index)
{
	u64 z = seed * 0xd1342543de82ef95u + (index + 1) * 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline f64 rand_unit(u64 seed, u64 index) /* in (0, 1) */
{
	return ((f64)(rand_u64(seed, index) >> 11) + 0.5) * 0x1p-53;
}

static inline f64 rand_normal(u64 seed, u64 index)
{
	f64 r = sqrt(-2 * log(rand_unit(seed, 2 * index)));
	return r * cos(6.283185307179586 * rand_unit(seed, 2 * index + 1));
}

/* Where i goes in a permutation of [0, n): four Feistel rounds over the smallest even number
 * of bits that holds n, walked until the value falls below n. */
static inline u64 rand_permute(u64 seed, u64 i, u64 n)
{
	unsigned half = 1;
	while (half < 32 && (u64)1 << 2 * half < n)
		half++;
	u64 mask = ((u64)1 << half) - 1;
	do {
		u64 l = i >> half, r = i & mask;
		for (u64 round = 0; round < 4; round++) {
			u64 f = l ^ (rand_u64(seed + round * 0x632be59bd9b4e019u, r) & mask);
			l = r;
			r = f;
		}
		i = l << half | r;
	} while (i >= n);
	return i;
}

#endif
