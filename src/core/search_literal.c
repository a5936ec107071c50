/* SPDX-License-Identifier: MIT */
/* search_literal.c - reads a pattern for the texts that it needs.
 *
 * Each part of a pattern is one of three: exactly one of some texts, something that holds one of
 * some texts, or anything.  A sequence multiplies exact parts into longer texts as far as they
 * fit, and keeps the rarest set that it came by; alternatives are united.
 */
#include "core/search_literal.h"

#include "base/utf8.h"

#include <string.h>

enum { MAX_DEPTH = 20, MAX_OPTIONAL = 8 /* texts, for a? to double them */, FOREVER = 1 << 20 };

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

struct parser {
	const char *s;
	size_t i;
	bool quoting; /* between \Q and \E */
	bool fold;
	bool failed;
	int depth;
};

static const struct literal_chars all_chars = {{~(u64)0, ~(u64)0}}, no_chars;

static void add_char(struct literal_chars *c, u32 cp)
{
	if (cp < 128)
		c->bits[cp / 64] |= (u64)1 << (cp % 64);
}

static bool has_char(const struct literal_chars *c, u32 cp)
{
	return c->bits[cp / 64] >> (cp % 64) & 1;
}

static struct literal_chars both(struct literal_chars a, struct literal_chars b)
{
	return (struct literal_chars){{a.bits[0] | b.bits[0], a.bits[1] | b.bits[1]}};
}

