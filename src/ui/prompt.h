/* SPDX-License-Identifier: MIT */
/* prompt.h - a line editor: readline's common keys, history, completion. */
#ifndef FEATLAS_PROMPT_H
#define FEATLAS_PROMPT_H

#include "ui/cell.h"
#include "ui/key.h"

struct history {
	char **list; /* oldest first */
	size_t n;
	char *path;  /* or NULL: not kept */
};

/* From $XDG_STATE_HOME/featlas/history-NAME; a missing file is an empty history. */
void history_open(struct history *h, const char *name, bool on_disk);
void history_add(struct history *h, const char *text); /* and to the file */
void history_release(struct history *h);

struct prompt {
	struct buf text;
	size_t at;            /* the cursor, a byte */
	struct buf killed;    /* ^W ^U ^K, for ^Y */
	struct history *history; /* borrowed, or NULL */
	size_t row;           /* in the history; history->n is the new line */
	char *kept;           /* the new line while history is walked */
};

enum prompt_event { PROMPT_NOTHING, PROMPT_CHANGED, PROMPT_COMMIT, PROMPT_CANCEL, PROMPT_COMPLETE };

void prompt_init(struct prompt *p, const char *initial, struct history *h);
void prompt_release(struct prompt *p);
void prompt_set(struct prompt *p, const char *text);
void prompt_insert(struct prompt *p, const char *s, size_t n); /* controls become spaces */
enum prompt_event prompt_key(struct prompt *p, u32 key);
/* Draws label and text, scrolled so that the cursor shows; puts the hardware cursor. */
void prompt_draw(const struct prompt *p, struct rect r, int y, const char *label);
/* The column where byte `at` of the text stands in such a drawing, or -1. */
int prompt_column(const struct prompt *p, struct rect r, const char *label, size_t at);

#endif
