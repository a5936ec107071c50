/* SPDX-License-Identifier: MIT */
/* view_find.c - the feature for a concept: texts of it on the left, others on the right, features below.
 *
 * What is typed is read by a job, and the ranking follows; texts that have been read are kept.
 */
#include "view/view_find.h"

#include "backend/attach.h"
#include "base/mem.h"
#include "base/shell.h"
#include "view/list_act.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RANKED = 1000, FOLDS = 5 };
static const struct find_filter on_and_not_on = {1, 0};

struct find_job {
	struct backend *backend;
	struct atlas *atlas;
	struct concept c;
	bool chat, strict;
	struct concept_result r;
	struct err e;
	int bad;
};

/* ---- reading and ranking ---- */

static int run_job(struct find_job *j, struct progress *p)
{
	char warning[ATTACH_WARNING]; /* the head of the screen says it */
	struct concept_place place = {.atlas = j->atlas, .backend = j->backend, .chat = j->chat, .progress = p};
	if (attach_model(j->backend, j->atlas, p, warning, &j->e) || concept_read(&j->c, &place, &j->e))
		return -1;
	return concept_rank(&j->c, j->atlas->n_features, NULL, j->strict ? &on_and_not_on : NULL, FOLDS, RANKED, &j->r,
			    &j->e);
}

static void work(void *context, struct progress *p)
{
	struct find_job *j = context;
	j->bad = run_job(j, p);
	if (j->bad && j->e.code == ERR_NONE)
		err_set(&j->e, ERR_FAILED, "the backend gave no answer");
	detach_model(j->backend);
}

static void done(struct view *v, void *context)
{
	struct find_view *s = view_state(v);
	struct find_job *j = context;
	struct concept old = s->c;
	s->c = j->c; /* with what has been read */
	j->c = old;
	if (j->bad) {
		snprintf(s->trouble, sizeof s->trouble, "%s", j->e.msg);
		return;
	}
	concept_result_release(&s->r);
	s->r = j->r;
	j->r = (struct concept_result){0};
	s->ranked = true;
	list_resize(&s->ranking, s->r.n, s->ranking.h);
	list_go(&s->ranking, 0);
}

static void release(void *context)
{
	struct find_job *j = context;
	concept_release(&j->c);
	concept_result_release(&j->r);
	free(j);
}

static void start(struct view *v)
{
	struct find_view *s = view_state(v);
	struct session *session = app_session(v->app);
	struct err e = {0};
	app_job_cancel(v);
	s->ranked = false;
	s->trouble[0] = 0;
	list_resize(&s->ranking, 0, s->ranking.h);
	if (!s->c.count[CONCEPT_POSITIVE] || !s->c.count[CONCEPT_NEGATIVE])
		return;
	struct backend *b = session_backend(session, &e);
	if (!b) {
		snprintf(s->trouble, sizeof s->trouble, "%s", e.msg);
		return;
	}
	struct find_job *j = xcalloc(1, sizeof *j);
	j->backend = b;
	j->atlas = session->atlas;
	j->chat = !s->plain;
	j->strict = s->strict;
	concept_copy(&s->c, &j->c);
	app_job(v, &(struct app_job){.lane = LANE_BACKEND, .what = "finding", .work = work, .done = done, .release = release},
		j);
}

/* ---- the texts ---- */

size_t find_text_at(const struct find_view *s, int pane, u64 row)
{
	for (size_t i = 0; i < s->c.n; i++)
		if ((int)s->c.text[i].kind == pane && !row--)
			return i;
	return SIZE_MAX;
}

static size_t text_here(const struct find_view *s)
{
	return s->focus == ON_RANKING ? SIZE_MAX : find_text_at(s, (int)s->focus, s->texts[s->focus].at);
}

static void texts_changed(struct view *v)
{
	struct find_view *s = view_state(v);
	for (int k = 0; k < FIND_PANES; k++)
		list_resize(&s->texts[k], s->c.count[k], s->texts[k].h);
	start(v);
}

