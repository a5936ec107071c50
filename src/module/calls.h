/* SPDX-License-Identifier: MIT */
/* calls.h - between calls.c (the methods) and call_runs.c (runs and encoders from a message). */
#ifndef FEATLAS_CALLS_H
#define FEATLAS_CALLS_H

#include "module/server.h"

struct call_runs {
	struct run *runs;
	size_t n;
	struct intervention *lists; /* of all runs, one after another */
};

/* params.runs, checked; vectors and tokens are borrowed from the message. */
int calls_get_runs(struct module_request *r, struct call_runs *c, struct err *e);
void calls_free_runs(struct call_runs *c);
/* Copies; NULL and *e on failure. */
const struct run_encoder *calls_keep_encoder(struct server *s, const char *hook, const f32 *w,
					     const f32 *bias, u32 n, u32 k, struct err *e);

#endif
