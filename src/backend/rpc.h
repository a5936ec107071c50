/* SPDX-License-Identifier: MIT */
/* rpc.h - a module process and the messages to and from it.
 *
 * JSON-RPC 2.0 lines with raw arrays (io/frame.h) over a child's stdin and stdout, one request
 * at a time, everything non-blocking under one poll.  A child that dies, is silent too long,
 * sends what is not the protocol or more than was asked for is killed, and the call says so
 * in one sentence with the child's last line of stderr.  One thread at a time, but rpc_poke
 * is for any.
 */
#ifndef FEATLAS_RPC_H
#define FEATLAS_RPC_H

#include "base/progress.h"
#include "io/frame.h"

#include <stdatomic.h>

/* The wish to end the request that runs; outlives the process it is meant for. */
struct rpc_stop {
	int fd; /* an eventfd, or -1 */
	atomic_bool wanted;
	struct progress *watch; /* its cancel is the same wish, looked at every 100 ms; may be NULL */
};
int rpc_stop_init(struct rpc_stop *s, struct err *e);
void rpc_stop_release(struct rpc_stop *s);
void rpc_poke(struct rpc_stop *s); /* any thread */

struct rpc;

/* name: how errors call the module.  argv: NULL-terminated; environ is added to.  path, if not
 * NULL, becomes the child's PATH.  timeout_ms: silence that is taken for a hang. */
struct rpc *rpc_start(const char *name, char *const argv[], const char *path, struct rpc_stop *stop,
		      u64 timeout_ms, struct err *e);
void rpc_free(struct rpc *r); /* asks it to end, then kills it; NULL is fine */
bool rpc_is_dead(const struct rpc *r);

/* Called for each notification of this request; params is its object.  Return -1 with *e for
 * what the protocol does not allow, 1 to stop the request, else 0. */
typedef int (*rpc_notify_fn)(void *context, const char *method, const json_t *params, const struct frame *f,
			     struct err *e);

/* In a rpc_notify_fn: sends a notification about the request that runs, whose id becomes a member of
 * params (taken).  Nothing is sent of a request that is being cancelled. */
void rpc_notify(struct rpc *r, const char *method, json_t *params);

/* Sends {"method", "params"} with f's arrays (f's line is made here; f is released) and waits.
 * max_bytes: of arrays in one message of the answer.  0 and *reply (the caller's to release;
 * its "result" is an object), or -1: ERR_CANCELLED where stop was wanted or fn returned 1. */
int rpc_call(struct rpc *r, const char *method, json_t *params /* taken */, struct frame_out *f,
	     u64 max_bytes, rpc_notify_fn fn, void *context, struct frame *reply, struct err *e);

#endif
