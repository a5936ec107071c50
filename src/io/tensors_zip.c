/* SPDX-License-Identifier: MIT */
/* tensors_zip.c - arrays in a zip: in place, inflated into the cache, or brought into C order there. */
#include "io/tensors_impl.h"

#include "base/mem.h"
#include "io/cache.h"
#include "io/npy.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 24 };

void tensors_c_strides(const struct tensor *t, u64 *strides)
{
	u64 stride = 1;
	for (int i = t->n_dims; i-- > 0;) {
		strides[i] = stride;
		stride *= t->shape[i];
	}
}

bool tensors_is_c_order(const struct tensor *t, const u64 *strides)
{
	u64 c[TENSOR_MAX_DIMS];
	tensors_c_strides(t, c);
	bool same = true;
	for (int i = 0; i < t->n_dims; i++)
		same &= t->shape[i] <= 1 || strides[i] == c[i];
	return same || !t->n;
}

void tensors_place(struct tensors *s, struct tensors_item *item)
{
	const struct zip_entry *x = zip_at(s->zip, item->entry);
	item->mapped = x->stored && item->c_order;
	item->ready = item->mapped || !item->t.n;
	if (!item->ready)
		return;
	item->t.data = (struct span){NULL, 0};
	if (item->mapped)
		item->t.data.p = zip_stored(s->zip, item->entry).p + item->offset;
	item->t.data.n = item->t.n * dtype_size(item->t.dtype);
}

static int add_piece(void *w, const void *p, size_t n, struct err *e)
{
	return safetensors_writer_add(w, p, n, e);
}

/* An entry's contents, inflated into the cache. */
static int fill_blob(struct safetensors_writer *w, void *ctx, struct err *e)
{
	const struct tensors *s = ((void **)ctx)[0];
	const size_t *entry = ((void **)ctx)[1];
	return zip_read(s->zip, *entry, UINT64_MAX, add_piece, w, e);
}

static int blob(struct tensors *s, size_t entry, struct span *out, struct err *e)
{
	const struct zip_entry *x = zip_at(s->zip, entry);
	if (x->stored) {
		*out = zip_stored(s->zip, entry);
		return 0;
	}
	if (!s->blobs[entry]) {
		char *what = xasprintf("%s %08x inflated", x->name, x->crc),
		     *key = cache_key(s->path, what, e);
		struct tensor like = {.dtype = DTYPE_U8, .n_dims = 1, .shape = {x->size}, .n = x->size};
		if (key)
			s->blobs[entry] = cache_get(key, &like, fill_blob, (void *[]){s, &entry}, e);
		free(what);
		free(key);
	}
	if (!s->blobs[entry])
		return -1;
	*out = safetensors_find(s->blobs[entry], "data")->data;
	return 0;
}

struct gather {
	const struct tensors_item *item;
	const u8 *from; /* element 0 */
	struct safetensors_writer *out;
	u8 *piece;
	size_t size; /* of an element */
};

static void copy(u8 *to, const u8 *from, size_t size)
{
	switch (size) { /* the compiler makes one move of each */
	case 1:
		*to = *from;
		return;
	case 2:
		memcpy(to, from, 2);
		return;
	case 4:
		memcpy(to, from, 4);
		return;
	default:
		memcpy(to, from, 8);
	}
}

/* Matrices: blocks of rows, so that a column's run is read at once, not a page for each element. */
static int gather_matrix(const struct gather *g, struct err *e)
{
	const struct tensor *t = &g->item->t;
	u64 n_rows = t->shape[0], n_cols = t->shape[1], block = PIECE / (n_cols * g->size);
	u64 down = g->item->strides[0] * g->size, right = g->item->strides[1] * g->size;
	for (u64 row = 0; row < n_rows; row += block) {
		u64 n = MIN(block, n_rows - row);
		for (u64 c = 0; c < n_cols; c++) {
			const u8 *from = g->from + row * down + c * right;
			u8 *to = g->piece + c * g->size;
			for (u64 r = 0; r < n; r++, from += down, to += n_cols * g->size)
				copy(to, from, g->size);
		}
		if (safetensors_writer_add(g->out, g->piece, (size_t)(n * n_cols * g->size), e))
			return -1;
	}
	return 0;
}

static int gather_any(const struct gather *g, struct err *e)
{
	const struct tensor *t = &g->item->t;
	u64 at[TENSOR_MAX_DIMS] = {0}, offset = 0;
	size_t n = 0;
	for (u64 i = 0; i < t->n; i++) {
		copy(g->piece + n, g->from + offset * g->size, g->size);
		n += g->size;
		if (n == PIECE || i + 1 == t->n) {
			if (safetensors_writer_add(g->out, g->piece, n, e))
				return -1;
			n = 0;
		}
		for (int d = t->n_dims; d-- > 0;) {
			offset += g->item->strides[d];
			if (++at[d] < t->shape[d])
				break;
			offset -= at[d] * g->item->strides[d];
			at[d] = 0;
		}
	}
	return 0;
}

