/* SPDX-License-Identifier: MIT */
/* client.h - the inside of a backend; backend.c (life) and methods.c (requests). */
#ifndef FEATLAS_CLIENT_H
#define FEATLAS_CLIENT_H

#include "backend/backend.h"
#include "backend/rpc.h"

enum { CLIENT_MAX_ENCODERS = 16 };

struct backend {
	char *name;      /* how errors call it */
	char **argv;     /* NULL-terminated, owned */
	char *path;      /* PATH of the module */
	u64 timeout_ms;
	struct rpc *rpc; /* NULL: not started, or died */
	bool ready;      /* initialize was answered */
	struct rpc_stop stop;
	struct backend_info info;
	json_t *capabilities;
	unsigned minor;  /* of the module's protocol 1 */
	struct { char *hook; const void *key; } encoders[CLIENT_MAX_ENCODERS];
	size_t n_encoders;
	char verdict_key[96], verdict[256]; /* "": none yet */
	atomic_bool foreign;

	atomic_int state;
	atomic_uint restarts;
	atomic_ullong done, total; /* of what runs */
};

/* One request to a module that is started where need be; as rpc_call, whose notifications of
 * progress are seen to.  A module that died is taken away. */
int client_call(struct backend *b, const char *method, json_t *params, struct frame_out *f, u64 max_bytes,
		rpc_notify_fn fn, void *context, struct frame *reply, struct err *e);
/* -1 and a sentence where the module is not ready or lacks the method. */
int client_ready(struct backend *b, const char *method, struct err *e);

#endif
