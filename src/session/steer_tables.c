/* SPDX-License-Identifier: MIT */
/* steer_tables.c - choices, figures and trials as tab-separated tables. */
#include "session/steer_tables.h"

#include "base/mem.h"
#include "base/outfile.h"
#include "base/sha256.h"
#include "core/run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FIELDS = 16, MOST_ROWS = 1 << 20 };
static const char *const wheres[] = {"reply", "prompt", "both"};

static void list_of(const struct suite_concept *c, char out[17])
{
	struct buf all = BUF_INIT;
	char hex[65];
	for (size_t i = 0; i < c->n_words; i++)
		buf_add(&all, c->words[i], strlen(c->words[i]) + 1);
	sha256_bytes(all.s, all.n, hex);
	snprintf(out, 17, "%.16s", hex);
	buf_release(&all);
}

/* The file's checksum where the atlas has one, else its own name. */
static void dictionary_of(const struct atlas *a, char out[65])
{
	const json_t *d = json_object_get(json_object_get(a->json, "parts"), "dictionary");
	snprintf(out, 65, "%s", json_opt_str(d, "sha256", a->uuid));
}

/* ---- reading ---- */

struct table {
	struct steer_tables *t;
	char *path;
	u64 line;
	char *field[MOST_FIELDS];
	size_t n;
	bool failed;
	struct err *e;
};

static int wrong(struct table *x, const char *what)
{
	if (!x->failed)
		err_set(x->e, ERR_DAMAGED, "'%s', line %llu: %s", x->path, (unsigned long long)x->line, what);
	x->failed = true;
	return -1;
}

static f64 number(struct table *x, size_t i)
{
	char *end;
	f64 v = strtod(x->field[i], &end);
	if (end == x->field[i] || *end || !isfinite(v))
		wrong(x, "a number was expected");
	return v;
}

static u32 count(struct table *x, size_t i)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(x->field[i], &end, 10);
	if (end == x->field[i] || *end || errno || v > UINT32_MAX || x->field[i][0] == '-')
		wrong(x, "a whole number was expected");
	return (u32)v;
}

static int place(struct table *x, size_t i)
{
	for (int k = 0; k < (int)ARRAY_LEN(wheres); k++)
		if (!strcmp(wheres[k], x->field[i]))
			return k;
	return wrong(x, "reply, prompt or both was expected");
}

static int take_choice(struct table *x)
{
	struct steer_tables *t = x->t;
	struct steer_choice c = {.feature = NO_FEATURE, .where = WHERE_BOTH};
	if (x->n != 7)
		return wrong(x, "seven fields were expected");
	if (strcmp(x->field[1], "-")) {
		c.feature = count(x, 1);
		c.strength = number(x, 2);
		c.where = place(x, 3);
	}
	c.texts = count(x, 4);
	c.hits = count(x, 5);
	snprintf(c.list, sizeof c.list, "%s", x->field[6]);
	if (x->failed)
		return -1;
	c.concept = xstrdup(x->field[0]);
	t->choices = xreallocarray(t->choices, t->n_choices + 1, sizeof c);
	t->choices[t->n_choices++] = c;
	return 0;
}

static int take_figure(struct table *x)
{
	struct steer_tables *t = x->t;
	if (x->n != 12)
		return wrong(x, "twelve fields were expected");
	struct steer_figure f = {.feature = count(x, 1), .strength = number(x, 2), .where = place(x, 3), .seeds = count(x, 5),
				 .seeds_hit = count(x, 6), .texts = count(x, 7), .hits = count(x, 8), .baseline = count(x, 9),
				 .random = count(x, 10), .excess = number(x, 11)};
	snprintf(f.list, sizeof f.list, "%s", x->field[4]);
	if (x->failed)
		return -1;
	f.concept = xstrdup(x->field[0]);
	t->figures = xreallocarray(t->figures, t->n_figures + 1, sizeof f);
	t->figures[t->n_figures++] = f;
	return 0;
}

