/* SPDX-License-Identifier: MIT */
/* synth_dict.c - the weights of a made-up dictionary: rows of length 1 around centres. */
#include "core/synth_impl.h"

#include "base/half.h"
#include "base/mem.h"
#include "core/atlas.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_K = 32 };
static const f32 spread = 0.7f; /* of rows around their centre, which has spread 1 */

/* Near enough to normal: the sum of four uniform numbers, of variance 1. */
static f32 bell(u64 r)
{
	i32 sum = (i32)(r & 0xffff) + (i32)(r >> 16 & 0xffff) + (i32)(r >> 32 & 0xffff) + (i32)(r >> 48);
	return (f32)(sum - 131070) * (1.7320508f / 65536);
}

static f32 element(const struct synth *s, u64 feature, u32 cluster, u64 j)
{
	u64 d = s->o.d;
	return bell(rand_u64(s->o.seed ^ 0xce47u, cluster * d + j)) +
	       spread * bell(rand_u64(s->o.seed ^ 0x40153u, feature * d + j));
}

static void add_bf16(struct buf *out, f32 x)
{
	buf_add(out, &(u16){f32_to_bf16(x)}, sizeof(u16));
}

static void fill_decoder(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	u32 d = s->o.d;
	f32 *row = xcalloc(d, sizeof *row);
	for (u64 f = from; f < to; f++) {
		u32 cluster = synth_cluster(s->o.seed, s->o.n_features, (u32)f);
		for (u32 j = 0; j < d; j++)
			row[j] = element(s, f, cluster, j);
		f32 norm = sqrtf(vec_dot(row, row, d));
		for (u32 j = 0; j < d; j++)
			add_bf16(out, norm > 0 ? row[j] / norm : j == 0);
	}
	free(row);
}

/* Tied to the decoder, by the length that rows have in the mean: [d][F], so by columns. */
static void fill_encoder(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	f32 scale = 1 / sqrtf((f32)s->o.d * (1 + spread * spread));
	for (u64 i = from; i < to; i++) {
		u64 f = i % s->o.n_features, j = i / s->o.n_features;
		u32 cluster = synth_cluster(s->o.seed, s->o.n_features, (u32)f);
		add_bf16(out, scale * element(s, f, cluster, j));
	}
}

static void fill_zeros(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	(void)s;
	for (u64 i = from; i < to; i++)
		add_bf16(out, 0);
}

static int write_cfg(const struct synth *s, struct err *e)
{
	json_t *j = json_pack(
		"{s:s, s:I, s:I, s:I, s:s, s:s, s:b, s:b, s:s, s:s, s:{s:s, s:s}}", "architecture", "topk", "d_in",
		(json_int_t)s->o.d, "d_sae", (json_int_t)s->o.n_features, "k",
		(json_int_t)MIN((u32)TOP_K, s->o.n_features), "dtype", "float32", "device", "cpu",
		"apply_b_dec_to_input", 1, "rescale_acts_by_decoder_norm", 0, "normalize_activations", "none",
		"reshape_activations", "none", "metadata", "model_name", "none (made up)", "hook_name",
		"blocks.0.hook_resid_post");
	char *path = xasprintf("%s/cfg.json", s->folder);
	int bad = json_write_file(path, j, e);
	json_decref(j);
	free(path);
	return bad;
}

int synth_dict(struct synth *s, struct err *e)
{
	u64 n = s->o.n_features, d = s->o.d;
	const struct {
		const char *name;
		int n_dims;
		u64 shape[2];
		struct synth_fill fill;
	} tensors[] = {
		{"W_enc", 2, {d, n}, {fill_encoder, n * d, 1 << 18}},
		{"W_dec", 2, {n, d}, {fill_decoder, n, MAX(1, (1 << 18) / d)}},
		{"b_enc", 1, {n}, {fill_zeros, n, 1 << 18}},
		{"b_dec", 1, {d}, {fill_zeros, d, 1 << 18}},
	};
	char *path = xasprintf("%s/sae_weights.safetensors", s->folder);
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	free(path);
	if (!w)
		return -1;
	progress_start(s->progress, "weights", "bytes", 2 * (2 * n * d + n + d));
	safetensors_writer_meta(w, "format", "pt");
	safetensors_writer_meta(w, "uuid", atlas_json_uuid(s->json));
	safetensors_writer_meta(w, "build_id", atlas_json_build_id(s->json));
	for (size_t i = 0; i < ARRAY_LEN(tensors); i++)
		safetensors_writer_declare(w, tensors[i].name, DTYPE_BF16, tensors[i].n_dims, tensors[i].shape);
	int bad = safetensors_writer_begin(w, e);
	for (size_t i = 0; !bad && i < ARRAY_LEN(tensors); i++)
		bad = synth_stream(s, w, &tensors[i].fill, e);
	if (bad) {
		safetensors_writer_abandon(w);
		return -1;
	}
	return safetensors_writer_commit(w, e) || write_cfg(s, e) ? -1 : 0;
}
