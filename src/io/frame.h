/* SPDX-License-Identifier: MIT */
/* frame.h - a line of JSON with raw arrays behind it, as featlas-backend(7) has it.
 *
 * The line is an object.  Where it has a member "arrays": [{"name", "dtype", "shape"}, ...],
 * it has "bytes": n too, and exactly n bytes follow its newline: the arrays back to back, in
 * that order, little-endian, without padding.  dtype is a safetensors name ("F32").
 * What comes from the other side is checked here before anything is allocated for it.
 */
#ifndef FEATLAS_FRAME_H
#define FEATLAS_FRAME_H

#include "base/json.h"
#include "io/safetensors.h"

enum { FRAME_MAX_LINE = 1 << 20, FRAME_MAX_ARRAYS = 4096, FRAME_MAX_DIMS = 4 };
#define FRAME_MAX_BYTES ((u64)UINT32_MAX)

struct frame_array {
	const char *name;
	enum dtype dtype;
	int n_dims;
	u64 shape[FRAME_MAX_DIMS];
	u64 n;          /* elements */
	const void *data; /* aligned for its dtype */
};

struct frame {
	json_t *line;
	struct frame_array *arrays;
	size_t n_arrays;
	u64 bytes; /* that follow the line */
	u8 *data;  /* room for them, or NULL */
	u8 *aligned; /* copies of arrays that stood askew */
};

/* Reads a line (without its newline).  On success f->bytes bytes must be read into what
 * frame_room gives, then frame_settle points the arrays at them.  On failure f is empty,
 * except that f->bytes still says what follows, if that could be told and is at most
 * max_bytes, else 0. */
int frame_parse(struct frame *f, const char *line, size_t n, u64 max_bytes, struct err *e);
u8 *frame_room(struct frame *f, struct err *e); /* not NULL only where bytes > 0 or on success */
int frame_settle(struct frame *f, struct err *e);
void frame_release(struct frame *f);

/* The array of that name and dtype with these dimensions (TENSOR_ANY: any); NULL and *e. */
const struct frame_array *frame_need(const struct frame *f, const char *name, enum dtype dtype, int n_dims,
				     const u64 *shape, struct err *e);

/* Sending: arrays are borrowed until the frame has gone out. */
struct frame_out {
	json_t *line;
	json_t *arrays;
	struct span *data;
	size_t n, cap;
	u64 bytes;
};
void frame_out_init(struct frame_out *f, json_t *line /* taken */);
void frame_out_add(struct frame_out *f, const char *name, enum dtype dtype, int n_dims, const u64 *shape,
		   const void *data);
/* Appends the line and its newline; the bytes of f->data[0..n) come after it. */
void frame_out_head(struct frame_out *f, struct buf *out);
void frame_out_release(struct frame_out *f);

#endif
