/* SPDX-License-Identifier: MIT */
/* pty.h - a program on a pseudo-terminal, and the screen that a terminal would show. */
#ifndef FEATLAS_PTY_H
#define FEATLAS_PTY_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>
#include <vterm.h>

struct pty {
	int fd, slave;
	pid_t pid;
	bool ended, stopped;
	int status;      /* of waitpid, once ended */
	VTerm *vt;
	VTermScreen *screen;
	struct termios before; /* the terminal's settings when the program began */
	int rows, cols;
	bool altscreen, cursor, titled; /* as the program asked */
	int mouse;
	size_t bytes;    /* that the program wrote */
	size_t answers;  /* bytes a terminal would have sent back: queries */
};

struct pty *pty_spawn(char *const argv[], const char *term, int rows, int cols);
void pty_free(struct pty *p); /* kills what still runs */
void pty_send(struct pty *p, const char *keys);
void pty_resize(struct pty *p, int rows, int cols);
/* Reads what the program writes until the condition holds; false after ten seconds (FEATLAS_SLOW:
 * a hundred). */
bool pty_until(struct pty *p, bool (*holds)(struct pty *p, const void *what), const void *what);
/* Reads until nothing more comes for a moment: before bytes are counted. */
void pty_settle(struct pty *p);
void pty_row(struct pty *p, int row, char *out, size_t size);
bool pty_shows(struct pty *p, const void *text);  /* anywhere on the screen */
bool pty_lacks(struct pty *p, const void *text);
bool pty_ended(struct pty *p, const void *unused);
bool pty_stopped(struct pty *p, const void *unused);
/* The settings are what they were, the ordinary screen is back, the mouse is free. */
bool pty_restored(struct pty *p, const void *unused);
VTermScreenCell pty_cell(struct pty *p, int row, int col);

#endif
