/* SPDX-License-Identifier: MIT */
/* mapfile.h - read-only mapped files.
 *
 * Opening maps and reads nothing.  If a mapped file is truncated under us the SIGBUS
 * handler installed by mapfile_on_sigbus names it.  Any thread may read a map.
 */
#ifndef FEATLAS_MAPFILE_H
#define FEATLAS_MAPFILE_H

#include "base/err.h"

struct mapfile;

struct mapfile *mapfile_open(const char *path, struct err *e); /* an empty file is legal */
void mapfile_free(struct mapfile *m);                          /* NULL is fine */
struct span mapfile_span(const struct mapfile *m);
const char *mapfile_path(const struct mapfile *m);

/* Installs a SIGBUS handler that calls restore (async-signal-safe, may be NULL), prints
 * "featlas: 'PATH' was truncated while it was open" and exits with 3. */
void mapfile_on_sigbus(void (*restore)(void));

#endif
