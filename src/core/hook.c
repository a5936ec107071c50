/* SPDX-License-Identifier: MIT */
/* hook.c - names of places in a model. */
#include "core/hook.h"

#include <stdlib.h>
#include <string.h>

int hook_parse(const char *name, u32 n_layers, u32 *layer, enum hook_place *place, struct err *e)
{
	static const char head[] = "blocks.";
	const char *s = name + strlen(head);
	if (strncmp(name, head, strlen(head)) || *s < '0' || *s > '9')
		goto unknown;
	char *end;
	unsigned long n = strtoul(s, &end, 10);
	if (!strcmp(end, ".hook_resid_pre"))
		*place = HOOK_RESID_PRE;
	else if (!strcmp(end, ".hook_resid_post"))
		*place = HOOK_RESID_POST;
	else
		goto unknown;
	if (n >= n_layers)
		return err_set(e, ERR_NOT_FOUND, "hook '%s' is not there: the model has %u layers", name,
			       n_layers);
	*layer = (u32)n;
	return 0;
unknown:
	return err_set(e, ERR_NOT_FOUND,
		       "hook '%s' is none of blocks.N.hook_resid_pre, blocks.N.hook_resid_post", name);
}
