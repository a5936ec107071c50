/* SPDX-License-Identifier: MIT */
/* intern.h - strings of bytes to small numbers, in the order they are first met.
 *
 * A table may stand on another that no longer changes: what is in that keeps its number, what is new is
 * counted on from there.  So several threads, each with a table of its own on a common one, agree on most
 * numbers without waiting for each other.  Strings may hold any bytes.
 */
#ifndef FEATLAS_INTERN_H
#define FEATLAS_INTERN_H

#include "base/err.h"

struct intern;

enum { INTERN_MAX = 1 << 20, INTERN_LONGEST = 1 << 12, INTERN_BYTES = 64 << 20 };

struct intern *intern_new(const struct intern *base /* borrowed, or NULL */);
void intern_free(struct intern *t); /* NULL is fine */
/* The string's number; -1 and a sentence beyond INTERN_MAX strings, INTERN_LONGEST
 * bytes in one or INTERN_BYTES in all.  O(n). */
i64 intern_add(struct intern *t, const char *s, size_t n, struct err *e);
u32 intern_count(const struct intern *t); /* base included */
u32 intern_n_base(const struct intern *t);
struct span intern_at(const struct intern *t, u32 id); /* borrowed until the next add */

#endif
