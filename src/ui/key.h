/* SPDX-License-Identifier: MIT */
/* key.h - keys, their names, and maps from key sequences to actions.
 *
 * A key is a code point, or one of the special keys below.  In tables a sequence is written
 * as its keys side by side: "gg", "z/", "<C-d>", "<Enter>"; '<' itself is "<lt>".  On screen
 * the same are "gg", "z/", "^D", "Enter", "<".  Actions are plain numbers here.
 */
#ifndef FEATLAS_KEY_H
#define FEATLAS_KEY_H

#include "base/buf.h"

enum key {
	KEY_NONE_YET = 0,
	KEY_CTRL_C = 3, KEY_TAB = 9, KEY_RETURN = 13, KEY_CTRL_Z = 26, KEY_ESCAPE = 27, KEY_SPACE = 32,
	KEY_SPECIAL = 0x110000, /* above all code points */
	KEY_ARROW_UP, KEY_ARROW_DOWN, KEY_ARROW_LEFT, KEY_ARROW_RIGHT,
	KEY_HOME_, KEY_END_, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_BACK, KEY_DELETE, KEY_BACKTAB, KEY_FUNCTION_1,
	KEY_OTHER, /* of the keyboard, without a name here */
	KEY_MOUSE_EVENT, KEY_RESIZED, KEY_PASTE_BEGIN, KEY_PASTE_END,
	KEY_ALT = 0x200000, /* added to a key */
};
#define KEY_CTRL(c) ((u32)(c) & 31)

enum { KEY_SEQ_MAX = 4 };

struct key_seq {
	u32 key[KEY_SEQ_MAX];
	int n;
};

/* Reads one key of a table's notation at *s and moves past it; KEY_NONE_YET on a bad name. */
u32 key_parse(const char **s);
/* A whole sequence (up to a space or the end); 0, or -1. */
int key_parse_seq(const char *s, size_t n, struct key_seq *out);
void key_add_name(struct buf *out, u32 key);                      /* "^D", "Space", "g" */
void key_add_notation(struct buf *out, u32 key); /* as key_parse reads it: "<C-d>", "<Space>" */
void key_add_seq(struct buf *out, const struct key_seq *seq);

struct key_binding {
	struct key_seq seq;
	const char *contexts; /* "all", or names separated by spaces */
	int action;
	bool off;             /* taken away by the user's configuration */
};

struct keymap {
	struct key_binding *list;
	size_t n;
};

void keymap_init(struct keymap *m);
void keymap_release(struct keymap *m);
/* keys: sequences separated by spaces.  contexts is borrowed.  -1 on a bad name. */
int keymap_add(struct keymap *m, const char *keys, const char *contexts, int action);

enum key_match { KEY_MATCH_NONE, KEY_MATCH_PREFIX, KEY_MATCH_ACTION };
/* A person's own binding: of the sequences that it hides or that would hide it, those that stand
 * only in its contexts are switched off, so that no list of keys names them.  KEY_UNBOUND as the
 * action takes the sequence away.  -1 on a bad name. */
enum { KEY_UNBOUND = -1 };
int keymap_override(struct keymap *m, const char *keys, const char *contexts, int action);

/* A binding of the context itself goes before one of "all", a later one before an earlier. */
enum key_match keymap_match(const struct keymap *m, const char *context, const struct key_seq *typed,
			    int *action);
/* Do its keys, typed one after another, lead to its action in this context? */
bool keymap_reaches(const struct keymap *m, const char *context, const struct key_binding *b);
/* The first binding of an action that is reached in a context, or NULL. */
const struct key_binding *keymap_find(const struct keymap *m, const char *context, int action);
bool key_in_context(const char *contexts, const char *context);

#endif
