/* SPDX-License-Identifier: MIT */
/* app_config.c - featlas-config(5): the configuration, key bindings, themes, options set by hand. */
#include "view/app_private.h"

#include "base/mem.h"
#include "base/xdg.h"
#include "ui/conf.h"
#include "view/view_features.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum action app_action_named(const char *name)
{
	for (int i = 1; i < N_ACTIONS; i++)
		if (!strcmp(app_action_info((enum action)i)->name, name))
			return (enum action)i;
	return ACT_NONE;
}

static bool is_screen(const char *name, size_t n)
{
	static const struct view_class *const all[] = {
#define VIEW(name, action) &view_##name,
#include "view/views.def"
#undef VIEW
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strlen(all[i]->name) == n && !strncmp(all[i]->name, name, n))
			return true;
	return n == 3 && !strncmp(name, "all", 3);
}

/* "features,feature" as "features feature", kept as long as the key map. */
static const char *keep_contexts(struct app *a, const char *words, struct err *e)
{
	for (const char *s = words; *s;) {
		size_t n = strcspn(s, ",");
		if (!is_screen(s, n)) {
			err_set(e, ERR_USAGE, "there is no screen '%.*s'", (int)MIN(n, 40u), s);
			return NULL;
		}
		s += n + (s[n] == ',');
	}
	char *kept = xstrdup(words);
	for (char *s = kept; *s; s++)
		if (*s == ',')
			*s = ' ';
	a->contexts = xreallocarray(a->contexts, a->n_contexts + 1, sizeof *a->contexts);
	return a->contexts[a->n_contexts++] = kept;
}

static int bind(struct app *a, const char *const *words, size_t n, struct err *e)
{
	if (n != 4)
		return err_set(e, ERR_USAGE, "bind wants a screen or all, keys, and an action or none");
	enum action action = app_action_named(words[3]);
	bool none = !strcmp(words[3], "none");
	if (action == ACT_NONE && !none)
		return err_set(e, ERR_USAGE, "there is no action '%.60s'", words[3]);
	const char *contexts = keep_contexts(a, words[1], e);
	if (!contexts)
		return -1;
	if (keymap_override(&a->keymap, words[2], contexts, none ? KEY_UNBOUND : (int)action))
		return err_set(e, ERR_USAGE, "'%.60s' are not keys; <C-x>, <Enter>, <lt> are some", words[2]);
	return 0;
}

static char *joined(const char *const *words, size_t n)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", words[i]);
	return buf_take(&b);
}

static int check(enum setting which, const char *value, struct err *e)
{
	return which == SET_COLUMNS ? features_check_columns(value, e) : 0;
}

static int take_line(void *context, const char *const *words, size_t n, struct err *e)
{
	struct app *a = context;
	if (!strcmp(words[0], "bind"))
		return bind(a, words, n, e);
	if (strcmp(words[0], "set") != 0)
		return err_set(e, ERR_USAGE, "a line begins with set or bind, not '%.40s'", words[0]);
	if (n < 3)
		return err_set(e, ERR_USAGE, "set wants an option and its value");
	enum setting which = settings_find(words[1], e);
	if (which == N_SETTINGS)
		return -1;
	char *value = joined(words + 2, n - 2);
	int r = check(which, value, e) || settings_set(&a->settings, which, value, e) ? -1 : 0;
	free(value);
	return r;
}

void app_config_load(struct app *a)
{
	const struct app_options *o = a->options;
	struct err e = {0};
	bool usual = !o->config && !a->script_mode;
	a->config = usual ? xdg_config("config") : o->config && o->config[0] ? xstrdup(o->config) : NULL;
	if (!a->config || (usual && access(a->config, F_OK)))
		return;
	int bad = conf_read(a->config, take_line, a, &e);
	if (!bad)
		return;
	if (bad > 1)
		app_message(a, "%s; %d more line%s wrong", e.msg, bad - 1, bad == 2 ? " is" : "s are");
	else
		app_error(a, &e);
	a->message_bad = true;
}

