/* SPDX-License-Identifier: MIT */
/* view_steer.c - turn features up and down and see what the model says. */
#include "view/view_steer.h"
#include "base/mem.h"
#include "base/shell.h"
#include "ui/key.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const f32 STEP = 0.25f, BIG_STEP = 1.0f, FIRST = 1.25f, MOST = 50.0f; /* in units */

/* ---- rows ---- */

struct dose_range steer_range(struct view *v, const struct steer_spec *row, enum intervention_where where)
{
	struct dose_range k = {.onset = NAN, .collapse = NAN, .collapse_low = NAN, .from = NAN, .to = NAN};
	if (!dose_find(app_session(v->app), row, where, &k))
		return k;
	struct steer_spec one = *row;
	one.strength = 1;
	one.times_max = true;
	f32 unit = steer_unit(v, row), max = k.times_max == row->times_max ? 1 : steer_coefficient(v, &one);
	f32 by = k.times_max || k.times_max == row->times_max ? max / unit : 1 / (max * unit);
	k.onset *= by;
	k.collapse *= by;
	k.collapse_low *= by;
	k.from *= by;
	k.to *= by;
	return k;
}

struct steer_spec steer_new_row(struct view *v, u32 feature, enum intervention_where where)
{
	struct steer_spec row = {.feature = feature, .method = STEER_ADD, .where = -1,
				 .times_max = app_session(v->app)->atlas->store != NULL};
	struct dose_range k = steer_range(v, &row, where);
	f32 end = isnan(k.collapse) ? k.to : k.collapse, middle = STEP * floorf((k.onset + end) / 2 / STEP);
	row.strength = (isnan(middle) ? FIRST : middle) * steer_unit(v, &row);
	return row;
}

static bool add_row(struct view *v, u32 feature)
{
	struct steer_view *s = view_state(v);
	for (size_t i = 0; i < s->ask.n_rows; i++)
		if (s->ask.row[i].feature == feature) {
			s->row = i;
			return true;
		}
	if (s->ask.n_rows == STEER_ROWS) {
		app_message(v->app, "%d features at once are as many as go; d removes one", STEER_ROWS);
		return false;
	}
	s->row = s->ask.n_rows;
	s->ask.row[s->ask.n_rows++] = steer_new_row(v, feature, s->ask.where);
	return true;
}

void steer_changed(struct view *v)
{
	struct steer_view *s = view_state(v);
	if (s->rerun && s->ask.n_rows)
		steer_run(v, false);
}

static void remove_row(struct view *v)
{
	struct steer_view *s = view_state(v);
	memmove(&s->ask.row[s->row], &s->ask.row[s->row + 1],
		(s->ask.n_rows - s->row - 1) * sizeof *s->ask.row);
	s->ask.n_rows--;
	s->row = MIN(s->row, s->ask.n_rows ? s->ask.n_rows - 1 : 0);
	steer_changed(v);
}

static bool commit_feature(struct view *v, const char *text, void *context)
{
	struct err e = {0};
	u32 id;
	(void)context;
	if (session_parse_id(app_session(v->app), text, &id, &e)) {
		app_prompt_fault(v->app, 0, e.msg);
		return false;
	}
	if (add_row(v, id))
		steer_changed(v);
	return true;
}

/* The selection, where it has features that are not here yet; else by its number. */
static void add_feature(struct view *v)
{
	struct steer_view *s = view_state(v);
	size_t n, before = s->ask.n_rows;
	u32 *ids = app_marked(v->app, &n);
	for (size_t i = 0; i < n && add_row(v, ids[i]); i++)
		;
	free(ids);
	if (s->ask.n_rows > before)
		steer_changed(v);
	else
		app_prompt(v, &(struct app_prompt){.label = "add feature: #", .commit = commit_feature});
}

static void change_strength(struct view *v, f32 by)
{
	struct steer_view *s = view_state(v);
	struct steer_spec *row = &s->ask.row[s->row];
	f32 unit = steer_unit(v, row), most = MOST * unit;
	row->strength = MIN(MAX(row->strength + by * unit, -most), most);
	steer_changed(v);
}

static void next_method(struct view *v)
{
	struct steer_view *s = view_state(v);
	struct steer_spec *row = &s->ask.row[s->row];
	/* a strength of one's own outlives the two methods that begin with theirs */
	if (s->cycle.feature != row->feature || s->cycle.now != row->strength)
		s->cycle.units = row->strength / steer_unit(v, row);
	row->method = (row->method + 1) % N_STEER_METHODS;
	/* what these two are for, as in --feature */
	f32 units = row->method == STEER_ORTHOGONAL ? 0 : row->method == STEER_CAP ? 1 : s->cycle.units;
	row->strength = units * steer_unit(v, row);
	s->cycle.feature = row->feature;
	s->cycle.now = row->strength;
	steer_changed(v);
}

