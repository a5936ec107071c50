/* SPDX-License-Identifier: MIT */
/* outfile.h - files that appear whole or not at all.
 *
 * Written beside themselves (PATH.part-PID), fsynced and renamed at commit, with the
 * directory fsynced after; a file that is mapped somewhere is never changed in place.
 * A symbolic link stays, and the file it leads to appears in its place.
 *
 * What is no regular file cannot be replaced: devices and pipes are written to as they are, in the order of the
 * calls, and so is what /dev/stdout, /dev/stderr and /dev/fd/N stand for, at the place where it is, also where that
 * is a file.  Opening a FIFO waits for its reader.
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
