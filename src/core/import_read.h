/* SPDX-License-Identifier: MIT */
/* import_read.h - dashboards and labels in the formats that others write.
 *
 * Which format a source has is seen in its folders and in the first keys of its files, never asked.  Every
 * format is a table of paths; featlas-formats(7) says what is taken of each.
 */
#ifndef FEATLAS_IMPORT_READ_H
#define FEATLAS_IMPORT_READ_H

#include "base/pool.h"
#include "core/import.h"

enum import_format {
	IMPORT_NP_ACTIVATIONS,  /* Neuronpedia's bulk export: activations/batch-N.jsonl[.gz] */
	IMPORT_NP_FEATURES,     /* features/ */
	IMPORT_NP_EXPLANATIONS, /* explanations/ */
	IMPORT_NP_SOURCE,       /* source.jsonl: what the export says of itself */
	IMPORT_DASHBOARD,       /* SAEDashboard's batch-N.json */
	IMPORT_SKIPPED,         /* its skipped_indexes.json */
	IMPORT_NEURON,          /* a NeuronRecord of OpenAI's neuron explainer */
	IMPORT_NEURON_LABELS,   /* its scored explanations */
	IMPORT_VIEWER,          /* a feature of OpenAI's SAE viewer: the id is the file's name */
	IMPORT_CIRCUIT,         /* a feature of circuit-tracer */
	IMPORT_N_FORMATS
};

struct import_file {
	char *path;
	enum import_format format;
	u64 bytes;
	i64 time; /* of its last change, nanoseconds */
};

struct import_plan {
	const char *name; /* "Neuronpedia export" */
	struct import_file *files;
	u32 n_files, cap_files;
	u32 *first; /* [n_batches + 1]: a batch is the files from first[i] on, small ones together */
	u32 n_batches;
};

/* What folders or files hold.  Numbered files come in the order of their numbers, whatever the locale. */
int import_plan_make(struct import_plan *p, const char *const *sources, size_t n, struct err *e);
void import_plan_release(struct import_plan *p);
/* The key of import_new, a new reference. */
json_t *import_plan_key(const struct import_plan *p);
/* The format of one file, or -1 and a sentence. */
int import_look(const char *path, struct err *e);

/* Reads every batch that is not there yet, several at once on the pool's threads (NULL: one); progress
 * counts bytes of files and cancels. */
int import_read(struct import *im, const struct import_plan *p, struct pool *pool, struct progress *progress,
		struct err *e);

#endif