/* ---- a strength typed digit by digit, at work as it is typed ---- */

static void typing_ends(struct steer_view *s)
{
	s->n_typed = 0;
	s->typed[0] = 0;
}

static void apply_typed(struct view *v)
{
	struct steer_view *s = view_state(v);
	struct steer_spec *row = &s->ask.row[s->row];
	char *end;
	f32 value = strtof(s->typed, &end), most = MOST * steer_unit(v, row);
	if (end != s->typed && !*end && isfinite(value))
		row->strength = MIN(MAX(value, -most), most);
	else
		row->strength = s->before.strength;
}

bool steer_is_minus(const struct steer_view *s)
{
	return s->n_typed == 1 && s->typed[0] == '-';
}

/* A step down at once; a digit that follows makes it a negative number instead. */
static void minus(struct view *v)
{
	struct steer_view *s = view_state(v);
	s->before = s->ask.row[s->row];
	s->n_typed = 1;
	strcpy(s->typed, "-");
	change_strength(v, -STEP);
}

static const char *why_not(struct view *v, enum action a);

static bool key(struct view *v, u32 k)
{
	struct steer_view *s = view_state(v);
	bool number = (k >= '0' && k <= '9') || (k == '.' && s->n_typed);
	if (s->in_list || !s->ask.n_rows)
		return false;
	if (k == '-' && (!s->n_typed || steer_is_minus(s)) && !why_not(v, ACT_LESS)) {
		minus(v);
		return true;
	}
	if (number && s->n_typed + 1 < sizeof s->typed) {
		if (!s->n_typed)
			s->before = s->ask.row[s->row];
		s->typed[s->n_typed++] = (char)k;
		s->typed[s->n_typed] = 0;
		apply_typed(v);
		return true;
	}
	if (!s->n_typed)
		return false;
	if (k == KEY_ESCAPE)
		s->ask.row[s->row] = s->before;
	if (k == KEY_BACK) {
		s->typed[--s->n_typed] = 0;
		apply_typed(v);
		return true;
	}
	typing_ends(s);
	return k == KEY_ESCAPE;
}

/* ---- the prompt ---- */

static bool commit_prompt(struct view *v, const char *text, void *context)
{
	struct steer_view *s = view_state(v);
	(void)context;
	if (!*text) {
		app_prompt_fault(v->app, 0, "a prompt of at least one letter");
		return false;
	}
	char *copy = xstrdup(text);
	free(s->ask.prompt);
	s->ask.prompt = copy;
	steer_changed(v);
	return true;
}

static void edit_prompt(struct view *v)
{
	struct steer_view *s = view_state(v);
	char *text = app_edit_text(v->app, s->ask.prompt);
	if (text && *text)
		commit_prompt(v, text, NULL);
	free(text);
}

/* ---- life ---- */

static int open_steer(struct view *v, const struct target *t, struct err *e)
{
	struct steer_view *s = view_state(v);
	(void)e;
	const char *prompt = t && t->text ? t->text : "What did you do last weekend?";
	s->ask = (struct steer_ask){.prompt = xstrdup(prompt), .chat = true, .seed = 1, .n_tokens = 60};
	for (size_t i = 0; t && i < t->n_ids; i++)
		if (!add_row(v, t->ids[i]))
			break;
	if (t && !t->n_ids && t->feature != NO_FEATURE)
		add_row(v, t->feature);
	if (t && t->steer) {
		free(s->ask.prompt);
		s->ask = *t->steer;
		s->ask.prompt = xstrdup(t->steer->prompt);
	}
	s->row = 0;
	steer_load_past(v);
	s->in_list = !s->ask.n_rows && json_array_size(s->past) > 0;
	if (t && t->run)
		steer_play(v, t->run);
	return 0;
}

static void close_steer(struct view *v)
{
	struct steer_view *s = view_state(v);
	steer_live_drop(s->live);
	free(s->ask.prompt);
	json_decref(s->past);
	json_decref(s->best);
}

/* ---- acting ---- */

static void move(struct view *v, i64 by)
{
	struct steer_view *s = view_state(v);
	size_t *at = s->in_list ? &s->past_at : &s->row;
	i64 n = s->in_list ? (i64)json_array_size(s->past) : (i64)s->ask.n_rows;
	i64 to = (i64)*at + by;
	*at = (size_t)MAX(0, MIN(to, n - 1));
}

static void copy_steered(struct view *v)
{
	struct steer_view *s = view_state(v);
	struct steer_live *l = s->live;
	pthread_mutex_lock(&l->lock);
	char *text = xstrndup(l->stream[1].text.s, l->stream[1].text.n);
	pthread_mutex_unlock(&l->lock);
	app_copy(v->app, text);
	free(text);
}

