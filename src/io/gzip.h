/* SPDX-License-Identifier: MIT */
/* gzip.h - reading a file that may be compressed with gzip; which it is is seen in its first bytes.
 *
 * Memory is constant.  One thread a reader.
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

#endif
