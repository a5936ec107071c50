/* SPDX-License-Identifier: MIT */
/* safetensors.h - reading and writing safetensors files of any provenance.
 *
 * Format: u64 little-endian N, N bytes of JSON header, data.  The reader maps the file,
 * checks everything the header says before it is used (sizes, overlaps, holes, overflow)
 * and touches nothing but the header.  Tensor data may be unaligned in foreign files.
 */
#ifndef FEATLAS_SAFETENSORS_H
#define FEATLAS_SAFETENSORS_H

#include "base/err.h"
#include "base/pages.h"
#include "base/types.h"

enum dtype {
	DTYPE_BOOL, DTYPE_U8, DTYPE_I8, DTYPE_U16, DTYPE_I16, DTYPE_F16, DTYPE_BF16,
	DTYPE_U32, DTYPE_I32, DTYPE_F32, DTYPE_U64, DTYPE_I64, DTYPE_F64,
	N_DTYPES,
};

size_t dtype_size(enum dtype t);
const char *dtype_name(enum dtype t); /* as in the header: "F16" */

enum { TENSOR_MAX_DIMS = 8 };

struct tensor {
	const char *name; /* borrowed from the file */
	enum dtype dtype;
	int n_dims; /* 0 for a scalar */
	u64 shape[TENSOR_MAX_DIMS];
	u64 n; /* elements */
	struct span data;
};

struct safetensors;

struct safetensors *safetensors_open(const char *path, struct err *e);
void safetensors_free(struct safetensors *s); /* NULL is fine */
size_t safetensors_count(const struct safetensors *s);
const struct tensor *safetensors_at(const struct safetensors *s, size_t i); /* file order */
const struct tensor *safetensors_find(const struct safetensors *s, const char *name); /* or NULL */
const char *safetensors_metadata(const struct safetensors *s, const char *key);       /* or NULL */
const char *safetensors_path(const struct safetensors *s);

/* The tensor, checked: one of the dtypes in the mask (1u << DTYPE_F32 | ...), n_dims
 * dimensions, each equal to want[i] unless want[i] is TENSOR_ANY.  NULL and a sentence that
 * names file, tensor, what it has and what was expected. */
#define TENSOR_ANY UINT64_MAX
const struct tensor *safetensors_need(const struct safetensors *s, const char *name, unsigned dtypes,
				      int n_dims, const u64 *want, struct err *e);

/* The same for a tensor in hand: 0, or -1 and the sentence.  path: the file's. */
int tensor_check(const struct tensor *t, const char *path, unsigned dtypes, int n_dims, const u64 *want,
		 struct err *e);

/* Element i as f32 (floats) or u64 (whole numbers); unaligned data is fine. */
f32 tensor_f32(const struct tensor *t, u64 i);
u64 tensor_u64(const struct tensor *t, u64 i);
/* Do elements [i, i + n), as far as there are such, lie in memory? (pages.h) */
bool tensor_there(const struct tensor *t, u64 i, u64 n, struct pages *w);
/* n elements from i on, converted. */
void tensor_get_f32(const struct tensor *t, u64 i, u64 n, f32 *out);

/* Writing: declare every tensor and metadata, begin, then give each tensor's bytes in any
 * number of pieces.  Tensors are laid out by item size descending, then by declaration;
 * data must be given in that order, and no piece may run into the next tensor
 * (safetensors_writer_next says which comes next).
 * The header is padded to 64 bytes.  Nothing appears at the path before commit. */
struct safetensors_writer;

struct safetensors_writer *safetensors_writer_new(const char *path, struct err *e);
void safetensors_writer_meta(struct safetensors_writer *w, const char *key, const char *value);
void safetensors_writer_declare(struct safetensors_writer *w, const char *name, enum dtype t, int n_dims,
				const u64 *shape);
int safetensors_writer_begin(struct safetensors_writer *w, struct err *e);
const char *safetensors_writer_next(const struct safetensors_writer *w); /* name, or NULL when all are full */
int safetensors_writer_add(struct safetensors_writer *w, const void *p, size_t n, struct err *e);
int safetensors_writer_commit(struct safetensors_writer *w, struct err *e); /* frees w, also on failure */
void safetensors_writer_abandon(struct safetensors_writer *w);              /* frees w; NULL is fine */

/* For tensors that fit in memory: writes all of them in the right order and commits. */
struct tensor_out {
	const char *name;
	enum dtype dtype;
	int n_dims;
	u64 shape[TENSOR_MAX_DIMS];
	const void *data;
};
int safetensors_write_file(const char *path, const struct tensor_out *t, size_t n,
			   const char *const *meta /* key, value, ..., NULL */, struct err *e);

#endif
