/* SPDX-License-Identifier: MIT */
/* view_palette.c - every action by its name, narrowed as one types; a number goes to a feature. */
#include "view/app_private.h"

#include "base/mem.h"
#include "ui/list.h"

#include <stdlib.h>
#include <string.h>

struct palette {
	struct prompt prompt;
	struct list list;
	struct {
		enum action action;
		int score;
	} found[N_ACTIONS];
	size_t n;
};

/* Characters of the wish in order, more for runs and for the beginnings of words; 0: no. */
static int fuzzy(const char *wish, const char *name)
{
	int score = 1, run = 0;
	for (const char *s = name; *wish; s++) {
		if (!*s)
			return 0;
		char a = *wish, b = *s;
		if (a >= 'A' && a <= 'Z')
			a |= 32;
		if (b >= 'A' && b <= 'Z')
			b |= 32;
		if (a != b) {
			run = 0;
			continue;
		}
		bool begins = s == name || s[-1] == '-' || s[-1] == ' ';
		score += 1 + 3 * run + (begins ? 4 : 0) + (s == name ? 4 : 0);
		run++;
		wish++;
	}
	return score;
}

static struct view *below(struct view *v)
{
	return v->app->at ? v->app->stack[v->app->at - 1] : v;
}

static void narrow(struct view *v)
{
	struct palette *s = view_state(v);
	const char *wish = s->prompt.text.s;
	s->n = 0;
	for (int i = 1; i < N_ACTIONS; i++) {
		const struct action_info *info = app_action_info((enum action)i);
		int score = fuzzy(wish, info->name) * 4;
		if (!score && strlen(wish) >= 3 && strstr(app_action_help((enum action)i, below(v)->class->name), wish))
			score = 1;
		if (!score || i == ACT_PALETTE)
			continue;
		/* of equals those that do something here go before */
		const char *contexts = info->contexts;
		score = 2 * score + (!strcmp(contexts, "all") || key_in_context(contexts, below(v)->class->name));
		size_t at = s->n++;
		while (at > 0 && s->found[at - 1].score < score) {
			s->found[at] = s->found[at - 1];
			at--;
		}
		s->found[at].action = (enum action)i;
		s->found[at].score = score;
	}
	s->list.at = s->list.top = 0;
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	struct palette *s = view_state(v);
	(void)t;
	(void)e;
	prompt_init(&s->prompt, NULL, NULL);
	narrow(v);
	return 0;
}

static void close(struct view *v)
{
	prompt_release(&((struct palette *)view_state(v))->prompt);
}

static void draw_line(struct view *v, struct rect r, int y, enum action action)
{
	const struct action_info *info = app_action_info(action);
	struct view *under = below(v);
	const char *why = app_why_not(v->app, under, action);
	const struct key_binding *k = keymap_find(&v->app->keymap, under->class->name, (int)action);
	struct buf keys = BUF_INIT;
	if (k)
		key_add_seq(&keys, &k->seq);
	rect_put(r, 2, y, 20, why ? STYLE_DIM : STYLE_NORMAL, info->name, strlen(info->name));
	rect_put(r, 23, y, 6, STYLE_FOOTER_KEY, keys.s, keys.n);
	const char *words = why ? why : app_action_help(action, under->class->name);
	rect_put_cut(r, 30, y, r.w - 31, STYLE_DIM, words, strlen(words));
	buf_release(&keys);
}

/* ":set NAME=VALUE": the options that begin so. */
static const char *after_set(const struct palette *s)
{
	return !strncmp(s->prompt.text.s, "set ", 4) ? s->prompt.text.s + 4 : NULL;
}

