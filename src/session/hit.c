/* SPDX-License-Identifier: MIT */
/* hit.c - listed words in a text, and the rule over them. */
#include "session/hit.h"

#include "base/utf8.h"

#include <string.h>

/* Whether word stands at the start of s. */
static bool begins(const char *s, size_t n, const char *word, size_t n_word)
{
	size_t i = 0, w = 0;
	i32 a, b;
	while (w < n_word) {
		if (i >= n)
			return false;
		i += utf8_next(s + i, n - i, &a);
		w += utf8_next(word + w, n_word - w, &b);
		if (utf8_lower(a) != utf8_lower(b))
			return false;
	}
	return true;
}

static bool contains(const char *s, size_t n, const char *word)
{
	size_t n_word = strlen(word);
	bool inside = false; /* of a word, so that none begins here */
	for (size_t i = 0; i < n && n_word;) {
		i32 cp;
		if (!inside && begins(s + i, n - i, word, n_word))
			return true;
		i += utf8_next(s + i, n - i, &cp);
		inside = utf8_is_cased(cp);
	}
	return false;
}

size_t hit_words(const char *const *words, size_t n_words, const char *text, size_t n)
{
	size_t found = 0;
	for (size_t i = 0; i < n_words; i++)
		found += contains(text, n, words[i]);
	return found;
}

bool hit_is(size_t words, f64 repeats, f64 nll, f64 baseline_nll)
{
	return words >= HIT_WORDS && repeats <= HIT_REPEATS && nll <= baseline_nll + HIT_EXCESS;
}

bool hit_seed(size_t hits, size_t n_texts)
{
	return n_texts && 3 * hits >= 2 * n_texts;
}

bool hit_steers(size_t seeds_hit, size_t n_seeds)
{
	return n_seeds && 10 * seeds_hit >= 8 * n_seeds;
}
