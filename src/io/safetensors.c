/* SPDX-License-Identifier: MIT */
/* safetensors.c - the validating reader, and elements of any dtype. */
#include "io/safetensors.h"

#include "base/half.h"
#include "base/json.h"
#include "base/mapfile.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100000000 }; /* the reference reader's own limit */

static const struct {
	const char *name;
	size_t size;
} dtypes[N_DTYPES] = {
	[DTYPE_BOOL] = {"BOOL", 1}, [DTYPE_U8] = {"U8", 1},   [DTYPE_I8] = {"I8", 1},     [DTYPE_U16] = {"U16", 2},
	[DTYPE_I16] = {"I16", 2},   [DTYPE_F16] = {"F16", 2}, [DTYPE_BF16] = {"BF16", 2}, [DTYPE_U32] = {"U32", 4},
	[DTYPE_I32] = {"I32", 4},   [DTYPE_F32] = {"F32", 4}, [DTYPE_U64] = {"U64", 8},   [DTYPE_I64] = {"I64", 8},
	[DTYPE_F64] = {"F64", 8},
};

struct safetensors {
	struct mapfile *map;
	json_t *header; /* owns the tensors' names */
	struct tensor *tensors;
	size_t n;
};

size_t dtype_size(enum dtype t)
{
	return dtypes[t].size;
}

const char *dtype_name(enum dtype t)
{
	return dtypes[t].name;
}

static int find_dtype(const char *name)
{
	for (int i = 0; i < N_DTYPES; i++)
		if (!strcmp(dtypes[i].name, name))
			return i;
	return -1;
}

static int damaged(const struct safetensors *s, const char *tensor, const char *what, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "'%s': tensor '%.100s' %s", mapfile_path(s->map), tensor, what);
}

static bool get_u64(const json_t *v, u64 *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*out = (u64)json_integer_value(v);
	return true;
}

static int read_shape(const struct safetensors *s, struct tensor *t, const json_t *shape, struct err *e)
{
	if (!json_is_array(shape))
		return damaged(s, t->name, "has no shape", e);
	if (json_array_size(shape) > TENSOR_MAX_DIMS)
		return damaged(s, t->name, "has more than 8 dimensions", e);
	t->n_dims = (int)json_array_size(shape);
	t->n = 1;
	bool fits = true;
	for (int i = 0; i < t->n_dims; i++) {
		if (!get_u64(json_array_get(shape, (size_t)i), &t->shape[i]))
			return damaged(s, t->name, "has a shape that is not of whole numbers", e);
		fits &= !__builtin_mul_overflow(t->n, t->shape[i], &t->n);
	}
	if (!fits)
		return damaged(s, t->name, "has a shape too large to be true", e);
	return 0;
}

/* Offsets are kept in data until place_tensors has checked them against each other. */
static int read_tensor(const struct safetensors *s, struct tensor *t, const json_t *v, struct err *e)
{
	const char *name = json_opt_str(v, "dtype", NULL);
	int dtype = name ? find_dtype(name) : -1;
	if (dtype < 0) {
		char what[80];
		snprintf(what, sizeof what, name ? "has dtype '%.40s', which is not read here" : "has no dtype", name);
		return damaged(s, t->name, what, e);
	}
	t->dtype = (enum dtype)dtype;
	if (read_shape(s, t, json_object_get(v, "shape"), e))
		return -1;
	const json_t *offsets = json_object_get(v, "data_offsets");
	u64 begin, end, size, have = mapfile_span(s->map).n;
	if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !get_u64(json_array_get(offsets, 0), &begin) ||
	    !get_u64(json_array_get(offsets, 1), &end) || begin > end)
		return damaged(s, t->name, "has no valid data_offsets", e);
	if (end > have)
		return damaged(s, t->name, "reaches beyond the end of the file", e);
	if (__builtin_mul_overflow(t->n, dtype_size(t->dtype), &size) || size != end - begin)
		return damaged(s, t->name, "has data_offsets that do not fit its dtype and shape", e);
	t->data = (struct span){(const u8 *)(uintptr_t)begin, end - begin};
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;
	if (x->data.p != y->data.p)
		return x->data.p < y->data.p ? -1 : 1;
	if (x->data.n != y->data.n)
		return x->data.n < y->data.n ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The data must be covered exactly: no hole, no overlap, nothing left over. */
