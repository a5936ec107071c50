/* SPDX-License-Identifier: MIT */
/* import_impl.h - the files between reading and merging; for import*.c only.
 *
 * A batch's file is records, one after the other as they came, then the strings of tokens that are new
 * here, then the runs, then a JSON text about it all, then struct import_tail.  It is private to one
 * import on one machine, yet nothing in it is believed unchecked.
 */
#ifndef FEATLAS_IMPORT_IMPL_H
#define FEATLAS_IMPORT_IMPL_H

#include "core/import.h"
#include "core/intern.h"

struct import {
	char *out, *folder; /* OUT and OUT.part */
	int lock;
	struct intern *base; /* tokens of batch 0, once shared */
};

enum import_record { IMPORT_CONTEXT, IMPORT_FEATURE, IMPORT_LABEL };

struct import_head { /* before each record */
	u32 bytes;       /* of what follows */
	u32 feature;
	u8 record, kind, narrow /* token ids in 16 bits */, zero;
};

struct import_run { /* records of one feature that lie side by side */
	u32 feature, bytes;
	u64 offset;
};

struct import_tail {
	char magic[8];
	u64 n_runs, runs, n_strings, n_base, strings, about, n_about; /* counts, and offsets from the start */
};
#define IMPORT_MAGIC "fimport1"

char *import_batch_path(const struct import *im, u32 number);

/* A committed batch, opened for merging. */
struct import_part {
	char *path;
	u64 size;
	struct import_tail tail;
	json_t *about;
	u32 *ids; /* [tail.n_strings] of the strings that are new in it, over all */
};
int import_part_open(struct import_part *p, const char *path, struct err *e);
void import_part_release(struct import_part *p);
int import_part_read(const struct import_part *p, int fd, u64 offset, void *out, size_t n, struct err *e);
/* Adds the strings to t, and their numbers there to p->ids. */
int import_part_strings(struct import_part *p, struct intern *t, struct err *e);

#endif
