/* SPDX-License-Identifier: MIT */
/* query.c - the query language: its words, and the parser. */
#include "core/query.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/query_tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 8192, MAX_DEPTH = 100 };

const struct query_key query_keys[] = {
	{"label", "REGEX", "a label matches"},
	{"id", "N,N..N", "the feature's number"},
	{"density", "<N", "share of tokens where it fires"},
	{"max", ">N", "largest activation"},
	{"detects", ">N", "input score"},
	{"writes", ">N", "topic score"},
	{"output", ">N", "output score"},
	{"tuned", ">N", "output score at the factor that works on the model"},
	{"judged", ">N", "balanced accuracy of the label, as a machine judged it: by detection, else fuzzing, lexical, topic words"},
	{"quiz", ">N", "balanced accuracy of the label in a quiz that a person took"},
	{"rating", ">=N", "stars a person gave, 1 to 5; 0 for none"},
	{"tag", "WORD", "has the tag"},
	{"note", "REGEX", "its note matches"},
	{"source", "REGEX", "a label comes from there"},
	{"promotes", "REGEX", "a promoted token matches"},
	{"suppresses", "REGEX", "a suppressed token matches"},
	{"context", "REGEX", "the text around one of its strongest activations matches"},
	{"near", "N", "is a stored neighbour of feature N"},
	{"cluster", "N,N..N", "lies in that cluster of the map"},
	{"fires", "TEXT", "fires somewhere on the text, read by the live model"},
	{"is", "WORD", "dead, live, labelled, rejected, marked, bookmarked, rated, tagged or noted"},
	{NULL, NULL, NULL},
};

static const enum query_op key_ops[] = {
	QUERY_LABEL, QUERY_ID, QUERY_DENSITY, QUERY_MAX, QUERY_DETECTS, QUERY_WRITES, QUERY_OUTPUT, QUERY_TUNED,
	QUERY_JUDGED, QUERY_QUIZ, QUERY_RATING, QUERY_TAG, QUERY_NOTE, QUERY_SOURCE, QUERY_PROMOTES, QUERY_SUPPRESSES,
	QUERY_CONTEXT, QUERY_NEAR, QUERY_CLUSTER,
	QUERY_FIRES, QUERY_IS,
};
_Static_assert(ARRAY_LEN(key_ops) + 1 == ARRAY_LEN(query_keys), "an operation for each key");

const char *const query_states[] = {
	[IS_DEAD] = "dead", [IS_LIVE] = "live", [IS_LABELLED] = "labelled", [IS_REJECTED] = "rejected",
	[IS_MARKED] = "marked", [IS_BOOKMARKED] = "bookmarked", [IS_RATED] = "rated", [IS_TAGGED] = "tagged",
	[IS_NOTED] = "noted", NULL,
};

struct parser {
	const char *text;
	size_t i;
	int depth;
	enum search_case letters;
	size_t *column;
	struct err *e;
};

/* Columns in messages count characters, as the eye does. */
static size_t column_of(const char *s, size_t at)
{
	size_t n = 1;
	for (size_t i = 0; i < at && s[i]; i++)
		n += ((u8)s[i] & 0xc0) != 0x80;
	return n;
}

static struct query *wrong(struct parser *p, size_t at, const char *what)
{
	if (p->column)
		*p->column = at;
	err_set(p->e, ERR_USAGE, "query, column %zu: %s", column_of(p->text, at), what);
	return NULL;
}

static struct query *node(enum query_op op, size_t at)
{
	struct query *q = xcalloc(1, sizeof *q);
	q->op = op;
	q->at = at;
	return q;
}

static struct query *join(enum query_op op, struct query *a, struct query *b)
{
	struct query *q = node(op, a->at);
	q->a = a;
	q->b = b;
	return q;
}

