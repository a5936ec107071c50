/* SPDX-License-Identifier: MIT */
/* script.h - key scripts: the keyboard of tests, tours and screen dumps.
 *
 * A line is one of
 *	# words              a comment
 *	keys j j gf <Enter>  keys, in the notation of ui/key.h; blanks between them mean nothing
 *	type some text       every character as it is
 *	wait                 until nothing runs, as before every key anyway
 *	hurry                keys do not wait, as a person's do not, until the next wait
 *	dump [NAME]          print the screen as text
 *	attrs [NAME]         print its runs of styles
 *	looks [NAME]         print its runs of colours and attributes, as the theme has them
 *	shot FILE.svg        save it: as a picture, or .html, .ans (escape sequences), .txt
 *	expect text          the screen must show the text, or the script fails
 *	size COLSxROWS       resize
 *	say words            print a line
 */
#ifndef FEATLAS_SCRIPT_H
#define FEATLAS_SCRIPT_H

#include "base/err.h"

struct script;

enum script_kind {
	SCRIPT_KEY,
	SCRIPT_WAIT,
	SCRIPT_HURRY,
	SCRIPT_DUMP,
	SCRIPT_ATTRS,
	SCRIPT_LOOKS,
	SCRIPT_SHOT,
	SCRIPT_EXPECT,
	SCRIPT_SIZE,
	SCRIPT_SAY,
	SCRIPT_END
};

struct script_step {
	enum script_kind kind;
	u32 key;
	const char *text; /* borrowed; "" if there is none */
	int w, h;
};

/* Reads the file ("-": standard input) and checks all of it. */
struct script *script_open(const char *path, struct err *e);
void script_free(struct script *s);
void script_next(struct script *s, struct script_step *out);
/* "80x24": 0, or -1. */
int script_parse_size(const char *text, int *w, int *h);

#endif
