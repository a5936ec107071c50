/* SPDX-License-Identifier: MIT */
/* words.h - running text in a narrow column: wrapped at words, a style for each byte. */
#ifndef FEATLAS_WORDS_H
#define FEATLAS_WORDS_H

#include "base/wordlist.h"
#include "ui/cell.h"

struct words {
	const char *text;
	size_t n;
	const u8 *styles; /* [n] enum style, or NULL: all plain */
	enum style plain;
	const u8 *attrs;  /* [n] enum attr on top, or NULL */
};

/* Lines that width columns take; a word longer than a line is cut.  At least 1. */
size_t words_lines(const struct words *w, int width);
/* Draws the lines from `skip` on into the rectangle; returns as words_lines. */
size_t words_draw(const struct words *w, struct rect r, size_t skip);

/* A sentence at (x, y), wrapped to the right edge; returns the lines it took. */
int words_sentence(struct rect r, int x, int y, enum style s, const char *text);

#endif
