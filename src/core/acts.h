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

/* One thread.  Opening reads acts.json; a shard is mapped when it is first asked for. */
struct acts *acts_open(const char *folder, struct err *e);
void acts_free(struct acts *a); /* NULL is fine */
const char *acts_folder(const struct acts *a);
const json_t *acts_json(const struct acts *a);
size_t acts_n_shards(const struct acts *a);
u64 acts_n_tokens(const struct acts *a);
u64 acts_n_texts(const struct acts *a);
u32 acts_d(const struct acts *a);
size_t acts_n_hooks(const struct acts *a);
const char *acts_hook(const struct acts *a, size_t i);  /* "blocks.22.hook_resid_post" */
u32 acts_layer(const struct acts *a, size_t i);
f32 acts_norm_median(const struct acts *a, size_t hook); /* over unmasked rows of the first shard */
/* The hook of a name, or of a layer number ("22"); NULL name: the only one there is. */
int acts_find_hook(const struct acts *a, const char *name, size_t *hook, struct err *e);

struct acts_shard {
	u64 first, n;        /* positions */
	u64 first_text;      /* texts before this shard */
	const u16 *rows;     /* f16 [n][d] of the hook asked for */
	const u32 *tokens;   /* [n] */
	const u8 *flags;     /* [n], enum token_flag */
	const u64 *text_ptr; /* [n_texts + 1], relative to this shard, checked: ascending, 0 to n */
	u64 n_texts;
};
int acts_shard(struct acts *a, size_t shard, size_t hook, struct acts_shard *out, struct err *e);

/* Writing, a text at a time, shards of at least ACTS_SHARD_TOKENS.  The writer flags sinks:
 * rows whose norm at any of the hooks is above ACTS_SINK_MULTIPLE times that hook's median,
 * taken over the unmasked rows of the first shard and kept in acts.json. */
enum { ACTS_SHARD_TOKENS = 65536, ACTS_SINK_MULTIPLE = 6 };
struct acts_writer;
/* about: {model{}, template, ...}, goes into acts.json.  Resumes a folder that is there if it
 * holds the same model, hooks and width. */
struct acts_writer *acts_writer_open(const char *folder, json_t *about /* taken */, const char *const *hooks,
				     size_t n_hooks, u32 d, struct err *e);
u64 acts_writer_texts(const struct acts_writer *w); /* on disk already: the next text to give is this one */
/* rows[h] is f32 [n][d]; values beyond f16 are cut to its largest, NaN is refused. */
int acts_writer_text(struct acts_writer *w, const u32 *tokens, const u8 *flags, const f32 *const *rows, size_t n,
		     struct err *e);
int acts_writer_close(struct acts_writer *w, struct err *e); /* finishes the last shard, frees w */
void acts_writer_abandon(struct acts_writer *w); /* drops what is not yet on disk; NULL is fine */

/* The layer in a hook's name ("blocks.22.hook_resid_post" is 22), or UINT32_MAX. */
u32 acts_layer_of(const char *hook);
/* True for texts that are kept from training and used by evaluation: about one in
 * ACTS_HELD_OUT of them, by the text's number alone. */
enum { ACTS_HELD_OUT = 20 };
bool acts_held_out(u64 text);

#endif
