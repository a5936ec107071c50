/* SPDX-License-Identifier: MIT */
/* model_file.c - a model file's checksum, remembered. */
#include "module/model_file.h"

#include "base/json.h"
#include "base/sha256.h"
#include "base/xdg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEPT = 64 };

/* Size and time of change to the nanosecond, as one word. */
static void stamp_of(const struct stat *st, char out[80])
{
	snprintf(out, 80, "%lld %lld.%09ld", (long long)st->st_size, (long long)st->st_mtim.tv_sec,
		 (long)st->st_mtim.tv_nsec);
}

static bool lookup(const json_t *cache, const char *path, const char *stamp, char hex[65])
{
	const json_t *entry = json_object_get(cache, path);
	const char *known = json_opt_str(entry, "sha256", "");
	if (strcmp(json_opt_str(entry, "stamp", ""), stamp) || strlen(known) != 64 ||
	    strspn(known, "0123456789abcdef") != 64)
		return false;
	memcpy(hex, known, 65);
	return true;
}

static void remember(const char *file, json_t *cache, const char *path, const char *stamp, const char *hex)
{
	if (json_object_size(cache) >= KEPT)
		json_object_clear(cache);
	json_object_set_new(cache, path, json_pack("{s:s, s:s}", "stamp", stamp, "sha256", hex));
	if (!xdg_make_parents(file, NULL))
		json_write_file(file, cache, NULL);
}

int model_file_sha256(const char *path, char hex[65], struct progress *p, struct err *e)
{
	struct stat st;
	char stamp[80], *real = realpath(path, NULL);
	if (!real || stat(real, &st)) {
		free(real);
		return err_os(e, "cannot open '%s'", path);
	}
	stamp_of(&st, stamp);
	char *file = xdg_cache("model-sha256.json");
	json_t *cache = file ? json_read_file(file, NULL) : NULL;
	if (!json_is_object(cache)) {
		json_decref(cache);
		cache = json_object();
	}
	int rc = 0;
	if (!lookup(cache, real, stamp, hex)) {
		rc = sha256_file(real, hex, p, e);
		if (!rc && file)
			remember(file, cache, real, stamp, hex);
	}
	json_decref(cache);
	free(file);
	free(real);
	return rc;
}
