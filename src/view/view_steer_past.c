/* SPDX-License-Identifier: MIT */
/* view_steer_past.c - recorded runs: found by hash, listed, played again without a model. */
#include "view/view_steer.h"
#include "base/mem.h"
#include "session/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- streams ---- */

struct steer_live *steer_live_new(struct view *v, const struct steer_ask *ask)
{
	struct steer_live *l = xcalloc(1, sizeof *l);
	struct steer_request q = steer_request(ask);
	if (steer_hash(app_session(v->app)->atlas, &q, l->hash, NULL))
		l->hash[0] = 0;
	l->change = NAN;
	pthread_mutex_init(&l->lock, NULL);
	buf_init(&l->stream[0].text);
	buf_init(&l->stream[1].text);
	for (size_t i = 0; i < ask->n_rows; i++)
		l->feature[l->n_features++] = ask->row[i].feature;
	l->n_tokens = ask->n_tokens;
	l->refs = 1;
	return l;
}

void steer_live_drop(struct steer_live *l)
{
	if (!l || --l->refs)
		return;
	for (int i = 0; i < 2; i++) {
		buf_release(&l->stream[i].text);
		free(l->stream[i].token);
	}
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void steer_live_add(struct steer_live *l, int stream, const char *text, size_t n, const f32 *act)
{
	pthread_mutex_lock(&l->lock);
	struct steer_stream *t = &l->stream[stream];
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->token = xreallocarray(t->token, t->cap, sizeof *t->token);
	}
	buf_add(&t->text, text, n);
	struct steer_token *k = &t->token[t->n++];
	k->end = t->text.n;
	for (size_t i = 0; i < STEER_ROWS; i++)
		k->act[i] = act ? act[i] : NAN;
	pthread_mutex_unlock(&l->lock);
}

/* ---- a run as JSON: what `featlas steer --json` prints ---- */

static const char *const wheres[] = {"reply", "prompt", "both"};

/* [[end of the token in bytes, f of each feature], ...] of a stream, so that the heat can be shown
 * again. */
static json_t *heat_json(const struct steer_live *l, int stream)
{
	const struct steer_stream *t = &l->stream[stream];
	json_t *list = json_array();
	for (size_t i = 0; i < t->n; i++) {
		json_t *token = json_array();
		json_array_append_new(token, json_integer((json_int_t)t->token[i].end));
		for (size_t k = 0; k < l->n_features; k++)
			json_array_append_new(token, json_f32(t->token[i].act[k]));
		json_array_append_new(list, token);
	}
	return list;
}

json_t *steer_run_json(struct view *v, const struct steer_ask *ask, const struct steer_live *l)
{
	struct steer_request q = steer_request(ask);
	json_t *heat = json_pack("{s:o, s:o}", "baseline", heat_json(l, 0), "steered", heat_json(l, 1));
	struct runs_result r = {.text = {l->stream[0].text.s, l->stream[1].text.s},
				.n = {l->stream[0].text.n, l->stream[1].text.n}, .first_difference = RUNS_UNKNOWN,
				.change_over_norm = l->change, .repeated_4grams = NAN, .loglik = {NAN, NAN},
				.model = l->model[0] ? l->model : NULL, .heat = heat};
	json_t *j = runs_json(app_session(v->app), &q, &r, NULL);
	json_decref(heat);
	return j ? j : json_object();
}

/* ---- from JSON ---- */

static void take_strength(struct view *v, struct steer_spec *row, const json_t *f)
{
	const json_t *strength = json_object_get(f, "strength");
	row->times_max = true;
	if (json_is_string(strength)) {
		char *end;
		row->strength = strtof(json_string_value(strength), &end);
		row->times_max = *end == 'x';
	} else {
		/* a bare number: multiples of the maximum if that gives the coefficient */
		row->strength = (f32)json_opt_f64(f, "strength", 0);
		f32 c = (f32)json_opt_f64(f, "coefficient", (f64)row->strength);
		row->times_max = fabsf(steer_coefficient(v, row) - c) <= 0.01f * fabsf(c);
	}
	if (!isfinite(row->strength))
		row->strength = 0;
}

