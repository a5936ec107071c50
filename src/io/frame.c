/* SPDX-License-Identifier: MIT */
/* frame.c - lines of JSON with raw arrays behind them. */
#include "io/frame.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int find_dtype(const char *name, enum dtype *out)
{
	for (int t = 0; t < N_DTYPES; t++)
		if (!strcmp(dtype_name((enum dtype)t), name)) {
			*out = (enum dtype)t;
			return 0;
		}
	return -1;
}

/* One entry of "arrays"; *size is its bytes. */
static int parse_array(struct frame_array *a, const json_t *j, u64 max_bytes, u64 *size, struct err *e)
{
	const char *dtype;
	const json_t *shape = json_object_get(j, "shape");
	if (json_get_str(j, "name", &a->name, "an array", e) ||
	    json_get_str(j, "dtype", &dtype, "an array", e))
		return -1;
	if (find_dtype(dtype, &a->dtype))
		return err_set(e, ERR_DAMAGED, "array '%.40s' has an unknown dtype", a->name);
	if (!json_is_array(shape) || json_array_size(shape) > FRAME_MAX_DIMS)
		return err_set(e, ERR_DAMAGED, "array '%.40s' has no shape of at most %d dimensions", a->name,
			       FRAME_MAX_DIMS);
	a->n_dims = (int)json_array_size(shape);
	a->n = 1;
	for (int i = 0; i < a->n_dims; i++) {
		const json_t *d = json_array_get(shape, (size_t)i);
		if (!json_is_integer(d) || json_integer_value(d) < 0 ||
		    (u64)json_integer_value(d) > max_bytes)
			return err_set(e, ERR_DAMAGED, "array '%.40s' has an impossible shape", a->name);
		a->shape[i] = (u64)json_integer_value(d);
		/* both factors are below 2^32 */
		a->n *= a->shape[i];
		if (a->n > max_bytes)
			return err_set(e, ERR_DAMAGED, "array '%.40s' is too large", a->name);
	}
	*size = a->n * dtype_size(a->dtype);
	return 0;
}

static int parse_arrays(struct frame *f, u64 max_bytes, struct err *e)
{
	const json_t *list = json_object_get(f->line, "arrays");
	u64 total = 0;
	if (list && (!json_is_array(list) || json_array_size(list) > FRAME_MAX_ARRAYS))
		return err_set(e, ERR_DAMAGED, "'arrays' is not a list of at most %d", FRAME_MAX_ARRAYS);
	size_t n = json_array_size(list);
	f->arrays = n ? xcalloc(n, sizeof *f->arrays) : NULL;
	for (size_t i = 0; i < n; i++) {
		u64 size = 0;
		if (parse_array(&f->arrays[i], json_array_get(list, i), max_bytes, &size, e))
			return -1;
		total += size;
	}
	f->n_arrays = n;
	if (total != f->bytes)
		return err_set(e, ERR_DAMAGED, "'bytes' is %llu, the arrays take %llu",
			       (unsigned long long)f->bytes, (unsigned long long)total);
	return 0;
}

int frame_parse(struct frame *f, const char *line, size_t n, u64 max_bytes, struct err *e)
{
	u64 bytes = 0;
	memset(f, 0, sizeof *f);
	f->line = json_parse(line, n, "a line", e);
	if (!f->line)
		return -1;
	if (max_bytes > FRAME_MAX_BYTES)
		max_bytes = FRAME_MAX_BYTES;
	if (!json_is_object(f->line))
		err_set(e, ERR_DAMAGED, "a line is not a JSON object");
	else if (!json_object_get(f->line, "bytes") ||
		 !json_get_u64(f->line, "bytes", max_bytes, &bytes, "a line", e)) {
		f->bytes = bytes;
		if (!parse_arrays(f, max_bytes, e))
			return 0;
	}
	frame_release(f);
	f->bytes = bytes;
	return -1;
}

u8 *frame_room(struct frame *f, struct err *e)
{
	if (!f->data)
		f->data = mem_try(f->bytes ? f->bytes : 1, 1, "the arrays of a message", e);
	return f->data;
}

int frame_settle(struct frame *f, struct err *e)
{
	size_t at = 0, askew = 0;
	for (size_t i = 0; i < f->n_arrays; i++) {
		struct frame_array *a = &f->arrays[i];
		size_t item = dtype_size(a->dtype);
		a->data = f->data + at;
		if (at % item)
			askew += (a->n * item + 7) / 8 * 8;
		at += a->n * item;
	}
	if (!askew)
		return 0;
	f->aligned = mem_try(askew, 1, "the arrays of a message", e);
	if (!f->aligned)
		return -1;
	u8 *to = f->aligned;
	for (size_t i = 0; i < f->n_arrays; i++) {
		struct frame_array *a = &f->arrays[i];
		size_t item = dtype_size(a->dtype);
		if ((size_t)((const u8 *)a->data - f->data) % item == 0)
			continue;
		memcpy(to, a->data, a->n * item);
		a->data = to;
		to += (a->n * item + 7) / 8 * 8;
	}
	return 0;
}

void frame_release(struct frame *f)
{
	json_decref(f->line);
	free(f->arrays);
	free(f->data);
	free(f->aligned);
	memset(f, 0, sizeof *f);
}

static bool same_shape(const struct frame_array *a, int n_dims, const u64 *shape)
{
	if (a->n_dims != n_dims)
		return false;
	for (int i = 0; i < n_dims; i++)
		if (shape[i] != TENSOR_ANY && shape[i] != a->shape[i])
			return false;
	return true;
}

const struct frame_array *frame_need(const struct frame *f, const char *name, enum dtype dtype, int n_dims,
				     const u64 *shape, struct err *e)
{
	for (size_t i = 0; i < f->n_arrays; i++) {
		const struct frame_array *a = &f->arrays[i];
		if (strcmp(a->name, name))
			continue;
		if (a->dtype == dtype && same_shape(a, n_dims, shape))
			return a;
		err_set(e, ERR_DAMAGED, "array '%.40s' has another dtype or shape than is wanted", name);
		return NULL;
	}
	err_set(e, ERR_DAMAGED, "array '%.40s' is missing", name);
	return NULL;
}

void frame_out_init(struct frame_out *f, json_t *line)
{
	memset(f, 0, sizeof *f);
	f->line = line;
}

void frame_out_add(struct frame_out *f, const char *name, enum dtype dtype, int n_dims, const u64 *shape,
		   const void *data)
{
	json_t *dims = json_array();
	u64 n = dtype_size(dtype);
	for (int i = 0; i < n_dims; i++) {
		n *= shape[i];
		json_array_append_new(dims, json_integer((json_int_t)shape[i]));
	}
	if (!f->arrays) {
		f->arrays = json_array();
		json_object_set_new(f->line, "arrays", f->arrays);
	}
	json_array_append_new(f->arrays, json_pack("{s:s, s:s, s:o}", "name", name, "dtype",
						   dtype_name(dtype), "shape", dims));
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 8;
		f->data = xreallocarray(f->data, f->cap, sizeof *f->data);
	}
	f->data[f->n++] = (struct span){data, n};
	f->bytes += n;
}

void frame_out_head(struct frame_out *f, struct buf *out)
{
	if (f->arrays)
		json_object_set_new(f->line, "bytes", json_integer((json_int_t)f->bytes));
	json_add_line(out, f->line);
	buf_addc(out, '\n');
}

void frame_out_release(struct frame_out *f)
{
	json_decref(f->line);
	free(f->data);
	memset(f, 0, sizeof *f);
}
