/* SPDX-License-Identifier: MIT */
/* app_job.c - work beside the screen: threads, lanes, results that come back. */
#include "view/app_private.h"

#include "base/mem.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORTH_A_THREAD = 1 << 20 /* bytes to free */ };

static void work(void *arg)
{
	struct job_item *j = arg;
	/* a model's process would inherit it, and is to be as quick as others' programs; and a frame may wait for
	 * what has no name */
	if (j->spec.lane != LANE_BACKEND && j->spec.what)
		pool_step_back();
	if (!progress_cancelled(&j->progress))
		j->spec.work(j->context, &j->progress);
}

/* ---- what gj lists ---- */

static struct job_record *record_of(struct app *a, u64 number)
{
	for (size_t i = a->n_records; i-- > 0;)
		if (a->records[i].number == number)
			return &a->records[i];
	return NULL;
}

static void add_record(struct app *a, const struct job_item *j)
{
	if (a->n_records == MAX_RECORDS)
		memmove(a->records, a->records + 1, --a->n_records * sizeof a->records[0]);
	struct job_record *r = &a->records[a->n_records++];
	*r = (struct job_record){.number = j->number, .view_id = j->view ? j->view->id : 0, .what = j->spec.what};
	struct buf b = BUF_INIT;
	if (j->view && j->view->class->crumb)
		j->view->class->crumb(j->view, &b);
	else if (j->view)
		buf_adds(&b, j->view->class->name);
	snprintf(r->screen, sizeof r->screen, "%s", b.s);
	buf_release(&b);
}

static void end_record(struct app *a, const struct job_item *j)
{
	struct job_record *r = record_of(a, j->number);
	if (!r)
		return;
	r->state = j->dropped || progress_cancelled(&j->progress) ? JOB_STOPPED : JOB_DONE;
	r->ended = app_now_ms();
	r->done = atomic_load(&j->progress.done);
	r->total = atomic_load(&j->progress.total);
	r->unit = atomic_load(&j->progress.unit);
}

static struct job_item *item_of(const struct app *a, const struct job_record *r)
{
	for (struct job_item *j = a->jobs; j; j = j->next)
		if (j->number == r->number)
			return j;
	return NULL;
}

const struct progress *app_record_progress(const struct app *a, const struct job_record *r)
{
	const struct job_item *j = item_of(a, r);
	return j ? &j->progress : NULL;
}

bool app_record_show(struct app *a, const struct job_record *r)
{
	for (size_t i = 0; i < a->n_stack; i++)
		if (r->view_id && a->stack[i]->id == r->view_id) {
			a->at = i;
			a->dirty = true;
			return true;
		}
	return false;
}

static void start_next(struct app *a)
{
	for (struct job_item *j = a->jobs; j; j = j->next) {
		enum app_lane lane = j->spec.lane;
		if (j->job || (lane != LANE_FREE && a->lane_busy[lane]))
			continue;
		a->lane_busy[lane] = true;
		struct job_record *r = record_of(a, j->number);
		if (r) {
			r->state = JOB_RUNNING;
			r->began = app_now_ms();
		}
		j->job = job_start(work, j, a->wake_write);
	}
}

static u64 add(struct app *a, struct view *v, const struct app_job *spec, void (*done)(struct app *, void *),
	       void *context)
{
	struct job_item *j = xcalloc(1, sizeof *j);
	*j = (struct job_item){.view = v, .app = a, .spec = *spec, .done_app = done, .context = context};
	j->number = ++a->next_job;
	struct job_item **end = &a->jobs;
	while (*end)
		end = &(*end)->next;
	*end = j;
	if (spec->what)
		add_record(a, j);
	u64 number = j->number;
	start_next(a);
	return number;
}

u64 app_job(struct view *v, const struct app_job *job, void *context)
{
	return add(v->app, v, job, NULL, context);
}

u64 app_own_job(struct app *a, const struct app_job *job, void (*done)(struct app *, void *), void *context)
{
	return add(a, NULL, job, done, context);
}

/* To wait for a thread of low priority, until it has a processor to end on, is not for the screen's. */
static void leave(struct app *a, struct job *job)
{
	a->leaving = xreallocarray(a->leaving, a->n_leaving + 1, sizeof *a->leaving);
	a->leaving[a->n_leaving++] = job;
}

static void join_left(struct app *a)
{
	size_t n = 0;
	for (size_t i = 0; i < a->n_leaving; i++)
		if (!job_try_join(a->leaving[i]))
			a->leaving[n++] = a->leaving[i];
	a->n_leaving = n;
}


static void finish(struct app *a, struct job_item *j)
{
	end_record(a, j);
	if (j->job) {
		leave(a, j->job);
		a->lane_busy[j->spec.lane] = false;
	}
	if (!j->dropped && !progress_cancelled(&j->progress)) {
		if (j->view && j->spec.lane == LANE_BACKEND)
			j->view->unseen = j->view != app_top(a);
		if (j->view && j->spec.done)
			j->spec.done(j->view, j->context);
		else if (j->done_app)
			j->done_app(a, j->context);
		a->dirty |= j->spec.done || j->done_app;
	}
	if (j->spec.release)
		j->spec.release(j->context);
	free(j);
}

