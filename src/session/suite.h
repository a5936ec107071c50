/* SPDX-License-Identifier: MIT */
/* suite.h - a concept suite: texts of things a feature may stand for, and texts that are not.
 *
 * A folder with concepts.tsv, a line a concept (name, title, a regex of its key words, words that texts
 * about it hold, with commas), and NAME.jsonl for each, a line a text: {"text", "positive", "language"}.
 * A line of the table that begins with # is a comment.  The language of a concept's first text is its main one.
 */
#ifndef FEATLAS_SUITE_H
#define FEATLAS_SUITE_H

#include "base/err.h"
#include "base/types.h"

enum { SUITE_LANGUAGE = 8, SUITE_MAX_LANGUAGES = 16 };

struct suite_text {
	char *text;
	bool positive;
	u8 language; /* in languages of its concept; 0 is the main one */
};

struct suite_concept {
	char *name, *title, *key;
	char **words;
	size_t n_words;
	struct suite_text *texts;
	size_t n;
	char languages[SUITE_MAX_LANGUAGES][SUITE_LANGUAGE];
	size_t n_languages;
};

struct suite {
	char *folder;
	struct suite_concept *concepts; /* in the order of the table */
	size_t n;
};

/* folder: NULL for the one that is installed, or where none is, the folder "concepts" beside the atlas.  ERR_DAMAGED
 * names file, line and what is wrong; a concept without texts of both kinds in its main language is wrong. */
struct suite *suite_open(const char *folder, const char *atlas /* or NULL */, struct err *e);
void suite_free(struct suite *s); /* NULL is fine */
const struct suite_concept *suite_find(const struct suite *s, const char *name); /* or NULL */

#endif