static int pane_of(const struct find_view *s)
{
	return s->focus == ON_NEGATIVE ? CONCEPT_NEGATIVE : CONCEPT_POSITIVE;
}

static bool commit_add(struct view *v, const char *text, void *context)
{
	struct find_view *s = view_state(v);
	struct err e = {0};
	int kind = pane_of(s);
	(void)context;
	if (!*text)
		return true;
	const char *path = text + 1 + strspn(text + 1, " ");
	if (*text == '<' ? concept_add_file(&s->c, (enum concept_kind)kind, path, &e)
			 : concept_add(&s->c, (enum concept_kind)kind, text, strlen(text), &e)) {
		app_prompt_fault(v->app, 0, e.msg);
		return false;
	}
	s->focus = (enum focus)kind;
	texts_changed(v);
	list_go(&s->texts[kind], s->c.count[kind] - 1);
	return true;
}

static void add(struct view *v)
{
	struct find_view *s = view_state(v);
	app_prompt(v, &(struct app_prompt){.label = pane_of(s) == CONCEPT_POSITIVE ? "a text of the concept, or <FILE: "
										  : "another text, or <FILE: ",
					   .history = "text", .commit = commit_add});
}

static void replace(struct view *v, size_t i, const char *text)
{
	struct find_view *s = view_state(v);
	enum concept_kind kind = s->c.text[i].kind;
	struct concept_text x;
	concept_add(&s->c, kind, text, strlen(text), NULL);
	/* in its place */
	x = s->c.text[s->c.n - 1];
	s->c.text[s->c.n - 1] = s->c.text[i];
	s->c.text[i] = x;
	concept_remove(&s->c, s->c.n - 1);
}

static bool commit_type(struct view *v, const char *text, void *context)
{
	struct find_view *s = view_state(v);
	size_t i = text_here(s);
	(void)context;
	if (i == SIZE_MAX)
		return true;
	if (*text)
		replace(v, i, text);
	else
		concept_remove(&s->c, i);
	texts_changed(v);
	return true;
}

static void type(struct view *v)
{
	struct find_view *s = view_state(v);
	size_t i = text_here(s);
	if (i == SIZE_MAX)
		add(v);
	else
		app_prompt(v, &(struct app_prompt){.label = "text: ", .initial = s->c.text[i].text, .history = "text",
						   .commit = commit_type});
}

