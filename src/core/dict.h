/* SPDX-License-Identifier: MIT */
/* dict.h - a sparse dictionary: encoder, decoder, activation function.
 *
 * Opened from a directory with cfg.json + sae_weights.safetensors (SAELens' own layout).
 * Mapped, not copied; opening reads headers only.  Formulas: SAELens v6, saes/sae.py and
 * saes/topk_sae.py; notation and pipeline in featlas-atlas(5).  f is the dictionary's own
 * activation, p the pre-activation.  Rows are f32 [n][d].  All calls are thread-safe; the
 * caches they need (f32 weights) are made once, on first use.
 */
#ifndef FEATLAS_DICT_H
#define FEATLAS_DICT_H

#include "base/err.h"
#include "base/pool.h"
#include "io/safetensors.h"

/* DICT_NONE has no encoder, and perhaps no decoder (d_in and d_out 0): what stands for the dictionary in
 * an atlas of imported examples.  Encoding and decoding refuse it, with the reason; encoder rows and b_dec
 * are zeros. */
enum dict_arch { DICT_STANDARD, DICT_TOPK, DICT_JUMPRELU, DICT_NONE };

struct dict_info {
	enum dict_arch arch;
	const char *arch_name;  /* "topk" */
	u32 n_features;         /* F */
	u32 d_in, d_out;
	u32 k;                  /* topk only */
	bool apply_b_dec_to_input;
	bool rescale_by_decoder_norm; /* topk only */
	enum dtype dtype;       /* as stored */
	const char *hook_name;  /* "blocks.22.hook_resid_post", or "" */
	const char *model_name; /* or "" */
	bool prepend_bos;
};

struct dict;

struct dict *dict_open(const char *folder, struct err *e);
void dict_free(struct dict *d); /* NULL is fine */
const struct dict_info *dict_info(const struct dict *d);

/* One row's active features: ids ascending, f > 0. */
struct dict_row {
	u32 n;
	u32 *id;  /* [n] */
	f32 *act; /* [n] */
};

/* f of n rows, sparse.  out[i].id and .act point into *arena, which the caller frees. */
int dict_encode(struct dict *d, struct pool *pool, const f32 *x, size_t n, struct dict_row *out,
		void **arena, struct err *e);
/* f of n rows, dense [n][F]. */
int dict_encode_dense(struct dict *d, struct pool *pool, const f32 *x, size_t n, f32 *acts, struct err *e);
/* p of chosen features: out [n][n_ids]. */
int dict_pre(struct dict *d, const f32 *x, size_t n, const u32 *ids, size_t n_ids, f32 *out, struct err *e);
/* Reconstruction y [n][d_out] from sparse rows (b_dec added, normalisation undone: x is needed
 * where the dictionary normalises by row, else NULL). */
int dict_decode(struct dict *d, const struct dict_row *rows, size_t n, const f32 *x, f32 *y, struct err *e);

void dict_decoder_row(const struct dict *d, u32 id, f32 *out /* [d_out] */);
void dict_encoder_row(const struct dict *d, u32 id, f32 *out /* [d_in] */, f32 *bias);
void dict_b_dec(const struct dict *d, f32 *out /* [d_out] */);
/* JumpReLU: f is p where p is above this; 0 for the others. */
f32 dict_threshold(const struct dict *d, u32 id);
/* All decoder rows as f32, unit-normed, [F][d_out]; made on first use, owned by d.  NULL where there are
 * none. */
const f32 *dict_decoder_unit(struct dict *d, struct pool *pool, struct err *e);

#endif
