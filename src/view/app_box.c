/* SPDX-License-Identifier: MIT */
/* app_box.c - boxes over the body: lines to read, menus, what may follow a prefix, the tour. */
#include "view/app_private.h"

#include "ui/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rect box(struct rect body, int w, int h, bool low)
{
	w = MIN(w, body.w);
	h = MIN(h, body.h);
	struct rect in = rect_sub(body, (body.w - w) / 2, low ? body.h - h : (body.h - h) / 2, w, h);
	rect_fill(in, 0, 0, in.w, in.h, STYLE_POPUP, ' ');
	for (int x = 0; x < in.w; x++) {
		rect_cp(in, x, 0, STYLE_POPUP, 0x2500);
		rect_cp(in, x, in.h - 1, STYLE_POPUP, 0x2500);
	}
	for (int y = 0; y < in.h; y++) {
		bool top = y == 0, bottom = y == in.h - 1;
		rect_cp(in, 0, y, STYLE_POPUP, top ? 0x250c : bottom ? 0x2514 : 0x2502);
		rect_cp(in, in.w - 1, y, STYLE_POPUP, top ? 0x2510 : bottom ? 0x2518 : 0x2502);
	}
	return in;
}

static void box_title(struct rect in, const char *title)
{
	rect_puts(in, 2, 0, STYLE_POPUP_KEY, " ");
	int w = rect_put_cut(in, 3, 0, in.w - 6, STYLE_POPUP_KEY, title, strlen(title));
	rect_puts(in, 3 + w, 0, STYLE_POPUP_KEY, " ");
}

/* What a box cannot show stands in its lower edge. */
static void box_foot(struct rect in, const char *words)
{
	int w = text_width(words, strlen(words));
	if (w + 6 <= in.w)
		rect_printf(in, in.w - w - 4, in.h - 1, STYLE_POPUP_KEY, " %s ", words);
}

/* ---- lines to read ---- */

/* Where a line that is wider than the box goes on: under the last of its columns that is wide enough. */
static int popup_indent(const char *s, size_t n, int w)
{
	int indent = 2;
	for (size_t i = 2; i < n; i++)
		if (s[i] != ' ' && s[i - 1] == ' ' && s[i - 2] == ' ' && text_width(s, i) + 20 <= w)
			indent = text_width(s, i);
	return indent;
}

static int popup_line(struct rect r, int y, const char *s, size_t n, int skip)
{
	int indent = popup_indent(s, n, r.w), rows = 0;
	for (bool more = true; more; rows++) {
		int x = rows ? indent : 0;
		size_t fits = text_clip(s, n, r.w - x, NULL), cut = fits;
		more = fits < n;
		while (more && cut > 0 && s[cut] != ' ')
			cut--;
		cut = cut ? cut : MAX(fits, n ? text_cluster(s, n) : 0);
		if (rows >= skip && y + rows - skip < r.h)
			rect_put(r, x, y + rows - skip, -1, STYLE_POPUP, s, cut);
		for (s += cut, n -= cut; more && n && *s == ' '; n--)
			s++;
		more = more && n;
	}
	return rows;
}

/* All of it from row `top` on; returns the rows there are.  r.h 0 only counts. */
static int popup_rows(const char *lines, struct rect r, int top)
{
	int row = 0;
	for (const char *s = lines; *s;) {
		size_t n = strcspn(s, "\n");
		int y = row - top, skip = MAX(-y, 0);
		row += popup_line(r, MAX(y, 0), s, n, skip);
		s += n + (s[n] == '\n');
	}
	return row;
}

static void draw_popup(struct app *a, struct rect body)
{
	int w = text_width(a->popup_title, strlen(a->popup_title)) + 4;
	for (const char *s = a->popup_lines; *s;) {
		size_t n = strcspn(s, "\n");
		w = MAX(w, text_width(s, n));
		s += n + (s[n] == '\n');
	}
	w = MIN(w + 4, body.w);
	int rows = popup_rows(a->popup_lines, (struct rect){.g = body.g, .w = w - 4}, 0);
	struct rect in = box(body, w, rows + 2, false), text = rect_sub(in, 2, 1, in.w - 4, in.h - 2);
	a->popup_below = MAX(rows - text.h - a->popup_top, 0);
	popup_rows(a->popup_lines, text, a->popup_top);
	box_title(in, a->popup_title);
	if (a->popup_below)
		box_foot(in, "j more");
}

