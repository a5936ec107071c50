/* SPDX-License-Identifier: MIT */
/* search_literal.h - the texts without which a pattern cannot match.
 *
 * A parser of PCRE2's syntax that is allowed to know less: what it does not understand, or what
 * another release may read otherwise, ends in "none", and "none" is always right.
 */
#ifndef FEATLAS_SEARCH_LITERAL_H
#define FEATLAS_SEARCH_LITERAL_H

#include "base/types.h"

enum { LITERAL_MAX = 32 /* alternatives */, LITERAL_BYTES = 48 };

struct literal {
	u8 n; /* at least 1 */
	u8 s[LITERAL_BYTES];
};

/* ASCII characters, a bit each. */
struct literal_chars {
	u64 bits[2];
};

/* Every text that the pattern matches holds at least one of the literals, as bytes. */
struct literals {
	size_t n; /* 0: none known */
	struct literal of[LITERAL_MAX];
	/* ASCII letters stand for both cases, and are given in lower case.  Then s may also be U+017F
	 * and k U+212A: a text with one of these may match without holding a literal. */
	bool fold;
	/* The pattern is these literals and nothing else: a text that holds one matches. */
	bool pure;
	/* In an ASCII text, a match begins nowhere before the run of these characters that ends where
	 * the first literal of the text begins.  All bits: it may begin anywhere. */
	struct literal_chars before;
};

void literals_find(const char *pattern, bool ignore_case, struct literals *out);
/* Whether what the one finds in a text the other finds too: both pure, and each literal of a holds
 * one of b. */
bool literals_imply(const struct literals *a, const struct literals *b);
/* How often a byte of English labels is this one; case apart. */
f32 literal_frequency(u8 c);

#endif
