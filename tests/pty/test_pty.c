/* SPDX-License-Identifier: MIT */
/* test_pty.c - what only a terminal shows: start, keys as they arrive, resizing, suspending, and
 * how the terminal is left whatever happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pty.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/featlas-pty-XXXXXX", atlas[64];

static int copy_atlas(void **state)
{
	(void)state;
	char command[512];
	if (!mkdtemp(folder) || !getenv("SAMPLE") || !getenv("FEATLAS"))
		return -1;
	snprintf(atlas, sizeof atlas, "%s/sample.atlas", folder);
	snprintf(command, sizeof command, "cp -r '%s' '%s' && chmod -R u+w '%s'", getenv("SAMPLE"), atlas,
		 atlas);
	setenv("HOME", folder, 1);
	return system(command);
}

static int remove_atlas(void **state)
{
	(void)state;
	char command[512];
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	return system(command);
}

static struct pty *start_on(char *folder_of_atlas, const char *term, int rows, int cols)
{
	char *argv[] = {getenv("FEATLAS"), folder_of_atlas, NULL};
	return pty_spawn(argv, term, rows, cols);
}

static struct pty *start_in(const char *term, int rows, int cols)
{
	return start_on(atlas, term, rows, cols);
}

static struct pty *start(void)
{
	struct pty *p = start_in("xterm-256color", 24, 80);
	assert_true(pty_until(p, pty_shows, "512 features · row 1"));
	return p;
}

static void quit(struct pty *p)
{
	pty_send(p, "Q");
	assert_true(pty_until(p, pty_ended, NULL));
	assert_true(WIFEXITED(p->status));
	assert_int_equal(WEXITSTATUS(p->status), 0);
	assert_true(pty_until(p, pty_restored, NULL));
	assert_int_equal(p->answers, 0);
	pty_free(p);
}

static void it_starts_and_leaves_the_terminal_as_it_was(void **state)
{
	(void)state;
	struct pty *p = start();
	assert_true(p->altscreen);
	assert_true(pty_until(p, pty_shows, "words about bridges"));
	assert_true(pty_until(p, pty_shows, "g go  ? help  : all"));
	quit(p);
}

static void keys_arrive_in_every_form(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "j");
	assert_true(pty_until(p, pty_shows, "row 2"));
	pty_send(p, "\033OB"); /* Down, as it is sent in keypad mode */
	assert_true(pty_until(p, pty_shows, "row 3"));
	pty_send(p, "\033[6~");
	assert_true(pty_until(p, pty_shows, "row 16"));
	pty_send(p, "\007");
	assert_true(pty_until(p, pty_shows, "^G is not a key here"));
	pty_send(p, "gg12j");
	assert_true(pty_until(p, pty_shows, "row 13"));
	quit(p);
}

static void escape_is_instant_and_never_leaves_a_screen(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "/^words about bridges$");
	assert_true(pty_until(p, pty_shows, " 1 of 512"));
	pty_send(p, "\033");
	assert_true(pty_until(p, pty_shows, "512 features"));
	pty_send(p, "\r");
	assert_true(pty_until(p, pty_shows, "› #0"));
	pty_send(p, "\033");
	pty_send(p, "j");
	assert_true(pty_until(p, pty_shows, "> 8.51"));
	assert_true(pty_shows(p, "› #0"));
	quit(p);
}

static void a_prefix_shows_what_may_follow(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "g");
	assert_true(pty_until(p, pty_shows, "what fires on a text"));
	pty_send(p, "\033");
	assert_true(pty_until(p, pty_lacks, "what fires on a text"));
	quit(p);
}

static void it_follows_the_size_of_the_window(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_resize(p, 40, 120);
	assert_true(pty_until(p, pty_shows, "tags"));
	pty_resize(p, 8, 30);
	assert_true(pty_until(p, pty_shows, "needs a window"));
	pty_send(p, "j");
	pty_resize(p, 24, 80);
	assert_true(pty_until(p, pty_shows, "row 2"));
	for (int i = 0; i < 40; i++)
		pty_resize(p, 5 + i, 20 + 3 * i);
	pty_resize(p, 24, 80);
	pty_send(p, "j");
	assert_true(pty_until(p, pty_shows, "row 3"));
	quit(p);
}

static bool is_off(struct pty *p, const void *unused)
{
	return pty_stopped(p, unused) && !p->altscreen;
}

static bool is_on(struct pty *p, const void *unused)
{
	(void)unused;
	return p->altscreen;
}

