/* SPDX-License-Identifier: MIT */
/* app_keys.c - keys to actions: prefixes, counts, letters that follow, the mouse. */
#include "view/app_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct action_info infos[N_ACTIONS] = {
#define ACTION(id, name, group, contexts, keys, help) [ACT_##id] = {#id, name, group, contexts, help},
#define BIND(id, contexts, keys)
#define MEANS(id, contexts, help)
#include "view/actions.def"
#undef ACTION
#undef BIND
#undef MEANS
};

static const struct {
	enum action action;
	const char *contexts, *help;
} meanings[] = {
#define ACTION(id, name, group, contexts, keys, help)
#define BIND(id, contexts, keys)
#define MEANS(id, contexts, help) {ACT_##id, contexts, help},
#include "view/actions.def"
#undef ACTION
#undef BIND
#undef MEANS
};

static const struct {
	enum action action;
	const char *contexts, *keys;
} bindings[] = {
#define ACTION(id, name, group, contexts, keys, help) {ACT_##id, contexts, keys},
#define BIND(id, contexts, keys) {ACT_##id, contexts, keys},
#define MEANS(id, contexts, help)
#include "view/actions.def"
#undef ACTION
#undef BIND
#undef MEANS
};

const struct action_info *app_action_info(enum action action)
{
	return &infos[action];
}

static const char *meaning(enum action action, const char *context)
{
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].action == action && key_in_context(meanings[i].contexts, context))
			return meanings[i].help;
	return NULL;
}

bool app_action_is_own(enum action action, const char *context)
{
	const char *contexts = infos[action].contexts;
	return meaning(action, context) || (strcmp(contexts, "all") != 0 && key_in_context(contexts, context));
}

const char *app_action_help(enum action action, const char *context)
{
	const char *own = meaning(action, context);
	return own ? own : infos[action].help;
}

const char *app_no_way(struct app *a, enum action action)
{
	switch (action) {
	case ACT_GO_DIFF: return a->other ? NULL : "no second atlas is open; start with two: featlas A.atlas B.atlas";
	case ACT_GO_MAP: return atlas_missing(a->session->atlas, "map");
	default: return NULL;
	}
}

const char *app_why_not(struct app *a, struct view *v, enum action action)
{
	const char *contexts = infos[action].contexts;
	if (strcmp(contexts, "all") != 0 && !key_in_context(contexts, v->class->name)) {
		snprintf(a->why, sizeof a->why, "not on this screen: only on %s", contexts);
		return a->why;
	}
	const char *why = v->class->why_not ? v->class->why_not(v, action) : NULL;
	return why ? why : app_no_way(a, action);
}

void app_keys_init(struct app *a)
{
	keymap_init(&a->keymap);
	for (size_t i = 0; i < ARRAY_LEN(bindings); i++)
		keymap_add(&a->keymap, bindings[i].keys, bindings[i].contexts, (int)bindings[i].action);
}

const char *app_key_words(struct app *a, enum action action)
{
	const struct key_binding *b = keymap_find(&a->keymap, app_top(a)->class->name, (int)action);
	struct buf out = BUF_INIT;
	if (b)
		key_add_seq(&out, &b->seq);
	snprintf(a->words, sizeof a->words, "%s", out.s);
	buf_release(&out);
	return a->words;
}

static void ask_to_quit(struct app *a)
{
	const char *what = app_jobs_matter(a);
	if (what)
		app_message(a, "%s is still running; quit? y or n", what);
	else
		app_message(a, "quit? y or n");
	a->pending = PENDING_QUIT;
}

static void stop_or_quit(struct app *a)
{
	struct view *v = app_top(a);
	if (!app_job_runs(v)) {
		ask_to_quit(a);
		return;
	}
	app_jobs_stop(v);
	app_message(a, "stopped");
}

static void cancel(struct app *a)
{
	bool nothing = a->range_from == NO_FEATURE && !a->message.n;
	a->range_from = NO_FEATURE;
	buf_clear(&a->message);
	a->dirty = true;
	if (nothing && a->tour.on)
		app_tour_end(a);
	else if (nothing && a->at)
		app_message(a, "q closes this screen, < goes back");
	else if (nothing && a->search.text)
		app_message(a, "/ and Enter on an empty line bring all features back");
}

/* Actions about the program itself. */
static bool program_act(struct app *a, enum action action)
{
	switch (action) {
	case ACT_CLOSE:
	case ACT_QUIT:
		if (action == ACT_CLOSE && a->at)
			app_close_top(a);
		else if (app_jobs_matter(a))
			ask_to_quit(a);
		else
			a->quit = true;
		return true;
	case ACT_STOP: stop_or_quit(a); return true;
	case ACT_CANCEL: cancel(a); return true;
	case ACT_REDRAW:
		if (!a->script_mode)
			term_redraw();
		a->dirty = true;
		return true;
	case ACT_SUSPEND:
		if (!a->script_mode)
			term_suspend();
		a->dirty = true;
		return true;
	case ACT_VIEW_BIG: app_set(a, SET_BIG, app_setting_number(a, SET_BIG) ? "no" : "yes", NULL); return true;
	case ACT_TOUR: app_tour_toggle(a); return true;
	case ACT_BACK: app_back(a); return true;
	case ACT_FORWARD: app_forward(a); return true;
	default: return false;
	}
}