/* Left-leaning chains can be long, so the left side is walked, not recursed into. */
void query_free(struct query *q)
{
	while (q) {
		struct query *left = q->a;
		query_free(q->b);
		search_pattern_free(q->pattern);
		free(q->text);
		free(q);
		q = left;
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct parser *p)
{
	while (is_blank(p->text[p->i]))
		p->i++;
}

/* Values. */

enum form { FORM_WORD, FORM_TEXT, FORM_REGEX };

struct value {
	char *s; /* owned */
	enum form form;
	size_t at; /* of its first byte, behind a quote or slash */
	bool ignore;
};

/* "text" or /regex/ with the closing mark; a backslash keeps the mark. */
static int parse_enclosed(struct parser *p, struct value *v)
{
	struct buf b = BUF_INIT;
	char mark = p->text[p->i];
	size_t start = p->i++;
	v->form = mark == '/' ? FORM_REGEX : FORM_TEXT;
	v->at = p->i;
	for (; p->text[p->i] != mark; p->i++) {
		if (!p->text[p->i]) {
			buf_release(&b);
			wrong(p, start, mark == '/' ? "the / is not closed" : "the quote is not closed");
			return -1;
		}
		if (p->text[p->i] == '\\' && p->text[p->i + 1] == mark)
			p->i++;
		else if (p->text[p->i] == '\\' && p->text[p->i + 1])
			buf_addc(&b, p->text[p->i++]);
		buf_addc(&b, p->text[p->i]);
	}
	p->i++;
	if (mark == '/' && p->text[p->i] == 'i') {
		v->ignore = true;
		p->i++;
	}
	v->s = buf_take(&b);
	return 0;
}

static int parse_value(struct parser *p, struct value *v)
{
	*v = (struct value){0};
	char c = p->text[p->i];
	if (c == '"' || c == '/')
		return parse_enclosed(p, v);
	size_t n = strcspn(p->text + p->i, " \t\n\r()\"");
	v->at = p->i;
	v->s = xstrndup(p->text + p->i, n);
	p->i += n;
	return 0;
}

static struct query *regex_node(struct parser *p, enum query_op op, size_t at, const struct value *v)
{
	size_t offset = 0;
	struct err why = {0};
	struct search_pattern *re = search_compile(v->s, v->ignore ? SEARCH_IGNORE : p->letters, &offset, &why);
	if (!re) {
		const char *text = strstr(why.msg, ": ");
		return wrong(p, v->at + offset, text ? text + 2 : why.msg);
	}
	struct query *q = node(op, at);
	q->pattern = re;
	return q;
}

/* <x <=x >x >=x =x x x..y, up to the comma or the end. */
static const char *parse_range(const char *s, struct query *q)
{
	char *end;
	char sign = *s == '<' || *s == '>' || *s == '=' ? *s++ : 0;
	bool closed = sign && sign != '=' && *s == '=';
	s += closed;
	if (q->op == QUERY_ID && *s == '#')
		s++;
	/* no hexadecimal, no infinity; strtod would also skip blanks */
	if (!strchr("+-.0123456789", *s) || !*s)
		return NULL;
	/* "2..5" must not be read as "2." and ".5" */
	char number[64];
	const char *dots = strstr(s, ".."), *comma = strchr(s, ',');
	if (dots && comma && comma < dots)
		dots = NULL;
	size_t n = dots ? (size_t)(dots - s) : strcspn(s, ",");
	if (!n || n >= sizeof number || memchr(s, 'x', n) || memchr(s, 'X', n))
		return NULL;
	memcpy(number, s, n);
	number[n] = 0;
	f64 v = strtod(number, &end);
	if (*end || !isfinite(v))
		return NULL;
	s += n;
	q->low = sign == '<' ? -INFINITY : v;
	q->high = sign == '>' ? INFINITY : v;
	q->low_open = sign == '>' && !closed;
	q->high_open = sign == '<' && !closed;
	if (!dots)
		return s;
	s += 2;
	n = strcspn(s, ",");
	if (sign || !n || n >= sizeof number)
		return NULL;
	memcpy(number, s, n);
	number[n] = 0;
	q->high = strtod(number, &end);
	return *end || !isfinite(q->high) || q->high < q->low ? NULL : s + n;
}

static struct query *range_node(struct parser *p, enum query_op op, size_t at, const struct value *v)
{
	struct query *all = NULL;
	for (const char *s = v->s;; s++) {
		struct query *q = node(op, at);
		const char *end = parse_range(s, q);
		if (!end || (*end && *end != ',')) {
			query_free(q);
			query_free(all);
			return wrong(p, v->at + (size_t)(s - v->s), "a number is wanted here: 7, <1e-4, >=3, 2..5");
		}
		all = all ? join(QUERY_OR, all, q) : q;
		if (!*end)
			return all;
		s = end;
	}
}

static struct query *near_node(struct parser *p, size_t at, const struct value *v)
{
	const char *s = v->s + (v->s[0] == '#');
	char *end;
	unsigned long long id = s[0] >= '0' && s[0] <= '9' ? strtoull(s, &end, 10) : UINT64_MAX;
	if (id > UINT32_MAX || *end)
		return wrong(p, v->at, "a feature's number is wanted here");
	struct query *q = node(QUERY_NEAR, at);
	q->low = (f64)id;
	return q;
}

static struct query *state_node(struct parser *p, size_t at, const struct value *v)
{
	bool negated = !strcmp(v->s, "unlabelled");
	const char *word = negated ? "labelled" : v->s;
	for (int i = 0; query_states[i]; i++) {
		if (strcmp(query_states[i], word))
			continue;
		struct query *q = node(QUERY_IS, at);
		q->state = (enum query_state)i;
		return negated ? join(QUERY_NOT, q, NULL) : q;
	}
	return wrong(p, v->at, "is: knows dead, live, labelled, unlabelled, rejected, marked, bookmarked, rated, tagged, noted");
}

static struct query *key_node(struct parser *p, enum query_op op, size_t at)
{
	struct value v;
	struct query *q = NULL;
	if (parse_value(p, &v))
		return NULL;
	if (!v.s[0] && v.form == FORM_WORD) {
		wrong(p, v.at, "a value is wanted after the colon");
	} else if (op >= QUERY_LABEL && op <= QUERY_NOTE) {
		q = regex_node(p, op, at, &v);
	} else if (op >= QUERY_ID && op <= QUERY_QUIZ) {
		q = range_node(p, op, at, &v);
	} else if (op == QUERY_NEAR) {
		q = near_node(p, at, &v);
	} else if (op == QUERY_IS) {
		q = state_node(p, at, &v);
	} else {
		q = node(op, at);
		q->text = xstrdup(v.s);
	}
	free(v.s);
	return q;
}

/* The length of "key:" with a known key, 0 where there is no key at all. */
static size_t find_key(struct parser *p, enum query_op *op)
{
	const char *s = p->text + p->i;
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
	if (!n || s[n] != ':')
		return 0;
	for (size_t i = 0; query_keys[i].name; i++) {
		if (strlen(query_keys[i].name) == n && !strncmp(query_keys[i].name, s, n)) {
			*op = key_ops[i];
			return n + 1;
		}
	}
	return SIZE_MAX;
}

/* "density<1e-4" means the key, whose colon was left out: where that belongs, or SIZE_MAX. */
static size_t missing_colon(struct parser *p)
{
	const char *s = p->text + p->i;
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
	for (size_t i = 0; n && s[n] && strchr("<>=", s[n]) && query_keys[i].name; i++)
		if (strlen(query_keys[i].name) == n && !strncmp(query_keys[i].name, s, n))
			return p->i + n;
	return SIZE_MAX;
}

/* Terms. */

static struct query *parse_or(struct parser *p);

static bool take_word(struct parser *p, const char *word)
{
	size_t n = strlen(word);
	char c = strncmp(p->text + p->i, word, n) ? 'x' : p->text[p->i + n];
	if (c && !is_blank(c) && c != '(' && c != ')')
		return false;
	p->i += n;
	return true;
}

static bool at_word(struct parser *p, const char *word)
{
	size_t i = p->i;
	bool found = take_word(p, word);
	p->i = i;
	return found;
}

static struct query *parse_group(struct parser *p)
{
	size_t at = p->i++;
	struct query *q = parse_or(p);
	if (!q)
		return NULL;
	if (p->text[p->i] != ')') {
		query_free(q);
		return wrong(p, at, "the parenthesis is not closed");
	}
	p->i++;
	return q;
}

static struct query *parse_term(struct parser *p)
{
	skip_blanks(p);
	size_t at = p->i;
	char c = p->text[at];
	if (!c || c == ')')
		return wrong(p, at, "a term is wanted here");
	if (at_word(p, "and") || at_word(p, "or"))
		return wrong(p, at, "a term is wanted before this word; to search for the word itself, quote it");
	if (c == '(')
		return parse_group(p);
	enum query_op op = QUERY_LABEL;
	size_t key = find_key(p, &op);
	if (key == SIZE_MAX)
		return wrong(p, at, "there is no such key; to search for a text with a colon, quote it");
	if (key) {
		p->i += key;
		return key_node(p, op, at);
	}
	if (missing_colon(p) != SIZE_MAX)
		return wrong(p, missing_colon(p), "a colon is wanted between key and value, or quotes around a text");
	struct value v;
	if (parse_value(p, &v))
		return NULL;
	struct query *q = regex_node(p, QUERY_LABEL, at, &v);
	free(v.s);
	return q;
}

static struct query *parse_not(struct parser *p)
{
	skip_blanks(p);
	size_t at = p->i;
	bool no = take_word(p, "not");
	if (!no && p->text[p->i] == '-' && p->text[p->i + 1] && !is_blank(p->text[p->i + 1])) {
		p->i++;
		no = true;
	}
	if (!no)
		return parse_term(p);
	if (++p->depth > MAX_DEPTH)
		return wrong(p, at, "this is nested too deeply");
	struct query *q = parse_not(p);
	p->depth--;
	if (!q)
		return NULL;
	q = join(QUERY_NOT, q, NULL);
	q->at = at;
	return q;
}

static struct query *parse_and(struct parser *p)
{
	struct query *q = parse_not(p);
	for (;;) {
		skip_blanks(p);
		if (!q || !p->text[p->i] || p->text[p->i] == ')' || at_word(p, "or"))
			return q;
		take_word(p, "and");
		struct query *right = parse_not(p);
		if (!right) {
			query_free(q);
			return NULL;
		}
		q = join(QUERY_AND, q, right);
	}
}

static struct query *parse_or(struct parser *p)
{
	if (++p->depth > MAX_DEPTH)
		return wrong(p, p->i, "this is nested too deeply");
	struct query *q = parse_and(p);
	while (q && take_word(p, "or")) {
		struct query *right = parse_and(p);
		if (!right) {
			query_free(q);
			return NULL;
		}
		q = join(QUERY_OR, q, right);
	}
	p->depth--;
	return q;
}

struct query *query_parse(const char *text, enum search_case c, size_t *column, struct err *e)
{
	struct parser p = {.text = text, .letters = c, .column = column, .e = e};
	if (strlen(text) > MAX_BYTES)
		return wrong(&p, 0, "the query is too long");
	struct query *q = parse_or(&p);
	if (q && p.text[p.i]) { /* only a parenthesis stops the parser early */
		query_free(q);
		return wrong(&p, p.i, "this parenthesis was never opened");
	}
	return q;
}
