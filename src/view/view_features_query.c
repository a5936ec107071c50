/* SPDX-License-Identifier: MIT */
/* view_features_query.c - the query line of the list. */
#include "view/view_features.h"

#include "base/mem.h"
#include "core/query.h"

#include <stdlib.h>
#include <string.h>

struct query_work {
	struct query *query;
	char *text, *folder, *uuid;
	struct query_world world;
	struct session_people people; /* copies: the worker reads while the person may edit */
	struct search_result result;
	int failed;
	struct err e;
};

static void query_work_run(void *context, struct progress *p)
{
	struct query_work *w = context;
	/* a handle of its own: the database's belongs to the other thread */
	w->world.note = note_open(w->folder, w->uuid, NULL);
	w->failed = query_run(w->query, &w->world, &w->result, p, &w->e);
	note_free(w->world.note);
}

static void query_done(struct view *v, void *context)
{
	struct query_work *w = context;
	struct features *s = view_state(v);
	if (w->failed) {
		app_error(v->app, &w->e);
		return;
	}
	free(s->query);
	free(s->query_bits);
	s->query = w->text;
	s->query_bits = w->result.bits;
	s->query_hits = w->result.n_hits;
	w->text = NULL;
	w->result = (struct search_result){0};
	features_make_order(v);
}

static void query_release(void *context)
{
	struct query_work *w = context;
	query_free(w->query);
	search_result_release(&w->result);
	free((void *)(uintptr_t)w->world.marked);
	session_people_release(&w->people);
	free(w->text);
	free(w->folder);
	free(w->uuid);
	free(w);
}

static bool commit(struct view *v, const char *text, void *context)
{
	struct features *s = view_state(v);
	struct session *session = app_session(v->app);
	struct err e = {0};
	size_t column = 0;
	(void)context;
	if (!text[0]) {
		free(s->query);
		free(s->query_bits);
		s->query = NULL;
		s->query_bits = NULL;
		features_make_order(v);
		return true;
	}
	struct query *q = query_parse(text, SEARCH_SMART, &column, &e);
	if (!q) {
		const char *what = strstr(e.msg, ": "); /* the caret says where */
		app_prompt_fault(v->app, column, !strncmp(e.msg, "query, column", 13) && what ? what + 2 : e.msg);
		return false;
	}
	struct query_work *w = xcalloc(1, sizeof *w);
	w->query = q;
	w->text = xstrdup(text);
	w->folder = xstrdup(session->atlas->notes);
	w->uuid = xstrdup(session->atlas->uuid);
	w->world =
		(struct query_world){.atlas = session->atlas, .pool = session->pool, .marked = app_copy_marks(v->app)};
	session_people_copy(session, &w->people);
	w->world.people = w->people.items;
	w->world.n_people = w->people.n;
	w->world.hidden = w->people.hidden;
	struct app_job job = {.lane = LANE_POOL, .what = "query", .work = query_work_run, .done = query_done,
			      .release = query_release};
	app_job_cancel(v);
	app_job(v, &job, w);
	return true;
}

void features_set_query(struct view *v, const char *text)
{
	commit(v, text, NULL);
}

static void complete(struct view *v, const char *word, struct buf *out, void *context)
{
	(void)v;
	(void)context;
	bool state = !strncmp(word, "is:", 3);
	for (size_t i = 0; !state && query_keys[i].name; i++)
		if (!strncmp(query_keys[i].name, word, strlen(word)))
			buf_addf(out, "%s:\t%s  %s\n", query_keys[i].name, query_keys[i].value, query_keys[i].help);
	for (size_t i = 0; state && query_states[i]; i++)
		if (!strncmp(query_states[i], word + 3, strlen(word + 3)))
			buf_addf(out, "is:%s\n", query_states[i]);
}

void features_ask_query(struct view *v)
{
	struct features *s = view_state(v);
	struct app_prompt p = {.label = "& ",
			       .initial = s->query,
			       .history = "query",
			       .commit = commit,
			       .complete = complete};
	app_prompt(v, &p);
}
