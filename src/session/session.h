/* SPDX-License-Identifier: MIT */
/* session.h - what is open: an atlas, what people did to it, a backend, one thread pool.
 *
 * The meeting place of core and backend for commands and screens alike; knows no screens.
 * The main thread owns it.
 */
#ifndef FEATLAS_SESSION_H
#define FEATLAS_SESSION_H

#include "backend/backend.h"
#include "core/atlas.h"
#include "core/labels.h"
#include "core/note.h"
#include "core/search.h"
#include "core/vocab.h"

struct session {
	struct atlas *atlas;
	struct note *note;
	struct pool *pool;
	struct backend *backend; /* NULL until session_backend */
	char *backend_spec;      /* or NULL for the default */
	struct session_labels *labels; /* what people wrote, by feature; private */
	json_t *ranges; /* of runs.jsonl, for dose_find; private */
};

struct session *session_open(const char *folder, const char *backend_spec, struct err *e);
/* o: what a person says of a dictionary without an atlas, or NULL. */
struct session *session_open_with(const char *folder, const struct dict_options *o, const char *backend_spec, struct err *e);
void session_free(struct session *s); /* NULL is fine */
struct backend *session_backend(struct session *s, struct err *e); /* made on first use */

/* The label to show: the latest by a person, else the best-scored machine's, else the lexical;
 * false if none, or if a person rejected it.  out->text is borrowed until the next edit. */
bool session_label(struct session *s, u32 feature, struct label *out);
/* The shown label as an owned string made safe for a terminal, "" if none. */
char *session_label_text(struct session *s, u32 feature);
/* Every label a feature has, the shown one first; calls fn for each.  Of rejected features
 * this gives what was rejected. */
void session_each_label(struct session *s, u32 feature, void (*fn)(void *, const struct label *), void *context);
/* What people wrote, ids ascending, for search_labels: *hidden (or NULL) gets the bit set of
 * rejected features, NULL if there are none.  Both borrowed until the next edit. */
const struct label *session_people(struct session *s, size_t *n, const u64 **hidden);
/* The same as copies, for a worker that reads while a person edits. */
struct session_people {
	struct label *items;
	size_t n;
	u64 *hidden;  /* NULL: none */
	u64 revision; /* copies of one revision are equal */
};
void session_people_copy(struct session *s, struct session_people *out);
void session_people_release(struct session_people *p);
bool session_is_rejected(struct session *s, u32 feature);

/* "[NAME#]N" or "#N"; checked against n_features. */
int session_parse_id(const struct session *s, const char *text, u32 *id, struct err *e);
/* Appends a token's text as it is shown: leading space kept, safe for a terminal. */
void session_add_token(const struct session *s, struct buf *out, u32 token);

#endif
