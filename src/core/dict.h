/* SPDX-License-Identifier: MIT */
/* dict.h - a sparse dictionary: encoder, decoder, activation function.
 *
 * Opened where it lies, whoever made it: dict_detect.c sees what it is, one reader a family turns its
 * names and layouts into a plan (dict_plan.h), and nothing after that knows formats.  featlas-formats(7)
 * has the table of what opens and how it is computed.  Mapped, not copied; opening reads headers only.
 * f is the dictionary's own activation, p the pre-activation.  Rows are f32 [n][d].  All calls are
 * thread-safe; what they need is made once, on first use: f32 weights of a dictionary up to 256 MiB, and
 * above that a piece at a time, so that memory stays bounded.
 */
#ifndef FEATLAS_DICT_H
#define FEATLAS_DICT_H

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"
#include "io/safetensors.h"

/* DICT_NONE has no encoder, and perhaps no decoder (d_in and d_out 0): what stands for the dictionary in
 * an atlas of imported examples.  Encoding and decoding refuse it, with the reason; encoder rows and b_dec
 * are zeros. */
enum dict_arch {
	DICT_STANDARD, /* f = relu(p) */
	DICT_TOPK,     /* the k largest p, then relu; ties: the lower id */
	DICT_JUMPRELU, /* f = relu(p) where p > threshold; BatchTopK at inference is one */
	DICT_GATED,    /* f = relu(mag) where the gate is above 0; p is mag */
	DICT_GROUPMAX, /* k groups of F/k features that follow each other: the largest of each, then relu */
	DICT_IDENTITY, /* f = p, negative values too */
	DICT_MATCHING_PURSUIT, /* greedy on the residual; there is no p but w.x */
	DICT_NONE,
	DICT_N_ARCHS,
};

enum dict_norm {
	DICT_NORM_NONE,
	DICT_NORM_CONSTANT, /* x times sqrt(d) / |x|, y divided by it */
	DICT_NORM_LAYER,    /* (x - mean) / (deviation + 1e-5); y times deviation, plus mean; n - 1 */
};

struct dict_info {
	enum dict_arch arch;
	const char *arch_name;  /* the file's own word: "topk", "jumprelu_transcoder", "BatchTopKSAE" */
	const char *format;     /* who wrote it: "SAELens 6", "Gemma Scope", "dictionary_learning" */
	const char *path;       /* as opened */
	u32 n_features;         /* F */
	u32 d_in, d_out;
	u32 k;                  /* topk, groupmax; else 0 */
	enum dict_norm norm;
	f64 norm_scale;         /* x is multiplied by this before it is encoded; 1: not */
	bool apply_b_dec_to_input; /* a vector is subtracted from the input */
	bool rescale_by_decoder_norm; /* f counts unit decoder rows: p_i |d_i|, y from f_i d_i / |d_i| */
	bool select_by_decoder_norm;  /* p_i |d_i| decides what is active, f_i does not have the factor */
	bool has_skip;          /* y has W_skip x too */
	bool is_transcoder;     /* reads one place, writes another */
	bool only_encodes;      /* y is a sum over layers, or there is none: reconstruction means nothing */
	enum dtype dtype;       /* of W_enc, as stored */
	const char *hook_name;  /* "blocks.22.hook_resid_post", or "" */
	const char *hook_out;   /* where it writes; hook_name where that is the same or not known */
	const char *model_name; /* or "" */
	bool prepend_bos;
};

/* Where a statement about the dictionary comes from. */
enum dict_origin {
	DICT_FROM_FILE, /* a file says so */
	DICT_DEFAULT,   /* no file says so, the format's own loader takes it to be so */
	DICT_GUESS,     /* neither; the likeliest */
	DICT_GIVEN,     /* the person said so */
	DICT_MEASURED,  /* seen in the weights */
};
const char *dict_origin_name(enum dict_origin o); /* "file", "default", "guess", "given", "measured" */

/* One statement: "normalisation", "layer_norm", DICT_FROM_FILE, "cfg.json: normalize_activations". */
struct dict_fact {
	const char *name, *value;
	enum dict_origin origin;
	const char *why; /* a few words; where it is a guess, what follows from it if it is wrong */
};

struct dict;

