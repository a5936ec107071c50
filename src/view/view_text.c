/* SPDX-License-Identifier: MIT */
/* view_text.c - a text that is typed, and what fires on each of its tokens. */
#include "view/view_text.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct store *store_of(struct view *v)
{
	return app_session(v->app)->atlas->store;
}

/* ---- the job: tokens, states, features ---- */

struct text_job {
	struct backend *backend;
	struct atlas *atlas;
	char *text;
	struct text_result r;
	struct err err;
};

/* Attention sinks: as the harvest flags them, featlas-atlas(5). */
static void flag_sinks(const struct atlas *a, const f32 *x, u8 *flags, size_t n)
{
	size_t d = a->d_model;
	for (size_t i = 0; i < n && a->norm_median > 0; i++) {
		f64 sum = 0;
		for (size_t k = 0; k < d; k++)
			sum += (f64)x[i * d + k] * (f64)x[i * d + k];
		if (sqrt(sum) > 6.0 * (f64)a->norm_median)
			flags[i] |= TOKEN_SINK;
	}
}

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
	if (backend_connect(j->backend, p, &j->err))
		return -1;
	u32 d = backend_info(j->backend)->d_model;
	if (d != j->atlas->d_model)
		return err_set(&j->err, ERR_FAILED,
			       "the model's states have %u numbers, those of this atlas %u", d,
			       j->atlas->d_model);
	if (backend_tokenize(j->backend, j->text, false, &r->tokens, &r->flags, &r->n, &j->err))
		return -1;
	f32 *x = mem_try(r->n + 1, d * sizeof *x, "states", &j->err);
	if (!x)
		return -1;
	int rc = backend_states(j->backend, r->tokens, r->n, &j->atlas->hook, 1, &x, &j->err);
	if (!rc) {
		flag_sinks(j->atlas, x, r->flags, r->n);
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
}

static void release(void *context)
{
	struct text_job *j = context;
	text_result_release(&j->r);
	free(j->text);
	free(j);
}

static void rebuild(struct view *v)
{
	struct text_view *s = view_state(v);
	text_build(s, store_of(v));
	text_heat(s, store_of(v));
}

static void done(struct view *v, void *context)
{
	struct text_view *s = view_state(v);
	struct text_job *j = context;
	if (j->err.code != ERR_NONE) {
		snprintf(s->trouble, sizeof s->trouble, "%s", j->err.msg);
		return;
	}
	text_result_release(&s->r);
	s->r = j->r;
	memset(&j->r, 0, sizeof j->r);
	s->anchor = SIZE_MAX;
	s->not_from = s->not_to = 0;
	/* the first token that counts */
	for (s->cursor = 0; s->cursor + 1 < s->r.n && s->r.flags[s->cursor] & TOKEN_MASKED;)
		s->cursor++;
	rebuild(v);
	f32 most = 0;
	for (size_t i = 0; i < s->r.n; i++)
		most = MAX(most, s->heats[i]);
	if (most <= 0) { /* the feature one came from is silent here: show where there is anything */
		s->heat = NO_FEATURE;
		rebuild(v);
	}
}

static void start(struct view *v, const char *text)
{
	struct text_view *s = view_state(v);
	struct session *ss = app_session(v->app);
	struct err e = {0};
	char *copy = xstrdup(text);
	free(s->text);
	s->text = copy;
	s->trouble[0] = 0;
	text_result_release(&s->r);
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
	app_job(v, &(struct app_job){.lane = LANE_BACKEND, .what = "reading", .work = work, .done = done,
				     .release = release}, j);
}

/* ---- life ---- */

static int open_text(struct view *v, const struct target *t, struct err *e)
{
	struct text_view *s = view_state(v);
	(void)e;
	s->anchor = SIZE_MAX;
	s->heat = t ? t->feature : NO_FEATURE;
	if (t && t->text)
		start(v, t->text);
	return 0;
}

static void close_text(struct view *v)
{
	struct text_view *s = view_state(v);
	text_result_release(&s->r);
	free(s->text);
	free(s->heats);
	free(s->table);
}

/* ---- acting ---- */

static bool commit(struct view *v, const char *text, void *context)
{
	(void)context;
	if (!*text) {
		app_prompt_fault(v->app, 0, "a text of at least one letter");
		return false;
	}
	start(v, text);
	return true;
}

static void type(struct view *v)
{
	struct text_view *s = view_state(v);
	app_prompt(v, &(struct app_prompt){.label = "text: ", .initial = s->text, .history = "text",
					   .commit = commit});
}

