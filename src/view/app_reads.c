/* SPDX-License-Identifier: MIT */
/* app_reads.c - what a frame needs of the atlas's files and is not in memory is read beside the screen.
 *
 * A view asks app_has before it reads a feature's labels, numbers, contexts.  What is missing is gathered
 * while the frame is drawn and read together: a disk gives a hundred pages as fast as one.  A short wait, and
 * mostly the frame is whole; else it is shown with the gaps that the views leave, and drawn again.
 */
#include "view/app_private.h"

#include "base/mem.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096, DEPTH = 40 /* of a search through a file on disk */ };

struct reading {
	struct app *app;
	const struct atlas *atlas;
	struct app_wanted *items;
	size_t n;
};

void app_read(const struct atlas *a, const struct app_wanted *list, size_t n, struct progress *p)
{
	struct pages w = {.asks = true};
	for (int depth = 0; depth < DEPTH && !progress_cancelled(p); depth++) {
		w.missed = false;
		for (size_t i = 0; i < n; i++)
			atlas_there(a, list[i].feature, list[i].parts, &w);
		if (!w.missed)
			break;
		pages_wait(&w);
	}
	pages_release(&w);
}

static void read_all(void *context, struct progress *p)
{
	struct reading *r = context;
	app_read(r->atlas, r->items, r->n, p);
}

static void read_done(struct app *a, void *context)
{
	struct reading *r = context;
	free(a->reads.had);
	a->reads.had = r->items;
	a->reads.n_had = r->n;
	r->items = NULL;
}

static void read_release(void *context)
{
	struct reading *r = context;
	r->app->reads.running = false;
	free(r->items);
	free(r);
}

/* Where a file cannot be kept in memory the screen waits for it after all. */
static bool was_read(const struct app *a, u32 feature, unsigned parts)
{
	for (size_t i = 0; i < a->reads.n_had; i++)
		if (a->reads.had[i].feature == feature && (a->reads.had[i].parts & parts) == parts)
			return true;
	return false;
}

bool app_has(struct app *a, u32 feature, unsigned parts)
{
	if (a->script_mode || atlas_there(a->session->atlas, feature, parts, &a->reads.seen) ||
	    was_read(a, feature, parts))
		return true;
	if (a->reads.n == MOST)
		return false;
	if (!a->reads.items)
		a->reads.items = xcalloc(MOST, sizeof *a->reads.items);
	a->reads.items[a->reads.n++] = (struct app_wanted){feature, parts};
	return false;
}

static void begin(struct app *a)
{
	struct reading *r = xcalloc(1, sizeof *r);
	*r = (struct reading){a, a->session->atlas, xreallocarray(a->reads.items, a->reads.n, sizeof *r->items), a->reads.n};
	a->reads.items = NULL;
	a->reads.running = true;
	struct app_job job = {.lane = LANE_FREE, .work = read_all, .release = read_release};
	app_own_job(a, &job, read_done, r);
}

void app_reads_begin_frame(struct app *a)
{
	memset(a->reads.seen.known, 0, sizeof a->reads.seen.known); /* the kernel may have taken them back */
	a->reads.n = 0;
}

bool app_reads_end_frame(struct app *a, i64 until)
{
	if (!a->reads.n || a->reads.running)
		return false;
	begin(a);
	for (i64 left; a->reads.running && (left = until - app_now_ms()) > 0;) {
		struct pollfd p = {a->wake_read, POLLIN, 0};
		poll(&p, 1, (int)left);
		app_drain_wake_pipe(a);
		app_jobs_collect(a);
	}
	return !a->reads.running;
}

void app_reads_release(struct app *a)
{
	free(a->reads.items);
	free(a->reads.had);
}
