/* SPDX-License-Identifier: MIT */
/* cmd_label.c - setting a feature's label. */
#include "base/buf.h"
#include "cmd/cmd.h"
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_label(const struct cmd_args *a, struct err *e)
{
	const char *text = a->positional[2];
	if (strpbrk(text, "\n\r"))
		return err_set(e, ERR_USAGE, "a label is one line");
	struct session *s = cmd_open(a, e);
	u32 id;
	int status = -1;
	if (s && !session_parse_id(s, a->positional[1], &id, e) && !note_set_label(s->note, id, text, e)) {
		char *shown = session_label_text(s, id);
		if (shown[0])
			printf("#%u\t%s\n", id, shown);
		else
			printf("#%u\trejected\n", id);
		free(shown);
		status = EXIT_OK;
	}
	session_free(s);
	return status;
}
