/* SPDX-License-Identifier: MIT */
/* jstream.h - JSON as it streams by: the values at chosen paths of a file, plain or gzipped.
 *
 * A file holds one JSON value or several after each other (JSON lines).  The reader names the paths it
 * wants; everything else is checked as JSON and passed over.  Memory is constant in the size of the file:
 * at most one string and one chunk are held.  Parsing is YAJL's, which only jstream.c includes.
 *
 * What is refused, with file, line and reason: text that is not JSON (NaN and Infinity are not), bytes that
 * are not UTF-8, a file that ends inside a value, nesting deeper than JSTREAM_DEPTH, more than JSTREAM_LIMIT
 * bytes without a value (so no longer string), and a wanted member that stands twice in one object.
 * \u0000 is legal: strings are bytes with a length.  The escape of half a surrogate pair becomes '?'.
 * One thread a stream.
 */
#ifndef FEATLAS_JSTREAM_H
#define FEATLAS_JSTREAM_H

#include "base/err.h"
#include "base/progress.h"

enum { JSTREAM_DEPTH = 64, JSTREAM_LIMIT = 16 << 20, JSTREAM_MAX_PATHS = 64 };

enum jstream_kind { JSTREAM_NULL, JSTREAM_BOOL, JSTREAM_NUMBER, JSTREAM_STRING, JSTREAM_OPEN, JSTREAM_CLOSE };

struct jstream_event {
	enum jstream_kind kind;
	int id;         /* of the path */
	bool is_array;  /* JSTREAM_OPEN and _CLOSE: of an array, not an object */
	bool truth;     /* JSTREAM_BOOL */
	const char *s;  /* the string's bytes, or the number as it is written; not terminated */
	size_t n;
};

/* "" is each value at the top, ".key" a member of an object, "[]" each item of an array:
 * "", ".tokens[]", ".features[].activations[].values[]".  The path of an object or array gets OPEN and
 * CLOSE.  Ids are at least 0. */
struct jstream_path {
	const char *path;
	int id;
};

/* Gives each event in order to on, which returns 0, or -1 and a sentence that names the field: file and
 * line are put before it.  progress (may be NULL) is added the file's bytes as they are read, and
 * cancels. */
int jstream_file(const char *file, const struct jstream_path *paths, size_t n_paths,
		 int (*on)(void *context, const struct jstream_event *v, struct err *e), void *context,
		 struct progress *progress, struct err *e);

/* An event's value as a number; what: its name in the sentence ("'index' is no whole number from 0 to 9").
 * Whole numbers may be written as strings, as databases do; they are read exactly. */
int jstream_u64(const struct jstream_event *v, const char *what, u64 max, u64 *out, struct err *e);
/* Rounded to nearest; finite.  The locale does not matter. */
int jstream_f64(const struct jstream_event *v, const char *what, f64 *out, struct err *e);

#endif
