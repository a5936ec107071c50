/* SPDX-License-Identifier: MIT */
/* cache.c - arrays made once, found again by a key. */
#include "io/cache.h"

#include "base/mem.h"
#include "base/sha256.h"
#include "base/xdg.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* Two threads of one process would write one part file. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

char *cache_key(const char *path, const char *what, struct err *e)
{
	struct stat st;
	char *real = realpath(path, NULL);
	if (!real || stat(real, &st)) {
		err_os(e, "cannot look at '%s'", path);
		free(real);
		return NULL;
	}
	char *key = xasprintf("%s %llu %lld %lld.%09ld %s", real, (unsigned long long)st.st_ino,
			      (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, what);
	free(real);
	return key;
}

static struct safetensors *find(const char *path, const char *key, const struct tensor *like)
{
	struct safetensors *s = safetensors_open(path, NULL);
	const char *has = s ? safetensors_metadata(s, "key") : NULL;
	if (has && !strcmp(has, key) &&
	    safetensors_need(s, "data", 1u << like->dtype, like->n_dims, like->shape, NULL))
		return s;
	safetensors_free(s);
	return NULL;
}

static int check_room(const char *path, u64 size, struct err *e)
{
	struct statvfs vfs;
	char *folder = xstrdup(path);
	*strrchr(folder, '/') = 0;
	int r = 0;
	if (!statvfs(folder, &vfs) && vfs.f_bavail < size / vfs.f_frsize + 16)
		r = err_set(e, ERR_FAILED,
			    "an array of %llu MiB is to be kept in '%s', where %llu MiB are free",
			    (unsigned long long)(size >> 20), folder,
			    (unsigned long long)vfs.f_bavail * vfs.f_frsize >> 20);
	free(folder);
	return r;
}

static int make(const char *path, const char *key, const struct tensor *like, cache_fill *fill, void *ctx,
		struct err *e)
{
	if (xdg_make_parents(path, e) || check_room(path, like->n * dtype_size(like->dtype), e))
		return -1;
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	if (!w)
		return -1;
	safetensors_writer_meta(w, "key", key);
	safetensors_writer_declare(w, "data", like->dtype, like->n_dims, like->shape);
	if (safetensors_writer_begin(w, e) || fill(w, ctx, e)) {
		safetensors_writer_abandon(w);
		return -1;
	}
	return safetensors_writer_commit(w, e);
}

struct safetensors *cache_get(const char *key, const struct tensor *like, cache_fill *fill, void *ctx,
			      struct err *e)
{
	char hex[65], name[90];
	sha256_bytes(key, strlen(key), hex);
	snprintf(name, sizeof name, "arrays/%s.safetensors", hex);
	char *path = xdg_cache(name);
	if (!path) {
		err_set(e, ERR_FAILED,
			"neither $XDG_CACHE_HOME nor $HOME is set: there is no place for an array");
		return NULL;
	}
	pthread_mutex_lock(&making);
	struct safetensors *s = find(path, key, like);
	if (!s && !make(path, key, like, fill, ctx, e))
		s = safetensors_open(path, e);
	pthread_mutex_unlock(&making);
	free(path);
	return s;
}
