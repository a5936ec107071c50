/* SPDX-License-Identifier: MIT */
/* safetensors_writer.c - files laid out by item size, whole or not at all. */
#include "io/safetensors.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/outfile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	char *name;
	enum dtype dtype;
	int n_dims;
	u64 shape[TENSOR_MAX_DIMS];
	u64 size; /* bytes */
};

struct safetensors_writer {
	char *path;
	struct outfile *out;
	json_t *meta;
	struct entry *entries; /* from begin on, in file order */
	size_t n, current;
	u64 done; /* bytes of the current one */
};

struct safetensors_writer *safetensors_writer_new(const char *path, struct err *e)
{
	struct outfile *out = outfile_new(path, e);
	if (!out)
		return NULL;
	struct safetensors_writer *w = xcalloc(1, sizeof *w);
	w->path = xstrdup(path);
	w->out = out;
	w->meta = json_object();
	return w;
}

void safetensors_writer_meta(struct safetensors_writer *w, const char *key, const char *value)
{
	json_object_set_new(w->meta, key, json_text(value, strlen(value)));
}

void safetensors_writer_declare(struct safetensors_writer *w, const char *name, enum dtype t, int n_dims,
				const u64 *shape)
{
	assert(n_dims <= TENSOR_MAX_DIMS);
	w->entries = xreallocarray(w->entries, w->n + 1, sizeof *w->entries);
	struct entry *x = &w->entries[w->n++];
	*x = (struct entry){.name = xstrdup(name), .dtype = t, .n_dims = n_dims, .size = dtype_size(t)};
	for (int i = 0; i < n_dims; i++) {
		x->shape[i] = shape[i];
		x->size *= shape[i];
	}
}

/* Stable: of equal sizes the first declared stays first. */
static void sort_entries(struct safetensors_writer *w)
{
	struct entry *sorted = xcalloc(w->n + 1, sizeof *sorted);
	size_t n = 0;
	for (size_t size = 8; size; size /= 2)
		for (size_t i = 0; i < w->n; i++)
			if (dtype_size(w->entries[i].dtype) == size)
				sorted[n++] = w->entries[i];
	free(w->entries);
	w->entries = sorted;
}

static void skip_full(struct safetensors_writer *w)
{
	while (w->current < w->n && w->done == w->entries[w->current].size) {
		w->current++;
		w->done = 0;
	}
}

static void add_header(struct safetensors_writer *w, struct buf *b)
{
	json_t *header = json_object();
	if (json_object_size(w->meta))
		json_object_set(header, "__metadata__", w->meta);
	u64 at = 0;
	for (size_t i = 0; i < w->n; i++) {
		const struct entry *x = &w->entries[i];
		json_t *shape = json_array();
		for (int k = 0; k < x->n_dims; k++)
			json_array_append_new(shape, json_integer((json_int_t)x->shape[k]));
		json_object_set_new(header, x->name,
				    json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtype_name(x->dtype), "shape", shape,
					      "data_offsets", (json_int_t)at, (json_int_t)(at + x->size)));
		at += x->size;
	}
	json_add_line(b, header);
	json_decref(header);
	while ((8 + b->n) % 64)
		buf_addc(b, ' ');
}

int safetensors_writer_begin(struct safetensors_writer *w, struct err *e)
{
	sort_entries(w);
	struct buf b = BUF_INIT;
	add_header(w, &b);
	u64 n = b.n;
	int r = outfile_add(w->out, &n, 8, e);
	if (!r)
		r = outfile_add(w->out, b.s, b.n, e);
	buf_release(&b);
	skip_full(w);
	return r;
}

const char *safetensors_writer_next(const struct safetensors_writer *w)
{
	return w->current < w->n ? w->entries[w->current].name : NULL;
}

int safetensors_writer_add(struct safetensors_writer *w, const void *p, size_t n, struct err *e)
{
	if (!n)
		return 0;
	if (w->current == w->n || n > w->entries[w->current].size - w->done)
		return err_set(e, ERR_FAILED, "cannot write '%s': more bytes than tensor '%s' has", w->path,
			       w->n ? w->entries[MIN(w->current, w->n - 1)].name : "");
	if (outfile_add(w->out, p, n, e))
		return -1;
	w->done += n;
	skip_full(w);
	return 0;
}

static void free_writer(struct safetensors_writer *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->entries[i].name);
	free(w->entries);
	json_decref(w->meta);
	free(w->path);
	free(w);
}

int safetensors_writer_commit(struct safetensors_writer *w, struct err *e)
{
	int r;
	if (w->current < w->n) {
		r = err_set(e, ERR_FAILED, "cannot write '%s': tensor '%s' is not complete", w->path,
			    w->entries[w->current].name);
		outfile_abandon(w->out);
	} else {
		r = outfile_commit(w->out, e);
	}
	free_writer(w);
	return r;
}

void safetensors_writer_abandon(struct safetensors_writer *w)
{
	if (!w)
		return;
	outfile_abandon(w->out);
	free_writer(w);
}

static const struct tensor_out *find_out(const struct tensor_out *t, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(t[i].name, name))
			return &t[i];
	return NULL;
}

int safetensors_write_file(const char *path, const struct tensor_out *t, size_t n, const char *const *meta,
			   struct err *e)
{
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	if (!w)
		return -1;
	for (; meta && meta[0]; meta += 2)
		safetensors_writer_meta(w, meta[0], meta[1]);
	for (size_t i = 0; i < n; i++)
		safetensors_writer_declare(w, t[i].name, t[i].dtype, t[i].n_dims, t[i].shape);
	int r = safetensors_writer_begin(w, e);
	for (const char *name; !r && (name = safetensors_writer_next(w));)
		r = safetensors_writer_add(w, find_out(t, n, name)->data, w->entries[w->current].size, e);
	if (r) {
		safetensors_writer_abandon(w);
		return -1;
	}
	return safetensors_writer_commit(w, e);
}
