/* SPDX-License-Identifier: MIT */
/* live.c - the live model for a command. */
#include "cmd/live.h"

#include "backend/attach.h"

#include <stdio.h>

int cmd_live_start(struct cmd_live *l, const struct cmd_args *a, struct session *s, struct err *e)
{
	char warning[ATTACH_WARNING];
	struct backend *b = session_backend(s, e);
	l->place = (struct live){.backend = b, .atlas = s->atlas, .pool = s->pool, .progress = &l->progress};
	if (!b)
		return -1;
	l->shown = cmd_progress_start(&l->progress);
	if (attach_model(b, s->atlas, &l->progress, warning, e))
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
		detach_model(l->place.backend);
}