static void it_suspends_and_comes_back(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "jj\032");
	assert_true(pty_until(p, is_off, NULL));
	assert_true(pty_until(p, pty_restored, NULL));
	kill(p->pid, SIGCONT);
	assert_true(pty_until(p, is_on, NULL));
	assert_true(pty_until(p, pty_shows, "row 3"));
	pty_send(p, "j");
	assert_true(pty_until(p, pty_shows, "row 4"));
	quit(p);
}

static void ends_by(int sig)
{
	struct pty *p = start();
	kill(p->pid, sig);
	assert_true(pty_until(p, pty_ended, NULL));
	assert_true(WIFSIGNALED(p->status) || WEXITSTATUS(p->status) != 0);
	assert_true(pty_until(p, pty_restored, NULL));
	if (sig == SIGSEGV)
		assert_true(pty_until(p, pty_shows, "what was edited is on disk"));
	pty_free(p);
}

static void signals_leave_the_terminal_usable(void **state)
{
	(void)state;
	ends_by(SIGTERM);
	ends_by(SIGHUP);
	ends_by(SIGSEGV);
	ends_by(SIGABRT);
}

static void a_file_cut_under_it_is_named(void **state)
{
	(void)state;
	char path[128], copy[256];
	snprintf(path, sizeof path, "%s/activations.safetensors", atlas);
	snprintf(copy, sizeof copy, "cp '%s' '%s/kept'", path, folder);
	assert_int_equal(system(copy), 0);
	struct pty *p = start();
	assert_int_equal(truncate(path, 4096), 0);
	pty_send(p, "G");
	assert_true(pty_until(p, pty_ended, NULL));
	assert_true(WIFEXITED(p->status));
	assert_int_equal(WEXITSTATUS(p->status), 3);
	assert_true(pty_until(p, pty_restored, NULL));
	assert_true(pty_until(p, pty_shows, "sample.atlas/activations.safetensors"));
	pty_free(p);
	snprintf(copy, sizeof copy, "mv '%s/kept' '%s'", folder, path);
	assert_int_equal(system(copy), 0);
}

static void the_mouse_selects_and_opens(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "\033[<0;10;8M\033[<0;10;8m"); /* the eighth line of the screen */
	assert_true(pty_until(p, pty_shows, "row 5"));
	pty_send(p, "\033[<65;10;8M");
	assert_true(pty_until(p, pty_shows, "row 8"));
	pty_send(p, "\033[<0;10;6M\033[<0;10;6m\033[<0;10;6M\033[<0;10;6m");
	assert_true(pty_until(p, pty_shows, "› #2"));
	quit(p);
}

/* With a model that never answers. */
static void what_waits_for_the_model_says_so_and_can_be_stopped(void **state)
{
	(void)state;
	char open[] = "open", option[] = "--backend", model[] = "featlas-fake --hang";
	char *argv[] = {getenv("FEATLAS"), open, option, model, atlas, NULL};
	struct pty *p = pty_spawn(argv, "xterm-256color", 24, 80);
	assert_true(pty_until(p, pty_shows, "512 features · row 1"));
	pty_send(p, "gs");
	assert_true(pty_until(p, pty_shows, "Enter replays"));
	assert_true(pty_lacks(p, "^C stop"));
	pty_send(p, "\r");
	assert_true(pty_until(p, pty_shows, "^C stop"));
	assert_true(pty_lacks(p, "waits until"));
	pty_send(p, "gti" "a text\r");
	assert_true(pty_until(p, pty_shows, "waits until generating is over"));
	assert_true(pty_shows(p, "^C stop"));
	pty_send(p, "\003");
	assert_true(pty_until(p, pty_lacks, "^C stop"));
	pty_send(p, "q\003");
	assert_true(pty_until(p, pty_shows, "stopped"));
	assert_true(pty_until(p, pty_lacks, "^C stop"));
	quit(p);
}

static void pasted_text_is_no_keys(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "\033[200~QQjj\033[201~");
	assert_true(pty_until(p, pty_shows, "pasted text goes into prompts"));
	assert_true(pty_shows(p, "row 1"));
	pty_send(p, "/");
	pty_send(p, "\033[200~^words about bridges$\033[201~");
	assert_true(pty_until(p, pty_shows, " 1 of 512"));
	pty_send(p, "\033");
	assert_true(pty_until(p, pty_shows, "512 features"));
	quit(p);
}

