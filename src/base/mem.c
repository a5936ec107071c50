/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_PAGE = 2 << 20, LARGE = 4 << 20 };

static void (*exhausted)(void);

void mem_on_exhaustion(void (*hook)(void))
{
	exhausted = hook;
}

static void *check(void *p)
{
	if (p)
		return p;
	if (exhausted)
		exhausted();
	static const char msg[] = "featlas: out of memory\n";
	if (write(2, msg, sizeof msg - 1) < 0)
		_exit(2);
	abort();
}

void *xmalloc(size_t n)
{
	return check(malloc(n ? n : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return check(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n)
{
	return check(realloc(p, n ? n : 1));
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		return check(NULL);
	return xrealloc(p, n * size);
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	n = strnlen(s, n);
	char *r = xmalloc(n + 1);
	memcpy(r, s, n);
	r[n] = 0;
	return r;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *r = xmalloc((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(r, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return r;
}

/* Pages of 2 MiB: a large block is had, read at random and given back many times as fast. */
static void *large(size_t bytes)
{
	void *p = NULL;
	if (posix_memalign(&p, HUGE_PAGE, bytes))
		return NULL;
#ifdef MADV_HUGEPAGE
	(void)madvise(p, bytes, MADV_HUGEPAGE);
#endif
	return p;
}

void *mem_try_raw(size_t n, size_t size, const char *what, struct err *e)
{
	void *p = NULL;
	size_t bytes = n && size ? n * size : 1;
	bool ok = !(size && n > (SIZE_MAX - HUGE_PAGE) / size);
	if (ok && bytes >= LARGE)
		p = large((bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
	if (ok && (p || posix_memalign(&p, 64, (bytes + 63) / 64 * 64) == 0))
		return p;
	err_set(e, ERR_FAILED, "cannot allocate %.1f MiB for %s",
		(double)n * (double)size / (1 << 20), what);
	return NULL;
}

void *mem_try(size_t n, size_t size, const char *what, struct err *e)
{
	void *p = mem_try_raw(n, size, what, e);
	return p ? memset(p, 0, n && size ? n * size : 1) : NULL;
}
