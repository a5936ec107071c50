/* SPDX-License-Identifier: MIT */
/* regex.h - one PCRE2 pattern and one text at a time.  The only user of PCRE2.
 *
 * UTF and UCP always.  A pattern is read-only once compiled and may be shared by threads; what a
 * match writes to is a struct regex_room, one a thread.
 */
#ifndef FEATLAS_REGEX_H
#define FEATLAS_REGEX_H

#include "base/err.h"
#include "base/types.h"

struct regex;
struct regex_room;

/* *offset (or NULL) gets the byte in the pattern where it went wrong. */
struct regex *regex_new(const char *pattern, bool ignore_case, size_t *offset, struct err *e);
void regex_free(struct regex *r); /* NULL is fine */
/* Whether a capital letter is written in the pattern as itself, not in \W, \p{Lu} or a name. */
bool regex_has_capital(const char *pattern);

/* many: for more than a few texts; deep patterns get a stack of their own. */
struct regex_room *regex_room_new(const struct regex *r, bool many);
void regex_room_free(struct regex_room *m); /* NULL is fine */
/* From now on a match that takes many steps asks, about each 100,000 of them, whether to stop; then it ends
 * with 0.  What it finds and when it gives up is the same.  Patterns with verbs, (*...), and \G do not ask. */
void regex_room_ask(struct regex_room *m, bool (*stop)(const void *), const void *context);

/* No byte over 0x7f. */
bool regex_is_ascii(const char *s, size_t n);

/* 1 match, 0 none, -1 gave up: steps over a limit that falls as texts get longer, so that the worst
 * pattern holds a thread for some milliseconds at most; texts over REGEX_MAX_TEXT are not tried.
 * Broken UTF-8 is matched as U+FFFD.  No match that begins before byte from is looked for, though
 * what stands there is seen; from is 0 unless ascii, which says what regex_is_ascii would. */
enum { REGEX_MAX_TEXT = 65536 };
int regex_match(const struct regex *r, struct regex_room *m, const char *s, size_t n, size_t from, bool ascii);
/* Where the text as given was matched by the last regex_match that returned 1 on the same text. */
void regex_found(const struct regex_room *m, const char *s, size_t n, size_t *start, size_t *end);

#endif
