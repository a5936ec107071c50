/* SPDX-License-Identifier: MIT */
/* view_steer_run.c - a run of the live model, baseline and steered, as a job. */
#include "view/view_steer.h"

#include "backend/attach.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct steer_job {
	struct app *app;
	struct backend *backend;
	struct atlas *atlas;
	struct steer_ask ask;
	struct steer_live *live;
	struct progress *progress;
	bool heat;               /* the dictionary is small enough to read each token */
	struct timespec start;   /* zero in scripts */
	char warning[ATTACH_WARNING];
	struct err err;
};

/* A token's own row comes with the token after it: so heat is one token late. */
static void read_heat(struct steer_job *j, int stream, const f32 *row)
{
	struct dict_row f;
	void *arena = NULL;
	f32 act[STEER_ROWS] = {0};
	if (!row || !j->heat || dict_encode(j->atlas->dict, NULL, row, 1, &f, &arena, NULL))
		return;
	for (u32 i = 0; i < f.n; i++)
		for (size_t k = 0; k < j->ask.n_rows; k++)
			if (f.id[i] == j->ask.row[k].feature)
				act[k] = f.act[i];
	free(arena);
	pthread_mutex_lock(&j->live->lock);
	struct steer_stream *t = &j->live->stream[stream];
	if (t->n)
		memcpy(t->token[t->n - 1].act, act, sizeof act);
	pthread_mutex_unlock(&j->live->lock);
}

static f64 seconds_since(const struct timespec *t)
{
	struct timespec now;
	if (!t->tv_sec)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (f64)(now.tv_sec - t->tv_sec) + 1e-9 * (f64)(now.tv_nsec - t->tv_nsec);
}

static bool on_token(void *context, int stream, u32 token, const char *text, size_t n, const f32 *row)
{
	struct steer_job *j = context;
	(void)token;
	read_heat(j, stream, row);
	steer_live_add(j->live, stream, text, n, NULL);
	pthread_mutex_lock(&j->live->lock);
	j->live->seconds = seconds_since(&j->start);
	pthread_mutex_unlock(&j->live->lock);
	progress_add(j->progress, 1);
	app_wake(j->app);
	return !progress_cancelled(j->progress);
}

static void work(void *context, struct progress *p)
{
	struct steer_job *j = context;
	struct steer_request q = steer_request(&j->ask);
	struct steer_result r = {.change_over_norm = NAN};
	j->progress = p;
	progress_start(p, "generating", "tokens", 2 * (u64)j->ask.n_tokens);
	if (!app_is_script(j->app))
		clock_gettime(CLOCK_MONOTONIC, &j->start);
	if (!attach_model(j->backend, j->atlas, p, j->warning, &j->err) &&
	    steer_generate(j->backend, j->atlas, &q, on_token, j, &r, &j->err) && j->err.code == ERR_NONE)
		err_set(&j->err, ERR_FAILED, "the backend gave no answer");
	detach_model(j->backend);
	pthread_mutex_lock(&j->live->lock);
	j->live->change = r.change_over_norm;
	pthread_mutex_unlock(&j->live->lock);
	steer_result_release(&r);
}

static void done(struct view *v, void *context)
{
	struct steer_view *s = view_state(v);
	struct steer_job *j = context;
	j->live->over = true;
	if (j->err.code == ERR_NONE) {
		if (j->warning[0])
			app_message(v->app, "%s", j->warning);
		snprintf(j->live->model, sizeof j->live->model, "%s", backend_info(j->backend)->name);
		steer_keep(v, &j->ask, j->live);
		return;
	}
	if (j->live->stream[0].n || j->live->stream[1].n) {
		app_error(v->app, &j->err);
		return;
	}
	snprintf(s->trouble, sizeof s->trouble, "%s", j->err.msg);
	steer_live_drop(s->live);
	s->live = NULL;
}

static void release(void *context)
{
	struct steer_job *j = context;
	steer_live_drop(j->live);
	free(j->ask.prompt);
	free(j);
}

static void start(struct view *v, struct backend *b)
{
	enum { HEAT_LIMIT = 32 * 1000 * 1000 };
	struct steer_view *s = view_state(v);
	struct steer_job *j = xcalloc(1, sizeof *j);
	j->app = v->app;
	j->backend = b;
	j->atlas = app_session(v->app)->atlas;
	j->ask = s->ask;
	j->ask.prompt = xstrdup(s->ask.prompt);
	j->heat = (u64)j->atlas->n_features * j->atlas->d_model <= HEAT_LIMIT;
	steer_live_drop(s->live);
	s->live = steer_live_new(v, &s->ask);
	s->live->refs++;
	j->live = s->live;
	s->scroll = 0;
	app_job(v, &(struct app_job){.lane = LANE_BACKEND, .what = "generating", .work = work, .done = done,
				     .release = release}, j);
}

void steer_run(struct view *v, bool anew)
{
	struct steer_view *s = view_state(v);
	struct err e = {0};
	json_t *past = anew ? NULL : steer_find_past(v, &s->ask);
	app_job_cancel(v);
	s->trouble[0] = 0;
	if (past) {
		size_t row = s->row;
		steer_play(v, past);
		s->row = row;
		json_decref(past);
		app_message(v->app, "this run was kept; R runs it anew");
		return;
	}
	struct backend *b = session_backend(app_session(v->app), &e);
	if (b) {
		start(v, b);
		return;
	}
	steer_live_drop(s->live);
	s->live = NULL;
	snprintf(s->trouble, sizeof s->trouble, "%s", e.msg);
}