static int fill_c_order(struct safetensors_writer *w, void *ctx, struct err *e)
{
	struct gather g = *(struct gather *)ctx;
	const struct tensor *t = &g.item->t;
	g.out = w;
	g.size = dtype_size(t->dtype);
	g.piece = mem_try(PIECE, 1, "an array's rows", e);
	if (!g.piece)
		return -1;
	bool blocks = t->n_dims == 2 && t->shape[1] <= PIECE / g.size;
	int r = blocks ? gather_matrix(&g, e) : gather_any(&g, e);
	free(g.piece);
	return r;
}

static char *c_order_key(const struct tensors *s, const struct tensors_item *item, struct err *e)
{
	const struct zip_entry *x = zip_at(s->zip, item->entry);
	struct buf b = BUF_INIT;
	buf_addf(&b, "%s %08x in C order: %s from %llu, size and stride", x->name, x->crc,
		 dtype_name(item->t.dtype), (unsigned long long)item->offset);
	for (int i = 0; i < item->t.n_dims; i++)
		buf_addf(&b, " %llu %llu", (unsigned long long)item->t.shape[i],
			 (unsigned long long)item->strides[i]);
	char *key = cache_key(s->path, b.s, e);
	buf_release(&b);
	return key;
}

int tensors_fetch(struct tensors *s, struct tensors_item *item, struct err *e)
{
	struct span contents;
	if (blob(s, item->entry, &contents, e))
		return -1;
	if (item->c_order) {
		item->t.data =
			(struct span){contents.p + item->offset, item->t.n * dtype_size(item->t.dtype)};
	} else {
		struct gather g = {.item = item, .from = contents.p + item->offset};
		char *key = c_order_key(s, item, e);
		item->made = key ? cache_get(key, &item->t, fill_c_order, &g, e) : NULL;
		free(key);
		if (!item->made)
			return -1;
		item->t.data = safetensors_find(item->made, "data")->data;
	}
	item->ready = true;
	return 0;
}

static int keep_start(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_add(ctx, p, n);
	return 0;
}

static int read_header(struct tensors *s, size_t entry, const char *what, struct npy *npy, struct err *e)
{
	if (zip_at(s->zip, entry)->stored)
		return npy_parse(zip_stored(s->zip, entry), what, npy, e);
	struct buf b = BUF_INIT;
	int r = zip_read(s->zip, entry, MIN(NPY_HEADER_MAX, zip_at(s->zip, entry)->size), keep_start, &b, e);
	if (!r)
		r = npy_parse((struct span){(const u8 *)b.s, b.n}, what, npy, e);
	buf_release(&b);
	return r;
}

static int add_array(struct tensors *s, size_t entry, const char *name, const char *what, struct err *e)
{
	struct npy npy;
	u64 have = zip_at(s->zip, entry)->size, size;
	if (read_header(s, entry, what, &npy, e))
		return -1;
	if (!npy.numbers)
		return 0;
	struct tensors_item item = {.t = {.name = name, .dtype = npy.dtype, .n_dims = npy.n_dims, .n = npy.n},
				    .entry = entry,
				    .offset = npy.header};
	memcpy(item.t.shape, npy.shape, sizeof npy.shape);
	if (__builtin_mul_overflow(npy.n, dtype_size(npy.dtype), &size) || size != have - npy.header)
		return err_set(e, ERR_DAMAGED,
			       "%s has %llu bytes of data, which do not fit its dtype and shape", what,
			       (unsigned long long)(have - npy.header));
	tensors_c_strides(&item.t, item.strides);
	if (npy.fortran)
		for (int i = 0; i < npy.n_dims; i++)
			item.strides[i] = i ? item.strides[i - 1] * npy.shape[i - 1] : 1;
	item.c_order = tensors_is_c_order(&item.t, item.strides);
	tensors_place(s, &item);
	return tensors_add(s, &item, e);
}

int tensors_open_npz(struct tensors *s, struct err *e)
{
	int r = 0;
	size_t n_arrays = 0;
	s->kind = TENSORS_NPZ;
	for (size_t i = 0; !r && i < zip_count(s->zip); i++) {
		const char *entry = zip_at(s->zip, i)->name;
		size_t n = strlen(entry);
		if (n < 5 || strcmp(entry + n - 4, ".npy"))
			continue;
		char *name = xstrndup(entry, n - 4), *what = xasprintf("'%s': array '%.100s'", s->path, name);
		r = add_array(s, i, name, what, e);
		free(name);
		free(what);
		n_arrays++;
	}
	if (!r && !n_arrays)
		return err_set(e, ERR_DAMAGED,
			       "'%s' is a zip file with neither arrays (.npy) nor a torch pickle (data.pkl) "
			       "in it",
			       s->path);
	return r;
}
