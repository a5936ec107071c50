/* SPDX-License-Identifier: MIT */
/* dict_impl.h - what an open dictionary holds; for dict*.c only. */
#ifndef FEATLAS_DICT_IMPL_H
#define FEATLAS_DICT_IMPL_H

#include "base/json.h"
#include "core/dict.h"
#include "core/dict_facts.h"

#include <pthread.h>

/* Weights as f32: the mapped file's own where it holds aligned f32, else a copy. */
struct dict_f32 {
	const f32 *p;
	f32 *copy;
};

struct dict {
	struct dict_info info;
	struct dict_facts facts;
	f64 out_scale; /* of decoder and b_dec: 1 / norm_scale */
	char *path, *cfg_path;
	json_t *cfg;
	struct safetensors *file;
	const struct tensor *w_enc, *w_dec, *b_enc, *b_dec, *threshold; /* threshold: jumprelu only */
	pthread_mutex_t lock; /* of what follows, made on first use */
	bool encoder_ready, decoder_ready, fold_seen;
	struct dict_f32 enc, dec, enc_bias, dec_bias, least;
	f32 *row_norm; /* [F] of decoder rows, with rescale_by_decoder_norm */
	f32 *unit;     /* [F][d_out] */
};

int dict_read_cfg(struct dict *d, const char *folder, struct err *e);
/* What a person said, after what the files say. */
void dict_obey(struct dict *d, const struct dict_options *o);

#endif
