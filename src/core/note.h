/* SPDX-License-Identifier: MIT */
/* note.h - labels.db: what people did.
 *
 * Made at the first edit, beside the atlas if that is writable and local, else in
 * $XDG_DATA_HOME/featlas/UUID.db.  Every edit is one transaction: it changes a value,
 * appends to a log that is never rewritten, and is on disk when the call returns.  Undo and
 * redo move along the log, across sessions, and are themselves appended to it.  A database
 * that is damaged, foreign or not writable is left as it is: the atlas opens without it or
 * for reading, and note_read_only says why.  Several programs may edit at once.
 * One thread (the UI's or the command's).
 */
#ifndef FEATLAS_NOTE_H
#define FEATLAS_NOTE_H

#include "base/err.h"

struct note;

/* Opens lazily: a missing database is an empty one until the first edit.  A folder of "" leaves
 * $XDG_DATA_HOME. */
struct note *note_open(const char *atlas_folder, const char *uuid, struct err *e);
void note_free(struct note *n); /* NULL is fine */
const char *note_path(const struct note *n);  /* where it is or would be */
bool note_exists(const struct note *n);
const char *note_read_only(const struct note *n); /* why edits are refused, or NULL */

/* The person's current label, owned copy, or NULL.  An empty label means: rejected. */
char *note_label(struct note *n, u32 feature);
/* Text is cleaned (valid UTF-8, one line, no blanks at the ends) and kept up to NOTE_MAX_LABEL
 * bytes, longer is refused; NULL takes the label away.  An edit that changes nothing is not
 * logged.  When it was set, in seconds since 1970, is kept with each value. */
enum { NOTE_MAX_LABEL = 4096, NOTE_MAX_NOTE = 65536, NOTE_MAX_TAG = 64, NOTE_MAX_RUN = 16 << 20 };
int note_set_label(struct note *n, u32 feature, const char *text, struct err *e);
int note_set_rating(struct note *n, u32 feature, int rating /* 0 clears, 1-5 */, struct err *e);
int note_rating(struct note *n, u32 feature); /* 0: none */
int note_set_note(struct note *n, u32 feature, const char *text, struct err *e); /* "" or NULL clears */
char *note_note(struct note *n, u32 feature); /* owned, may have newlines, or NULL */
char *note_clean_tag(const char *tag, struct err *e); /* as it is kept, owned; NULL where it is not one word */
/* A tag is one word.  Given to all of the features or taken from all, and undone, as one edit. */
int note_tag(struct note *n, const u32 *features, size_t count, const char *tag, bool on, struct err *e);
/* Takes it from all if all have it, else gives it to all; *now (or NULL): they have it. */
int note_toggle_tag(struct note *n, const u32 *features, size_t count, const char *tag, bool *now, struct err *e);
char *note_tags(struct note *n, u32 feature); /* "places tour", owned, or NULL */
/* A letter or a digit; UINT32_MAX takes it away. */
int note_set_bookmark(struct note *n, char letter, u32 feature, struct err *e);
bool note_bookmark(struct note *n, char letter, u32 *feature);

/* What a person's answers to a quiz came to, by method ("detection", "fuzzing"): one line of JSON
 * (session/quiz.h).  A new one takes the old one's place; the log keeps it. */
int note_set_quiz(struct note *n, u32 feature, const char *method, const char *json, struct err *e);
char *note_quiz(struct note *n, u32 feature, const char *method); /* owned, or NULL */

/* All that people set, by kind, then feature, then name: calls fn for each.  name is the tag,
 * the bookmark's letter or the quiz's method; text is the label, the note, the rating's digit, the quiz,
 * else "".  Text is valid UTF-8, and on one line unless it is a note.  fn may read notes, and walk them too. */
enum note_kind { NOTE_LABEL, NOTE_RATING, NOTE_NOTE, NOTE_TAG, NOTE_BOOKMARK, NOTE_QUIZ, NOTE_KINDS };
typedef void (*note_fn)(void *context, u32 feature, const char *name, const char *text, i64 when);
int note_each(struct note *n, enum note_kind kind, note_fn fn, void *context, struct err *e);
/* All features that have a person's label: calls fn in id order. */
int note_each_label(struct note *n, void (*fn)(void *, u32 feature, const char *text, i64 when), void *context,
		    struct err *e);
/* Checks all of it: the database's own check, that values make sense and are of features below
 * n_features, that what can be undone stands in the log.  Calls say(context, sentence) for each fault; no
 * database is no fault.  -1 only if it cannot be read at all, which is said too. */
int note_verify(struct note *n, u32 n_features, void (*say)(void *, const char *), void *context);
/* Grows with every edit, other programs' included: callers cache by it. */
u64 note_revision(struct note *n);
/* Whether an edit made through n changed something since this was asked last: what is set to what it was
 * is no edit, and undo would take back another. */
bool note_has_changed(struct note *n);

/* Takes back the newest edit that is not undone, with those made at once with it; *said (or NULL) is an owned
 * sentence ("took back the label of #12"), *feature (or NULL) whose it was, UINT32_MAX if of several.
 * ERR_NOT_FOUND when there is nothing.  A new edit forgets what could be redone; the log keeps it. */
int note_undo(struct note *n, char **said, u32 *feature, struct err *e);
int note_redo(struct note *n, char **said, u32 *feature, struct err *e);

/* Steering runs by hash of their parameters; outside undo, the latest kept. */
int note_keep_run(struct note *n, const char *hash, const char *json, struct err *e);
char *note_run(struct note *n, const char *hash); /* owned, or NULL */
/* Every kept run, the latest first; when: seconds since 1970. */
int note_each_run(struct note *n, void (*fn)(void *, const char *hash, const char *json, i64 when), void *context,
		  struct err *e);

#endif
