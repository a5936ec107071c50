/* SPDX-License-Identifier: MIT */
/* labels.h - the immutable base of imported and automatic labels, mapped. */
#ifndef FEATLAS_LABELS_H
#define FEATLAS_LABELS_H

#include "base/err.h"

enum label_kind { LABEL_LEXICAL, LABEL_MACHINE, LABEL_PERSON }; /* rising precedence */

struct label {
	struct span text;   /* UTF-8 without newlines, unless the file is damaged */
	u32 feature;
	enum label_kind kind;
	const char *source; /* "lexical", "featlas authors" */
	f32 score;          /* NaN if none */
	const char *model, *author; /* who wrote it, as far as the source says; "" or NULL if it does not */
};

struct labels;

struct labels *labels_open(const char *path, u32 n_features, struct err *e);
void labels_free(struct labels *l);
u64 labels_count(const struct labels *l);
void labels_at(const struct labels *l, u64 i, struct label *out);
/* [*first, *first + returned) are the feature's labels; O(log n). */
u64 labels_of(const struct labels *l, u32 feature, u64 *first);
/* The blob and offsets themselves, for the search: label i is blob[offset(i)..offset(i+1)).
 * Offsets never exceed the blob, features never n_features - 1; but in a damaged file an offset
 * may exceed the next one (no text then), and the text may be any bytes. */
struct span labels_blob(const struct labels *l);
u64 labels_offset(const struct labels *l, u64 i);
u32 labels_feature(const struct labels *l, u64 i);

struct label_source { const char *name; enum label_kind kind; const char *model, *author; };
/* Items sorted by feature here; newlines in texts become spaces. */
int labels_write(const char *path, const struct label *items, u64 n, const char *uuid, const char *build_id,
		 struct err *e);

#endif
