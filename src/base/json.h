/* SPDX-License-Identifier: MIT */
/* json.h - a thin layer over jansson, which only this header includes.
 *
 * Reading has limits (size, depth) and says where it failed.  The getters name the key and
 * the kind that was expected.  Ownership is jansson's: json_load_* return a new reference.
 */
#ifndef FEATLAS_JSON_H
#define FEATLAS_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>

/* what: how errors name the text ("'x/cfg.json'").  \u0000 in strings is legal. */
json_t *json_parse(const char *s, size_t n, const char *what, struct err *e);
json_t *json_read_file(const char *path, struct err *e); /* at most 64 MiB */
/* Writes beside itself, fsyncs, renames.  Sorted as inserted, two-space indent. */
int json_write_file(const char *path, const json_t *j, struct err *e);
/* Appends j on one line, without a newline. */
void json_add_line(struct buf *out, const json_t *j);

/* Required members: 0, or -1 and "what: 'key' is missing / is not a number". */
int json_get_u64(const json_t *o, const char *key, u64 max, u64 *out, const char *what, struct err *e);
int json_get_f64(const json_t *o, const char *key, f64 *out, const char *what, struct err *e);
int json_get_str(const json_t *o, const char *key, const char **out, const char *what, struct err *e);
/* Optional members with a default; a member of another kind gives the default too. */
u64 json_opt_u64(const json_t *o, const char *key, u64 def);
f64 json_opt_f64(const json_t *o, const char *key, f64 def);
bool json_opt_bool(const json_t *o, const char *key, bool def);
const char *json_opt_str(const json_t *o, const char *key, const char *def);

/* A JSON real from a float, printed with the fewest digits that read back as the same f32;
 * NaN and infinities become null. */
json_t *json_f32(f32 v);
/* A JSON string from any bytes: invalid UTF-8 becomes U+FFFD, NULs are kept. */
json_t *json_text(const char *s, size_t n);

#endif