static void nothing_of_a_label_reaches_the_terminal_raw(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "#60\r");
	assert_true(pty_until(p, pty_shows, "› #60"));
	assert_true(pty_until(p, pty_shows, "clears ␛[2J␛[31mthe screen␛]0;title␇ and rings"));
	assert_false(p->titled);
	quit(p);
}

/* No cell holds what must not reach a terminal. */
static void is_harmless(struct pty *p)
{
	for (int y = 0; y < p->rows; y++)
		for (int x = 0; x < p->cols; x++) {
			VTermScreenCell c = pty_cell(p, y, x);
			for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && c.chars[i]; i++) {
				uint32_t cp = c.chars[i];
				bool control = cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
				bool turns = (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
					     (cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xfe00 && cp <= 0xfe0f) || cp > 0xe0000;
				if (cp != UINT32_MAX && (control || turns))
					fail_msg("U+%04X at row %d, column %d", (unsigned)cp, y, x);
			}
		}
	assert_false(p->titled);
}

/* The last column of the row in which an exponent begins. */
static int exponent_column(struct pty *p, int row)
{
	int column = -1;
	for (int x = 0; x + 1 < p->cols; x++)
		if (pty_cell(p, row, x).chars[0] == 'e' && pty_cell(p, row, x + 1).chars[0] == '-')
			column = x;
	return column;
}

static void columns_stay_straight_whatever_is_in_a_label(void **state)
{
	(void)state;
	static const char *const labels[] = {
		"family \U0001F468\u200d\U0001F469\u200d\U0001F467 \U0001F469\U0001F3FD\u200d\U0001F680 flags \U0001F1E9\U0001F1EA",
		"storm a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a\u030b\u030c after",
		"turned \xe2\x80\xae" "back\xe2\x80\xac \xe2\x81\xa6" "alone\xe2\x81\xa9 \xe2\x80\x8fmark",
		"wide \u6a4b\u6a4b \uff46\uff55\uff4c\uff4c \ud55c\uad6d",
		"ambiguous \u2460\u2605\u00a7\u00b1\u00d7 end",
		"nothing a\u200b" "b\u200c" "c\u200d" "d\ufeff" "e end",
		"tags \U000E0041\U000E0042 selectors \ufe0f\ufe0e end",
		"\u0627\u0644\u0633\u0644\u0627\u0645 \u05e9\u05dc\u05d5\u05dd",
		"private \ue000 soft\u00adhyphen \xc2\x85\xc2\x9b" "31m",
		"broken \xff\xfe\x80 cut \xe2\x82",
	};
	enum { N = sizeof labels / sizeof labels[0], PLAIN = 15 /* a row with an ordinary label */ };
	char strange[128], command[1024];
	snprintf(strange, sizeof strange, "%s/\033[31mev\xe2\x80\xae" "il\xff.atlas", folder);
	assert_int_equal(rename(atlas, strange), 0);
	for (int i = 0; i < N; i++) {
		snprintf(command, sizeof command, "'%s' label '%s' %d '%s' >/dev/null", getenv("FEATLAS"), strange, i, labels[i]);
		assert_int_equal(system(command), 0);
	}
	for (int wide = 0; wide < 2; wide++) {
		struct pty *p = start_on(strange, "xterm-256color", 24, wide ? 130 : 80);
		assert_true(pty_until(p, pty_shows, "512 features"));
		assert_true(pty_until(p, pty_shows, "storm"));
		pty_settle(p);
		for (int y = 3; y < 3 + N; y++)
			if (exponent_column(p, y) != exponent_column(p, PLAIN) || exponent_column(p, y) < 0)
				fail_msg("the columns of row %d are not where they are elsewhere", y);
		is_harmless(p);
		pty_send(p, "/\xff\xfe\xe2\x80\xae(\033"); /* typed, too */
		pty_send(p, "t\U0001F469\u200d\U0001F680\xe2\x80\xae\r");
		pty_settle(p);
		is_harmless(p);
		pty_send(p, "\033\033gt");
		pty_settle(p);
		is_harmless(p);
		quit(p);
	}
	assert_int_equal(rename(strange, atlas), 0);
	for (int i = 0; i < 2 * N; i++) {
		snprintf(command, sizeof command, "'%s' undo '%s' >/dev/null 2>&1", getenv("FEATLAS"), atlas);
		(void)!system(command);
	}
}

