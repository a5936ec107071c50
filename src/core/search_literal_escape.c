/* SPDX-License-Identifier: MIT */
/* search_literal_escape.c - reads the characters, escapes and classes of a pattern. */
#include "core/search_literal_parser.h"

#include "base/utf8.h"

#include <string.h>

void parser_fail(struct parser *p)
{
	p->failed = true;
}

u32 parser_take_char(struct parser *p)
{
	i32 cp;
	p->i += utf8_next(p->s + p->i, strlen(p->s + p->i), &cp);
	return (u32)cp;
}

void parser_skip_to(struct parser *p, char end)
{
	const char *found = strchr(p->s + p->i, end);
	if (!found) {
		parser_fail(p);
		return;
	}
	p->i = (size_t)(found - p->s) + 1;
}

static int hex_digit(char c)
{
	return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Behind \x. */
static u32 take_hex(struct parser *p)
{
	u32 v = 0;
	bool braces = p->s[p->i] == '{';
	p->i += braces;
	for (int k = 0; hex_digit(p->s[p->i]) >= 0 && (braces ? k < 6 : k < 2); k++)
		v = v * 16 + (u32)hex_digit(p->s[p->i++]);
	if (braces && p->s[p->i++] != '}')
		parser_fail(p);
	if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) {
		parser_fail(p);
		return ' ';
	}
	return v;
}

/* \a \e \f \n \r \t and what is no letter or digit; 0 for others. */
static u32 simple_escape(char c)
{
	static const char from[] = "aefnrt", to[] = "\a\033\f\n\r\t";
	const char *at = c ? strchr(from, c) : NULL;
	return at ? (u32)to[at - from] : 0;
}

/* [...] */

struct class {
	bool negated, odd, wide; /* odd: has \w and the like; wide: over ASCII */
	struct literal_chars listed;
};

static bool take_posix(struct parser *p)
{
	size_t n = p->s[p->i + 2] == '^' ? 3 : 2;
	n += strspn(p->s + p->i + n, "abcdefghijklmnopqrstuvwxyz");
	if (p->s[p->i + 1] != ':' || p->s[p->i + n] != ':' || p->s[p->i + n + 1] != ']') {
		parser_fail(p);
		return false;
	}
	p->i += n + 2;
	return true;
}

/* A \ in a class.  False where it is more than one character. */
static bool class_escape(struct parser *p, u32 *cp)
{
	char c = p->s[++p->i];
	if (!is_letter((u8)c) && !is_digit(c)) {
		if (!c)
			parser_fail(p);
		*cp = c ? parser_take_char(p) : ' ';
		return true;
	}
	p->i++;
	*cp = c == 'b' ? 8 : simple_escape(c);
	if (*cp)
		return true;
	if (c == 'x') {
		*cp = take_hex(p);
		return true;
	}
	if (strchr("pPo", c)) {
		if (p->s[p->i] == '{')
			parser_skip_to(p, '}');
		else
			p->i += p->s[p->i] != 0;
	} else if (is_digit(c)) {
		p->i += strspn(p->s + p->i, "0123456789");
	} else if (!strchr("dDwWsShHvV", c)) {
		parser_fail(p);
	}
	return false;
}

/* One end of a range, or a class in the class. */
static bool class_member(struct parser *p, u32 *cp)
{
	char c = p->s[p->i];
	if (c == '[' && (p->s[p->i + 1] == ':' || p->s[p->i + 1] == '.' || p->s[p->i + 1] == '=')) {
		take_posix(p);
		return false;
	}
	if (c == '\\')
		return class_escape(p, cp);
	*cp = parser_take_char(p);
	return true;
}

static void add_range(struct class *k, u32 from, u32 to, bool fold)
{
	for (u32 c = from; c <= to && c < 128; c++)
		add_char_in_case(&k->listed, c, fold);
	k->wide |= to >= 128;
}

static void set_class(struct part *out, const struct class *k, bool fold)
{
	/* what is listed is never matched by the negation, whatever else is */
	struct literal_chars chars = k->listed;
	if (k->negated)
		chars = (struct literal_chars){{~chars.bits[0], ~chars.bits[1]}};
	else if (k->odd || (k->wide && fold)) /* U+017F is an s as well, and U+212A a k */
		chars = ALL_CHARS;
	part_set_anything(out, chars);
	if (k->negated || k->odd || k->wide)
		return;
	struct set *s = &out->set;
	s->n = 0;
	s->fold = s->one_case = s->loose = false;
	for (u32 c = 0; c < 128; c++) {
		if (!has_char(&chars, c) || (fold && c >= 'A' && c <= 'Z'))
			continue;
		if (s->n == 4)
			return;
		s->of[s->n++] = (struct literal){1, {(u8)c}};
		s->fold |= fold && is_letter(c);
		s->one_case |= !fold && is_letter(c);
	}
	if (s->n)
		out->what = EXACTLY;
}

void parser_read_class(struct parser *p, struct part *out)
{
	struct class k = {0};
	u32 from = 0, to = 0;
	p->i++;
	k.negated = p->s[p->i] == '^';
	p->i += k.negated;
	for (bool first = true; p->s[p->i] != ']' || first; first = false) {
		if (!p->s[p->i] || p->failed) {
			parser_fail(p);
			return;
		}
		if (!class_member(p, &from)) {
			k.odd = true;
			continue;
		}
		to = from;
		if (p->s[p->i] == '-' && p->s[p->i + 1] != ']') {
			p->i++;
			if (!p->s[p->i] || !class_member(p, &to) || to < from) {
				parser_fail(p);
				return;
			}
		}
		add_range(&k, from, to, p->fold);
	}
	p->i++;
	set_class(out, &k, p->fold);
}

/* Escapes outside of classes. */

static void skip_reference(struct parser *p)
{
	static const char open[] = "{<'", close[] = "}>'";
	char c = p->s[p->i];
	const char *at = c ? strchr(open, c) : NULL;
	if (at) {
		p->i++;
		parser_skip_to(p, close[at - open]);
	} else {
		p->i += c == '+' || c == '-';
		p->i += strspn(p->s + p->i, "0123456789");
	}
}

void parser_read_escape(struct parser *p, struct part *out)
{
	char c = p->s[++p->i];
	if (!c) {
		parser_fail(p);
		return;
	}
	if (!is_letter((u8)c) && !is_digit(c)) {
		part_set_char(out, parser_take_char(p), p->fold);
		return;
	}
	p->i++;
	part_set_anything(out, ALL_CHARS);
	if (simple_escape(c)) {
		part_set_char(out, simple_escape(c), p->fold);
	} else if (c == 'x') {
		part_set_char(out, take_hex(p), p->fold);
	} else if (strchr("bBAZzK", c)) {
		out->zero = true;
	} else if (strchr("pPo", c)) {
		if (p->s[p->i] == '{')
			parser_skip_to(p, '}');
		else
			p->i += p->s[p->i] != 0;
	} else if (c == 'g' || c == 'k') {
		skip_reference(p);
	} else if (is_digit(c)) {
		/* a reference or an octal number; digits taken too many are anything as well */
		p->i += strspn(p->s + p->i, "0123456789");
	} else if (!strchr("dDwWsShHvVRX", c)) {
		parser_fail(p);
	} else if (c == 'd' || c == 'w') {
		out->chars = NO_CHARS;
		for (u32 k = '0'; k <= 'z'; k++)
			if (is_digit((char)k) || (c == 'w' && (is_letter(k) || k == '_')))
				add_char(&out->chars, k);
	}
}
