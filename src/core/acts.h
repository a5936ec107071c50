/* SPDX-License-Identifier: MIT */
/* acts.h - harvested activations: OUT.acts, a folder of shards.
 *
 * acts.json names model, template, hooks, norm medians and shards, and is rewritten after
 * each finished shard, so an interrupted harvest goes on at the next text.  A shard is
 * shard-NNNNN.safetensors: rows.<layer> f16[n][d] for each hook, tokens u32[n],
 * token_flags u8[n], text_ptr u64[texts + 1].  Layout: featlas-atlas(5).
 */
#ifndef FEATLAS_ACTS_H
#define FEATLAS_ACTS_H

#include "base/json.h"
#include "io/safetensors.h"

struct acts;

struct acts *acts_open(const char *folder, struct err *e);
void acts_free(struct acts *a);
const json_t *acts_json(const struct acts *a);
size_t acts_n_shards(const struct acts *a);
u64 acts_n_tokens(const struct acts *a);
u32 acts_d(const struct acts *a);
size_t acts_n_hooks(const struct acts *a);
const char *acts_hook(const struct acts *a, size_t i);  /* "blocks.22.hook_resid_post" */
f32 acts_norm_median(const struct acts *a, size_t hook);

struct acts_shard {
	u64 first, n;        /* positions */
	const u16 *rows;     /* f16 [n][d] of the hook asked for */
	const u32 *tokens;   /* [n] */
	const u8 *flags;     /* [n], enum token_flag */
	const u64 *text_ptr; /* [n_texts + 1], relative to this shard */
	u64 n_texts;
};
int acts_shard(struct acts *a, size_t shard, size_t hook, struct acts_shard *out, struct err *e);

/* Writing, one shard at a time; sinks are flagged once the median is known: by the writer,
 * from the first shard's rows, kept in acts.json. */
struct acts_writer;
struct acts_writer *acts_writer_open(const char *folder, json_t *about /* taken */, const char *const *hooks,
				     size_t n_hooks, u32 d, struct err *e); /* resumes if it is there */
u64 acts_writer_texts(const struct acts_writer *w); /* finished before */
/* rows[h] is f32 [n][d]. */
int acts_writer_text(struct acts_writer *w, const u32 *tokens, const u8 *flags, const f32 *const *rows, size_t n,
		     struct err *e);
int acts_writer_close(struct acts_writer *w, struct err *e); /* finishes the last shard, frees w */

#endif
