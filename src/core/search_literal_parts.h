/* SPDX-License-Identifier: MIT */
/* search_literal_parts.h - what is known of the parts of a pattern, and how parts make larger ones; for
 * search_literal's files only.
 *
 * A part is one of three: exactly one of some texts, something that holds one of some texts, or
 * anything.  A sequence multiplies exact parts into longer texts as far as they fit, and keeps the
 * rarest set that it came by; alternatives are united.
 */
#ifndef FEATLAS_SEARCH_LITERAL_PARTS_H
#define FEATLAS_SEARCH_LITERAL_PARTS_H

#include "core/search_literal.h"

enum { LITERAL_FOREVER = 1 << 20 };

struct set {
	size_t n;
	bool fold, one_case; /* has letters that stand for both cases; has letters that do not */
	bool loose;          /* what is taken is kept, so that some of the texts may never be matched */
	struct literal of[LITERAL_MAX]; /* n may be 0 here */
};

struct part {
	enum { ANYTHING, HOLDS, EXACTLY } what;
	bool zero; /* takes no text; what it holds is only somewhere in the text */
	struct set set;
	struct literal_chars before; /* HOLDS: what may stand between the part's start and the literal */
	struct literal_chars chars;  /* what it may take */
};

struct sequence {
	struct set run; /* the exact texts that end here */
	struct set best;
	struct literal_chars run_before, best_before, all;
	bool plain; /* all of it is in run */
	bool some;  /* best is one */
	f64 often;
};

#define ALL_CHARS ((struct literal_chars){{~(u64)0, ~(u64)0}})
#define NO_CHARS ((struct literal_chars){{0, 0}})

static inline void add_char(struct literal_chars *c, u32 cp)
{
	if (cp < 128)
		c->bits[cp / 64] |= (u64)1 << (cp % 64);
}

static inline bool has_char(const struct literal_chars *c, u32 cp)
{
	return c->bits[cp / 64] >> (cp % 64) & 1;
}

static inline struct literal_chars both(struct literal_chars a, struct literal_chars b)
{
	return (struct literal_chars){{a.bits[0] | b.bits[0], a.bits[1] | b.bits[1]}};
}

static inline bool is_letter(u32 cp)
{
	return (cp | 32) >= 'a' && (cp | 32) <= 'z' && cp < 128;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline void add_char_in_case(struct literal_chars *c, u32 cp, bool fold)
{
	add_char(c, cp);
	if (fold && is_letter(cp))
		add_char(c, cp ^ 32);
}

bool set_has_empty(const struct set *s); /* a text of no bytes, or none at all */

void part_set_anything(struct part *out, struct literal_chars chars);
void part_set_char(struct part *out, u32 cp, bool fold);
void part_look(struct part *out, bool positive); /* what stood in a look-around */
void part_unite(struct part *a, const struct part *b);

void sequence_begin(struct sequence *q);
/* The part min to max times; LITERAL_FOREVER: without end.  Changes part. */
void sequence_add(struct sequence *q, struct part *part, u32 min, u32 max);
void sequence_end(struct sequence *q, struct part *out);

#endif
