/* SPDX-License-Identifier: MIT */
/* dict_impl.h - what an open dictionary holds, and its weights however they are stored; for dict*.c only. */
#ifndef FEATLAS_DICT_IMPL_H
#define FEATLAS_DICT_IMPL_H

#include "core/dict_plan.h"

#include <pthread.h>

/* Weights as f32: the mapped file's own where it holds aligned f32, else a copy. */
struct dict_f32 {
	const f32 *p;
	f32 *copy;
};

struct dict {
	struct dict_plan plan;
	u64 copy_limit; /* larger matrices are converted a piece at a time; numbers */
	pthread_mutex_t lock; /* of what follows, made on first use */
	bool encoder_ready, decoder_ready, fold_seen;
	struct dict_f32 enc, glu; /* whole, in the stored layout; p NULL: a piece at a time */
	struct dict_f32 dec;	  /* whole, by feature; p NULL: rows of dec_rows */
	struct dict_f32 b_enc, b_glu, b_dec, subtract, least, gate, mag, skip; /* scaled, rounded; mag: e^r_mag */
	f32 least_all;
	f32 *row_norm;		  /* [F] of decoder rows, where the arithmetic has it */
	struct dict_matrix dec_rows; /* the decoder, by feature if there was room for that */
	struct safetensors *dec_cache;
	f32 *unit; /* [F][d_out] */
	struct encoder *encoder; /* for many rows, where the arithmetic is plain */
};

/* The array with its bytes in place, unpacked into the cache if need be. */
const struct tensor *dict_array_data(const struct dict_array *a, struct err *e);
/* Weights of features first .. first + n, at most DICT_BLOCK, as f32 [n][width], summed and rounded, not scaled. */
enum { DICT_BLOCK = 256 };
int dict_matrix_rows(const struct dict *d, const struct dict_matrix *m, u32 first, u32 n, f32 *out, struct err *e);
/* out [n][F] = x [n][width] times the weights of every feature.  whole may be NULL.  tile: [DICT_TILE] and
 * DICT_TILE_ROWS rows of scratch, used where it is. */
enum { DICT_TILE = 1 << 20 };
u32 dict_tile_features(const struct dict *d, u32 width);
int dict_products(const struct dict *d, const struct dict_matrix *m, const f32 *whole, const f32 *x, size_t n, f32 *out,
		  f32 *tile, f32 *z, struct err *e);

/* What encoding and decoding need, made once; thread-safe. */
int dict_ready_encoder(struct dict *d, struct err *e);
int dict_ready_decoder(struct dict *d, struct err *e);
/* Rows by feature for a decoder that is stored by width and too large to copy: a file of the cache.  Silently
 * nothing where there is no room for it. */
void dict_want_rows(struct dict *d);
bool dict_uses_norms(const struct dict *d);

/* A row on its way in: rounded, normalised, shifted and scaled.  in may be out. */
struct dict_row_norm {
	f32 shift, scale, back; /* in (x - shift) * scale, out y * back + shift */
};
struct dict_row_norm dict_norm_of(const struct dict *d, const f32 *x);
void dict_input_row(const struct dict *d, const f32 *x, f32 *out);

/* Matching pursuit of one row, r [d_in] as dict_input_row gave it: adds to act [F], zeroed, and lists the features
 * it made non-zero, ascending.  p: [F] of scratch; r is used up. */
int dict_pursue(const struct dict *d, f32 *r, f32 *p, f32 *dense, u32 *id, f32 *act, f32 *tile, f32 *z, size_t *n,
		struct err *e);

/* What a person said, after what the files say. */
int dict_obey(struct dict_plan *p, const struct dict_options *o, struct err *e);

#endif
