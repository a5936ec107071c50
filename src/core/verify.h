/* SPDX-License-Identifier: MIT */
/* verify.h - the checks behind atlas_verify: what a file holds against what it should.
 *
 * Each check says at most one sentence for each kind of fault, the first it meets, and goes on to
 * the next kind.  They read every page of the file.
 */
#ifndef FEATLAS_VERIFY_H
#define FEATLAS_VERIFY_H

#include "core/store.h"
#include "io/safetensors.h"

struct verify {
	void (*say)(void *context, const char *sentence);
	void *context;
	u64 n_faults;
	u32 n_features; /* 0: not known, as the dictionary is damaged */
	u32 n_vocab;    /* UINT32_MAX: not known */
};

void verify_fault(struct verify *v, const char *fmt, ...) FORMAT_PRINTF(2, 3);

/* Pointers ascend from 0 to `last`.  False if not (and said). */
bool verify_pointers(struct verify *v, const struct safetensors *s, const char *name, u64 last);
/* Floats are finite, or NaN where that is allowed. */
void verify_finite(struct verify *v, const struct safetensors *s, const char *name, bool allow_nan);

void verify_dictionary(struct verify *v, const struct safetensors *s);
void verify_vocab(struct verify *v, const struct safetensors *s);
void verify_labels(struct verify *v, const struct safetensors *s);
void verify_logits(struct verify *v, const struct safetensors *s);
void verify_graph(struct verify *v, const struct safetensors *s);
void verify_scores(struct verify *v, const struct safetensors *s);
void verify_map(struct verify *v, const struct safetensors *s);
void verify_judged(struct verify *v, const struct safetensors *s);
/* One segment; its shapes have been checked by opening it as a store. */
void verify_segment(struct verify *v, const struct safetensors *s);
/* Chosen contexts against the postings, over all segments. */
void verify_contexts(struct verify *v, const struct store *st);

#endif
