/* SPDX-License-Identifier: MIT */
/* view_text_effects.c - what the features of a range do to the next token: the job, and its target. */
#include "view/view_text.h"

#include "backend/attach.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_KEPT = 64, REST_MS = 80 };

struct effects_job {
	struct app *app;
	struct backend *backend;
	struct atlas *atlas;
	u32 *tokens; /* owned copies: the text may change meanwhile */
	u8 *flags;
	struct effects_question q;
	char *typed;  /* a target, or a token against it, still to be looked up */
	bool against; /* which */
	u32 found;
	struct effects x;
	struct err err;
};

bool text_wants_effects(const struct text_view *s)
{
	return s->rank == RANK_EFFECT || s->rank == RANK_ATTRIBUTION;
}

const struct text_effects *text_effects(const struct text_view *s)
{
	size_t from, to;
	text_range(s, &from, &to);
	for (size_t i = 0; i < s->n_effects; i++)
		if (s->effects[i].from == from && s->effects[i].to == to)
			return &s->effects[i];
	return NULL;
}

void text_forget_effects(struct text_view *s)
{
	for (size_t i = 0; i < s->n_effects; i++)
		effects_release(&s->effects[i].x);
	s->n_effects = 0;
	s->refused = false;
}

static void keep(struct text_view *s, size_t from, size_t to, struct effects *x)
{
	if (!s->effects)
		s->effects = xcalloc(MOST_KEPT, sizeof *s->effects);
	if (s->n_effects == MOST_KEPT)
		text_forget_effects(s);
	s->effects[s->n_effects++] = (struct text_effects){from, to, *x};
	*x = (struct effects){0};
}

/* ---- the job ---- */

/* The cursor may only be passing. */
static bool rested(const struct effects_job *j, const struct progress *p)
{
	for (int ms = 0; ms < REST_MS && !app_is_script(j->app) && !progress_cancelled(p); ms += 10)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	return !progress_cancelled(p);
}

static void work(void *context, struct progress *p)
{
	struct effects_job *j = context;
	struct live place = {.backend = j->backend, .atlas = j->atlas, .progress = p};
	if (!rested(j, p))
		return;
	char warning[ATTACH_WARNING]; /* the head of the screen says it */
	int bad = attach_model(j->backend, j->atlas, p, warning, &j->err);
	if (!bad && j->typed) {
		bad = next_token(j->backend, j->atlas, j->typed, &j->found, &j->err);
		*(j->against ? &j->q.against : &j->q.target) = j->found;
	}
	if (!bad && effects_measure(&place, &j->q, &j->x, &j->err) && j->err.code == ERR_NONE)
		err_set(&j->err, ERR_FAILED, "the backend gave no answer");
	detach_model(j->backend);
}

static void done(struct view *v, void *context)
{
	struct text_view *s = view_state(v);
	struct effects_job *j = context;
	if (j->err.code != ERR_NONE) {
		s->refused = true;
		app_error(v->app, &j->err);
		return;
	}
	if (j->typed) {
		text_forget_effects(s);
		*(j->against ? &s->against : &s->target) = j->found;
	}
	keep(s, j->q.from, j->q.to, &j->x);
	text_rebuild(v);
}

static void release(void *context)
{
	struct effects_job *j = context;
	effects_release(&j->x);
	free(j->tokens);
	free(j->flags);
	free(j->typed);
	free(j);
}

static void start(struct view *v, const char *typed, bool against)
{
	struct text_view *s = view_state(v);
	struct session *ss = app_session(v->app);
	struct err e = {0};
	app_job_cancel(v);
	s->refused = false;
	struct backend *b = session_backend(ss, &e);
	if (!b) {
		s->refused = true;
		app_error(v->app, &e);
		return;
	}
	struct effects_job *j = xcalloc(1, sizeof *j);
	*j = (struct effects_job){.app = v->app, .backend = b, .atlas = ss->atlas, .against = against};
	j->tokens = xcalloc(s->r.n, sizeof *j->tokens);
	j->flags = xcalloc(s->r.n, 1);
	memcpy(j->tokens, s->r.tokens, s->r.n * sizeof *j->tokens);
	memcpy(j->flags, s->r.flags, s->r.n);
	j->typed = typed ? xstrdup(typed) : NULL;
	j->q = (struct effects_question){
	    .tokens = j->tokens, .flags = j->flags, .n = s->r.n, .target = s->target, .against = s->against};
	text_range(s, &j->q.from, &j->q.to);
	app_job(v,
		&(struct app_job){.lane = LANE_BACKEND,
				  .what = "measuring effects",
				  .work = work,
				  .done = done,
				  .release = release},
		j);
}

static bool something_counts(const struct text_view *s)
{
	size_t from, to;
	text_range(s, &from, &to);
	for (size_t i = from; i < to; i++)
		if (!(s->r.flags[i] & TOKEN_MASKED) ||
		    (i + 1 == s->r.n && !(s->r.flags[i] & (TOKEN_FIRST | TOKEN_SINK))))
			return true;
	return false;
}

void text_measure(struct view *v)
{
	struct text_view *s = view_state(v);
	if (!s->r.n)
		return;
	if (text_wants_effects(s) && !text_effects(s) && !s->refused && something_counts(s))
		start(v, NULL, false);
	else
		app_job_cancel(v); /* of another range, or no longer wanted */
}

/* ---- the target ---- */

static bool commit_token(struct view *v, const char *text, bool against)
{
	struct text_view *s = view_state(v);
	if (!*text) {
		app_prompt_fault(v->app, 0, "a token: most begin with a blank");
		return false;
	}
	if (!text_wants_effects(s))
		s->rank = RANK_EFFECT;
	s->at_head = true;
	start(v, text, against);
	return true;
}

