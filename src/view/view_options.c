/* SPDX-License-Identifier: MIT */
/* view_options.c - the options of the program, as the table has them. */
#include "view/app_private.h"

#include "base/mem.h"
#include "ui/list.h"
#include "ui/words.h"
#include "view/list_act.h"

#include <stdlib.h>
#include <string.h>

static int open(struct view *v, const struct target *t, struct err *e)
{
	(void)t;
	(void)e;
	list_resize(view_state(v), N_SETTINGS, v->h);
	return 0;
}

static enum setting here(struct view *v)
{
	return (enum setting)((struct list *)view_state(v))->at;
}

static void draw_row(struct view *v, struct rect r, int y, enum setting which)
{
	const struct setting_info *info = &setting_infos[which];
	const char *value = app_setting(v->app, which);
	bool own = strcmp(value, info->first) != 0;
	int at = r.w >= 70 ? 44 : r.w;
	rect_put(r, 2, y, 17, STYLE_NORMAL, info->name, strlen(info->name));
	if (v->app->settings.changed[which])
		rect_puts(r, 1, y, STYLE_MARK, "*");
	rect_put_cut(r, 19, y, at - 20, own ? STYLE_LABEL_PERSON : STYLE_NUMBER, value, strlen(value));
	if (at < r.w)
		rect_put_cut(r, at, y, r.w - at - 1, STYLE_DIM, info->help, strlen(info->help));
}

static void draw_foot(struct view *v, struct rect r)
{
	struct buf b = BUF_INIT;
	enum setting which = here(v);
	buf_adds(&b, setting_infos[which].help);
	if (setting_infos[which].choices[0]) {
		buf_adds(&b, " (");
		settings_add_choices(&b, which);
		buf_adds(&b, ")");
	}
	words_sentence(r, 1, 0, STYLE_NORMAL, b.s);
	buf_clear(&b);
	buf_adds(&b, v->app->config ? v->app->config : "there is no configuration; --config FILE names one");
	if (v->app->config && !v->app->script_mode)
		rect_put_cut(r, 1, r.h - 1, r.w - 2, STYLE_DIM, b.s, b.n);
	buf_release(&b);
}

static void draw(struct view *v, struct rect r)
{
	struct list *l = view_state(v);
	struct rect rows = rect_sub(r, 0, 0, r.w, r.h - 4);
	list_resize(l, N_SETTINGS, rows.h);
	for (int y = 0; y < rows.h && l->top + (u64)y < l->n; y++) {
		draw_row(v, rows, y, (enum setting)(l->top + (u64)y));
		if (l->top + (u64)y == l->at) {
			rect_puts(rows, 0, y, STYLE_MARK, ">");
			rect_cursor_row(rows, y);
			rect_cursor(rows, 0, y);
		}
	}
	draw_foot(v, rect_sub(r, 0, r.h - 3, r.w, 3));
}

static void set(struct view *v, const char *value)
{
	struct err e = {0};
	enum setting which = here(v);
	char *copy = xstrdup(value);
	if (app_set(v->app, which, copy, &e))
		app_error(v->app, &e);
	else
		app_message(v->app, "%s is %s; x keeps it for later sessions", setting_infos[which].name, copy);
	free(copy);
}

static bool commit(struct view *v, const char *text, void *context)
{
	struct err e = {0};
	(void)context;
	if (app_set(v->app, here(v), text, &e)) {
		app_prompt_fault(v->app, 0, e.msg);
		return false;
	}
	app_message(v->app, "%s is %s; x keeps it for later sessions", setting_infos[here(v)].name, text);
	return true;
}

static void ask(struct view *v)
{
	enum setting which = here(v);
	char *label = xasprintf("%s = ", setting_infos[which].name);
	struct app_prompt p = {.label = label, .initial = app_setting(v->app, which), .history = "option",
			       .commit = commit};
	app_prompt(v, &p);
	free(label);
}

/* The theme may be a file's name, but there are some to step through. */
static void next_theme(struct view *v, int delta)
{
	const char *now = app_setting(v->app, SET_THEME);
	int at = 0;
	enum theme t;
	if (!style_parse_theme(now, &t))
		at = 1 + (int)t;
	at = (at + delta + THEME_USER + 1) % (THEME_USER + 1);
	set(v, at ? style_theme_name((enum theme)(at - 1)) : "auto");
}

/* The next choice; where there are none to step through, a prompt. */
static void change(struct view *v, int delta)
{
	struct settings try;
	enum setting which = here(v);
	if (which == SET_THEME) {
		next_theme(v, delta);
		return;
	}
	settings_init(&try);
	settings_set(&try, which, app_setting(v->app, which), NULL);
	if (settings_step(&try, which, delta))
		set(v, try.text[which]);
	else
		ask(v);
	settings_release(&try);
}

static void keep(struct view *v)
{
	struct err e = {0};
	struct app *a = v->app;
	if (app_config_save(a, &e))
		app_error(a, &e);
	else
		app_message(a, "kept in %s", a->config);
}

static enum act_result act(struct view *v, enum action a, int count)
{
	if (list_act(view_state(v), a, count))
		return VIEW_HANDLED;
	switch (a) {
	case ACT_OPEN: here(v) == SET_THEME ? ask(v) : change(v, 1); break;
	case ACT_RIGHT: change(v, 1); break;
	case ACT_LEFT: change(v, -1); break;
	case ACT_EXPORT: keep(v); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static void exact(struct view *v, struct buf *out)
{
	const struct setting_info *info = &setting_infos[here(v)];
	buf_addf(out, "set %s = %s\nat first  %s\nchoices   ", info->name, app_setting(v->app, here(v)), info->first);
	settings_add_choices(out, here(v));
}

static void click(struct view *v, int x, int y, int times)
{
	struct list *l = view_state(v);
	(void)x;
	if (y >= l->h)
		return;
	list_go(l, l->top + (u64)y);
	if (times == 2)
		change(v, 1);
}

static size_t n_rows(struct view *v)
{
	(void)v;
	return N_SETTINGS;
}

static bool row_text(struct view *v, size_t row, struct buf *out)
{
	if (row >= N_SETTINGS)
		return false;
	buf_addf(out, "%s %s %s", setting_infos[row].name, app_setting(v->app, (enum setting)row),
		 setting_infos[row].help);
	return true;
}

static void go_row(struct view *v, size_t row)
{
	list_go(view_state(v), row);
}

static size_t row(struct view *v)
{
	return here(v);
}

const struct view_class view_options = {
	.name = "options",
	.title = "options",
	.size = sizeof(struct list),
	.text_rows = true,
	.hints = {{ACT_RIGHT, "choice", ACT_LEFT}, {ACT_OPEN, "change"}, {ACT_EXPORT, "keep"}, {ACT_SEARCH, "search"},
		  {ACT_CLOSE, "close"}},
	.open = open,
	.draw = draw,
	.act = act,
	.exact = exact,
	.click = click,
	.n_rows = n_rows,
	.row_text = row_text,
	.go_row = go_row,
	.row = row,
};
