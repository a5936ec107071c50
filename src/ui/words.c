/* SPDX-License-Identifier: MIT */
/* words.c - running text in a narrow column: wrapped at words, a style for each byte. */
#include "ui/words.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>


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
		u8 attr = w->attrs ? w->attrs[at + i] : 0;
		size_t n = 1;
		while (i + n < len && (!w->styles || w->styles[at + i + n] == (u8)s) &&
		       (!w->attrs || w->attrs[at + i + n] == attr))
			n++;
		/* never part a cluster: its first byte says how it looks */
		size_t whole = 0;
		while (whole < n)
			whole += text_cluster(w->text + at + i + whole, len - i - whole);
		int wide = rect_put(r, x, y, -1, s, w->text + at + i, whole);
		if (attr)
			rect_attr(r, x, y, wide, attr);
		x += wide;
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

int words_sentence(struct rect r, int x, int y, enum style s, const char *text)
{
	struct words w = {text, strlen(text), NULL, s, NULL};
	return (int)words_draw(&w, rect_sub(r, x, y, r.w - x - 1, r.h - y), 0);
}
