/* SPDX-License-Identifier: MIT */
/* csv.c - rows of separated values. */
#include "io/csv.h"

#include <string.h>

void csv_init(struct csv *c, struct span text, char separator, const char *what)
{
	*c = (struct csv){.text = text, .separator = separator, .what = what, .next_line = 1};
	buf_init(&c->bytes);
	if (text.n >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3))
		c->at = 3;
}

void csv_release(struct csv *c)
{
	buf_release(&c->bytes);
}

static bool at_end(const struct csv *c)
{
	return c->at >= c->text.n;
}

static char here(const struct csv *c)
{
	return (char)c->text.p[c->at];
}

/* A line end here: how many bytes, or 0. */
static size_t line_end(const struct csv *c)
{
	if (here(c) == '\n')
		return 1;
	return here(c) == '\r' && c->at + 1 < c->text.n && c->text.p[c->at + 1] == '\n' ? 2 : 0;
}

static int fail(const struct csv *c, const char *why, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "%s line %llu: %s", c->what, (unsigned long long)c->next_line, why);
}

static int read_quoted(struct csv *c, struct err *e)
{
	u64 began = c->next_line;
	for (c->at++; !at_end(c); c->at++) {
		if (here(c) == '"' && (c->at + 1 >= c->text.n || c->text.p[c->at + 1] != '"')) {
			c->at++;
			if (at_end(c) || here(c) == c->separator || line_end(c))
				return 0;
			return fail(c, "text behind a closing quote", e);
		}
		c->at += here(c) == '"';
		c->next_line += here(c) == '\n';
		buf_addc(&c->bytes, here(c));
	}
	c->next_line = began;
	return fail(c, "a quote that never closes", e);
}

static int read_plain(struct csv *c, struct err *e)
{
	for (; !at_end(c) && here(c) != c->separator && !line_end(c); c->at++) {
		if (c->separator == ',' && here(c) == '"')
			return fail(c, "a quote inside a field that does not begin with one", e);
		buf_addc(&c->bytes, here(c));
	}
	return 0;
}

/* Lengths first: the bytes may move while they grow. */
static void place_fields(struct csv *c)
{
	const u8 *p = (const u8 *)c->bytes.s;
	for (size_t i = 0; i < c->n_fields; i++) {
		c->field[i].p = p;
		p += c->field[i].n;
	}
}

static int read_row(struct csv *c, struct err *e)
{
	for (;;) {
		size_t from = c->bytes.n;
		if (c->n_fields == CSV_MAX_FIELDS)
			return fail(c, "too many fields", e);
		bool quoted = c->separator == ',' && !at_end(c) && here(c) == '"';
		if (quoted ? read_quoted(c, e) : read_plain(c, e))
			return -1;
		c->field[c->n_fields++] = (struct span){NULL, c->bytes.n - from};
		if (at_end(c) || here(c) != c->separator)
			break;
		c->at++;
	}
	if (!at_end(c)) {
		c->at += line_end(c);
		c->next_line++;
	}
	place_fields(c);
	return 1;
}

int csv_next(struct csv *c, struct err *e)
{
	for (size_t n; !at_end(c) && (n = line_end(c)); c->at += n)
		c->next_line++;
	buf_clear(&c->bytes);
	c->n_fields = 0;
	c->line = c->next_line;
	return at_end(c) ? 0 : read_row(c, e);
}
