/* SPDX-License-Identifier: MIT */
/* prune.h - the form of an atlas that ships: chosen contexts only.
 *
 * Tokens, statistics, histograms and contexts stay; activations are kept within so many
 * tokens of a chosen context, in its text, and coverage becomes examples.
 */
#ifndef FEATLAS_PRUNE_H
#define FEATLAS_PRUNE_H

#include "base/progress.h"
#include "core/store.h"

enum { PRUNE_WINDOW = 16 };

/* Writes one segment with what is near the contexts of s; n_activations (may be NULL) gets how
 * many stay. */
int prune_store(const struct store *s, u32 n_features, u32 window, const char *path, const char *uuid,
		const char *build_id, struct progress *progress, u64 *n_activations, struct err *e);

/* Copies a safetensors file with its metadata and another build id, matrices of f32 as f16; values
 * beyond f16's range are refused. */
int prune_weights(const char *from, const char *to, const char *build_id, struct err *e);
int prune_copy(const char *from, const char *to, struct err *e);

#endif
