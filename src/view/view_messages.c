/* SPDX-License-Identifier: MIT */
/* view_messages.c - everything that was said in this session. */
#include "view/app_private.h"

#include "ui/words.h"
#include "view/list_act.h"

#include <string.h>

static int open(struct view *v, const struct target *t, struct err *e)
{
	struct list *l = view_state(v);
	(void)t;
	(void)e;
	list_resize(l, v->app->n_log, v->h);
	list_go(l, UINT64_MAX / 2);
	return 0;
}

/* The message under the cursor, whole, below the list if it is too long for a line of it. */
static struct rect draw_whole(const struct app *a, const struct list *l, struct rect r)
{
	struct words w = {0};
	if (l->at < a->n_log)
		w = (struct words){.text = a->log[l->at], .n = strlen(a->log[l->at])};
	int lines = (int)words_lines(&w, r.w - 2);
	if (lines < 2 || lines + 1 >= r.h)
		return r;
	words_draw(&w, rect_sub(r, 1, r.h - lines, r.w - 2, lines), 0);
	return rect_sub(r, 0, 0, r.w, r.h - lines - 1);
}

static void draw(struct view *v, struct rect r)
{
	struct list *l = view_state(v);
	struct app *a = v->app;
	r = draw_whole(a, l, r);
	list_resize(l, a->n_log, r.h);
	if (!a->n_log)
		rect_puts(r, 1, 1, STYLE_DIM, "nothing was said yet");
	for (int y = 0; y < r.h && l->top + (u64)y < l->n; y++) {
		const char *s = a->log[l->top + (u64)y];
		rect_put_cut(r, 1, y, r.w - 2, STYLE_NORMAL, s, strlen(s));
		if (l->top + (u64)y == l->at) {
			rect_cursor_row(r, y);
			rect_cursor(r, 0, y);
		}
	}
}

static enum act_result act(struct view *v, enum action a, int count)
{
	return list_act(view_state(v), a, count) ? VIEW_HANDLED : VIEW_IGNORED;
}

static const char *why_not(struct view *v, enum action a)
{
	(void)v;
	return a == ACT_OPEN ? "a message has no page of its own" : NULL;
}

static size_t n_rows(struct view *v)
{
	return v->app->n_log;
}

static bool row_text(struct view *v, size_t row, struct buf *out)
{
	if (row >= v->app->n_log)
		return false;
	buf_adds(out, v->app->log[row]);
	return true;
}

static void go_row(struct view *v, size_t row)
{
	list_go(view_state(v), row);
}

static size_t row(struct view *v)
{
	return ((struct list *)view_state(v))->at;
}

const struct view_class view_messages = {
	.name = "messages",
	.title = "messages",
	.size = sizeof(struct list),
	.text_rows = true,
	.hints = {{ACT_SEARCH, "search"}, {ACT_NEXT_HIT, "next"}, {ACT_CLOSE, "close"}},
	.open = open,
	.draw = draw,
	.act = act,
	.why_not = why_not,
	.n_rows = n_rows,
	.row_text = row_text,
	.go_row = go_row,
	.row = row,
};
