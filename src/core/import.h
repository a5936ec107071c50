/* SPDX-License-Identifier: MIT */
/* import.h - what was measured and written elsewhere becomes an atlas.
 *
 * Readers of foreign formats give contexts, numbers and labels of features, in any order, batch by batch
 * (a batch is a file of the source, by custom).  Each batch becomes one file in OUT.part, which appears
 * whole or not at all: an import that was killed goes on with the first batch that is not there, and what
 * comes out is the same, but for uuid, build id and so the checksums in atlas.json.  import_finish merges
 * the batches by feature and writes the atlas, atlas.json last.
 *
 * Memory does not grow with the texts: a run of one feature's records in a batch takes 24 bytes, labels
 * stand in memory while they are written.  Several threads may each fill a batch of their own, once
 * import_share has been called after the first batch; numbers do not depend on which thread is first.
 *
 * The store's coverage is examples.  Texts stand in the order of their contexts: by feature; top by
 * activation, then intervals from the highest, then random.  Only f > 0 is kept of activations, as
 * everywhere in a store.
 */
#ifndef FEATLAS_IMPORT_H
#define FEATLAS_IMPORT_H

#include "base/json.h"
#include "base/progress.h"
#include "core/atlas.h"
#include "core/labels.h"
#include "core/store.h"

enum {
	IMPORT_MAX_FEATURES = 1 << 22,
	IMPORT_MAX_TOKENS = 1 << 20,   /* of one text */
	IMPORT_MAX_FEATURE = 64 << 20, /* bytes of one feature's records */
	IMPORT_MAX_LIST = 1 << 16      /* bins, tokens, neighbours, width of a vector */
};

struct import;
struct import_batch;

/* out: the folder of the atlas to be, which must not hold one.  key: the source and all that shapes the
 * outcome, not taken; an OUT.part made for another key is refused, as is one that is in use. */
struct import *import_new(const char *out, const json_t *key, struct err *e);
void import_free(struct import *im); /* leaves OUT.part, so that the import can go on; NULL is fine */
bool import_has(const struct import *im, u32 batch); /* committed, by this run or one before */
/* Makes the tokens of batch 0, which must have been committed, common to all the others. */
int import_share(struct import *im, struct err *e);

/* Batches are numbered from 0 without a gap. */
struct import_batch *import_batch_new(struct import *im, u32 number, struct err *e);
int import_batch_commit(struct import_batch *b, struct err *e); /* frees b, also on failure */
void import_batch_abandon(struct import_batch *b);              /* frees b; NULL is fine */

/* A feature that is not known yet: records with it are held, at most IMPORT_MAX_FEATURE bytes, until
 * import_settle says which it is. */
#define IMPORT_LATER UINT32_MAX
int import_settle(struct import_batch *b, u32 feature, struct err *e);

/* The number of a token's text in this batch; -1 and a sentence.  Any bytes, \0 among them. */
i64 import_token(struct import_batch *b, const char *s, size_t n, struct err *e);

/* One text and where the feature fires in it. */
struct import_context {
	u32 feature;
	enum context_kind kind;
	f32 bin; /* CONTEXT_INTERVAL: what tells the intervals of a feature apart, higher for stronger */
	const u32 *tokens; /* [n], n > 0, of import_token */
	const f32 *act;    /* [n] */
	size_t n;
	struct span id;    /* the source's own name of the record, or empty; of equals the last counts */
};
int import_context(struct import_batch *b, const struct import_context *c, struct err *e);

/* What is known of a feature as a whole; of several the last counts. */
struct import_feature {
	u32 feature;
	f32 max, density, mean; /* NaN: not known; max rises to what its contexts show */
	u64 n_tokens;           /* over so many they were counted; 0: not known */
	size_t n_bins;
	const f32 *edge;   /* [n_bins + 1], ascending */
	const f64 *height; /* [n_bins], rounded to whole counts */
	const struct atlas_token *promoted, *suppressed; /* in any order; tokens of import_token */
	size_t n_promoted, n_suppressed;
	const struct atlas_neighbour *near; /* itself among them or not */
	size_t n_near;
	const f32 *vector; /* its decoder row, or n_vector 0; the same width everywhere */
	size_t n_vector;
};
int import_feature(struct import_batch *b, const struct import_feature *f, struct err *e);

/* Text is any bytes; empty ones are passed over.  Strings are borrowed, "" where there is nothing. */
struct import_label {
	u32 feature;
	enum label_kind kind;
	struct span text, source, model, author, id;
	f32 score; /* NaN: none */
};
int import_label(struct import_batch *b, const struct import_label *l, struct err *e);

/* Where the records come from: what ("model", "source", "hook", "dataset") and its value.  A second value
 * for the same word is refused, in one batch or over all: an atlas is of one dictionary. */
int import_about(struct import_batch *b, const char *what, struct span value, struct err *e);

struct import_options {
	const char *name, *model, *hook; /* NULL: as the records say, the folder's name */
	u32 n_features;                  /* 0: the largest index and one */
	u32 d_model;                     /* 0: the width of vectors that come along */
	const char *dict; /* a dictionary elsewhere, named where it lies; NULL: a stand-in (DICT_NONE) */
	const struct dict_options *dict_options; /* for it, or NULL */
	json_t *details;                 /* goes with the parts, not taken; or NULL */
};
struct import_report {
	u32 n_features, n_vocab;
	u64 n_contexts, n_tokens, n_activations, n_labels;
	u64 n_repeated; /* records that a later one of the same id replaced */
	u64 n_negative; /* activations below zero, which a store does not hold */
};
/* All batches are there: writes the atlas and removes OUT.part. */
int import_finish(struct import *im, const struct import_options *o, struct progress *progress,
		  struct import_report *report, struct err *e);

#endif
