/* SPDX-License-Identifier: MIT */
/* context.h - contexts of a feature on a line of the screen: their tokens with heat, those that
 * are alike counted once.  UI thread only.
 */
#ifndef FEATLAS_CONTEXT_H
#define FEATLAS_CONTEXT_H

#include "view/app.h"

enum { CONTEXT_LINE_MAX = 8192 };

struct context_look {
	u32 feature;
	f32 max;   /* heat is f / max */
	f32 fold;  /* values are shown times this: view_fold */
	int width; /* tokens on either side of the peak; 0: the whole text, to CONTEXT_LINE_MAX */
	bool calm; /* heat only under the cursor: a full screen of it costs a slow line too much */
};

struct context_line { /* the tokens of a context that are looked at */
	u64 from;     /* position of the first */
	size_t n;
	u32 tokens[CONTEXT_LINE_MAX];
	u8 flags[CONTEXT_LINE_MAX];
	f32 acts[CONTEXT_LINE_MAX];
	struct view_tokens view;
};

/* token: the cursor relative to the peak, put into the range of what is there; NULL: none.
 * Valid until the next call. */
const struct context_line *context_load(const struct atlas *a, const struct context_look *l,
					const struct store_context *c, i64 *token);
/* A line: activation, tokens around the peak or the cursor, and how many more are alike. */
void context_draw(struct view *v, struct rect r, int y, const struct context_look *l,
		  const struct store_context *c, i64 *token, u32 alike);
/* What stands under the cursor: the token, its activation, where it is. */
void context_draw_token(struct view *v, struct rect r, int y, const struct context_look *l,
			const struct store_context *c, i64 *token);

/* Appends the whole text that the context stands in, without special tokens. */
void context_add_text(const struct atlas *a, const struct store_context *c, struct buf *out);

/* Of contexts that have the same CONTEXT_ALIKE tokens on both sides of the peak the first stays;
 * alike[i] gets how many more there were.  `grouped` puts those of one trigger token together, in
 * the order of their strongest; else the order stays.  Returns how many are left.  O(n^2). */
enum { CONTEXT_ALIKE = 5 };
size_t contexts_fold(const struct store *s, struct store_context *c, size_t n, u32 *alike, bool grouped);

#endif
