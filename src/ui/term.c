/* SPDX-License-Identifier: MIT */
/* term.c - the terminal, through curses. */
#include "ui/term.h"

#include "base/mem.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { TAIL_MS = 300, DOUBLE_CLICK_MS = 400, PASTE_ON = 2000, PASTE_OFF = 2001 };

static struct {
	bool open, away, ascii, all_anew, mouse;
	SCREEN *screen;
	enum theme theme;
	int colours;      /* 0, 8, 256 */
	struct grid shown;
	i64 escape_at;    /* when a lone Esc came, ms */
	i64 click_at;
	int click_x, click_y;
	int paste_on, paste_off;
} term;

/* A resize that comes between two looks must still end the wait for keys. */
static struct sigaction curses_winch;
static volatile sig_atomic_t wake_fd = -1;

static void on_winch(int sig)
{
	int saved = errno;
	if (!(curses_winch.sa_flags & SA_SIGINFO) && curses_winch.sa_handler != SIG_DFL &&
	    curses_winch.sa_handler != SIG_IGN)
		curses_winch.sa_handler(sig);
	if (wake_fd >= 0) {
		ssize_t ignored = write((int)wake_fd, "s", 1);
		(void)ignored;
	}
	errno = saved;
}

static void watch_size(int fd)
{
	struct sigaction a = {.sa_handler = on_winch, .sa_flags = SA_RESTART};
	wake_fd = fd;
	sigaction(SIGWINCH, &a, &curses_winch);
}

/* For the emergency: made ready while all is well. */
static struct {
	volatile sig_atomic_t ready;
	struct termios saved;
	char bytes[256];
	size_t n;
} rescue;

static i64 now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (i64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void term_emergency(void)
{
	if (!rescue.ready)
		return;
	rescue.ready = 0;
	ssize_t ignored = write(STDOUT_FILENO, rescue.bytes, rescue.n);
	(void)ignored;
	tcsetattr(STDIN_FILENO, TCSANOW, &rescue.saved);
}

static void on_signal(int sig)
{
	static const char words[] = "featlas: crashed; what was edited is on disk\n";
	term_emergency();
	if (sig != SIGTERM && sig != SIGHUP && sig != SIGINT) {
		ssize_t ignored = write(STDERR_FILENO, words, sizeof words - 1);
		(void)ignored;
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void rescue_add(const char *capability)
{
	const char *s = tigetstr(capability);
	if (!s || s == (char *)-1 || rescue.n + strlen(s) >= sizeof rescue.bytes)
		return;
	/* padding notes ($<5>) are for slow hardware of another age */
	for (; *s; s++)
		if (s[0] == '$' && s[1] == '<' && strchr(s, '>'))
			s = strchr(s, '>');
		else
			rescue.bytes[rescue.n++] = *s;
}

static void prepare_rescue(void)
{
	static const char modes[] = "\033[?1000l\033[?1002l\033[?1006l\033[?2004l";
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGSEGV, SIGABRT, SIGILL, SIGFPE};
	rescue.n = sizeof modes - 1;
	memcpy(rescue.bytes, modes, rescue.n);
	rescue_add("sgr0");
	rescue_add("cnorm");
	rescue_add("rmkx");
	rescue_add("rmcup");
	rescue.ready = 1;
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_NODEFER};
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &a, NULL);
}

static enum theme choose_theme(int wish)
{
	const char *no = getenv("NO_COLOR"), *bg = getenv("COLORFGBG");
	if (term.colours < 8)
		return THEME_MONO;
	if (wish >= 0) /* what is asked for by name goes before the environment */
		return (enum theme)wish;
	if (no && no[0])
		return THEME_MONO;
	const char *last = bg ? strrchr(bg, ';') : NULL;
	return last && (!strcmp(last, ";7") || !strcmp(last, ";15")) ? THEME_LIGHT : THEME_DARK;
}

static void ask_for_pastes(bool on)
{
	putp(on ? "\033[?2004h" : "\033[?2004l");
	fflush(stdout);
}

/* curses asks for presses; drags have a mode of their own. */
static void ask_for_drags(bool on)
{
	if (!term.mouse)
		return;
	putp(on ? "\033[?1002h" : "\033[?1002l");
	fflush(stdout);
}

