/* SPDX-License-Identifier: MIT */
/* label_lines.h - labels as lines that others read: tab-separated, comma-separated (RFC 4180), JSON. */
#ifndef FEATLAS_LABEL_LINES_H
#define FEATLAS_LABEL_LINES_H

#include "base/buf.h"
#include "core/labels.h"

enum label_lines { LABEL_TSV, LABEL_CSV, LABEL_JSONL };

/* "tsv", "csv" or "jsonl": 0, or -1 and what there is. */
int label_lines_find(const char *name, enum label_lines *form, struct err *e);
/* Appends the line of l->feature.  safe: what must not reach a terminal has stand-ins; else the text is
 * valid UTF-8 on one line. */
void label_lines_add(struct buf *out, enum label_lines form, const struct label *l, bool safe);

#endif
