/* SPDX-License-Identifier: MIT */
/* view_lens.c - a text, layer by layer: the logit lens at the token under the cursor. */
#include "view/view_lens.h"
#include "base/mem.h"
#include "base/shell.h"
#include "view/context.h"
#include "view/list_act.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static void borrow_context(struct view *v, u32 feature)
{
	const struct atlas *a = app_session(v->app)->atlas;
	struct store_context c;
	struct buf b = BUF_INIT;
	if (!a->store || !a->vocab || !store_contexts(a->store, feature, &c, 1))
		return;
	context_add_text(a, &c, &b);
	if (b.n)
		lens_start(v, b.s);
	buf_release(&b);
}

static int open_lens(struct view *v, const struct target *t, struct err *e)
{
	struct lens_view *s = view_state(v);
	(void)e;
	s->target = NO_TOKEN;
	s->cursor = SIZE_MAX;
	s->most = 0;
	if (t && t->text) {
		s->chat = t->chat;
		s->cursor = t->token;
		lens_start(v, t->text);
	} else if (t && t->feature != NO_FEATURE)
		borrow_context(v, t->feature);
	return 0;
}

static void close_lens(struct view *v)
{
	struct lens_view *s = view_state(v);
	lens_forget(s);
	free(s->at);
	lens_text_drop(s->t);
}

/* ---- acting ---- */

static bool commit(struct view *v, const char *text, void *context)
{
	struct lens_view *s = view_state(v);
	(void)context;
	if (!*text) {
		app_prompt_fault(v->app, 0, "a text of at least one letter");
		return false;
	}
	s->cursor = SIZE_MAX;
	lens_start(v, text);
	return true;
}

static void again(struct view *v)
{
	struct lens_view *s = view_state(v);
	if (s->t)
		lens_start(v, s->t->text);
}

static void edit(struct view *v)
{
	struct lens_view *s = view_state(v);
	char *text = app_edit_text(v->app, s->t ? s->t->text : "");
	if (text && *text)
		commit(v, text, NULL);
	free(text);
}

static void go_token(struct view *v, i64 to)
{
	struct lens_view *s = view_state(v);
	s->cursor = (size_t)MAX(0, MIN(to, (i64)s->t->rows.n - 1));
	s->refused = false;
	lens_look(v);
}

static bool commit_target(struct view *v, const char *text, void *context)
{
	(void)context;
	if (!*text) {
		app_prompt_fault(v->app, 0, "a token: most begin with a blank");
		return false;
	}
	lens_look_for(v, text);
	return true;
}

/* The target: the likeliest of each position, one that is typed, or what the layer under the cursor says. */
static void option_chosen(struct view *v, size_t index)
{
	struct lens_view *s = view_state(v);
	const struct lens *x = lens_here(s);
	if (!index) {
		s->chat = !s->chat;
		app_message(v->app,
			    s->chat ? "texts go into the chat template" : "texts are read as they are");
		s->cursor = SIZE_MAX;
		again(v);
	} else if (index == 1)
		app_prompt(v, &(struct app_prompt){
				  .label = "target: ", .history = "token", .commit = commit_target});
	else {
		u32 target = index == 2 || !x ? NO_TOKEN : x->token[s->layers.at * x->k];
		lens_forget(s);
		s->target = target;
		lens_look(v);
	}
}

static void options(struct view *v)
{
	static const struct app_menu_item items[] = {
	    {'c', "chat template, or the bare text"},
	    {'t', "target: whose rank is followed"},
	    {'l', "target: the likeliest of each position"},
	    {'h', "target: what the layer under the cursor would say"}};
	struct lens_view *s = view_state(v);
	app_menu(v, "options", items, lens_here(s) ? 4 : s->t && s->t->rows.n ? 3 : 1, option_chosen);
}

static const char *why_not(struct view *v, enum action a)
{
	struct lens_view *s = view_state(v);
	bool there = s->t && s->t->rows.n;
	switch (a) {
	case ACT_LEFT:
	case ACT_RIGHT:
	case ACT_TOKEN_FIRST:
	case ACT_TOKEN_LAST:
	case ACT_WIDTH: return there ? NULL : "no text yet: i types one";
	case ACT_REFRESH: return s->t ? NULL : "no text yet: i types one";
	case ACT_OPEN: return "a layer has no page of its own; = says its numbers";
	case ACT_SORT:
	case ACT_REVERSE: return "layers stand in their order";
	default: return NULL;
	}
}

