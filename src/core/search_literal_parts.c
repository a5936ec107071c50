/* SPDX-License-Identifier: MIT */
/* search_literal_parts.c - what is known of the parts of a pattern, and how parts make larger ones. */
#include "core/search_literal_parts.h"

#include "base/utf8.h"

#include <string.h>

enum { MAX_OPTIONAL = 8 /* texts, for a? to double them */ };

/* How rare. */

f32 literal_frequency(u8 c)
{
	static const u8 letters[] = {64, 12, 28, 31, 94, 17, 17, 34, 60, 2, 5, 34, 21,
				     58, 60, 19, 1, 53, 55, 64, 22, 9, 12, 2, 14, 1};
	if (c >= 'a' && c <= 'z')
		return (f32)letters[c - 'a'] * 1e-3f;
	if (c >= 'A' && c <= 'Z')
		return (f32)letters[c - 'A'] * 4e-5f;
	return c == ' ' ? 0.14f : c < ' ' ? 1e-6f : c >= 0x80 ? 1.5e-3f : is_digit((char)c) ? 2e-3f : 4e-3f;
}

static f64 how_often(const struct set *s)
{
	f64 sum = 0;
	for (size_t k = 0; k < s->n; k++) {
		f64 product = 1;
		for (size_t i = 0; i < s->of[k].n; i++) {
			u8 c = s->of[k].s[i];
			product *= (f64)literal_frequency(c);
			if (s->fold && is_letter(c))
				product *= 1.04;
		}
		sum += product;
	}
	return sum;
}

bool set_has_empty(const struct set *s)
{
	for (size_t k = 0; k < s->n; k++)
		if (!s->of[k].n)
			return true;
	return !s->n;
}


static void set_empty(struct set *s)
{
	s->n = 1;
	s->of[0].n = 0;
	s->fold = s->one_case = s->loose = false;
}

static void consider(struct sequence *q, const struct set *s, struct literal_chars before)
{
	if (set_has_empty(s))
		return;
	f64 often = how_often(s);
	if (q->some && often >= q->often)
		return;
	q->best = *s;
	q->best_before = before;
	q->often = often;
	q->some = true;
}

/* What follows does not adjoin; run is what it adjoins to, or NULL. */
static void cut(struct sequence *q, const struct set *run)
{
	consider(q, &q->run, q->run_before);
	if (run)
		q->run = *run;
	else
		set_empty(&q->run);
	q->run_before = q->all;
	q->plain = false;
}

static size_t longest(const struct set *s)
{
	size_t n = 0;
	for (size_t k = 0; k < s->n; k++)
		n = s->of[k].n > n ? s->of[k].n : n;
	return n;
}

static void multiply(struct sequence *q, const struct set *s)
{
	if (q->run.n * s->n > LITERAL_MAX || longest(&q->run) + longest(s) > LITERAL_BYTES) {
		cut(q, s);
		return;
	}
	/* from the back, so that the first ones are still there when they are needed */
	size_t n = q->run.n;
	for (size_t k = n * s->n; k--;) {
		struct literal l = q->run.of[k / s->n];
		const struct literal *more = &s->of[k % s->n];
		memcpy(l.s + l.n, more->s, more->n);
		l.n = (u8)(l.n + more->n);
		q->run.of[k] = l;
	}
	q->run.n = n * s->n;
	q->run.fold |= s->fold;
	q->run.one_case |= s->one_case;
	q->run.loose |= s->loose;
}

static void add_exact(struct sequence *q, struct part *part, u32 min, u32 max)
{
	if (!min && max == 1 && q->run.n * (part->set.n + 1) <= MAX_OPTIONAL) {
		part->set.of[part->set.n++].n = 0;
		multiply(q, &part->set);
	} else if (!min) {
		cut(q, NULL);
	} else {
		u32 times = MIN(min, 4u);
		for (u32 k = 0; k < times; k++)
			multiply(q, &part->set);
		if (max != times) /* the last time adjoins to what follows */
			cut(q, &part->set);
	}
}

