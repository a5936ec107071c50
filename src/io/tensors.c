/* SPDX-License-Identifier: MIT */
/* tensors.c - which kind of file it is, and the look that all kinds share. */
#include "io/tensors.h"

#include "base/mem.h"
#include "io/tensors_impl.h"

#include <stdlib.h>
#include <string.h>

int tensors_add(struct tensors *s, const struct tensors_item *item, struct err *e)
{
	if (json_object_get(s->index, item->t.name))
		return err_set(e, ERR_DAMAGED, "'%s': tensor '%.100s' is there twice", s->path, item->t.name);
	if (json_object_set_new(s->index, item->t.name, json_integer((json_int_t)s->n)))
		return err_set(e, ERR_DAMAGED, "'%s': the name of tensor %zu is not UTF-8", s->path, s->n);
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 16;
		s->items = xreallocarray(s->items, s->cap, sizeof *s->items);
	}
	s->items[s->n] = *item;
	s->items[s->n].t.name = xstrdup(item->t.name);
	s->n++;
	return 0;
}

static int open_single(struct tensors *s, struct err *e)
{
	struct safetensors *file = safetensors_open(s->path, e);
	if (!file)
		return -1;
	s->shards = xcalloc(1, sizeof *s->shards);
	s->shards[s->n_shards++] = file;
	for (size_t i = 0; i < safetensors_count(file); i++) {
		struct tensors_item item = {.t = *safetensors_at(file, i), .mapped = true, .ready = true};
		if (tensors_add(s, &item, e))
			return -1;
	}
	return 0;
}

/* TORCH's data.pkl lies in one folder whose name is anything. */
static bool find_pickle(const struct zip *z, size_t *i)
{
	for (*i = 0; *i < zip_count(z); ++*i) {
		const char *name = zip_at(z, *i)->name, *slash = strchr(name, '/');
		if (slash && !strcmp(slash, "/data.pkl"))
			return true;
	}
	return false;
}

static int open_zip(struct tensors *s, struct err *e)
{
	size_t pickle;
	s->zip = zip_open(mapfile_span(s->map), s->path, e);
	if (!s->zip)
		return -1;
	s->blobs = xcalloc(zip_count(s->zip) + 1, sizeof *s->blobs);
	if (!find_pickle(s->zip, &pickle))
		return tensors_open_npz(s, e);
	return tensors_open_torch(s, pickle, e);
}

static bool begins(struct span file, const char *magic, size_t n)
{
	return file.n >= n && !memcmp(file.p, magic, n);
}

static bool looks_like_index(struct span file)
{
	size_t i = 0;
	while (i < file.n && i < 64 && strchr(" \t\r\n", file.p[i]) && file.p[i])
		i++;
	/* a safetensors file could begin with '{' only if its header were longer than is allowed */
	return i < file.n && file.p[i] == '{' && (file.n < 9 || file.p[8] != '{');
}

/* What people do pass, and what to do about it; NULL for what may be a safetensors file. */
static const char *foreign(struct span file)
{
	static const struct {
		const char *magic;
		size_t n;
		const char *says;
	} known[] = {
		{"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14,
		 "is a torch file as written before torch 1.6; load it and torch.save it anew"},
		{"\x80", 1,
		 "begins as a bare pickle, which is not read; torch.save or numpy.savez its tensors"},
		{"\x93NUMPY", 6, "is a single .npy array; tensors need names, as numpy.savez gives them"},
		{"PK\5\6", 4, "is an empty zip file"},
		{"GGUF", 4, "is a GGUF file: a language model, and no dictionary"},
		{"\x89HDF\r\n", 6, "is an HDF5 file, which is not read here"},
		{"\x1f\x8b", 2, "is packed by gzip; unpack it first"},
		{"\x28\xb5\x2f\xfd", 4, "is packed by zstd; unpack it first"},
		{"version https://git-lfs", 23, "is a git-lfs pointer: the file itself has not been fetched"},
	};
	/* the length of a safetensors header begins with any two bytes, but a '{' follows it */
	if (file.n > 8 && file.p[8] == '{')
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (begins(file, known[i].magic, known[i].n))
			return known[i].says;
	return NULL;
}

static int open_any(struct tensors *s, struct err *e)
{
	struct span file = mapfile_span(s->map);
	const char *says = foreign(file);
	if (says)
		return err_set(e, ERR_DAMAGED, "'%s' %s", s->path, says);
	if (begins(file, "PK\3\4", 4)) {
		s->kind = TENSORS_NPZ;
		return open_zip(s, e);
	}
	s->kind = looks_like_index(file) ? TENSORS_SHARDS : TENSORS_SAFETENSORS;
	if (file.n < 9)
		return err_set(e, ERR_DAMAGED, "'%s' is too short to hold tensors", s->path);
	if (s->kind == TENSORS_SAFETENSORS && file.p[8] != '{')
		return err_set(e, ERR_DAMAGED,
			       "'%s' is none of: safetensors, a safetensors index, an .npz, a torch zip file",
			       s->path);
	mapfile_free(s->map); /* these map what they read themselves */
	s->map = NULL;
	return s->kind == TENSORS_SHARDS ? tensors_open_shards(s, e) : open_single(s, e);
}

