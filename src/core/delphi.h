/* SPDX-License-Identifier: MIT */
/* delphi.h - EleutherAI Delphi's latent caches and explanations.
 *
 * A cache is a folder with START_END.safetensors (bounds inclusive) for ranges of latents, or one
 * MODULE.safetensors for all: locations [n, 3] (row, position, latent less START), activations [n], tokens
 * [rows, context].  A run's folder has latents/MODULE, explanations/ and scores/METHOD/ with a file
 * MODULE_latentN.txt each.  Source: delphi/latents/cache.py, delphi/__main__.py, delphi/log/result_analysis.py.
 *
 * Every activation that the cache holds goes into the store, so its coverage is full; those below 0 are left
 * out.  No token is masked: the cache does not say which were special.
 */
#ifndef FEATLAS_DELPHI_H
#define FEATLAS_DELPHI_H

#include "base/pool.h"
#include "base/progress.h"
#include "core/index.h"
#include "core/labels.h"

struct delphi;

/* Whether a folder is a cache, or a run with caches in it. */
bool delphi_is(const char *folder);
/* module: which of a run's, NULL where there is only one.  Reads headers. */
struct delphi *delphi_open(const char *folder, const char *module, struct err *e);
void delphi_free(struct delphi *d); /* NULL is fine */
const char *delphi_module(const struct delphi *d);
const char *delphi_model(const struct delphi *d);   /* of config.json, or "" */
const char *delphi_dataset(const struct delphi *d); /* or "" */
u32 delphi_n_features(const struct delphi *d);      /* the last range's end and one */
u64 delphi_n_tokens(const struct delphi *d);
/* The segment, written to path.  n_features: at least delphi_n_features.  *n_negative gets what was left out. */
int delphi_store(struct delphi *d, const char *path, u32 n_features, const struct index_options *o, struct pool *pool,
		 struct progress *progress, struct index_report *report, u64 *n_negative, struct err *e);

/* The explanations of a folder, of one module or (NULL) all, with the class-balanced accuracy of the detection
 * scores, else the fuzzing scores, where ../scores has them.  Items are owned by the list. */
struct delphi_labels {
	struct label *items;
	u64 n;
};
int delphi_labels_read(const char *explanations, const char *module, struct delphi_labels *out, struct err *e);
void delphi_labels_release(struct delphi_labels *l);
struct delphi_options {
	const char *name, *model, *hook; /* NULL: as the cache says; hook also says which of a run's modules */
	u32 n_features;                  /* 0: as many as the cache has */
};
struct delphi_report {
	struct index_report store;
	u32 n_features;
	u64 n_labels, n_negative;
};
/* An atlas of a cache or run: a stand-in for the dictionary, the store, the explanations; atlas.json last.
 * out must not hold an atlas. */
int delphi_atlas(const char *source, const char *out, const struct delphi_options *o, struct pool *pool,
		 struct progress *progress, struct delphi_report *report, struct err *e);
/* The folder of explanations that belongs to a run, owned, or NULL. */
char *delphi_explanations(const struct delphi *d);

#endif