static size_t savings(struct view *v, const struct app_menu_item **items)
{
	static const struct app_menu_item list[] = {{'r', "the run that is shown, as JSON"}};
	*items = list;
	return ((struct steer_view *)view_state(v))->live ? 1 : 0;
}

static void save(struct view *v, size_t which)
{
	struct steer_view *s = view_state(v);
	(void)which;
	struct buf out = BUF_INIT;
	json_t *j = steer_run_json(v, &s->ask, s->live);
	json_add_line(&out, j);
	buf_addc(&out, '\n');
	app_save(v->app, "run", "json", &out);
	json_decref(j);
	buf_release(&out);
}

static const char *why_not(struct view *v, enum action a)
{
	struct steer_view *s = view_state(v);
	bool rows = s->ask.n_rows > 0 && !s->in_list;
	switch (a) {
	case ACT_LEFT:
	case ACT_RIGHT:
	case ACT_BIG_LEFT:
	case ACT_BIG_RIGHT:
	case ACT_MORE:
	case ACT_LESS:
		if (rows && s->ask.row[s->row].method == STEER_ABLATE)
			return "ablate takes the feature out: it has no strength; s changes the method";
		return rows ? NULL : "no feature here: a adds one";
	case ACT_SORT:
	case ACT_ROW_REMOVE:
		return rows ? NULL : "no feature here: a adds one";
	case ACT_OPEN:
	case ACT_REFRESH:
		if (rows || (a == ACT_OPEN && s->in_list))
			return NULL;
		return "nothing to steer with: a adds a feature";
	case ACT_NEXT_PANE:
	case ACT_PREVIOUS_PANE:
		return json_array_size(s->past) ? NULL : "no recorded runs; what is run here is kept";
	case ACT_COMPARE:
	case ACT_COPY:
		return s->live ? NULL : "nothing has been run yet: Enter runs";
	default:
		return NULL;
	}
}

static enum act_result act_row(struct view *v, enum action a, f32 n)
{
	switch (a) {
	case ACT_LEFT:
	case ACT_LESS:
		change_strength(v, -n * STEP);
		return VIEW_HANDLED;
	case ACT_RIGHT:
	case ACT_MORE:
		change_strength(v, n * STEP);
		return VIEW_HANDLED;
	case ACT_BIG_LEFT:
		change_strength(v, -n * BIG_STEP);
		return VIEW_HANDLED;
	case ACT_BIG_RIGHT:
		change_strength(v, n * BIG_STEP);
		return VIEW_HANDLED;
	case ACT_SORT:
		next_method(v);
		return VIEW_HANDLED;
	case ACT_ROW_ADD:
		add_feature(v);
		return VIEW_HANDLED;
	case ACT_ROW_REMOVE:
		remove_row(v);
		return VIEW_HANDLED;
	default:
		return VIEW_IGNORED;
	}
}

static enum act_result act_run(struct view *v, enum action a)
{
	struct steer_view *s = view_state(v);
	switch (a) {
	case ACT_OPEN:
		if (s->in_list)
			steer_play(v, json_array_get(s->past, json_array_size(s->past) - 1 - s->past_at));
		else
			steer_run(v, false);
		return VIEW_HANDLED;
	case ACT_REFRESH:
		steer_run(v, true);
		return VIEW_HANDLED;
	case ACT_COMPARE:
		s->diff = !s->diff;
		return VIEW_HANDLED;
	case ACT_VIEW_RERUN:
		s->rerun = !s->rerun;
		app_message(v->app, s->rerun ? "runs again with each change; zr turns that off"
					     : "runs when Enter is pressed");
		return VIEW_HANDLED;
	case ACT_COPY:
		copy_steered(v);
		return VIEW_HANDLED;
	case ACT_GO_SWEEP:
		if (!s->ask.n_rows)
			return VIEW_IGNORED;
		app_push(v->app, &view_sweep, &(struct target){.feature = NO_FEATURE, .steer = &s->ask});
		return VIEW_HANDLED;
	default:
		return VIEW_IGNORED;
	}
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct steer_view *s = view_state(v);
	int n = MAX(count, 1), page = MAX(v->h / 3, 1);
	switch (a) {
	case ACT_DOWN:
		move(v, n);
		return VIEW_HANDLED;
	case ACT_UP:
		move(v, -n);
		return VIEW_HANDLED;
	case ACT_FIRST:
		move(v, INT32_MIN);
		return VIEW_HANDLED;
	case ACT_LAST:
		move(v, INT32_MAX);
		return VIEW_HANDLED;
	case ACT_NEXT_PANE:
	case ACT_PREVIOUS_PANE:
		s->in_list = !s->in_list;
		return VIEW_HANDLED;
	case ACT_HALF_DOWN:
	case ACT_PAGE_DOWN:
		s->scroll = MIN(s->scroll + page, s->scroll_end);
		return VIEW_HANDLED;
	case ACT_HALF_UP:
	case ACT_PAGE_UP:
		s->scroll = MAX(s->scroll - page, 0);
		return VIEW_HANDLED;
	case ACT_TYPE:
		app_prompt(v, &(struct app_prompt){.label = "prompt: ", .initial = s->ask.prompt,
						   .history = "steer", .commit = commit_prompt});
		return VIEW_HANDLED;
	case ACT_EDIT:
		edit_prompt(v);
		return VIEW_HANDLED;
	case ACT_OPTIONS:
		steer_options(v);
		return VIEW_HANDLED;
	default:
		break;
	}
	enum act_result r = act_run(v, a);
	return r == VIEW_IGNORED ? act_row(v, a, (f32)n) : r;
}

