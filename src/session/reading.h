/* SPDX-License-Identifier: MIT */
/* reading.h - a text as the live model and the dictionary see it.
 *
 * The mask of featlas-atlas(5) is obeyed: the first token, special tokens and sinks are there and
 * marked, but not encoded.
 */
#ifndef FEATLAS_READING_H
#define FEATLAS_READING_H

#include "core/dict.h"
#include "session/session.h"

struct reading {
	u32 *tokens;
	u8 *flags;             /* enum token_flag, sinks among them */
	size_t n;
	f32 *x;                /* [n][d_model], the hook's rows */
	struct dict_row *rows; /* [n]; of n 0 where masked */
	void *arena;
};

/* b is connected; chat: as a user's message in the template.  A text that is empty, or longer than the
 * model's context, is refused.  One request to the model; on failure *t is empty. */
int reading_make(struct session *s, struct backend *b, const char *text, bool chat, struct reading *t, struct err *e);
/* The same of tokens that are there already; those before `from` are not encoded.  tokens and flags are copied. */
int reading_of_tokens(struct session *s, struct backend *b, const u32 *tokens, const u8 *flags, size_t n,
		      size_t from, struct reading *t, struct err *e);
void reading_release(struct reading *t);
/* Flags the attention sinks among rows x [n][d_model] of the atlas' hook, as the harvest does. */
void reading_flag_sinks(const struct atlas *a, const f32 *x, u8 *flags, size_t n);

#endif