static int place_tensors(struct safetensors *s, struct span data, struct err *e)
{
	if (s->n)
		qsort(s->tensors, s->n, sizeof *s->tensors, by_offset);
	u64 at = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct tensor *t = &s->tensors[i];
		u64 begin = (u64)(uintptr_t)t->data.p;
		if (begin < at)
			return damaged(s, t->name, "overlaps the one before it", e);
		if (begin > at)
			return damaged(s, t->name, "has a hole before it", e);
		at = begin + t->data.n;
		if (at > data.n)
			return damaged(s, t->name, "reaches beyond the end of the file", e);
		t->data.p = data.p + begin;
	}
	if (at != data.n)
		return err_set(e, ERR_DAMAGED, "'%s': %llu bytes at the end belong to no tensor", mapfile_path(s->map),
			       (unsigned long long)(data.n - at));
	return 0;
}

static int check_metadata(const struct safetensors *s, const json_t *meta, struct err *e)
{
	const char *key;
	json_t *v;
	bool good = json_is_object(meta) || json_is_null(meta); /* some writers have null for none */
	json_object_foreach((json_t *)(uintptr_t)meta, key, v)
		good &= json_is_string(v);
	if (!good)
		return err_set(e, ERR_DAMAGED, "'%s': __metadata__ is not an object of strings", mapfile_path(s->map));
	return 0;
}

static int read_header(struct safetensors *s, struct span header, struct err *e)
{
	char *what = xasprintf("the header of '%s'", mapfile_path(s->map));
	s->header = json_parse((const char *)header.p, header.n, what, e);
	free(what);
	if (!s->header)
		return -1;
	if (!json_is_object(s->header))
		return err_set(e, ERR_DAMAGED, "the header of '%s' is not an object", mapfile_path(s->map));
	s->tensors = mem_try(json_object_size(s->header) + 1, sizeof *s->tensors, "a file's header", e);
	if (!s->tensors)
		return -1;
	const char *key;
	json_t *v;
	json_object_foreach(s->header, key, v) {
		if (!strcmp(key, "__metadata__")) {
			if (check_metadata(s, v, e))
				return -1;
			continue;
		}
		struct tensor *t = &s->tensors[s->n];
		t->name = key;
		if (read_tensor(s, t, v, e))
			return -1;
		s->n++;
	}
	return 0;
}

static int read_file(struct safetensors *s, struct err *e)
{
	struct span file = mapfile_span(s->map);
	u64 n;
	if (file.n < 8)
		return err_set(e, ERR_DAMAGED, "'%s' is too short to be a safetensors file", mapfile_path(s->map));
	memcpy(&n, file.p, 8);
	if (n > HEADER_MAX)
		return err_set(e, ERR_DAMAGED, "'%s' is no safetensors file: its header would be %llu bytes long",
			       mapfile_path(s->map), (unsigned long long)n);
	if (n > file.n - 8)
		return err_set(e, ERR_DAMAGED, "'%s' is cut short: its header should be %llu bytes long",
			       mapfile_path(s->map), (unsigned long long)n);
	if (read_header(s, (struct span){file.p + 8, n}, e))
		return -1;
	return place_tensors(s, (struct span){file.p + 8 + n, file.n - 8 - n}, e);
}

struct safetensors *safetensors_open(const char *path, struct err *e)
{
	struct mapfile *map = mapfile_open(path, e);
	if (!map)
		return NULL;
	struct safetensors *s = xcalloc(1, sizeof *s);
	s->map = map;
	if (read_file(s, e)) {
		safetensors_free(s);
		return NULL;
	}
	return s;
}

void safetensors_free(struct safetensors *s)
{
	if (!s)
		return;
	free(s->tensors);
	json_decref(s->header);
	mapfile_free(s->map);
	free(s);
}

size_t safetensors_count(const struct safetensors *s)
{
	return s->n;
}

const struct tensor *safetensors_at(const struct safetensors *s, size_t i)
{
	return &s->tensors[i];
}

const struct tensor *safetensors_find(const struct safetensors *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->tensors[i].name, name))
			return &s->tensors[i];
	return NULL;
}

const char *safetensors_metadata(const struct safetensors *s, const char *key)
{
	return json_opt_str(json_object_get(s->header, "__metadata__"), key, NULL);
}

const char *safetensors_path(const struct safetensors *s)
{
	return mapfile_path(s->map);
}