static int take_trial(struct table *x)
{
	struct steer_tables *t = x->t;
	if (x->n != 8)
		return wrong(x, "eight fields were expected");
	struct steer_trial f = {.feature = count(x, 1), .strength = number(x, 2), .round = count(x, 3), .texts = count(x, 4),
				.hits = count(x, 5), .words = number(x, 6), .excess = number(x, 7)};
	if (x->failed)
		return -1;
	f.concept = xstrdup(x->field[0]);
	t->trials = xreallocarray(t->trials, t->n_trials + 1, sizeof f);
	t->trials[t->n_trials++] = f;
	return 0;
}

static int take_line(struct table *x, char *line, int (*take)(struct table *))
{
	static const char of[] = "# dictionary ";
	char *at = line;
	line[strcspn(line, "\r\n")] = 0;
	x->line++;
	if (!strncmp(line, of, sizeof of - 1) && strcmp(line + sizeof of - 1, x->t->dictionary))
		return err_set(x->e, ERR_USAGE, "'%s' is about another dictionary; --steering DIR names a folder for this one",
			       x->path);
	if (!*line || *line == '#')
		return 0;
	for (x->n = 0; at && x->n < MOST_FIELDS;)
		x->field[x->n++] = strsep(&at, "\t");
	return at || x->line > MOST_ROWS ? wrong(x, "too many fields or lines") : take(x);
}

static int read_table(struct steer_tables *t, const char *name, int (*take)(struct table *), struct err *e)
{
	struct table x = {.t = t, .path = xasprintf("%s/%s", t->folder, name), .e = e};
	FILE *f = fopen(x.path, "r");
	int bad = f || errno == ENOENT ? 0 : err_os(e, "cannot open '%s'", x.path);
	char *line = NULL;
	size_t cap = 0;
	while (f && !bad && getline(&line, &cap, f) >= 0)
		bad = take_line(&x, line, take);
	if (f && !bad && ferror(f))
		bad = err_os(e, "cannot read '%s'", x.path);
	if (f)
		fclose(f);
	free(line);
	free(x.path);
	return bad ? -1 : 0;
}

struct steer_tables *steer_tables_open(const char *folder, const struct atlas *a, struct err *e)
{
	struct steer_tables *t = xcalloc(1, sizeof *t);
	t->folder = xstrdup(folder);
	dictionary_of(a, t->dictionary);
	if (!read_table(t, "choices.tsv", take_choice, e) && !read_table(t, "figures.tsv", take_figure, e) &&
	    !read_table(t, "trials.tsv", take_trial, e))
		return t;
	steer_tables_free(t);
	return NULL;
}

void steer_tables_free(struct steer_tables *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_choices; i++)
		free(t->choices[i].concept);
	for (size_t i = 0; i < t->n_figures; i++)
		free(t->figures[i].concept);
	for (size_t i = 0; i < t->n_trials; i++)
		free(t->trials[i].concept);
	free(t->choices);
	free(t->figures);
	free(t->trials);
	free(t->folder);
	free(t);
}

/* ---- rows ---- */

static struct steer_choice *find_choice(const struct steer_tables *t, const char *concept)
{
	for (size_t i = 0; i < t->n_choices; i++)
		if (!strcmp(t->choices[i].concept, concept))
			return &t->choices[i];
	return NULL;
}

static struct steer_figure *find_figure(const struct steer_tables *t, const char *concept)
{
	for (size_t i = 0; i < t->n_figures; i++)
		if (!strcmp(t->figures[i].concept, concept))
			return &t->figures[i];
	return NULL;
}

const struct steer_choice *steer_tables_choice(const struct steer_tables *t, const struct suite_concept *c)
{
	const struct steer_choice *x = find_choice(t, c->name);
	char list[17];
	list_of(c, list);
	return x && !strcmp(x->list, list) ? x : NULL;
}

const struct steer_figure *steer_tables_figure(const struct steer_tables *t, const struct suite_concept *c)
{
	const struct steer_choice *x = steer_tables_choice(t, c);
	const struct steer_figure *f = find_figure(t, c->name);
	return x && f && !strcmp(x->list, f->list) && x->feature == f->feature && fabs(x->strength - f->strength) < 1e-6 &&
			       x->where == f->where ? f : NULL;
}