static bool is_letter(u32 cp)
{
	return (cp | 32) >= 'a' && (cp | 32) <= 'z' && cp < 128;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void add_char_in_case(struct literal_chars *c, u32 cp, bool fold)
{
	add_char(c, cp);
	if (fold && is_letter(cp))
		add_char(c, cp ^ 32);
}

static void fail(struct parser *p)
{
	p->failed = true;
}

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

static bool has_empty(const struct set *s)
{
	for (size_t k = 0; k < s->n; k++)
		if (!s->of[k].n)
			return true;
	return !s->n;
}

/* Sequences. */

struct sequence {
	struct set run; /* the exact texts that end here */
	struct set best;
	struct literal_chars run_before, best_before, all;
	bool plain; /* all of it is in run */
	bool some;  /* best is one */
	f64 often;
};

static void set_empty(struct set *s)
{
	s->n = 1;
	s->of[0].n = 0;
	s->fold = s->one_case = s->loose = false;
}

static void consider(struct sequence *q, const struct set *s, struct literal_chars before)
{
	if (has_empty(s))
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

static void add_part(struct sequence *q, struct part *part, u32 min, u32 max)
{
	if (part->zero) {
		q->plain = false;
		if (part->what == HOLDS && min)
			consider(q, &part->set, all_chars);
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

/* Single characters. */

/* Scripts without cases, by blocks. */
static bool has_no_case(u32 cp)
{
	return (cp >= 0x590 && cp <= 0x109f) || (cp >= 0x2e80 && cp <= 0xa63f) || (cp >= 0xac00 && cp <= 0xd7a3);
}

static void set_anything(struct part *out, struct literal_chars chars)
{
	out->what = ANYTHING;
	out->zero = false;
	out->chars = chars;
}

static void set_one(struct part *out, u32 cp, bool fold)
{
	struct literal *l = &out->set.of[0];
	out->zero = false;
	out->chars = no_chars;
	/* a broken text is matched as U+FFFD, which its bytes do not hold */
	if (cp >= 0x80 && ((fold && !has_no_case(cp)) || cp == 0xfffd)) {
		set_anything(out, fold ? all_chars : no_chars);
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

static u32 take_char(struct parser *p)
{
	i32 cp;
	p->i += utf8_next(p->s + p->i, strlen(p->s + p->i), &cp);
	return (u32)cp;
}

static void skip_to(struct parser *p, char end)
{
	const char *found = strchr(p->s + p->i, end);
	if (!found) {
		fail(p);
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
		fail(p);
	if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) {
		fail(p);
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
		fail(p);
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
			fail(p);
		*cp = c ? take_char(p) : ' ';
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
			skip_to(p, '}');
		else
			p->i += p->s[p->i] != 0;
	} else if (is_digit(c)) {
		p->i += strspn(p->s + p->i, "0123456789");
	} else if (!strchr("dDwWsShHvV", c)) {
		fail(p);
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
	*cp = take_char(p);
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
		chars = all_chars;
	set_anything(out, chars);
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

static void parse_class(struct parser *p, struct part *out)
{
	struct class k = {0};
	u32 from = 0, to = 0;
	p->i++;
	k.negated = p->s[p->i] == '^';
	p->i += k.negated;
	for (bool first = true; p->s[p->i] != ']' || first; first = false) {
		if (!p->s[p->i] || p->failed) {
			fail(p);
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
				fail(p);
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
		skip_to(p, close[at - open]);
	} else {
		p->i += c == '+' || c == '-';
		p->i += strspn(p->s + p->i, "0123456789");
	}
}

static void parse_escape(struct parser *p, struct part *out)
{
	char c = p->s[++p->i];
	if (!c) {
		fail(p);
		return;
	}
	if (!is_letter((u8)c) && !is_digit(c)) {
		set_one(out, take_char(p), p->fold);
		return;
	}
	p->i++;
	set_anything(out, all_chars);
	if (simple_escape(c)) {
		set_one(out, simple_escape(c), p->fold);
	} else if (c == 'x') {
		set_one(out, take_hex(p), p->fold);
	} else if (strchr("bBAZzK", c)) {
		out->zero = true;
	} else if (strchr("pPo", c)) {
		if (p->s[p->i] == '{')
			skip_to(p, '}');
		else
			p->i += p->s[p->i] != 0;
	} else if (c == 'g' || c == 'k') {
		skip_reference(p);
	} else if (is_digit(c)) {
		/* a reference or an octal number; digits taken too many are anything as well */
		p->i += strspn(p->s + p->i, "0123456789");
	} else if (!strchr("dDwWsShHvVRX", c)) {
		fail(p);
	} else if (c == 'd' || c == 'w') {
		out->chars = no_chars;
		for (u32 k = '0'; k <= 'z'; k++)
			if (is_digit((char)k) || (c == 'w' && (is_letter(k) || k == '_')))
				add_char(&out->chars, k);
	}
}

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
			fail(p);
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
		skip_to(p, ')');
		return GROUP_CALL;
	}
	if (take(p, "P<") || take(p, "<")) {
		if (p->s[p->i] == '*')
			fail(p);
		skip_to(p, '>');
		return GROUP_PLAIN;
	}
	if (take(p, "'")) {
		skip_to(p, '\'');
		return GROUP_PLAIN;
	}
	return take_flags(p) ? GROUP_PLAIN : GROUP_FLAGS;
}

static void look(struct part *out, bool positive)
{
	bool holds = positive && (out->what == HOLDS || (out->what == EXACTLY && !has_empty(&out->set)));
	out->what = holds ? HOLDS : ANYTHING;
	out->zero = true;
}

/* False where it only set flags, for what is left of the group around it. */
static bool parse_group(struct parser *p, struct part *out)
{
	bool fold = p->fold;
	enum group g = GROUP_PLAIN;
	p->i++;
	if (p->s[p->i] == '*')
		fail(p);
	if (p->s[p->i] == '?') {
		p->i++;
		g = take_group(p);
	}
	if (p->failed || g == GROUP_FLAGS)
		return false;
	if (g == GROUP_CALL) {
		set_anything(out, all_chars);
		return true;
	}
	parse_alternatives(p, out);
	if (p->s[p->i] != ')')
		fail(p);
	p->i++;
	p->fold = fold;
	if (g == GROUP_KEEP)
		out->set.loose = true;
	else if (g != GROUP_PLAIN)
		look(out, g == GROUP_LOOK);
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
		*max = *s == '?' ? 1 : FOREVER;
		p->i++;
		return true;
	}
	if (*s != '{')
		return false;
	/* a newer release reads {,3} and blanks in braces as well */
	if (s[1] == ',' || s[1] == ' ' || s[1] == '\t') {
		fail(p);
		return false;
	}
	if (!is_digit(s[1]))
		return false;
	*min = *max = 0;
	for (n = 1; is_digit(s[n]) && *min < FOREVER / 16; n++)
		*min = *min * 10 + (u32)(s[n] - '0');
	*max = *min;
	if (s[n] == ',') {
		for (n++, *max = 0; is_digit(s[n]) && *max < FOREVER / 16; n++)
			*max = *max * 10 + (u32)(s[n] - '0');
		if (s[n - 1] == ',')
			*max = FOREVER;
	}
	if (s[n] != '}')
		fail(p);
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
		fail(p);
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
			parse_class(p, out);
			return true;
		case '\\':
			parse_escape(p, out);
			return true;
		case '.':
		case '^':
		case '$':
			p->i++;
			set_anything(out, all_chars);
			out->zero = c != '.';
			return true;
		case '*': case '+': case '?':
			fail(p);
			return false;
		case '{':
			if (is_digit(p->s[p->i + 1]) || strchr(", \t", p->s[p->i + 1]))
				fail(p);
			break;
		}
	}
	set_one(out, take_char(p), p->fold);
	return true;
}

static void parse_sequence(struct parser *p, struct part *out)
{
	struct sequence q;
	q.plain = true;
	q.some = false;
	q.often = 0;
	q.all = q.run_before = no_chars;
	set_empty(&q.run);
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
		add_part(&q, out, min, max);
	}
	out->zero = false;
	out->chars = q.all;
	if (q.plain) {
		out->what = EXACTLY;
		out->set = q.run;
		return;
	}
	consider(&q, &q.run, q.run_before);
	out->what = q.some ? HOLDS : ANYTHING;
	if (q.some) {
		out->set = q.best;
		out->before = q.best_before;
	}
}

static void unite(struct part *a, const struct part *b)
{
	bool exact = a->what == EXACTLY && b->what == EXACTLY;
	a->chars = both(a->chars, b->chars);
	if (a->what == ANYTHING || b->what == ANYTHING || a->set.n + b->set.n > LITERAL_MAX ||
	    (!exact && (has_empty(&a->set) || has_empty(&b->set)))) {
		a->what = ANYTHING;
		return;
	}
	a->before = both(a->what == HOLDS ? a->before : no_chars, b->what == HOLDS ? b->before : no_chars);
	a->what = exact ? EXACTLY : HOLDS;
	memcpy(a->set.of + a->set.n, b->set.of, b->set.n * sizeof *b->set.of);
	a->set.n += b->set.n;
	a->set.fold |= b->set.fold;
	a->set.one_case |= b->set.one_case;
	a->set.loose |= b->set.loose;
}

static void parse_alternatives(struct parser *p, struct part *out)
{
	if (++p->depth > MAX_DEPTH) {
		fail(p);
		return;
	}
	parse_sequence(p, out);
	while (!p->failed && p->s[p->i] == '|') {
		struct part more;
		p->i++;
		parse_sequence(p, &more);
		unite(out, &more);
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
	if (p.failed || pattern[p.i] || all.what == ANYTHING || has_empty(&all.set) || strstr(pattern, "\\G"))
		return;
	out->n = all.set.n;
	memcpy(out->of, all.set.of, all.set.n * sizeof *out->of);
	out->fold = all.set.fold;
	out->pure = all.what == EXACTLY && !all.set.loose && !(all.set.fold && all.set.one_case);
	out->before = all.what == EXACTLY ? no_chars : all.before;
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
