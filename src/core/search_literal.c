/* SPDX-License-Identifier: MIT */
/* search_literal.c - reads a pattern for the texts that it needs. */
#include "core/search_literal_parser.h"

#include <string.h>

enum { MAX_DEPTH = 20 };

/* Groups. */

static void parse_alternatives(struct parser *p, struct part *out);

/* (?ims-n: or ).  False where it ends in ). */
static bool take_flags(struct parser *p)
{
	bool on = true;
	for (;; p->i++) {
		switch (p->s[p->i]) {
		case '^':
			p->fold = false;
			break;
		case '-':
			on = false;
			break;
		case 'i':
			p->fold = on;
			break;
		case 'm': case 's': case 'n': case 'J': case 'U':
			break;
		case ':':
			p->i++;
			return true;
		case ')':
			p->i++;
			return false;
		default: /* x, xx and what came later */
			parser_fail(p);
			return true;
		}
	}
}

enum group { GROUP_PLAIN, GROUP_KEEP, GROUP_LOOK, GROUP_LOOK_NOT, GROUP_CALL, GROUP_FLAGS };

static bool take(struct parser *p, const char *s)
{
	size_t n = strlen(s);
	if (strncmp(p->s + p->i, s, n))
		return false;
	p->i += n;
	return true;
}

/* Behind "(?". */
static enum group take_group(struct parser *p)
{
	char sign = p->s[p->i];
	if (take(p, ":") || take(p, "|"))
		return GROUP_PLAIN;
	if (take(p, ">"))
		return GROUP_KEEP;
	if (take(p, "=") || take(p, "<="))
		return GROUP_LOOK;
	if (take(p, "!") || take(p, "<!"))
		return GROUP_LOOK_NOT;
	if (take(p, "P=") || take(p, "P>") || take(p, "&") || take(p, "R") || is_digit(sign) ||
	    ((sign == '+' || sign == '-') && is_digit(p->s[p->i + 1]))) {
		parser_skip_to(p, ')');
		return GROUP_CALL;
	}
	if (take(p, "P<") || take(p, "<")) {
		if (p->s[p->i] == '*')
			parser_fail(p);
		parser_skip_to(p, '>');
		return GROUP_PLAIN;
	}
	if (take(p, "'")) {
		parser_skip_to(p, '\'');
		return GROUP_PLAIN;
	}
	return take_flags(p) ? GROUP_PLAIN : GROUP_FLAGS;
}

/* False where it only set flags, for what is left of the group around it. */
static bool parse_group(struct parser *p, struct part *out)
{
	bool fold = p->fold;
	enum group g = GROUP_PLAIN;
	p->i++;
	if (p->s[p->i] == '*')
		parser_fail(p);
	if (p->s[p->i] == '?') {
		p->i++;
		g = take_group(p);
	}
	if (p->failed || g == GROUP_FLAGS)
		return false;
	if (g == GROUP_CALL) {
		part_set_anything(out, ALL_CHARS);
		return true;
	}
	parse_alternatives(p, out);
	if (p->s[p->i] != ')')
		parser_fail(p);
	p->i++;
	p->fold = fold;
	if (g == GROUP_KEEP)
		out->set.loose = true;
	else if (g != GROUP_PLAIN)
		part_look(out, g == GROUP_LOOK);
	return true;
}

/* Items. */

static void skip_quote_marks(struct parser *p)
{
	for (;;) {
		if (take(p, "\\E"))
			p->quoting = false;
		else if (!p->quoting && take(p, "\\Q"))
			p->quoting = true;
		else
			return;
	}
}

/* False where there is none. */
static bool take_quantifier(struct parser *p, u32 *min, u32 *max)
{
	const char *s = p->s + p->i;
	size_t n;
	if (p->quoting)
		return false;
	if (*s == '*' || *s == '+' || *s == '?') {
		*min = *s == '+';
		*max = *s == '?' ? 1 : LITERAL_FOREVER;
		p->i++;
		return true;
	}
	if (*s != '{')
		return false;
	/* a newer release reads {,3} and blanks in braces as well */
	if (s[1] == ',' || s[1] == ' ' || s[1] == '\t') {
		parser_fail(p);
		return false;
	}
	if (!is_digit(s[1]))
		return false;
	*min = *max = 0;
	for (n = 1; is_digit(s[n]) && *min < LITERAL_FOREVER / 16; n++)
		*min = *min * 10 + (u32)(s[n] - '0');
	*max = *min;
	if (s[n] == ',') {
		for (n++, *max = 0; is_digit(s[n]) && *max < LITERAL_FOREVER / 16; n++)
			*max = *max * 10 + (u32)(s[n] - '0');
		if (s[n - 1] == ',')
			*max = LITERAL_FOREVER;
	}
	if (s[n] != '}')
		parser_fail(p);
	p->i += n + 1;
	return !p->failed;
}