static void take_mouse(bool on)
{
	mmask_t all = BUTTON1_PRESSED | BUTTON1_RELEASED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED |
		      BUTTON4_PRESSED | BUTTON5_PRESSED | REPORT_MOUSE_POSITION;
	if (term.mouse == on)
		return;
	if (!on)
		ask_for_drags(false);
	term.mouse = on;
	mousemask(on ? all : 0, NULL);
	mouseinterval(0);
	refresh(); /* puts what curses asks for before what follows */
	ask_for_drags(on);
}

static void set_up(const struct term_options *o)
{
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	intrflush(stdscr, FALSE);
	idlok(stdscr, TRUE); /* a list that scrolls is moved, not written anew */
	if (!getenv("ESCDELAY"))
		set_escdelay(25);
	define_key("\033[200~", PASTE_ON);
	define_key("\033[201~", PASTE_OFF);
	if (has_colors()) {
		start_color();
		use_default_colors();
		term.colours = COLORS >= 256 ? 256 : COLORS >= 8 ? 8 : 0;
	}
	term.theme = choose_theme(o->theme);
	term.ascii = o->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	take_mouse(o->mouse);
}

void term_set(const struct term_options *o)
{
	if (!term.open)
		return;
	term.theme = choose_theme(o->theme);
	term.ascii = o->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	take_mouse(o->mouse);
	term.all_anew = true;
}

int term_open(const struct term_options *o, struct err *e)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(
			e, ERR_UNAVAILABLE,
			"the screens need a terminal; 'featlas help' lists the commands that do without");
	const char *name = getenv("TERM");
	if (tcgetattr(STDIN_FILENO, &rescue.saved))
		return err_os(e, "cannot read the terminal's settings");
	int status = 0;
	if (!name || setupterm(name, STDOUT_FILENO, &status) != OK || !cursor_address)
		return err_set(e, ERR_UNAVAILABLE,
			       "the terminal '%s' cannot place its cursor; set TERM to what it is",
			       name ? name : "");
	del_curterm(cur_term); /* newterm reads it anew */
	term.screen = newterm(name, stdout, stdin);
	if (!term.screen)
		return err_set(e, ERR_UNAVAILABLE, "cannot use the terminal '%s'", name);
	set_up(o);
	prepare_rescue();
	watch_size(o->wake);
	ask_for_pastes(true);
	grid_init(&term.shown, 1, 1);
	term.open = true;
	term.all_anew = true;
	return 0;
}

void term_close(void)
{
	if (!term.open)
		return;
	ask_for_pastes(false);
	ask_for_drags(false);
	endwin();
	rescue.ready = 0;
	wake_fd = -1;
	term.mouse = false;
	delscreen(term.screen);
	grid_release(&term.shown);
	term.open = false;
}

void term_size(int *w, int *h)
{
	*w = COLS;
	*h = LINES;
}

bool term_is_ascii(void)
{
	return term.ascii;
}

enum theme term_theme(void)
{
	return term.theme;
}

int term_fd(void)
{
	return STDIN_FILENO;
}

/* ---- keys ---- */

static u32 special_key(wint_t code)
{
	switch (code) {
	case KEY_UP: return KEY_ARROW_UP;
	case KEY_DOWN: return KEY_ARROW_DOWN;
	case KEY_LEFT: return KEY_ARROW_LEFT;
	case KEY_RIGHT: return KEY_ARROW_RIGHT;
	case KEY_HOME: return KEY_HOME_;
	case KEY_END: return KEY_END_;
	case KEY_PPAGE: return KEY_PAGE_UP;
	case KEY_NPAGE: return KEY_PAGE_DOWN;
	case KEY_BACKSPACE: return KEY_BACK;
	case KEY_DC: return KEY_DELETE;
	case KEY_BTAB: return KEY_BACKTAB;
	case KEY_ENTER: return KEY_RETURN;
	case KEY_F(1): return KEY_FUNCTION_1;
	case KEY_RESIZE: return KEY_RESIZED;
	case PASTE_ON: return KEY_PASTE_BEGIN;
	case PASTE_OFF: return KEY_PASTE_END;
	}
	return KEY_OTHER;
}