/* What a person knows better than the files: the members named in set. */
enum { DICT_SET_NORM_SCALE = 1, DICT_SET_NORM = 2, DICT_SET_B_DEC = 4, DICT_SET_RESCALE = 8, DICT_SET_ACT = 16 };
struct dict_options {
	unsigned set;
	f64 norm_scale; /* SAELens' norm_scaling_factor s: W_enc times s, W_dec and b_dec divided by it */
	enum dict_norm norm;
	bool apply_b_dec_to_input;
	bool rescale_by_decoder_norm;
	/* another function of the same p, where it is one of standard, topk (of k) and jumprelu (the file's
	 * thresholds times threshold_scale; ERR_UNAVAILABLE where it has none) */
	enum dict_arch act;
	u32 k;
	f64 threshold_scale;
};

/* path: a folder or a file (weights, or the configuration beside them).  ERR_NOT_FOUND and one sentence that
 * says what was found where nothing there is a dictionary. */
struct dict *dict_open(const char *path, struct err *e);
struct dict *dict_open_with(const char *path, const struct dict_options *o, struct err *e);
void dict_free(struct dict *d); /* NULL is fine */
const struct dict_info *dict_info(const struct dict *d);
/* How it is computed and how that is known: format, architecture, encoder, threshold, fold, normalisation,
 * b_dec, skip, hook, bos, dtype, model (those that apply), in this order.  The first call looks at the norms
 * of sixteen decoder rows for "fold".  Owned by d. */
const struct dict_fact *dict_provenance(struct dict *d, size_t *n);

/* What tells it from another without reading it: the container's file (of two, the first, links resolved),
 * their sizes' sum, the later mtime, and a hash of names, dtypes, shapes and configuration. */
struct dict_identity {
	char *weights; /* owned */
	u64 bytes;
	i64 mtime;
	char header[65];
};
int dict_identity(const struct dict *d, struct dict_identity *out, struct err *e);
void dict_identity_release(struct dict_identity *i);

/* Reads the weights' files to their ends and compares what checksums they hold (zips do); ERR_DAMAGED. */
int dict_verify(struct dict *d, struct progress *progress, struct err *e);

/* One row's active features: ids ascending, f > 0 (f != 0 of the identity). */
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
 * where the dictionary normalises by row or has a skip connection, else NULL). */
int dict_decode(struct dict *d, const struct dict_row *rows, size_t n, const f32 *x, f32 *y, struct err *e);

/* Weights of one feature, read where they lie: d_i (y's change for one unit of f_i, but for
 * rescale_by_decoder_norm and the norms, which are not in it) and w_i with its bias, as stored up to
 * layout and dtype. */
void dict_decoder_row(const struct dict *d, u32 id, f32 *out /* [d_out] */);
/* Does it lie in memory?  (pages.h; of what is packed that is not known: true) */
bool dict_decoder_row_there(const struct dict *d, u32 id, struct pages *w);
/* n of them from first on, [n][d_out]: what is stored by width is read in long pieces. */
int dict_decoder_rows(const struct dict *d, u32 first, u32 n, f32 *out, struct err *e);
void dict_encoder_row(const struct dict *d, u32 id, f32 *out /* [d_in] */, f32 *bias);
int dict_encoder_rows(const struct dict *d, u32 first, u32 n, f32 *out, f32 *bias /* [n] */, struct err *e);
void dict_b_dec(const struct dict *d, f32 *out /* [d_out]: added to y */);
/* f is p where p is above this (and above 0); 0 for those without one. */
f32 dict_threshold(const struct dict *d, u32 id);
/* The change of y for one unit of f_i. */
void dict_direction(const struct dict *d, u32 id, f32 *out /* [d_out] */);
/* The feature as interventions see it: p_i = w.x + bias of the raw x, with everything around it folded in.
 * ERR_UNAVAILABLE by name where p is not of that form (a norm by row, a GLU encoder, matching pursuit). */
int dict_linear(const struct dict *d, u32 id, f32 *w /* [d_in] */, f32 *bias, struct err *e);
/* All decoder rows as f32, unit-normed, [F][d_out]; made on first use, owned by d. */
const f32 *dict_decoder_unit(struct dict *d, struct pool *pool, struct err *e);

#endif
