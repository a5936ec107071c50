/* SPDX-License-Identifier: MIT */
/* rpc.c - messages to and from a module, under one poll.
 *
 * A call is a loop over poll with four descriptors: the child's stdin (a socket, so that a
 * dead child is EPIPE and no signal), stdout, stderr, and the stop's eventfd.
 */
#include "backend/rpc_child.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STOP_GRACE_MS = 5000 }; /* for the reply to a cancelled request */

/* The state of one call. */
struct call {
	struct rpc *r;
	json_int_t id;
	u64 max_bytes;
	rpc_notify_fn fn;
	void *context;

	struct buf head;      /* what is still to be sent: this, then the pieces */
	struct span *pieces;
	size_t n_pieces, piece, sent;
	struct buf notes;     /* notifications to send after it */
	bool cancel_sent, stopped;
	u64 heard; /* when the last byte came */
	u64 grace; /* when patience with a cancelled request ends; 0: not cancelled */

	struct frame in;      /* whose bytes are coming */
	u64 in_got;
	bool in_body;
	struct frame *reply;
	bool done;
};

static struct span next_piece(const struct call *c)
{
	if (c->piece == 0)
		return (struct span){(const u8 *)c->head.s, c->head.n};
	return c->pieces[c->piece - 1];
}

static bool sending(const struct call *c)
{
	return c->piece <= c->n_pieces;
}

static int send_some(struct call *c)
{
	while (sending(c)) {
		struct span s = next_piece(c);
		if (c->sent == s.n) {
			c->piece++;
			c->sent = 0;
			continue;
		}
		ssize_t n = send(c->r->in, s.p + c->sent, s.n - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->sent += (size_t)n;
		c->heard = rpc_now_ms();
	}
	return 0;
}

/* What was to be sent is: goes on with the notifications. */
static void send_notes(struct call *c)
{
	if (sending(c) || !c->notes.n || c->grace)
		return;
	struct buf head = c->head;
	c->head = c->notes;
	c->notes = head;
	buf_clear(&c->notes);
	c->piece = c->sent = 0;
	c->n_pieces = 0;
}

void rpc_notify(struct rpc *r, const char *method, json_t *params)
{
	struct call *c = r->call;
	if (c)
		json_object_set_new(params, "id", json_integer(c->id));
	json_t *line = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params);
	if (c) {
		json_add_line(&c->notes, line);
		buf_addc(&c->notes, '\n');
	}
	json_decref(line);
}

/* Asks the module to end this request, once; the reply is still waited for. */
static void send_cancel(struct call *c)
{
	if (!c->grace)
		c->grace = rpc_now_ms() + STOP_GRACE_MS;
	c->stopped = true;
	if (c->cancel_sent || sending(c))
		return;
	buf_clear(&c->head);
	buf_addf(&c->head, "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":%lld}}\n",
		 (long long)c->id);
	c->piece = c->sent = 0;
	c->n_pieces = 0;
	c->cancel_sent = true;
}

static int rubbish(struct rpc *r, const char *s, size_t n, struct err *e)
{
	struct buf why = BUF_INIT;
	buf_adds(&why, "does not speak the protocol; it said '");
	utf8_add_safe(&why, s, MIN(n, 60u));
	buf_adds(&why, n > 60 ? "...'" : "'");
	rpc_give_up(r, e, why.s);
	buf_release(&why);
	return -1;
}

/* *e from a JSON-RPC error object. */
static int remote_error(const struct rpc *r, const json_t *error, struct err *e)
{
	const char *message = json_opt_str(error, "message", "failed");
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	enum err_code own = code == -32800  ? ERR_CANCELLED
			    : code == -32001 ? ERR_UNAVAILABLE
			    : code == -32602 ? ERR_USAGE
					     : ERR_FAILED;
	struct buf safe = BUF_INIT;
	utf8_add_safe(&safe, message, MIN(strlen(message), 400u));
	if (own == ERR_CANCELLED)
		err_set(e, own, "cancelled");
	else
		err_set(e, own, "%s: %s", r->name, safe.s);
	buf_release(&safe);
	return -1;
}

/* A whole message; f is taken. */
static int handle(struct call *c, struct frame *f, struct err *e)
{
	const json_t *id = json_object_get(f->line, "id"), *error = json_object_get(f->line, "error");
	const char *method = json_opt_str(f->line, "method", NULL);
	const json_t *params = json_object_get(f->line, "params");
	int bad = 0;
	if (method && !id) {
		const json_t *about = json_object_get(params, "id");
		if (json_is_integer(about) && json_integer_value(about) == c->id && c->fn && !c->stopped) {
			struct err why = {0};
			int r = c->fn(c->context, method, params, f, &why);
			if (r > 0)
				send_cancel(c);
			bad = r < 0 ? rpc_give_up_because(c->r, e, why.msg) : 0;
		}
	} else if (!method && json_is_integer(id) && json_integer_value(id) == c->id &&
		   (json_is_object(error) || json_is_object(json_object_get(f->line, "result")))) {
		c->done = true;
		if (!json_is_object(error)) {
			*c->reply = *f;
			return 0;
		}
		bad = remote_error(c->r, error, e);
	} else if (error && json_is_null(id))
		bad = remote_error(c->r, error, e) + rpc_give_up(c->r, NULL, "");
	else
		bad = rpc_give_up(c->r, e, "answered what was not asked");
	frame_release(f);
	return bad;
}