static bool commit_target(struct view *v, const char *text, void *context)
{
	(void)context;
	return commit_token(v, text, false);
}

static bool commit_against(struct view *v, const char *text, void *context)
{
	(void)context;
	return commit_token(v, text, true);
}

static void choose(struct view *v, u32 target)
{
	struct text_view *s = view_state(v);
	s->target = target;
	if (s->against == target)
		s->against = NO_TOKEN;
	if (!text_wants_effects(s))
		s->rank = RANK_EFFECT;
	s->at_head = true;
	text_forget_effects(s);
	text_rebuild(v);
}

enum { OPTION_TEMPLATE, OPTION_TARGET, OPTION_AGAINST, OPTION_NONE_AGAINST, OPTION_LIKELIEST, OPTION_TOKENS };

static void option_chosen(struct view *v, size_t index)
{
	struct text_view *s = view_state(v);
	const struct text_effects *e = s->n_effects ? &s->effects[0] : NULL;
	switch (index) {
	case OPTION_TEMPLATE:
		s->chat = !s->chat;
		app_message(v->app,
			    s->chat ? "texts go into the chat template" : "texts are read as they are");
		text_again(v);
		return;
	case OPTION_TARGET:
		app_prompt(v, &(struct app_prompt){
				  .label = "target: ", .history = "token", .commit = commit_target});
		return;
	case OPTION_AGAINST:
		app_prompt(v, &(struct app_prompt){
				  .label = "against: ", .history = "token", .commit = commit_against});
		return;
	case OPTION_NONE_AGAINST:
		s->against = NO_TOKEN;
		choose(v, s->target);
		return;
	case OPTION_LIKELIEST: choose(v, NO_TOKEN); return;
	default:
		if (e && index - OPTION_TOKENS < EFFECTS_LIKELY)
			choose(v, e->x.likely[index - OPTION_TOKENS]);
	}
}

void text_options(struct view *v)
{
	struct text_view *s = view_state(v);
	const struct atlas *a = app_session(v->app)->atlas;
	struct app_menu_item items[OPTION_TOKENS + EFFECTS_LIKELY] = {
	    {'c', "chat template, or the bare text"},
	    {'t', "target: whose probability is followed"},
	    {'a', "against: the difference from another token"},
	    {'n', "against none"},
	    {'l', "target: the likeliest"}};
	char *texts[EFFECTS_LIKELY] = {NULL};
	size_t n = s->r.n ? OPTION_TOKENS : 1;
	for (size_t i = 0; s->n_effects && i < EFFECTS_LIKELY && s->effects[0].x.likely[i] != NO_TOKEN; i++) {
		struct buf b = BUF_INIT;
		buf_adds(&b, "target: ");
		next_add_token(a, &b, s->effects[0].x.likely[i]);
		buf_addf(&b, " %.3f", exp((f64)s->effects[0].x.likely_logp[i]));
		texts[i] = buf_take(&b);
		items[n++] = (struct app_menu_item){'1' + (u32)i, texts[i]};
	}
	app_menu(v, "options", items, n, option_chosen);
	for (size_t i = 0; i < EFFECTS_LIKELY; i++)
		free(texts[i]);
}

void text_add_options(struct view *v, struct buf *out)
{
	struct text_view *s = view_state(v);
	size_t from, to;
	text_range(s, &from, &to);
	view_add_token_option(v, out, "target", s->target);
	view_add_token_option(v, out, "against", s->against);
	if (to - from < s->r.n)
		buf_addf(out, " --position %zu", from);
	if (to - from < s->r.n && to > from + 1)
		buf_addf(out, "-%zu", to - 1);
	if (s->rank == RANK_ATTRIBUTION)
		buf_adds(out, " --by attribution");
}

static void add_chance(struct buf *out, const struct atlas *a, u32 token, f32 logp)
{
	char p[16];
	next_add_token(a, out, token);
	f64 chance = exp((f64)logp);
	if (chance >= 0.0005)
		view_format_signed(p, (f32)chance);
	else
		view_format_density(p, (f32)chance);
	buf_addf(out, " %s", p[0] == '+' ? p + 1 : p);
}

void text_draw_target(struct view *v, struct rect r, int y)
{
	struct text_view *s = view_state(v);
	const struct atlas *a = app_session(v->app)->atlas;
	const struct text_effects *e = text_effects(s);
	struct buf b = BUF_INIT;
	if (!e) {
		buf_adds(&b, "target ");
		if (s->target == NO_TOKEN)
			buf_adds(&b, "the likeliest next token");
		else
			next_add_token(a, &b, s->target);
		buf_adds(&b, app_job_runs(v)	    ? "  \xe2\x80\xa6"
			     : !something_counts(s) ? ""
						    : "  not measured: R does");
	} else {
		const struct effects_relation *r0 = e->x.relation[0];
		char act[16], attribution[16], noise[16];
		buf_adds(&b, "target ");
		add_chance(&b, a, e->x.target, e->x.target_logp);
		if (e->x.against != NO_TOKEN) {
			buf_adds(&b, " against ");
			add_chance(&b, a, e->x.against, e->x.against_logp);
		}
		view_format_score(act, (f32)r0[EFFECTS_BY_ACTIVATION].pearson);
		view_format_score(attribution, (f32)r0[EFFECTS_BY_ATTRIBUTION].pearson);
		view_format_density(noise, (f32)e->x.resolution);
		buf_addf(&b, "  r with effect: activation %s, attribution %s  noise %s", act, attribution,
			 noise);
	}
	rect_put_cut(r, 1, y, r.w - 2, STYLE_NORMAL, b.s, b.n);
	buf_release(&b);
}
