/* SPDX-License-Identifier: MIT */
/* cache.h - arrays made once from a user's file and kept in $XDG_CACHE_HOME/featlas/arrays.
 *
 * Each is a safetensors file with one tensor "data" and the metadata "key": a text that names the source, its
 * state and what was done to it.  The file is named by the key's SHA-256, written beside itself and renamed;
 * it is used again only if key, dtype and shape are those asked for, and made anew otherwise.  Whoever wants
 * the space deletes it.  Any thread; files are made one at a time.
 */
#ifndef FEATLAS_CACHE_H
#define FEATLAS_CACHE_H

#include "io/safetensors.h"

/* "PATH INODE SIZE MTIME WHAT" with the path resolved: the key of something made from a file.  Owned. */
char *cache_key(const char *path, const char *what, struct err *e);

/* Gives all of the tensor's bytes to w. */
typedef int cache_fill(struct safetensors_writer *w, void *ctx, struct err *e);

/* The file with the tensor "data" of like's dtype and shape (its data is not looked at): the one kept under
 * this key, or made by fill.  NULL if there is no room (looked at before), no place, or fill failed. */
struct safetensors *cache_get(const char *key, const struct tensor *like, cache_fill *fill, void *ctx,
			      struct err *e);

#endif