struct tensors *tensors_open(const char *path, struct err *e)
{
	struct mapfile *map = mapfile_open(path, e);
	if (!map)
		return NULL;
	struct tensors *s = xcalloc(1, sizeof *s);
	s->map = map;
	s->path = xstrdup(path);
	s->index = json_object();
	s->values = json_object();
	pthread_mutex_init(&s->lock, NULL);
	if (open_any(s, e)) {
		tensors_free(s);
		return NULL;
	}
	return s;
}

void tensors_free(struct tensors *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free((char *)(uintptr_t)s->items[i].t.name);
		safetensors_free(s->items[i].made);
	}
	for (size_t i = 0; s->blobs && i < zip_count(s->zip); i++)
		safetensors_free(s->blobs[i]);
	for (size_t i = 0; i < s->n_shards; i++)
		safetensors_free(s->shards[i]);
	free(s->items);
	free(s->blobs);
	free(s->shards);
	json_decref(s->index);
	json_decref(s->values);
	json_decref(s->metadata);
	zip_free(s->zip);
	mapfile_free(s->map);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

enum tensors_kind tensors_kind(const struct tensors *s)
{
	return s->kind;
}

const char *tensors_path(const struct tensors *s)
{
	return s->path;
}

size_t tensors_count(const struct tensors *s)
{
	return s->n;
}

const struct tensor *tensors_at(const struct tensors *s, size_t i)
{
	return &s->items[i].t;
}

static struct tensors_item *find(const struct tensors *s, const char *name)
{
	const json_t *i = json_object_get(s->index, name);
	return i ? &s->items[json_integer_value(i)] : NULL;
}

const struct tensor *tensors_find(const struct tensors *s, const char *name)
{
	const struct tensors_item *item = find(s, name);
	return item ? &item->t : NULL;
}

static const struct tensor *fetch(struct tensors *s, struct tensors_item *item, struct err *e)
{
	pthread_mutex_lock(&s->lock);
	int r = item->ready ? 0 : tensors_fetch(s, item, e);
	pthread_mutex_unlock(&s->lock);
	return r ? NULL : &item->t;
}

static struct tensors_item *find_or_say(struct tensors *s, const char *name, struct err *e)
{
	struct tensors_item *item = find(s, name);
	if (!item)
		err_set(e, ERR_DAMAGED, "'%s' has no tensor '%s'", s->path, name);
	return item;
}

const struct tensor *tensors_data(struct tensors *s, const char *name, struct err *e)
{
	struct tensors_item *item = find_or_say(s, name, e);
	return item ? fetch(s, item, e) : NULL;
}

const struct tensor *tensors_need(struct tensors *s, const char *name, unsigned dtypes, int n_dims,
				  const u64 *want, struct err *e)
{
	struct tensors_item *item = find_or_say(s, name, e);
	if (!item || tensor_check(&item->t, s->path, dtypes, n_dims, want, e))
		return NULL;
	return fetch(s, item, e);
}

const json_t *tensors_value(const struct tensors *s, const char *name)
{
	return json_object_get(s->values, name);
}

const json_t *tensors_values(const struct tensors *s)
{
	return s->values;
}

const char *tensors_metadata(const struct tensors *s, const char *key)
{
	if (s->kind == TENSORS_SAFETENSORS)
		return safetensors_metadata(s->shards[0], key);
	return json_opt_str(s->metadata, key, NULL);
}

bool tensors_is_mapped(const struct tensors *s, const char *name)
{
	const struct tensors_item *item = find(s, name);
	return item && item->mapped;
}

static int count_piece(void *ctx, const void *p, size_t n, struct err *e)
{
	struct progress *progress = ctx;
	(void)p;
	progress_add(progress, n);
	return progress_cancelled(progress) ? err_set(e, ERR_CANCELLED, "stopped") : 0;
}

int tensors_verify(const struct tensors *s, struct progress *progress, struct err *e)
{
	u64 total = 0;
	size_t n = s->zip ? zip_count(s->zip) : 0;
	for (size_t i = 0; i < n; i++)
		total += zip_at(s->zip, i)->size;
	progress_start(progress, "checking", "bytes", total);
	for (size_t i = 0; i < n; i++)
		if (zip_read(s->zip, i, UINT64_MAX, count_piece, progress, e))
			return -1;
	return 0;
}
