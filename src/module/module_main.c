/* SPDX-License-Identifier: MIT */
/* module_main.c - the transport of a module: a thread that reads, a queue, one writer at a time.
 *
 * The reader takes lines and frames off descriptor 0 and queues requests; cancel and update it
 * handles itself, so that they are answered while an op runs.  The main thread serves the queue in
 * order.  Each request ends with exactly one reply, sent by the main thread.
 */
#include "config.h"

#include "module/server.h"

#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static u64 now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static int write_all(int fd, const void *p, size_t n)
{
	const char *s = p;
	while (n) {
		ssize_t w = write(fd, s, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		s += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Nobody reads any more: whatever runs is to stop. */
static void client_gone(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->end = s->gone = true;
	if (s->current)
		atomic_store(&s->current->cancelled, true);
	for (struct module_request *r = s->first; r; r = r->next)
		atomic_store(&r->cancelled, true);
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

void server_send(struct server *s, struct frame_out *f)
{
	struct buf head = BUF_INIT;
	frame_out_head(f, &head);
	pthread_mutex_lock(&s->write_lock);
	int bad = write_all(s->out, head.s, head.n);
	for (size_t i = 0; i < f->n && !bad; i++)
		bad = write_all(s->out, f->data[i].p, f->data[i].n);
	pthread_mutex_unlock(&s->write_lock);
	buf_release(&head);
	frame_out_release(f);
	if (bad)
		client_gone(s);
}

void server_reply(const struct module_request *r, struct frame_out *f, json_t *result)
{
	frame_out_init(f, json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", r->id, "result", result));
}

void server_error(struct server *s, const json_t *id, enum rpc_code code, const char *message)
{
	struct frame_out f;
	json_t *error =
		json_pack("{s:i, s:o}", "code", (int)code, "message", json_text(message, strlen(message)));
	json_t *to = id ? json_deep_copy(id) : json_null();
	frame_out_init(&f, json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", to, "error", error));
	server_send(s, &f);
}

bool module_cancelled(const struct module_request *r)
{
	return atomic_load_explicit(&r->cancelled, memory_order_relaxed);
}

void module_progress(struct module_request *r, const char *what, u64 done, u64 total)
{
	u64 t = now_ms();
	if (t - r->told < 100 && done != total)
		return;
	r->told = t;
	struct frame_out f;
	frame_out_init(&f, json_pack("{s:s, s:s, s:{s:O, s:s, s:I, s:I}}", "jsonrpc", "2.0", "method",
				     "progress", "params", "id", r->id, "what", what, "done",
				     (json_int_t)done, "total", (json_int_t)total));
	server_send(r->s, &f);
}

static bool same_id(const json_t *a, const json_t *b)
{
	return a && b && json_equal(a, b);
}

/* Sets the flag of the request that runs or waits under this id. */
static bool cancel(struct server *s, const json_t *id)
{
	bool found = false;
	pthread_mutex_lock(&s->lock);
	if (s->current && same_id(s->current->id, id)) {
		atomic_store(&s->current->cancelled, true);
		found = true;
	}
	for (struct module_request *r = s->first; r; r = r->next)
		if (same_id(r->id, id)) {
			atomic_store(&r->cancelled, true);
			found = true;
		}
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	return found;
}

static void request_free(struct module_request *r)
{
	frame_release(&r->in);
	json_decref(r->runs);
	free(r->updates);
	free(r->seen);
	free(r);
}

/* True if r was queued; else it stays the caller's. */
static bool enqueue(struct server *s, struct module_request *r)
{
	pthread_mutex_lock(&s->lock);
	bool room = s->n_queued < SERVER_MAX_QUEUE;
	if (room) {
		if (s->last)
			s->last->next = r;
		else
			s->first = r;
		s->last = r;
		s->n_queued++;
		pthread_cond_signal(&s->more);
	}
	pthread_mutex_unlock(&s->lock);
	return room;
}

/* The reader's own methods, which are answered while a request runs. */
static bool serve_at_once(struct server *s, const struct module_request *r)
{
	struct err e = {0};
	int found;
	if (!strcmp(r->method, "cancel"))
		found = cancel(s, json_object_get(r->params, "id"));
	else if (!strcmp(r->method, "update") && s->ops->generate)
		found = server_update(s, r->params, &e);
	else
		return false;
	if (r->id && found < 0) {
		server_error(s, r->id, RPC_PARAMS, e.msg);
	} else if (r->id) {
		struct frame_out out;
		server_reply(r, &out, json_pack("{s:b}", "found", found));
		server_send(s, &out);
	}
	return true;
}

/* A whole message has come in; f is taken. */
static void accept_frame(struct server *s, struct frame *f)
{
	struct module_request *r = xcalloc(1, sizeof *r);
	r->s = s;
	r->in = *f;
	r->id = json_object_get(f->line, "id");
	r->method = json_string_value(json_object_get(f->line, "method"));
	r->params = json_object_get(f->line, "params");
	const char *version = json_opt_str(f->line, "jsonrpc", "");
	bool good_id = json_is_integer(r->id) || json_is_string(r->id);
	if (!r->method || strcmp(version, "2.0") || (r->id && !good_id) ||
	    (r->params && !json_is_object(r->params)))
		server_error(s, good_id ? r->id : NULL, RPC_INVALID, "this is not a JSON-RPC 2.0 request");
	else if (serve_at_once(s, r) || !r->id)
		; /* a notification that is not known is left alone */
	else if (enqueue(s, r))
		return;
	else
		server_error(s, r->id, RPC_BUSY, "too many requests wait");
	request_free(r);
}

/* A buffered descriptor 0. */
struct input {
	char buf[1 << 16];
	size_t at, n;
};

static bool refill(struct input *in)
{
	ssize_t r;
	do
		r = read(0, in->buf, sizeof in->buf);
	while (r < 0 && errno == EINTR);
	in->at = 0;
	in->n = r > 0 ? (size_t)r : 0;
	return r > 0;
}

/* 1 a line, 0 the end, -1 a line longer than FRAME_MAX_LINE, whose rest was skipped. */
static int read_line(struct input *in, struct buf *line)
{
	bool skip = false;
	buf_clear(line);
	for (;;) {
		if (in->at == in->n && !refill(in))
			return 0;
		char *start = in->buf + in->at, *nl = memchr(start, '\n', in->n - in->at);
		size_t n = nl ? (size_t)(nl - start) : in->n - in->at;
		skip = skip || line->n + n > FRAME_MAX_LINE;
		if (!skip)
			buf_add(line, start, n);
		in->at += n + (nl != NULL);
		if (nl)
			return skip ? -1 : 1;
	}
}

/* to NULL: skips.  False at the end of the input. */
static bool read_bytes(struct input *in, u8 *to, u64 n)
{
	while (n) {
		if (in->at == in->n && !refill(in))
			return false;
		size_t m = MIN(n, in->n - in->at);
		if (to) {
			memcpy(to, in->buf + in->at, m);
			to += m;
		}
		in->at += m;
		n -= m;
	}
	return true;
}

static bool blank(const struct buf *line)
{
	return line->n == strspn(line->s, " \t\r");
}

static void *reader(void *arg)
{
	struct server *s = arg;
	struct input *in = xmalloc(sizeof *in);
	struct buf line = BUF_INIT;
	in->at = in->n = 0;
	for (int got; (got = read_line(in, &line)) != 0;) {
		struct err e = {0};
		struct frame f;
		if (got < 0) {
			server_error(s, NULL, RPC_PARSE, "a line is longer than 1 MiB");
			continue;
		}
		if (blank(&line))
			continue;
		if (frame_parse(&f, line.s, line.n, FRAME_MAX_BYTES, &e)) {
			server_error(s, NULL, RPC_PARSE, e.msg);
			if (!read_bytes(in, NULL, f.bytes))
				break;
			continue;
		}
		u8 *room = f.bytes ? frame_room(&f, &e) : NULL;
		bool whole = read_bytes(in, room, f.bytes);
		if (!whole || (f.bytes && !room) || frame_settle(&f, &e)) {
			if (whole)
				server_error(s, json_object_get(f.line, "id"), RPC_FAILED, e.msg);
			frame_release(&f);
			if (!whole)
				break;
			continue;
		}
		accept_frame(s, &f);
	}
	pthread_mutex_lock(&s->lock);
	s->end = true;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	buf_release(&line);
	free(in);
	return NULL;
}

static struct module_request *next_request(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->first && !s->end)
		pthread_cond_wait(&s->more, &s->lock);
	/* the end of the input ends nothing that was asked before it; a broken output does */
	struct module_request *r = s->gone ? NULL : s->first;
	if (r) {
		s->first = r->next;
		if (!s->first)
			s->last = NULL;
		s->n_queued--;
		s->current = r;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void serve(struct server *s)
{
	struct module_request *r;
	while (!s->quit && (r = next_request(s))) {
		calls_serve(r);
		pthread_mutex_lock(&s->lock);
		s->current = NULL;
		pthread_mutex_unlock(&s->lock);
		request_free(r);
	}
}

static int say(const struct module_ops *ops, const char *arg)
{
	if (!strcmp(arg, "--version"))
		printf("%s %s, protocol %s\n", ops->program, PACKAGE_VERSION, MODULE_PROTOCOL);
	else
		printf("usage: %s\n", ops->usage);
	return fflush(stdout) ? 1 : 0;
}

int module_main(const struct module_ops *ops, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "--version"))
			return say(ops, argv[i]);
	struct server s = {.ops = ops, .argc = argc, .argv = argv, .vocab = BUF_INIT};
	pthread_mutex_init(&s.write_lock, NULL);
	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.more, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* the protocol keeps stdout for itself; prints of libraries go to stderr */
	s.out = dup(1);
	if (s.out < 0 || dup2(2, 1) < 0) {
		fprintf(stderr, "%s: cannot set up its descriptors: %s\n", ops->program, strerror(errno));
		return 1;
	}
	pthread_t thread;
	if (pthread_create(&thread, NULL, reader, &s)) {
		fprintf(stderr, "%s: cannot start a thread\n", ops->program);
		return 1;
	}
	pthread_detach(thread); /* it may sit in read() when all is over */
	serve(&s);
	if (s.m && ops->unload)
		ops->unload(s.m);
	fflush(NULL);
	_exit(0);
}
