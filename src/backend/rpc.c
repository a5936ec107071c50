/* SPDX-License-Identifier: MIT */
/* rpc.c - a module process: start, messages under one poll, and its end.
 *
 * A call is a loop over poll with four descriptors: the child's stdin (a socket, so that a
 * dead child is EPIPE and no signal), stdout, stderr, and the stop's eventfd.
 */
#include "backend/rpc.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STDERR_KEPT = 4096,
	STOP_GRACE_MS = 5000, /* for the reply to a cancelled request */
	END_GRACE_MS = 1500,
};

extern char **environ;

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
};

static u64 now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

int rpc_stop_init(struct rpc_stop *s, struct err *e)
{
	atomic_init(&s->wanted, false);
	s->watch = NULL;
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s->fd < 0 ? err_os(e, "cannot make an eventfd") : 0;
}

void rpc_stop_release(struct rpc_stop *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void rpc_poke(struct rpc_stop *s)
{
	u64 one = 1;
	atomic_store(&s->wanted, true);
	ssize_t n = write(s->fd, &one, sizeof one);
	(void)n; /* full means poked already */
}

/* PATH for the child, others as they are; the array is the caller's, its strings but the first are not. */
static char **child_environ(const char *path)
{
	size_t n = 0, m = 0;
	while (environ[n])
		n++;
	char **env = xcalloc(n + 2, sizeof *env);
	env[m++] = xasprintf("PATH=%s", path ? path : getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "PATH=", 5))
			env[m++] = environ[i];
	return env;
}

static int spawn(struct rpc *r, char *const argv[], const char *path, const int child[3], struct err *e)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&files, child[i], i);
	/* a session of its own: ^C is ours, the whole of it can be killed, and nothing in it can
	 * ask for a password on our terminal */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	char **env = child_environ(path);
	int failed = posix_spawnp(&r->pid, argv[0], &files, &attr, argv, env);
	free(env[0]);
	free(env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	if (!failed)
		return 0;
	r->pid = 0;
	errno = failed;
	return err_os(e, "cannot start backend '%s'", r->name);
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Two ends, the second for the child and above 2, so that dup2 in the child loses none. */
static int make_pair(int fd[2], bool socket)
{
	int p[2];
	if (socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) : pipe2(p, O_CLOEXEC))
		return -1;
	fd[0] = p[0];
	fd[1] = fcntl(p[1], F_DUPFD_CLOEXEC, 3);
	close(p[1]);
	return fd[1] < 0 || fcntl(fd[0], F_SETFL, O_NONBLOCK) < 0 ? -1 : 0;
}

struct rpc *rpc_start(const char *name, char *const argv[], const char *path, struct rpc_stop *stop,
		      u64 timeout_ms, struct err *e)
{
	struct rpc *r = xcalloc(1, sizeof *r);
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
	r->name = xstrdup(name);
	r->stop = stop;
	r->timeout_ms = timeout_ms;
	r->next_id = 1;
	buf_init(&r->line);
	buf_init(&r->errors);
	r->in = r->out = r->err = -1;
	int failed = make_pair(in, true) || make_pair(out, false) || make_pair(err, false);
	if (failed)
		err_os(e, "cannot make pipes for backend '%s'", name);
	else
		failed = spawn(r, argv, path, (int[]){in[1], out[1], err[1]}, e);
	close_all((int[]){in[1], out[1], err[1]}, 3);
	r->in = in[0];
	r->out = out[0];
	r->err = err[0];
	if (!failed)
		return r;
	rpc_free(r);
	return NULL;
}

bool rpc_is_dead(const struct rpc *r)
{
	return r->dead;
}

/* Waits up to ms for the child; true once it is gone.  *status may be NULL. */
static bool reap(struct rpc *r, u64 ms, int *status)
{
	int s = 0;
	for (u64 end = now_ms() + ms; r->pid;) {
		pid_t got = waitpid(r->pid, &s, WNOHANG);
		if (got == r->pid || (got < 0 && errno != EINTR)) {
			r->pid = 0;
			break;
		}
		if (now_ms() >= end)
			return false;
		poll(NULL, 0, 5);
	}
	if (status)
		*status = s;
	return true;
}

static void kill_child(struct rpc *r)
{
	r->dead = true;
	if (!r->pid)
		return;
	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
	reap(r, 10000, NULL);
}

