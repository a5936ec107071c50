/* SPDX-License-Identifier: MIT */
/* progress.h - how far a long piece of work is, and the wish to stop it.
 *
 * The worker adds and polls; any other thread reads and cancels.  All lock-free.  The
 * owner outlives the worker.  What the words and the drawing are is the reader's matter:
 * cmd prints a line with an ETA on stderr, the screens draw a bar.
 */
#ifndef FEATLAS_PROGRESS_H
#define FEATLAS_PROGRESS_H

#include "base/types.h"
#include <stdatomic.h>

struct progress {
	_Atomic(const char *) what; /* a static string: "encoding", "tokens" as unit below */
	_Atomic(const char *) unit;
	atomic_ullong done, total; /* total 0: not known */
	atomic_bool cancel;
};

static inline void progress_start(struct progress *p, const char *what, const char *unit, u64 total)
{
	if (!p)
		return;
	atomic_store(&p->done, 0);
	atomic_store(&p->total, total);
	atomic_store(&p->unit, unit);
	atomic_store(&p->what, what);
}

static inline void progress_add(struct progress *p, u64 n)
{
	if (p)
		atomic_fetch_add_explicit(&p->done, n, memory_order_relaxed);
}

static inline bool progress_cancelled(const struct progress *p)
{
	return p && atomic_load_explicit(&p->cancel, memory_order_relaxed);
}

static inline void progress_cancel(struct progress *p)
{
	atomic_store(&p->cancel, true);
}

#endif