static struct steer_spec take_row(struct view *v, const json_t *f)
{
	const char *method = json_opt_str(f, "method", "add");
	struct steer_spec row = {.feature = (u32)json_opt_u64(f, "id", 0), .where = -1};
	for (int m = 0; m < N_STEER_METHODS; m++)
		if (!strcmp(method, steer_spec_method((enum steer_method)m)))
			row.method = (enum steer_method)m;
	take_strength(v, &row, f);
	for (int i = 0; i < 3; i++)
		if (!strcmp(json_opt_str(f, "on", ""), wheres[i]))
			row.where = i;
	snprintf(row.hook, sizeof row.hook, "%s", json_opt_str(f, "hook", ""));
	const char *when = json_opt_str(f, "if", "");
	steer_if_parse(when, strlen(when), app_session(v->app)->atlas, &row, NULL);
	return row;
}

void steer_take_ask(struct view *v, const json_t *run)
{
	struct steer_view *s = view_state(v);
	struct steer_ask *ask = &s->ask;
	const json_t *features = json_object_get(run, "features");
	const char *where = json_opt_str(run, "where", "reply");
	free(ask->prompt);
	ask->prompt = xstrdup(json_opt_str(run, "prompt", ""));
	size_t n = json_array_size(features);
	ask->n_rows = MIN(n, STEER_ROWS);
	if (n > STEER_ROWS)
		app_message(v->app, "%zu features were turned; %d are shown here, 'featlas steer' takes %d", n, STEER_ROWS,
			    STEER_MOST_FEATURES);
	for (size_t i = 0; i < ask->n_rows; i++)
		ask->row[i] = take_row(v, json_array_get(features, i));
	ask->seed = json_opt_u64(run, "seed", 1);
	f64 temperature = json_opt_f64(run, "temperature", 0);
	ask->temperature = (f32)(temperature >= 0 && temperature <= STEER_MOST_TEMPERATURE ? temperature : 0);
	ask->n_tokens = (u32)MIN(MAX(json_opt_u64(run, "n", 60), 1), STEER_MOST_TOKENS);
	ask->chat = json_opt_bool(run, "chat", true);
	for (int i = 0; i < 3; i++)
		if (!strcmp(where, wheres[i]))
			ask->where = (enum intervention_where)i;
	s->row = 0;
	s->n_typed = 0;
}

void steer_keep_ask(struct view *v, struct buf *out)
{
	struct steer_view *s = view_state(v);
	struct steer_request q = steer_request(&s->ask);
	struct runs_result none = {.text = {"", ""}, .first_difference = RUNS_UNKNOWN, .change_over_norm = NAN,
				   .repeated_4grams = NAN, .loglik = {NAN, NAN}};
	json_t *j = s->ask.n_rows ? runs_json(app_session(v->app), &q, &none, NULL) : NULL;
	struct buf line = BUF_INIT;
	if (j)
		json_add_line(&line, j);
	for (size_t i = 0; i < line.n; i++) /* blanks stand in strings only, and words of a line are parted by them */
		if (line.s[i] == ' ')
			buf_adds(out, "\\u0020");
		else
			buf_addc(out, line.s[i]);
	buf_release(&line);
	json_decref(j);
}

void steer_take_up(struct view *v, const char *line)
{
	json_t *j = json_parse(line, strlen(line), "a session", NULL);
	if (json_is_object(j) && runs_is_sound(app_session(v->app)->atlas, j))
		steer_take_ask(v, j);
	json_decref(j);
}

/* On a thread of its own, with a door of its own to labels.db. */
struct load_job {
	struct atlas *atlas;
	struct runs runs;
	struct err e;
	bool failed;
};

static void load_work(void *context, struct progress *p)
{
	struct load_job *j = context;
	struct note *note = note_open(j->atlas->notes, j->atlas->uuid, NULL);
	(void)p;
	if (note)
		j->failed = runs_load(note, j->atlas, &j->runs, &j->e) != 0;
	note_free(note);
}