static bool read_mouse(struct term_event *out)
{
	MEVENT m;
	if (getmouse(&m) != OK)
		return false;
	out->x = m.x;
	out->y = m.y;
	out->times = 1;
	out->button = m.bstate & BUTTON4_PRESSED ? 4 : m.bstate & BUTTON5_PRESSED ? 5 : 1;
	out->mouse = m.bstate & BUTTON1_RELEASED	 ? MOUSE_RELEASE
		     : m.bstate & REPORT_MOUSE_POSITION ? MOUSE_DRAG
							: MOUSE_PRESS;
	i64 now = now_ms();
	if (out->button == 1 && out->mouse == MOUSE_PRESS) {
		if (m.bstate & BUTTON1_DOUBLE_CLICKED) /* both came at once */
			out->times = 2;
		else if (now - term.click_at < DOUBLE_CLICK_MS && m.x == term.click_x && m.y == term.click_y)
			out->times = 2;
		term.click_at = out->times == 2 ? 0 : now;
		term.click_x = m.x;
		term.click_y = m.y;
	}
	return true;
}

/* The rest of an escape sequence whose Esc came alone, over a slow line. */
static bool swallow_tail(wint_t first)
{
	wint_t c;
	int got = get_wch(&c);
	if (got == ERR)
		return false; /* a person's own key */
	if (got == KEY_CODE_YES) {
		unget_wch((wchar_t)first);
		return false;
	}
	while (first == '[' && c < 0x40 && get_wch(&c) == OK)
		;
	return true;
}

static u32 after_escape(void)
{
	wint_t c;
	int got = get_wch(&c);
	if (got == OK && c >= 32 && c != 127)
		return KEY_ALT + c;
	if (got == OK && c == 127)
		return KEY_ALT + KEY_BACK;
	if (got == OK)
		unget_wch((wchar_t)c);
	term.escape_at = now_ms();
	return KEY_ESCAPE;
}

static u32 plain_key(wint_t c)
{
	if (c == 27)
		return after_escape();
	if (c == 127 || c == 8)
		return KEY_BACK;
	if (c == '\n')
		return KEY_RETURN;
	if ((c == '[' || c == 'O') && term.escape_at && now_ms() - term.escape_at < TAIL_MS) {
		term.escape_at = 0;
		if (swallow_tail(c))
			return KEY_NONE_YET;
	}
	term.escape_at = 0;
	return c;
}

void term_next(struct term_event *out)
{
	wint_t c;
	for (;;) {
		*out = (struct term_event){.key = KEY_NONE_YET};
		int got = get_wch(&c);
		if (got == ERR)
			return;
		if (got == OK)
			out->key = plain_key(c);
		else if (c == KEY_MOUSE)
			out->key = read_mouse(out) ? KEY_MOUSE_EVENT : KEY_NONE_YET;
		else
			out->key = special_key(c);
		if (out->key != KEY_NONE_YET)
			return;
	}
}

/* ---- drawing ---- */

static int colour(int c)
{
	return c < 0 || term.colours == 256 ? c : style_basic_colour(c);
}

static attr_t look_of(const struct cell *c, int *pair)
{
	struct look l = style_cell_look(c->style, c->attr, term.theme);
	attr_t a = A_NORMAL;
	if (l.attr & ATTR_BOLD)
		a |= A_BOLD;
	if (l.attr & ATTR_UNDERLINE)
		a |= A_UNDERLINE;
	if (l.attr & ATTR_REVERSE)
		a |= A_REVERSE;
	*pair = 0;
	if (term.theme != THEME_MONO && (l.fg >= 0 || l.bg >= 0)) {
		int fg = colour(l.fg), bg = colour(l.bg);
		/* eight colours cannot hold the fine steps: never text on its own colour */
		if (fg == bg && fg >= 0)
			fg = bg == 0 ? 7 : 0;
		int p = alloc_pair(fg, bg);
		*pair = MAX(p, 0);
	}
	return a;
}

static bool is_blank(const struct cell *c)
{
	return c->n == 1 && c->cp[0] == ' ' && !c->attr && c->style == STYLE_NORMAL;
}

