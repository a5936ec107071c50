/* SPDX-License-Identifier: MIT */
#include "base/shell.h"

#include "base/utf8.h"

#include <string.h>

/* The bytes of the next code point or broken part, and whether it may reach a terminal. */
static size_t next(const char *s, size_t n, bool *safe)
{
	i32 cp;
	size_t k = utf8_next(s, n, &cp);
	bool broken = cp == 0xfffd && !(k == 3 && !memcmp(s, "\xef\xbf\xbd", 3));
	*safe = !broken && !utf8_is_unsafe(cp);
	return k;
}

static bool is_printable(const char *s, size_t n)
{
	bool safe = true;
	for (size_t i = 0; i < n && safe;)
		i += next(s + i, n - i, &safe);
	return safe;
}

static bool is_bare(const char *s, size_t n)
{
	/* zsh looks up a command behind a leading = */
	return n && *s != '=' &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+./:,@%=") == n;
}

static void add_escaped(struct buf *out, const char *s, size_t n)
{
	bool safe;
	buf_adds(out, "$'");
	for (size_t i = 0, k; i < n; i += k) {
		k = next(s + i, n - i, &safe);
		if (s[i] == '\n')
			buf_adds(out, "\\n");
		else if (safe)
			buf_addf(out, "%s%.*s", s[i] == '\'' || s[i] == '\\' ? "\\" : "", (int)k, s + i);
		else
			for (size_t b = 0; b < k; b++)
				buf_addf(out, "\\%03o", (u8)s[i + b]);
	}
	buf_addc(out, '\'');
}

void shell_add_word(struct buf *out, const char *s)
{
	size_t n = strlen(s);
	if (is_bare(s, n)) {
		buf_add(out, s, n);
		return;
	}
	if (!is_printable(s, n)) {
		add_escaped(out, s, n);
		return;
	}
	buf_addc(out, '\'');
	for (; *s; s++)
		if (*s == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *s);
	buf_addc(out, '\'');
}

void shell_add_path(struct buf *out, const char *path)
{
	struct buf word = BUF_INIT;
	buf_adds(&word, *path == '-' ? "./" : "");
	buf_adds(&word, path);
	shell_add_word(out, word.s);
	buf_release(&word);
}

void shell_add_argument(struct buf *out, const char *s)
{
	buf_adds(out, *s == '-' ? "-- " : "");
	shell_add_word(out, s);
}
