/* SPDX-License-Identifier: MIT */
/* live.h - a command that asks the live model: connected, checked, with progress and ^C. */
#ifndef FEATLAS_CMD_LIVE_H
#define FEATLAS_CMD_LIVE_H

#include "cmd/cmd.h"
#include "session/next.h"

struct cmd_live {
	struct progress progress;
	struct cmd_progress *shown;
	struct live place;
};

/* Starts the backend; warns where the model is another than the atlas'.  An atlas without a vocabulary gets the
 * model's.  stop ends the progress line, after a failure of start too. */
int cmd_live_start(struct cmd_live *l, const struct cmd_args *a, struct session *s, struct err *e);
void cmd_live_stop(struct cmd_live *l);

#endif
