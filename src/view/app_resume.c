/* SPDX-License-Identifier: MIT */
/* app_resume.c - where a session ended: kept for each atlas, and gone back to. */
#include "view/app_private.h"

#include "base/mem.h"
#include "base/outfile.h"
#include "base/xdg.h"
#include "ui/conf.h"
#include "view/view_features.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *path_of(const struct app *a)
{
	char *name = xasprintf("session-%s", a->session->atlas->uuid), *path = xdg_state(name);
	free(name);
	return path;
}

static const struct view_class *screen_named(const char *name)
{
	/* those that are about a feature; the others are a key away */
	static const struct view_class *const all[] = {&view_feature, &view_graph, &view_map, &view_text,
						       &view_steer, &view_triage};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

enum { MAX_STATE = 4000 }; /* what a line of such a file may hold, its verb left out */

static void add_state(struct buf *out, struct view *v)
{
	struct buf line = BUF_INIT;
	v->class->keep(v, &line);
	if (line.n && line.n < MAX_STATE)
		buf_addf(out, "state %s %s\n", v->class->name, line.s);
	buf_release(&line);
}

void app_resume_save(struct app *a)
{
	struct buf b = BUF_INIT;
	char *path = path_of(a);
	u32 f;
	if (!path || !a->n_stack || xdg_make_parents(path, NULL)) {
		free(path);
		return;
	}
	buf_adds(&b, "# where the last session on this atlas ended; see featlas --resume\n");
	if (a->search.text)
		buf_addf(&b, "search %s\n", a->search.text);
	features_save(app_list(a), &b);
	for (size_t i = 1; i <= a->at; i++) {
		struct view *v = a->stack[i];
		if (!screen_named(v->class->name) || !v->class->current || !v->class->current(v, &f))
			continue;
		buf_addf(&b, "open %s %u\n", v->class->name, f);
		if (v->class->keep)
			add_state(&b, v);
	}
	outfile_write_all(path, b.s, b.n, NULL); /* a place that cannot be written is no error worth words */
	buf_release(&b);
	free(path);
}

static char *joined(const char *const *words, size_t n)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", words[i]);
	return buf_take(&b);
}

static int take(void *context, const char *const *words, size_t n, struct err *e)
{
	struct app *a = context;
	char *rest = joined(words + 1, n - 1);
	struct target t = {.feature = NO_FEATURE};
	const struct view_class *c = !strcmp(words[0], "open") && n == 3 ? screen_named(words[1]) : NULL;
	if (c && !session_parse_id(a->session, words[2], &t.feature, e)) {
		app_push(a, c, &t);
	} else if (!strcmp(words[0], "state") && n > 2) {
		struct view *top = app_top(a);
		char *line = joined(words + 2, n - 2);
		if (!strcmp(top->class->name, words[1]) && top->class->take_up)
			top->class->take_up(top, line);
		free(line);
	} else if (!strcmp(words[0], "search")) {
		app_search_set(a, rest);
	} else {
		features_restore(app_list(a), words[0], rest);
	}
	free(rest);
	return 0;
}

bool app_has_session(const struct app *a)
{
	char *path = path_of(a);
	bool there = path && !access(path, F_OK);
	free(path);
	return there;
}

void app_resume(struct app *a)
{
	char *path = path_of(a);
	if (!app_has_session(a))
		app_message(a, "no session on this atlas was kept");
	else
		conf_read(path, take, a, NULL);
	free(path);
}
