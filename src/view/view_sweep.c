/* SPDX-License-Identifier: MIT */
/* view_sweep.c - features at many strengths and seeds: where the effect begins, where the text falls apart. */
#include "view/view_sweep.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static void add_row(struct view *v, u32 feature)
{
	struct sweep_view *s = view_state(v);
	if (s->ask.n_rows == STEER_ROWS)
		return;
	s->ask.row[s->ask.n_rows++] = steer_new_row(v, feature, s->ask.where);
}

static void take_rows(struct view *v, const struct target *t)
{
	struct sweep_view *s = view_state(v);
	if (t && t->steer) {
		s->ask = *t->steer;
		s->ask.prompt = xstrdup(t->steer->prompt);
		if (!(s->ask.temperature > 0))
			s->ask.temperature = 0.7f; /* without chance every seed gives the same text */
		return;
	}
	s->ask = (struct steer_ask){.prompt = xstrdup("What did you do last weekend?"), .chat = true,
				    .n_tokens = 40, .temperature = 0.7f};
	for (size_t i = 0; t && i < t->n_ids; i++)
		add_row(v, t->ids[i]);
	if (t && !t->n_ids && t->feature != NO_FEATURE)
		add_row(v, t->feature);
}

static void close_sweep(struct view *v)
{
	struct sweep_view *s = view_state(v);
	sweep_live_drop(s->live);
	dose_release(&s->dose);
	free(s->strengths);
	free(s->seeds);
	free(s->ask.prompt);
}

static int make_grid(struct view *v, struct err *e)
{
	struct sweep_view *s = view_state(v);
	if (!s->ask.n_rows)
		return err_set(e, ERR_USAGE, "nothing to sweep: go to a feature first, or mark some");
	if (s->ask.row[0].method == STEER_ABLATE)
		return err_set(e, ERR_USAGE, "ablate has no strength to sweep; s on the steer screen changes the method");
	const struct steer_spec *first = &s->ask.row[0];
	if (sweep_parse_strengths(steer_is_factor(first->method) ? "0..4:0.5" : "-1..3:0.5", &s->strengths,
				  &s->n_strengths, e) ||
	    sweep_parse_seeds("6", &s->seeds, &s->n_seeds, e))
		return -1;
	for (size_t i = 0; i < s->n_strengths; i++)
		s->strengths[i] *= steer_unit(v, first);
	return 0;
}

static int open(struct view *v, const struct target *t, struct err *e)
{
	take_rows(v, t);
	if (!make_grid(v, e))
		return 0;
	close_sweep(v); /* which is not called for a view that did not open */
	return -1;
}

/* ---- acting ---- */

static bool is_there(const struct sweep_view *s)
{
	if (!s->live)
		return false;
	pthread_mutex_lock(&s->live->lock);
	bool done = sweep_here(s)->done;
	pthread_mutex_unlock(&s->live->lock);
	return done;
}

static bool is_complete(const struct sweep_view *s)
{
	if (!s->live)
		return false;
	pthread_mutex_lock(&s->live->lock);
	bool all = s->live->shown->n_done == s->live->shown->n_cells;
	pthread_mutex_unlock(&s->live->lock);
	return all;
}

static const char *why_not(struct view *v, enum action a)
{
	struct sweep_view *s = view_state(v);
	switch (a) {
	case ACT_OPEN:
		if (is_there(s))
			return s->column < 0 ? "the baseline stands beside every steered text: go to one" : NULL;
		return app_job_runs(v) ? "this text is not generated yet" : NULL;
	case ACT_COPY:
		return is_there(s) ? NULL : "nothing is generated here yet: Enter runs";
	default:
		return NULL;
	}
}

static void move(struct sweep_view *s, i64 across, i64 down)
{
	s->column = MAX(-1, MIN(s->column + across, (i64)s->n_strengths - 1));
	s->row = (size_t)MAX(0, MIN((i64)s->row + down, (i64)s->n_seeds - 1));
}

static size_t savings(struct view *v, const struct app_menu_item **items)
{
	static const struct app_menu_item list[] = {{'r', "the sweep with all its texts, as JSON"}};
	*items = list;
	return ((struct sweep_view *)view_state(v))->live ? 1 : 0;
}

static void save(struct view *v, size_t which)
{
	struct sweep_view *s = view_state(v);
	(void)which;
	struct buf out = BUF_INIT;
	char stem[32];
	pthread_mutex_lock(&s->live->lock);
	json_t *j = dose_json(app_session(v->app), s->live->shown, true);
	pthread_mutex_unlock(&s->live->lock);
	json_add_line(&out, j);
	buf_addc(&out, '\n');
	snprintf(stem, sizeof stem, "sweep-%u", s->ask.row[0].feature);
	app_save(v->app, stem, "json", &out);
	json_decref(j);
	buf_release(&out);
}

static void copy_text(struct view *v)
{
	struct sweep_view *s = view_state(v);
	pthread_mutex_lock(&s->live->lock);
	const struct sweep_cell *c = sweep_here(s);
	char *text = xstrndup(c->text.s, c->text.n);
	pthread_mutex_unlock(&s->live->lock);
	app_copy(v->app, text);
	free(text);
}

