/* SPDX-License-Identifier: MIT */
/* wordlist.h - texts as lists of words: repetition, and where two differ. */
#ifndef FEATLAS_WORDLIST_H
#define FEATLAS_WORDLIST_H

#include "base/types.h"

/* Words are parted by blanks.  Begin with *at = *len = 0; false at the end. */
bool words_next(const char *text, size_t n, size_t *at, size_t *len);
/* The share of four-word runs that stood in the text before, in [0, 1]. */
f64 words_repetition(const char *text, size_t n);
/* The first word, counted from 1, in which two texts differ; 0 if they are the same. */
size_t words_first_difference(const char *a, size_t na, const char *b, size_t nb);
/* changed[i] is set for each byte of b in a word that is not in the longest common
 * subsequence of words with a.  Texts of more than 600 words are not compared. */
void words_diff(const char *a, size_t na, const char *b, size_t nb, bool *changed);

#endif
