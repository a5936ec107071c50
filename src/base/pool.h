/* SPDX-License-Identifier: MIT */
/* pool.h - the one thread pool, and jobs beside the screen.
 *
 * pool_each splits work over the pool's threads and the caller, and returns when all of it
 * is done: tasks are taken in order from a counter, so results that depend only on the
 * task index are the same for any number of threads.
 *
 * A job runs one function on a thread of its own and pokes a wake-up descriptor at the
 * end.  Stale results are the owner's matter: keep a generation number in the context.
 */
#ifndef FEATLAS_POOL_H
#define FEATLAS_POOL_H

#include "base/types.h"

struct pool;

/* n_threads counts the caller; 0 means one a core, or $FEATLAS_THREADS. */
struct pool *pool_new(unsigned n_threads);
void pool_free(struct pool *p);
unsigned pool_threads(const struct pool *p);
/* fn(context, task, thread) for each task in [0, n_tasks); thread < pool_threads(p).
 * p may be NULL: all on the caller.  One caller at a time. */
void pool_each(struct pool *p, size_t n_tasks, void (*fn)(void *context, size_t task, unsigned thread),
	       void *context);

/* For a program whose main thread answers a person: the pool's threads, from their next work on,
 * give way to it where both want a processor. */
void pool_stay_behind(struct pool *p);
/* The same for the calling thread, once; nothing on the main thread, or where only processes have
 * priorities.  What the thread starts as a process inherits it. */
void pool_step_back(void);

struct job;

/* wake_fd (or -1) gets one byte when fn has returned.  fn must poll its own cancel flag. */
struct job *job_start(void (*fn)(void *context), void *context, int wake_fd);
bool job_done(const struct job *j);
void job_join(struct job *j); /* waits for the end and frees j */
/* False, at once, while its thread is still about to end, as one that stepped back may be for long after
 * fn has returned; else frees j.  j is not NULL.  Where one cannot ask (not Linux) it waits. */
bool job_try_join(struct job *j);

#endif
