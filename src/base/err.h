/* SPDX-License-Identifier: MIT */
/* err.h - errors that the caller owns.
 *
 * A function that can fail takes a `struct err *` last and returns 0, or -1 with the
 * reason in *e (pointers: NULL with the reason).  Only the codes below are told apart.
 * Messages are one clear sentence without a full stop: lower case, what failed first, the
 * subject in single quotes.  e may be NULL.  Nothing here prints; only main and cmd do.
 */
#ifndef FEATLAS_ERR_H
#define FEATLAS_ERR_H

#include "base/types.h"

enum err_code {
	ERR_NONE = 0,
	ERR_FAILED,      /* anything not named below; exit status 2 */
	ERR_USAGE,       /* the command line is wrong; exit status 2 */
	ERR_NOT_FOUND,   /* asked for something that is not there; exit status 2 */
	ERR_DAMAGED,     /* a file is not what it says it is; exit status 3 */
	ERR_CANCELLED,   /* stopped on request; exit status 130 */
	ERR_UNAVAILABLE, /* a part or a backend is missing; exit status 2 */
};

struct err {
	enum err_code code;
	char msg[512];
};

/* All return -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) FORMAT_PRINTF(3, 4);
/* As err_set with ERR_FAILED, with ": " and the text of errno appended. */
int err_os(struct err *e, const char *fmt, ...) FORMAT_PRINTF(2, 3);
/* Puts "text: " before the message that is there and keeps its code. */
int err_wrap(struct err *e, const char *fmt, ...) FORMAT_PRINTF(2, 3);

#endif
