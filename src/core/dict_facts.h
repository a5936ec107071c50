/* SPDX-License-Identifier: MIT */
/* dict_facts.h - what is known about a dictionary, and from where; for dict*.c only. */
#ifndef FEATLAS_DICT_FACTS_H
#define FEATLAS_DICT_FACTS_H

#include "core/dict.h"

struct dict_facts {
	struct dict_fact *p;
	size_t n;
};

/* States a fact, in the place of one with this name.  name is one of those in dict_facts.c and why, which
 * may be NULL for "", a text; both are kept as they are or copied.  The value is formatted. */
void dict_state(struct dict_facts *f, const char *name, enum dict_origin o, const char *why, const char *fmt, ...)
	FORMAT_PRINTF(5, 6);
const struct dict_fact *dict_facts_find(const struct dict_facts *f, const char *name); /* or NULL */
void dict_facts_release(struct dict_facts *f);

#endif
