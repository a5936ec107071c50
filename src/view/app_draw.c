/* SPDX-License-Identifier: MIT */
/* app_draw.c - the frame around a view: title, messages, footer. */
#include "view/app_private.h"

#include "ui/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOUR_LEAVES = 14 }; /* rows at least, for a screen beside the tour's box */

static const char *base_name(const char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	const char *s = path + n;
	while (s > path && s[-1] != '/')
		s--;
	return s;
}

static void backend_state_words(struct app *a, bool narrow, char out[64])
{
	struct backend *b = a->session->backend;
	if (!b) {
		snprintf(out, 64, narrow ? "off" : "model off");
		return;
	}
	backend_words(b, out, 64);
	if (backend_state(b) == BACKEND_DIED && !narrow) {
		size_t n = strlen(out);
		snprintf(out + n, 64 - n, ", R restarts");
	}
	if (backend_is_foreign(b)) {
		size_t n = strlen(out);
		snprintf(out + n, 64 - n, narrow ? " !" : ", another model");
	}
}

/* Puts text at x if all of it fits before end; returns the new x. */
static int put_if_fits(struct rect r, int x, int end, enum style s, const char *text)
{
	int w = text_width(text, strlen(text));
	if (!w || x + w > end)
		return x;
	rect_puts(r, x, 0, s, text);
	return x + w;
}

/* Is something that numbers depend on, or where they were read, a guess? */
static bool rests_on_guess(struct dict *d)
{
	size_t n;
	const struct dict_fact *f = dict_provenance(d, &n);
	for (size_t i = 0; i < n; i++)
		if (f[i].origin == DICT_GUESS && strcmp(f[i].name, "model"))
			return true;
	return false;
}

static void draw_title(struct app *a, struct rect r)
{
	const struct atlas *at = a->session->atlas;
	struct view *v = app_top(a);
	struct buf b = BUF_INIT;
	char state[64], stamp[96];
	rect_fill(r, 0, 0, r.w, 1, STYLE_TITLE, ' ');
	backend_state_words(a, r.w < 60, state);
	bool foreign = a->session->backend && backend_is_foreign(a->session->backend);
	int end = rect_puts_right(r, r.w - 1, 0, foreign ? STYLE_TITLE_GUESS : STYLE_TITLE, state) - 2;
	size_t n = strcspn(base_name(at->folder), "/");
	int x = 1 + rect_put_cut(r, 1, 0, MIN(end - 1, 24), STYLE_TITLE_WHERE, base_name(at->folder), n);
	if (v->class->crumb)
		v->class->crumb(v, &b);
	else if (v->class->title)
		buf_adds(&b, v->class->title);
	bool folded = dict_info(at->dict)->rescale_by_decoder_norm, turned = app_setting_number(a, SET_FOLD);
	snprintf(stamp, sizeof stamp, "  L%u%s%.40s \u00b7 %s", at->layer, *at->place ? " " : "", at->place,
		 atlas_as_published(at) ? "as published" :
		 turned			? folded ? "unfolded (zn)" : "folded (zn)" :
		 folded			? "folded" :
					  "as stored");
	if (b.n) {
		x += rect_put(r, x, 0, MAX(end - x, 0), STYLE_TITLE_WHERE, " \u203a ", 5);
		x += rect_put_cut(r, x, 0, MAX(end - x, 0), STYLE_TITLE_WHERE, b.s, b.n);
	} else { /* of a long name its beginning, so that the stamp has room */
		char model[80];
		int room = end - text_width(stamp, strlen(stamp));
		snprintf(model, sizeof model, "  %.70s", at->model.name);
		if (x + text_width(model, strlen(model)) > room)
			model[strcspn(model, ",")] = 0;
		x = put_if_fits(r, x, r.w < 60 ? end : room, STYLE_TITLE, model);
	}
	x = put_if_fits(r, x, end, rests_on_guess(at->dict) ? STYLE_TITLE_GUESS : STYLE_TITLE, stamp);
	buf_clear(&b);
	if (v->class->status)
		v->class->status(v, &b);
	if (b.n && x + 2 + text_width(b.s, b.n) <= end)
		rect_puts_right(r, end, 0, STYLE_TITLE, b.s);
	buf_release(&b);
}

static void draw_typed(struct app *a, struct rect r, int y)
{
	struct buf b = BUF_INIT;
	if (a->count)
		buf_addf(&b, "%d", a->count);
	key_add_seq(&b, &a->typed);
	if (app_setting_number(a, SET_BIG) && a->last_key && !b.n) {
		buf_adds(&b, "[");
		key_add_name(&b, a->last_key);
		buf_adds(&b, "]");
	}
	if (b.n)
		rect_puts_right(r, r.w - 1, y, STYLE_PROMPT, b.s);
	buf_release(&b);
}

