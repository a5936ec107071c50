/* SPDX-License-Identifier: MIT */
/* note.h - labels.db: what people did.  The only user of SQLite.
 *
 * Made at the first edit, beside the atlas if that is writable and local, else in
 * $XDG_DATA_HOME/featlas/UUID.db.  Every edit is one transaction in an append-only log and
 * is on disk when the call returns; undo and redo move along the log, across sessions.
 * One thread (the UI's or the command's).
 */
#ifndef FEATLAS_NOTE_H
#define FEATLAS_NOTE_H

#include "base/err.h"

struct note;

/* Opens lazily: a missing database is an empty one until the first edit. */
struct note *note_open(const char *atlas_folder, const char *uuid, struct err *e);
void note_free(struct note *n);
const char *note_path(const struct note *n);  /* where it is or would be */
bool note_exists(const struct note *n);
const char *note_read_only(const struct note *n); /* why edits are refused, or NULL */

/* The person's current label, owned copy, or NULL.  An empty label means: rejected. */
char *note_label(struct note *n, u32 feature);
int note_set_label(struct note *n, u32 feature, const char *text, struct err *e);
int note_set_rating(struct note *n, u32 feature, int rating /* 0 clears, 1-5 */, struct err *e);
int note_rating(struct note *n, u32 feature);
int note_set_note(struct note *n, u32 feature, const char *text, struct err *e);
char *note_note(struct note *n, u32 feature);
int note_toggle_tag(struct note *n, u32 feature, const char *tag, bool *now, struct err *e);
char *note_tags(struct note *n, u32 feature); /* "tour places", owned, or NULL */
int note_set_bookmark(struct note *n, char letter, u32 feature, struct err *e);
bool note_bookmark(struct note *n, char letter, u32 *feature);
/* All features that have a person's label: calls fn in id order. */
int note_each_label(struct note *n, void (*fn)(void *, u32 feature, const char *text, i64 when), void *context,
		    struct err *e);
/* The count of edits so far: callers cache by it. */
u64 note_revision(const struct note *n);

/* Takes back the newest edit that is not undone; *said is an owned sentence ("took back the
 * label of #12").  ERR_NOT_FOUND when there is nothing. */
int note_undo(struct note *n, char **said, struct err *e);
int note_redo(struct note *n, char **said, struct err *e);

/* Steering runs by hash of their parameters. */
int note_keep_run(struct note *n, const char *hash, const char *json, struct err *e);
char *note_run(struct note *n, const char *hash); /* owned, or NULL */

#endif
