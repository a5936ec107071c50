/* SPDX-License-Identifier: MIT */
/* chat.c - asking a chat endpoint, again where it is busy. */
#include "session/chat.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MOST_WAIT = 60 /* seconds */ };

static const char *key(void)
{
	const char *own = getenv("FEATLAS_API_KEY"), *theirs = getenv("OPENAI_API_KEY");
	return own && *own ? own : theirs && *theirs ? theirs : NULL;
}

/* Whether a piece of the key of n bytes, or a shorter key as a whole, stands at s. */
static bool is_piece(const char *secret, size_t n, const char *s)
{
	for (size_t n_key = strlen(secret); n_key >= n; secret++, n_key--)
		if (!strncmp(secret, s, n))
			return true;
	return false;
}

/* What servers on one's own machine want for a key ("none") is an ordinary word. */
static bool repeats_key(const char *s)
{
	if (!key() || strlen(key()) < CHAT_PIECE)
		return false;
	for (; *s; s++)
		if (is_piece(key(), CHAT_PIECE, s))
			return true;
	return false;
}

/* Pieces, as a message may be cut short anywhere. */
static void hide_key(char *s)
{
	size_t n = key() ? MIN(strlen(key()), (size_t)CHAT_PIECE) : 0, left = 0;
	for (; n && *s; s++) {
		left = is_piece(key(), n, s) ? n : left;
		if (left) {
			*s = '*';
			left--;
		}
	}
}

/* Messages here do not quote the address: where something is wrong with it, it may be a key or hold a password. */
static int check_address(const char *s, struct err *e)
{
	const char *host = strstr(s, "://");
	if (strncasecmp(s, "http://", 7) && strncasecmp(s, "https://", 8))
		return err_set(e, ERR_USAGE, "--endpoint is no http:// or https:// address");
	for (size_t i = 0; s[i]; i++)
		if ((u8)s[i] <= ' ' || s[i] == '\\' || s[i] == 0x7f)
			return err_set(e, ERR_USAGE, "--endpoint has a blank or a backslash in its address");
	if (memchr(host + 3, '@', strcspn(host + 3, "/?#")))
		return err_set(e, ERR_USAGE,
			       "--endpoint has a user name before its host; a key belongs into $FEATLAS_API_KEY");
	if (strpbrk(s, "?#"))
		return err_set(e, ERR_USAGE,
			       "--endpoint ends in a path, without '?' and '#'; a key belongs into $FEATLAS_API_KEY");
	return 0;
}

static int check_key(const char *endpoint, const char *model, struct err *e)
{
	if (!key())
		return 0;
	if (repeats_key(endpoint) || repeats_key(model))
		return err_set(e, ERR_USAGE, "the key in the environment stands in --%s, too, where all can see it",
			       repeats_key(model) ? "model" : "endpoint");
	if (!http_is_private(endpoint))
		return err_set(e, ERR_USAGE, "a key is sent over https or to this machine only, not to '%.200s'", endpoint);
	if (strpbrk(key(), "\r\n"))
		return err_set(e, ERR_USAGE, "the key in the environment has a line break");
	return 0;
}

int chat_init(struct chat *c, const char *endpoint, const char *model, struct err *e)
{
	*c = (struct chat){.model = model, .retries = 4, .timeout_ms = 120000, .max_tokens = 400};
	size_t n = strlen(endpoint);
	if (check_address(endpoint, e) || check_key(endpoint, model, e))
		return -1;
	while (n && endpoint[n - 1] == '/')
		n--;
	c->url = xasprintf("%.*s/chat/completions", (int)n, endpoint);
	pthread_mutex_init(&c->lock, NULL);
	return 0;
}

void chat_release(struct chat *c)
{
	if (c->url)
		pthread_mutex_destroy(&c->lock);
	free(c->url);
	c->url = NULL;
}

static json_t *message(const char *role, const char *text)
{
	return json_pack("{s:s, s:o}", "role", role, "content", json_text(text, strlen(text)));
}

json_t *chat_body(const struct chat *c, const char *system, const char *user)
{
	return json_pack("{s:o, s:[o, o], s:f, s:I}", "model", json_text(c->model, strlen(c->model)), "messages",
			 message("system", system), message("user", user), "temperature", 0.0, "max_tokens",
			 (json_int_t)c->max_tokens);
}

/* Seconds in which a person may still cancel. */
static void wait(const struct chat *c, f64 seconds)
{
	for (; seconds > 0 && !progress_cancelled(c->progress); seconds -= 0.1) {
		struct timespec t = {0, (long)(MIN(seconds, 0.1) * 1e9)};
		nanosleep(&t, NULL);
	}
}

