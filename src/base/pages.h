/* SPDX-License-Identifier: MIT */
/* pages.h - does what is about to be read of a mapped file lie in memory?
 *
 * For a thread that must not wait for a disk.  A reading asks pages_there of every run of bytes before it
 * uses them and goes no further where the answer is no.  A watch that asks has the kernel read what is
 * missing, all of it at once; pages_wait waits for that, and then the reading can go further.
 */
#ifndef FEATLAS_PAGES_H
#define FEATLAS_PAGES_H

#include "base/types.h"

enum { PAGES_KNOWN = 64 };

struct pages { /* zeroed: looks only */
	bool asks;
	bool missed;         /* out: something was not there */
	uintptr_t known[PAGES_KNOWN]; /* pages that were */
	struct span *asked;
	size_t n, cap;
};

/* w NULL, or where the system cannot tell: true. */
bool pages_there(struct pages *w, const void *p, size_t n);
/* Until all that was asked for is there, or cannot be had. */
void pages_wait(struct pages *w);
void pages_release(struct pages *w);

#endif
