/* SPDX-License-Identifier: MIT */
/* gzip.h - reading a file that may be compressed with gzip; which it is is seen in its first bytes.
 * Writing one that is.
 *
 * Memory is constant.  One thread a reader or a writer.
 */
#ifndef FEATLAS_GZIP_H
#define FEATLAS_GZIP_H

#include "base/err.h"

struct gzip;

struct gzip *gzip_open(const char *path, struct err *e);
/* At most n bytes into p; 0 at the end, -1 and a sentence when the file is cut off or damaged. */
i64 gzip_read(struct gzip *g, void *p, size_t n, struct err *e);
u64 gzip_taken(const struct gzip *g); /* bytes of the file read so far, as they lie on the disk */
void gzip_free(struct gzip *g);       /* NULL is fine */

/* A file that appears whole or not at all, as in base/outfile.h; the same bytes give the same file. */
struct gzip_writer;

struct gzip_writer *gzip_writer_new(const char *path, struct err *e);
int gzip_writer_add(struct gzip_writer *w, const void *p, size_t n, struct err *e);
int gzip_writer_commit(struct gzip_writer *w, struct err *e); /* frees w, also on failure */
void gzip_writer_abandon(struct gzip_writer *w);              /* frees w; NULL is fine */

#endif
