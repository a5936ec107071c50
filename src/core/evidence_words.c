/* SPDX-License-Identifier: MIT */
/* evidence_words.c - a label as a bag of words, and whether one of them stands in a text. */
#include "core/evidence.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/topic_base.h"
#include "core/vocab.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 64, WORD_BYTES = 48 };

struct evidence_words {
	char s[MOST_WORDS][WORD_BYTES + 1]; /* ASCII letters in lower case */
	size_t length[MOST_WORDS];
	bool quoted[MOST_WORDS]; /* stands as it is, not in another ending; may be a mark */
	size_t n;
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The next run of letters and digits at or behind i: [*from, end); from == end at the end. */
static size_t next_word(const char *s, size_t n, size_t i, size_t *from)
{
	bool in = false;
	*from = n;
	while (i < n) {
		i32 cp;
		size_t step = utf8_next(s + i, n - i, &cp);
		bool letter = topic_is_letter(cp) || (cp >= '0' && cp <= '9');
		if (letter && !in)
			*from = i;
		if (!letter && in)
			return i;
		in = letter;
		i += step;
	}
	return n;
}

static void add(struct evidence_words *w, const char *s, size_t n, bool quoted)
{
	if (!n || n > WORD_BYTES || w->n == MOST_WORDS)
		return;
	char *to = w->s[w->n];
	for (size_t i = 0; i < n; i++)
		to[i] = lower(s[i]);
	to[n] = 0;
	if (!quoted && (n < 3 || topic_is_function_word(to)))
		return;
	w->length[w->n] = n;
	w->quoted[w->n++] = quoted;
}

static void add_words(struct evidence_words *w, const char *s, size_t n)
{
	size_t from, end = 0;
	while ((end = next_word(s, n, end, &from)) > from)
		add(w, s + from, end - from, false);
}

/* What stands in quotes at the beginning of s: its bytes, and those with the quotes; 0 where there are none. */
static size_t quoted(const char *s, size_t n, size_t *from, size_t *length)
{
	static const char *const marks[][2] = {{"\"", "\""}, {"\xe2\x80\x9c", "\xe2\x80\x9d"}};
	for (size_t m = 0; m < ARRAY_LEN(marks); m++) {
		size_t open = strlen(marks[m][0]), close = strlen(marks[m][1]);
		if (n < open || memcmp(s, marks[m][0], open))
			continue;
		const char *end = memmem(s + open, n - open, marks[m][1], close);
		if (!end || end == s + open)
			continue;
		*from = open;
		*length = (size_t)(end - s) - open;
		return *length + open + close;
	}
	return 0;
}

struct evidence_words *evidence_words_of_label(const char *label, size_t n)
{
	struct evidence_words *w = xcalloc(1, sizeof *w);
	size_t plain = 0, from, length;
	for (size_t i = 0; i < n;) {
		size_t all = quoted(label + i, n - i, &from, &length);
		if (!all) {
			i++;
			continue;
		}
		add_words(w, label + plain, i - plain);
		add(w, label + i + from, length, true);
		plain = i += all;
	}
	add_words(w, label + plain, n - plain);
	return w;
}

struct evidence_words *evidence_words_of_topic(const struct atlas *a, u32 feature)
{
	struct evidence_words *w = xcalloc(1, sizeof *w);
	u32 token[TOPIC_WORDS];
	size_t n = a->vocab ? MIN(atlas_topic_words(a, feature, token, TOPIC_WORDS), (size_t)TOPIC_WORDS) : 0;
	for (size_t i = 0; i < n; i++) {
		struct span s = vocab_bytes(a->vocab, token[i]);
		add_words(w, (const char *)s.p, s.n);
	}
	return w;
}

void evidence_words_free(struct evidence_words *w)
{
	free(w);
}

static bool is_marked(const struct buf *marked, size_t from, size_t end)
{
	return !marked || memchr(marked->s + from, 1, end - from);
}

static bool same(const char *word, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower(s[i]) != word[i])
			return false;
	return true;
}

/* A mark, or several words: anywhere. */
static bool stands(const char *word, size_t length, const struct buf *text, const struct buf *marked)
{
	for (size_t i = 0; i + length <= text->n; i++)
		if (same(word, text->s + i, length) && is_marked(marked, i, i + length))
			return true;
	return false;
}

static bool is_one_word(const char *s, size_t n)
{
	size_t from, end = next_word(s, n, 0, &from);
	return from == 0 && end == n;
}

bool evidence_words_match(const struct evidence_words *w, const struct buf *text, const struct buf *marked)
{
	size_t from, end = 0;
	for (size_t k = 0; k < w->n; k++)
		if (w->quoted[k] && !is_one_word(w->s[k], w->length[k]) && stands(w->s[k], w->length[k], text, marked))
			return true;
	while ((end = next_word(text->s, text->n, end, &from)) > from) {
		char word[WORD_BYTES];
		size_t n = end - from;
		if (n > WORD_BYTES || !is_marked(marked, from, end))
			continue;
		for (size_t i = 0; i < n; i++)
			word[i] = lower(text->s[from + i]);
		for (size_t k = 0; k < w->n; k++) {
			bool equal = n == w->length[k] && !memcmp(word, w->s[k], n);
			if (equal || (!w->quoted[k] && topic_are_kin(word, n, w->s[k], w->length[k])))
				return true;
		}
	}
	return false;
}