static void widen(struct view *v)
{
	struct lens_view *s = view_state(v);
	s->most = s->most == 0 ? 1 : s->most == 1 ? 3 : 0;
	if (s->most)
		app_message(v->app, "%d token%s of each layer", s->most, s->most == 1 ? "" : "s");
	else
		app_message(v->app, "as many tokens of each layer as fit");
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct lens_view *s = view_state(v);
	i64 n = MAX(count, 1);
	switch (a) {
	case ACT_LEFT: go_token(v, (i64)s->cursor - n); return VIEW_HANDLED;
	case ACT_RIGHT: go_token(v, (i64)s->cursor + n); return VIEW_HANDLED;
	case ACT_TOKEN_FIRST: go_token(v, 0); return VIEW_HANDLED;
	case ACT_TOKEN_LAST: go_token(v, INT32_MAX); return VIEW_HANDLED;
	case ACT_TYPE:
		app_prompt(v, &(struct app_prompt){.label = "text: ",
						   .initial = s->t ? s->t->text : NULL,
						   .history = "text",
						   .commit = commit});
		return VIEW_HANDLED;
	case ACT_EDIT: edit(v); return VIEW_HANDLED;
	case ACT_WIDTH: widen(v); return VIEW_HANDLED;
	case ACT_OPTIONS: options(v); return VIEW_HANDLED;
	case ACT_REFRESH: again(v); return VIEW_HANDLED;
	default: return list_act(&s->layers, a, count) ? VIEW_HANDLED : VIEW_IGNORED;
	}
}

/* ---- what the app asks ---- */

static void status(struct view *v, struct buf *out)
{
	struct lens_view *s = view_state(v);
	if (s->t && s->t->rows.n)
		buf_addf(out, "%s%zu tokens, %u layers", s->t->chat ? "chat, " : "", s->t->rows.n,
			 s->t->rows.n_layers);
}

static bool current(struct view *v, u32 *feature)
{
	(void)v;
	(void)feature;
	return false;
}

static size_t n_rows(struct view *v)
{
	struct lens_view *s = view_state(v);
	return (size_t)s->layers.n;
}

static size_t row(struct view *v)
{
	struct lens_view *s = view_state(v);
	return (size_t)s->layers.at;
}

static void go_row(struct view *v, size_t to)
{
	struct lens_view *s = view_state(v);
	list_go(&s->layers, to);
}

static bool row_text(struct view *v, size_t at, struct buf *out)
{
	struct lens_view *s = view_state(v);
	const struct lens *x = lens_here(s);
	buf_addf(out, "layer %zu", at);
	for (u32 i = 0; x && i < x->k && x->token[at * x->k + i] != NO_TOKEN; i++) {
		buf_addc(out, ' ');
		next_add_token(app_session(v->app)->atlas, out, x->token[at * x->k + i]);
	}
	return true;
}

static void add_command(struct view *v, struct buf *out, bool json)
{
	struct lens_view *s = view_state(v);
	if (!s->t)
		return;
	atlas_add_command(app_session(v->app)->atlas, "lens", out);
	buf_adds(out, s->t->chat ? "" : " --plain");
	if (s->t->rows.n && s->cursor + 1 < s->t->rows.n)
		buf_addf(out, " --position %zu", s->cursor);
	view_add_token_option(v, out, "target", s->target);
	buf_adds(out, json ? " --json " : " ");
	shell_add_argument(out, s->t->text);
}

static void command(struct view *v, struct buf *out)
{
	add_command(v, out, false);
}

static void exact(struct view *v, struct buf *out)
{
	struct lens_view *s = view_state(v);
	const struct atlas *a = app_session(v->app)->atlas;
	const struct lens *x = lens_here(s);
	if (!x)
		return;
	u32 l = (u32)s->layers.at;
	buf_addf(out, "layer %u: target ", l);
	next_add_token(a, out, x->target);
	buf_addf(out, " (token %u) rank %u of the vocabulary, log p %.9g\n", x->target, x->rank[l],
		 (f64)x->target_logp[l]);
	for (u32 i = 0; i < 5 && i < x->k && x->token[l * x->k + i] != NO_TOKEN; i++) {
		next_add_token(a, out, x->token[l * x->k + i]);
		buf_addf(out, " (token %u) log p %.9g\n", x->token[l * x->k + i], (f64)x->logp[l * x->k + i]);
	}
	add_command(v, out, true);
}

static bool borrow_text(struct view *v, struct target *t)
{
	struct lens_view *s = view_state(v);
	if (!s->t)
		return false;
	t->text = s->t->text;
	t->chat = s->t->chat;
	t->token = s->cursor;
	return true;
}

static const char *busy(struct view *v)
{
	return app_job_runs(v) ? "reading layers" : NULL;
}

const struct view_class view_lens = {
    .name = "lens",
    .title = "lens",
    .size = sizeof(struct lens_view),
    .text_rows = true,
    .hints = {{ACT_TYPE, "type"},
	      {ACT_RIGHT, "token", ACT_LEFT},
	      {ACT_DOWN, "layer"},
	      {ACT_OPTIONS, "target"},
	      {ACT_WIDTH, "width"},
	      {ACT_EXACT, "exact"}},
    .open = open_lens,
    .close = close_lens,
    .draw = lens_draw,
    .act = act,
    .status = status,
    .why_not = why_not,
    .current = current,
    .n_rows = n_rows,
    .row = row,
    .row_text = row_text,
    .go_row = go_row,
    .exact = exact,
    .command = command,
    .text = borrow_text,
    .busy = busy,
};
