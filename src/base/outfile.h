/* SPDX-License-Identifier: MIT */
/* outfile.h - files that appear whole or not at all.
 *
 * Written beside themselves (PATH.part-PID), fsynced and renamed at commit, with the
 * directory fsynced after; a file that is mapped somewhere is never changed in place.
 */
#ifndef FEATLAS_OUTFILE_H
#define FEATLAS_OUTFILE_H

#include "base/err.h"

struct outfile;

struct outfile *outfile_new(const char *path, struct err *e);
int outfile_add(struct outfile *o, const void *p, size_t n, struct err *e); /* buffered */
u64 outfile_size(const struct outfile *o);                                   /* bytes so far */
int outfile_commit(struct outfile *o, struct err *e); /* frees o, also on failure */
void outfile_abandon(struct outfile *o);              /* removes the part file, frees o; NULL is fine */

int outfile_write_all(const char *path, const void *p, size_t n, struct err *e);

#endif
