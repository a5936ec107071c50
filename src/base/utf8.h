/* SPDX-License-Identifier: MIT */
/* utf8.h - UTF-8 from hostile bytes; utf8proc is used only in utf8.c. */
#ifndef FEATLAS_UTF8_H
#define FEATLAS_UTF8_H

#include "base/buf.h"
#include "base/types.h"

/* Reads one code point of s[0..n), n > 0.  *cp is U+FFFD for each maximal broken part.
 * Returns the bytes consumed, at least 1. */
size_t utf8_next(const char *s, size_t n, i32 *cp);
/* Appends s with every broken part replaced by U+FFFD. */
void utf8_add_valid(struct buf *out, const char *s, size_t n);
/* The same on one line: tabs and newlines are blanks. */
void utf8_add_line(struct buf *out, const char *s, size_t n);
bool utf8_is_valid(const char *s, size_t n);
size_t utf8_encode(i32 cp, char out[4]); /* bytes written */

/* The cells a code point takes on a terminal: 0, 1 or 2.  Control characters, which must
 * not reach it, count as 1 (they are shown as a stand-in). */
int utf8_width(i32 cp);
/* The ASCII letter that a letter with marks is made of ("é": 'e'), or 0. */
char utf8_base_letter(i32 cp);
/* The lower-case letter of a letter, else cp. */
i32 utf8_lower(i32 cp);
/* Letters of scripts that have upper and lower case. */
bool utf8_is_cased(i32 cp);
/* True between two grapheme clusters; *state starts as 0. */
bool utf8_grapheme_break(i32 before, i32 after, i32 *state);
/* Code points that must not reach a terminal as they are: controls, bidi marks, isolates
 * and overrides, zero-width marks outside a cluster, private use, surrogates, tags. */
bool utf8_is_unsafe(i32 cp);

/* Appends text made safe for a terminal: broken parts U+FFFD, newline as U+21B5, other
 * controls as their U+2400 picture, other unsafe code points as U+00B7. */
void utf8_add_safe(struct buf *out, const char *s, size_t n);

#endif