static void add_shape(struct buf *b, int n_dims, const u64 *shape)
{
	buf_addc(b, '[');
	for (int i = 0; i < n_dims; i++) {
		if (i)
			buf_adds(b, ", ");
		if (shape[i] == TENSOR_ANY)
			buf_addc(b, '*');
		else
			buf_addf(b, "%llu", (unsigned long long)shape[i]);
	}
	buf_addc(b, ']');
}

int tensor_check(const struct tensor *t, const char *path, unsigned wanted, int n_dims, const u64 *want,
		 struct err *e)
{
	bool good = (wanted >> t->dtype & 1) && t->n_dims == n_dims;
	for (int i = 0; good && i < n_dims; i++)
		good = want[i] == TENSOR_ANY || want[i] == t->shape[i];
	if (good)
		return 0;
	struct buf b = BUF_INIT;
	buf_addf(&b, "is %s ", dtype_name(t->dtype));
	add_shape(&b, t->n_dims, t->shape);
	buf_adds(&b, ", expected ");
	for (int i = 0, n = 0; i < N_DTYPES; i++)
		if (wanted >> i & 1)
			buf_addf(&b, "%s%s", n++ ? " or " : "", dtypes[i].name);
	buf_addc(&b, ' ');
	add_shape(&b, n_dims, want);
	err_set(e, ERR_DAMAGED, "'%s': tensor '%.100s' %s", path, t->name, b.s);
	buf_release(&b);
	return -1;
}

const struct tensor *safetensors_need(const struct safetensors *s, const char *name, unsigned wanted, int n_dims,
				      const u64 *want, struct err *e)
{
	const struct tensor *t = safetensors_find(s, name);
	if (!t) {
		err_set(e, ERR_DAMAGED, "'%s' has no tensor '%s'", mapfile_path(s->map), name);
		return NULL;
	}
	return tensor_check(t, mapfile_path(s->map), wanted, n_dims, want, e) ? NULL : t;
}

static u64 load(const u8 *p, size_t size)
{
	u16 a;
	u32 b;
	u64 c;
	switch (size) { /* little-endian, as configure demands of the machine */
	case 1:
		return *p;
	case 2:
		memcpy(&a, p, 2);
		return a;
	case 4:
		memcpy(&b, p, 4);
		return b;
	default:
		memcpy(&c, p, 8);
		return c;
	}
}

f32 tensor_f32(const struct tensor *t, u64 i)
{
	f32 v;
	tensor_get_f32(t, i, 1, &v);
	return v;
}

bool tensor_there(const struct tensor *t, u64 i, u64 n, struct pages *w)
{
	size_t size = dtypes[t->dtype].size;
	return i >= t->n || pages_there(w, t->data.p + i * size, (size_t)MIN(n, t->n - i) * size);
}

u64 tensor_u64(const struct tensor *t, u64 i)
{
	size_t size = dtypes[t->dtype].size;
	u64 v = load(t->data.p + i * size, size);
	switch (t->dtype) {
	case DTYPE_I8:
		return (u64)(i64)(int8_t)v;
	case DTYPE_I16:
		return (u64)(i64)(int16_t)v;
	case DTYPE_I32:
		return (u64)(i64)(i32)v;
	default:
		return v;
	}
}

static void get_halves(const u8 *p, u64 n, bool bf16, f32 *out)
{
	for (u64 j = 0; j < n; j++) {
		u16 h;
		memcpy(&h, p + 2 * j, 2);
		out[j] = bf16 ? bf16_to_f32(h) : f16_to_f32(h);
	}
}

void tensor_get_f32(const struct tensor *t, u64 i, u64 n, f32 *out)
{
	const u8 *p = t->data.p + i * dtypes[t->dtype].size;
	switch (t->dtype) {
	case DTYPE_F32:
		memcpy(out, p, n * sizeof *out);
		return;
	case DTYPE_F16:
	case DTYPE_BF16:
		get_halves(p, n, t->dtype == DTYPE_BF16, out);
		return;
	case DTYPE_F64:
		for (u64 j = 0; j < n; j++) {
			f64 v;
			memcpy(&v, p + 8 * j, 8);
			out[j] = (f32)v;
		}
		return;
	default:
		for (u64 j = 0; j < n; j++)
			out[j] = (f32)(i64)tensor_u64(t, i + j);
	}
}
