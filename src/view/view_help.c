/* SPDX-License-Identifier: MIT */
/* view_help.c - the help screen: what one does on this screen, all keys from the table of actions, and what
 * the words mean that stand on the screens. */
#include "view/app_private.h"

#include "base/mem.h"
#include "ui/words.h"
#include "view/list_act.h"

#include <stdlib.h>
#include <string.h>

struct line {
	char *text;       /* a heading, or NULL */
	char *keys;       /* or a word */
	char *help;       /* and what it means */
	const char *name; /* of the action, or "" */
	bool not_now;     /* help says why */
	enum action action;
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
	{"mutual", "diff: each is the other's nearest, marked =; ~ is one way only"},
	{"split", "diff: the nearest of several over there, whose number stands in its row"},
	{"auto", "a label made of the words where it fires; bold ones are a person's"},
};

struct help {
	struct list list;  /* of rows: a line takes as many as its help needs */
	struct line *lines;
	size_t n;
	u32 *row_of, *line_at; /* [n]: the first row of a line; [list.n]: the line of a row */
	int w;                 /* that they are for */
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

/* Its keys, else its name in the palette: no action is without a way to it. */
static char *way_to(const struct view *v, enum action action, const char *context, bool own)
{
	char *keys = keys_of(v->app, action, context, own);
	const char *palette = app_key_words(v->app, ACT_PALETTE);
	if (keys[0] || !palette[0])
		return keys;
	free(keys);
	return xasprintf("%s%s", palette, app_action_info(action)->name);
}

/* v: the screen that one asks about. */
static void add_action(struct help *s, struct view *v, enum action action, bool own)
{
	const char *context = v->class->name, *name = app_action_info(action)->name, *why = app_why_not(v->app, v, action);
	*add(s) = (struct line){.keys = way_to(v, action, context, own),
				.help = xstrdup(app_action_help(action, context)), .name = name, .action = action};
	if (!why)
		return;
	char *words = xasprintf("not now: %s", why);
	struct line *before = s->n > 1 ? &s->lines[s->n - 2] : NULL;
	if (before && before->not_now && !strcmp(before->help, words)) { /* one reason for all of them */
		struct line reason = *before;
		*before = s->lines[s->n - 1];
		s->lines[s->n - 1] = reason;
		free(words);
		return;
	}
	*add(s) = (struct line){.keys = xstrdup(""), .help = words, .name = name, .not_now = true, .action = action};
}

static bool is_hint(const struct view_class *c, enum action action)
{
	for (size_t i = 0; i < VIEW_MAX_HINTS && c->hints[i].action; i++)
		if (c->hints[i].action == action || (c->hints[i].back && c->hints[i].back == action))
			return true;
	return false;
}

/* What the footer would name if it had the room, then what there is on this screen only. */
static void add_own(struct help *s, struct view *v)
{
	const struct view_class *c = v->class;
	add(s)->text = xasprintf("on this screen (%s)", c->title ? c->title : c->name);
	for (size_t i = 0; i < VIEW_MAX_HINTS && c->hints[i].action; i++) {
		add_action(s, v, c->hints[i].action, false);
		if (c->hints[i].back)
			add_action(s, v, c->hints[i].back, false);
	}
	for (int i = 1; i < N_ACTIONS; i++)
		if (app_action_is_own((enum action)i, c->name) && !is_hint(c, (enum action)i))
			add_action(s, v, (enum action)i, strcmp(app_action_info((enum action)i)->contexts, "all") != 0);
}

/* What means the same everywhere, each once. */
static void add_group(struct help *s, struct view *v, const char *group)
{
	for (int i = 1; i < N_ACTIONS; i++) {
		const struct action_info *info = app_action_info((enum action)i);
		bool own = app_action_is_own((enum action)i, v->class->name) || is_hint(v->class, (enum action)i);
		if (!own && !strcmp(info->contexts, "all") && !strcmp(info->group, group))
			add_action(s, v, (enum action)i, false);
	}
}

static int keys_width(int w)
{
	return w >= 60 ? 18 : 10;
}

static struct words words_of(const struct line *l)
{
	return (struct words){l->help, strlen(l->help), NULL, l->not_now ? STYLE_DIM : STYLE_NORMAL, NULL};
}

/* Rows for a width; the cursor stays on its line. */
static void lay_out(struct help *s, int w)
{
	u32 at = s->w ? s->line_at[s->list.at] : 0, n = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct words words = s->lines[i].text ? (struct words){0} : words_of(&s->lines[i]);
		u32 rows = s->lines[i].text ? 1 : (u32)words_lines(&words, w - 3 - keys_width(w));
		s->row_of[i] = n;
		s->line_at = xreallocarray(s->line_at, n + rows, sizeof *s->line_at);
		for (; rows > 0; rows--)
			s->line_at[n++] = (u32)i;
	}
	s->w = w;
	list_resize(&s->list, n, s->list.h);
	list_go(&s->list, s->row_of[at]);
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	static const char *const groups[][2] = {
		{"move", "moving"},	    {"go", "going somewhere"}, {"find", "finding"},
		{"select", "marking"},    {"edit", "writing down"},  {"look", "looking closer"},
		{"program", "the program"},
	};
	struct help *s = view_state(v);
	struct view *here = app_top(v->app);
	(void)t;
	(void)e;
	add_own(s, here);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		add_heading(s, groups[i][1]);
		add_group(s, here, groups[i][0]);
	}
	add_heading(s, "words on the screens");
	for (size_t i = 0; i < ARRAY_LEN(glossary); i++)
		*add(s) = (struct line){.keys = xstrdup(glossary[i][0]), .help = xstrdup(glossary[i][1]), .name = ""};
	s->row_of = xcalloc(s->n, sizeof *s->row_of);
	lay_out(s, MAX(here->w, 40));
	return 0;
}