void rpc_free(struct rpc *r)
{
	if (!r)
		return;
	if (r->pid && !r->dead) {
		static const char bye[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"shutdown\"}\n";
		ssize_t n = send(r->in, bye, sizeof bye - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)n;
		shutdown(r->in, SHUT_WR);
		/* what it still has to say must not hold it up */
		close_all((int[]){r->out, r->err}, 2);
		r->out = r->err = -1;
		pid_t group = r->pid;
		if (!reap(r, END_GRACE_MS, NULL))
			kill_child(r);
		else
			kill(-group, SIGKILL); /* what a shell may have left */
	} else
		kill_child(r);
	close_all((int[]){r->in, r->out, r->err}, 3);
	free(r->name);
	buf_release(&r->line);
	buf_release(&r->errors);
	free(r);
}

static void read_errors(struct rpc *r)
{
	char chunk[4096];
	for (ssize_t n; r->err >= 0 && (n = read(r->err, chunk, sizeof chunk)) != -1;) {
		if (n == 0) {
			close(r->err);
			r->err = -1;
			return;
		}
		buf_add(&r->errors, chunk, (size_t)n);
		if (r->errors.n > STDERR_KEPT)
			buf_remove(&r->errors, 0, r->errors.n - STDERR_KEPT);
	}
}

/* The last line of stderr that is not blank, safe to print, after a colon; or nothing. */
static void add_last_words(struct rpc *r, struct buf *out)
{
	read_errors(r);
	size_t end = r->errors.n;
	while (end && strchr(" \t\r\n", r->errors.s[end - 1]))
		end--;
	size_t start = end;
	while (start && r->errors.s[start - 1] != '\n')
		start--;
	if (start == end)
		return;
	buf_adds(out, ": ");
	utf8_add_safe(out, r->errors.s + start, MIN(end - start, 200u));
}

/* The child is no use any more: kills it, and says why with its last words. */
static int give_up(struct rpc *r, struct err *e, const char *why)
{
	struct buf words = BUF_INIT;
	add_last_words(r, &words);
	kill_child(r);
	err_set(e, ERR_UNAVAILABLE, "backend '%s' %s%s", r->name, why, words.s);
	buf_release(&words);
	return -1;
}

static int give_up_dead(struct rpc *r, struct err *e)
{
	int status = 0;
	char why[96];
	if (!reap(r, 2000, &status))
		return give_up(r, e, "closed its output");
	if (WIFSIGNALED(status))
		snprintf(why, sizeof why, "died of signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof why, "ended with status %d", WEXITSTATUS(status));
	return give_up(r, e, why);
}

static int give_up_because(struct rpc *r, struct err *e, const char *what)
{
	char why[160];
	snprintf(why, sizeof why, "broke the protocol: %.120s", what);
	return give_up(r, e, why);
}

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
		c->heard = now_ms();
	}
	return 0;
}

/* Asks the module to end this request, once; the reply is still waited for. */
static void send_cancel(struct call *c)
{
	if (!c->grace)
		c->grace = now_ms() + STOP_GRACE_MS;
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
	give_up(r, e, why.s);
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
			bad = r < 0 ? give_up_because(c->r, e, why.msg) : 0;
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
		bad = remote_error(c->r, error, e) + give_up(c->r, NULL, "");
	else
		bad = give_up(c->r, e, "answered what was not asked");
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
		return s[0] == '{' && s[n - 1] == '}' ? give_up_because(c->r, e, why.msg)
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
		return give_up_dead(c->r, e);
	c->heard = now_ms();
	for (size_t at = 0, used; at < (size_t)n; at += used) {
		if (c->done) /* one request at a time: nothing may follow its reply */
			return give_up(c->r, e, "answered what was not asked");
		if (take(c, chunk + at, (size_t)n - at, &used, e))
			return -1;
	}
	return 0;
}

static int out_of_patience(struct call *c, struct err *e)
{
	char why[96];
	if (c->grace) {
		kill_child(c->r);
		return err_set(e, ERR_CANCELLED, "cancelled");
	}
	snprintf(why, sizeof why, "has said nothing for %llu s and was stopped",
		 (unsigned long long)(c->r->timeout_ms + 500) / 1000);
	return give_up(c->r, e, why);
}

/* One round of poll. */
static int turn(struct call *c, struct err *e)
{
	struct rpc *r = c->r;
	struct pollfd fds[4] = {{r->out, POLLIN, 0},
				{r->err, POLLIN, 0},
				{r->stop->fd, POLLIN, 0},
				{sending(c) ? r->in : -1, POLLOUT, 0}};
	u64 now = now_ms(), end = c->grace ? c->grace : c->heard + r->timeout_ms;
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
		read_errors(r);
	/* a child that died in the middle of a request may have said why on stdout */
	if (fds[3].revents && send_some(c) && !(fds[0].revents & POLLIN))
		return give_up_dead(r, e);
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
			 .reply = reply,
			 .heard = now_ms()};
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
	while (!bad && !c.done)
		bad = turn(&c, e);
	if (bad && !c.done && c.head.n <= FRAME_MAX_LINE)
		kill_child(r); /* in the middle of something: it cannot be gone on with */
	if (!bad && c.stopped) {
		frame_release(reply);
		bad = err_set(e, ERR_CANCELLED, "cancelled");
	}
	frame_release(&c.in);
	frame_out_release(f);
	buf_release(&c.head);
	return bad;
}
