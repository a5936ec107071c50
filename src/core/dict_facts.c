/* SPDX-License-Identifier: MIT */
/* dict_facts.c - the list of statements about a dictionary, kept in the order in which they are read. */
#include "core/dict_facts.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *const order[] = {"format", "architecture", "encoder", "threshold", "fold", "normalisation",
				    "b_dec",  "skip",	      "hook",	 "bos",	      "dtype", "model"};

static size_t rank_of(const char *name)
{
	size_t i = 0;
	while (i < ARRAY_LEN(order) && strcmp(order[i], name))
		i++;
	return i;
}

const char *dict_origin_name(enum dict_origin o)
{
	static const char *const names[] = {"file", "default", "guess", "given", "measured"};
	return names[o];
}

const struct dict_fact *dict_facts_find(const struct dict_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->p[i].name, name))
			return &f->p[i];
	return NULL;
}

static void release_fact(struct dict_fact *f)
{
	free((void *)(uintptr_t)f->value);
	free((void *)(uintptr_t)f->why);
}

/* Where a fact of this name goes: the old one's place, emptied, or a new one's. */
static struct dict_fact *place_for(struct dict_facts *f, const char *name)
{
	size_t at = 0, rank = rank_of(name);
	while (at < f->n && rank_of(f->p[at].name) < rank)
		at++;
	if (at < f->n && !strcmp(f->p[at].name, name)) {
		release_fact(&f->p[at]);
		return &f->p[at];
	}
	f->p = xreallocarray(f->p, f->n + 1, sizeof *f->p);
	memmove(f->p + at + 1, f->p + at, (f->n - at) * sizeof *f->p);
	f->n++;
	return &f->p[at];
}

void dict_state(struct dict_facts *f, const char *name, enum dict_origin o, const char *why, const char *fmt, ...)
{
	struct buf value = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&value, fmt, ap);
	va_end(ap);
	/* copied first: why may be the old fact's own */
	char *reason = xstrdup(why ? why : "");
	*place_for(f, name) = (struct dict_fact){
		.name = order[MIN(rank_of(name), ARRAY_LEN(order) - 1)],
		.value = buf_take(&value),
		.origin = o,
		.why = reason,
	};
}

void dict_facts_release(struct dict_facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		release_fact(&f->p[i]);
	free(f->p);
	*f = (struct dict_facts){0};
}
