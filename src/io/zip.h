/* SPDX-License-Identifier: MIT */
/* zip.h - the entries of a zip archive that lies mapped; minizip and zlib are used only in zip.c (and
 * gzip.c).
 *
 * Opening reads the directory and each entry's local header, nothing else.  Every entry is stored or
 * deflated, not encrypted, lies inside the file, overlaps no other, and no two have one name; anything
 * else is refused.  The checksums of contents are compared only where contents are read to their end
 * (zip_read): a stored entry that is used in place has not been checked.
 * Folders in names mean nothing here: nothing is ever written where a name says.  Any thread may read.
 */
#ifndef FEATLAS_ZIP_H
#define FEATLAS_ZIP_H

#include "base/err.h"

struct zip_entry {
	const char *name; /* valid UTF-8 */
	u64 offset;	  /* of the contents in the file */
	u64 packed;	  /* bytes in the file */
	u64 size;	  /* bytes when inflated; equal to packed if stored */
	u32 crc;	  /* CRC-32 of the size bytes */
	bool stored;
};

struct zip;

/* file must outlive the zip; path is how errors name it. */
struct zip *zip_open(struct span file, const char *path, struct err *e);
void zip_free(struct zip *z); /* NULL is fine */
size_t zip_count(const struct zip *z);
const struct zip_entry *zip_at(const struct zip *z, size_t i); /* in the directory's order */
bool zip_find(const struct zip *z, const char *name, size_t *i);
/* The contents of a stored entry, in the file. */
struct span zip_stored(const struct zip *z, size_t i);

/* Gives the first `limit` bytes of an entry's contents in pieces, in constant memory; never more than the
 * size the directory declares.  A limit of at least that size reads to the end, where length and checksum
 * must agree. sink may be NULL, to check only; what it returns other than 0 ends the reading and is returned.
 */
typedef int zip_sink(void *ctx, const void *p, size_t n, struct err *e);
int zip_read(const struct zip *z, size_t i, u64 limit, zip_sink *sink, void *ctx, struct err *e);

#endif
