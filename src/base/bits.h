/* SPDX-License-Identifier: MIT */
/* bits.h - sets of small numbers, a bit each in words of 64: looked through a word at a time.
 *
 * Bits at n and beyond, in the last word, may have any value.  A word costs a nanosecond: 34 million
 * bits a few tenths of a millisecond.
 */
#ifndef FEATLAS_BITS_H
#define FEATLAS_BITS_H

#include "base/types.h"

static inline size_t bits_words(u64 n)
{
	return (size_t)((n + 63) / 64);
}

static inline bool bits_has(const u64 *bits, u64 i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static inline void bits_set(u64 *bits, u64 i)
{
	bits[i / 64] |= (u64)1 << (i % 64);
}

/* How many of [0, n) are in the set. */
static inline u64 bits_count(const u64 *bits, u64 n)
{
	u64 count = 0;
	for (u64 i = 0; i < n / 64; i++)
		count += (u64)__builtin_popcountll(bits[i]);
	if (n % 64)
		count += (u64)__builtin_popcountll(bits[n / 64] & (((u64)1 << (n % 64)) - 1));
	return count;
}

/* Adds all of [from, to). */
static inline void bits_add(u64 *bits, u64 from, u64 to)
{
	for (; from < to && from % 64; from++)
		bits_set(bits, from);
	for (; from + 64 <= to; from += 64)
		bits[from / 64] = UINT64_MAX;
	for (; from < to; from++)
		bits_set(bits, from);
}

/* The first of [from, n) that is in the set, or n. */
static inline u64 bits_next(const u64 *bits, u64 n, u64 from)
{
	if (from >= n)
		return n;
	u64 word = bits[from / 64] >> (from % 64) << (from % 64);
	for (u64 i = from / 64; ; word = bits[i]) {
		if (word)
			return MIN(64 * i + (u64)__builtin_ctzll(word), n);
		if (++i == bits_words(n))
			return n;
	}
}

/* The last of [0, before) that is in the set, or UINT64_MAX. */
static inline u64 bits_last(const u64 *bits, u64 before)
{
	for (u64 i = bits_words(before); i-- > 0;) {
		u64 word = bits[i];
		if (before - 64 * i < 64)
			word &= ((u64)1 << (before - 64 * i)) - 1;
		if (word)
			return 64 * i + 63 - (u64)__builtin_clzll(word);
	}
	return UINT64_MAX;
}

/* The next after `at` (direction 1) or the last before it (-1), round about; `at` itself if it is the
 * only one, n if the set is empty. */
static inline u64 bits_step(const u64 *bits, u64 n, u64 at, int direction)
{
	u64 found;
	if (direction > 0) {
		found = bits_next(bits, n, at + 1);
		return found < n ? found : bits_next(bits, n, 0);
	}
	found = bits_last(bits, at);
	if (found == UINT64_MAX)
		found = bits_last(bits, n);
	return found == UINT64_MAX ? n : found;
}

#endif