void sequence_add(struct sequence *q, struct part *part, u32 min, u32 max)
{
	if (part->zero) {
		q->plain = false;
		if (part->what == HOLDS && min)
			consider(q, &part->set, ALL_CHARS);
		return;
	}
	/* what is not understood may be longer or shorter than what the quantifier is for */
	if (!max && part->what != ANYTHING)
		return;
	if (part->what == HOLDS && min)
		consider(q, &part->set, both(q->all, part->before));
	/* one copy may stand before the other; a single text only before what follows it */
	if (part->what != EXACTLY || min != 1 || max != 1)
		q->all = both(q->all, part->chars);
	if (part->what == EXACTLY)
		add_exact(q, part, min, max);
	else
		cut(q, NULL);
	q->all = both(q->all, part->chars);
}

void sequence_begin(struct sequence *q)
{
	q->plain = true;
	q->some = false;
	q->often = 0;
	q->all = q->run_before = NO_CHARS;
	set_empty(&q->run);
}

void sequence_end(struct sequence *q, struct part *out)
{
	out->zero = false;
	out->chars = q->all;
	if (q->plain) {
		out->what = EXACTLY;
		out->set = q->run;
		return;
	}
	consider(q, &q->run, q->run_before);
	out->what = q->some ? HOLDS : ANYTHING;
	if (q->some) {
		out->set = q->best;
		out->before = q->best_before;
	}
}

/* Single characters. */

/* Scripts without cases, by blocks. */
static bool has_no_case(u32 cp)
{
	return (cp >= 0x590 && cp <= 0x109f) || (cp >= 0x2e80 && cp <= 0xa63f) || (cp >= 0xac00 && cp <= 0xd7a3);
}

void part_set_anything(struct part *out, struct literal_chars chars)
{
	out->what = ANYTHING;
	out->zero = false;
	out->chars = chars;
}

void part_set_char(struct part *out, u32 cp, bool fold)
{
	struct literal *l = &out->set.of[0];
	out->zero = false;
	out->chars = NO_CHARS;
	/* a broken text is matched as U+FFFD, which its bytes do not hold */
	if (cp >= 0x80 && ((fold && !has_no_case(cp)) || cp == 0xfffd)) {
		part_set_anything(out, fold ? ALL_CHARS : NO_CHARS);
		return;
	}
	out->what = EXACTLY;
	out->set.n = 1;
	out->set.fold = fold && is_letter(cp);
	out->set.one_case = !fold && is_letter(cp);
	out->set.loose = false;
	l->n = (u8)utf8_encode((i32)(out->set.fold ? cp | 32 : cp), (char *)l->s);
	add_char_in_case(&out->chars, cp, fold);
}

void part_look(struct part *out, bool positive)
{
	bool holds = positive && (out->what == HOLDS || (out->what == EXACTLY && !set_has_empty(&out->set)));
	out->what = holds ? HOLDS : ANYTHING;
	out->zero = true;
}

void part_unite(struct part *a, const struct part *b)
{
	bool exact = a->what == EXACTLY && b->what == EXACTLY;
	a->chars = both(a->chars, b->chars);
	if (a->what == ANYTHING || b->what == ANYTHING || a->set.n + b->set.n > LITERAL_MAX ||
	    (!exact && (set_has_empty(&a->set) || set_has_empty(&b->set)))) {
		a->what = ANYTHING;
		return;
	}
	a->before = both(a->what == HOLDS ? a->before : NO_CHARS, b->what == HOLDS ? b->before : NO_CHARS);
	a->what = exact ? EXACTLY : HOLDS;
	memcpy(a->set.of + a->set.n, b->set.of, b->set.n * sizeof *b->set.of);
	a->set.n += b->set.n;
	a->set.fold |= b->set.fold;
	a->set.one_case |= b->set.one_case;
	a->set.loose |= b->set.loose;
}
