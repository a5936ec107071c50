/* SPDX-License-Identifier: MIT */
/* regex.c - PCRE2: compiling, limits, and a plainer twin of the pattern for plain text. */
#include "core/regex.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* A match counts steps, anew for each byte where it might begin; the JIT takes about a nanosecond
 * for one.  The limit times the length of the text is what a label can cost: here some 2 ms. */
enum { STEPS = 2000000, MIN_STEPS = 500, MAX_STEPS = 50000, HEAP_LIMIT_KIB = 1024 };
enum { UNASKED_STEPS = 100000 /* between two questions whether to stop */ };

struct code {
	pcre2_code *re;
	bool jit;
	bool in_parts; /* matches may be looked for in one part of a text after the other */
};

struct regex {
	struct code utf;
	struct code ascii; /* the same for texts without a byte over 0x7f; re NULL: use the other */
	size_t min_length; /* bytes that a match has at least */
};

struct regex_room {
	pcre2_match_data *data;
	pcre2_match_context *match;
	pcre2_jit_stack *stack;
	bool (*stop)(const void *context); /* or NULL */
	const void *context;
};

static pcre2_code *compile(const char *pattern, u32 options, size_t *offset, struct err *e)
{
	int code;
	PCRE2_SIZE at = 0;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_BACKSLASH_C | options,
				       &code, &at, NULL);
	if (re)
		return re;
	PCRE2_UCHAR text[256];
	pcre2_get_error_message(code, text, sizeof text);
	if (offset)
		*offset = at;
	err_set(e, ERR_USAGE, "bad pattern at offset %zu: %s", (size_t)at, (char *)text);
	return NULL;
}

static struct code faster(pcre2_code *re, u32 options)
{
	/* (*NO_JIT) and exotic patterns fall back to the interpreter */
	size_t size = 0;
	if (re) {
		pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
		pcre2_pattern_info(re, PCRE2_INFO_JITSIZE, &size);
	}
	return (struct code){re, size > 0, options & PCRE2_USE_OFFSET_LIMIT};
}

/* On plain text, \w \b \d and case mean the same without Unicode's tables, and cost a third less.
 * What asks for a property or sets options of its own is left alone; what names a character over
 * 0xff does not compile without UTF. */
static struct code plain_twin(const char *pattern, u32 options)
{
	if (!regex_is_ascii(pattern, strlen(pattern)) || strstr(pattern, "\\p") || strstr(pattern, "\\P") ||
	    strstr(pattern, "\\X") || strstr(pattern, "\\N") || strstr(pattern, "(*"))
		return (struct code){0};
	return faster(compile(pattern, options, NULL, NULL), options);
}

struct regex *regex_new(const char *pattern, bool ignore_case, size_t *offset, struct err *e)
{
	u32 min = 0, options = ignore_case ? PCRE2_CASELESS : 0;
	/* what knows of where the search began, or goes on elsewhere, would find other things in parts */
	if (!strstr(pattern, "(*") && !strstr(pattern, "\\G"))
		options |= PCRE2_USE_OFFSET_LIMIT;
	pcre2_code *re = compile(pattern, PCRE2_UTF | PCRE2_UCP | options, offset, e);
	if (!re)
		return NULL;
	struct regex *r = xcalloc(1, sizeof *r);
	r->utf = faster(re, options);
	r->ascii = plain_twin(pattern, options);
	pcre2_pattern_info(re, PCRE2_INFO_MINLENGTH, &min);
	r->min_length = min; /* in characters, so at least as many bytes */
	return r;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->utf.re);
	pcre2_code_free(r->ascii.re);
	free(r);
}

/* Capitals. */

static size_t after(const char *s, size_t i, char end)
{
	const char *found = strchr(s + i, end);
	return found ? (size_t)(found - s) + 1 : strlen(s);
}

/* What a pattern says literally, roughly: without escapes, group names and verbs. */
static void add_literals(struct buf *out, const char *s)
{
	for (size_t i = 0; s[i];) {
		if (s[i] == '\\' && s[i + 1] == 'Q') {
			const char *end = strstr(s + i + 2, "\\E");
			size_t n = end ? (size_t)(end - (s + i + 2)) : strlen(s + i + 2);
			buf_add(out, s + i + 2, n);
			i += 2 + n + (end ? 2 : 0);
		} else if (s[i] == '\\' && s[i + 1]) {
			i += 2;
			if (s[i] == '{')
				i = after(s, i, '}');
		} else if (s[i] == '(' && s[i + 1] == '*') {
			i = after(s, i, ')');
		} else if (s[i] == '(' && s[i + 1] == '?') {
			i += 2;
			if (s[i] == 'P' && (s[i + 1] == '<' || s[i + 1] == '=' || s[i + 1] == '>'))
				i++;
			if (s[i] == '<' && s[i + 1] != '=' && s[i + 1] != '!')
				i = after(s, i, '>');
			else
				i += strspn(s + i, "imsxnJUR^-");
		} else {
			buf_addc(out, s[i++]);
		}
	}
}

