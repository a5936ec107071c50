/* SPDX-License-Identifier: MIT */
/* labels.h - the immutable base of imported and automatic labels, mapped. */
#ifndef FEATLAS_LABELS_H
#define FEATLAS_LABELS_H

#include "base/err.h"
#include "base/pages.h"

#include <string.h>

enum label_kind { LABEL_LEXICAL, LABEL_MACHINE, LABEL_PERSON, N_LABEL_KINDS }; /* rising precedence */
extern const char *const label_kind_words[N_LABEL_KINDS]; /* "lexical" ... */

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
/* Do they lie in memory, with their texts? (pages.h) */
bool labels_there(const struct labels *l, u32 feature, struct pages *w);
u32 labels_feature(const struct labels *l, u64 i);

/* The mapped columns themselves, for the search: label i is bytes[offset(i)..offset(i + 1)).  Offsets
 * never exceed the bytes, features never n_features - 1; but in a damaged file an offset may
 * exceed the next one (no text then), and the text may be any bytes. */
struct labels_raw {
	struct span bytes;
	const u8 *offset, *feature; /* u64 [n + 1] and u32 [n], little-endian, unaligned */
	u64 n;
	u32 n_features;
};
struct labels_raw labels_raw(const struct labels *l);
static inline u64 labels_raw_offset(const struct labels_raw *l, u64 i)
{
	u64 v;
	memcpy(&v, l->offset + i * 8, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return MIN(v, l->bytes.n);
}
static inline u32 labels_raw_feature(const struct labels_raw *l, u64 i)
{
	u32 v;
	memcpy(&v, l->feature + i * 4, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	return v < l->n_features ? v : l->n_features ? l->n_features - 1 : 0;
}

struct label_source { const char *name; enum label_kind kind; const char *model, *author; };
/* Items sorted by feature here; newlines in texts become spaces. */
int labels_write(const char *path, const struct label *items, u64 n, const char *uuid, const char *build_id,
		 struct err *e);

#endif
