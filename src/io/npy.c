/* SPDX-License-Identifier: MIT */
/* npy.c - a strict parser of exactly the dictionary that numpy writes. */
#include "io/npy.h"

#include <stdio.h>
#include <string.h>

struct parser {
	const char *s, *end;
	const char *what;
	struct npy *out;
	struct err *e;
};

static int damaged(struct parser *p, const char *field, const char *reason)
{
	return err_set(p->e, ERR_DAMAGED, "%s: %s in its .npy header %s", p->what, field, reason);
}

static void skip_space(struct parser *p)
{
	while (p->s < p->end && (*p->s == ' ' || *p->s == '\n'))
		p->s++;
}

static bool take(struct parser *p, char c)
{
	skip_space(p);
	if (p->s == p->end || *p->s != c)
		return false;
	p->s++;
	return true;
}

static bool take_word(struct parser *p, const char *word)
{
	size_t n = strlen(word);
	skip_space(p);
	if ((size_t)(p->end - p->s) < n || memcmp(p->s, word, n))
		return false;
	p->s += n;
	return true;
}

/* A quoted string without escapes, which numpy never needs here. */
static bool take_string(struct parser *p, char *out, size_t size)
{
	skip_space(p);
	if (p->s == p->end || (*p->s != '\'' && *p->s != '"'))
		return false;
	char quote = *p->s++;
	for (size_t n = 0; p->s < p->end && n + 1 < size && *p->s >= ' ' && *p->s < 127 && *p->s != '\\';
	     n++) {
		if (*p->s == quote) {
			out[n] = 0;
			p->s++;
			return true;
		}
		out[n] = *p->s++;
	}
	return false;
}

static int read_descr(struct parser *p)
{
	static const struct {
		const char *descr;
		enum dtype dtype;
	} known[] = {
		{"f2", DTYPE_F16}, {"f4", DTYPE_F32}, {"f8", DTYPE_F64}, {"i1", DTYPE_I8},
		{"i2", DTYPE_I16}, {"i4", DTYPE_I32}, {"i8", DTYPE_I64}, {"u1", DTYPE_U8},
		{"u2", DTYPE_U16}, {"u4", DTYPE_U32}, {"u8", DTYPE_U64}, {"b1", DTYPE_BOOL},
	};
	char s[32], reason[120];
	if (take(p, '['))
		return damaged(p, "'descr'", "is a structure, of which nothing is read here");
	if (!take_string(p, s, sizeof s) || !s[0] || !strchr("<>|=", s[0]))
		return damaged(p, "'descr'", "is not the name of a type");
	p->out->numbers = !strchr("USO", s[1]);
	if (!p->out->numbers)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(s + 1, known[i].descr))
			continue;
		p->out->dtype = known[i].dtype;
		if (s[0] == '>' && dtype_size(p->out->dtype) > 1)
			return damaged(p, "'descr'",
				       "says that its numbers are big-endian, which are not read here");
		return 0;
	}
	snprintf(reason, sizeof reason, "is '%s', a type that is not read here", s);
	return damaged(p, "'descr'", reason);
}

static int read_size(struct parser *p, u64 *out)
{
	bool fits = true;
	u64 v = 0;
	skip_space(p);
	if (p->s < p->end && *p->s == '-')
		return damaged(p, "'shape'", "has a negative size");
	const char *from = p->s;
	for (; p->s < p->end && *p->s >= '0' && *p->s <= '9'; p->s++)
		fits &= !__builtin_mul_overflow(v, 10, &v) &&
			!__builtin_add_overflow(v, (u64)(*p->s - '0'), &v);
	if (p->s == from)
		return damaged(p, "'shape'", "is not a tuple of whole numbers");
	if (!fits)
		return damaged(p, "'shape'", "is too large to be true");
	if (p->s < p->end && *p->s == 'L') /* as Python 2 wrote long numbers */
		p->s++;
	*out = v;
	return 0;
}

static int read_shape(struct parser *p)
{
	struct npy *o = p->out;
	if (!take(p, '('))
		return damaged(p, "'shape'", "is not a tuple of whole numbers");
	bool comma = true;
	while (!take(p, ')')) {
		if (!comma)
			return damaged(p, "'shape'", "is not a tuple of whole numbers");
		if (o->n_dims == TENSOR_MAX_DIMS)
			return damaged(p, "'shape'", "has more than 8 dimensions");
		if (read_size(p, &o->shape[o->n_dims]))
			return -1;
		if (__builtin_mul_overflow(o->n, o->shape[o->n_dims++], &o->n))
			return damaged(p, "'shape'", "is too large to be true");
		comma = take(p, ',');
	}
	/* (5) is a number in brackets, not a tuple */
	if (o->n_dims == 1 && !comma)
		return damaged(p, "'shape'", "is not a tuple of whole numbers");
	return 0;
}

static int read_order(struct parser *p)
{
	p->out->fortran = take_word(p, "True");
	if (!p->out->fortran && !take_word(p, "False"))
		return damaged(p, "'fortran_order'", "is neither True nor False");
	return 0;
}

static int read_dictionary(struct parser *p)
{
	static const struct {
		const char *key;
		int (*read)(struct parser *p);
	} fields[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
	unsigned seen = 0;
	char key[32], name[40];
	if (!take(p, '{'))
		return damaged(p, "the dictionary", "is missing");
	bool comma = true;
	while (!take(p, '}')) {
		size_t i = 0;
		if (!comma || !take_string(p, key, sizeof key) || !take(p, ':'))
			return damaged(p, "the dictionary", "is not what numpy writes");
		while (i < ARRAY_LEN(fields) && strcmp(fields[i].key, key))
			i++;
		snprintf(name, sizeof name, "'%s'", key);
		if (i == ARRAY_LEN(fields))
			return damaged(p, name, "is unknown");
		if (seen >> i & 1)
			return damaged(p, name, "is there twice");
		seen |= 1u << i;
		if (fields[i].read(p))
			return -1;
		comma = take(p, ',');
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		snprintf(name, sizeof name, "'%s'", fields[i].key);
		if (!(seen >> i & 1))
			return damaged(p, name, "is missing");
	}
	skip_space(p);
	return p->s == p->end ? 0 : damaged(p, "the dictionary", "is followed by something else");
}

int npy_parse(struct span start, const char *what, struct npy *out, struct err *e)
{
	u16 small;
	u32 length;
	*out = (struct npy){.n = 1};
	if (start.n < 10 || memcmp(start.p, "\x93NUMPY", 6))
		return err_set(e, ERR_DAMAGED, "%s is no .npy array: it does not begin as one", what);
	u8 version = start.p[6];
	if (version < 1 || version > 3 || start.p[7])
		return err_set(e, ERR_DAMAGED, "%s is a .npy array of version %u.%u, which is not known here",
			       what, version, start.p[7]);
	size_t before = version == 1 ? 10 : 12;
	if (start.n < before)
		return err_set(e, ERR_DAMAGED, "%s is cut short: its .npy header is not whole", what);
	memcpy(&small, start.p + 8, 2);
	memcpy(&length, start.p + 8, version == 1 ? 2 : 4);
	length = version == 1 ? small : length;
	if (length > NPY_HEADER_MAX - before)
		return err_set(e, ERR_DAMAGED, "%s: its .npy header would be %u bytes long", what, length);
	if (length > start.n - before)
		return err_set(e, ERR_DAMAGED, "%s is cut short: its .npy header is not whole", what);
	const char *text = (const char *)start.p + before;
	struct parser p = {text, text + length, what, out, e};
	out->header = before + length;
	return read_dictionary(&p);
}
