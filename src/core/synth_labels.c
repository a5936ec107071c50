/* SPDX-License-Identifier: MIT */
/* synth_labels.c - labels.safetensors of a made-up atlas: one label a feature. */
#include "core/synth_impl.h"

#include "base/mem.h"
#include "core/atlas.h"

#include <stdlib.h>
#include <string.h>

static u64 length(const struct synth *s, u64 i)
{
	char text[SYNTH_LABEL_MAX];
	return synth_label(s->o.seed, s->o.n_features, (u32)i, text);
}

/* Label i is [offset(i), offset(i + 1)): the first 0, then each label's end. */
static void fill_offsets(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	u64 at = s->start[from / SYNTH_CHUNK];
	if (!from)
		buf_add(out, &at, sizeof at);
	for (u64 i = from; i < to; i++) {
		at += length(s, i);
		buf_add(out, &at, sizeof at);
	}
}

static void fill_bytes(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	for (u64 i = from; i < to; i++) {
		buf_reserve(out, SYNTH_LABEL_MAX);
		out->n += synth_label(s->o.seed, s->o.n_features, (u32)i, out->s + out->n);
	}
}

static void fill_features(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	(void)s;
	for (u64 i = from; i < to; i++)
		buf_add(out, &(u32){(u32)i}, sizeof(u32));
}

static void fill_scores(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	for (u64 i = from; i < to; i++)
		buf_add(out, &(f32){(f32)(rand_u64(s->o.seed ^ 0x5c0u, i) >> 54) / 1024}, sizeof(f32));
}

static void fill_sources(const struct synth *s, u64 from, u64 to, struct buf *out)
{
	(void)s;
	buf_reserve(out, (to - from) * sizeof(u16));
	memset(out->s + out->n, 0, (to - from) * sizeof(u16));
	out->n += (to - from) * sizeof(u16);
}

int synth_labels(struct synth *s, struct err *e)
{
	u64 n = s->o.n_features, bytes;
	static const struct {
		const char *name;
		enum dtype type;
		void (*fill)(const struct synth *s, u64 from, u64 to, struct buf *out);
	} tensors[] = {
		{"offset", DTYPE_U64, fill_offsets},   {"feature", DTYPE_U32, fill_features},
		{"score", DTYPE_F32, fill_scores},     {"source", DTYPE_U16, fill_sources},
		{"bytes", DTYPE_U8, fill_bytes},
	};
	if (synth_measure(s, n, length, &bytes, e))
		return -1;
	progress_start(s->progress, "labels", "bytes", bytes + 8 * (n + 1) + 10 * n);
	char *path = xasprintf("%s/labels.safetensors", s->folder);
	struct safetensors_writer *w = safetensors_writer_new(path, e);
	free(path);
	if (!w)
		return -1;
	safetensors_writer_meta(w, "uuid", atlas_json_uuid(s->json));
	safetensors_writer_meta(w, "build_id", atlas_json_build_id(s->json));
	safetensors_writer_meta(w, "sources", "[{\"name\":\"synth\",\"kind\":\"machine\"}]");
	for (size_t i = 0; i < ARRAY_LEN(tensors); i++)
		safetensors_writer_declare(w, tensors[i].name, tensors[i].type, 1,
					   (u64[]){i == 0 ? n + 1 : i == ARRAY_LEN(tensors) - 1 ? bytes : n});
	int bad = safetensors_writer_begin(w, e);
	for (size_t i = 0; !bad && i < ARRAY_LEN(tensors); i++)
		bad = synth_stream(s, w, &(struct synth_fill){tensors[i].fill, n, SYNTH_CHUNK}, e);
	if (!bad)
		return safetensors_writer_commit(w, e);
	safetensors_writer_abandon(w);
	return -1;
}
