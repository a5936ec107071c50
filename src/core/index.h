/* SPDX-License-Identifier: MIT */
/* index.h - building the activation store of a dictionary from harvested activations.
 *
 * Two passes in bounded memory: every unmasked token is encoded once, its active features
 * spilled in token order; then, for ranges of features that fit the memory, the spill is
 * read again and sorted by feature.  What is drawn (interval and random contexts) depends
 * on seed and feature only, so the file is the same for any number of threads.
 * Definitions and layout: featlas-atlas(5).
 */
#ifndef FEATLAS_INDEX_H
#define FEATLAS_INDEX_H

#include "base/pool.h"
#include "base/progress.h"
#include "core/acts.h"
#include "core/dict.h"
#include "core/store.h"

#include <stdio.h>

struct index_options {
	u32 n_top;        /* strongest contexts, one a text */
	u32 n_intervals;  /* of (0, max], of equal width */
	u32 per_interval; /* drawn from each */
	u32 n_random;     /* drawn from all tokens where it fires */
	u32 n_bins;       /* of the histogram */
	u64 seed;
	u64 memory;       /* bytes for sorting; a single feature may take more */
	u64 first_token;  /* tokens in segments before this one */
	const char *uuid, *build_id;
};
extern const struct index_options index_defaults; /* 20, 5 x 5, 5, 20 bins, seed 1, 1 GiB */

struct index_report {
	u64 n_tokens, n_kept; /* all, unmasked */
	u64 n_activations, n_contexts;
	u32 n_dead;           /* features that never fired */
};

/* One segment, written to path; hook: which of a's.  At most 2^32 - 1 tokens.  With several ranks
 * (ranks.h) all of them call it: batches of rows are encoded by turns, rank 0 writes. */
int index_build(struct dict *d, struct acts *a, size_t hook, const char *path, const struct index_options *o,
		struct pool *pool, struct progress *progress, struct index_report *report, struct err *e);

/* The segment as it is collected before it is written: shared by index and prune. */
struct index_image {
	u32 n_features, n_bins;
	bool imported; /* statistics are others' */
	u64 n_tokens, n_texts, n_indexed, n_kept;
	u32 *tokens;
	u8 *flags;
	u64 *text_ptr;    /* [n_texts + 1] */
	u64 *count, *feature_ptr; /* [F], [F + 1] */
	f32 *density, *max, *mean, *scale; /* [F] */
	f32 *hist_edge;   /* [F][n_bins + 1] */
	u64 *hist_count;  /* [F][n_bins] */
	u64 *ctx_ptr;     /* [F + 1] */
	u32 *ctx_pos;     /* [ctx_ptr[F]] */
	f32 *ctx_val;
	u8 *ctx_kind, *ctx_interval;
	u64 cap_ctx;
	FILE *pos, *val;  /* u32 and f16 of every activation, by feature */
};

/* A file in a folder without a name: gone when closed. */
FILE *index_scratch(const char *folder, struct err *e);
/* folder: where the two scratch files go. */
struct index_image *index_image_new(u32 n_features, u32 n_bins, u64 n_tokens, u64 n_texts, const char *folder,
				    struct err *e);
void index_image_free(struct index_image *m); /* NULL is fine */
/* Features are added in order: contexts, then activations, pos ascending.  act is divided by
 * the feature's scale. */
void index_image_contexts(struct index_image *m, u32 feature, const struct store_context *c, size_t n);
int index_image_activations(struct index_image *m, u32 feature, const u32 *pos, const f32 *act, u64 n, struct err *e);
int index_image_write(struct index_image *m, const char *path, bool full, const char *uuid, const char *build_id,
		      u64 first_token, struct err *e);

/* Activations that were made elsewhere.  count adds up each feature's, [F]; fill puts those of features
 * [first, end) to pos and act at cursor[feature - first]++, pos ascending. */
struct index_postings {
	void *context;
	int (*count)(void *context, u64 *count, struct err *e);
	int (*fill)(void *context, u32 first, u32 end, u64 *cursor, u32 *pos, f32 *act, struct err *e);
};
/* A segment of these: m has tokens, flags, text_ptr and n_kept, the rest is made here and written to path. */
int index_sort(struct index_image *m, const struct index_postings *p, const char *path, bool full,
	       const struct index_options *o, struct pool *pool, struct progress *progress, struct index_report *report,
	       struct err *e);

/* A scale that brings act_val into f16's range: 1 where that does, else a power of two. */
f32 index_scale(f32 max);
/* Histogram of n values in (0, max] in n_bins equal bins: edges[n_bins + 1], counts[n_bins]. */
void index_histogram(const f32 *act, u64 n, f32 max, u32 n_bins, f32 *edges, u64 *counts);
/* Chooses contexts of one feature from where it fires (pos ascending): top, intervals from
 * the highest down, random; out has room for index_contexts_cap(o). */
size_t index_contexts_cap(const struct index_options *o);
size_t index_choose(const struct index_image *m, const struct index_options *o, u32 feature, const u32 *pos,
		    const f32 *act, u64 n, f32 max, struct store_context *out);

#endif
