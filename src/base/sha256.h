/* SPDX-License-Identifier: MIT */
/* sha256.h - checksums; libmd is used only in sha256.c. */
#ifndef FEATLAS_SHA256_H
#define FEATLAS_SHA256_H

#include "base/err.h"
#include "base/progress.h"

/* Lower-case hex and a 0. */
void sha256_bytes(const void *p, size_t n, char hex[65]);
/* progress may be NULL; it counts bytes. */
int sha256_file(const char *path, char hex[65], struct progress *progress, struct err *e);

#endif