static void load_kept(struct view *v);

/* The list becomes what gr lists. */
static void load_done(struct view *v, void *context)
{
	struct steer_view *s = view_state(v);
	struct load_job *j = context;
	if (s->stale) {
		load_kept(v);
		return;
	}
	s->loading = false;
	if (j->failed)
		app_error(v->app, &j->e);
	if (j->failed || !j->runs.n)
		return;
	json_array_clear(s->past);
	size_t kept = 0;
	while (kept < j->runs.n && j->runs.items[kept].when)
		kept++;
	for (size_t i = kept; i < j->runs.n; i++) /* as they stand in runs.jsonl */
		json_array_append(s->past, j->runs.items[i].run);
	while (kept-- > 0)
		json_array_append(s->past, j->runs.items[kept].run);
	s->past_at = MIN(s->past_at, MAX(json_array_size(s->past), 1) - 1);
	s->in_list = s->in_list || (!s->ask.n_rows && !s->live);
}

static void load_release(void *context)
{
	struct load_job *j = context;
	runs_release(&j->runs);
	free(j);
}

static void load_kept(struct view *v)
{
	struct steer_view *s = view_state(v);
	struct load_job *j = xcalloc(1, sizeof *j);
	s->loading = true;
	s->stale = false;
	j->atlas = app_session(v->app)->atlas;
	app_job(v, &(struct app_job){.lane = LANE_FREE, .work = load_work, .done = load_done, .release = load_release,
				     .stays = true}, j);
}

void steer_load_past(struct view *v)
{
	struct steer_view *s = view_state(v);
	const char *path = app_session(v->app)->atlas->runs;
	char *line = NULL;
	size_t cap = 0, number = 0;
	s->past = json_array();
	FILE *f = path ? fopen(path, "re") : NULL;
	while (f && getline(&line, &cap, f) > 0 && number < 10000) {
		struct err e = {0};
		char what[32];
		snprintf(what, sizeof what, "runs.jsonl:%zu", ++number);
		json_t *run = json_parse(line, strlen(line), what, &e);
		if (run && runs_is_sound(app_session(v->app)->atlas, run))
			json_array_append_new(s->past, run);
		else
			json_decref(run);
	}
	if (f)
		fclose(f);
	free(line);
	load_kept(v);
}

void steer_add_past(struct view *v, json_t *run)
{
	struct steer_view *s = view_state(v);
	const char *hash = runs_text(run, "hash");
	for (size_t i = json_array_size(s->past); *hash && i-- > 0;)
		if (!strcmp(runs_text(json_array_get(s->past, i), "hash"), hash))
			json_array_remove(s->past, i);
	json_array_append(s->past, run);
	s->stale = true;
}

/* ---- playing ---- */

struct play {
	struct app *app;
	struct steer_live *live;
	char *text[2];
	size_t n[2];
	json_t *heat[2]; /* arrays, or NULL: word by word */
	size_t token[2]; /* of heat, the next */
};

/* The next token of a stream as it was recorded, or false to go by words. */
static bool next_token(struct play *p, int i, size_t at, size_t *end, f32 act[STEER_ROWS])
{
	const json_t *token = json_array_get(p->heat[i], p->token[i]);
	json_int_t to = json_integer_value(json_array_get(token, 0));
	if (to <= (json_int_t)at || to > (json_int_t)p->n[i])
		return false;
	*end = (size_t)to;
	p->token[i]++;
	for (size_t k = 0; k < STEER_ROWS; k++) {
		const json_t *f = json_array_get(token, k + 1);
		act[k] = json_is_number(f) ? (f32)json_number_value(f) : NAN;
	}
	return true;
}

/* A word with the blanks before it. */
static size_t word_end(const struct play *p, int i, size_t at)
{
	const char *s = p->text[i];
	while (at < p->n[i] && (s[at] == ' ' || s[at] == '\n'))
		at++;
	while (at < p->n[i] && s[at] != ' ' && s[at] != '\n')
		at++;
	return at;
}

