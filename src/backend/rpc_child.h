/* SPDX-License-Identifier: MIT */
/* rpc_child.h - the process under an rpc: its descriptors, its last words, its end. */
#ifndef FEATLAS_RPC_CHILD_H
#define FEATLAS_RPC_CHILD_H

#include "backend/rpc.h"

#include <sys/types.h>

struct rpc {
	char *name;
	pid_t pid; /* 0 once waited for */
	int in, out, err;
	bool dead;
	u64 timeout_ms;
	struct rpc_stop *stop;
	json_int_t next_id;
	struct buf line;       /* what has come of a line */
	struct buf errors;     /* the end of stderr */
	struct call *call;     /* that runs, or NULL */
};

u64 rpc_now_ms(void); /* of a clock that only goes on */
/* Takes what stands in the child's stderr; the last 4 KiB are kept. */
void rpc_read_errors(struct rpc *r);
void rpc_kill_child(struct rpc *r);
/* The child is no use any more: kills it, and says why with its last words.  All return -1. */
int rpc_give_up(struct rpc *r, struct err *e, const char *why);
int rpc_give_up_dead(struct rpc *r, struct err *e);
int rpc_give_up_because(struct rpc *r, struct err *e, const char *what); /* "broke the protocol: WHAT" */

#endif