/* Lines further down are read on; any other key closes the box. */
bool app_popup_key(struct app *a, u32 key)
{
	bool down = key == 'j' || key == ' ' || key == KEY_ARROW_DOWN || key == KEY_PAGE_DOWN;
	bool up = key == 'k' || key == KEY_ARROW_UP || key == KEY_PAGE_UP;
	if (!a->popup_lines)
		return false;
	if (down && a->popup_below) {
		a->popup_top += MIN(a->popup_below, key == 'j' || key == KEY_ARROW_DOWN ? 1 : 4);
	} else if (up && a->popup_top) {
		a->popup_top -= MIN(a->popup_top, key == 'k' || key == KEY_ARROW_UP ? 1 : 4);
	} else {
		free(a->popup_lines);
		a->popup_lines = NULL;
	}
	return true;
}

/* ---- menus ---- */

static void draw_menu(struct app *a, struct rect body)
{
	int w = text_width(a->menu.title, strlen(a->menu.title)) + 4, h = (int)a->menu.n;
	for (size_t i = 0; i < a->menu.n; i++)
		w = MAX(w, text_width(a->menu.items[i].text, strlen(a->menu.items[i].text)) + 3);
	struct rect in = box(body, w + 4, h + 2, false);
	size_t shown = (size_t)MAX(in.h - 2, 1), top = a->menu.at >= shown ? a->menu.at - shown + 1 : 0;
	box_title(in, a->menu.title);
	for (size_t i = top; i < a->menu.n && i - top < shown; i++) {
		int y = 1 + (int)(i - top);
		const char *text = a->menu.items[i].text;
		bool here = i == a->menu.at;
		if (a->menu.items[i].key)
			rect_cp(in, 2, y, STYLE_POPUP_KEY, a->menu.items[i].key);
		rect_put_cut(in, 5, y, in.w - 7, STYLE_POPUP, text, strlen(text));
		if (here) {
			rect_restyle(in, 1, y, in.w - 2, STYLE_POPUP_CURSOR);
			rect_cursor(in, 2, y);
		}
	}
	if (top + shown < a->menu.n)
		box_foot(in, "j more");
}

/* ---- what may follow a prefix ---- */

/* Is it time to show what may follow the prefix that was typed? */
static bool which_key_due(struct app *a)
{
	return a->typed.n && (a->script_mode || app_now_ms() - a->typed_at >= app_setting_number(a, SET_WHICH_KEY));
}

static bool follows(struct app *a, const struct key_binding *b)
{
	return b->seq.n > a->typed.n &&
	       !memcmp(b->seq.key, a->typed.key, (size_t)a->typed.n * sizeof b->seq.key[0]) &&
	       keymap_reaches(&a->keymap, app_top(a)->class->name, b);
}

/* What a key after the prefix does here, or why it does nothing. */
static const char *which_words(struct app *a, enum action action, bool names, enum style *style)
{
	struct view *v = app_top(a);
	const char *why = app_why_not(a, v, action), *name = app_action_info(action)->name;
	*style = why ? STYLE_POPUP_DIM : STYLE_POPUP;
	if (names)
		return name + 3 * !strncmp(name, "go-", 3);
	return why ? why : app_action_help(action, v->class->name);
}

/* The first clause of a help text says enough where the whole of it has no room. */
static size_t clause(const char *help, int max)
{
	size_t n = strlen(help), first = strcspn(help, ";:,");
	return text_width(help, n) > max ? first : n;
}

