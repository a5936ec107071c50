/* SPDX-License-Identifier: MIT */
/* mem.h - allocation.
 *
 * The x-functions never return NULL: running out of memory for a small block ends the
 * program after mem_on_exhaustion's hook has put the terminal right.  Blocks whose size
 * comes from a file or a user (tensors, stores) use mem_try, which reports instead.
 */
#ifndef FEATLAS_MEM_H
#define FEATLAS_MEM_H

#include "base/err.h"

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size); /* checked for overflow */
void *xrealloc(void *p, size_t n);
void *xreallocarray(void *p, size_t n, size_t size); /* checked for overflow */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) FORMAT_PRINTF(1, 2);

/* n zeroed items of a size, 64-byte aligned, for arrays of any size; NULL and *e ("cannot
 * allocate N MiB for what") when there is no memory.  Free with free(). */
void *mem_try(size_t n, size_t size, const char *what, struct err *e);
/* The same with any values in it. */
void *mem_try_raw(size_t n, size_t size, const char *what, struct err *e);

/* Called once, before the program aborts for want of memory.  Must not allocate. */
void mem_on_exhaustion(void (*hook)(void));

#endif
