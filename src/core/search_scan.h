/* SPDX-License-Identifier: MIT */
/* search_scan.h - where literals stand in a large text, as fast as memory gives it.
 *
 * One literal: the two bytes of it that are rarest in the text, compared at 64 places at once.
 * Several: three bytes of each through the nibble tables of Teddy (Hyperscan's multi-literal
 * matcher), in eight buckets.  Then each place is compared in full.  A scanner is read-only once
 * made and may be shared by threads.
 */
#ifndef FEATLAS_SEARCH_SCAN_H
#define FEATLAS_SEARCH_SCAN_H

#include "core/search_literal.h"

enum scan_isa { SCAN_PLAIN, SCAN_AVX2, SCAN_AVX512 };
enum scan_isa scan_best(void); /* of this processor; any lower one works too */

struct scanner {
	u64 (*skip)(const struct scanner *s, const u8 *p, u64 at, u64 end, u64 *mask);
	size_t n;
	struct literal of[LITERAL_MAX]; /* shortest first */
	bool fold;
	bool trap;    /* U+017F and U+212A are reported too */
	size_t reach; /* bytes behind a place that are looked at before it is compared in full */
	f64 rate;     /* expected places a byte of text */
	/* one literal */
	size_t at[2];
	u8 byte[2], case_bit[2];
	/* several */
	size_t window, n_window;
	u8 low[3][16], high[3][16]; /* buckets, by nibble of byte i of the window */
	u8 bucket[LITERAL_MAX];
	/* the first eight bytes of each, compared as one number: which bits count, and which are case's */
	u64 head[LITERAL_MAX], head_mask[LITERAL_MAX], head_case[LITERAL_MAX];
};

/* counts[256]: how often each byte is in a sample of the text; n their sum. */
void scan_init(struct scanner *s, const struct literals *l, const u32 *counts, u64 n, enum scan_isa isa);

struct scan_hit {
	u64 at;
	u64 n; /* bytes of the shortest literal there; 0: U+017F or U+212A in place of an s or k */
};
/* Places in text[*from..to), rising; literals that run over to are left out.  text may be read up
 * to size, to <= size.  Returns how many were written, at most cap > 0, and moves *from to where to
 * go on: to, when all is scanned. */
size_t scan_find(const struct scanner *s, const u8 *text, u64 size, u64 *from, u64 to, struct scan_hit *out,
		 size_t cap);

#endif
