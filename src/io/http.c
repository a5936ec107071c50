/* SPDX-License-Identifier: MIT */
/* http.c - HTTP by libcurl. */
#include "config.h"

#include "io/http.h"

#include "base/mem.h"

#include <string.h>
#include <strings.h>

static bool is_this_machine(const char *url)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
	if (strncasecmp(url, "http://", 7))
		return false;
	/* a user name before the host would hide it */
	const char *host = url + 7;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		size_t n = strlen(hosts[i]);
		if (!strncasecmp(host, hosts[i], n) && (!host[n] || host[n] == ':' || host[n] == '/') &&
		    !memchr(host, '@', strcspn(host, "/")))
			return true;
	}
	return false;
}

bool http_is_private(const char *url)
{
	return !strncasecmp(url, "https://", 8) || is_this_machine(url);
}

#ifdef HAVE_CURL

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

struct http {
	CURL *curl;
	char why[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http *http_new(struct err *e)
{
	pthread_once(&once, begin);
	struct http *h = xcalloc(1, sizeof *h);
	if ((h->curl = curl_easy_init()))
		return h;
	free(h);
	err_set(e, ERR_FAILED, "libcurl does not start");
	return NULL;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}

struct taker {
	struct buf *to;
	size_t most;
	bool too_long;
};

static size_t take(char *p, size_t size, size_t n, void *context)
{
	struct taker *t = context;
	n *= size;
	if (n > t->most - t->to->n) {
		t->too_long = true;
		return 0;
	}
	buf_add(t->to, p, n);
	return n;
}

static int watch(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a, (void)b, (void)c, (void)d;
	return progress_cancelled(context);
}

static int set_up(struct http *h, const struct http_post *p, struct taker *t, struct curl_slist *headers)
{
	CURL *c = h->curl;
	curl_easy_reset(c);
#if LIBCURL_VERSION_NUM >= 0x075500
	int bad = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	int bad = curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	bad |= curl_easy_setopt(c, CURLOPT_URL, p->url);
	bad |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDS, p->body);
	bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->n);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	bad |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)p->timeout_ms);
	bad |= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)MIN(p->timeout_ms, 30000u));
	bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	if (is_this_machine(p->url)) /* $http_proxy would take it off, unencrypted */
		bad |= curl_easy_setopt(c, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->why);
	bad |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, p->progress ? 0L : 1L);
	bad |= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, watch);
	bad |= curl_easy_setopt(c, CURLOPT_XFERINFODATA, p->progress);
	return bad;
}

int http_post(struct http *h, const struct http_post *p, struct http_answer *a, struct err *e)
{
	struct curl_slist *headers = NULL;
	struct taker t = {&a->body, p->most, false};
	*a = (struct http_answer){.body = BUF_INIT};
	for (size_t i = 0; p->headers[i]; i++)
		headers = curl_slist_append(headers, p->headers[i]);
	h->why[0] = 0;
	int bad = set_up(h, p, &t, headers), r = bad ? CURLE_FAILED_INIT : curl_easy_perform(h->curl);
	curl_off_t wait = 0;
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &a->status);
	if (!curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &wait) && wait > 0)
		a->retry_after = (u32)MIN(wait, 3600);
	a->too_long = t.too_long;
	curl_slist_free_all(headers);
	if (r == CURLE_OK)
		return 0;
	if (progress_cancelled(p->progress))
		return err_set(e, ERR_CANCELLED, "interrupted");
	if (t.too_long)
		return err_set(e, ERR_FAILED, "the answer is longer than %zu bytes", p->most);
	if (r == CURLE_OPERATION_TIMEDOUT)
		return err_set(e, ERR_FAILED, "no answer came within %.0f s", p->timeout_ms / 1e3);
	return err_set(e, ERR_FAILED, "%s", h->why[0] ? h->why : curl_easy_strerror((CURLcode)r));
}

#else

struct http *http_new(struct err *e)
{
	err_set(e, ERR_UNAVAILABLE,
		"this featlas was built without libcurl: apt-get install libcurl4-openssl-dev, then configure and make again");
	return NULL;
}

void http_free(struct http *h)
{
	(void)h;
}

int http_post(struct http *h, const struct http_post *p, struct http_answer *a, struct err *e)
{
	(void)h, (void)p;
	*a = (struct http_answer){.body = BUF_INIT};
	return err_set(e, ERR_UNAVAILABLE, "this featlas was built without libcurl");
}

#endif
