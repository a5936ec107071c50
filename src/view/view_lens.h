/* SPDX-License-Identifier: MIT */
/* view_lens.h - what the files of the lens screen share. */
#ifndef FEATLAS_VIEW_LENS_H
#define FEATLAS_VIEW_LENS_H

#include "session/lens.h"
#include "ui/list.h"
#include "view/app.h"

enum { LENS_TOKENS = 16 }; /* kept of a layer */

/* A text with the rows of all its layers: the view's, and each job's at work on it. */
struct lens_text {
	unsigned owners; /* counted on the UI thread */
	char *text;
	bool chat;
	struct lens_rows rows; /* n 0 until they are read */
	u8 *flags;
};
struct lens_text *lens_text_new(const char *text, bool chat);
void lens_text_drop(struct lens_text *t); /* NULL is fine */

struct lens_view {
	struct lens_text *t; /* or NULL: no text yet */
	bool chat;	     /* for the next text */
	char trouble[512];
	size_t cursor;	    /* token */
	struct lens *at;    /* [n] by token; n_layers 0: not looked at yet */
	u32 target;	    /* as chosen, or NO_TOKEN: each position's own */
	struct list layers; /* the cursor among layers */
	int most;	    /* tokens of a layer: 1, 3, or as many as fit */
	bool refused;	    /* a failure: not again before something changes */
	int skip;	    /* rows of the text above the pane */
};

/* What is known of the token under the cursor, or NULL. */
const struct lens *lens_here(const struct lens_view *s);
/* Another text: stops what runs. */
void lens_start(struct view *v, const char *text);
/* Looks at the token under the cursor, if that was not done yet. */
void lens_look(struct view *v);
/* The same with a target that was typed, if it is one token. */
void lens_look_for(struct view *v, const char *typed);
/* Forgets all positions: another target. */
void lens_forget(struct lens_view *s);
void lens_draw(struct view *v, struct rect r);

#endif
