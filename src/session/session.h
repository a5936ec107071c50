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

struct session {
	struct atlas *atlas;
	struct note *note;
	struct pool *pool;
	struct backend *backend; /* NULL until session_backend */
	char *backend_spec;      /* or NULL for the default */
};

struct session *session_open(const char *folder, const char *backend_spec, struct err *e);
void session_free(struct session *s);
struct backend *session_backend(struct session *s, struct err *e); /* made on first use */

/* The label to show: the latest by a person, else the best-scored machine's, else the lexical;
 * false if none.  out->text is borrowed until the next edit. */
bool session_label(struct session *s, u32 feature, struct label *out);
/* "[NAME#]N" or "#N"; checked against n_features. */
int session_parse_id(const struct session *s, const char *text, u32 *id, struct err *e);
/* Appends a token's text as it is shown: leading space kept, safe for a terminal. */
void session_add_token(const struct session *s, struct buf *out, u32 token);

#endif
