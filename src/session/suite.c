/* SPDX-License-Identifier: MIT */
/* suite.c - reading concepts.tsv and the texts it names. */
#include "session/suite.h"

#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CONCEPTS = 10000, MOST_TEXTS = 100000, MOST_WORDS = 1000, MOST_LINE = 1 << 20 };

/* Calls fn for every line of a file that is not empty, without its end. */
static int each_line(const char *path, int (*fn)(void *, char *, size_t, u64, struct err *), void *context, struct err *e)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return err_os(e, "cannot open '%s'", path);
	char *line = NULL;
	size_t cap = 0;
	u64 number = 0;
	int bad = 0;
	for (ssize_t n; !bad && (n = getline(&line, &cap, f)) >= 0;) {
		number++;
		while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = 0;
		if (n > MOST_LINE || strlen(line) != (size_t)n)
			bad = err_set(e, ERR_DAMAGED, "'%s', line %llu, is %s", path, (unsigned long long)number,
				      n > MOST_LINE ? "too long" : "no text");
		else if (n)
			bad = fn(context, line, (size_t)n, number, e);
	}
	if (!bad && ferror(f))
		bad = err_os(e, "cannot read '%s'", path);
	free(line);
	fclose(f);
	return bad ? -1 : 0;
}

struct reading_text {
	struct suite_concept *c;
	const char *path;
};

static int find_language(struct suite_concept *c, const char *code, u8 *out)
{
	size_t i = 0;
	if (strlen(code) >= SUITE_LANGUAGE)
		return -1;
	while (i < c->n_languages && strcmp(c->languages[i], code))
		i++;
	if (i == SUITE_MAX_LANGUAGES)
		return -1;
	if (i == c->n_languages)
		snprintf(c->languages[c->n_languages++], SUITE_LANGUAGE, "%s", code);
	*out = (u8)i;
	return 0;
}

static int take_text(void *context, char *line, size_t n, u64 number, struct err *e)
{
	struct reading_text *r = context;
	struct suite_concept *c = r->c;
	char *what = xasprintf("'%s', line %llu,", r->path, (unsigned long long)number);
	const char *text, *language;
	struct suite_text t = {0};
	json_t *o = json_parse(line, n, what, e), *positive = json_object_get(o, "positive");
	int bad = !o || json_get_str(o, "text", &text, what, e) || json_get_str(o, "language", &language, what, e);
	if (!bad && !json_is_boolean(positive))
		bad = err_set(e, ERR_DAMAGED, "%s 'positive' is neither true nor false", what);
	if (!bad && !*text)
		bad = err_set(e, ERR_DAMAGED, "%s the text is empty", what);
	if (!bad && find_language(c, language, &t.language))
		bad = err_set(e, ERR_DAMAGED, "%s the language '%.20s' is too long or one too many", what, language);
	if (!bad && c->n == MOST_TEXTS)
		bad = err_set(e, ERR_DAMAGED, "'%s' has more than %d texts", r->path, MOST_TEXTS);
	if (!bad) {
		t.text = xstrdup(text);
		t.positive = json_is_true(positive);
		c->texts = xreallocarray(c->texts, c->n + 1, sizeof *c->texts);
		c->texts[c->n++] = t;
	}
	json_decref(o);
	free(what);
	return bad ? -1 : 0;
}

static int read_texts(const char *folder, struct suite_concept *c, struct err *e)
{
	char *path = xasprintf("%s/%s.jsonl", folder, c->name);
	struct reading_text r = {c, path};
	size_t kinds[2] = {0};
	int bad = each_line(path, take_text, &r, e);
	for (size_t i = 0; i < c->n; i++)
		if (!c->texts[i].language)
			kinds[c->texts[i].positive]++;
	if (!bad && (!kinds[0] || !kinds[1]))
		bad = err_set(e, ERR_DAMAGED, "'%s' has no %s text%s%s", path, kinds[1] ? "negative" : "positive",
			      c->n ? " in " : "", c->n ? c->languages[0] : "");
	free(path);
	return bad ? -1 : 0;
}

static void take_words(struct suite_concept *c, char *list)
{
	for (char *w; (w = strsep(&list, ",")) && c->n_words < MOST_WORDS;) {
		if (!*w)
			continue;
		c->words = xreallocarray(c->words, c->n_words + 1, sizeof *c->words);
		c->words[c->n_words++] = xstrdup(w);
	}
}

static bool is_name(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return false;
	return *s;
}

static int take_row(void *context, char *line, size_t n, u64 number, struct err *e)
{
	struct suite *s = context;
	char *field[4], *at = line;
	size_t k = 0;
	(void)n;
	if (line[0] == '#')
		return 0;
	for (; k < 4 && at; k++)
		field[k] = strsep(&at, "\t");
	if (k < 4 || at)
		return err_set(e, ERR_DAMAGED, "'%s/concepts.tsv', line %llu, wants four fields: name, title, key, words",
			       s->folder, (unsigned long long)number);
	if (!is_name(field[0]) || suite_find(s, field[0]))
		return err_set(e, ERR_DAMAGED, "'%s/concepts.tsv', line %llu: the name '%.40s' %s", s->folder,
			       (unsigned long long)number, field[0],
			       is_name(field[0]) ? "is there already" : "has other characters than letters, digits, - and _");
	if (s->n == MOST_CONCEPTS)
		return err_set(e, ERR_DAMAGED, "'%s/concepts.tsv' has more than %d concepts", s->folder, MOST_CONCEPTS);
	s->concepts = xreallocarray(s->concepts, s->n + 1, sizeof *s->concepts);
	struct suite_concept *c = &s->concepts[s->n++];
	*c = (struct suite_concept){.name = xstrdup(field[0]), .title = xstrdup(field[1]), .key = xstrdup(field[2])};
	take_words(c, field[3]);
	return read_texts(s->folder, c, e);
}

/* From a checkout nothing is installed: there the suite lies beside the demo atlas. */
static char *find_folder(const char *atlas)
{
	size_t n = atlas ? strlen(atlas) : 0;
	while (n && atlas[n - 1] == '/')
		n--;
	while (n && atlas[n - 1] != '/')
		n--;
	char *beside = xasprintf("%.*sconcepts", (int)n, atlas ? atlas : ""), *table = xasprintf("%s/concepts.tsv", beside);
	bool is = atlas && access(PKGDATADIR "/concepts/concepts.tsv", F_OK) && !access(table, F_OK);
	free(table);
	if (is)
		return beside;
	free(beside);
	return xstrdup(PKGDATADIR "/concepts");
}

struct suite *suite_open(const char *folder, const char *atlas, struct err *e)
{
	struct suite *s = xcalloc(1, sizeof *s);
	s->folder = folder ? xstrdup(folder) : find_folder(atlas);
	char *table = xasprintf("%s/concepts.tsv", s->folder);
	int bad = each_line(table, take_row, s, e);
	if (!bad && !s->n)
		bad = err_set(e, ERR_DAMAGED, "'%s' names no concept", table);
	free(table);
	if (!bad)
		return s;
	suite_free(s);
	return NULL;
}

void suite_free(struct suite *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		struct suite_concept *c = &s->concepts[i];
		for (size_t k = 0; k < c->n; k++)
			free(c->texts[k].text);
		for (size_t k = 0; k < c->n_words; k++)
			free(c->words[k]);
		free(c->texts);
		free(c->words);
		free(c->name);
		free(c->title);
		free(c->key);
	}
	free(s->concepts);
	free(s->folder);
	free(s);
}

const struct suite_concept *suite_find(const struct suite *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->concepts[i].name, name))
			return &s->concepts[i];
	return NULL;
}
