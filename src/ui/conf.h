/* SPDX-License-Identifier: MIT */
/* conf.h - files that a person writes: a line is a verb and its words.
 *
 * Blank lines and lines that begin with '#' say nothing.  Words are parted by blanks and tabs;
 * in a line of `set` the first '=' is a blank, so that `set theme = light` is three words.  The
 * file may be anything: lines are cut at 4096 bytes, words at CONF_WORDS.
 */
#ifndef FEATLAS_CONF_H
#define FEATLAS_CONF_H

#include "base/err.h"

enum { CONF_WORDS = 32 };

/* n > 0 words of a line; 0, or -1 with *e.  The words are borrowed. */
typedef int (*conf_fn)(void *context, const char *const *words, size_t n, struct err *e);

/* Calls fn for each line and goes on after a bad one.  Returns how many were bad, *first their
 * first ("'PATH', line 3: ..."); -1 with *first if the file cannot be read. */
int conf_read(const char *path, conf_fn fn, void *context, struct err *first);

/* Rewrites the file so that `set NAME = VALUE` stands in it for each name: the last such line is
 * replaced where there is one, new ones go to the end, all else stays as it was.  The file and
 * its folder are made if they are missing. */
struct conf_pair {
	const char *name, *value;
};
int conf_save(const char *path, const struct conf_pair *pairs, size_t n, struct err *e);

#endif
