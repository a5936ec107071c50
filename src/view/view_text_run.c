/* SPDX-License-Identifier: MIT */
/* view_text_run.c - a text through the live model and the dictionary, as a job. */
#include "view/view_text.h"
#include "backend/attach.h"
#include "base/mem.h"
#include "session/reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct text_job {
	struct backend *backend;
	struct atlas *atlas;
	char *text;
	bool chat;
	struct text_result r;
	char warning[ATTACH_WARNING];
	struct err err;
};

/* Moves the rows that count together, encodes them, and deals the results out again. */
static int encode(struct text_job *j, f32 *x)
{
	struct text_result *r = &j->r;
	size_t d = j->atlas->d_model, kept = 0;
	for (size_t i = 0; i < r->n; i++)
		if (!(r->flags[i] & TOKEN_MASKED))
			memmove(x + d * kept++, x + d * i, d * sizeof *x);
	struct dict_row *rows = xcalloc(kept + 1, sizeof *rows);
	int rc = kept ? dict_encode(j->atlas->dict, NULL, x, kept, rows, &r->arena, &j->err) : 0;
	r->rows = xcalloc(r->n + 1, sizeof *r->rows);
	for (size_t i = 0, k = 0; i < r->n && !rc; i++)
		if (!(r->flags[i] & TOKEN_MASKED))
			r->rows[i] = rows[k++];
	free(rows);
	return rc;
}

static int run_job(struct text_job *j, struct progress *p)
{
	struct text_result *r = &j->r;
	if (attach_model(j->backend, j->atlas, p, j->warning, &j->err))
		return -1;
	u32 d = j->atlas->d_model;
	if (backend_tokenize(j->backend, j->text, j->chat, &r->tokens, &r->flags, &r->n, &j->err))
		return -1;
	if (r->n > backend_info(j->backend)->n_ctx)
		return err_set(&j->err, ERR_USAGE, "the text has %zu tokens, the model takes %u", r->n,
			       backend_info(j->backend)->n_ctx);
	f32 *x = mem_try(r->n + 1, d * sizeof *x, "states", &j->err);
	if (!x)
		return -1;
	int rc = backend_states(j->backend, r->tokens, r->n, &j->atlas->hook, 1, &x, &j->err);
	if (!rc) {
		reading_flag_sinks(j->atlas, x, r->flags, r->n);
		rc = encode(j, x);
	}
	free(x);
	return rc;
}

static void work(void *context, struct progress *p)
{
	struct text_job *j = context;
	if (run_job(j, p) && j->err.code == ERR_NONE)
		err_set(&j->err, ERR_FAILED, "the backend gave no answer");
	detach_model(j->backend);
}

static void release(void *context)
{
	struct text_job *j = context;
	text_result_release(&j->r);
	free(j->text);
	free(j);
}

void text_rebuild(struct view *v)
{
	struct text_view *s = view_state(v);
	const struct store *store = app_session(v->app)->atlas->store;
	text_build(s, store);
	text_heat(s, store);
	text_measure(v);
}

static void done(struct view *v, void *context)
{
	struct text_view *s = view_state(v);
	struct text_job *j = context;
	if (j->err.code != ERR_NONE) {
		snprintf(s->trouble, sizeof s->trouble, "%s", j->err.msg);
		return;
	}
	if (j->warning[0])
		app_message(v->app, "%s", j->warning);
	text_result_release(&s->r);
	s->r = j->r;
	memset(&j->r, 0, sizeof j->r);
	s->anchor = s->fixed = SIZE_MAX;
	s->at_head = false;
	s->not_from = s->not_to = 0;
	/* the first token that counts */
	for (s->cursor = 0; s->cursor + 1 < s->r.n && s->r.flags[s->cursor] & TOKEN_MASKED;)
		s->cursor++;
	text_rebuild(v);
	f32 most = 0;
	size_t peak = 0;
	for (size_t i = 0; i < s->r.n; i++)
		if (s->heats[i] > most) {
			most = s->heats[i];
			peak = i;
		}
	if (most > 0 && s->seek) {
		s->cursor = peak;
		text_rebuild(v);
	}
	s->seek = false;
	if (most <= 0) { /* the feature one came from is silent here: show where there is anything */
		s->heat = NO_FEATURE;
		text_rebuild(v);
	}
}

void text_start(struct view *v, const char *text)
{
	struct text_view *s = view_state(v);
	struct session *ss = app_session(v->app);
	struct err e = {0};
	char *copy = xstrdup(text);
	free(s->text);
	s->text = copy;
	s->trouble[0] = 0;
	text_result_release(&s->r);
	text_forget_effects(s);
	s->n_table = 0;
	app_job_cancel(v);
	struct backend *b = session_backend(ss, &e);
	if (!b) {
		snprintf(s->trouble, sizeof s->trouble, "%s", e.msg);
		return;
	}
	struct text_job *j = xcalloc(1, sizeof *j);
	j->backend = b;
	j->atlas = ss->atlas;
	j->text = xstrdup(text);
	j->chat = s->chat;
	app_job(v, &(struct app_job){.lane = LANE_BACKEND, .what = "reading", .work = work, .done = done,
				     .release = release}, j);
}