static void draw_options(struct view *v, struct rect r, const char *typed)
{
	size_t n = strcspn(typed, "= ");
	int y = 0;
	for (int i = 0; i < N_SETTINGS && y < r.h; i++) {
		const struct setting_info *info = &setting_infos[i];
		if (strncmp(info->name, typed, n) != 0)
			continue;
		rect_put(r, 2, y, 18, STYLE_NORMAL, info->name, strlen(info->name));
		const char *value = app_setting(v->app, (enum setting)i);
		rect_put_cut(r, 20, y, 14, STYLE_LABEL_PERSON, value, strlen(value));
		struct buf b = BUF_INIT;
		settings_add_choices(&b, (enum setting)i);
		rect_put_cut(r, 35, y++, r.w - 36, STYLE_DIM, b.n ? b.s : info->help, b.n ? b.n : strlen(info->help));
		buf_release(&b);
	}
}

static void commit_set(struct view *v, const char *typed)
{
	struct app *a = v->app;
	struct err e = {0};
	size_t n = strcspn(typed, "= ");
	char *name = xstrndup(typed, n);
	const char *value = typed + n + strspn(typed + n, "= ");
	enum setting which = settings_find(name, &e);
	if (which == N_SETTINGS || app_set(a, which, value, &e))
		app_error(a, &e);
	else {
		app_close_top(a);
		app_message(a, "%s is %s; gO and x keep it for later sessions", name, app_setting(a, which));
	}
	free(name);
}

static void draw(struct view *v, struct rect r)
{
	struct palette *s = view_state(v);
	if (after_set(s)) {
		draw_options(v, rect_sub(r, 0, 1, r.w, r.h - 1), after_set(s));
		prompt_draw(&s->prompt, r, 0, ":");
		return;
	}
	struct rect rows = rect_sub(r, 0, 1, r.w, r.h - 1);
	list_resize(&s->list, s->n, rows.h);
	for (int y = 0; y < rows.h && s->list.top + (u64)y < s->n; y++) {
		draw_line(v, rows, y, s->found[s->list.top + (u64)y].action);
		if (s->list.top + (u64)y == s->list.at) {
			rect_puts(rows, 0, y, STYLE_MARK, ">");
			rect_cursor_row(rows, y);
		}
	}
	prompt_draw(&s->prompt, r, 0, ":");
}

static void commit(struct view *v)
{
	struct palette *s = view_state(v);
	struct app *a = v->app;
	struct err e = {0};
	enum action action = s->n ? s->found[s->list.at].action : ACT_NONE;
	bool number = s->prompt.text.n && strspn(s->prompt.text.s, "#0123456789") == s->prompt.text.n;
	u32 f = NO_FEATURE;
	if (after_set(s)) {
		commit_set(v, after_set(s));
		return;
	}
	if (number && session_parse_id(a->session, s->prompt.text.s, &f, &e)) {
		app_error(a, &e);
		return;
	}
	if (!number && action == ACT_NONE) {
		app_message(a, "no action has such a name");
		return;
	}
	app_close_top(a);
	if (number)
		app_push_feature(a, f);
	else
		app_act(a, action, 0);
}

static bool key(struct view *v, u32 k)
{
	struct palette *s = view_state(v);
	if (k == KEY_ARROW_DOWN || k == KEY_CTRL('n') || k == KEY_TAB) {
		list_move(&s->list, 1);
		return true;
	}
	if (k == KEY_ARROW_UP || k == KEY_CTRL('p') || k == KEY_BACKTAB) {
		list_move(&s->list, -1);
		return true;
	}
	if (k == KEY_PAGE_DOWN || k == KEY_PAGE_UP) {
		list_scroll(&s->list, k == KEY_PAGE_DOWN ? s->list.h : -s->list.h);
		return true;
	}
	if (k == KEY_FUNCTION_1 || k == KEY_CTRL('l') || k == KEY_CTRL_Z)
		return false;
	switch (prompt_key(&s->prompt, k)) {
	case PROMPT_COMMIT: commit(v); break;
	case PROMPT_CANCEL: app_close_top(v->app); break;
	case PROMPT_CHANGED: narrow(v); break;
	default: break;
	}
	return true;
}

const struct view_class view_palette = {
	.name = "palette",
	.title = "all actions",
	.size = sizeof(struct palette),
	.hints = {{ACT_OPEN, "do it"}},
	.open = open,
	.close = close,
	.draw = draw,
	.key = key,
};
