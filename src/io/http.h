/* SPDX-License-Identifier: MIT */
/* http.h - one POST over HTTP or HTTPS; libcurl is used only in http.c.
 *
 * Nothing is followed, kept or logged: no redirects (they would take the headers along), no cookies, no
 * .netrc.  The environment's proxies are used, but not for plain http to this machine.  A handle serves one
 * thread at a time and keeps its connection.
 */
#ifndef FEATLAS_HTTP_H
#define FEATLAS_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/progress.h"

struct http;

/* NULL and ERR_UNAVAILABLE where featlas was built without libcurl. */
struct http *http_new(struct err *e);
void http_free(struct http *h); /* NULL is fine */

struct http_post {
	const char *url;
	const char *const *headers; /* "Name: value", NULL at the end */
	const char *body;
	size_t n;
	size_t most;                /* bytes of an answer; a longer one is an error */
	u32 timeout_ms;             /* for all of it */
	const struct progress *progress; /* polled for cancelling, or NULL */
};
struct http_answer {
	long status;     /* 200, ... */
	struct buf body; /* hostile; release it, also on failure */
	bool too_long;   /* why none came: asking again would not help */
	u32 retry_after; /* seconds the server asks to wait; 0: it says nothing */
};
/* 0 when an answer came, whatever its status.  -1: none did (ERR_FAILED), or it was cancelled. */
int http_post(struct http *h, const struct http_post *p, struct http_answer *a, struct err *e);

/* Whether a key may be sent there: over https, or to this machine itself. */
bool http_is_private(const char *url);

#endif
