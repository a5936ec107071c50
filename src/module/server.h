/* SPDX-License-Identifier: MIT */
/* server.h - the inside of a module: requests in, replies out; module_main.c and calls.c. */
#ifndef FEATLAS_SERVER_H
#define FEATLAS_SERVER_H

#include "io/frame.h"
#include "module/module.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SERVER_MAX_QUEUE = 64, SERVER_MAX_ENCODERS = 64, SERVER_MAX_UPDATES = 4096 };

/* JSON-RPC 2.0's codes, LSP's for a cancelled request, ours below -32000. */
enum rpc_code {
	RPC_PARSE = -32700,
	RPC_INVALID = -32600,
	RPC_NO_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_FAILED = -32603,
	RPC_CANCELLED = -32800,
	RPC_NOT_INITIALIZED = -32002,
	RPC_UNAVAILABLE = -32001,
	RPC_BUSY = -32000,
};

struct call_runs;

/* What update asked of an intervention of a generate request. */
struct module_update {
	size_t run, intervention;
	bool has_amount, has_on, on;
	f32 amount;
};

/* A request, from the reader's hands to the reply. */
struct module_request {
	struct server *s;
	struct module_request *next;
	struct frame in;
	const json_t *id;     /* borrowed from in */
	const char *method;
	json_t *params;       /* borrowed, an object; NULL if none */
	atomic_bool cancelled;
	u64 told;             /* when progress was sent, in ms */
	json_t *runs;         /* generate: the runs of the reply */
	u32 n_tokens;         /* generate: tokens a run */
	struct call_runs *calls;       /* generate: what update changes, on the main thread */
	struct module_update *updates; /* asked, not yet done; these three under the server's lock */
	size_t n_updates;
	u64 *seen;                     /* [runs in params] tokens whose reader has said so; NULL: none */
};

struct kept_encoder {
	char *hook;
	struct run_encoder c;
};

struct server {
	const struct module_ops *ops;
	int argc;
	char **argv;
	int out; /* what was descriptor 1 */
	pthread_mutex_t write_lock;

	pthread_mutex_t lock; /* guards what follows, up to the blank line */
	pthread_cond_t more;
	struct module_request *first, *last, *current;
	size_t n_queued;
	bool end;  /* no more requests will come */
	bool gone; /* nobody reads the replies */

	void *m; /* NULL before initialize */
	struct module_info info;
	struct buf vocab; /* every token's bytes */
	u64 *offsets;     /* [n_vocab + 1] */
	u8 *special;      /* [n_vocab] */
	struct kept_encoder encoders[SERVER_MAX_ENCODERS];
	size_t n_encoders;
	bool quit; /* shutdown was asked for */
};

/* Writes a message; a reader who has gone away ends the server quietly. */
void server_send(struct server *s, struct frame_out *f);
/* {"jsonrpc", "id", "result"}: result is taken; add arrays and send. */
void server_reply(const struct module_request *r, struct frame_out *f, json_t *result);
/* id may be NULL, which is sent as null. */
void server_error(struct server *s, const json_t *id, enum rpc_code code, const char *message);

/* Notes what a message update asks, for the main thread (update.c).  The reader's thread: 1, 0
 * where no such request runs or waits, -1 where it cannot be done. */
int server_update(struct server *s, const json_t *params, struct err *e);

/* Serves one request and sends its one reply. */
void calls_serve(struct module_request *r);
void calls_release(struct server *s);

#endif
