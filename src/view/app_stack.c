/* SPDX-License-Identifier: MIT */
/* app_stack.c - the screens that are open, back and forward. */
#include "view/app_private.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static struct view *view_new(struct app *a, const struct view_class *c, const struct target *t, struct err *e)
{
	struct view *v = xcalloc(1, sizeof *v + c->size);
	v->class = c;
	v->app = a;
	v->id = ++a->next_id;
	v->w = a->grid.w;
	v->h = MAX(a->grid.h - 3, 1);
	if (c->open && c->open(v, t, e)) {
		app_jobs_end(a, v);
		free(v);
		return NULL;
	}
	return v;
}

static void view_free(struct view *v)
{
	struct app *a = v->app;
	if (a->prompt.open && a->prompt.view == v)
		app_prompt_close(a);
	if (a->menu.open && a->menu.view == v)
		app_menu_close(a);
	const char *what = app_job_asks_model(v);
	app_jobs_end(a, v);
	if (v->class->close)
		v->class->close(v);
	free(v);
	if (what)
		app_message(a, "%s was stopped: its screen was closed", what);
}

static struct view *take_out(struct app *a, size_t i)
{
	struct view *v = a->stack[i];
	a->n_stack--;
	memmove(a->stack + i, a->stack + i + 1, (a->n_stack - i) * sizeof a->stack[0]);
	return v;
}

/* What the model works for, and then until it was looked at: nobody who walks on means to stop it. */
static bool is_awaited(const struct view *v)
{
	return v->unseen || app_job_asks_model(v);
}

static void cut_forward(struct app *a)
{
	for (size_t i = a->n_stack; i-- > a->at + 1;)
		if (!is_awaited(a->stack[i]))
			view_free(take_out(a, i));
}

/* The oldest but the first list, and one that nobody awaits if there is one. */
static void make_room(struct app *a)
{
	size_t i = 1;
	while (i < a->n_stack && (i == a->at || is_awaited(a->stack[i]))) /* the top one is at work */
		i++;
	i = i < a->n_stack ? i : 1 + (a->at == 1);
	a->at -= i <= a->at;
	view_free(take_out(a, i));
}

static void remember_feature(struct app *a)
{
	u32 f;
	if (a->n_stack && app_current_feature(a, &f))
		a->last_feature = f;
}

static void forget_typed(struct app *a)
{
	a->typed.n = 0;
	a->count = 0;
	a->pending = PENDING_NONE;
	a->dirty = true;
}

void app_push(struct app *a, const struct view_class *c, const struct target *t)
{
	struct err e = {0};
	struct target none = {.feature = NO_FEATURE};
	remember_feature(a);
	struct view *v = view_new(a, c, t ? t : &none, &e);
	if (!v) {
		app_error(a, &e);
		return;
	}
	if (a->n_stack)
		cut_forward(a);
	if (a->n_stack == APP_STACK_MAX)
		make_room(a);
	size_t to = a->n_stack ? a->at + 1 : 0;
	memmove(a->stack + to + 1, a->stack + to, (a->n_stack - to) * sizeof a->stack[0]);
	a->stack[to] = v;
	a->n_stack++;
	a->at = to;
	forget_typed(a);
}

bool app_is_top(const struct view *v)
{
	return v->app->n_stack && v->app->stack[v->app->at] == v;
}

struct view *app_list(struct app *a)
{
	return a->stack[0];
}

bool app_step(struct app *a, u32 from, int delta, u32 *to)
{
	for (size_t i = a->at + 1; i-- > 0;) {
		struct view *v = a->stack[i];
		if (!v->class->step)
			continue;
		if (v->class->step(v, from, delta, to))
			return true;
		app_message(a, "this is the %s of the list", delta > 0 ? "end" : "beginning");
		return false;
	}
	return false;
}

void app_push_feature(struct app *a, u32 feature)
{
	u32 from;
	if (app_current_feature(a, &from))
		a->jump_from = from;
	struct target t = {.feature = feature};
	app_push(a, &view_feature, &t);
}

void app_show_feature(struct app *a, u32 feature)
{
	struct view *top = app_top(a);
	if (top->class != &view_feature) {
		app_push_feature(a, feature);
		return;
	}
	struct err e = {0};
	struct target t = {.feature = feature};
	struct view *v = view_new(a, &view_feature, &t, &e);
	if (!v) {
		app_error(a, &e);
		return;
	}
	a->stack[a->at] = v;
	view_free(top);
	a->last_feature = feature;
	a->dirty = true;
}

void app_back(struct app *a)
{
	if (!a->at) {
		app_message(a, "this is the first screen");
		return;
	}
	remember_feature(a);
	a->at--;
	forget_typed(a);
}

void app_forward(struct app *a)
{
	if (a->at + 1 >= a->n_stack) {
		app_message(a, "this is the last screen");
		return;
	}
	remember_feature(a);
	a->at++;
	forget_typed(a);
}

void app_close_top(struct app *a)
{
	if (!a->at) {
		a->quit = true;
		return;
	}
	remember_feature(a);
	cut_forward(a);
	struct view *v = take_out(a, a->at);
	a->at--;
	view_free(v);
	forget_typed(a);
}

void app_free_views(struct app *a)
{
	while (a->n_stack)
		view_free(a->stack[--a->n_stack]);
}

bool app_current_feature(struct app *a, u32 *feature)
{
	struct view *v = app_top(a);
	if (v->class->current && v->class->current(v, feature))
		return true;
	*feature = a->last_feature;
	return a->last_feature != NO_FEATURE;
}
