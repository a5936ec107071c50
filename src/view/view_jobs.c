/* SPDX-License-Identifier: MIT */
/* view_jobs.c - what runs, what waits and what has run: progress, and stopping one. */
#include "view/app_private.h"

#include "ui/list.h"
#include "ui/plot.h"
#include "view/list_act.h"

#include <stdio.h>
#include <string.h>

static const char *const states[] = {"waiting", "running", "done", "stopped"};

static int open(struct view *v, const struct target *t, struct err *e)
{
	(void)t;
	(void)e;
	list_resize(view_state(v), v->app->n_records, v->h);
	return 0;
}

/* The newest first. */
static struct job_record *record_at(struct view *v, u64 row)
{
	struct app *a = v->app;
	return row < a->n_records ? &a->records[a->n_records - 1 - row] : NULL;
}

static struct job_record *here(struct view *v)
{
	return record_at(v, ((struct list *)view_state(v))->at);
}

static void progress_words(const struct job_record *j, const struct progress *p, char out[64])
{
	u64 done = p ? atomic_load(&p->done) : j->done, total = p ? atomic_load(&p->total) : j->total;
	const char *unit = p ? atomic_load(&p->unit) : j->unit;
	out[0] = 0;
	if (total && (j->state != JOB_DONE || done >= total)) /* a text may end before its most tokens */
		snprintf(out, 64, "%.0f %%", 100.0 * (f64)done / (f64)total);
	else if (done)
		snprintf(out, 64, "%llu %.20s", (unsigned long long)done, unit ? unit : "");
}

static void draw_row(struct view *v, struct rect r, int y, const struct job_record *j)
{
	const struct progress *p = app_record_progress(v->app, j);
	char words[64], number[16], time[24] = "";
	bool live = j->state == JOB_RUNNING || j->state == JOB_WAITING;
	snprintf(number, sizeof number, "%llu", (unsigned long long)j->number);
	rect_puts_right(r, 5, y, STYLE_ID, number);
	rect_puts(r, 7, y, live ? STYLE_LABEL_PERSON : STYLE_DIM, states[j->state]);
	/* the figures are of the stage that runs: the loading of a model comes before its work */
	const char *stage = p ? atomic_load(&p->what) : NULL;
	stage = stage ? stage : j->what;
	rect_put_cut(r, 16, y, 24, STYLE_NORMAL, stage, strlen(stage));
	progress_words(j, p, words);
	f64 part = p && atomic_load(&p->total) ? (f64)atomic_load(&p->done) / (f64)atomic_load(&p->total) : 0;
	if (r.w >= 64) {
		if (live && part > 0)
			plot_bar(r, 41, y, 10, STYLE_BAR, MIN(part, 1.0));
		rect_put_cut(r, 52, y, 10, STYLE_NUMBER, words, strlen(words));
		rect_put_cut(r, 63, y, r.w - 63 - 9, STYLE_DIM, j->screen, strlen(j->screen));
	}
	if (!app_is_script(v->app) && j->began)
		snprintf(time, sizeof time, "%.1f s", (f64)((j->ended ? j->ended : app_now_ms()) - j->began) / 1e3);
	rect_puts_right(r, r.w - 1, y, STYLE_NUMBER, time);
}

static void draw(struct view *v, struct rect r)
{
	struct list *l = view_state(v);
	list_resize(l, v->app->n_records, r.h - 1);
	rect_fill(r, 0, 0, r.w, 1, STYLE_HEAD, ' ');
	rect_puts(r, 4, 0, STYLE_HEAD, "#");
	rect_puts(r, 7, 0, STYLE_HEAD, "state");
	rect_puts(r, 16, 0, STYLE_HEAD, "what");
	if (r.w >= 64)
		rect_puts(r, 63, 0, STYLE_HEAD, "for");
	if (!l->n)
		rect_puts(r, 1, 2, STYLE_DIM, "nothing was worked on yet");
	struct rect rows = rect_sub(r, 0, 1, r.w, r.h - 1);
	for (int y = 0; y < rows.h && l->top + (u64)y < l->n; y++) {
		draw_row(v, rows, y, record_at(v, l->top + (u64)y));
		if (l->top + (u64)y == l->at) {
			rect_puts(rows, 0, y, STYLE_MARK, ">");
			rect_cursor_row(rows, y);
			rect_cursor(rows, 0, y);
		}
	}
}

static enum act_result act(struct view *v, enum action a, int count)
{
	struct job_record *j = here(v);
	if (list_act(view_state(v), a, count))
		return VIEW_HANDLED;
	if (a == ACT_STOP && j && (j->state == JOB_RUNNING || j->state == JOB_WAITING)) {
		app_record_stop(v->app, j);
		app_message(v->app, "stopping \"%s\"", j->what);
		return VIEW_HANDLED;
	}
	if (a == ACT_STOP && j) {
		app_message(v->app, "that has ended already");
		return VIEW_HANDLED;
	}
	if (a != ACT_OPEN)
		return VIEW_IGNORED;
	if (!j || !app_record_show(v->app, j))
		app_message(v->app, "its screen is closed");
	return VIEW_HANDLED;
}

static const char *why_not(struct view *v, enum action a)
{
	return a == ACT_OPEN && !v->app->n_records ? "nothing was worked on yet" : NULL;
}

static void status(struct view *v, struct buf *out)
{
	size_t n = 0;
	for (size_t i = 0; i < v->app->n_records; i++)
		n += v->app->records[i].state <= JOB_RUNNING;
	if (n)
		buf_addf(out, "%zu at work", n);
}

static bool tick(struct view *v)
{
	(void)v;
	return true;
}

static void click(struct view *v, int x, int y, int times)
{
	struct list *l = view_state(v);
	(void)x;
	if (y < 1 || l->top + (u64)(y - 1) >= l->n)
		return;
	list_go(l, l->top + (u64)(y - 1));
	if (times == 2)
		act(v, ACT_OPEN, 0);
}

const struct view_class view_jobs = {
	.name = "jobs",
	.title = "jobs",
	.size = sizeof(struct list),
	.hints = {{ACT_OPEN, "its screen"}, {ACT_STOP, "stop"}, {ACT_CLOSE, "close"}},
	.open = open,
	.draw = draw,
	.act = act,
	.why_not = why_not,
	.status = status,
	.tick = tick,
	.click = click,
};
