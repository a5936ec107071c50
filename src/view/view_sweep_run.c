/* SPDX-License-Identifier: MIT */
/* view_sweep_run.c - a sweep as a job: started, gone on with, kept; a cell as a run of its own. */
#include "view/view_sweep.h"

#include "backend/attach.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct sweep_job {
	struct app *app;
	struct session session; /* the atlas alone; no pool, which is another lane's */
	struct backend *backend;
	struct sweep_live *live;
	char warning[ATTACH_WARNING];
	struct err err;
};

void sweep_live_drop(struct sweep_live *l)
{
	if (!l || --l->refs)
		return;
	sweep_free(l->work);
	sweep_free(l->shown);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct sweep_live *live_new(struct view *v, struct err *e)
{
	struct sweep_view *s = view_state(v);
	const char *const prompts[] = {s->ask.prompt};
	struct sweep_request q = {.specs = s->ask.row, .n_specs = s->ask.n_rows, .strengths = s->strengths,
				  .n_strengths = s->n_strengths, .seeds = s->seeds, .n_seeds = s->n_seeds,
				  .prompts = prompts, .n_prompts = 1, .measures = SWEEP_ALL, .chat = s->ask.chat,
				  .where = s->ask.where, .temperature = s->ask.temperature, .n_tokens = s->ask.n_tokens};
	struct sweep *work = sweep_new(app_session(v->app), &q, e);
	if (!work)
		return NULL;
	struct sweep_live *l = xcalloc(1, sizeof *l);
	l->work = work;
	l->shown = sweep_new(app_session(v->app), &q, e);
	l->refs = 1;
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

static bool on_cell(void *context, const struct sweep *from, const struct sweep_cell *c)
{
	struct sweep_job *j = context;
	pthread_mutex_lock(&j->live->lock);
	sweep_copy_cell(j->live->shown, from, c);
	pthread_mutex_unlock(&j->live->lock);
	app_wake(j->app);
	return true;
}

static void work(void *context, struct progress *p)
{
	struct sweep_job *j = context;
	if ((attach_model(j->backend, j->session.atlas, p, j->warning, &j->err) ||
	     sweep_run(j->live->work, &j->session, j->backend, NULL, p, on_cell, j, &j->err)) &&
	    j->err.code == ERR_NONE)
		err_set(&j->err, ERR_FAILED, "the backend gave no answer");
	detach_model(j->backend);
}

static void keep(struct view *v, const struct sweep *w)
{
	struct sweep_view *s = view_state(v);
	struct err e = {0};
	struct buf words = BUF_INIT;
	sweep_refresh_dose(v);
	dose_add_verdict(w, &s->dose, &words);
	app_message(v->app, "%s", words.s);
	if (dose_keep(app_session(v->app), w, &s->dose, NULL, &e))
		app_error(v->app, &e);
	buf_release(&words);
}

static void done(struct view *v, void *context)
{
	struct sweep_view *s = view_state(v);
	struct sweep_job *j = context;
	if (j->err.code == ERR_NONE) {
		if (j->warning[0])
			app_message(v->app, "%s", j->warning);
		pthread_mutex_lock(&j->live->lock);
		keep(v, j->live->shown);
		pthread_mutex_unlock(&j->live->lock);
		return;
	}
	if (j->live->shown->n_done) {
		app_error(v->app, &j->err);
		return;
	}
	snprintf(s->trouble, sizeof s->trouble, "%s", j->err.msg);
	sweep_forget(v);
}

static void release(void *context)
{
	struct sweep_job *j = context;
	sweep_live_drop(j->live);
	free(j);
}

void sweep_forget(struct view *v)
{
	struct sweep_view *s = view_state(v);
	app_job_cancel(v);
	sweep_live_drop(s->live);
	s->live = NULL;
	dose_release(&s->dose);
	s->n_dosed = 0;
}

void sweep_start(struct view *v, bool anew)
{
	struct sweep_view *s = view_state(v);
	struct err e = {0};
	if (app_job_runs(v) && !anew)
		return;
	s->trouble[0] = 0;
	if (anew)
		sweep_forget(v);
	struct backend *b = session_backend(app_session(v->app), &e);
	if (!b || (!s->live && !(s->live = live_new(v, &e)))) {
		snprintf(s->trouble, sizeof s->trouble, "%s", e.msg);
		return;
	}
	struct sweep_job *j = xcalloc(1, sizeof *j);
	j->app = v->app;
	j->session.atlas = app_session(v->app)->atlas;
	j->backend = b;
	j->live = s->live;
	s->live->refs++;
	app_job(v, &(struct app_job){.lane = LANE_BACKEND, .what = "sweeping", .work = work, .done = done,
				     .release = release}, j);
}

const struct sweep_cell *sweep_here(const struct sweep_view *s)
{
	if (!s->live)
		return NULL;
	return s->column < 0 ? sweep_at(s->live->shown, SWEEP_BASELINE, 0, s->row, 0)
			     : sweep_at(s->live->shown, SWEEP_STEERED, 0, s->row, (size_t)s->column);
}

void sweep_refresh_dose(struct view *v)
{
	struct sweep_view *s = view_state(v);
	if (s->n_dosed == s->live->shown->n_done && s->dose.point)
		return;
	dose_release(&s->dose);
	dose_init(&s->dose, s->live->shown, SWEEP_STEERED);
	s->n_dosed = s->live->shown->n_done;
}

/* As `featlas steer` would have recorded it, but for the heat. */
static json_t *run_of(struct view *v, const struct sweep_cell *c)
{
	struct sweep_view *s = view_state(v);
	const struct sweep *w = s->live->shown;
	const struct sweep_cell *base = sweep_at(w, SWEEP_BASELINE, c->prompt, c->seed, 0);
	struct steer_ask ask = s->ask;
	sweep_specs(w, c->strength, ask.row);
	ask.seed = w->q.seeds[c->seed];
	struct steer_live *l = steer_live_new(v, &ask);
	steer_live_add(l, 0, base->text.s, base->text.n, NULL);
	steer_live_add(l, 1, c->text.s, c->text.n, NULL);
	l->change = w->change[c->strength];
	json_t *run = steer_run_json(v, &ask, l);
	json_object_del(run, "heat");
	steer_live_drop(l);
	return run;
}

void sweep_open_cell(struct view *v)
{
	struct sweep_view *s = view_state(v);
	struct err e = {0};
	struct buf line = BUF_INIT;
	pthread_mutex_lock(&s->live->lock);
	json_t *run = run_of(v, sweep_here(s));
	pthread_mutex_unlock(&s->live->lock);
	json_add_line(&line, run);
	if (note_keep_run(app_session(v->app)->note, json_opt_str(run, "hash", ""), line.s, &e))
		app_error(v->app, &e);
	buf_release(&line);
	app_push(v->app, &view_steer, &(struct target){.feature = s->ask.row[0].feature, .run = run});
	json_decref(run);
}
