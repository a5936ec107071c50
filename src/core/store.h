/* SPDX-License-Identifier: MIT */
/* store.h - the activation store: reading one segment or several as one.
 *
 * Layout of activations.safetensors: featlas-atlas(5).  Positions count tokens from the
 * start of the store.  All reads are of mapped memory; pointers and spans are borrowed and
 * live as long as the store.  Thread-safe.
 */
#ifndef FEATLAS_STORE_H
#define FEATLAS_STORE_H

#include "base/err.h"
#include "base/pages.h"
#include "base/types.h"

enum token_flag {
	TOKEN_FIRST = 1,   /* position 0 of its text */
	TOKEN_SPECIAL = 2, /* special or template token */
	TOKEN_SINK = 4,    /* residual norm over 6x the hook's median */
	TOKEN_PROMPT = 8,  /* belongs to the prompt; counts like any other */
};
#define TOKEN_MASKED (TOKEN_FIRST | TOKEN_SPECIAL | TOKEN_SINK)

enum context_kind { CONTEXT_TOP, CONTEXT_INTERVAL, CONTEXT_RANDOM };

struct store_context {
	u64 position; /* of the peak token */
	f32 act;      /* there */
	enum context_kind kind;
	u8 interval;  /* 0 lowest ..; CONTEXT_INTERVAL only */
};

struct store_stats { /* over unmasked indexed tokens */
	f32 density, max, mean; /* mean over tokens where it fires */
	u64 count;
};

struct store;

/* Segments in order; each must begin where the one before it ends.  Statistics of several are
 * merged: densities and means by their counts, histograms on the edges of the widest. */
struct store *store_open(const char *const *segment_paths, size_t n, u32 n_features, struct err *e);
void store_free(struct store *s); /* NULL is fine */

u64 store_n_tokens(const struct store *s);      /* shipped here */
u64 store_n_indexed(const struct store *s);     /* statistics come from this many */
u64 store_n_kept(const struct store *s);        /* of these, unmasked */
u64 store_n_contexts(const struct store *s);    /* chosen contexts over all features */
u64 store_n_activations(const struct store *s); /* postings at hand */
bool store_is_full(const struct store *s);      /* coverage full, not examples-only */
bool store_is_imported(const struct store *s);  /* statistics as others published them */

/* UINT32_MAX and no flags beyond the end. */
u32 store_token(const struct store *s, u64 position);
u8 store_token_flags(const struct store *s, u64 position);
/* The text a position stands in: [*start, *end), and its number. */
u64 store_text_of(const struct store *s, u64 position, u64 *start, u64 *end);

void store_stats(const struct store *s, u32 feature, struct store_stats *out);
/* Histogram of f > 0: n bins; edges n + 1.  Returns n (0: none). */
size_t store_histogram(const struct store *s, u32 feature, f32 *edges, u64 *counts, size_t max_bins);
/* The chosen contexts, top first by activation, then by interval descending, then random.
 * Returns how many there are; fills at most cap. */
size_t store_contexts(const struct store *s, u32 feature, struct store_context *out, size_t cap);
/* f at [from, to): out[to - from], zero where it does not fire.  With coverage examples it is
 * known only near chosen contexts. */
void store_activations(const struct store *s, u32 feature, u64 from, u64 to, f32 *out);
/* Positions where a feature fires, ascending, without the first skip of them: fills at most cap and
 * returns how many; below n_tokens.  With coverage examples they are those near chosen contexts. */
u64 store_postings(const struct store *s, u32 feature, u64 skip, u64 *out, u64 cap);

/* Does what these read lie in memory?  (pages.h)  Of contexts: them all, the texts round the first cap and, but
 * for a feature that fires often, its activations anywhere. */
bool store_stats_there(const struct store *s, u32 feature, struct pages *w);
bool store_histogram_there(const struct store *s, u32 feature, struct pages *w);
bool store_contexts_there(const struct store *s, u32 feature, size_t cap, struct pages *w);

#endif
