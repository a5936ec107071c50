/* SPDX-License-Identifier: MIT */
/* pickle.h - Python pickles (protocols 2 to 5) as inert data.
 *
 * Nothing is looked up, called or made: a global is its two names, a call is the callee's names with its
 * arguments, an object is its class's names with its state.  A call is refused unless the caller's list has
 * its name; so is every opcode that torch.save has no use for.  Errors name opcode or global and its byte.
 * Recursion-free; memory is bounded by PICKLE_MAX_BYTES and PICKLE_MAX_VALUES.  Containers may hold
 * themselves: whoever walks a value bounds depth and visits.  The format: CPython's Lib/pickletools.py.
 */
#ifndef FEATLAS_PICKLE_H
#define FEATLAS_PICKLE_H

#include "base/err.h"

enum { PICKLE_MAX_BYTES = 16 << 20, PICKLE_MAX_VALUES = 1 << 20 };

enum pickle_kind {
	PICKLE_NONE,
	PICKLE_BOOL,
	PICKLE_INT,
	PICKLE_BIG, /* a whole number beyond 64 bits, of which nothing is kept */
	PICKLE_FLOAT,
	PICKLE_TEXT, /* valid UTF-8 */
	PICKLE_BYTES,
	PICKLE_TUPLE,
	PICKLE_LIST,
	PICKLE_SET,
	PICKLE_DICT, /* items: key, value, key, value ... */
	PICKLE_GLOBAL,
	PICKLE_CALL,
	PICKLE_OBJECT,
	PICKLE_PERSISTENT, /* an identity outside the pickle: args */
	N_PICKLE_KINDS,
};

/* Borrowed from the pickle, spans from its bytes. */
struct pickle_value {
	enum pickle_kind kind;
	u32 offset; /* of the opcode that made it */
	const struct pickle_value *
		*items; /* of containers; of calls and objects too, where given afterwards */
	u32 n_items, cap;
	bool items_are_pairs;
	union {
		bool b;
		i64 i;
		f64 f;
		struct span s;
		struct {
			struct span module, name;
		} global;
		struct {
			const struct pickle_value *callee; /* a global: what is called, or the class */
			const struct pickle_value *args;   /* a tuple; of persistent anything; may be NULL */
			const struct pickle_value *state;  /* or NULL */
		} call;
	};
};

struct pickle;

/* "collections OrderedDict": what may be called, ended by NULL. */
struct pickle *pickle_parse(struct span data, const char *what, const char *const *calls, struct err *e);
void pickle_free(struct pickle *p); /* NULL is fine */
const struct pickle_value *pickle_root(const struct pickle *p);
/* Is v this global ("torch Size")? */
bool pickle_is_global(const struct pickle_value *v, const char *module_and_name);
bool pickle_is_text(const struct pickle_value *v, const char *s);

#endif