static enum act_result act_move(struct view *v, enum action a, int count)
{
	struct sweep_view *s = view_state(v);
	i64 n = MAX(count, 1), far = (i64)s->n_seeds;
	switch (a) {
	case ACT_LEFT: move(s, -n, 0); break;
	case ACT_RIGHT: move(s, n, 0); break;
	case ACT_DOWN: move(s, 0, n); break;
	case ACT_UP: move(s, 0, -n); break;
	case ACT_HALF_DOWN: case ACT_PAGE_DOWN: move(s, 0, MAX(far / 2, 1)); break;
	case ACT_HALF_UP: case ACT_PAGE_UP: move(s, 0, -MAX(far / 2, 1)); break;
	case ACT_FIRST: move(s, 0, count ? count - 1 - (i64)s->row : -far); break;
	case ACT_LAST: move(s, 0, count ? count - 1 - (i64)s->row : far); break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct sweep_view *s = view_state(v);
	if (act_move(v, a, count) == VIEW_HANDLED)
		return VIEW_HANDLED;
	switch (a) {
	case ACT_OPEN:
		if (is_there(s))
			sweep_open_cell(v);
		else
			sweep_start(v, false);
		return VIEW_HANDLED;
	case ACT_REFRESH:
		sweep_start(v, is_complete(s));
		return VIEW_HANDLED;
	case ACT_SORT:
		s->measure = (s->measure + 1) % N_DOSE;
		return VIEW_HANDLED;
	case ACT_REVERSE:
		s->measure = (s->measure + N_DOSE - 1) % N_DOSE;
		return VIEW_HANDLED;
	case ACT_OPTIONS:
		sweep_options(v);
		return VIEW_HANDLED;
	case ACT_TYPE:
		sweep_ask_prompt(v);
		return VIEW_HANDLED;
	case ACT_COPY:
		copy_text(v);
		return VIEW_HANDLED;
	case ACT_GO_STEER:
		s->ask.seed = s->seeds[s->row];
		app_push(v->app, &view_steer, &(struct target){.feature = NO_FEATURE, .steer = &s->ask});
		return VIEW_HANDLED;
	default:
		return VIEW_IGNORED;
	}
}

/* ---- what the app asks ---- */

static bool current(struct view *v, u32 *feature)
{
	*feature = ((struct sweep_view *)view_state(v))->ask.row[0].feature;
	return true;
}

static void status(struct view *v, struct buf *out)
{
	struct sweep_view *s = view_state(v);
	const struct progress *p = app_job_progress(v);
	u64 total = p ? atomic_load(&p->total) : 0;
	if (!s->live)
		return;
	pthread_mutex_lock(&s->live->lock);
	buf_addf(out, "%zu/%zu texts", s->live->shown->n_done, s->live->shown->n_cells);
	pthread_mutex_unlock(&s->live->lock);
	if (total) /* texts come by the batch, tokens one by one */
		buf_addf(out, ", %.0f %%", 100 * (f64)atomic_load(&p->done) / (f64)total);
}

static bool tick(struct view *v)
{
	return ((struct sweep_view *)view_state(v))->live != NULL;
}

static void command(struct view *v, struct buf *out)
{
	struct sweep_view *s = view_state(v);
	const char *const prompts[] = {s->ask.prompt};
	struct sweep w = {.q = {.specs = s->ask.row, .n_specs = s->ask.n_rows, .strengths = s->strengths,
				.n_strengths = s->n_strengths, .seeds = s->seeds, .n_seeds = s->n_seeds, .prompts = prompts,
				.n_prompts = 1, .chat = s->ask.chat, .where = s->ask.where,
				.temperature = s->ask.temperature, .n_tokens = s->ask.n_tokens}};
	sweep_add_command(&w, app_session(v->app)->atlas, out);
}

static void exact(struct view *v, struct buf *out)
{
	struct sweep_view *s = view_state(v);
	if (s->live) {
		pthread_mutex_lock(&s->live->lock);
		const struct sweep_cell *c = sweep_here(s);
		if (c->done) {
			for (int m = 0; m < N_DOSE; m++)
				buf_addf(out, "%-10s %.6g  %s\n", dose_keys[m], dose_of(c, (enum dose_measure)m), dose_words[m]);
			buf_addf(out, "nll %.6g, %zu tokens\n", c->nll, c->n);
		}
		sweep_refresh_dose(v);
		dose_add_verdict(s->live->shown, &s->dose, out);
		buf_addc(out, '\n');
		pthread_mutex_unlock(&s->live->lock);
	}
	command(v, out);
	buf_adds(out, " --json");
}

static const char *busy(struct view *v)
{
	return app_job_runs(v) ? "sweeping" : NULL;
}

const struct view_class view_sweep = {
	.name = "sweep",
	.title = "sweep",
	.size = sizeof(struct sweep_view),
	.hints = {{ACT_OPEN, "run, open"}, {ACT_SORT, "measure"}, {ACT_OPTIONS, "options"}, {ACT_TYPE, "prompt"},
		  {ACT_EXPORT, "save"}, {ACT_REFRESH, "again"}, {ACT_EXACT, "exact"}},
	.open = open,
	.close = close_sweep,
	.draw = sweep_draw,
	.act = act,
	.status = status,
	.why_not = why_not,
	.current = current,
	.tick = tick,
	.exact = exact,
	.command = command,
	.savings = savings,
	.save = save,
	.busy = busy,
};
