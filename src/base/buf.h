/* SPDX-License-Identifier: MIT */
/* buf.h - growable bytes.  Invariants: s is never NULL and s[n] is 0; n never counts that 0. */
#ifndef FEATLAS_BUF_H
#define FEATLAS_BUF_H

#include "base/types.h"
#include <stdarg.h>

struct buf {
	char *s;
	size_t n, cap; /* cap 0: s is the shared empty string */
};

extern char buf_empty[1];
#define BUF_INIT {buf_empty, 0, 0}

void buf_init(struct buf *b);
void buf_release(struct buf *b); /* frees the contents; b is empty and usable again */
void buf_clear(struct buf *b);   /* empties and keeps the memory */
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) FORMAT_PRINTF(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap);
void buf_remove(struct buf *b, size_t at, size_t n); /* cut out of the middle */
char *buf_take(struct buf *b);                       /* the caller owns the string; b is empty */

#endif
