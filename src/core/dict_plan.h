/* SPDX-License-Identifier: MIT */
/* dict_plan.h - a dictionary as its reader understood it; for dict*.c only.
 *
 * dict_detect.c finds the files, one reader a family fills in a plan, and nothing after that knows formats:
 *	x1 = norm(x);  x2 = enc_scale (x1 - bias_scale subtract);  p = x2 W_enc + b_enc  (times sigmoid(x2 W_glu + b_glu))
 *	f = activation(p), by info.arch;  y = unnorm(dec_scale f W_dec + bias_scale b_dec) + x W_skip
 * with p_i |d_i| for rescale and select, f_i d_i / |d_i| for rescale and unit_decoder.
 */
#ifndef FEATLAS_DICT_PLAN_H
#define FEATLAS_DICT_PLAN_H

#include "base/json.h"
#include "core/dict.h"
#include "core/dict_facts.h"
#include "io/tensors.h"

/* An array of a container; absent where t is NULL.  Its bytes may still be packed: dict_array_data. */
struct dict_array {
	struct tensors *file;
	const struct tensor *t;
	bool mapped; /* the bytes are in place */
};

enum dict_layout {
	DICT_BY_FEATURE, /* [F][width]: a feature's numbers together */
	DICT_BY_WIDTH,   /* [width][F] */
};

struct dict_matrix {
	struct dict_array a;
	enum dict_layout layout;
	u32 width;
	u32 n_sum; /* by feature only, [F][n_sum][width]: summed; else 1 */
};

struct dict_plan {
	struct dict_info info;
	struct dict_facts facts;
	struct dict_matrix enc, glu, dec; /* enc absent: tied to dec */
	struct dict_array b_enc, b_glu, b_dec, subtract, threshold, b_gate, r_mag, skip;
	bool skip_in_out;      /* skip is [d_in][d_out], else [d_out][d_in] */
	bool log_threshold;    /* the array holds logarithms */
	f64 threshold_all;     /* one for every feature where there is no array */
	f64 threshold_scale;   /* of either */
	f64 enc_scale, dec_scale, bias_scale;
	bool unit_decoder;     /* rows are made unit at use */
	enum dtype round;      /* weights and rows are rounded to this on loading; N_DTYPES: not */
	f64 residual;          /* matching pursuit: ends when |residual| is below */
	u32 max_steps;         /* and after so many */
	bool stop_on_same;     /* and when a step adds no feature */
	struct tensors *files[2]; /* owned */
	json_t *config;        /* owned; info's strings may lie in it */
	char **kept;           /* owned strings */
	size_t n_kept;
};

/* What a path was seen to be. */
struct dict_found {
	char *path;        /* as given */
	char *folder;      /* of the weights */
	char *weights;     /* path of the container */
	char *place;       /* the container's absolute path: names of folders say what it is of */
	char *config_path; /* or NULL */
	json_t *config;    /* an object, or NULL */
	struct tensors *file;
	int (*read)(struct dict_plan *p, const struct dict_found *f, struct err *e);
};

/* ERR_NOT_FOUND and one sentence that says what is there where no dictionary is. */
int dict_detect(const char *path, struct dict_found *out, struct err *e);
void dict_found_release(struct dict_found *f);

/* The readers.  p is zeroed but for scales of 1, round none; f's file and config stay f's, plan_adopt moves
 * them. */
int dict_read_saelens(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_gemma(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_gemma_2(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_llama_scope(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_llama_scope_r1(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_llamascopium(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_sparsify(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_learning(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_openai(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_connor_rob(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_linear(struct dict_plan *p, const struct dict_found *f, struct err *e); /* deepseek_r1, tinymodel */
int dict_read_goodfire(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_e2e(struct dict_plan *p, const struct dict_found *f, struct err *e);
int dict_read_circuit(struct dict_plan *p, const struct dict_found *f, struct err *e); /* mwhanna, circuit-tracer */
int dict_read_clt(struct dict_plan *p, const struct dict_found *f, struct err *e);     /* mntss */
int dict_read_temporal(struct dict_plan *p, const struct dict_found *f, struct err *e); /* refuses by name */

/* For readers.  Arrays are checked against what the plan has: sizes that info has as 0 are taken from the
 * first array that knows them.  -1 names file, tensor, what it is and what was expected. */
int plan_encoder(struct dict_plan *p, struct tensors *f, const char *name, enum dict_layout layout, struct err *e);
int plan_decoder(struct dict_plan *p, struct tensors *f, const char *name, enum dict_layout layout, struct err *e);
int plan_glu(struct dict_plan *p, struct tensors *f, const char *name, enum dict_layout layout, struct err *e);
/* [n]; a tensor that is not there is an error only where it is needed. */
int plan_vector(struct dict_array *a, struct tensors *f, const char *name, u64 n, bool needed, struct err *e);
int plan_skip(struct dict_plan *p, struct tensors *f, const char *name, bool in_out, struct err *e);
/* b_dec [d_out], if there; subtracted from the input too where `subtract` says so. */
int plan_b_dec(struct dict_plan *p, struct tensors *f, const char *name, bool needed, bool subtract, struct err *e);
/* The configuration says no other sizes than the weights have. */
int plan_check_sizes(const struct dict_plan *p, const struct dict_found *f, struct err *e);
/* info and facts of an architecture. */
void plan_arch(struct dict_plan *p, enum dict_arch arch, const char *name, enum dict_origin o, const char *why);
void plan_hook(struct dict_plan *p, const char *hook, const char *out, enum dict_origin o, const char *why);
void plan_model(struct dict_plan *p, const char *name, enum dict_origin o, const char *why);
const char *plan_keep(struct dict_plan *p, char *owned); /* until the plan's end */
const char *plan_copy(struct dict_plan *p, const char *s, size_t n);
/* The number after a word in a path ("layer_" 20); false if none. */
bool plan_number_after(const char *place, const char *word, u32 *out);
f32 dict_round(enum dtype t, f32 x); /* to the nearest of that dtype */

#endif