/* ---- what the app asks ---- */

static bool current(struct view *v, u32 *feature)
{
	struct steer_view *s = view_state(v);
	if (!s->ask.n_rows)
		return false;
	*feature = s->ask.row[s->row].feature;
	return true;
}

static void status(struct view *v, struct buf *out)
{
	struct steer_view *s = view_state(v);
	struct steer_live *l = s->live;
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	size_t n = MAX(l->stream[0].n, l->stream[1].n);
	if (l->replayed)
		buf_adds(out, "recorded run");
	else
		buf_addf(out, "%zu/%u", n, (unsigned)l->n_tokens);
	if (l->seconds > 0 && n && !l->replayed)
		buf_addf(out, ", %.0f tok/s", (double)n / l->seconds);
	pthread_mutex_unlock(&l->lock);
}

static bool tick(struct view *v)
{
	struct steer_view *s = view_state(v);
	return s->live != NULL;
}

static void command(struct view *v, struct buf *out)
{
	struct steer_view *s = view_state(v);
	atlas_add_command(app_session(v->app)->atlas, "steer", out);
	buf_adds(out, " --prompt ");
	shell_add_word(out, s->ask.prompt);
	for (size_t i = 0; i < s->ask.n_rows; i++) {
		struct buf spec = BUF_INIT;
		steer_spec_add(&s->ask.row[i], &spec);
		buf_adds(out, " --feature ");
		shell_add_word(out, spec.s);
		buf_release(&spec);
	}
	buf_addf(out, " -n %u --seed %llu --temperature %g", (unsigned)s->ask.n_tokens,
		 (unsigned long long)s->ask.seed, (double)s->ask.temperature);
	if (s->ask.where != WHERE_REPLY)
		buf_adds(out, s->ask.where == WHERE_PROMPT ? " --where prompt" : " --where both");
	if (!s->ask.chat)
		buf_adds(out, " --plain");
}

static void exact(struct view *v, struct buf *out)
{
	struct steer_view *s = view_state(v);
	for (size_t i = 0; i < s->ask.n_rows; i++)
		buf_addf(out, "#%u %s: coefficient %.9g\n", (unsigned)s->ask.row[i].feature,
			 steer_spec_method(s->ask.row[i].method),
			 (double)steer_coefficient(v, &s->ask.row[i]));
	command(v, out);
	buf_adds(out, " --json");
}

static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct steer_view *s = view_state(v);
	for (size_t i = 0; i < s->ask.n_rows; i++) {
		i64 at = (i64)i + delta;
		if (s->ask.row[i].feature != from || at < 0 || at >= (i64)s->ask.n_rows)
			continue;
		s->row = (size_t)at;
		*to = s->ask.row[at].feature;
		return true;
	}
	return false;
}

static const char *busy(struct view *v)
{
	return app_job_runs(v) ? "generating" : NULL;
}

/* The line between the streams can be dragged. */
static bool drag(struct view *v, int x, int y, bool began)
{
	struct steer_view *s = view_state(v);
	if (began)
		return s->bar_x && x == s->bar_x && y >= s->bar_y;
	s->left_wish = MAX(x - 1, 1);
	return true;
}

const struct view_class view_steer = {
	.name = "steer",
	.title = "steer",
	.size = sizeof(struct steer_view),
	.hints = {{ACT_RIGHT, "strength", ACT_LEFT}, {ACT_SORT, "method"}, {ACT_ROW_ADD, "add"}, {ACT_OPEN, "run"},
		  {ACT_TYPE, "prompt"}, {ACT_COMPARE, "diff"}, {ACT_OPTIONS, "options"},
		  {ACT_NEXT_PANE, "runs"}},
	.open = open_steer,
	.close = close_steer,
	.draw = steer_draw,
	.act = act,
	.drag = drag,
	.status = status,
	.key = key,
	.why_not = why_not,
	.current = current,
	.step = step,
	.tick = tick,
	.exact = exact,
	.command = command,
	.savings = savings,
	.save = save,
	.keep = steer_keep_ask,
	.take_up = steer_take_up,
	.busy = busy,
};