static void draw_which_key(struct app *a, struct rect body)
{
	int n = 0;
	for (size_t i = 0; i < a->keymap.n; i++)
		n += follows(a, &a->keymap.list[i]);
	bool wide = body.w >= 76, names = !wide && n > body.h - 2;
	int columns = wide || names ? 2 : 1, rows = (n + columns - 1) / columns;
	struct rect in = box(body, body.w, rows + 2, true);
	struct buf b = BUF_INIT;
	key_add_seq(&b, &a->typed);
	box_title(in, b.s);
	int i = 0, each = (in.w - 2) / columns, shown = MIN(rows, in.h - 2);
	for (size_t k = 0; k < a->keymap.n; k++) {
		if (!follows(a, &a->keymap.list[k]))
			continue;
		int x = 2 + i / shown * each, y = 1 + i % shown;
		enum style style;
		const char *words = which_words(a, (enum action)a->keymap.list[k].action, names, &style);
		if (i++ >= columns * shown)
			continue;
		buf_clear(&b);
		key_add_name(&b, a->keymap.list[k].seq.key[a->typed.n]);
		rect_put(in, x, y, 3, STYLE_POPUP_KEY, b.s, b.n);
		rect_put_cut(in, x + 3, y, each - 5, style, words, clause(words, each - 5));
	}
	buf_clear(&b);
	if (i > columns * shown)
		buf_addf(&b, "%d more: ?", i - columns * shown);
	if (b.n)
		box_foot(in, b.s);
	buf_release(&b);
}

/* ---- what Tab found in a prompt ---- */

static void draw_found(struct app *a, struct rect body)
{
	const char *found = a->prompt.found.s;
	int n = 0, name = 0, all = 0, i = 0;
	for (const char *s = found; *s; n++) {
		size_t k = strcspn(s, "\n"), word = MIN(strcspn(s, "\t"), k);
		name = MAX(name, text_width(s, word) + 1);
		all = MAX(all, text_width(s, k) - text_width(s, word));
		s += k + (s[k] == '\n');
	}
	int columns = n > body.h - 2 ? 2 : 1, rows = (n + columns - 1) / columns;
	struct rect in = box(body, columns * (name + all + 2) + 3, rows + 2, true);
	int each = (in.w - 2) / columns, shown = MIN(rows, in.h - 2);
	for (const char *s = found; *s && i < columns * shown; i++) {
		size_t k = strcspn(s, "\n"), word = MIN(strcspn(s, "\t"), k);
		int x = 2 + i / shown * each, y = 1 + i % shown;
		rect_put_cut(in, x, y, each - 2, STYLE_POPUP_KEY, s, word);
		if (word < k && name + 8 < each)
			rect_put_cut(in, x + name, y, each - name - 2, STYLE_POPUP, s + word + 1, k - word - 1);
		s += k + (s[k] == '\n');
	}
	char more[32];
	snprintf(more, sizeof more, "%d more", n - columns * shown);
	if (n > columns * shown)
		box_foot(in, more);
}

/* ---- the tour ---- */

enum { TOUR_W = 80 };

int app_tour_rows(const struct app *a, int w)
{
	size_t at, n;
	const char *text = app_tour_text(a, &at, &n);
	int lines = 0;
	if (!text)
		return 0;
	for (const char *s = text; *s;) {
		size_t k = strcspn(s, "\n");
		struct words one = {.text = s, .n = k};
		lines += (int)words_lines(&one, MIN(w, TOUR_W) - 4);
		s += k + (s[k] == '\n');
	}
	return lines + 2;
}

/* A prompt keeps its line. */
static void draw_tour(struct app *a, struct rect body)
{
	size_t at, n;
	const char *text = app_tour_text(a, &at, &n);
	char title[48];
	if (!text)
		return;
	struct rect in = box(body, MIN(body.w, TOUR_W), app_tour_rows(a, body.w), true);
	snprintf(title, sizeof title, "tour %zu of %zu \u00b7 Esc leaves it", at, n);
	box_title(in, title);
	int y = 1;
	for (const char *s = text; *s && y < in.h - 1;) {
		size_t k = strcspn(s, "\n");
		struct words one = {.text = s, .n = k, .plain = STYLE_POPUP};
		y += (int)words_draw(&one, rect_sub(in, 2, y, in.w - 4, in.h - 1 - y), 0);
		s += k + (s[k] == '\n');
	}
}

void app_draw_boxes(struct app *a, struct rect body)
{
	draw_tour(a, body);
	if (a->prompt.open && a->prompt.found.n)
		draw_found(a, body);
	if (which_key_due(a))
		draw_which_key(a, body);
	if (a->menu.open)
		draw_menu(a, body);
	if (a->popup_lines)
		draw_popup(a, body);
}