/* Returns whether what it takes is kept. */
static bool parse_quantifier(struct parser *p, u32 *min, u32 *max)
{
	u32 again;
	*min = *max = 1;
	skip_quote_marks(p);
	if (!take_quantifier(p, min, max))
		return false;
	bool kept = p->s[p->i] == '+';
	p->i += kept || p->s[p->i] == '?';
	skip_quote_marks(p);
	if (take_quantifier(p, &again, &again))
		parser_fail(p);
	return kept;
}

/* False where there is nothing to be repeated. */
static bool parse_item(struct parser *p, struct part *out)
{
	char c = p->s[p->i];
	if (!p->quoting) {
		switch (c) {
		case '(':
			return parse_group(p, out);
		case '[':
			parser_read_class(p, out);
			return true;
		case '\\':
			parser_read_escape(p, out);
			return true;
		case '.':
		case '^':
		case '$':
			p->i++;
			part_set_anything(out, ALL_CHARS);
			out->zero = c != '.';
			return true;
		case '*': case '+': case '?':
			parser_fail(p);
			return false;
		case '{':
			if (is_digit(p->s[p->i + 1]) || strchr(", \t", p->s[p->i + 1]))
				parser_fail(p);
			break;
		}
	}
	part_set_char(out, parser_take_char(p), p->fold);
	return true;
}

static void parse_sequence(struct parser *p, struct part *out)
{
	struct sequence q;
	sequence_begin(&q);
	for (;;) {
		u32 min, max;
		skip_quote_marks(p);
		char c = p->s[p->i];
		if (p->failed || !c || (!p->quoting && (c == '|' || c == ')')))
			break;
		if (!parse_item(p, out) || p->failed)
			continue;
		if (parse_quantifier(p, &min, &max))
			out->set.loose = true;
		sequence_add(&q, out, min, max);
	}
	sequence_end(&q, out);
}

static void parse_alternatives(struct parser *p, struct part *out)
{
	if (++p->depth > MAX_DEPTH) {
		parser_fail(p);
		return;
	}
	parse_sequence(p, out);
	while (!p->failed && p->s[p->i] == '|') {
		struct part more;
		p->i++;
		parse_sequence(p, &more);
		part_unite(out, &more);
	}
	p->depth--;
}

void literals_find(const char *pattern, bool ignore_case, struct literals *out)
{
	struct parser p = {.s = pattern, .fold = ignore_case};
	struct part all;
	all.what = ANYTHING;
	out->n = 0;
	parse_alternatives(&p, &all);
	/* \G means where the search begins, and that is moved */
	if (p.failed || pattern[p.i] || all.what == ANYTHING || set_has_empty(&all.set) || strstr(pattern, "\\G"))
		return;
	out->n = all.set.n;
	memcpy(out->of, all.set.of, all.set.n * sizeof *out->of);
	out->fold = all.set.fold;
	out->pure = all.what == EXACTLY && !all.set.loose && !(all.set.fold && all.set.one_case);
	out->before = all.what == EXACTLY ? NO_CHARS : all.before;
	for (size_t k = 0; out->fold && k < out->n; k++)
		for (size_t i = 0; i < out->of[k].n; i++)
			out->of[k].s[i] |= out->of[k].s[i] >= 'A' && out->of[k].s[i] <= 'Z' ? 32 : 0;
}

static bool holds(const struct literal *a, const struct literal *b, bool fold)
{
	for (size_t i = 0; i + b->n <= a->n; i++) {
		size_t k = 0;
		for (; k < b->n; k++) {
			u8 c = a->s[i + k];
			if ((fold && c >= 'A' && c <= 'Z' ? c | 32 : c) != b->s[k])
				break;
		}
		if (k == b->n)
			return true;
	}
	return false;
}

bool literals_imply(const struct literals *a, const struct literals *b)
{
	if (!a->n || !b->n || !a->pure || !b->pure || (a->fold && !b->fold))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		bool found = false;
		for (size_t k = 0; k < b->n && !found; k++)
			found = holds(&a->of[i], &b->of[k], b->fold);
		if (!found)
			return false;
	}
	return true;
}
