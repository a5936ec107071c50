/* SPDX-License-Identifier: MIT */
/* model_file.h - a model file's checksum, which takes a while, remembered. */
#ifndef FEATLAS_MODEL_FILE_H
#define FEATLAS_MODEL_FILE_H

#include "base/err.h"
#include "base/progress.h"

/* sha256 of a file; known ones are kept in $XDG_CACHE_HOME/featlas/model-sha256.json under the
 * real path, and trusted while size and time of change are the same.  A cache that cannot be
 * read or written is no error. */
int model_file_sha256(const char *path, char hex[65], struct progress *p, struct err *e);

#endif