static void draw_message(struct app *a, struct rect r, int y)
{
	if (a->prompt.open) {
		prompt_draw(&a->prompt.p, r, y, a->prompt.label);
		return;
	}
	struct words w = {a->message.s, a->message.n, NULL, a->message_bad ? STYLE_ERROR : STYLE_MESSAGE, NULL};
	int rows = MIN((int)words_lines(&w, r.w - 2), MAX(r.h / 6, 3));
	if (a->message.n && rows > 1) /* a long one takes rows of the body */
		rect_fill(r, 0, y - rows + 1, r.w, rows, STYLE_NORMAL, ' ');
	words_draw(&w, rect_sub(r, 1, y - rows + 1, r.w - 2, rows), 0);
	const char *other = a->message.n ? NULL : app_job_waits_for(app_top(a));
	if (other)
		rect_printf(r, 1, y, STYLE_DIM, "waits until %s is over; gj lists the jobs, ^C there stops one", other);
	draw_typed(a, r, y);
}

static int draw_hint(struct app *a, struct rect r, int x, int y, int end, const struct view_hint *hint)
{
	char keys[72] = "", key[32];
	snprintf(key, sizeof key, "%s", app_key_words(a, hint->action));
	if (hint->back && key[0])
		snprintf(keys, sizeof keys, "%s ", app_key_words(a, hint->back));
	snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s", key);
	int w = text_width(keys, strlen(keys)) + 1 + text_width(hint->word, strlen(hint->word));
	if (!key[0] || x + w > end)
		return x;
	x += rect_puts(r, x, y, STYLE_FOOTER_KEY, keys) + 1;
	x += rect_puts(r, x, y, STYLE_FOOTER, hint->word);
	return x + 2;
}

/* While a prompt takes the letters, the keys of the screen are not to be had. */
static void draw_prompt_footer(struct rect r, int y, bool completes)
{
	static const char *const hints[][2] = {{"Enter", "accept"}, {"Esc", "back"}, {"^U", "clear"}, {"Tab", "complete"}};
	int x = 1;
	for (size_t i = 0; i < ARRAY_LEN(hints) - !completes; i++) {
		if (x + (int)(strlen(hints[i][0]) + 1 + strlen(hints[i][1])) > r.w)
			break;
		x += rect_puts(r, x, y, STYLE_FOOTER_KEY, hints[i][0]) + 1;
		x += rect_puts(r, x, y, STYLE_FOOTER, hints[i][1]) + 2;
	}
}

static void draw_footer(struct app *a, struct rect r, int y)
{
	static const struct {
		const char *key, *word;
	} always[] = {{"g", "go"}, {"?", "help"}, {":", "all"}};
	struct view *v = app_top(a);
	if (a->prompt.open && a->prompt.fault) {
		int x = prompt_column(&a->prompt.p, r, a->prompt.label, a->prompt.fault_at);
		int w = text_width(a->prompt.fault, strlen(a->prompt.fault));
		x = MAX(x, 0);
		rect_puts(r, x, y, STYLE_ERROR, "^");
		/* beside the caret, on the side that has room; else the sentence goes before the caret */
		int at = x + 2 + w <= r.w ? x + 2 : x > w ? x - 1 - w : MAX(r.w - w, 0);
		rect_put_cut(r, at, y, r.w - at, STYLE_ERROR, a->prompt.fault, strlen(a->prompt.fault));
		return;
	}
	if (a->prompt.open && a->message.n) {
		rect_put_cut(r, 1, y, r.w - 2, a->message_bad ? STYLE_ERROR : STYLE_MESSAGE, a->message.s,
			     a->message.n);
		return;
	}
	if (a->prompt.open) {
		draw_prompt_footer(r, y, a->prompt.spec.complete != NULL);
		return;
	}
	int x = r.w - 23, end = x - 2;
	for (size_t i = 0; i < ARRAY_LEN(always); i++) {
		x += rect_puts(r, x, y, STYLE_FOOTER_KEY, always[i].key) + 1;
		x += rect_puts(r, x, y, STYLE_FOOTER, always[i].word) + 2;
	}
	x = 1;
	if (app_job_asks_model(v))
		x = draw_hint(a, r, x, y, end, &(struct view_hint){ACT_STOP, "stop", ACT_NONE});
	for (size_t i = 0; i < VIEW_MAX_HINTS && v->class->hints[i].action; i++)
		x = draw_hint(a, r, x, y, end, &v->class->hints[i]);
}

void app_draw(struct app *a)
{
	struct rect all = grid_rect(&a->grid);
	a->grid.ascii = a->ascii;
	grid_clear(&a->grid);
	if (all.w < APP_MIN_W || all.h < APP_MIN_H) {
		words_sentence(all, 0, 0, STYLE_NORMAL, "needs a window of 40 x 10");
		return;
	}
	struct view *v = app_top(a);
	int top = 1, room = app_setting_number(a, SET_PROVENANCE) ? (all.h - APP_MIN_H) / 3 : 0;
	if (room > 0)
		top += MIN(room, app_draw_provenance(a, rect_sub(all, 0, 1, all.w, room)));
	struct rect body = rect_sub(all, 0, top, all.w, all.h - 2 - top);
	draw_title(a, all);
	a->body_y = top;
	/* the tour speaks of what stands at the bottom: where there is room it stands below */
	struct rect mine = body;
	int tour = app_tour_rows(a, body.w);
	if (body.h - tour >= TOUR_LEAVES)
		mine.h -= tour;
	v->w = mine.w;
	v->h = mine.h;
	v->unseen = false;
	v->class->draw(v, mine);
	draw_message(a, all, all.h - 2);
	draw_footer(a, all, all.h - 1);
	app_draw_boxes(a, body);
}
