/* SPDX-License-Identifier: MIT */
/* dict_write.h - writing a trained dictionary as SAELens does.
 *
 * FOLDER/cfg.json and FOLDER/sae_weights.safetensors, loadable by SAELens' load_from_disk:
 * normalisation none, apply_b_dec_to_input true, cfg dtype float32 whatever the storage.
 */
#ifndef FEATLAS_DICT_WRITE_H
#define FEATLAS_DICT_WRITE_H

#include "base/json.h"
#include "io/safetensors.h"

struct dict_weights {
	u32 d, n_features, k;
	const f32 *w_enc, *w_dec; /* [F][d], both by feature */
	const f32 *b_enc;         /* [F] */
	const f32 *b_dec;         /* [d] */
	const f32 *threshold;     /* [F]: it is a jumprelu and k counts for nothing; or NULL: a topk */
};

/* about: SAELens' metadata (hook_name, model_name, ...), not taken.  storage: DTYPE_F32,
 * DTYPE_F16 or DTYPE_BF16.  uuid and build_id go into the file's metadata. */
int dict_write(const char *folder, const struct dict_weights *w, enum dtype storage, const json_t *about,
	       const char *uuid, const char *build_id, struct err *e);

#endif
