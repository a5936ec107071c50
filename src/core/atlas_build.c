/* SPDX-License-Identifier: MIT */
/* atlas_build.c - atlas.json while an atlas is made: parts are recorded, then it is committed. */
#include "core/atlas.h"

#include "base/mem.h"
#include "base/sha256.h"
#include "base/shell.h"
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void random_bytes(u8 *out, size_t n)
{
	if (getrandom(out, n, 0) == (ssize_t)n)
		return;
	/* an id needs to differ, not to be secret */
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	u64 x = (u64)t.tv_sec * 1000000007u ^ (u64)t.tv_nsec << 20 ^ (u64)getpid() << 44;
	for (size_t i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		out[i] = (u8)(x >> 56);
	}
}

/* A version 4 UUID, RFC 9562. */
static void new_uuid(char out[40])
{
	u8 b[16];
	random_bytes(b, sizeof b);
	b[6] = (u8)((b[6] & 0x0f) | 0x40);
	b[8] = (u8)((b[8] & 0x3f) | 0x80);
	size_t n = 0;
	for (int i = 0; i < 16; i++)
		n += (size_t)snprintf(out + n, 40 - n, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
}

static void new_build(json_t *j)
{
	u8 b[8];
	char id[17];
	random_bytes(b, sizeof b);
	for (int i = 0; i < 8; i++)
		snprintf(id + 2 * i, 3, "%02x", b[i]);
	json_object_set_new(j, "build_id", json_string(id));
}

json_t *atlas_json_new(const char *name)
{
	char uuid[40];
	new_uuid(uuid);
	json_t *j = json_pack("{s:s, s:i, s:s}", "format", "featlas-atlas", "version", 1, "uuid", uuid);
	new_build(j);
	json_object_set_new(j, "name", json_text(name, strlen(name)));
	json_object_set_new(j, "parts", json_object());
	return j;
}

json_t *atlas_json_read(const char *folder, struct err *e)
{
	char *path = xasprintf("%s/atlas.json", folder);
	bool none = access(path, F_OK) && !access(folder, F_OK);
	json_t *j = none ? NULL : json_read_file(path, e);
	struct buf word = BUF_INIT;
	shell_add_path(&word, folder);
	if (none)
		err_set(e, ERR_FAILED,
			"'%s' is no atlas: it has no atlas.json; of a dictionary, 'featlas import %s OUT.atlas' makes one",
			folder, word.s);
	buf_release(&word);
	u64 version;
	const char *text;
	char *what = xasprintf("'%s'", path);
	if (j && strcmp(json_opt_str(j, "format", ""), "featlas-atlas")) {
		err_set(e, ERR_DAMAGED, "'%s' is not an atlas.json: its format is not featlas-atlas", path);
		json_decref(j);
		j = NULL;
	}
	if (j && (json_get_u64(j, "version", 1, &version, what, e) || json_get_str(j, "uuid", &text, what, e) ||
		  json_get_str(j, "build_id", &text, what, e))) {
		json_decref(j);
		j = NULL;
	}
	free(path);
	free(what);
	return j;
}

const char *atlas_json_uuid(const json_t *j)
{
	return json_opt_str(j, "uuid", "");
}

const char *atlas_json_build_id(const json_t *j)
{
	return json_opt_str(j, "build_id", "");
}

void atlas_json_new_build(json_t *j)
{
	new_build(j);
}

void atlas_drop_part(json_t *j, const char *part)
{
	json_object_del(json_object_get(j, "parts"), part);
}

/* {file, bytes, sha256}; for safetensors files build_id too. */
static json_t *describe_file(const char *folder, const char *file, struct err *e)
{
	char *path = xasprintf("%s/%s", folder, file), hex[65];
	struct stat st;
	json_t *j = NULL;
	size_t n = strlen(file), ending = strlen(".safetensors");
	if (sha256_file(path, hex, NULL, e) || (stat(path, &st) && err_os(e, "cannot open '%s'", path)))
		goto out;
	j = json_pack("{s:s, s:I, s:s}", "file", file, "bytes", (json_int_t)st.st_size, "sha256", hex);
	if (n > ending && !strcmp(file + n - ending, ".safetensors")) {
		struct safetensors *s = safetensors_open(path, e);
		if (!s) {
			json_decref(j);
			j = NULL;
			goto out;
		}
		const char *build = safetensors_metadata(s, "build_id");
		if (build)
			json_object_set_new(j, "build_id", json_string(build));
		safetensors_free(s);
	}
out:
	free(path);
	return j;
}

/* A segment takes the place of the one with its file's name, or comes last. */
static void put_segment(json_t *parts, json_t *segment)
{
	json_t *store = json_object_get(parts, "store"), *list = json_object_get(store, "segments");
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(parts, "store", json_pack("{s:o}", "segments", list));
	}
	const char *file = json_opt_str(segment, "file", "");
	size_t i;
	json_t *other;
	json_array_foreach(list, i, other)
		if (!strcmp(json_opt_str(other, "file", ""), file)) {
			json_array_set_new(list, i, segment);
			return;
		}
	json_array_append_new(list, segment);
}

int atlas_note_part(json_t *j, const char *folder, const char *part, const char *file, const char *command,
		    json_t *details, struct err *e)
{
	json_t *entry = describe_file(folder, file, e), *parts = json_object_get(j, "parts");
	if (entry && !strcmp(part, "dictionary")) {
		json_t *cfg = describe_file(folder, "cfg.json", e);
		if (cfg) {
			json_object_set_new(entry, "cfg", cfg);
		} else {
			json_decref(entry);
			entry = NULL;
		}
	}
	if (!entry) {
		json_decref(details);
		return -1;
	}
	if (command)
		json_object_set_new(entry, "command", json_text(command, strlen(command)));
	if (details)
		json_object_set_new(entry, "details", details);
	if (!json_is_object(parts)) {
		parts = json_object();
		json_object_set_new(j, "parts", parts);
	}
	if (!strcmp(part, "store"))
		put_segment(parts, entry);
	else
		json_object_set_new(parts, part, entry);
	return 0;
}

int atlas_commit(const json_t *j, const char *folder, struct err *e)
{
	char *path = xasprintf("%s/atlas.json", folder);
	int r = json_write_file(path, j, e);
	free(path);
	return r;
}
