/* SPDX-License-Identifier: MIT */
/* cmd_undo.c - taking the last edit back, or putting it back again. */
#include "base/buf.h"
#include "cmd/cmd.h"
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_undo(const struct cmd_args *a, struct err *e)
{
	struct session *s = cmd_open(a, e);
	char *said = NULL;
	int status = -1;
	if (!s)
		return -1;
	bool redo = arg_flag(a, "redo");
	if (!(redo ? note_redo(s->note, &said, NULL, e) : note_undo(s->note, &said, NULL, e))) {
		struct buf line = BUF_INIT;
		cmd_add_text(&line, said, strlen(said));
		puts(line.s);
		buf_release(&line);
		status = EXIT_OK;
	} else if (e->code == ERR_NOT_FOUND) {
		fprintf(stderr, "featlas undo: %s\n", e->msg);
		status = EXIT_NONE;
	}
	free(said);
	session_free(s);
	return status;
}
