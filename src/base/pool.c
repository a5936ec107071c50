/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BEHIND = 10 /* as nice(1) adds */ };

struct pool {
	unsigned n; /* threads, the caller included */
	pthread_t *threads;
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	u64 round;        /* bumped for each pool_each */
	unsigned running; /* workers still in this round */
	bool quit, behind;
	void (*fn)(void *, size_t, unsigned);
	void *context;
	size_t n_tasks;
	atomic_size_t next;
};

struct worker {
	struct pool *pool;
	unsigned index;
};

static void take_tasks(struct pool *p, unsigned thread)
{
	for (;;) {
		size_t i = atomic_fetch_add(&p->next, 1);
		if (i >= p->n_tasks)
			return;
		p->fn(p->context, i, thread);
	}
}

void pool_step_back(void)
{
	/* here a thread has a priority of its own, and 0 is the calling one; elsewhere 0 is the process */
#ifdef __linux__
	if (gettid() != getpid())
		setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + BEHIND);
#endif
}

void pool_stay_behind(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->behind = true;
	pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	u64 seen = 0;
	bool behind = false;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->round == seen && !p->quit)
			pthread_cond_wait(&p->work, &p->lock);
		if (p->quit)
			break;
		seen = p->round;
		bool step_back = p->behind && !behind;
		pthread_mutex_unlock(&p->lock);
		if (step_back)
			pool_step_back();
		behind |= step_back;
		take_tasks(p, w->index);
		pthread_mutex_lock(&p->lock);
		if (--p->running == 0)
			pthread_cond_signal(&p->idle);
	}
	pthread_mutex_unlock(&p->lock);
	free(w);
	return NULL;
}

/* Signals belong to the main thread. */
static int spawn(pthread_t *t, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(t, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

struct pool *pool_new(unsigned n)
{
	const char *env = getenv("FEATLAS_THREADS");
	if (!n && env)
		n = (unsigned)strtoul(env, NULL, 10);
	if (!n) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);
		n = cores > 0 ? (unsigned)cores : 1;
	}
	n = MIN(n, 256u);
	struct pool *p = xcalloc(1, sizeof *p);
	p->threads = xcalloc(n, sizeof *p->threads);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->idle, NULL);
	p->n = 1;
	while (p->n < n) {
		struct worker *w = xmalloc(sizeof *w);
		*w = (struct worker){p, p->n};
		if (spawn(&p->threads[p->n], work, w)) {
			free(w); /* fewer threads, the same results */
			break;
		}
		p->n++;
	}
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 1; i < p->n; i++)
		pthread_join(p->threads[i], NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->idle);
	free(p->threads);
	free(p);
}

unsigned pool_threads(const struct pool *p)
{
	return p ? p->n : 1;
}

void pool_each(struct pool *p, size_t n_tasks, void (*fn)(void *, size_t, unsigned), void *context)
{
	if (!p || p->n == 1 || n_tasks <= 1) {
		for (size_t i = 0; i < n_tasks; i++)
			fn(context, i, 0);
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->fn = fn;
	p->context = context;
	p->n_tasks = n_tasks;
	atomic_store(&p->next, 0);
	p->running = p->n - 1;
	p->round++;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	take_tasks(p, 0);
	pthread_mutex_lock(&p->lock);
	while (p->running)
		pthread_cond_wait(&p->idle, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

struct job {
	pthread_t thread;
	void (*fn)(void *);
	void *context;
	int wake_fd;
	bool inline_run;
	atomic_bool done;
};

static void *run_job(void *arg)
{
	struct job *j = arg;
	j->fn(j->context);
	atomic_store(&j->done, true);
	/* a full pipe already wakes */
	if (j->wake_fd >= 0 && write(j->wake_fd, "j", 1) < 0)
		return NULL;
	return NULL;
}

struct job *job_start(void (*fn)(void *), void *context, int wake_fd)
{
	struct job *j = xcalloc(1, sizeof *j);
	j->fn = fn;
	j->context = context;
	j->wake_fd = wake_fd;
	if (spawn(&j->thread, run_job, j)) {
		j->inline_run = true;
		run_job(j);
	}
	return j;
}

bool job_done(const struct job *j)
{
	return atomic_load(&j->done);
}

bool job_try_join(struct job *j)
{
#ifdef __linux__
	if (!j->inline_run && pthread_tryjoin_np(j->thread, NULL) == EBUSY)
		return false;
	free(j);
#else
	job_join(j);
#endif
	return true;
}

void job_join(struct job *j)
{
	if (!j)
		return;
	if (!j->inline_run)
		pthread_join(j->thread, NULL);
	free(j);
}
