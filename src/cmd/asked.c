/* SPDX-License-Identifier: MIT */
/* asked.c - features and endpoint of judge and explain. */
#include "cmd/asked.h"

#include "base/mem.h"
#include "core/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_number(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;
	return (x > y) - (x < y);
}

static int by_query(const struct cmd_args *a, struct session *s, u32 **ids, size_t *n, struct err *e)
{
	struct query_world w = {.atlas = s->atlas, .note = s->note, .pool = s->pool};
	struct search_result r = {0};
	if (a->n_positional != 2)
		return err_set(e, ERR_USAGE, "--query wants one query");
	struct query *q = query_parse(a->positional[1], SEARCH_EXACT, NULL, e);
	w.people = session_people(s, &w.n_people, &w.hidden);
	int bad = !q || query_run(q, &w, &r, NULL, e) ? -1 : 0;
	*ids = xcalloc(bad ? 1 : r.n_hits + 1, sizeof **ids);
	for (u32 f = 0; !bad && (f = search_next(&r, s->atlas->n_features, f)) != UINT32_MAX; f++)
		(*ids)[(*n)++] = f;
	search_result_release(&r);
	query_free(q);
	return bad;
}

int asked_features(const struct cmd_args *a, struct session *s, u32 **ids, size_t *n, struct err *e)
{
	size_t kept = 0;
	*n = 0;
	*ids = NULL;
	if (arg_flag(a, "query"))
		return by_query(a, s, ids, n, e);
	*n = a->n_positional > 1 ? a->n_positional - 1 : s->atlas->n_features;
	*ids = xcalloc(*n + 1, sizeof **ids);
	for (size_t i = 0; i < *n; i++) {
		(*ids)[i] = (u32)i;
		if (a->n_positional > 1 && session_parse_id(s, a->positional[i + 1], &(*ids)[i], e))
			return -1;
	}
	qsort(*ids, *n, sizeof **ids, by_number);
	for (size_t i = 0; i < *n; i++)
		if (!i || (*ids)[i] != (*ids)[i - 1])
			(*ids)[kept++] = (*ids)[i];
	*n = kept;
	return 0;
}

/* "IN,OUT", for a million tokens. */
static int read_price(const char *s, struct chat *c, struct err *e)
{
	char *end;
	if (!s)
		return 0;
	c->price_in = strtod(s, &end);
	if (end != s && *end == ',') {
		char *second = end + 1;
		c->price_out = strtod(second, &end);
		if (end != second && !*end && c->price_in >= 0 && c->price_out >= 0 && c->price_in < 1e9 && c->price_out < 1e9)
			return 0;
	}
	return err_set(e, ERR_USAGE, "--price wants what a million tokens cost, IN,OUT, not '%s'", s);
}

int asked_chat(const struct cmd_args *a, struct chat *c, const struct progress *p, struct err *e)
{
	const char *endpoint = arg_str(a, "endpoint", NULL), *model = arg_str(a, "model", NULL);
	u64 retries, seconds;
	if (!endpoint || !model)
		return err_set(e, ERR_USAGE, "--endpoint and --model name who is asked");
	if (arg_u64(a, "retries", 4, 0, 20, &retries, e) || arg_u64(a, "timeout", 120, 1, 3600, &seconds, e) ||
	    chat_init(c, endpoint, model, e))
		return -1;
	c->retries = (u32)retries;
	c->timeout_ms = (u32)seconds * 1000;
	c->progress = p;
	return read_price(arg_str(a, "price", NULL), c, e);
}

int asked_writable(const struct session *s, struct err *e)
{
	if (s->atlas->bare)
		return err_set(e, ERR_FAILED, "'%s' is a dictionary alone, which keeps nothing; --no-keep only prints",
			       s->atlas->folder);
	if (!access(s->atlas->folder, W_OK))
		return 0;
	return err_set(e, ERR_FAILED, "'%s' may not be written; --no-keep only prints", s->atlas->folder);
}

void asked_say_cost(const struct cmd_args *a, const struct chat *c)
{
	if (c->n_requests)
		fprintf(stderr, "featlas %s: %llu requests, %llu tokens sent, %llu received", a->command,
			(unsigned long long)c->n_requests, (unsigned long long)c->tokens_in,
			(unsigned long long)c->tokens_out);
	if (c->n_requests && (c->price_in > 0 || c->price_out > 0))
		fprintf(stderr, ", cost %.4f",
			((f64)c->tokens_in * c->price_in + (f64)c->tokens_out * c->price_out) / 1e6);
	if (c->n_requests && c->n_retried)
		fprintf(stderr, "; %llu asked again", (unsigned long long)c->n_retried);
	if (c->n_failed)
		fprintf(stderr, "; %llu failed: %s", (unsigned long long)c->n_failed, c->why);
	if (c->n_requests)
		fputs("\n", stderr);
}

void asked_print(void *context, json_t *body)
{
	struct asked_dry *d = context;
	struct buf b = BUF_INIT;
	json_add_line(&b, body);
	d->n++;
	d->bytes += b.n;
	buf_release(&b);
	cmd_print_json(body);
}

void asked_say_dry(const struct cmd_args *a, const struct chat *c, const struct asked_dry *d)
{
	fprintf(stderr, "featlas %s: %llu requests would go to %s, %llu bytes, about %llu tokens; nothing was sent\n",
		a->command, (unsigned long long)d->n, c->url, (unsigned long long)d->bytes, (unsigned long long)d->bytes / 4);
}
