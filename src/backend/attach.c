/* SPDX-License-Identifier: MIT */
/* attach.c - what every request to a live model begins and ends with. */
#include "backend/attach.h"

int attach_model(struct backend *b, const struct atlas *a, struct progress *p, char warning[ATTACH_WARNING], struct err *e)
{
	warning[0] = 0;
	backend_watch(b, p);
	return backend_connect(b, p, e) || steer_check_model(b, a, warning, ATTACH_WARNING, e) ? -1 : 0;
}

void detach_model(struct backend *b)
{
	backend_watch(b, NULL);
}
