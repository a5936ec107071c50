/* SPDX-License-Identifier: MIT */
/* test_shell.c - words of command lines: shells read them back to the same bytes. */
#include "base/mem.h"
#include "base/shell.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { WORDS = 2000 };

static char *word(const char *s)
{
	struct buf b = BUF_INIT;
	shell_add_word(&b, s);
	return buf_take(&b);
}

static void is_written(const char *s, const char *want)
{
	char *got = word(s);
	assert_string_equal(got, want);
	free(got);
}

static void words_look_as_a_person_would_write_them(void **state)
{
	(void)state;
	is_written("sample.atlas", "sample.atlas");
	is_written("/srv/a_b-c/x@1,2:3+4%=", "/srv/a_b-c/x@1,2:3+4%=");
	is_written("", "''");
	is_written("a b", "'a b'");
	is_written("a b'c", "'a b'\\''c'");
	is_written("~", "'~'");
	is_written("=ls", "'=ls'");
	is_written("a\\b", "'a\\b'");
	is_written("gar\xc3\xa7on", "'gar\xc3\xa7on'");
	is_written("it's\n\\", "$'it\\'s\\n\\\\'");
	is_written("\x1b[1m\xc3", "$'\\033[1m\\303'");
	is_written("\xc3\xa7\xe2\x80\xae" "1", "$'\xc3\xa7\\342\\200\\2561'"); /* bidi override */
	is_written("\xef\xbf\xbd", "'\xef\xbf\xbd'");
}

static void what_begins_as_an_option_is_none(void **state)
{
	(void)state;
	struct buf b = BUF_INIT;
	shell_add_path(&b, "-x.atlas");
	buf_addc(&b, ' ');
	shell_add_path(&b, "a -x");
	buf_addc(&b, ' ');
	shell_add_argument(&b, "a-b");
	buf_addc(&b, ' ');
	shell_add_argument(&b, "-a b");
	assert_string_equal(b.s, "./-x.atlas 'a -x' a-b -- '-a b'");
	buf_release(&b);
}

/* Reads a line back with a shell: what printf got, a 0 behind each word. */
static void read_back(const char *shell, const struct buf *line, struct buf *got)
{
	char path[] = "/tmp/featlas-words-XXXXXX", piece[4096];
	int fd = mkstemp(path);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	assert_non_null(f);
	fprintf(f, "printf '%%s\\0' %s", line->s);
	assert_int_equal(fclose(f), 0);
	char *command = xasprintf("%s %s", shell, path);
	FILE *p = popen(command, "r");
	assert_non_null(p);
	for (size_t n; (n = fread(piece, 1, sizeof piece, p)) > 0;)
		buf_add(got, piece, n);
	assert_int_equal(pclose(p), 0);
	free(command);
	unlink(path);
}

static void same_in(const char *shell, char **words, size_t n, bool all)
{
	struct buf line = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		char *w = word(words[i]);
		if (all || w[0] != '$') {
			buf_addf(&line, " %s", w);
			buf_add(&want, words[i], strlen(words[i]) + 1);
		}
		free(w);
	}
	read_back(shell, &line, &got);
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.s, want.s, want.n);
	buf_release(&line);
	buf_release(&want);
	buf_release(&got);
}

static bool reads_octal(const char *shell)
{
	char *command = xasprintf("test \"$(%s -c \"printf %%s \\$'\\\\101'\" 2>&1)\" = A", shell);
	bool yes = !system(command);
	free(command);
	return yes;
}

/* Each byte alone, then pieces that shells, terminals or decoders take for their own. */
static char *some_word(size_t i)
{
	static const char *const pieces[] = {
	    "'", "\"", "\\", "$", "`", "!", "#", "~", "*", "?", "[", "]", "{", "}", "(", ")", "<", ">", "|", "&", ";", "=",
	    "^", "-", "%s", " ", "\t", "\n", "\r", "\x1b", "\x7f", "a", "0", "$'", "\\n", "\xc3", "\xa7", "\xc3\xa7",
	    "\xe2\x80\xae", "\xe2\x80\x8b", "\xf0\x9f\x8c\x89", "\xef\xbf\xbd", "\xff"};
	static u32 state = 1;
	struct buf b = BUF_INIT;
	if (i < 256)
		buf_addc(&b, (char)i); /* the first is the empty word */
	for (size_t k = 0; i >= 256 && k < 1 + i % 7; k++) {
		state = state * 1664525 + 1013904223;
		buf_adds(&b, pieces[(state >> 16) % ARRAY_LEN(pieces)]);
	}
	return buf_take(&b);
}

static void is_safe(const char *s)
{
	struct buf safe = BUF_INIT;
	utf8_add_safe(&safe, s, strlen(s));
	assert_string_equal(safe.s, s);
	buf_release(&safe);
}

static void shells_read_the_same_bytes(void **state)
{
	static const char *const shells[] = {"/bin/sh", "bash", "ksh", "zsh", "busybox sh"};
	(void)state;
	char *words[WORDS];
	for (size_t i = 0; i < WORDS; i++) {
		words[i] = some_word(i);
		char *w = word(words[i]);
		is_safe(w);
		free(w);
	}
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (!i || reads_octal(shells[i]))
			same_in(shells[i], words, WORDS, reads_octal(shells[i]));
	for (size_t i = 0; i < WORDS; i++)
		free(words[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_look_as_a_person_would_write_them),
		cmocka_unit_test(what_begins_as_an_option_is_none),
		cmocka_unit_test(shells_read_the_same_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