static int handle_line(struct call *c, const char *s, size_t n, struct err *e)
{
	struct err why = {0};
	if (n == strspn(s, " \t\r"))
		return 0;
	if (frame_parse(&c->in, s, n, c->max_bytes,
			&why)) /* JSON it may be, announcing what was not asked for */
		return s[0] == '{' && s[n - 1] == '}' ? rpc_give_up_because(c->r, e, why.msg)
						      : rubbish(c->r, s, n, e);
	if (!c->in.bytes) {
		struct frame f = c->in;
		memset(&c->in, 0, sizeof c->in);
		return frame_settle(&f, e) ? -1 : handle(c, &f, e);
	}
	c->in_body = true;
	c->in_got = 0;
	return frame_room(&c->in, e) ? 0 : -1;
}

/* Takes what it can of s; at most n.  Sets *used. */
static int take(struct call *c, const char *s, size_t n, size_t *used, struct err *e)
{
	if (c->in_body) {
		*used = MIN(n, c->in.bytes - c->in_got);
		memcpy(c->in.data + c->in_got, s, *used);
		c->in_got += *used;
		if (c->in_got < c->in.bytes)
			return 0;
		struct frame f = c->in;
		memset(&c->in, 0, sizeof c->in);
		c->in_body = false;
		return frame_settle(&f, e) ? -1 : handle(c, &f, e);
	}
	const char *nl = memchr(s, '\n', n);
	*used = nl ? (size_t)(nl - s) + 1 : n;
	buf_add(&c->r->line, s, nl ? *used - 1 : *used);
	if (c->r->line.n > FRAME_MAX_LINE)
		return rubbish(c->r, c->r->line.s, c->r->line.n, e);
	if (!nl)
		return 0;
	struct buf line = c->r->line;
	buf_init(&c->r->line);
	int bad = handle_line(c, line.s, line.n, e);
	buf_release(&line);
	return bad;
}

static int receive_some(struct call *c, struct err *e)
{
	char chunk[1 << 16];
	ssize_t n = read(c->r->out, chunk, sizeof chunk);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return rpc_give_up_dead(c->r, e);
	c->heard = rpc_now_ms();
	for (size_t at = 0, used; at < (size_t)n; at += used) {
		if (c->done) /* one request at a time: nothing may follow its reply */
			return rpc_give_up(c->r, e, "answered what was not asked");
		if (take(c, chunk + at, (size_t)n - at, &used, e))
			return -1;
	}
	return 0;
}

static int out_of_patience(struct call *c, struct err *e)
{
	char why[96];
	if (c->grace) {
		rpc_kill_child(c->r);
		return err_set(e, ERR_CANCELLED, "cancelled");
	}
	snprintf(why, sizeof why, "has said nothing for %llu s and was stopped",
		 (unsigned long long)(c->r->timeout_ms + 500) / 1000);
	return rpc_give_up(c->r, e, why);
}

/* One round of poll. */
static int turn(struct call *c, struct err *e)
{
	struct rpc *r = c->r;
	struct pollfd fds[4] = {{r->out, POLLIN, 0},
				{r->err, POLLIN, 0},
				{r->stop->fd, POLLIN, 0},
				{-1, POLLOUT, 0}};
	send_notes(c);
	fds[3].fd = sending(c) ? r->in : -1;
	u64 now = rpc_now_ms(), end = c->grace ? c->grace : c->heard + r->timeout_ms;
	if (now >= end)
		return out_of_patience(c, e);
	if (poll(fds, ARRAY_LEN(fds), (int)MIN(end - now, r->stop->watch ? 100u : 60000u)) < 0 &&
	    errno != EINTR)
		return err_os(e, "cannot wait for backend '%s'", r->name);
	if (fds[2].revents & POLLIN) {
		u64 count;
		ssize_t n = read(r->stop->fd, &count, sizeof count);
		(void)n;
	}
	if (atomic_load(&r->stop->wanted) || progress_cancelled(r->stop->watch) || c->stopped)
		send_cancel(c);
	if (fds[1].revents)
		rpc_read_errors(r);
	/* a child that died in the middle of a request may have said why on stdout */
	if (fds[3].revents && send_some(c) && !(fds[0].revents & POLLIN))
		return rpc_give_up_dead(r, e);
	return fds[0].revents ? receive_some(c, e) : 0;
}

int rpc_call(struct rpc *r, const char *method, json_t *params, struct frame_out *f, u64 max_bytes,
	     rpc_notify_fn fn, void *context, struct frame *reply, struct err *e)
{
	struct err own = {0};
	struct call c = {.r = r,
			 .id = r->next_id++,
			 .max_bytes = MAX(max_bytes, 1u << 20),
			 .fn = fn,
			 .context = context,
			 .head = BUF_INIT,
			 .notes = BUF_INIT,
			 .reply = reply,
			 .heard = rpc_now_ms()};
	struct frame_out none;
	int bad = 0;
	e = e ? e : &own;
	if (!f)
		frame_out_init(f = &none, NULL);
	json_t *line = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", c.id, "method", method,
				 "params", params);
	if (f->arrays)
		json_object_set(line, "arrays", f->arrays);
	json_decref(f->line);
	f->line = line;
	frame_out_head(f, &c.head);
	c.pieces = f->data;
	c.n_pieces = f->n;
	if (c.head.n > FRAME_MAX_LINE)
		bad = err_set(e, ERR_USAGE, "the text is too long for one request (%zu bytes, at most 1 MiB)",
			      c.head.n);
	r->call = &c;
	bool too_long = bad;
	while (!bad && !c.done)
		bad = turn(&c, e);
	r->call = NULL;
	if (bad && !c.done && !too_long)
		rpc_kill_child(r); /* in the middle of something: it cannot be gone on with */
	if (!bad && c.stopped) {
		frame_release(reply);
		bad = err_set(e, ERR_CANCELLED, "cancelled");
	}
	frame_release(&c.in);
	frame_out_release(f);
	buf_release(&c.head);
	buf_release(&c.notes);
	return bad;
}