void app_config_release(struct app *a)
{
	for (size_t i = 0; i < a->n_contexts; i++)
		free(a->contexts[i]);
	free(a->contexts);
	free(a->config);
	settings_release(&a->settings);
}

int app_config_save(struct app *a, struct err *e)
{
	struct conf_pair pairs[N_SETTINGS];
	size_t n = 0;
	if (!a->config)
		return err_set(e, ERR_UNAVAILABLE, "there is no configuration to write to; --config FILE names one");
	for (int i = 0; i < N_SETTINGS; i++)
		if (a->settings.changed[i])
			pairs[n++] = (struct conf_pair){setting_infos[i].name, a->settings.text[i]};
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no option was changed in this session");
	if (conf_save(a->config, pairs, n, e))
		return -1;
	memset(a->settings.changed, 0, sizeof a->settings.changed);
	return 0;
}

/* ---- themes ---- */

static int theme_line(void *context, const char *const *words, size_t n, struct err *e)
{
	bool *began = context;
	enum theme base;
	if (strcmp(words[0], "base") != 0) {
		*began = true;
		return style_user_set(words, n, e);
	}
	if (*began)
		return err_set(e, ERR_USAGE, "base comes before all styles");
	if (n != 2 || style_parse_theme(words[1], &base))
		return err_set(e, ERR_USAGE, "base is dark, light, high-contrast or mono");
	style_user_base(base);
	return 0;
}

static int load_theme(const char *name, struct err *e)
{
	bool began = false;
	char *file = xasprintf("themes/%s", name), *path = strchr(name, '/') ? NULL : xdg_config(file);
	char *folder = xdg_config("themes");
	int r = -1;
	style_user_base(THEME_DARK);
	if (!path || access(path, R_OK))
		err_set(e, ERR_USAGE,
			"there is no theme '%.60s'; there are dark, light, high-contrast, mono, and files in %s", name,
			folder ? folder : "featlas/themes");
	else
		r = conf_read(path, theme_line, &began, e) ? -1 : 0;
	free(file);
	free(path);
	free(folder);
	return r;
}

int app_apply_theme(struct app *a, const char *name, struct err *e)
{
	enum theme t = THEME_USER;
	if (!strcmp(name, "auto")) {
		a->wish = -1;
		return 0;
	}
	if (style_parse_theme(name, &t) && load_theme(name, e))
		return -1;
	a->wish = (int)t;
	return 0;
}

void app_apply_terminal(struct app *a)
{
	bool ascii = app_setting_number(a, SET_ASCII);
	if (a->script_mode) {
		a->ascii = ascii;
		a->theme = a->wish < 0 ? THEME_DARK : (enum theme)a->wish;
		return;
	}
	struct term_options t = {a->wish, ascii, !app_setting_number(a, SET_MOUSE), a->wake_write};
	term_set(&t);
	a->ascii = term_is_ascii();
	a->theme = term_theme();
}

/* ---- options by hand ---- */

const char *app_setting(const struct app *a, enum setting which)
{
	return a->settings.text[which];
}

int app_setting_number(const struct app *a, enum setting which)
{
	return a->settings.number[which];
}

int app_set(struct app *a, enum setting which, const char *value, struct err *e)
{
	if (check(which, value, e) || (which == SET_THEME && app_apply_theme(a, value, e)) ||
	    settings_set(&a->settings, which, value, e))
		return -1;
	a->settings.changed[which] = true;
	if (which == SET_THEME || which == SET_ASCII || which == SET_MOUSE)
		app_apply_terminal(a);
	app_changed(a, CHANGE_SETTINGS);
	return 0;
}

void app_next_grouping(struct app *a)
{
	static const char *const values[] = {"folded", "by-token", "all"};
	static const char *const words[] = {"contexts that are alike are shown once",
					    "contexts by trigger token, those that are alike once",
					    "all contexts, by activation"};
	int next = (app_setting_number(a, SET_GROUP) + 1) % 3;
	app_set(a, SET_GROUP, values[next], NULL);
	app_message(a, "%s", words[next]);
}
