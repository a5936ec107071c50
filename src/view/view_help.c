/* SPDX-License-Identifier: MIT */
/* view_help.c - the help screen: what one does on this screen, all keys from the table of actions, and what
 * the words mean that stand on the screens. */
#include "view/app_private.h"

#include "base/mem.h"
#include "view/list_act.h"

#include <stdlib.h>
#include <string.h>

struct line {
	char *text;       /* a heading, or NULL */
	char *keys;       /* or a word */
	const char *help; /* and what it means */
	const char *name; /* of the action, or "" */
};

static const char *const glossary[][2] = {
	{"density", "the share of tokens where a feature fires"},
	{"max", "its largest activation"},
	{"detects (det)", "do its peaks stand on tokens that it promotes"},
	{"writes (wri)", "does the model write about its topic when it is added"},
	{"promotes", "the tokens that its decoder direction makes likelier"},
	{"top", "the contexts where it fires most; intervals: at steps below; random: anywhere"},
	{"by decoder", "neighbours by the cosine of their decoder directions"},
	{"co-active", "neighbours by how often both fire on one token"},
	{"as stored", "activations as they are; folded: times the norm of the decoder direction"},
	{"2x", "a strength: twice the feature's max"},
	{"auto", "a label made of the words where it fires; bold ones are a person's"},
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

static void add_action(struct help *s, const struct app *a, const char *context, enum action action, bool own)
{
	const struct action_info *info = app_action_info(action);
	*add(s) = (struct line){NULL, keys_of(a, action, context, own), info->help, info->name};
}

static bool is_hint(const struct view_class *c, enum action action)
{
	for (size_t i = 0; i < VIEW_MAX_HINTS && c->hints[i].action; i++)
		if (c->hints[i].action == action)
			return true;
	return false;
}

/* What the footer would name if it had the room, then what there is on this screen only. */
static void add_own(struct help *s, const struct app *a, const struct view_class *c)
{
	add(s)->text = xasprintf("on this screen (%s)", c->title ? c->title : c->name);
	for (size_t i = 0; i < VIEW_MAX_HINTS && c->hints[i].action; i++)
		add_action(s, a, c->name, c->hints[i].action, false);
	for (int i = 1; i < N_ACTIONS; i++) {
		const char *contexts = app_action_info((enum action)i)->contexts;
		if (strcmp(contexts, "all") && key_in_context(contexts, c->name) && !is_hint(c, (enum action)i))
			add_action(s, a, c->name, (enum action)i, true);
	}
}

static void add_group(struct help *s, const struct app *a, const char *context, const char *group)
{
	for (int i = 1; i < N_ACTIONS; i++) {
		const struct action_info *info = app_action_info((enum action)i);
		if (!strcmp(info->contexts, "all") && !strcmp(info->group, group))
			add_action(s, a, context, (enum action)i, false);
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
	const struct view_class *c = app_top(a)->class;
	add_own(s, a, c);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		add_heading(s, groups[i][1]);
		add_group(s, a, c->name, groups[i][0]);
	}
	add_heading(s, "words on the screens");
	for (size_t i = 0; i < ARRAY_LEN(glossary); i++)
		*add(s) = (struct line){NULL, xstrdup(glossary[i][0]), glossary[i][1], ""};
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
			rect_put_cut(r, 2, y, keys - 1, STYLE_FOOTER_KEY, l->keys, strlen(l->keys));
			rect_put_cut(r, 2 + keys, y, r.w - 3 - keys, STYLE_NORMAL, l->help, strlen(l->help));
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
		buf_addf(out, "%s %s %s", l->keys, l->name, l->help);
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
