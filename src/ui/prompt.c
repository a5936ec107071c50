/* SPDX-License-Identifier: MIT */
/* prompt.c - a line editor. */
#include "ui/prompt.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "base/xdg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HISTORY_MAX = 500 };

static void keep(struct history *h, const char *text)
{
	if (h->n && !strcmp(h->list[h->n - 1], text))
		return;
	h->list = xreallocarray(h->list, h->n + 1, sizeof *h->list);
	h->list[h->n++] = xstrdup(text);
}

static void forget_oldest(struct history *h)
{
	if (h->n <= HISTORY_MAX)
		return;
	size_t cut = h->n - HISTORY_MAX;
	for (size_t i = 0; i < cut; i++)
		free(h->list[i]);
	h->n -= cut;
	memmove(h->list, h->list + cut, h->n * sizeof *h->list);
}

void history_open(struct history *h, const char *name, bool on_disk)
{
	*h = (struct history){0};
	if (!on_disk)
		return;
	char *file = xasprintf("history-%s", name), *line = NULL;
	h->path = xdg_state(file);
	free(file);
	FILE *f = h->path ? fopen(h->path, "r") : NULL;
	if (!f)
		return;
	size_t cap = 0;
	for (ssize_t n; (n = getline(&line, &cap, f)) >= 0;) {
		if (n && line[n - 1] == '\n')
			line[--n] = 0;
		if (n)
			keep(h, line);
	}
	free(line);
	fclose(f);
	forget_oldest(h);
}

void history_add(struct history *h, const char *text)
{
	if (!text[0])
		return;
	keep(h, text);
	forget_oldest(h);
	if (!h->path || xdg_make_parents(h->path, NULL))
		return;
	FILE *f = fopen(h->path, "a"); /* a history that cannot be written is no error worth words */
	if (!f)
		return;
	fprintf(f, "%s\n", text);
	fclose(f);
}

void history_release(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->list[i]);
	free(h->list);
	free(h->path);
	*h = (struct history){0};
}

void prompt_init(struct prompt *p, const char *initial, struct history *h)
{
	*p = (struct prompt){.history = h, .row = h ? h->n : 0};
	buf_init(&p->text);
	buf_init(&p->killed);
	prompt_set(p, initial ? initial : "");
}

void prompt_release(struct prompt *p)
{
	buf_release(&p->text);
	buf_release(&p->killed);
	free(p->kept);
	p->kept = NULL;
}

void prompt_set(struct prompt *p, const char *text)
{
	buf_clear(&p->text);
	buf_adds(&p->text, text);
	p->at = p->text.n;
}

void prompt_insert(struct prompt *p, const char *s, size_t n)
{
	struct buf rest = BUF_INIT, valid = BUF_INIT;
	utf8_add_valid(&valid, s, n);
	for (size_t i = 0; i < valid.n; i++)
		if ((u8)valid.s[i] < 32 || valid.s[i] == 127)
			valid.s[i] = ' ';
	buf_add(&rest, p->text.s + p->at, p->text.n - p->at);
	buf_remove(&p->text, p->at, p->text.n - p->at);
	buf_add(&p->text, valid.s, valid.n);
	p->at = p->text.n;
	buf_add(&p->text, rest.s, rest.n);
	buf_release(&rest);
	buf_release(&valid);
}

static size_t after(const struct prompt *p, size_t at)
{
	return at < p->text.n ? at + text_cluster(p->text.s + at, p->text.n - at) : at;
}

static size_t before(const struct prompt *p, size_t at)
{
	size_t i = 0;
	while (i < at) {
		size_t next = after(p, i);
		if (next >= at)
			return i;
		i = next;
	}
	return 0;
}

