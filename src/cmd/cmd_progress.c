/* SPDX-License-Identifier: MIT */
/* cmd_progress.c - how far a command is, on stderr, and ^C for it.
 *
 * On a terminal one line, redrawn five times a second after the first 200 ms; elsewhere a
 * line every ten seconds.
 */
#include "cmd/cmd.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct cmd_progress {
	struct progress *p;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool quit, drawn;
	f64 since; /* when this stage began */
	const char *what;
};

static struct progress *interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	/* a second ^C ends the program at once */
	signal(SIGINT, SIG_DFL);
	if (interrupted)
		progress_cancel(interrupted);
}

static f64 now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec + (f64)t.tv_nsec * 1e-9;
}

static void time_text(char *out, size_t size, f64 s)
{
	if (s < 90)
		snprintf(out, size, "%.0f s", s);
	else if (s < 5400)
		snprintf(out, size, "%.0f min", s / 60);
	else
		snprintf(out, size, "%.1f h", s / 3600);
}

static void draw(struct cmd_progress *c, bool terminal)
{
	const char *what = atomic_load(&c->p->what), *unit = atomic_load(&c->p->unit);
	u64 done = atomic_load(&c->p->done), total = atomic_load(&c->p->total);
	if (!what)
		return;
	if (what != c->what) {
		c->what = what;
		c->since = now();
	}
	f64 t = now() - c->since;
	char line[160], left[32] = "";
	if (total && done && done < total && t > 1) {
		time_text(left, sizeof left, t / (f64)done * (f64)(total - done));
		strcat(left, " left");
	}
	int n;
	if (total)
		n = snprintf(line, sizeof line, "%s  %llu of %llu %s  %.0f %%  %s", what, (unsigned long long)done,
			     (unsigned long long)total, unit ? unit : "", 100.0 * (f64)done / (f64)total, left);
	else
		n = snprintf(line, sizeof line, "%s  %llu %s", what, (unsigned long long)done, unit ? unit : "");
	fprintf(stderr, terminal ? "\r%.*s\033[K" : "%.*s\n", n, line);
	c->drawn = true;
}

static void *run(void *arg)
{
	struct cmd_progress *c = arg;
	bool terminal = isatty(2);
	f64 step = terminal ? 0.2 : 10;
	pthread_mutex_lock(&c->lock);
	while (!c->quit) {
		struct timespec t;
		clock_gettime(CLOCK_REALTIME, &t);
		f64 at = (f64)t.tv_sec + (f64)t.tv_nsec * 1e-9 + step;
		t.tv_sec = (time_t)at;
		t.tv_nsec = (long)((at - (f64)t.tv_sec) * 1e9);
		pthread_cond_timedwait(&c->wake, &c->lock, &t);
		if (!c->quit)
			draw(c, terminal);
		step = terminal ? 0.2 : 10;
	}
	if (c->drawn && terminal) {
		draw(c, true);
		fputc('\n', stderr);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct cmd_progress *cmd_progress_start(struct progress *p)
{
	struct cmd_progress *c = xcalloc(1, sizeof *c);
	c->p = p;
	c->since = now();
	interrupted = p;
	signal(SIGINT, on_interrupt);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	if (pthread_create(&c->thread, NULL, run, c)) {
		free(c);
		return NULL; /* the work goes on without words */
	}
	return c;
}

void cmd_progress_stop(struct cmd_progress *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	signal(SIGINT, SIG_DFL);
	interrupted = NULL;
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	free(c);
}
