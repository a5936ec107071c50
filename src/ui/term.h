/* SPDX-License-Identifier: MIT */
/* term.h - the real terminal.  term.c is the only file that includes curses.
 *
 * There is one terminal, so there is no handle.  The grid is compared with what was shown and
 * only what changed goes out; the screen is never cleared but on request.  However the program
 * ends, the terminal is put right: term_emergency is async-signal-safe and is called by the
 * handlers of SIGTERM, SIGHUP, SIGINT, SIGSEGV, SIGABRT, SIGILL, SIGFPE; the owner hands it to
 * mapfile_on_sigbus and mem_on_exhaustion.  UI thread only.
 */
#ifndef FEATLAS_TERM_H
#define FEATLAS_TERM_H

#include "base/err.h"
#include "ui/cell.h"
#include "ui/key.h"

struct term_options {
	int theme;         /* enum theme, or -1: by the terminal, NO_COLOR, COLORFGBG */
	bool ascii;        /* also chosen by a locale that is not UTF-8 */
	bool mouse;
	int wake;          /* a pipe's end: gets a byte when the window's size changes; or -1 */
};

int term_open(const struct term_options *o, struct err *e);
void term_close(void); /* harmless when it is not open */
void term_emergency(void);
void term_size(int *w, int *h);
bool term_is_ascii(void);
enum theme term_theme(void);
/* The options again, while it is open; a terminal of less than eight colours stays monochrome. */
void term_set(const struct term_options *o);
int term_fd(void); /* to poll for keys */

struct term_event {
	u32 key;    /* KEY_NONE_YET: nothing was waiting */
	int x, y;   /* KEY_MOUSE_EVENT */
	int button; /* 1 left; 4 wheel up, 5 wheel down */
	enum term_mouse { MOUSE_PRESS, MOUSE_DRAG, MOUSE_RELEASE } mouse; /* of the left button */
	int times;  /* 1, or 2 for a double click */
};
void term_next(struct term_event *out); /* never blocks longer than the escape delay */

void term_flush(const struct grid *g);
void term_redraw(void); /* the next flush draws everything */
void term_suspend(void);
void term_leave(void);  /* back to the shell's screen, for an editor */
void term_return(void);
void term_copy(const char *text); /* OSC 52 */

#endif
