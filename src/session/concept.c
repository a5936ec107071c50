/* SPDX-License-Identifier: MIT */
/* concept.c - texts of a concept and others, and the features that tell them apart. */
#include "session/concept.h"

#include "base/bits.h"
#include "base/mem.h"
#include "session/reading.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the texts ---- */

static void forget(struct concept_text *t)
{
	free(t->found.id);
	free(t->found.value);
	t->found = (struct find_text){.positive = t->kind == CONCEPT_POSITIVE};
	t->read = false;
}

void concept_release(struct concept *c)
{
	for (size_t i = 0; i < c->n; i++) {
		forget(&c->text[i]);
		free(c->text[i].text);
	}
	free(c->text);
	*c = (struct concept){0};
}

static void copy_found(const struct find_text *from, struct find_text *to)
{
	*to = *from;
	to->id = xcalloc(from->n + 1, sizeof *to->id);
	to->value = xcalloc(from->n + 1, sizeof *to->value);
	if (from->n) {
		memcpy(to->id, from->id, from->n * sizeof *to->id);
		memcpy(to->value, from->value, from->n * sizeof *to->value);
	}
}

void concept_copy(const struct concept *c, struct concept *out)
{
	*out = *c;
	out->text = xcalloc(c->n + 1, sizeof *out->text);
	for (size_t i = 0; i < c->n; i++) {
		out->text[i] = c->text[i];
		out->text[i].text = xstrdup(c->text[i].text);
		copy_found(&c->text[i].found, &out->text[i].found);
	}
}

int concept_add(struct concept *c, enum concept_kind kind, const char *text, size_t n, struct err *e)
{
	if (c->n == CONCEPT_MOST_TEXTS)
		return err_set(e, ERR_USAGE, "more than %d texts", CONCEPT_MOST_TEXTS);
	c->text = xreallocarray(c->text, c->n + 1, sizeof *c->text);
	struct concept_text *t = &c->text[c->n++];
	*t = (struct concept_text){.text = xstrndup(text, n), .kind = kind};
	t->found.positive = kind == CONCEPT_POSITIVE;
	c->count[kind]++;
	return 0;
}

void concept_remove(struct concept *c, size_t i)
{
	c->count[c->text[i].kind]--;
	forget(&c->text[i]);
	free(c->text[i].text);
	memmove(c->text + i, c->text + i + 1, (--c->n - i) * sizeof *c->text);
}

void concept_forget(struct concept *c)
{
	for (size_t i = 0; i < c->n; i++)
		forget(&c->text[i]);
}

static int add_line(struct concept *c, enum concept_kind kind, const char *file, u64 number, const char *line, size_t n,
		    struct err *e)
{
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (!n)
		return 0;
	if (*line != '{')
		return concept_add(c, kind, line, n, e);
	char *what = xasprintf("'%s', line %llu,", file, (unsigned long long)number);
	const char *s;
	json_t *o = json_parse(line, n, what, e);
	bool other = kind == CONCEPT_POSITIVE && o && !json_opt_bool(o, "positive", true);
	int bad = !o || json_get_str(o, "text", &s, what, e) ||
		  concept_add(c, other ? CONCEPT_NEGATIVE : kind, s, strlen(s), e);
	json_decref(o);
	free(what);
	return bad ? -1 : 0;
}

int concept_add_file(struct concept *c, enum concept_kind kind, const char *path, struct err *e)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	int bad = f ? 0 : err_os(e, "cannot open '%s'", path);
	u64 number = 0;
	for (ssize_t n; !bad && (n = getline(&line, &cap, f)) >= 0;) {
		number++;
		bad = n > CONCEPT_MOST_LINE ? err_set(e, ERR_USAGE, "'%s', line %llu, is longer than a text may be", path,
						      (unsigned long long)number)
					    : add_line(c, kind, path, number, line, (size_t)n, e);
	}
	if (!bad && ferror(f))
		bad = err_os(e, "cannot read '%s'", path);
	free(line);
	if (f)
		fclose(f);
	return bad;
}

/* ---- what fires on them ---- */

