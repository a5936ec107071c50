/* SPDX-License-Identifier: MIT */
/* dict_write.c - writing a trained dictionary as SAELens does. */
#include "core/dict_write.h"

#include "base/half.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 16 };

static void convert(void *out, const f32 *x, size_t n, enum dtype t)
{
	if (t == DTYPE_F32)
		memcpy(out, x, n * 4);
	for (size_t i = 0; t != DTYPE_F32 && i < n; i++)
		((u16 *)out)[i] = t == DTYPE_F16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]);
}

static int add(struct safetensors_writer *w, const f32 *x, size_t n, enum dtype t, void *piece, struct err *e)
{
	for (size_t i = 0; i < n; i += PIECE) {
		size_t m = MIN((size_t)PIECE, n - i);
		convert(piece, x + i, m, t);
		if (safetensors_writer_add(w, piece, m * dtype_size(t), e))
			return -1;
	}
	return 0;
}

/* Column by column of [F][d]: row j of the stored [d][F]. */
static int add_transposed(struct safetensors_writer *w, const struct dict_weights *k, enum dtype t,
			  void *piece, struct err *e)
{
	f32 *row = mem_try(k->n_features, sizeof *row, "a row of W_enc", e);
	int bad = row ? 0 : -1;
	for (size_t j = 0; !bad && j < k->d; j++) {
		for (size_t i = 0; i < k->n_features; i++)
			row[i] = k->w_enc[i * k->d + j];
		bad = add(w, row, k->n_features, t, piece, e);
	}
	free(row);
	return bad;
}

static int write_weights(const char *path, const struct dict_weights *k, enum dtype t, const char *uuid,
			 const char *build_id, struct err *e)
{
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	void *piece = xmalloc(PIECE * sizeof(f32));
	int bad = w ? 0 : -1;
	if (!bad) {
		safetensors_writer_meta(w, "format", "pt");
		safetensors_writer_meta(w, "uuid", uuid);
		safetensors_writer_meta(w, "build_id", build_id);
		safetensors_writer_declare(w, "W_enc", t, 2, (u64[]){k->d, k->n_features});
		safetensors_writer_declare(w, "W_dec", t, 2, (u64[]){k->n_features, k->d});
		safetensors_writer_declare(w, "b_enc", t, 1, (u64[]){k->n_features});
		if (k->threshold)
			safetensors_writer_declare(w, "threshold", t, 1, (u64[]){k->n_features});
		safetensors_writer_declare(w, "b_dec", t, 1, (u64[]){k->d});
		bad = safetensors_writer_begin(w, e);
	}
	bad = bad || add_transposed(w, k, t, piece, e) ||
	      add(w, k->w_dec, (size_t)k->n_features * k->d, t, piece, e) ||
	      add(w, k->b_enc, k->n_features, t, piece, e) ||
	      (k->threshold && add(w, k->threshold, k->n_features, t, piece, e)) ||
	      add(w, k->b_dec, k->d, t, piece, e);
	free(piece);
	if (!bad)
		return safetensors_writer_commit(w, e);
	safetensors_writer_abandon(w);
	return -1;
}

static json_t *configuration(const struct dict_weights *w, const json_t *about)
{
	json_t *j = json_pack("{s:s, s:i, s:i, s:s, s:s, s:b, s:s, s:s, s:O}", "architecture",
			      w->threshold ? "jumprelu" : "topk", "d_in", (int)w->d, "d_sae", (int)w->n_features,
			      "dtype", "float32", "device", "cpu", "apply_b_dec_to_input", 1, "normalize_activations",
			      "none", "reshape_activations", "none", "metadata", about);
	if (!w->threshold) {
		json_object_set_new(j, "k", json_integer(w->k));
		json_object_set_new(j, "rescale_acts_by_decoder_norm", json_false());
	}
	return j;
}

int dict_write(const char *folder, const struct dict_weights *w, enum dtype storage, const json_t *about,
	       const char *uuid, const char *build_id, struct err *e)
{
	char *weights = xasprintf("%s/sae_weights.safetensors", folder),
	     *cfg = xasprintf("%s/cfg.json", folder);
	json_t *j = configuration(w, about);
	int bad = write_weights(weights, w, storage, uuid, build_id, e) || json_write_file(cfg, j, e) ? -1
												      : 0;
	json_decref(j);
	free(weights);
	free(cfg);
	return bad;
}