static void a_key_without_a_name_is_answered(void **state)
{
	(void)state;
	struct pty *p = start_in("xterm-256color", 24, 80);
	assert_true(pty_until(p, pty_shows, "512 features"));
	pty_send(p, "\033OQ"); /* F2 */
	assert_true(pty_until(p, pty_shows, "this is not a key here"));
	quit(p);
}

static void saving_says_where(void **state)
{
	(void)state;
	struct pty *p = start_in("xterm-256color", 24, 80);
	assert_true(pty_until(p, pty_shows, "512 features"));
	pty_send(p, "x");
	assert_true(pty_until(p, pty_shows, "save in "));
	pty_send(p, "\033");
	quit(p);
}

/* Sends the keys, waits for the text, and says what that cost. */
static size_t cost(struct pty *p, const char *keys, const char *shows)
{
	pty_settle(p);
	size_t before = p->bytes;
	pty_send(p, keys);
	if (!pty_until(p, pty_shows, shows)) {
		char row[400];
		for (int y = 0; y < p->rows; y++) {
			pty_row(p, y, row, sizeof row);
			print_message("%s\n", row);
		}
		fail_msg("'%s' does not show '%s'", keys, shows);
	}
	pty_settle(p);
	return p->bytes - before;
}

static void within(size_t bytes, size_t limit, const char *keys)
{
	if (bytes > limit)
		print_message("%zu bytes for '%s'\n", bytes, keys);
	assert_true(bytes <= limit);
}

static void keys_cost_little(const char *term)
{
	static const struct {
		const char *keys, *shows;
		size_t limit;
	} steps[] = {
		{"j", "row 2", 1024},		  {"k", "row 1", 1024},
		{"\004", "row 8", 4096},	  {"6j", "row 14", 1024},
		{"j", "row 15", 1024},		  {"j", "row 16", 1024},
		{"G", "row 512", 4096},
		{"/w", "/w", 4096},		  {"o", "/wo", 1024},
		{"\033", "512 features", 4096},	  {"gg\r", "\u203a #0", 4096},
		{"l", "token 43", 1024},	  {"j", "> 8.51", 1024},
		{"]", "\u203a #1", 4096},	  {"gn", "neighbourhood", 4096},
		{"j", "nearest", 2048},		  {"<", "words about rivers", 4096},
		{"?", "on this screen", 4096},	  {"j", "accept", 1024},
		{"q:", "all actions", 4096},	  {"und", "undo", 4096},
		{"\033", "\u203a #1", 4096},	  {"gq", "triage undecided", 4096},
		{"a", "1 of 500", 4096},
		{"j", "> 3.", 1024},		  {"gj", "ordering the queue", 4096},
		{"gO", "which-key-delay", 4096},  {"j", "draw with ASCII", 1024},
		{"gs", "steer", 4096},		  {"gf", "512 features", 4096},
	};
	struct pty *p = start_in(term, 24, 80);
	assert_true(pty_until(p, pty_shows, "512 features \u00b7 row 1"));
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		within(cost(p, steps[i].keys, steps[i].shows), steps[i].limit, steps[i].keys);
	pty_send(p, "u");
	assert_true(pty_until(p, pty_shows, "took back the label"));
	quit(p);
}

static void a_key_costs_little(void **state)
{
	(void)state;
	keys_cost_little("xterm-256color");
	keys_cost_little("linux"); /* eight colours */
}

/* The keys one by one, over and over: the dearest may cost `limit`. */
static void each_within(struct pty *p, const char *keys, int times, size_t limit)
{
	for (int i = 0; i < times; i++)
		for (const char *k = keys; *k; k++) {
			char key[2] = {*k, 0};
			size_t before = p->bytes;
			pty_send(p, key);
			pty_settle(p);
			within(p->bytes - before, limit, key);
		}
}