/* What a server says is wrong; nothing of an answer that may repeat the key. */
static int refuse(const struct http_answer *a, struct err *e)
{
	if (a->status == 401 || a->status == 403)
		return err_set(e, ERR_FAILED, "the endpoint refuses the key in the environment (status %ld)", a->status);
	json_t *j = json_parse(a->body.s, a->body.n, "the answer", NULL);
	const json_t *error = json_object_get(j, "error");
	char *text = xstrdup(json_is_string(error) ? json_string_value(error) : json_opt_str(error, "message", ""));
	struct buf b = BUF_INIT;
	hide_key(text); /* before it is cut */
	utf8_add_safe(&b, text, strnlen(text, 200));
	err_set(e, ERR_FAILED, "the endpoint answers with status %ld%s%s", a->status, b.n ? ": " : "", b.s);
	free(text);
	buf_release(&b);
	json_decref(j);
	return -1;
}

static char *read_answer(struct chat *c, const struct http_answer *a, struct err *e)
{
	json_t *j = json_parse(a->body.s, a->body.n, "the answer", NULL); /* whose message quotes it */
	const json_t *choice = json_array_get(json_object_get(j, "choices"), 0), *usage = json_object_get(j, "usage");
	const char *text = json_opt_str(json_object_get(choice, "message"), "content", NULL);
	char *out = text && !repeats_key(text) ? xstrdup(text) : NULL;
	if (!out)
		err_set(e, ERR_FAILED, !j ? "the answer is not JSON" : text ? "the answer repeats the key in the environment"
						       : "the answer has no choices[0].message.content");
	pthread_mutex_lock(&c->lock);
	c->tokens_in += json_opt_u64(usage, "prompt_tokens", 0);
	c->tokens_out += json_opt_u64(usage, "completion_tokens", 0);
	pthread_mutex_unlock(&c->lock);
	json_decref(j);
	return out;
}

/* Whether a person has cancelled, or others' failures have ended it. */
static bool is_over(struct chat *c, struct err *e)
{
	pthread_mutex_lock(&c->lock);
	bool over = c->given_up;
	if (over)
		err_set(e, ERR_FAILED, "%s", c->why);
	pthread_mutex_unlock(&c->lock);
	if (progress_cancelled(c->progress))
		return err_set(e, ERR_CANCELLED, "interrupted");
	return over;
}

static void keep_count(struct chat *c, bool failed, bool refused, const struct err *e)
{
	pthread_mutex_lock(&c->lock);
	c->n_requests++;
	c->n_failed += failed;
	c->failed_in_row = failed ? c->failed_in_row + 1 : 0;
	if (failed && !c->given_up) {
		c->given_up = refused || c->failed_in_row >= CHAT_GIVE_UP;
		if (c->given_up || !*c->why) {
			struct buf safe = BUF_INIT; /* it may quote the answer */
			utf8_add_safe(&safe, e->msg, strlen(e->msg));
			snprintf(c->why, sizeof c->why, "%s", safe.s);
			buf_release(&safe);
		}
	}
	pthread_mutex_unlock(&c->lock);
}

char *chat_ask(struct chat *c, struct http *h, const char *system, const char *user, struct err *e)
{
	struct buf body = BUF_INIT;
	struct err why = {0};
	json_t *j = chat_body(c, system, user);
	json_add_line(&body, j);
	json_decref(j);
	char *auth = key() ? xasprintf("Authorization: Bearer %s", key()) : NULL, *text = NULL;
	const char *const headers[] = {"Content-Type: application/json", "Expect:", auth, NULL};
	bool busy = true, refused = false;
	for (u32 i = 0; busy && i <= c->retries && !text && !is_over(c, &why); i++) {
		struct http_answer a;
		struct http_post p = {c->url, headers, body.s, body.n, CHAT_MOST_BYTES, c->timeout_ms, c->progress};
		int bad = http_post(h, &p, &a, &why);
		busy = bad ? why.code == ERR_FAILED && !a.too_long : a.status == 429 || a.status >= 500;
		if (!bad && a.status == 200)
			text = read_answer(c, &a, &why);
		else if (!bad)
			refuse(&a, &why);
		refused = !bad && (a.status == 401 || a.status == 402 || a.status == 403 || a.status == 404);
		f64 seconds = a.retry_after ? a.retry_after : 0.5 * (f64)(1u << MIN(i, 10u));
		buf_release(&a.body);
		if (text || !busy || i == c->retries)
			break;
		pthread_mutex_lock(&c->lock);
		c->n_retried++;
		pthread_mutex_unlock(&c->lock);
		wait(c, MIN(seconds, (f64)MOST_WAIT));
	}
	if (auth)
		explicit_bzero(auth, strlen(auth));
	free(auth);
	buf_release(&body);
	if (!text && why.code == ERR_CANCELLED) {
		*e = why;
		return NULL;
	}
	hide_key(why.msg); /* libcurl's words, too */
	keep_count(c, !text, refused, &why);
	if (!text)
		*e = why;
	return text;
}