static void close(struct view *v)
{
	struct help *s = view_state(v);
	for (size_t i = 0; i < s->n; i++) {
		free(s->lines[i].text);
		free(s->lines[i].keys);
		free(s->lines[i].help);
	}
	free(s->lines);
	free(s->row_of);
	free(s->line_at);
}

static void draw_row(const struct help *s, struct rect r, int y, u32 row)
{
	const struct line *l = &s->lines[s->line_at[row]];
	u32 skip = row - s->row_of[s->line_at[row]];
	int keys = keys_width(r.w);
	if (l->text) {
		rect_puts(r, 1, y, STYLE_HEAD, l->text);
		return;
	}
	struct words w = words_of(l);
	if (!skip)
		rect_put_cut(r, 2, y, keys - 1, STYLE_FOOTER_KEY, l->keys, strlen(l->keys));
	words_draw(&w, rect_sub(r, 2 + keys, y, r.w - 3 - keys, 1), skip);
}

/* Where one is, and that this is not all. */
static void draw_position(const struct help *s, struct rect r, int y)
{
	char words[64];
	u64 end = MIN(s->list.top + (u64)s->list.h, s->list.n);
	snprintf(words, sizeof words, "%llu-%llu of %llu%s", (unsigned long long)s->list.top + 1, (unsigned long long)end,
		 (unsigned long long)s->list.n, end < s->list.n ? ", more below" : "");
	rect_puts_right(r, r.w - 1, y, STYLE_DIM, words);
}

static void draw(struct view *v, struct rect r)
{
	struct help *s = view_state(v);
	if (r.w != s->w)
		lay_out(s, r.w);
	int h = s->list.n > (u64)r.h ? r.h - 1 : r.h;
	list_resize(&s->list, s->list.n, h);
	if (h < r.h)
		draw_position(s, r, h);
	for (int y = 0; y < h && s->list.top + (u64)y < s->list.n; y++) {
		draw_row(s, r, y, (u32)s->list.top + (u32)y);
		if (s->list.top + (u64)y == s->list.at) {
			rect_cursor_row(r, y);
			rect_cursor(r, 0, y);
		}
	}
}

static size_t row(struct view *v)
{
	struct help *s = view_state(v);
	return s->line_at[s->list.at];
}

/* Enter does what the line is about, on the screen it is about. */
static enum act_result do_it(struct view *v)
{
	struct help *s = view_state(v);
	struct app *a = v->app;
	enum action action = s->lines[row(v)].action;
	if (action == ACT_NONE)
		return VIEW_HANDLED;
	app_close_top(a);
	if (action != ACT_HELP)
		app_act(a, action, 0);
	return VIEW_HANDLED;
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct help *s = view_state(v);
	if (a == ACT_HELP)
		return VIEW_CLOSE;
	if (a == ACT_OPEN)
		return do_it(v);
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
	struct help *s = view_state(v);
	list_go(&s->list, s->row_of[row]);
}

const struct view_class view_help = {
	.name = "help",
	.title = "help",
	.size = sizeof(struct help),
	.text_rows = true,
	.hints = {{ACT_OPEN, "do it"}, {ACT_SEARCH, "search"}, {ACT_NEXT_HIT, "next"}, {ACT_CLOSE, "close"}},
	.open = open,
	.close = close,
	.draw = draw,
	.act = act,
	.n_rows = n_rows,
	.row_text = row_text,
	.go_row = go_row,
	.row = row,
};
