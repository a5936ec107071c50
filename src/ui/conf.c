/* SPDX-License-Identifier: MIT */
/* conf.c - reading and rewriting files of verbs and words. */
#include "ui/conf.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "base/xdg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096, FILE_MAX_BYTES = 1 << 20 };

/* Parts a line in place. */
static size_t split(char *line, const char *words[CONF_WORDS])
{
	size_t n = 0;
	char *rest = NULL, *first = line + strspn(line, " \t"), *equals = strchr(line, '=');
	if (equals && !strncmp(first, "set", 3) && strchr(" \t", first[3]))
		*equals = ' ';
	for (char *s = strtok_r(line, " \t\r\n", &rest); s && n < CONF_WORDS; s = strtok_r(NULL, " \t\r\n", &rest)) {
		if (!n && s[0] == '#')
			return 0;
		words[n++] = s;
	}
	return n;
}

int conf_read(const char *path, conf_fn fn, void *context, struct err *first)
{
	FILE *f = fopen(path, "r");
	char line[LINE_MAX_BYTES];
	const char *words[CONF_WORDS];
	int bad = 0;
	if (!f)
		return err_os(first, "cannot open '%s'", path);
	for (size_t number = 1; fgets(line, sizeof line, f); number++) {
		struct err e = {0};
		bool cut = !strchr(line, '\n') && !feof(f);
		for (int c = 0; cut && c != '\n' && c != EOF;)
			c = fgetc(f);
		size_t n = split(line, words);
		if (n && fn(context, words, n, &e) && !bad++) {
			if (first)
				*first = e;
			err_wrap(first, "'%s', line %zu", path, number);
		}
	}
	if (ferror(f)) {
		err_os(first, "cannot read '%s'", path);
		bad = -1;
	}
	fclose(f);
	return bad;
}

static int read_whole(const char *path, struct buf *b, struct err *e)
{
	char chunk[4096];
	FILE *f = fopen(path, "r");
	if (!f)
		return errno == ENOENT ? 0 : err_os(e, "cannot open '%s'", path);
	for (size_t k; b->n < FILE_MAX_BYTES && (k = fread(chunk, 1, sizeof chunk, f)) > 0;)
		buf_add(b, chunk, k);
	int r = ferror(f)		      ? err_os(e, "cannot read '%s'", path)
		: b->n >= FILE_MAX_BYTES ? err_set(e, ERR_FAILED, "'%s' is too long for a configuration", path)
					 : 0;
	fclose(f);
	return r;
}

static bool sets(const char *line, size_t n, const char *name)
{
	char copy[LINE_MAX_BYTES];
	const char *words[CONF_WORDS];
	snprintf(copy, sizeof copy, "%.*s", (int)MIN(n, sizeof copy - 1), line);
	return split(copy, words) >= 2 && !strcmp(words[0], "set") && !strcmp(words[1], name);
}

static void put_pair(struct buf *b, const struct conf_pair *p)
{
	char *line = xasprintf("set %s = %s\n", p->name, p->value);
	size_t at = 0, from = SIZE_MAX, len = 0;
	while (at < b->n) {
		size_t k = strcspn(b->s + at, "\n") + 1;
		k = MIN(k, b->n - at);
		if (sets(b->s + at, k, p->name)) {
			from = at;
			len = k;
		}
		at += k;
	}
	if (from == SIZE_MAX) {
		if (b->n && b->s[b->n - 1] != '\n')
			buf_addc(b, '\n');
		buf_adds(b, line);
	} else {
		char *rest = xstrdup(b->s + from + len);
		buf_remove(b, from, b->n - from);
		buf_adds(b, line);
		buf_adds(b, rest);
		free(rest);
	}
	free(line);
}

int conf_save(const char *path, const struct conf_pair *pairs, size_t n, struct err *e)
{
	struct buf b = BUF_INIT;
	int r = read_whole(path, &b, e);
	for (size_t i = 0; i < n; i++)
		put_pair(&b, &pairs[i]);
	if (!r)
		r = xdg_make_parents(path, e) || outfile_write_all(path, b.s, b.n, e) ? -1 : 0;
	buf_release(&b);
	return r;
}
