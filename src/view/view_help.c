/* SPDX-License-Identifier: MIT */
/* view_help.c - the help screen, made from the table of actions: this screen's keys first. */
#include "view/app_private.h"

#include "base/mem.h"
#include "view/list_act.h"

#include <stdlib.h>
#include <string.h>

struct line {
	char *text;         /* a heading, or NULL */
	char *keys;
	enum action action;
};

struct help {
	struct list list;
	struct line *lines;
	size_t n;
};

static struct line *add(struct help *s)
{
	s->lines = xreallocarray(s->lines, s->n + 1, sizeof *s->lines);
	s->lines[s->n] = (struct line){0};
	return &s->lines[s->n++];
}

static void add_heading(struct help *s, const char *text)
{
	if (s->n)
		add(s)->text = xstrdup("");
	add(s)->text = xstrdup(text);
}

/* All keys of an action in a context: "j Down ^N". */
static char *keys_of(const struct app *a, enum action action, const char *context, bool own)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < a->keymap.n; i++) {
		const struct key_binding *k = &a->keymap.list[i];
		if (k->action != (int)action || (own && !key_in_context(k->contexts, context)) ||
		    !keymap_reaches(&a->keymap, context, k))
			continue;
		if (b.n)
			buf_addc(&b, ' ');
		key_add_seq(&b, &k->seq);
	}
	return buf_take(&b);
}

static void add_actions(struct help *s, const struct app *a, const char *context, const char *group)
{
	for (int i = 1; i < N_ACTIONS; i++) {
		const struct action_info *info = app_action_info((enum action)i);
		bool own = strcmp(info->contexts, "all") != 0;
		if (group ? own || strcmp(info->group, group) != 0
			  : !own || !key_in_context(info->contexts, context))
			continue;
		struct line *l = add(s);
		l->keys = keys_of(a, (enum action)i, context, own);
		l->action = (enum action)i;
	}
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	static const char *const groups[][2] = {
		{"move", "moving"},	    {"go", "going somewhere"}, {"find", "finding"},
		{"select", "selecting"},    {"edit", "writing down"},  {"look", "looking closer"},
		{"program", "the program"},
	};
	struct help *s = view_state(v);
	struct app *a = v->app;
	(void)t;
	(void)e;
	const char *context = app_top(a)->class->name;
	size_t before = s->n;
	add_actions(s, a, context, NULL);
	if (s->n > before) {
		s->lines = xreallocarray(s->lines, s->n + 1, sizeof *s->lines);
		memmove(s->lines + 1, s->lines, s->n * sizeof *s->lines);
		s->lines[0] = (struct line){.text = xasprintf("on this screen (%s)", context)};
		s->n++;
	}
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		add_heading(s, groups[i][1]);
		add_actions(s, a, context, groups[i][0]);
	}
	return 0;
}

static void close(struct view *v)
{
	struct help *s = view_state(v);
	for (size_t i = 0; i < s->n; i++) {
		free(s->lines[i].text);
		free(s->lines[i].keys);
	}
	free(s->lines);
}

static void draw(struct view *v, struct rect r)
{
	struct help *s = view_state(v);
	int keys = r.w >= 60 ? 18 : 10;
	list_resize(&s->list, s->n, r.h);
	for (int y = 0; y < r.h && s->list.top + (u64)y < s->n; y++) {
		const struct line *l = &s->lines[s->list.top + (u64)y];
		if (l->text)
			rect_puts(r, 1, y, STYLE_HEAD, l->text);
		else {
			const char *help = app_action_info(l->action)->help;
			rect_put_cut(r, 2, y, keys - 1, STYLE_FOOTER_KEY, l->keys, strlen(l->keys));
			rect_put_cut(r, 2 + keys, y, r.w - 3 - keys, STYLE_NORMAL, help, strlen(help));
		}
		if (s->list.top + (u64)y == s->list.at) {
			rect_cursor_row(r, y);
			rect_cursor(r, 0, y);
		}
	}
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct help *s = view_state(v);
	if (a == ACT_HELP)
		return VIEW_CLOSE;
	return list_act(&s->list, a, count) ? VIEW_HANDLED : VIEW_IGNORED;
}

static size_t n_rows(struct view *v)
{
	return ((struct help *)view_state(v))->n;
}

static bool row_text(struct view *v, size_t row, struct buf *out)
{
	struct help *s = view_state(v);
	if (row >= s->n)
		return false;
	const struct line *l = &s->lines[row];
	if (l->text)
		buf_adds(out, l->text);
	else
		buf_addf(out, "%s %s %s", l->keys, app_action_info(l->action)->name,
			 app_action_info(l->action)->help);
	return true;
}

static void go_row(struct view *v, size_t row)
{
	list_go(&((struct help *)view_state(v))->list, row);
}

static size_t row(struct view *v)
{
	return ((struct help *)view_state(v))->list.at;
}

const struct view_class view_help = {
	.name = "help",
	.title = "help",
	.size = sizeof(struct help),
	.text_rows = true,
	.hints = {{ACT_SEARCH, "search"}, {ACT_NEXT_HIT, "next"}, {ACT_CLOSE, "close"}},
	.open = open,
	.close = close,
	.draw = draw,
	.act = act,
	.n_rows = n_rows,
	.row_text = row_text,
	.go_row = go_row,
	.row = row,
};