void app_jobs_collect(struct app *a)
{
	join_left(a);
	/* done may start jobs and close views: begin anew after each */
	for (struct job_item **at = &a->jobs; *at;) {
		struct job_item *j = *at;
		if (j->job ? !job_done(j->job) : !j->dropped) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		finish(a, j);
		at = &a->jobs;
	}
	start_next(a);
}

static void drop(struct app *a, struct job_item *j)
{
	if (j->dropped)
		return;
	j->dropped = true;
	progress_cancel(&j->progress);
	if (j->spec.lane == LANE_BACKEND && j->job && a->session->backend)
		backend_cancel(a->session->backend);
}

void app_record_stop(struct app *a, const struct job_record *r)
{
	struct job_item *j = item_of(a, r);
	if (j)
		drop(a, j);
}

void app_job_cancel(struct view *v)
{
	for (struct job_item *j = v->app->jobs; j; j = j->next)
		if (j->view == v && !j->spec.stays)
			drop(v->app, j);
}

void app_jobs_stop(struct view *v)
{
	for (struct job_item *j = v->app->jobs; j; j = j->next)
		if (j->view == v && j->spec.what)
			drop(v->app, j);
}

void app_jobs_drop_own(struct app *a)
{
	for (struct job_item *j = a->jobs; j; j = j->next)
		if (!j->view && j->spec.what)
			drop(a, j);
}

static bool any_of(const struct app *a, const struct view *v)
{
	for (const struct job_item *j = a->jobs; j; j = j->next)
		if (!v || j->view == v)
			return true;
	return false;
}

void app_jobs_end(struct app *a, struct view *v)
{
	for (struct job_item *j = a->jobs; j; j = j->next)
		if (!v || j->view == v)
			drop(a, j);
	while (any_of(a, v)) {
		app_jobs_collect(a);
		if (!any_of(a, v))
			return;
		struct pollfd p = {a->wake_read, POLLIN, 0};
		poll(&p, 1, 20);
		char bytes[64];
		while (read(a->wake_read, bytes, sizeof bytes) > 0)
			;
	}
}

struct discarded {
	void *block; /* until the worker has freed it: a cancelled one does not */
};

static void free_block(void *context, struct progress *p)
{
	struct discarded *d = context;
	(void)p;
	pool_step_back(); /* no frame waits for it */
	free(d->block);
	d->block = NULL;
}

static void free_discarded(void *context)
{
	struct discarded *d = context;
	free(d->block);
	free(d);
}

void app_discard(struct app *a, void *block, size_t bytes)
{
	if (!block || bytes < WORTH_A_THREAD) {
		free(block);
		return;
	}
	struct discarded *d = xmalloc(sizeof *d);
	d->block = block;
	add(a, NULL, &(struct app_job){.lane = LANE_FREE, .work = free_block, .release = free_discarded}, NULL, d);
}

void app_jobs_close(struct app *a)
{
	app_jobs_end(a, NULL); /* what views have discarded */
	for (size_t i = 0; i < a->n_leaving; i++)
		job_join(a->leaving[i]);
	free(a->leaving);
	a->leaving = NULL;
	a->n_leaving = 0;
}

bool app_job_runs(const struct view *v)
{
	for (const struct job_item *j = v->app->jobs; j; j = j->next)
		if (j->view == v && !j->dropped && j->spec.what)
			return true;
	return false;
}

const struct progress *app_job_progress(const struct view *v)
{
	const struct progress *newest = NULL;
	for (const struct job_item *j = v->app->jobs; j; j = j->next)
		if (j->view == v && !j->dropped && j->spec.what)
			newest = &j->progress;
	return newest;
}

const char *app_job_asks_model(const struct view *v)
{
	for (const struct job_item *j = v->app->jobs; j; j = j->next)
		if (j->view == v && !j->dropped && j->spec.lane == LANE_BACKEND)
			return j->spec.what;
	return NULL;
}

const char *app_job_waits_for(const struct view *v)
{
	const struct job_item *mine = v->app->jobs;
	while (mine && (mine->view != v || mine->dropped || mine->job))
		mine = mine->next;
	for (const struct job_item *j = v->app->jobs; mine && j; j = j->next)
		if (j->job && j->spec.lane == mine->spec.lane && j->view != v)
			return j->spec.what;
	return NULL;
}

bool app_jobs_idle(const struct app *a)
{
	return !a->jobs;
}

const char *app_jobs_matter(const struct app *a)
{
	for (const struct job_item *j = a->jobs; j; j = j->next)
		if (j->spec.lane == LANE_BACKEND && !j->dropped)
			return j->spec.what;
	return NULL;
}

void app_wake(struct app *a)
{
	if (atomic_exchange(&a->woken, true))
		return;
	/* a full pipe wakes as well */
	ssize_t ignored = write(a->wake_write, "w", 1);
	(void)ignored;
}
