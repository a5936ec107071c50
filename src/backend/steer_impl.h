/* SPDX-License-Identifier: MIT */
/* steer_impl.h - what the files of steering share: specs read, and made into interventions. */
#ifndef FEATLAS_STEER_IMPL_H
#define FEATLAS_STEER_IMPL_H

#include "backend/steer.h"

struct regex;
struct regex_room;

/* [NAME#]ID or #ID of n bytes. */
int steer_parse_id(const char *text, size_t n, const struct atlas *a, u32 *id, struct err *e);
void steer_add_number(struct buf *out, f32 v); /* as short as reads back the same */
/* How far a regex goes in s, which begins behind its first slash, with the slash that ends it; n
 * where none does. */
size_t steer_regex_length(const char *s, size_t n);
/* The f that a condition on a feature asks for; 0 for others.  -1 where its maximum is not known. */
int steer_if_above(const struct steer_spec *s, const struct atlas *a, f32 *out, struct err *e);

/* The interventions of a request, with all that they point at. */
struct steer_set {
	const struct atlas *a;
	const struct steer_request *q;
	struct intervention *list;  /* [n_specs]; off as the text so far says */
	f32 *vectors;               /* [n_specs][3][d]: decoder row, encoder vector, the condition's */
	struct run_encoder encoder; /* w NULL: not needed */
	struct steer_watch { struct regex *regex; struct regex_room *room; } *watch; /* [n_specs] */
	bool varies;                /* its changes are not the same at each token */
	bool follows_text;          /* some wait for a regex */
};
/* Connects; gives the module the encoder where one is needed.  Release in any case. */
int steer_set_make(struct steer_set *s, struct backend *b, const struct atlas *a, const struct steer_request *q,
		   struct err *e);
void steer_set_release(struct steer_set *s);
/* The reply has become this: interventions turn on or off by their regex.  changed(context, i)
 * for each that does; may be NULL. */
void steer_set_text(struct steer_set *s, const struct buf *reply, void (*changed)(void *, size_t), void *context);

#endif
