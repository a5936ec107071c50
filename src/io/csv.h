/* SPDX-License-Identifier: MIT */
/* csv.h - rows of comma-separated values (RFC 4180) or of tab-separated ones.
 *
 * Comma: a field that begins with a double quote ends with one, doubles those inside it, and may hold commas
 * and line ends; elsewhere a quote is refused.  Tab: fields are as they stand, without tabs or line ends.
 * Lines end with LF or CRLF, the last one perhaps with the file.  A byte order mark at the start is passed
 * over, and so are empty lines.  Borrowed text, one thread a reader.
 */
#ifndef FEATLAS_CSV_H
#define FEATLAS_CSV_H

#include "base/buf.h"
#include "base/err.h"

enum { CSV_MAX_FIELDS = 64 };

struct csv {
	struct span text;
	size_t at;
	char separator; /* ',' or '\t' */
	const char *what; /* for sentences: "'labels.csv'" */
	u64 line;         /* of the row that was given last, from 1 */
	u64 next_line;
	struct buf bytes; /* of the row's fields */
	struct span field[CSV_MAX_FIELDS];
	size_t n_fields;
};

void csv_init(struct csv *c, struct span text, char separator, const char *what);
void csv_release(struct csv *c);
/* 1 and the row's fields, valid until the next call; 0 at the end; -1 and a sentence with the line. */
int csv_next(struct csv *c, struct err *e);

#endif
