/* SPDX-License-Identifier: MIT */
/* live.c - the live model for a command. */
#include "cmd/live.h"

#include "backend/steer.h"

#include <stdio.h>

int cmd_live_start(struct cmd_live *l, const struct cmd_args *a, struct session *s, struct err *e)
{
	char warning[256] = "";
	struct backend *b = session_backend(s, e);
	l->place = (struct live){.backend = b, .atlas = s->atlas, .pool = s->pool, .progress = &l->progress};
	if (!b)
		return -1;
	backend_watch(b, &l->progress);
	l->shown = cmd_progress_start(&l->progress);
	if (backend_connect(b, &l->progress, e) || steer_check_model(b, s->atlas, warning, sizeof warning, e))
		return -1;
	if (warning[0])
		fprintf(stderr, "featlas %s: warning: %s\n", a->command, warning);
	return next_need_words(s, b, e);
}

void cmd_live_stop(struct cmd_live *l)
{
	if (l->shown)
		cmd_progress_stop(l->shown);
	l->shown = NULL;
	if (l->place.backend)
		backend_watch(l->place.backend, NULL);
}
