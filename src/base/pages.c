/* SPDX-License-Identifier: MIT */
/* pages.c - asking the kernel for pages of mapped files. */
#include "base/pages.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { AT_ONCE = 64 };

static uintptr_t page_size(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}

static bool in_memory(uintptr_t from, size_t n, uintptr_t page)
{
	unsigned char there[AT_ONCE];
	for (; n; n -= MIN(n, AT_ONCE), from += AT_ONCE * page) {
		size_t some = MIN(n, AT_ONCE);
		if (mincore((void *)from, some * page, there)) /* not mapped: nobody's disk */
			continue;
		for (size_t i = 0; i < some; i++)
			if (!(there[i] & 1))
				return false;
	}
	return true;
}

static void ask(struct pages *w, uintptr_t from, size_t bytes)
{
	(void)madvise((void *)from, bytes, MADV_WILLNEED);
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->asked = xreallocarray(w->asked, w->cap, sizeof *w->asked);
	}
	w->asked[w->n++] = (struct span){(const u8 *)from, bytes};
}

bool pages_there(struct pages *w, const void *p, size_t n)
{
	if (!w || !n)
		return true;
	uintptr_t page = page_size(), from = (uintptr_t)p / page * page;
	size_t count = ((uintptr_t)p + n - from + page - 1) / page;
	uintptr_t *known = &w->known[from / page % PAGES_KNOWN];
	if (count == 1 && *known == from)
		return true;
	if (in_memory(from, count, page)) {
		*known = from;
		return true;
	}
	w->missed = true;
	if (w->asks)
		ask(w, from, count * page);
	return false;
}

void pages_wait(struct pages *w)
{
	uintptr_t page = page_size();
	for (size_t i = 0; i < w->n; i++)
		for (size_t at = 0; at < w->asked[i].n; at += page)
			(void)*(const volatile u8 *)(w->asked[i].p + at);
	w->n = 0;
}

void pages_release(struct pages *w)
{
	free(w->asked);
	*w = (struct pages){0};
}
