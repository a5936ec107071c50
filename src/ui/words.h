/* SPDX-License-Identifier: MIT */
/* words.h - running text in a narrow column: wrapped at words, a style for each byte. */
#ifndef FEATLAS_WORDS_H
#define FEATLAS_WORDS_H

#include "ui/cell.h"

struct words {
	const char *text;
	size_t n;
	const u8 *styles; /* [n] enum style, or NULL: all plain */
	enum style plain;
};

/* Lines that width columns take; a word longer than a line is cut.  At least 1. */
size_t words_lines(const struct words *w, int width);
/* Draws the lines from `skip` on into the rectangle; returns as words_lines. */
size_t words_draw(const struct words *w, struct rect r, size_t skip);

/* Words are parted by blanks.  Begin with *at = *len = 0; false at the end. */
bool words_next(const char *text, size_t n, size_t *at, size_t *len);
/* The share of four-word runs that stood in the text before, in [0, 1]. */
f64 words_repetition(const char *text, size_t n);
/* The first word, counted from 1, in which two texts differ; 0 if they are the same. */
size_t words_first_difference(const char *a, size_t na, const char *b, size_t nb);
/* changed[i] is set for each byte of b in a word that is not in the longest common
 * subsequence of words with a.  Texts of more than 600 words are not compared. */
void words_diff(const char *a, size_t na, const char *b, size_t nb, bool *changed);

/* A sentence at (x, y), wrapped to the right edge; returns the lines it took. */
int words_sentence(struct rect r, int x, int y, enum style s, const char *text);

#endif
