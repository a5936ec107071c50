/* SPDX-License-Identifier: MIT */
/* import_load.h - committed batches, feature by feature; for import*.c only. */
#ifndef FEATLAS_IMPORT_LOAD_H
#define FEATLAS_IMPORT_LOAD_H

#include "core/import_impl.h"
#include "core/labels.h"

struct loaded_context {
	u64 id;
	enum context_kind kind;
	f32 bin, peak; /* peak: its largest activation, 0 if none */
	u8 interval;
	u32 at;        /* where that stands */
	u32 n, n_act;
	const u8 *tokens, *act; /* u16 or u32 ids of the part; pairs of u32 place and f32; unaligned */
	bool narrow;
	const struct import_part *part;
	u64 order;
};

struct loaded_label {
	u64 id;
	struct label label;
};

struct loaded { /* all of one feature, what repeats left out; lives until the next load */
	struct loaded_context *contexts;
	size_t n_contexts, cap_contexts;
	struct loaded_label *labels;
	size_t n_labels, cap_labels;
	const u8 *numbers; /* the last feature record, or NULL */
	size_t n_numbers;
	const struct import_part *numbers_part;
	u64 n_repeated;
};

struct loader;

/* Opens parts 0 to n - 1 and learns their tokens. */
struct loader *loader_new(const struct import *im, u32 n_parts, struct err *e);
void loader_free(struct loader *l);
const struct intern *loader_tokens(const struct loader *l);
const struct import_part *loader_part(const struct loader *l, u32 i);
u32 loader_n_features(const struct loader *l); /* the largest index and one */
int loader_feature(struct loader *l, u32 feature, struct loaded *out, struct err *e); /* in any order */
void loaded_release(struct loaded *x);

/* Token i of a context, over all; UINT32_MAX where the batch is damaged. */
u32 loaded_token(const struct loaded_context *c, u32 i);
u32 import_part_token(const struct import_part *p, u32 id);

/* Reading records: what is beyond the end is 0, and bad is set. */
struct cursor {
	const u8 *p, *end;
	bool bad;
};
u32 cursor_u32(struct cursor *c);
u64 cursor_u64(struct cursor *c);
f32 cursor_f32(struct cursor *c);
const u8 *cursor_bytes(struct cursor *c, u64 n);

#endif
