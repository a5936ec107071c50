/* SPDX-License-Identifier: MIT */
/* view_lens_run.c - the layers of a text, and what they say at a token, as a job. */
#include "view/view_lens.h"

#include "backend/attach.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REST_MS = 80 };

struct lens_job {
	struct app *app;
	struct backend *backend;
	struct atlas *atlas;
	struct lens_text *t;   /* shared */
	struct lens_rows rows; /* read by this job, if the text has none yet */
	u8 *flags;
	size_t position; /* SIZE_MAX: the last token */
	char *typed;
	u32 target;
	struct lens x;
	struct err err;
};

struct lens_text *lens_text_new(const char *text, bool chat)
{
	struct lens_text *t = xcalloc(1, sizeof *t);
	*t = (struct lens_text){.owners = 1, .text = xstrdup(text), .chat = chat};
	return t;
}

void lens_text_drop(struct lens_text *t)
{
	if (!t || --t->owners)
		return;
	lens_rows_release(&t->rows);
	free(t->flags);
	free(t->text);
	free(t);
}

const struct lens *lens_here(const struct lens_view *s)
{
	return s->t && s->at && s->cursor < s->t->rows.n && s->at[s->cursor].n_layers ? &s->at[s->cursor]
										      : NULL;
}

void lens_forget(struct lens_view *s)
{
	for (size_t i = 0; s->t && s->at && i < s->t->rows.n; i++)
		lens_release(&s->at[i]);
	s->refused = false;
}

/* ---- the job ---- */

static int read_text(struct lens_job *j, const struct live *p)
{
	u32 *tokens = NULL;
	size_t n;
	if (backend_tokenize(j->backend, j->t->text, j->t->chat, &tokens, &j->flags, &n, &j->err))
		return -1;
	int bad = lens_read(p, tokens, n, &j->rows, &j->err);
	free(tokens);
	return bad;
}

static int run(struct lens_job *j, struct progress *p)
{
	char warning[ATTACH_WARNING]; /* the head of the screen says it */
	struct live place = {.backend = j->backend, .atlas = j->atlas, .progress = p};
	const struct lens_rows *rows = j->t->rows.n ? &j->t->rows : &j->rows;
	if (attach_model(j->backend, j->atlas, p, warning, &j->err) ||
	    (j->typed && next_token(j->backend, j->atlas, j->typed, &j->target, &j->err)) ||
	    (rows == &j->rows && read_text(j, &place)))
		return -1;
	j->position = MIN(j->position, rows->n - 1);
	progress_start(p, "reading layers", "layers", rows->n_layers);
	return lens_at(&place, rows, j->position, j->target, LENS_TOKENS, &j->x, &j->err);
}

static void work(void *context, struct progress *p)
{
	struct lens_job *j = context;
	/* the cursor may only be passing */
	for (int ms = 0; ms < REST_MS && j->t->rows.n && !app_is_script(j->app) && !progress_cancelled(p);
	     ms += 10)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	if (progress_cancelled(p))
		return;
	if (run(j, p) && j->err.code == ERR_NONE)
		err_set(&j->err, ERR_FAILED, "the backend gave no answer");
	detach_model(j->backend);
}

static void done(struct view *v, void *context)
{
	struct lens_view *s = view_state(v);
	struct lens_job *j = context;
	if (j->err.code != ERR_NONE) {
		s->refused = true;
		if (s->t->rows.n)
			app_error(v->app, &j->err);
		else
			snprintf(s->trouble, sizeof s->trouble, "%s", j->err.msg);
		return;
	}
	if (!s->t->rows.n) {
		s->t->rows = j->rows;
		s->t->flags = j->flags;
		j->rows = (struct lens_rows){0};
		j->flags = NULL;
		s->at = xcalloc(s->t->rows.n, sizeof *s->at);
		s->cursor = j->position;
		s->layers = (struct list){.n = s->t->rows.n_layers, .h = s->layers.h};
		list_go(&s->layers, s->t->rows.n_layers - 1);
	}
	if (j->typed) {
		lens_forget(s);
		s->target = j->target;
	}
	lens_release(&s->at[j->position]);
	s->at[j->position] = j->x;
	j->x = (struct lens){0};
	lens_look(v); /* what a typed target left out */
}

static void release(void *context)
{
	struct lens_job *j = context;
	lens_text_drop(j->t);
	lens_rows_release(&j->rows);
	lens_release(&j->x);
	free(j->flags);
	free(j->typed);
	free(j);
}

static void start(struct view *v, const char *typed)
{
	struct lens_view *s = view_state(v);
	struct session *ss = app_session(v->app);
	struct err e = {0};
	app_job_cancel(v);
	s->refused = false;
	struct backend *b = session_backend(ss, &e);
	if (!b) {
		s->refused = true;
		snprintf(s->trouble, sizeof s->trouble, "%s", e.msg);
		return;
	}
	struct lens_job *j = xcalloc(1, sizeof *j);
	*j = (struct lens_job){.app = v->app,
			       .backend = b,
			       .atlas = ss->atlas,
			       .t = s->t,
			       .position = s->cursor,
			       .target = s->target,
			       .typed = typed ? xstrdup(typed) : NULL};
	s->t->owners++;
	app_job(v,
		&(struct app_job){.lane = LANE_BACKEND,
				  .what = "reading layers",
				  .work = work,
				  .done = done,
				  .release = release},
		j);
}

void lens_look(struct view *v)
{
	struct lens_view *s = view_state(v);
	if (!s->t || !s->t->rows.n)
		return;
	if (!lens_here(s) && !s->refused)
		start(v, NULL);
	else
		app_job_cancel(v); /* of a token that was passed */
}

void lens_look_for(struct view *v, const char *typed)
{
	start(v, typed);
}

void lens_start(struct view *v, const char *text)
{
	struct lens_view *s = view_state(v);
	struct lens_text *t = lens_text_new(text, s->chat); /* text may be the old one's */
	lens_forget(s);
	free(s->at);
	s->at = NULL;
	lens_text_drop(s->t);
	s->t = t;
	s->trouble[0] = 0;
	start(v, NULL);
}
