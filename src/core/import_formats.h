/* SPDX-License-Identifier: MIT */
/* import_formats.h - where each format keeps what; for import*.c only. */
#ifndef FEATLAS_IMPORT_FORMATS_H
#define FEATLAS_IMPORT_FORMATS_H

#include "core/import_read.h"
#include "io/jstream.h"

enum import_slot {
	/* records: objects that are told when they close */
	SLOT_CONTEXT, SLOT_TOP, SLOT_RANDOM, SLOT_INTERVAL, SLOT_QUANTILE, SLOT_FEATURE, SLOT_LABEL,
	SLOT_OWNER, /* nothing itself, but it says which feature the records in it are of */
	SLOT_GROUP, /* an array or object of contexts: the next quantile */
	SLOT_SKIPPED, /* a feature of which nothing is known */
	/* texts */
	SLOT_ID, SLOT_TEXT, SLOT_TYPE, SLOT_LABEL_MODEL, SLOT_AUTHOR,
	SLOT_MODEL, SLOT_SOURCE, SLOT_HOOK, SLOT_DATASET,
	/* numbers */
	SLOT_MAX, SLOT_DENSITY, SLOT_MEAN, SLOT_PROMPTS, SLOT_PER_PROMPT, SLOT_BIN_MIN, SLOT_BIN_CONTAINS,
	SLOT_SCORE,
	SLOT_INDEX,
	/* lists */
	SLOT_TOKEN, SLOT_VALUE, SLOT_PROMOTED, SLOT_SUPPRESSED, SLOT_PROMOTED_VALUE, SLOT_SUPPRESSED_VALUE,
	SLOT_BIN_VALUE, SLOT_HEIGHT, SLOT_NEAR_ID, SLOT_NEAR_SCORE, SLOT_VECTOR,
	SLOT_FIRST_TEXT = SLOT_ID, SLOT_FIRST_NUMBER = SLOT_MAX
};

struct import_table {
	enum import_format format;
	const char *source; /* of labels, where the record does not say */
	const struct jstream_path *paths;
	size_t n;
};
extern const struct import_table import_tables[IMPORT_N_FORMATS];

#endif
