/* SPDX-License-Identifier: MIT */
/* judged.h - evidence.safetensors: what machines made of labels, by method (evidence.h).
 *
 * A judgement is of a text that was a label when it was judged: one that has been rewritten since keeps
 * none.  Several methods and models may judge one label.  What a person judged is in labels.db (note.h).
 * Reading is of mapped memory, thread-safe.
 */
#ifndef FEATLAS_JUDGED_H
#define FEATLAS_JUDGED_H

#include "core/evidence.h"
#include "io/safetensors.h"

/* How labels were judged.  name: "detection", "fuzzing", "lexical" or "topic". */
struct judged_method {
	const char *name, *model; /* model "" for none */
	struct evidence_ask ask;
};

struct judgement {
	u32 feature;
	struct span label; /* UTF-8 without newlines, unless the file is damaged */
	struct judged_method method;
	struct evidence_score score;
};

struct judged;

/* Checks shapes, offsets and the methods; counts are checked as they are read.  Borrows the file. */
struct judged *judged_open(const struct safetensors *file, struct err *e);
void judged_free(struct judged *j); /* NULL is fine */
u64 judged_count(const struct judged *j);
void judged_at(const struct judged *j, u64 i, struct judgement *out);
/* [*first, *first + returned) are the feature's; O(log n). */
u64 judged_of(const struct judged *j, u32 feature, u64 *first);
/* The one that counts for a feature: by detection, else fuzzing, lexical, topic words; of these the one with the
 * highest balanced accuracy.  label NULL: of any label.  False if there is none. */
bool judged_best(const struct judged *j, u32 feature, const struct span *label, struct judgement *out, f32 *balanced);

bool judged_same_method(const struct judged_method *a, const struct judged_method *b);
/* Items in any order; of those of one feature, label and method the last counts. */
int judged_write(const char *path, const struct judgement *items, u64 n, const char *uuid, const char *build_id,
		 struct err *e);
/* A sentence about what is wrong with judgement i, or NULL. */
const char *judged_fault(const struct judged *j, u64 i);

#endif