static bool in_word(char c)
{
	return (u8)c >= 0x80 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

static size_t word_left(const struct prompt *p)
{
	size_t i = p->at;
	while (i > 0 && !in_word(p->text.s[i - 1]))
		i--;
	while (i > 0 && in_word(p->text.s[i - 1]))
		i--;
	return i;
}

static size_t word_right(const struct prompt *p)
{
	size_t i = p->at;
	while (i < p->text.n && !in_word(p->text.s[i]))
		i++;
	while (i < p->text.n && in_word(p->text.s[i]))
		i++;
	return i;
}

static size_t blank_left(const struct prompt *p)
{
	size_t i = p->at;
	while (i > 0 && p->text.s[i - 1] == ' ')
		i--;
	while (i > 0 && p->text.s[i - 1] != ' ')
		i--;
	return i;
}

static enum prompt_event cut(struct prompt *p, size_t from, size_t to, bool keep_it)
{
	if (from >= to)
		return PROMPT_NOTHING;
	if (keep_it) {
		buf_clear(&p->killed);
		buf_add(&p->killed, p->text.s + from, to - from);
	}
	buf_remove(&p->text, from, to - from);
	p->at = from;
	return PROMPT_CHANGED;
}

static enum prompt_event go(struct prompt *p, size_t at)
{
	p->at = at;
	return PROMPT_NOTHING;
}

static enum prompt_event walk_history(struct prompt *p, int delta)
{
	struct history *h = p->history;
	if (!h || (delta < 0 && p->row == 0) || (delta > 0 && p->row >= h->n))
		return PROMPT_NOTHING;
	if (p->row == h->n) {
		free(p->kept);
		p->kept = xstrdup(p->text.s);
	}
	p->row = delta < 0 ? p->row - 1 : p->row + 1;
	prompt_set(p, p->row == h->n ? p->kept : h->list[p->row]);
	return PROMPT_CHANGED;
}

static enum prompt_event edit_key(struct prompt *p, u32 key)
{
	switch (key) {
	case KEY_ARROW_LEFT: case KEY_CTRL('b'): return go(p, before(p, p->at));
	case KEY_ARROW_RIGHT: case KEY_CTRL('f'): return go(p, after(p, p->at));
	case KEY_HOME_: case KEY_CTRL('a'): return go(p, 0);
	case KEY_END_: case KEY_CTRL('e'): return go(p, p->text.n);
	case KEY_ALT + 'b': return go(p, word_left(p));
	case KEY_ALT + 'f': return go(p, word_right(p));
	case KEY_BACK: return cut(p, before(p, p->at), p->at, false);
	case KEY_DELETE: case KEY_CTRL('d'): return cut(p, p->at, after(p, p->at), false);
	case KEY_CTRL('w'): return cut(p, blank_left(p), p->at, true);
	case KEY_ALT + KEY_BACK: return cut(p, word_left(p), p->at, true);
	case KEY_ALT + 'd': return cut(p, p->at, word_right(p), true);
	case KEY_CTRL('u'): return cut(p, 0, p->at, true);
	case KEY_CTRL('k'): return cut(p, p->at, p->text.n, true);
	case KEY_CTRL('y'):
		prompt_insert(p, p->killed.s, p->killed.n);
		return p->killed.n ? PROMPT_CHANGED : PROMPT_NOTHING;
	case KEY_ARROW_UP: case KEY_CTRL('p'): return walk_history(p, -1);
	case KEY_ARROW_DOWN: case KEY_CTRL('n'): return walk_history(p, 1);
	}
	return PROMPT_NOTHING;
}

enum prompt_event prompt_key(struct prompt *p, u32 key)
{
	if (key == KEY_RETURN)
		return PROMPT_COMMIT;
	if (key == KEY_ESCAPE || key == KEY_CTRL_C)
		return PROMPT_CANCEL;
	if (key == KEY_TAB)
		return PROMPT_COMPLETE;
	if (key < 32 || key >= KEY_SPECIAL)
		return edit_key(p, key);
	char c[4];
	prompt_insert(p, c, utf8_encode((i32)key, c));
	return PROMPT_CHANGED;
}

/* The first byte that is drawn, so that the cursor stands within w columns. */
static size_t first_shown(const struct prompt *p, int w)
{
	size_t from = 0;
	/* the width of what is left is counted down: a text may be long */
	int left = text_width(p->text.s, p->at);
	while (from < p->at && left >= w) {
		size_t next = after(p, from);
		left -= text_width(p->text.s + from, next - from);
		from = next;
	}
	return from;
}

void prompt_draw(const struct prompt *p, struct rect r, int y, const char *label)
{
	rect_fill(r, 0, y, r.w, 1, STYLE_NORMAL, ' ');
	int x = rect_puts(r, 0, y, STYLE_PROMPT, label);
	size_t from = first_shown(p, r.w - x);
	rect_put_cut(r, x, y, -1, STYLE_NORMAL, p->text.s + from, p->text.n - from);
	rect_cursor(r, x + text_width(p->text.s + from, p->at - from), y);
}

int prompt_column(const struct prompt *p, struct rect r, const char *label, size_t at)
{
	int x = text_width(label, strlen(label));
	size_t from = first_shown(p, r.w - x);
	at = MIN(at, p->text.n);
	return at < from ? -1 : x + text_width(p->text.s + from, at - from);
}