/* All texts of a pane, a line each. */
static void edit(struct view *v)
{
	struct find_view *s = view_state(v);
	int kind = pane_of(s);
	struct buf b = BUF_INIT;
	for (size_t i = 0, k; (k = find_text_at(s, kind, i)) != SIZE_MAX; i++) {
		size_t from = b.n;
		buf_adds(&b, s->c.text[k].text);
		for (size_t c = from; c < b.n; c++)
			b.s[c] = b.s[c] == '\n' ? ' ' : b.s[c];
		buf_addc(&b, '\n');
	}
	char *text = app_edit_text(v->app, b.s);
	buf_release(&b);
	if (!text)
		return;
	for (size_t k; (k = find_text_at(s, kind, 0)) != SIZE_MAX;)
		concept_remove(&s->c, k);
	for (char *save, *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
		concept_add(&s->c, (enum concept_kind)kind, line, strlen(line), NULL);
	free(text);
	texts_changed(v);
}

static void remove_text(struct view *v)
{
	struct find_view *s = view_state(v);
	concept_remove(&s->c, text_here(s));
	texts_changed(v);
}

/* ---- acting ---- */

static bool current(struct view *v, u32 *feature)
{
	struct find_view *s = view_state(v);
	if (!s->ranked || !s->r.n)
		return false;
	*feature = s->r.best[s->ranking.at].feature;
	return true;
}

static void open_here(struct view *v)
{
	struct find_view *s = view_state(v);
	size_t i = text_here(s);
	u32 f;
	if (s->focus == ON_RANKING) {
		if (current(v, &f))
			app_push_feature(v->app, f);
	} else if (i == SIZE_MAX)
		add(v);
	else
		app_push(v->app, &view_text, &(struct target){.feature = NO_FEATURE, .text = s->c.text[i].text});
}

static void mark(struct view *v)
{
	struct find_view *s = view_state(v);
	u32 f;
	if (!current(v, &f))
		return;
	app_mark(v->app, f, !app_is_marked(v->app, f));
	list_move(&s->ranking, 1);
}

static void mark_all(struct view *v)
{
	struct find_view *s = view_state(v);
	for (size_t i = 0; i < s->r.n; i++)
		app_mark(v->app, s->r.best[i].feature, true);
	app_message(v->app, "%zu are marked; t tags them", s->r.n);
}

static void turn(struct view *v, int by)
{
	struct find_view *s = view_state(v);
	s->focus = (enum focus)(((int)s->focus + by + N_FOCUSES) % N_FOCUSES);
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct find_view *s = view_state(v);
	if (list_act(s->focus == ON_RANKING ? &s->ranking : &s->texts[s->focus], a, count))
		return VIEW_HANDLED;
	switch (a) {
	case ACT_OPEN: open_here(v); break;
	case ACT_NEXT_PANE: case ACT_RIGHT: turn(v, 1); break;
	case ACT_PREVIOUS_PANE: case ACT_LEFT: turn(v, -1); break;
	case ACT_TYPE: type(v); break;
	case ACT_EDIT: edit(v); break;
	case ACT_TEXT_ADD: add(v); break;
	case ACT_TEXT_REMOVE: remove_text(v); break;
	case ACT_MARK: mark(v); break;
	case ACT_MARK_HITS: mark_all(v); break;
	case ACT_REFRESH: concept_forget(&s->c); start(v); break;
	case ACT_COMPARE:
		s->strict = !s->strict;
		start(v);
		break;
	case ACT_OPTIONS:
		s->plain = !s->plain;
		app_message(v->app, s->plain ? "texts are read as they are" : "texts go into the chat template");
		concept_forget(&s->c);
		start(v);
		break;
	default: return VIEW_IGNORED;
	}
	return VIEW_HANDLED;
}

static const char *why_not(struct view *v, enum action a)
{
	struct find_view *s = view_state(v);
	bool ranking = a == ACT_MARK || a == ACT_MARK_HITS || a == ACT_TAG || a == ACT_LABEL || a == ACT_RATE;
	if (ranking && (!s->ranked || !s->r.n))
		return "nothing has been found yet";
	if (a == ACT_MARK && s->focus != ON_RANKING)
		return "this is a text; Tab goes on to the features";
	if (a == ACT_TEXT_REMOVE && text_here(s) == SIZE_MAX)
		return "no text is under the cursor";
	if ((a == ACT_TYPE || a == ACT_EDIT || a == ACT_TEXT_ADD) && s->focus == ON_RANKING)
		return "these are features; Tab goes to the texts";
	return NULL;
}

/* ---- what the app asks ---- */

static void close(struct view *v)
{
	struct find_view *s = view_state(v);
	concept_release(&s->c);
	concept_result_release(&s->r);
}

static bool step(struct view *v, u32 from, int delta, u32 *to)
{
	struct find_view *s = view_state(v);
	for (size_t i = 0; s->ranked && i < s->r.n; i++) {
		i64 at = (i64)i + delta;
		if (s->r.best[i].feature != from || at < 0 || at >= (i64)s->r.n)
			continue;
		list_go(&s->ranking, (u64)at);
		*to = s->r.best[at].feature;
		return true;
	}
	return false;
}

static bool tick(struct view *v)
{
	return app_job_runs(v);
}

static size_t n_rows(struct view *v)
{
	struct find_view *s = view_state(v);
	return s->ranked ? s->r.n : 0;
}

static size_t row(struct view *v)
{
	return ((struct find_view *)view_state(v))->ranking.at;
}

static void go_row(struct view *v, size_t at)
{
	struct find_view *s = view_state(v);
	s->focus = ON_RANKING;
	list_go(&s->ranking, at);
}

static bool row_text(struct view *v, size_t at, struct buf *out)
{
	struct find_view *s = view_state(v);
	if (!s->ranked || at >= s->r.n)
		return false;
	char *label = session_label_text(app_session(v->app), s->r.best[at].feature);
	buf_addf(out, "%.3f #%u %s", (f64)s->r.best[at].auroc, s->r.best[at].feature, label);
	free(label);
	return true;
}

/* The texts as files that the shell makes of a list. */
static void add_texts(struct buf *out, const struct concept *c, int kind)
{
	buf_adds(out, " <(printf '%s\\n'");
	for (size_t i = 0; i < c->n; i++) {
		if ((int)c->text[i].kind != kind)
			continue;
		struct buf line = BUF_INIT;
		if (strpbrk(c->text[i].text, "\r\n") || *c->text[i].text == '{') {
			json_t *j = json_pack("{s:o}", "text", json_text(c->text[i].text, strlen(c->text[i].text)));
			json_add_line(&line, j);
			json_decref(j);
		} else
			buf_adds(&line, c->text[i].text);
		buf_addc(out, ' ');
		shell_add_word(out, line.s);
		buf_release(&line);
	}
	buf_addc(out, ')');
}

static void command(struct view *v, struct buf *out)
{
	struct find_view *s = view_state(v);
	atlas_add_command(app_session(v->app)->atlas, "find", out);
	buf_adds(out, " --pos");
	add_texts(out, &s->c, CONCEPT_POSITIVE);
	buf_adds(out, " --neg");
	add_texts(out, &s->c, CONCEPT_NEGATIVE);
	buf_adds(out, s->strict ? " --on 1 --off 0" : "");
	buf_adds(out, s->plain ? " --plain" : "");
}

static void exact(struct view *v, struct buf *out)
{
	struct find_view *s = view_state(v);
	if (s->ranked && s->r.n) {
		const struct find_score *x = &s->r.best[s->ranking.at];
		buf_addf(out, "#%u\nAUROC           %.9g\nmean difference %.9g\nfires on        %u of %zu, %u of %zu\n", x->feature,
			 (f64)x->auroc, (f64)x->mean_difference, x->n_positive, s->c.count[0], x->n_negative, s->c.count[1]);
		buf_addf(out, "held out        %.9g\n", (f64)s->r.held_out.auroc);
	}
	command(v, out);
}

static void status(struct view *v, struct buf *out)
{
	struct find_view *s = view_state(v);
	if (s->plain)
		buf_adds(out, "no template");
}

static const char *busy(struct view *v)
{
	return app_job_runs(v) ? "finding" : NULL;
}

static void click(struct view *v, int x, int y, int times)
{
	struct find_view *s = view_state(v);
	if (y >= s->ranking_y) {
		s->focus = ON_RANKING;
		if (s->ranking.top + (u64)(y - s->ranking_y) < s->ranking.n)
			list_go(&s->ranking, s->ranking.top + (u64)(y - s->ranking_y));
		if (times == 2)
			open_here(v);
		return;
	}
	s->focus = x < v->w / 2 ? ON_POSITIVE : ON_NEGATIVE;
	if (y > 0)
		list_go(&s->texts[s->focus], s->texts[s->focus].top + (u64)y - 1);
}

const struct view_class view_find = {
	.name = "find",
	.title = "find",
	.size = sizeof(struct find_view),
	.hints = {{ACT_TEXT_ADD, "add"}, {ACT_TEXT_REMOVE, "remove"}, {ACT_NEXT_PANE, "side"}, {ACT_TYPE, "type"},
		  {ACT_COMPARE, "and not"}, {ACT_MARK, "mark"}, {ACT_TAG, "tag"},
		  {ACT_OPEN, "open"}},
	.close = close,
	.draw = find_draw,
	.act = act,
	.why_not = why_not,
	.current = current,
	.step = step,
	.tick = tick,
	.n_rows = n_rows,
	.row = row,
	.go_row = go_row,
	.row_text = row_text,
	.exact = exact,
	.command = command,
	.status = status,
	.busy = busy,
	.click = click,
};