/* Labels, contexts and a map of a real model: what is long, many-coloured and wide is here. */
static void a_key_costs_little_on_the_demo(void **state)
{
	(void)state;
	char command[512], demo[96];
	snprintf(demo, sizeof demo, "%s/demo.atlas", folder);
	snprintf(command, sizeof command, "cp -r '%s/../share/featlas/demo.atlas' '%s' && chmod -R u+w '%s'",
		 getenv("TESTS_DIR"), demo, demo);
	assert_int_equal(system(command), 0);
	struct pty *p = start_on(demo, "xterm-256color", 24, 80);
	assert_true(pty_until(p, pty_shows, "8192 features"));
	pty_settle(p);
	each_within(p, "jjjjj jj kjjjjjjjjjjjjjjjkkkkkk", 1, 1024);
	each_within(p, "\006\006\002G", 1, 4096);
	within(cost(p, "/(?i)bridge|river\r", "of 8192"), 8192, "/");
	each_within(p, "nnN", 2, 1024);
	within(cost(p, "\r", "neighbours by"), 4096, "Enter");
	each_within(p, "ljljlj", 2, 2048); /* four lines with their heat move */
	each_within(p, "]]", 1, 4096);
	within(cost(p, "gn", "neighbourhood"), 4096, "gn");
	each_within(p, "hjkl", 2, 2048);
	within(cost(p, "gm", "clusters"), 8192, "gm");
	each_within(p, "HJKL", 1, 8192);
	each_within(p, "++HJKL+HJKLf", 1, 8192);
	each_within(p, "hjkl", 2, 1024);
	within(cost(p, "gq", "› triage"), 4096, "gq");
	each_within(p, "jj", 1, 1024);
	within(cost(p, "gs", "prompt"), 4096, "gs");
	quit(p);
}

static void a_long_paste_is_drawn_once(void **state)
{
	(void)state;
	struct pty *p = start();
	static char text[30 + 3000];
	strcpy(text, "\033[200~");
	for (int i = 0; i < 3000; i++)
		strcat(text + 6 + i, i % 7 ? "x" : " ");
	strcat(text, "THE END\033[201~");
	pty_send(p, "gti");
	assert_true(pty_until(p, pty_shows, "text:"));
	pty_settle(p);
	size_t before = p->bytes;
	pty_send(p, text);
	assert_true(pty_until(p, pty_shows, "THE END"));
	pty_settle(p);
	assert_true(p->bytes - before <= 4096);
	pty_send(p, "\033");
	assert_true(pty_until(p, pty_lacks, "THE END"));
	quit(p);
}

static void terminals_of_all_kinds_do(void **state)
{
	(void)state;
	static const char *const kinds[] = {"linux", "screen", "screen-256color", "tmux-256color", "xterm", "vt100"};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct pty *p = start_in(kinds[i], 24, 80);
		bool started = pty_until(p, pty_shows, "512 features");
		if (!started && p->ended) { /* a terminal that is not described here */
			pty_free(p);
			continue;
		}
		assert_true(started);
		pty_send(p, "j\r");
		assert_true(pty_until(p, pty_shows, "\u203a #1"));
		quit(p);
	}
	setenv("LC_ALL", "C", 1);
	struct pty *p = start_in("xterm", 24, 80);
	assert_true(pty_until(p, pty_shows, "512 features . row 1"));
	pty_send(p, "\r");
	assert_true(pty_until(p, pty_shows, "> #0"));
	quit(p);
	setenv("LC_ALL", "C.UTF-8", 1);
}

static void every_size_does(void **state)
{
	(void)state;
	struct pty *p = start_in("xterm-256color", 10, 40);
	assert_true(pty_until(p, pty_shows, "words about bridges"));
	pty_resize(p, 200, 500);
	assert_true(pty_until(p, pty_shows, "row 1"));
	assert_true(pty_until(p, pty_shows, "#47"));
	pty_send(p, "\r");
	assert_true(pty_until(p, pty_shows, "neighbours by decoder"));
	pty_resize(p, 10, 40);
	assert_true(pty_until(p, pty_shows, "\u203a #0"));
	quit(p);
}

static void the_split_is_dragged(void **state)
{
	(void)state;
	char row[400];
	struct pty *p = start();
	assert_true(pty_until(p, pty_shows, "promotes crossing"));
	pty_settle(p);
	pty_row(p, 17, row, sizeof row);
	assert_non_null(strstr(row, "\u2500\u2500\u2500"));
	static const char *const events[] = {"\033[<0;10;18M", "\033[<32;10;15M", "\033[<32;10;10M", "\033[<0;10;10m"};
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		pty_send(p, events[i]);
		pty_settle(p);
	}
	assert_true(pty_until(p, pty_lacks, "words about code errors"));
	assert_true(pty_until(p, pty_shows, "words about grief"));
	assert_true(pty_until(p, pty_shows, "7.88  this toll deck")); /* the preview has the room */
	assert_true(pty_shows(p, "row 1"));
	pty_send(p, "j");
	assert_true(pty_until(p, pty_shows, "row 2"));
	quit(p);
}

