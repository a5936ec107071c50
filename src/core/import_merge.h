/* SPDX-License-Identifier: MIT */
/* import_merge.h - what batches say of a feature, into columns; for import*.c only. */
#ifndef FEATLAS_IMPORT_MERGE_H
#define FEATLAS_IMPORT_MERGE_H

#include "core/import_load.h"
#include "core/label_list.h"
#include "io/safetensors.h"

#include <stdio.h>

/* A tensor as it grows, feature by feature, in a scratch file. */
enum column {
	TEXT_PTR, FEATURE_PTR, COUNT, HIST_COUNT, CTX_PTR, ACT_POS, SCALE, DENSITY, LARGEST, MEAN, HIST_EDGE,
	CTX_POS, CTX_VAL, ACT_VAL, CTX_KIND, CTX_INTERVAL,
	PROMOTED, PROMOTED_VALUE, SUPPRESSED, SUPPRESSED_VALUE, NEAR, NEAR_SCORE, W_DEC,
	N_COLUMNS
};

struct import_column {
	const char *name;
	enum dtype dtype;
	bool is_table; /* [F][*] */
};
extern const struct import_column import_columns[N_COLUMNS];

struct merge {
	const struct import *im;
	const struct import_options *o;
	struct loader *l;
	struct progress *progress;
	struct import_report *report;
	FILE *column[N_COLUMNS];
	u32 n_features, bins, n_promoted, n_suppressed, n_near, width;
	u64 n_texts, n_counted, n_numbers;
	struct label_list *labels;
	struct loaded x;
	json_t *json;
};

/* Opens the columns and takes up every feature: its contexts, statistics and tables; labels wait
 * in m->labels. */
int import_merge(struct merge *m, struct err *e);

#endif
