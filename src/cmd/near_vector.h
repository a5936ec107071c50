/* SPDX-License-Identifier: MIT */
/* near_vector.h - directions that features are compared with. */
#ifndef FEATLAS_NEAR_VECTOR_H
#define FEATLAS_NEAR_VECTOR_H

#include "cmd/cmd.h"

struct rows;
struct session;

/* "A-B": both ids, each "[NAME#]N"; false if it is not of that form. */
bool near_parse_pair(const struct session *s, const char *text, u32 id[2]);

/* Directions of length 1, owned [d_out], or NULL.  The difference of two unit rows; the mean of the
 * rows of a file (its only tensor, or the one named x); the mean of a text's residual rows at the
 * atlas's hook, over the tokens that count, from b_dec. */
f32 *near_difference(const struct rows *r, u32 a, u32 b, struct err *e);
f32 *near_file(const char *path, size_t d, struct err *e);
f32 *near_text(struct session *s, const char *text, bool chat, struct progress *p, struct err *e);

#endif
