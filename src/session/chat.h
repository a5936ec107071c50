/* SPDX-License-Identifier: MIT */
/* chat.h - a chat endpoint that speaks as OpenAI's does: POST ENDPOINT/chat/completions.
 *
 * The key comes from $FEATLAS_API_KEY, else $OPENAI_API_KEY, and goes into one header: over https, or to this
 * machine.  It is in no message, no file and no command line: an answer with a piece of it is none, and in
 * messages pieces are stars.  (A key of fewer than CHAT_PIECE bytes is no secret in an answer: "none" is a word of
 * labels.)  Busy servers (429, 500 to 599) and lost connections are asked again, after 1, 2, 4 ... seconds or what
 * the server says; what is refused otherwise is not.
 * What comes back is hostile text.  One chat serves any number of threads, each with a handle of its own.
 */
#ifndef FEATLAS_CHAT_H
#define FEATLAS_CHAT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/progress.h"
#include "io/http.h"

#include <pthread.h>

enum {
	CHAT_MOST_BYTES = 1 << 20, /* of an answer */
	CHAT_GIVE_UP = 5,          /* failures in a row end it all */
	CHAT_PIECE = 8,            /* bytes of a key that nobody may see */
};

struct chat {
	char *url;
	const char *model;
	u32 retries, timeout_ms, max_tokens;
	f64 price_in, price_out; /* for a million tokens; 0: not known */
	const struct progress *progress;
	/* what it came to; under the lock */
	pthread_mutex_t lock;
	u64 n_requests, n_failed, n_retried, tokens_in, tokens_out;
	u32 failed_in_row;
	bool given_up;    /* refused, or failed too often in a row: nothing more is sent */
	char why[512];    /* the first failure, or what made it give up; safe for a terminal */
};

/* endpoint: "https://api.openai.com/v1".  ERR_USAGE where it is none, where it has a user name, '?' or
 * '#', where a key would go there unprotected, or where the key stands in endpoint or model. */
int chat_init(struct chat *c, const char *endpoint, const char *model, struct err *e);
void chat_release(struct chat *c);

/* What would be sent: the body, without headers. */
json_t *chat_body(const struct chat *c, const char *system, const char *user);
/* Owned text of the answer, at most CHAT_MOST_BYTES, or NULL: the request failed, which is no answer. */
char *chat_ask(struct chat *c, struct http *h, const char *system, const char *user, struct err *e);

#endif
