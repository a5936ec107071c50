/* SPDX-License-Identifier: MIT */
/* pty.c - a program on a pseudo-terminal. */
#include "pty.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

static int on_property(VTermProp prop, VTermValue *val, void *user)
{
	struct pty *p = user;
	if (prop == VTERM_PROP_ALTSCREEN)
		p->altscreen = val->boolean;
	else if (prop == VTERM_PROP_CURSORVISIBLE)
		p->cursor = val->boolean;
	else if (prop == VTERM_PROP_MOUSE)
		p->mouse = val->number;
	else if (prop == VTERM_PROP_TITLE || prop == VTERM_PROP_ICONNAME)
		p->titled = true;
	return 1;
}

static const VTermScreenCallbacks callbacks = {.settermprop = on_property};

struct pty *pty_spawn(char *const argv[], const char *term, int rows, int cols)
{
	struct pty *p = calloc(1, sizeof *p);
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
	if (!p || openpty(&p->fd, &p->slave, NULL, NULL, &size) || tcgetattr(p->slave, &p->before))
		abort();
	p->rows = rows;
	p->cols = cols;
	p->vt = vterm_new(rows, cols);
	vterm_set_utf8(p->vt, 1);
	p->screen = vterm_obtain_screen(p->vt);
	vterm_screen_set_callbacks(p->screen, &callbacks, p);
	vterm_screen_enable_altscreen(p->screen, 1);
	vterm_screen_reset(p->screen, 1);
	p->pid = fork();
	if (p->pid == 0) {
		setenv("TERM", term, 1);
		/* on the Linux console ncurses would load the mouse daemon's library, which leaks */
		setenv("NCURSES_GPM_TERMS", "none", 1);
		close(p->fd);
		if (login_tty(p->slave))
			_exit(126);
		execvp(argv[0], argv);
		_exit(127);
	}
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	return p;
}

void pty_free(struct pty *p)
{
	if (!p->ended) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	close(p->fd);
	close(p->slave);
	vterm_free(p->vt);
	free(p);
}

void pty_send(struct pty *p, const char *keys)
{
	size_t n = strlen(keys);
	if (write(p->fd, keys, n) != (ssize_t)n)
		abort();
}

void pty_resize(struct pty *p, int rows, int cols)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
	p->rows = rows;
	p->cols = cols;
	vterm_set_size(p->vt, rows, cols);
	ioctl(p->fd, TIOCSWINSZ, &size);
}

static void take_output(struct pty *p, int ms)
{
	char chunk[4096];
	struct pollfd poller = {p->fd, POLLIN, 0};
	if (poll(&poller, 1, ms) <= 0)
		return;
	ssize_t n = read(p->fd, chunk, sizeof chunk);
	if (n <= 0)
		return;
	p->bytes += (size_t)n;
	vterm_input_write(p->vt, chunk, (size_t)n);
	p->answers += vterm_output_read(p->vt, chunk, sizeof chunk);
}

void pty_settle(struct pty *p)
{
	size_t before;
	do {
		before = p->bytes;
		take_output(p, 150);
	} while (p->bytes != before);
}

static void watch_child(struct pty *p)
{
	int status;
	if (p->ended || waitpid(p->pid, &status, WNOHANG | WUNTRACED | WCONTINUED) != p->pid)
		return;
	if (WIFSTOPPED(status))
		p->stopped = true;
	else if (WIFCONTINUED(status))
		p->stopped = false;
	else {
		p->ended = true;
		p->status = status;
	}
}

bool pty_until(struct pty *p, bool (*holds)(struct pty *p, const void *what), const void *what)
{
	struct timespec now, end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += getenv("FEATLAS_SLOW") ? 100 : 10;
	do {
		take_output(p, 10);
		watch_child(p);
		if (holds(p, what))
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	for (int y = 0; y < p->rows; y++) {
		char row[1024];
		pty_row(p, y, row, sizeof row);
		fprintf(stderr, "# |%s|\n", row);
	}
	return false;
}

VTermScreenCell pty_cell(struct pty *p, int row, int col)
{
	VTermScreenCell c = {0};
	VTermPos at = {row, col};
	vterm_screen_get_cell(p->screen, at, &c);
	return c;
}

static size_t add_utf8(char *out, uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 63));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 63));
		out[2] = (char)(0x80 | (cp & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 63));
	out[2] = (char)(0x80 | (cp >> 6 & 63));
	out[3] = (char)(0x80 | (cp & 63));
	return 4;
}

void pty_row(struct pty *p, int row, char *out, size_t size)
{
	size_t n = 0;
	for (int x = 0; x < p->cols && n + 8 < size; x++) {
		VTermScreenCell c = pty_cell(p, row, x);
		n += add_utf8(out + n, c.chars[0] ? c.chars[0] : ' ');
		if (c.width == 2)
			x++;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = 0;
}

bool pty_shows(struct pty *p, const void *text)
{
	char row[2048];
	for (int y = 0; y < p->rows; y++) {
		pty_row(p, y, row, sizeof row);
		if (strstr(row, text))
			return true;
	}
	return false;
}

bool pty_lacks(struct pty *p, const void *text)
{
	return !pty_shows(p, text);
}

bool pty_ended(struct pty *p, const void *unused)
{
	(void)unused;
	return p->ended;
}

bool pty_stopped(struct pty *p, const void *unused)
{
	(void)unused;
	return p->stopped;
}

bool pty_restored(struct pty *p, const void *unused)
{
	struct termios now;
	(void)unused;
	return !tcgetattr(p->slave, &now) && now.c_lflag == p->before.c_lflag &&
	       now.c_iflag == p->before.c_iflag && now.c_oflag == p->before.c_oflag && !p->altscreen &&
	       p->cursor && !p->mouse;
}