/* The cell that a cell is drawn as.  A single blank looks the same in any ink, so in the ink of what stands
 * before it, where that is drawn on the same ground, it costs no change of colour. */
static struct cell drawn_as(const struct grid *g, int x, int y)
{
	struct cell c = *grid_at(g, x, y);
	if (!x || x + 1 >= g->w || !is_blank(&c) || is_blank(grid_at(g, x - 1, y)) || is_blank(grid_at(g, x + 1, y)))
		return c;
	const struct cell *before = grid_at(g, x - 1, y);
	struct look l = style_cell_look(before->style, before->attr, term.theme), plain = style_look(STYLE_NORMAL, term.theme);
	if (l.bg == plain.bg && !(l.attr & (ATTR_UNDERLINE | ATTR_REVERSE))) {
		c.style = before->style;
		c.attr = before->attr;
	}
	return c;
}

static void put_cell(int x, int y, const struct cell *c)
{
	wchar_t text[CELL_MAX + 1];
	int n = 0, pair;
	for (int i = 0; i < c->n; i++)
		text[n++] = (wchar_t)c->cp[i];
	text[n] = 0;
	/* columns stay straight only where the C library measures as we do */
	bool agrees = wcwidth(text[0]) == 1 + c->wide;
	for (int i = 1; i < n; i++)
		if (wcwidth(text[i]) != 0)
			agrees = false;
	attr_t a = look_of(c, &pair);
	cchar_t cc;
	if (!agrees)
		wcscpy(text, wcwidth(0xfffd) == 1 ? L"\ufffd" : L"?");
	setcchar(&cc, text, a, 0, &pair);
	mvadd_wch(y, x, &cc);
	if (!agrees && c->wide)
		mvadd_wch(y, x + 1, &cc);
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
	return a->n == b->n && a->style == b->style && a->attr == b->attr && a->wide == b->wide &&
	       !memcmp(a->cp, b->cp, a->n * sizeof a->cp[0]);
}

void term_flush(const struct grid *g)
{
	if (term.away)
		return;
	bool all = term.all_anew || g->w != term.shown.w || g->h != term.shown.h;
	if (all)
		grid_resize(&term.shown, g->w, g->h);
	for (int y = 0; y < g->h && y < LINES; y++)
		for (int x = 0; x < g->w && x < COLS; x++) {
			struct cell as = drawn_as(g, x, y), *shown = &term.shown.cells[y * g->w + x];
			if (as.n && (all || !same_cell(&as, shown)))
				put_cell(x, y, &as);
			*shown = as;
		}
	term.all_anew = false;
	curs_set(g->cursor_shown);
	if (g->cursor_shown)
		move(g->cursor_y, g->cursor_x);
	else
		move(LINES - 1, 0);
	refresh();
}

void term_redraw(void)
{
	clearok(curscr, TRUE);
	term.all_anew = true;
}

void term_leave(void)
{
	ask_for_pastes(false);
	ask_for_drags(false);
	endwin();
	term.away = true;
}

void term_return(void)
{
	term.away = false;
	refresh();
	ask_for_pastes(true);
	ask_for_drags(true);
	term_redraw();
}

void term_suspend(void)
{
	term_leave();
	raise(SIGSTOP);
	term_return();
}

/* ---- the clipboard ---- */

static void add_base64(struct buf *out, const char *s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i += 3) {
		u32 v = (u32)(u8)s[i] << 16;
		if (i + 1 < n)
			v |= (u32)(u8)s[i + 1] << 8;
		if (i + 2 < n)
			v |= (u8)s[i + 2];
		buf_addc(out, digits[v >> 18]);
		buf_addc(out, digits[v >> 12 & 63]);
		buf_addc(out, i + 1 < n ? digits[v >> 6 & 63] : '=');
		buf_addc(out, i + 2 < n ? digits[v & 63] : '=');
	}
}

void term_copy(const char *text)
{
	struct buf b = BUF_INIT;
	buf_adds(&b, "\033]52;c;");
	add_base64(&b, text);
	buf_addc(&b, '\a');
	putp(b.s);
	fflush(stdout);
	buf_release(&b);
}
