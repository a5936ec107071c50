/* SPDX-License-Identifier: MIT */
/* rpc_child.c - a module process: its start, its descriptors, its end and what it said last. */
#include "backend/rpc_child.h"

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

enum { STDERR_KEPT = 4096, END_GRACE_MS = 1500 };

extern char **environ;


u64 rpc_now_ms(void)
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

/* PATH for the child, others as they are but for the key of chat endpoints, which is none of its business.  The
 * array is the caller's, its strings but the first are not. */
static char **child_environ(const char *path)
{
	size_t n = 0, m = 0;
	while (environ[n])
		n++;
	char **env = xcalloc(n + 2, sizeof *env);
	env[m++] = xasprintf("PATH=%s", path ? path : getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "PATH=", 5) && strncmp(environ[i], "FEATLAS_API_KEY=", 16))
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
	for (u64 end = rpc_now_ms() + ms; r->pid;) {
		pid_t got = waitpid(r->pid, &s, WNOHANG);
		if (got == r->pid || (got < 0 && errno != EINTR)) {
			r->pid = 0;
			break;
		}
		if (rpc_now_ms() >= end)
			return false;
		poll(NULL, 0, 5);
	}
	if (status)
		*status = s;
	return true;
}

void rpc_kill_child(struct rpc *r)
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
			rpc_kill_child(r);
		else
			kill(-group, SIGKILL); /* what a shell may have left */
	} else
		rpc_kill_child(r);
	close_all((int[]){r->in, r->out, r->err}, 3);
	free(r->name);
	buf_release(&r->line);
	buf_release(&r->errors);
	free(r);
}

void rpc_read_errors(struct rpc *r)
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
	rpc_read_errors(r);
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

int rpc_give_up(struct rpc *r, struct err *e, const char *why)
{
	struct buf words = BUF_INIT;
	add_last_words(r, &words);
	rpc_kill_child(r);
	err_set(e, ERR_UNAVAILABLE, "backend '%s' %s%s", r->name, why, words.s);
	buf_release(&words);
	return -1;
}

int rpc_give_up_dead(struct rpc *r, struct err *e)
{
	int status = 0;
	char why[96];
	if (!reap(r, 2000, &status))
		return rpc_give_up(r, e, "closed its output");
	if (WIFSIGNALED(status))
		snprintf(why, sizeof why, "died of signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof why, "ended with status %d", WEXITSTATUS(status));
	return rpc_give_up(r, e, why);
}

int rpc_give_up_because(struct rpc *r, struct err *e, const char *what)
{
	char why[160];
	snprintf(why, sizeof why, "broke the protocol: %.120s", what);
	return rpc_give_up(r, e, why);
}