void app_act(struct app *a, enum action action, int count)
{
	struct view *v = app_top(a);
	a->dirty = true;
	app_tour_saw(a, action);
	const char *why = app_why_not(a, v, action);
	if (why) {
		app_message(a, "%s", why);
		return;
	}
	enum act_result r = v->class->act ? v->class->act(v, action, count) : VIEW_IGNORED;
	if (r == VIEW_CLOSE)
		app_close_top(a);
	if (r != VIEW_IGNORED)
		return;
	if (program_act(a, action) || app_go_act(a, action, count) || app_edit_act(a, action, count))
		return;
	app_message(a, "%s does nothing on this screen", infos[action].name);
}

static void say_unbound(struct app *a)
{
	struct buf b = BUF_INIT;
	key_add_seq(&b, &a->typed);
	app_message(a, "%s is not a key here; ? shows those that are", b.s);
	buf_release(&b);
}

static void pending_key(struct app *a, u32 key)
{
	enum pending what = a->pending;
	a->pending = PENDING_NONE;
	buf_clear(&a->message);
	if (what == PENDING_QUIT)
		a->quit = key == 'y' || key == 'Y' || key == KEY_RETURN || key == KEY_CTRL_C;
	else if (key != KEY_ESCAPE && key != KEY_CTRL_C) {
		a->pending = what;
		app_edit_pending(a, key);
		a->pending = PENDING_NONE;
	}
}

static bool take_digit(struct app *a, u32 key)
{
	if (a->typed.n || key > '9' || key < (a->count ? '0' : '1'))
		return false;
	a->count = MIN(a->count, 99999999) * 10 + (int)(key - '0');
	return true;
}

static void map_key(struct app *a, u32 key)
{
	int action = 0;
	if (key == KEY_ESCAPE && (a->typed.n || a->count)) {
		a->typed.n = 0;
		a->count = 0;
		return;
	}
	if (take_digit(a, key))
		return;
	a->typed.key[a->typed.n++] = key;
	a->typed_at = app_now_ms();
	enum key_match m = keymap_match(&a->keymap, app_top(a)->class->name, &a->typed, &action);
	if (m == KEY_MATCH_PREFIX && a->typed.n < KEY_SEQ_MAX)
		return;
	int count = a->count;
	a->count = 0;
	if (m != KEY_MATCH_ACTION)
		say_unbound(a);
	a->typed.n = 0;
	if (m == KEY_MATCH_ACTION)
		app_act(a, (enum action)action, count);
}

static void record(struct app *a, u32 key)
{
	struct buf b = BUF_INIT;
	key_add_notation(&b, key);
	if (b.n)
		fprintf(a->record, "keys %s\n", b.s);
	fflush(a->record);
	buf_release(&b);
}

static void take_key(struct app *a, u32 key);

void app_key(struct app *a, u32 key)
{
	if (a->record)
		record(a, key);
	take_key(a, key);
	app_tour_look(a);
}

static void take_key(struct app *a, u32 key)
{
	a->dirty = true;
	a->last_key = key;
	if (key > KEY_ALT && !a->prompt.open) { /* an Esc and a key that came in one breath */
		take_key(a, KEY_ESCAPE);
		take_key(a, key - KEY_ALT);
		return;
	}
	if (app_popup_key(a, key))
		return;
	if (a->menu.open) {
		app_menu_key(a, key);
		return;
	}
	if (a->prompt.open) {
		app_prompt_key(a, key);
		return;
	}
	if (a->pending != PENDING_NONE) {
		pending_key(a, key);
		return;
	}
	struct view *v = app_top(a);
	bool fresh = !a->typed.n && !a->count;
	if (fresh && !app_job_runs(v))
		buf_clear(&a->message);
	if (fresh && v->class->key && v->class->key(v, key))
		return;
	map_key(a, key);
}

void app_mouse(struct app *a, const struct term_event *ev)
{
	struct view *v = app_top(a);
	bool in_body = ev->y >= a->body_y && ev->y < a->grid.h - 2, press = ev->mouse == MOUSE_PRESS;
	if (!press && !a->dragging)
		return;
	a->dirty = true;
	if (a->popup_lines || a->menu.open || a->prompt.open) {
		if (ev->button == 1 && press)
			app_key(a, KEY_ESCAPE);
		return;
	}
	if (ev->button != 1) {
		if (!in_body || !v->class->wheel || !v->class->wheel(v, ev->x, ev->y - 1, ev->button == 4 ? 1 : -1))
			app_act(a, ev->button == 4 ? ACT_UP : ACT_DOWN, 3);
		return;
	}
	if (a->dragging) {
		/* some terminals' drags are presses at another place */
		a->dragging = v->class->drag && ev->mouse != MOUSE_RELEASE && v->class->drag(v, ev->x, ev->y - a->body_y, false);
		return;
	}
	if (!in_body)
		return;
	a->dragging = v->class->drag && v->class->drag(v, ev->x, ev->y - a->body_y, true);
	if (!a->dragging && v->class->click)
		v->class->click(v, ev->x, ev->y - a->body_y, ev->times);
}
