/* SPDX-License-Identifier: MIT */
/* view_steer_best.c - several seeds at once, and the list of what they wrote. */
#include "view/view_steer.h"

#include "backend/attach.h"
#include "base/mem.h"
#include "session/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 26 /* letters of a menu */ };

struct best_job {
	struct app *app;
	struct backend *backend;
	struct atlas *atlas;
	struct steer_ask ask;
	size_t n;
	struct steer_best best[MOST];
	struct progress *progress;
	char warning[ATTACH_WARNING];
	struct err err;
};

static bool on_token(void *context, int stream, u32 token, const char *text, size_t n, const f32 *row)
{
	struct best_job *j = context;
	(void)stream, (void)token, (void)text, (void)n, (void)row;
	progress_add(j->progress, 1);
	return !progress_cancelled(j->progress);
}

static void work(void *context, struct progress *p)
{
	struct best_job *j = context;
	struct steer_request q = steer_request(&j->ask);
	j->progress = p;
	progress_start(p, "several seeds", "tokens", 2 * j->n * j->ask.n_tokens);
	if (!attach_model(j->backend, j->atlas, p, j->warning, &j->err) &&
	    steer_best(j->backend, j->atlas, &q, j->n, on_token, j, j->best, &j->err) && j->err.code == ERR_NONE)
		err_set(&j->err, ERR_FAILED, "the backend gave no answer");
	detach_model(j->backend);
}

static void chosen(struct view *v, size_t index)
{
	struct steer_view *s = view_state(v);
	json_t *run = json_incref(json_array_get(s->best, index));
	if (run)
		steer_play(v, run);
	json_decref(run);
}

void steer_show_best(struct view *v)
{
	struct steer_view *s = view_state(v);
	size_t n = json_array_size(s->best);
	struct app_menu_item items[MOST];
	struct buf lines[MOST];
	if (!n) {
		app_message(v->app, "no several seeds were run yet: o b runs them");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *run = json_array_get(s->best, i);
		const char *text = runs_text(run, "steered");
		buf_init(&lines[i]);
		buf_addf(&lines[i], "%6.2f nats  %3.0f %% repeats  seed %llu  ", json_opt_f64(run, "loglik", NAN),
			 100 * json_opt_f64(run, "repeated_4grams", 0), (unsigned long long)json_opt_u64(run, "seed", 0));
		buf_add(&lines[i], text + strspn(text, " \n"), strcspn(text + strspn(text, " \n"), "\n"));
		items[i] = (struct app_menu_item){(u32)('a' + i), lines[i].s};
	}
	app_menu(v, "mean log-likelihood of a token, unsteered; repeated 4-grams", items, n, chosen);
	for (size_t i = 0; i < n; i++)
		buf_release(&lines[i]);
}

static void done(struct view *v, void *context)
{
	struct steer_view *s = view_state(v);
	struct best_job *j = context;
	struct err e = {0};
	if (j->err.code != ERR_NONE) {
		app_error(v->app, &j->err);
		return;
	}
	if (j->warning[0])
		app_message(v->app, "%s", j->warning);
	json_decref(s->best);
	s->best = json_array();
	for (size_t i = 0; i < j->n; i++) {
		const struct steer_best *b = &j->best[i];
		struct steer_request q = steer_request(&j->ask);
		q.seed = b->seed;
		json_t *run = runs_json(app_session(v->app), &q, &(struct runs_result){
			.text = {b->text[0].s, b->text[1].s}, .n = {b->text[0].n, b->text[1].n},
			.first_difference = b->first_difference, .change_over_norm = NAN,
			.repeated_4grams = b->repeated_4grams[1], .loglik = {b->loglik[0], b->loglik[1]},
			.model = backend_info(j->backend)->name, .warning = j->warning}, &e);
		if (!run || runs_keep(app_session(v->app), run, &e))
			app_error(v->app, &e);
		if (!run)
			continue;
		steer_add_past(v, run);
		json_array_append_new(s->best, run);
	}
	if (app_is_top(v))
		steer_show_best(v);
	else
		app_message(v->app, "%zu seeds were run; on the steer screen o b lists them", json_array_size(s->best));
}

static void release(void *context)
{
	struct best_job *j = context;
	steer_best_release(j->best, j->n);
	free(j->ask.prompt);
	free(j);
}

static bool commit(struct view *v, const char *text, void *context)
{
	struct steer_view *s = view_state(v);
	struct err e = {0};
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	(void)context;
	if (end == text || *end || n < 2 || n > MOST) {
		app_prompt_fault(v->app, 0, "from 2 to 26 seeds");
		return false;
	}
	struct backend *b = session_backend(app_session(v->app), &e);
	if (!b) {
		app_error(v->app, &e);
		return true;
	}
	struct best_job *j = xcalloc(1, sizeof *j);
	j->app = v->app;
	j->backend = b;
	j->atlas = app_session(v->app)->atlas;
	j->ask = s->ask;
	j->ask.prompt = xstrdup(s->ask.prompt);
	j->n = n;
	app_job(v, &(struct app_job){.lane = LANE_BACKEND, .what = "several seeds", .work = work, .done = done,
				     .release = release}, j);
	return true;
}

void steer_ask_best(struct view *v)
{
	struct steer_view *s = view_state(v);
	if (!s->ask.n_rows)
		app_message(v->app, "nothing to steer with: a adds a feature");
	else if (!(s->ask.temperature > 0))
		app_message(v->app, "at temperature 0 all seeds give one text: o t sets another");
	else
		app_prompt(v, &(struct app_prompt){.label = "how many seeds, from this one on: ", .initial = "8",
						   .commit = commit});
}
