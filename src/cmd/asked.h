/* SPDX-License-Identifier: MIT */
/* asked.h - what judge and explain share: which features are asked about, and the chat endpoint. */
#ifndef FEATLAS_CMD_ASKED_H
#define FEATLAS_CMD_ASKED_H

#include "cmd/cmd.h"
#include "session/chat.h"
#include "session/session.h"

/* The features that the arguments behind the atlas name, or with --query the ones that it finds, or all of them:
 * ascending, each once, owned. */
int asked_features(const struct cmd_args *a, struct session *s, u32 **ids, size_t *n, struct err *e);
/* --endpoint, --model, --retries, --timeout, --price. */
int asked_chat(const struct cmd_args *a, struct chat *c, const struct progress *p, struct err *e);
/* Whether the atlas can be written: asked before anything is paid for. */
int asked_writable(const struct session *s, struct err *e);
/* What was sent and what it cost, on stderr. */
void asked_say_cost(const struct cmd_args *a, const struct chat *c);
/* A request of --dry-run. */
struct asked_dry {
	u64 n, bytes;
};
void asked_print(void *context /* struct asked_dry */, json_t *body);
void asked_say_dry(const struct cmd_args *a, const struct chat *c, const struct asked_dry *d);

#endif