void steer_tables_set_choice(struct steer_tables *t, const struct suite_concept *c, const struct steer_choice *x)
{
	struct steer_choice *to = find_choice(t, c->name);
	if (!to) {
		t->choices = xreallocarray(t->choices, t->n_choices + 1, sizeof *t->choices);
		to = &t->choices[t->n_choices++];
		to->concept = xstrdup(c->name);
	}
	char *name = to->concept;
	*to = *x;
	to->concept = name;
	list_of(c, to->list);
}

void steer_tables_set_figure(struct steer_tables *t, const struct suite_concept *c, const struct steer_figure *x)
{
	struct steer_figure *to = find_figure(t, c->name);
	if (!to) {
		t->figures = xreallocarray(t->figures, t->n_figures + 1, sizeof *t->figures);
		to = &t->figures[t->n_figures++];
		to->concept = xstrdup(c->name);
	}
	char *name = to->concept;
	*to = *x;
	to->concept = name;
	list_of(c, to->list);
}

void steer_tables_add_trial(struct steer_tables *t, const struct suite_concept *c, const struct steer_trial *x)
{
	t->trials = xreallocarray(t->trials, t->n_trials + 1, sizeof *t->trials);
	t->trials[t->n_trials] = *x;
	t->trials[t->n_trials++].concept = xstrdup(c->name);
}

void steer_tables_forget_trials(struct steer_tables *t, const struct suite_concept *c, u32 round)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n_trials; i++) {
		if (t->trials[i].round < round || strcmp(t->trials[i].concept, c->name))
			t->trials[n++] = t->trials[i];
		else
			free(t->trials[i].concept);
	}
	t->n_trials = n;
}

/* ---- writing ---- */

static int write_table(const struct steer_tables *t, const char *name, struct buf *b, struct err *e)
{
	char *path = xasprintf("%s/%s", t->folder, name);
	int bad = outfile_write_all(path, b->s, b->n, e);
	free(path);
	buf_release(b);
	return bad;
}

static int write_trials(const struct steer_tables *t, struct err *e)
{
	struct buf b = BUF_INIT;
	buf_addf(&b, "# dictionary %s\n# concept\tfeature\tstrength\tround\ttexts\thits\twords\tnats\n", t->dictionary);
	for (size_t i = 0; i < t->n_trials; i++) {
		const struct steer_trial *x = &t->trials[i];
		buf_addf(&b, "%s\t%u\t%g\t%u\t%u\t%u\t%.2f\t%.3f\n", x->concept, x->feature, x->strength, x->round,
			 x->texts, x->hits, x->words, x->excess);
	}
	return write_table(t, "trials.tsv", &b, e);
}

int steer_tables_write_choices(const struct steer_tables *t, struct err *e)
{
	struct buf b = BUF_INIT;
	buf_addf(&b, "# dictionary %s\n# concept\tfeature\tstrength\twhere\ttexts\thits\tlist\n", t->dictionary);
	for (size_t i = 0; i < t->n_choices; i++) {
		const struct steer_choice *x = &t->choices[i];
		if (x->feature == NO_FEATURE)
			buf_addf(&b, "%s\t-\t-\t-", x->concept);
		else
			buf_addf(&b, "%s\t%u\t%g\t%s", x->concept, x->feature, x->strength, wheres[x->where]);
		buf_addf(&b, "\t%u\t%u\t%s\n", x->texts, x->hits, x->list);
	}
	return write_table(t, "choices.tsv", &b, e) || write_trials(t, e) ? -1 : 0;
}

int steer_tables_write_figures(const struct steer_tables *t, struct err *e)
{
	struct buf b = BUF_INIT;
	buf_addf(&b, "# dictionary %s\n# concept\tfeature\tstrength\twhere\tlist\tseeds\tseeds hit\ttexts\tsteered\tbaseline\t"
		     "random\tnats\n", t->dictionary);
	for (size_t i = 0; i < t->n_figures; i++) {
		const struct steer_figure *x = &t->figures[i];
		buf_addf(&b, "%s\t%u\t%g\t%s\t%s\t%u\t%u\t%u\t%u\t%u\t%u\t%.3f\n", x->concept, x->feature, x->strength,
			 wheres[x->where], x->list, x->seeds, x->seeds_hit, x->texts, x->hits, x->baseline, x->random,
			 x->excess);
	}
	return write_table(t, "figures.tsv", &b, e);
}
