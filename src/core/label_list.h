/* SPDX-License-Identifier: MIT */
/* label_list.h - labels as they are gathered, before they are written as a base.
 *
 * The list owns copies of all texts.  Labels of the same feature, kind, source, model, author and text are
 * one label: the last one's score counts.  What people did is in labels.db and not touched by any of this.
 */
#ifndef FEATLAS_LABEL_LIST_H
#define FEATLAS_LABEL_LIST_H

#include "core/labels.h"

struct label_list;

struct label_list *label_list_new(void);
void label_list_free(struct label_list *l); /* NULL is fine */
void label_list_add(struct label_list *l, const struct label *x);
void label_list_add_base(struct label_list *l, const struct labels *base /* or NULL */);
/* Leaves out what is there twice; in order of features, each feature's as they were added. */
void label_list_settle(struct label_list *l);
/* Borrowed until the next add. */
const struct label *label_list_items(const struct label_list *l, u64 *n);

struct label_reading {
	u32 n_features;     /* a feature beyond is refused */
	u32 layer;          /* of an attribution graph's nodes these are taken */
	const char *source; /* where the file names none */
	u64 n_read, n_passed; /* labels taken; nodes of a graph that are of other layers or have no label */
};
/* Adds a file's labels.  Which it is is seen in it: JSON lines, tab-separated or comma-separated values, or
 * an attribution graph of circuit-tracer; featlas-formats(7) has the columns.  A file with a fault adds
 * nothing that would be written: the caller drops the list. */
int label_list_read(struct label_list *l, const char *path, struct label_reading *r, struct err *e);

#endif
