/* SPDX-License-Identifier: MIT */
/* note_file.h - the file of labels.db: its schema, its statements, opening it with care.  For note.c, note_edit.c and
 * note_check.c alone.
 */
#ifndef FEATLAS_NOTE_FILE_H
#define FEATLAS_NOTE_FILE_H

#include "core/db.h"
#include "core/note.h"

enum note_statement {
	GET, SET, UNSET, EACH, TAGS, REVISION, APPEND, PUSH, FORGET, NEWEST_DONE, OLDEST_UNDONE, MARK, ENTRY,
	KEEP_RUN, GET_RUN, EACH_RUN, OWNER, OWN, N_STATEMENTS,
};

struct note {
	char *path, *uuid;
	struct db *db;  /* closed until there is a file */
	char *why;      /* edits are refused */
	bool broken;    /* not even read */
	bool changed;   /* by an edit, since one asked */
	u64 revision;   /* what is known of it when the database cannot be asked */
};

/* For reading what lies there.  What is wrong with it is kept as the reason, not lost on the
 * first reader: -1 only says that there is nothing to read. */
int note_attach(struct note *n);
/* For writing: makes the file if there is none. */
int note_attach_to_write(struct note *n, struct err *e);
/* Turns the database's state into an error, and into a refusal of further edits where the file itself
 * is at fault.  Always -1. */
int note_fail(struct note *n, struct err *e);

/* Statements without parameters, that give nothing. */
int note_sql(struct note *n, const char *text, struct err *e);
/* Runs a statement that gives nothing; q may be NULL, which is a failure. */
int note_finish(struct note *n, struct statement *q, struct err *e);
/* kind, feature and name (unless NULL) as parameters at, at + 1, at + 2. */
void note_bind_key(struct statement *q, int at, int kind, i64 feature, const char *name);
/* Text of a value; the file may hold anything, so it is made valid and, but for notes, one line.  Owned. */
char *note_clean(const char *s, size_t len, bool one_line);
char *note_column(struct statement *q, int column, bool one_line); /* cleaned, or NULL */
/* Owned text of a value and when it was set, or NULL. */
char *note_get(struct note *n, enum note_kind kind, i64 feature, const char *name, i64 *when);

#endif