/* Of the tokens that count. */
static void gather(const struct reading *t, enum find_value how, bool positive, struct find_text *out)
{
	struct dict_row *rows = xcalloc(t->n + 1, sizeof *rows);
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++)
		if (!(t->flags[i] & TOKEN_MASKED))
			rows[n++] = t->rows[i];
	find_gather(rows, n, how, positive, out);
	free(rows);
}

int concept_read(struct concept *c, const struct concept_place *p, struct err *e)
{
	struct session s = {.atlas = p->atlas, .pool = p->pool};
	size_t want = 0;
	for (size_t i = 0; i < c->n; i++)
		want += !c->text[i].read;
	progress_start(p->progress, "reading", "texts", want);
	for (size_t i = 0; i < c->n; i++) {
		struct concept_text *x = &c->text[i];
		struct reading t;
		if (x->read)
			continue;
		if (progress_cancelled(p->progress))
			return err_set(e, ERR_CANCELLED, "stopped on request");
		if (reading_make(&s, p->backend, x->text, p->chat, &t, e))
			return err_wrap(e, "the text '%.40s'", x->text);
		forget(x);
		gather(&t, p->value, x->kind == CONCEPT_POSITIVE, &x->found);
		x->read = true;
		reading_release(&t);
		progress_add(p->progress, 1);
	}
	return 0;
}

/* ---- ranking ---- */

static u64 bar(const struct concept *c, u64 *barred)
{
	u64 n = 0;
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; c->text[i].kind == CONCEPT_NOT && k < c->text[i].found.n; k++) {
			u32 f = c->text[i].found.id[k];
			n += !bits_has(barred, f);
			barred[f / 64] |= (u64)1 << (f % 64);
		}
	return n;
}

/* A text's features but for the barred ones. */
static void keep_others(struct find_text *t, const u64 *barred)
{
	size_t n = 0;
	for (size_t k = 0; k < t->n; k++) {
		if (bits_has(barred, t->id[k]))
			continue;
		t->id[n] = t->id[k];
		t->value[n++] = t->value[k];
	}
	t->n = n;
}

int concept_rank(const struct concept *c, u32 n_features, struct pool *pool, const struct find_filter *filter, u32 folds,
		 size_t cap, struct concept_result *out, struct err *e)
{
	*out = (struct concept_result){.held_out = {.auroc = NAN}};
	if (!c->count[CONCEPT_POSITIVE] || !(c->count[CONCEPT_NEGATIVE] + c->count[CONCEPT_NOT]))
		return err_set(e, ERR_USAGE, "there must be texts of both kinds, positive and negative");
	u64 *barred = xcalloc(n_features / 64 + (size_t)1, sizeof *barred);
	struct find_text *texts = xcalloc(c->n + 1, sizeof *texts);
	size_t n = 0;
	out->n_barred = bar(c, barred);
	for (size_t i = 0; i < c->n; i++)
		if (c->text[i].kind != CONCEPT_NOT || !c->count[CONCEPT_NEGATIVE]) {
			copy_found(&c->text[i].found, &texts[n]);
			keep_others(&texts[n++], barred);
		}
	out->best = xcalloc(cap + 1, sizeof *out->best);
	out->n_features = find_rank(texts, n, n_features, filter, pool, out->best, cap, e);
	int bad = out->n_features < 0 ? -1 : 0;
	if (!bad && out->n_features)
		bad = find_held_out(texts, n, n_features, folds, filter, pool, &out->held_out, e);
	out->n = bad ? 0 : (size_t)MIN((u64)out->n_features, (u64)cap);
	for (size_t i = 0; i < n; i++) {
		free(texts[i].id);
		free(texts[i].value);
	}
	free(texts);
	free(barred);
	if (bad)
		concept_result_release(out);
	return bad;
}

void concept_result_release(struct concept_result *r)
{
	free(r->best);
	*r = (struct concept_result){0};
}

int concept_tag(struct session *s, const struct concept_result *r, const char *tag, struct err *e)
{
	u32 *list = xcalloc(r->n + 1, sizeof *list);
	for (size_t i = 0; i < r->n; i++)
		list[i] = r->best[i].feature;
	int bad = note_tag(s->note, list, r->n, tag, true, e);
	free(list);
	return bad;
}