/* One step of each stream; false when both are over. */
static bool play_step(struct play *p, size_t *at)
{
	bool more = false;
	for (int i = 0; i < 2; i++) {
		f32 act[STEER_ROWS];
		size_t end;
		if (at[i] >= p->n[i])
			continue;
		bool known = next_token(p, i, at[i], &end, act);
		if (!known)
			end = word_end(p, i, at[i]);
		steer_live_add(p->live, i, p->text[i] + at[i], end - at[i], known ? act : NULL);
		at[i] = end;
		more = true;
	}
	return more;
}

static void play_work(void *context, struct progress *progress)
{
	struct play *p = context;
	size_t at[2] = {0, 0};
	while (!progress_cancelled(progress) && play_step(p, at)) {
		app_wake(p->app);
		nanosleep(&(struct timespec){.tv_nsec = 60 * 1000 * 1000}, NULL);
	}
}

static void play_over(struct play *p)
{
	pthread_mutex_lock(&p->live->lock);
	p->live->over = true;
	pthread_mutex_unlock(&p->live->lock);
}

static void play_done(struct view *v, void *context)
{
	(void)v;
	play_over(context);
}

static void play_release(void *context)
{
	struct play *p = context;
	steer_live_drop(p->live);
	for (int i = 0; i < 2; i++) {
		free(p->text[i]);
		json_decref(p->heat[i]);
	}
	free(p);
}

void steer_play(struct view *v, const json_t *run)
{
	static const char *const keys[] = {"baseline", "steered"};
	struct steer_view *s = view_state(v);
	struct play *p = xcalloc(1, sizeof *p);
	app_job_cancel(v);
	steer_take_ask(v, run);
	steer_live_drop(s->live);
	s->live = steer_live_new(v, &s->ask);
	s->live->replayed = true;
	s->live->change = json_opt_f64(run, "change_over_norm", NAN);
	snprintf(s->live->model, sizeof s->live->model, "%s", runs_text(run, "model"));
	s->live->refs++;
	s->in_list = false;
	s->scroll = 0;
	s->trouble[0] = 0;
	p->app = v->app;
	p->live = s->live;
	for (int i = 0; i < 2; i++) {
		p->text[i] = xstrdup(json_opt_str(run, keys[i], ""));
		p->n[i] = strlen(p->text[i]);
		p->heat[i] = json_incref(json_object_get(json_object_get(run, "heat"), keys[i]));
	}
	if (app_is_script(v->app)) {
		size_t at[2] = {0, 0};
		while (play_step(p, at))
			;
		play_over(p);
		play_release(p);
		return;
	}
	app_job(v, &(struct app_job){.lane = LANE_FREE, .what = "replaying", .work = play_work,
				     .done = play_done, .release = play_release}, p);
}

/* ---- found again ---- */

json_t *steer_find_past(struct view *v, const struct steer_ask *ask)
{
	struct steer_view *s = view_state(v);
	struct err e = {0};
	char hex[65];
	struct steer_request q = steer_request(ask);
	if (steer_hash(app_session(v->app)->atlas, &q, hex, &e))
		return NULL;
	for (size_t i = 0; i < json_array_size(s->past); i++) {
		json_t *run = json_array_get(s->past, i);
		if (!strcmp(json_opt_str(run, "hash", ""), hex))
			return json_incref(run);
	}
	char *kept = note_run(app_session(v->app)->note, hex);
	json_t *run = kept ? json_parse(kept, strlen(kept), "kept run", &e) : NULL;
	free(kept);
	if (run && !runs_is_sound(app_session(v->app)->atlas, run)) {
		json_decref(run);
		run = NULL;
	}
	return run;
}

void steer_keep(struct view *v, const struct steer_ask *ask, const struct steer_live *l)
{
	struct err e = {0};
	json_t *run = steer_run_json(v, ask, l);
	if (runs_keep(app_session(v->app), run, &e))
		app_error(v->app, &e);
	steer_add_past(v, run);
	json_decref(run);
}