static void the_mouse_can_be_left_to_the_terminal(void **state)
{
	(void)state;
	struct pty *p = start();
	assert_true(p->mouse != 0);
	pty_send(p, ":set mouse=no\r");
	assert_true(pty_until(p, pty_shows, "mouse is no"));
	pty_settle(p);
	assert_int_equal(p->mouse, 0);
	pty_send(p, ":set mouse=yes\r");
	assert_true(pty_until(p, pty_shows, "mouse is yes"));
	pty_settle(p);
	assert_true(p->mouse != 0);
	quit(p);
}

static void copies_go_out_only_when_they_may(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "y");
	assert_true(pty_until(p, pty_shows, "set clipboard=osc52"));
	pty_send(p, ":set clipboard=osc52\r");
	assert_true(pty_until(p, pty_shows, "clipboard is osc52"));
	pty_send(p, "y");
	assert_true(pty_until(p, pty_shows, "copied: #0"));
	quit(p);
}

static void an_edit_is_on_disk_before_the_next_key(void **state)
{
	(void)state;
	struct pty *p = start();
	pty_send(p, "3je\025a label that must stay\r");
	assert_true(pty_until(p, pty_shows, "#3 is \"a label that must stay\""));
	kill(p->pid, SIGKILL);
	assert_true(pty_until(p, pty_ended, NULL));
	pty_free(p);
	p = start();
	assert_true(pty_until(p, pty_shows, "a label that must stay"));
	pty_send(p, "u");
	assert_true(pty_until(p, pty_shows, "took back the label of #3"));
	quit(p);
}

static void colours_go_by_the_terminal(void **state)
{
	(void)state;
	struct pty *p = start_in("vt220", 24, 80);
	assert_true(pty_until(p, pty_shows, "512 features · row 1"));
	assert_true(pty_cell(p, 0, 1).attrs.reverse);
	quit(p);
	setenv("NO_COLOR", "1", 1);
	p = start();
	assert_true(pty_cell(p, 0, 1).attrs.reverse);
	quit(p);
	unsetenv("NO_COLOR");
	p = start();
	assert_false(pty_cell(p, 0, 1).attrs.reverse);
	quit(p);
}

static void a_terminal_without_a_cursor_is_refused(void **state)
{
	(void)state;
	struct pty *p = start_in("dumb", 24, 80);
	assert_true(pty_until(p, pty_ended, NULL));
	assert_int_equal(WEXITSTATUS(p->status), 2);
	assert_true(pty_until(p, pty_shows, "the terminal 'dumb' cannot place its cursor"));
	pty_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_starts_and_leaves_the_terminal_as_it_was),
		cmocka_unit_test(keys_arrive_in_every_form),
		cmocka_unit_test(escape_is_instant_and_never_leaves_a_screen),
		cmocka_unit_test(a_prefix_shows_what_may_follow),
		cmocka_unit_test(it_follows_the_size_of_the_window),
		cmocka_unit_test(it_suspends_and_comes_back),
		cmocka_unit_test(signals_leave_the_terminal_usable),
		cmocka_unit_test(a_file_cut_under_it_is_named),
		cmocka_unit_test(the_mouse_selects_and_opens),
		cmocka_unit_test(what_waits_for_the_model_says_so_and_can_be_stopped),
		cmocka_unit_test(pasted_text_is_no_keys),
		cmocka_unit_test(nothing_of_a_label_reaches_the_terminal_raw),
		cmocka_unit_test(columns_stay_straight_whatever_is_in_a_label),
		cmocka_unit_test(a_key_without_a_name_is_answered), cmocka_unit_test(saving_says_where),
		cmocka_unit_test(a_key_costs_little),
		cmocka_unit_test(a_key_costs_little_on_the_demo),
		cmocka_unit_test(a_long_paste_is_drawn_once),
		cmocka_unit_test(terminals_of_all_kinds_do),
		cmocka_unit_test(every_size_does),
		cmocka_unit_test(the_split_is_dragged),
		cmocka_unit_test(the_mouse_can_be_left_to_the_terminal),
		cmocka_unit_test(copies_go_out_only_when_they_may),
		cmocka_unit_test(an_edit_is_on_disk_before_the_next_key),
		cmocka_unit_test(colours_go_by_the_terminal),
		cmocka_unit_test(a_terminal_without_a_cursor_is_refused),
	};
	return cmocka_run_group_tests(tests, copy_atlas, remove_atlas);
}