bool regex_has_capital(const char *pattern)
{
	struct buf b = BUF_INIT;
	add_literals(&b, pattern);
	pcre2_code *re = compile("[\\p{Lu}\\p{Lt}]", PCRE2_UTF | PCRE2_UCP, NULL, NULL);
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	/* what is not UTF-8 is refused when the pattern itself is compiled */
	bool found = pcre2_match(re, (PCRE2_SPTR)b.s, b.n, 0, 0, m, NULL) > 0;
	pcre2_match_data_free(m);
	pcre2_code_free(re);
	buf_release(&b);
	return found;
}

/* Matching. */

struct regex_room *regex_room_new(const struct regex *r, bool many)
{
	struct regex_room *m = xcalloc(1, sizeof *m);
	m->data = pcre2_match_data_create(1, NULL);
	m->match = pcre2_match_context_create(NULL);
	pcre2_set_heap_limit(m->match, HEAP_LIMIT_KIB);
	if (many && r->utf.jit) {
		m->stack = pcre2_jit_stack_create(32 << 10, 1 << 20, NULL);
		pcre2_jit_stack_assign(m->match, NULL, m->stack);
	}
	return m;
}

void regex_room_free(struct regex_room *m)
{
	if (!m)
		return;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->match);
	pcre2_jit_stack_free(m->stack);
	free(m);
}

bool regex_is_ascii(const char *s, size_t n)
{
	u64 any = 0, word;
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		memcpy(&word, s + i, 8);
		any |= word;
	}
	for (; i < n; i++)
		any |= (u8)s[i];
	return !(any & 0x8080808080808080u);
}

void regex_room_ask(struct regex_room *m, bool (*stop)(const void *), const void *context)
{
	m->stop = stop;
	m->context = context;
}

/* last: no match that begins behind it is looked for; PCRE2_UNSET: in all of s. */
static int once(const struct code *c, struct regex_room *m, const char *s, size_t n, size_t from, size_t last,
		size_t limit)
{
	pcre2_set_match_limit(m->match, (u32)limit);
	pcre2_set_offset_limit(m->match, last);
	return c->jit ? pcre2_jit_match(c->re, (PCRE2_SPTR)s, n, from, PCRE2_NO_UTF_CHECK, m->data, m->match)
		      : pcre2_match(c->re, (PCRE2_SPTR)s, n, from, PCRE2_NO_UTF_CHECK, m->data, m->match);
}

/* Each part has the starts whose steps are fewer than UNASKED_STEPS even at the limit. */
static int by_parts(const struct code *c, struct regex_room *m, const char *s, size_t n, size_t from,
		    size_t limit)
{
	size_t part = MAX((size_t)1, UNASKED_STEPS / limit);
	for (size_t end; from <= n; from = end) {
		end = from + part;
		while (end < n && ((u8)s[end] & 0xc0) == 0x80) /* within a character */
			end++;
		int r = once(c, m, s, n, from, end - 1, limit);
		if (r != PCRE2_ERROR_NOMATCH || m->stop(m->context))
			return r;
	}
	return PCRE2_ERROR_NOMATCH;
}

/* Nearly all are decided within a few steps of each start; a limit that is not reached changes nothing. */
static int run(const struct code *c, struct regex_room *m, const char *s, size_t n, size_t from)
{
	size_t limit = STEPS / (n + 1), few = UNASKED_STEPS / (n + 1) + 1;
	limit = limit < MIN_STEPS ? MIN_STEPS : MIN(limit, (size_t)MAX_STEPS);
	bool ask = m->stop && c->in_parts && few < limit;
	int r = once(c, m, s, n, from, PCRE2_UNSET, ask ? few : limit);
	if (ask && r == PCRE2_ERROR_MATCHLIMIT)
		r = by_parts(c, m, s, n, from, limit);
	return r >= 0 ? 1 : r == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

int regex_match(const struct regex *r, struct regex_room *m, const char *s, size_t n, size_t from, bool ascii)
{
	if (n < r->min_length + from)
		return 0;
	if (n > REGEX_MAX_TEXT)
		return -1;
	if (ascii)
		return run(r->ascii.re ? &r->ascii : &r->utf, m, s, n, from);
	/* PCRE2 must never see broken UTF-8 unchecked */
	if (utf8_is_valid(s, n))
		return run(&r->utf, m, s, n, from);
	struct buf b = BUF_INIT;
	utf8_add_valid(&b, s, n);
	int found = run(&r->utf, m, b.s, b.n, 0);
	buf_release(&b);
	return found;
}

/* Where byte at of the cleaned text lies in the text as given. */
static size_t unclean(const char *s, size_t n, size_t at)
{
	size_t i = 0, cleaned = 0;
	while (i < n && cleaned < at) {
		i32 cp;
		char c[4];
		i += utf8_next(s + i, n - i, &cp);
		cleaned += utf8_encode(cp, c);
	}
	return i;
}

void regex_found(const struct regex_room *m, const char *s, size_t n, size_t *start, size_t *end)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data);
	bool valid = utf8_is_valid(s, n);
	*start = valid ? at[0] : unclean(s, n, at[0]);
	*end = valid ? at[1] : unclean(s, n, at[1]);
}
