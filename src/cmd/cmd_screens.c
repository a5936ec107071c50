/* SPDX-License-Identifier: MIT */
/* cmd_screens.c - open: the command that starts the terminal program. */
#include "cmd/cmd.h"

int (*cmd_start_screens)(const struct cmd_args *a, struct err *e);

int cmd_screens(const struct cmd_args *a, struct err *e)
{
	if (!cmd_start_screens)
		return err_set(e, ERR_UNAVAILABLE, "this program was built without screens");
	return cmd_start_screens(a, e);
}