static void edit(struct view *v)
{
	struct text_view *s = view_state(v);
	char *text = app_edit_text(v->app, s->text ? s->text : "");
	if (text && *text)
		start(v, text);
	free(text);
}

static void go_token(struct view *v, i64 to)
{
	struct text_view *s = view_state(v);
	if (!s->r.n)
		return;
	s->cursor = (size_t)MAX(0, MIN(to, (i64)s->r.n - 1));
	rebuild(v);
}

static void go_row(struct view *v, size_t row)
{
	struct text_view *s = view_state(v);
	if (!s->n_table)
		return;
	s->row = MIN(row, s->n_table - 1);
	s->heat = s->table[s->row].id;
	text_heat(s, store_of(v));
}

static void move_row(struct view *v, i64 by)
{
	struct text_view *s = view_state(v);
	i64 to = (i64)s->row + by;
	go_row(v, to < 0 ? 0 : (size_t)to);
}

static void toggle_heat(struct view *v)
{
	struct text_view *s = view_state(v);
	s->heat = s->heat == NO_FEATURE && s->n_table ? s->table[s->row].id : NO_FEATURE;
	text_heat(s, store_of(v));
}

/* On this and not on that: what fires here is left out from now on. */
static void compare(struct view *v)
{
	struct text_view *s = view_state(v);
	if (s->not_to > s->not_from) {
		s->not_from = s->not_to = 0;
	} else {
		text_range(s, &s->not_from, &s->not_to);
		app_message(v->app, "what fires here is left out elsewhere; c again takes it back");
		s->anchor = SIZE_MAX;
	}
	rebuild(v);
}

static void range(struct view *v)
{
	struct text_view *s = view_state(v);
	s->anchor = s->anchor == SIZE_MAX ? s->cursor : SIZE_MAX;
	rebuild(v);
}

static void rank(struct view *v, bool reverse)
{
	struct text_view *s = view_state(v);
	if (reverse)
		s->reverse = !s->reverse;
	else
		s->rank = (s->rank + 1) % N_RANKS;
	rebuild(v);
}

static bool current(struct view *v, u32 *feature)
{
	struct text_view *s = view_state(v);
	if (!s->n_table)
		return false;
	*feature = s->table[s->row].id;
	return true;
}

static const char *why_not(struct view *v, enum action a)
{
	struct text_view *s = view_state(v);
	switch (a) {
	case ACT_LEFT:
	case ACT_RIGHT:
	case ACT_TOKEN_FIRST:
	case ACT_TOKEN_LAST:
	case ACT_RANGE:
	case ACT_COMPARE:
	case ACT_SORT:
	case ACT_REVERSE:
		return s->r.n ? NULL : "no text yet: i types one";
	case ACT_OPEN:
	case ACT_MARK:
	case ACT_NEXT_PANE:
		return s->n_table ? NULL : "nothing fires here";
	case ACT_REFRESH:
		return s->text ? NULL : "no text yet: i types one";
	default:
		return NULL;
	}
}

static void mark(struct view *v)
{
	u32 feature;
	if (current(v, &feature)) {
		app_mark(v->app, feature, !app_is_marked(v->app, feature));
		move_row(v, 1);
	}
}

static enum act_result move(struct view *v, enum action a, int count)
{
	struct text_view *s = view_state(v);
	i64 n = MAX(count, 1), page = MAX(v->h / 2, 1);
	switch (a) {
	case ACT_LEFT:
		go_token(v, (i64)s->cursor - n);
		return VIEW_HANDLED;
	case ACT_RIGHT:
		go_token(v, (i64)s->cursor + n);
		return VIEW_HANDLED;
	case ACT_TOKEN_FIRST:
		go_token(v, 0);
		return VIEW_HANDLED;
	case ACT_TOKEN_LAST:
		go_token(v, INT32_MAX);
		return VIEW_HANDLED;
	case ACT_DOWN:
		move_row(v, n);
		return VIEW_HANDLED;
	case ACT_UP:
		move_row(v, -n);
		return VIEW_HANDLED;
	case ACT_HALF_DOWN:
	case ACT_PAGE_DOWN:
		move_row(v, page);
		return VIEW_HANDLED;
	case ACT_HALF_UP:
	case ACT_PAGE_UP:
		move_row(v, -page);
		return VIEW_HANDLED;
	case ACT_FIRST:
		go_row(v, count > 0 ? (size_t)count - 1 : 0);
		return VIEW_HANDLED;
	case ACT_LAST:
		go_row(v, SIZE_MAX);
		return VIEW_HANDLED;
	default:
		return VIEW_IGNORED;
	}
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct text_view *s = view_state(v);
	switch (a) {
	case ACT_OPEN:
		app_push_feature(v->app, s->table[s->row].id);
		return VIEW_HANDLED;
	case ACT_TYPE:
		type(v);
		return VIEW_HANDLED;
	case ACT_EDIT:
		edit(v);
		return VIEW_HANDLED;
	case ACT_SORT:
		rank(v, false);
		return VIEW_HANDLED;
	case ACT_REVERSE:
		rank(v, true);
		return VIEW_HANDLED;
	case ACT_NEXT_PANE:
	case ACT_PREVIOUS_PANE:
		toggle_heat(v);
		return VIEW_HANDLED;
	case ACT_COMPARE:
		compare(v);
		return VIEW_HANDLED;
	case ACT_RANGE:
		range(v);
		return VIEW_HANDLED;
	case ACT_MARK:
		mark(v);
		return VIEW_HANDLED;
	case ACT_CANCEL:
		if (s->anchor == SIZE_MAX)
			return VIEW_IGNORED;
		range(v);
		return VIEW_HANDLED;
	case ACT_REFRESH: {
		char *text = xstrdup(s->text);
		start(v, text);
		free(text);
		return VIEW_HANDLED;
	}
	default:
		return move(v, a, count);
	}
}

