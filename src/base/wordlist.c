/* SPDX-License-Identifier: MIT */
/* wordlist.c - texts as lists of words. */
#include "base/wordlist.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 600 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool words_next(const char *text, size_t n, size_t *at, size_t *len)
{
	size_t i = *at + *len;
	while (i < n && is_blank(text[i]))
		i++;
	*at = i;
	while (i < n && !is_blank(text[i]))
		i++;
	*len = i - *at;
	return *len > 0;
}

struct word_list {
	const char *text;
	size_t n;
	struct { size_t at, len; } word[MAX_WORDS];
};

static void split(struct word_list *l, const char *text, size_t n)
{
	size_t at = 0, len = 0;
	l->text = text;
	l->n = 0;
	while (l->n < MAX_WORDS && words_next(text, n, &at, &len)) {
		l->word[l->n].at = at;
		l->word[l->n++].len = len;
	}
}

static bool same(const struct word_list *a, size_t i, const struct word_list *b, size_t k)
{
	return a->word[i].len == b->word[k].len &&
	       !memcmp(a->text + a->word[i].at, b->text + b->word[k].at, a->word[i].len);
}

f64 words_repetition(const char *text, size_t n)
{
	struct word_list *l = xmalloc(sizeof *l);
	size_t repeated = 0, runs = 0;
	split(l, text, n);
	for (size_t i = 0; i + 4 <= l->n; i++, runs++)
		for (size_t k = 0; k < i; k++) {
			size_t m = 0;
			while (m < 4 && same(l, i + m, l, k + m))
				m++;
			if (m == 4) {
				repeated++;
				break;
			}
		}
	free(l);
	return runs ? (f64)repeated / (f64)runs : 0.0;
}

size_t words_first_difference(const char *a, size_t na, const char *b, size_t nb)
{
	size_t pa = 0, la = 0, pb = 0, lb = 0;
	for (size_t i = 1;; i++) {
		bool more_a = words_next(a, na, &pa, &la), more_b = words_next(b, nb, &pb, &lb);
		if (!more_a && !more_b)
			return 0;
		if (la != lb || memcmp(a + pa, b + pb, la) != 0)
			return i;
	}
}

void words_diff(const char *a, size_t na, const char *b, size_t nb, bool *changed)
{
	struct word_list *x = xmalloc(sizeof *x), *y = xmalloc(sizeof *y);
	split(x, a, na);
	split(y, b, nb);
	size_t w = y->n + 1;
	/* common[i][k]: words in common of x from i on and y from k on */
	u16 *common = xcalloc((x->n + 1) * w, sizeof *common);
	for (size_t i = x->n; i-- > 0;)
		for (size_t k = y->n; k-- > 0;) {
			const u16 *below = common + (i + 1) * w + k;
			u16 longest = MAX(below[0], common[i * w + k + 1]);
			common[i * w + k] = same(x, i, y, k) ? (u16)(below[1] + 1) : longest;
		}
	memset(changed, 0, nb);
	for (size_t i = 0, k = 0; k < y->n;) {
		if (i < x->n && same(x, i, y, k)) {
			i++, k++;
		} else if (i < x->n && common[(i + 1) * w + k] >= common[i * w + k + 1]) {
			i++;
		} else {
			memset(changed + y->word[k].at, true, y->word[k].len);
			k++;
		}
	}
	free(common);
	free(x);
	free(y);
}
