/* SPDX-License-Identifier: MIT */
/* words.c - running text in a narrow column: wrapped at words, a style for each byte. */
#include "ui/words.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 600 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The line that begins at `at`: its bytes in *len, returns where the next begins. */
static size_t line_at(const struct words *w, size_t at, int width, size_t *len)
{
	const char *s = w->n > at ? w->text + at : ""; /* there may be no text at all */
	const char *newline = w->n > at ? memchr(s, '\n', w->n - at) : NULL;
	size_t n = newline ? (size_t)(newline - s) : w->n - at;
	size_t fits = text_clip(s, n, width, NULL);
	if (fits == n) {
		*len = n;
		return at + n + (newline != NULL);
	}
	size_t cut = fits;
	while (cut > 0 && s[cut] != ' ')
		cut--;
	if (!cut) { /* one word fills the line */
		*len = fits ? fits : text_cluster(s, n);
		return at + *len;
	}
	*len = cut;
	while (at + cut < w->n && w->text[at + cut] == ' ')
		cut++;
	return at + cut;
}

static void draw_line(const struct words *w, struct rect r, int y, size_t at, size_t len)
{
	int x = 0;
	for (size_t i = 0; i < len;) {
		enum style s = w->styles ? w->styles[at + i] : w->plain;
		size_t n = 1;
		while (i + n < len && (!w->styles || w->styles[at + i + n] == (u8)s))
			n++;
		/* never part a cluster: its first byte says how it looks */
		size_t whole = 0;
		while (whole < n)
			whole += text_cluster(w->text + at + i + whole, len - i - whole);
		x += rect_put(r, x, y, -1, s, w->text + at + i, whole);
		i += whole;
	}
}

static size_t each_line(const struct words *w, int width, const struct rect *r, size_t skip)
{
	size_t at = 0, line = 0, len;
	while (at < w->n || line == 0) {
		size_t next = line_at(w, at, MAX(width, 1), &len);
		if (r && line >= skip && line < skip + (size_t)r->h)
			draw_line(w, *r, (int)(line - skip), at, len);
		line++;
		if (next >= w->n)
			break;
		at = next;
	}
	return line;
}

size_t words_lines(const struct words *w, int width)
{
	return each_line(w, width, NULL, 0);
}

size_t words_draw(const struct words *w, struct rect r, size_t skip)
{
	return each_line(w, r.w, &r, skip);
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

int words_sentence(struct rect r, int x, int y, enum style s, const char *text)
{
	struct words w = {text, strlen(text), NULL, s};
	return (int)words_draw(&w, rect_sub(r, x, y, r.w - x - 1, r.h - y), 0);
}
