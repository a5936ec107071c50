/* SPDX-License-Identifier: MIT */
/* script.c - key scripts. */
#include "ui/script.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "ui/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script {
	struct script_step *list;
	size_t n, at;
	char **texts;
	size_t n_texts;
};

static void add(struct script *s, struct script_step step)
{
	if ((s->n & (s->n - 1)) == 0)
		s->list = xreallocarray(s->list, s->n ? s->n * 2 : 1, sizeof *s->list);
	s->list[s->n++] = step;
}

int script_parse_size(const char *text, int *w, int *h)
{
	int used = 0;
	return sscanf(text, "%4dx%4d%n", w, h, &used) == 2 && !text[used] && *w > 0 && *h > 0 ? 0 : -1;
}

static int add_keys(struct script *s, const char *keys)
{
	while (*keys) {
		if (*keys == ' ') {
			keys++;
			continue;
		}
		u32 k = key_parse(&keys);
		if (k == KEY_NONE_YET)
			return -1;
		add(s, (struct script_step){.kind = SCRIPT_KEY, .key = k});
	}
	return 0;
}

static void add_text(struct script *s, const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n;) {
		i32 cp;
		i += utf8_next(text + i, n - i, &cp);
		add(s, (struct script_step){.kind = SCRIPT_KEY, .key = (u32)cp});
	}
}

static const char *kept(struct script *s, const char *text)
{
	s->texts = xreallocarray(s->texts, s->n_texts + 1, sizeof *s->texts);
	return s->texts[s->n_texts++] = xstrdup(text);
}

/* 0, or -1 when the line makes no sense. */
static int add_line(struct script *s, char *line)
{
	static const struct {
		const char *word;
		enum script_kind kind;
	} words[] = {{"wait", SCRIPT_WAIT},
		     {"hurry", SCRIPT_HURRY},
		     {"dump", SCRIPT_DUMP},
		     {"attrs", SCRIPT_ATTRS},
		     {"looks", SCRIPT_LOOKS},
		     {"shot", SCRIPT_SHOT},
		     {"expect", SCRIPT_EXPECT},
		     {"say", SCRIPT_SAY}};
	if (!line[0] || line[0] == '#')
		return 0;
	size_t n = strcspn(line, " ");
	const char *rest = line[n] ? line + n + 1 : "";
	line[n] = 0;
	if (!strcmp(line, "keys"))
		return add_keys(s, rest);
	if (!strcmp(line, "type")) {
		add_text(s, rest);
		return 0;
	}
	if (!strcmp(line, "size")) {
		struct script_step step = {.kind = SCRIPT_SIZE};
		if (script_parse_size(rest, &step.w, &step.h))
			return -1;
		add(s, step);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(line, words[i].word)) {
			if ((words[i].kind == SCRIPT_SHOT || words[i].kind == SCRIPT_EXPECT) && !rest[0])
				return -1;
			add(s, (struct script_step){.kind = words[i].kind, .text = kept(s, rest)});
			return 0;
		}
	return -1;
}

struct script *script_open(const char *path, struct err *e)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "r") : stdin;
	if (!f) {
		err_os(e, "cannot open '%s'", path);
		return NULL;
	}
	struct script *s = xcalloc(1, sizeof *s);
	char *line = NULL;
	size_t cap = 0, number = 0;
	int bad = 0;
	for (ssize_t n; !bad && (n = getline(&line, &cap, f)) >= 0;) {
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = 0;
		number++;
		bad = add_line(s, line);
	}
	free(line);
	if (f != stdin)
		fclose(f);
	if (!bad)
		return s;
	err_set(e, ERR_USAGE, "line %zu of the key script '%s' makes no sense", number, path);
	script_free(s);
	return NULL;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_texts; i++)
		free(s->texts[i]);
	free(s->texts);
	free(s->list);
	free(s);
}

void script_next(struct script *s, struct script_step *out)
{
	*out = s->at < s->n ? s->list[s->at++] : (struct script_step){.kind = SCRIPT_END};
	if (!out->text)
		out->text = "";
}
