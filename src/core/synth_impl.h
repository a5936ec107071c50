/* SPDX-License-Identifier: MIT */
/* synth_impl.h - what the parts of a made-up atlas share; for synth*.c only. */
#ifndef FEATLAS_SYNTH_IMPL_H
#define FEATLAS_SYNTH_IMPL_H

#include "base/buf.h"
#include "base/json.h"
#include "core/rand.h"
#include "core/synth.h"
#include "io/safetensors.h"

struct synth {
	struct synth_options o;
	const char *folder;
	json_t *json;
	struct pool *pool;
	struct progress *progress;
	u64 *start; /* of each chunk's first item, in what is measured; one more: the end */
};

/* Numbers of one draw, one after the other. */
struct draw {
	u64 seed, at;
};

static inline u64 draw(struct draw *d)
{
	return rand_u64(d->seed, d->at++);
}

static inline u32 draw_below(struct draw *d, u32 n)
{
	return (u32)((draw(d) >> 32) * n >> 32);
}

u32 synth_cluster(u64 seed, u32 n_features, u32 feature);

/* Items [from, to) as bytes; any thread. */
struct synth_fill {
	void (*fill)(const struct synth *s, u64 from, u64 to, struct buf *out);
	u64 n, per_chunk;
};
int synth_stream(struct synth *s, struct safetensors_writer *w, const struct synth_fill *f, struct err *e);

enum { SYNTH_CHUNK = 16384 };
/* Adds up sizes of items and keeps where each chunk of SYNTH_CHUNK begins, in s->start. */
int synth_measure(struct synth *s, u64 n, u64 (*size)(const struct synth *s, u64 i), u64 *total, struct err *e);

/* The vocabulary: words by falling frequency. */
u32 synth_n_words(void);
size_t synth_word(u32 i, char out[32]);
u32 synth_zipf(u64 r); /* a word's number, from 64 random bits */

int synth_labels(struct synth *s, struct err *e);
int synth_store(struct synth *s, struct err *e);
int synth_vocab(struct synth *s, struct err *e);
int synth_dict(struct synth *s, struct err *e);

#endif