/* ---- what the app asks ---- */

static void status(struct view *v, struct buf *out)
{
	struct text_view *s = view_state(v);
	size_t masked = 0;
	for (size_t i = 0; i < s->r.n; i++)
		masked += (s->r.flags[i] & TOKEN_MASKED) != 0;
	if (s->r.n)
		buf_addf(out, "%zu tokens, %zu masked", s->r.n, masked);
}

static size_t n_rows(struct view *v)
{
	struct text_view *s = view_state(v);
	return s->n_table;
}

static size_t row(struct view *v)
{
	struct text_view *s = view_state(v);
	return s->row;
}

static bool row_text(struct view *v, size_t at, struct buf *out)
{
	struct text_view *s = view_state(v);
	struct label label;
	buf_addf(out, "%.4g #%u", (double)s->table[at].act, (unsigned)s->table[at].id);
	if (session_label(app_session(v->app), s->table[at].id, &label)) {
		buf_addc(out, ' ');
		buf_add(out, label.text.p, label.text.n);
	}
	return true;
}

/* ] and [ follow the table. */
static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct text_view *s = view_state(v);
	for (size_t i = 0; i < s->n_table; i++) {
		i64 at = (i64)i + delta;
		if (s->table[i].id != from || at < 0 || at >= (i64)s->n_table)
			continue;
		go_row(v, (size_t)at);
		*to = s->table[at].id;
		return true;
	}
	return false;
}

static void command(struct view *v, struct buf *out)
{
	struct text_view *s = view_state(v);
	buf_addf(out, "featlas text '%s' '", app_session(v->app)->atlas->folder);
	for (const char *c = s->text ? s->text : ""; *c; c++) {
		if (*c == '\'')
			buf_adds(out, "'\\'");
		buf_addc(out, *c);
	}
	buf_adds(out, "'");
}

static void exact(struct view *v, struct buf *out)
{
	struct text_view *s = view_state(v);
	if (!s->n_table)
		return;
	const struct text_row *t = &s->table[s->row];
	buf_addf(out, "#%u at token %zu: %.9g\nsum over the text: %.9g\n", (unsigned)t->id, s->cursor,
		 (double)t->act, (double)t->sum);
	if (!isnan(t->density))
		buf_addf(out, "density: %.9g\n", (double)t->density);
	command(v, out);
	buf_adds(out, " --json");
}

static const char *busy(struct view *v)
{
	return app_job_runs(v) ? "reading" : NULL;
}

const struct view_class view_text = {
	.name = "text",
	.title = "text",
	.size = sizeof(struct text_view),
	.hints = {{ACT_TYPE, "type"}, {ACT_RIGHT, "token"}, {ACT_SORT, "rank"}, {ACT_OPEN, "open"},
		  {ACT_RANGE, "range"}, {ACT_COMPARE, "and not"}, {ACT_NEXT_PANE, "heat"}},
	.open = open_text,
	.close = close_text,
	.draw = text_draw,
	.act = act,
	.status = status,
	.why_not = why_not,
	.current = current,
	.step = step,
	.n_rows = n_rows,
	.row = row,
	.row_text = row_text,
	.go_row = go_row,
	.exact = exact,
	.command = command,
	.busy = busy,
};
