/* SPDX-License-Identifier: MIT */
/* suite_rank.c - the best feature for each concept, judged where it was not chosen. */
#include "session/suite_rank.h"

#include "base/mem.h"
#include "core/probe.h"
#include "session/suite_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_A_BATCH = 2048 };

/* Every text's values, from the rows of all. */
static int gather(struct session *s, const struct suite_concept *c, const struct suite_rows *r, enum find_value how,
		  struct find_text *out, struct err *e)
{
	u32 d = s->atlas->d_model;
	struct dict_row *rows = xcalloc(ROWS_A_BATCH, sizeof *rows);
	int bad = 0;
	for (size_t t = 0, at = 0; t < c->n && !bad;) {
		size_t n = 0, end = t;
		void *arena = NULL;
		/* whole texts; one that is longer than a batch makes it longer */
		while (end < c->n && (end == t || n + r->n[end] <= ROWS_A_BATCH))
			n += r->n[end++];
		if (n > ROWS_A_BATCH)
			rows = xreallocarray(rows, n, sizeof *rows);
		bad = n && dict_encode(s->atlas->dict, s->pool, r->x + at * d, n, rows, &arena, e);
		for (size_t k = 0; t < end && !bad; k += r->n[t++])
			find_gather(rows + k, r->n[t], how, c->texts[t].positive, &out[t]);
		at += n;
		free(arena);
	}
	free(rows);
	return bad ? -1 : 0;
}

static void judge_language(const struct suite_concept *c, const struct find_text *t, u8 language, u32 feature,
			   struct suite_language *out)
{
	bool *use = xcalloc(c->n + 1, sizeof *use);
	snprintf(out->code, sizeof out->code, "%s", c->languages[language]);
	for (size_t i = 0; i < c->n; i++)
		if ((use[i] = c->texts[i].language == language))
			*(t[i].positive ? &out->n_positive : &out->n_negative) += 1;
	out->auroc = find_auroc(t, c->n, feature, use);
	free(use);
}

/* t: of all texts. */
static int judge(struct session *s, const struct suite_concept *c, const struct find_text *t, u32 folds,
		 struct suite_result *out, struct err *e)
{
	u32 f = s->atlas->n_features;
	struct find_text *own = xcalloc(c->n + 1, sizeof *own);
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (!c->texts[i].language) {
			*(t[i].positive ? &out->n_positive : &out->n_negative) += 1;
			own[n++] = t[i];
		}
	i64 found = find_rank(own, n, f, NULL, s->pool, out->top, SUITE_TOP, e);
	out->n_top = (size_t)MIN(MAX(found, 0), SUITE_TOP);
	int bad = found < 0 || (found > 0 && find_held_out(own, n, f, folds, NULL, s->pool, &out->held_out, e));
	for (u8 l = 1; l < c->n_languages && !bad && found > 0; l++)
		judge_language(c, t, l, out->top[0].feature, &out->languages[out->n_languages++]);
	free(own);
	return bad ? -1 : 0;
}

/* What all numbers of the mean row tell, on the same texts and folds. */
static int probe(const struct suite_concept *c, const struct suite_rows *r, u32 d, u32 folds, f32 *out, struct err *e)
{
	f32 *mean = mem_try((u64)c->n * d + 1, sizeof *mean, "mean rows", e);
	bool *positive = xcalloc(c->n + 1, sizeof *positive);
	size_t n = 0;
	for (size_t i = 0, at = 0; i < c->n && mean; at += r->n[i++]) {
		if (c->texts[i].language)
			continue;
		for (u32 k = 0; k < r->n[i]; k++)
			for (u32 j = 0; j < d; j++)
				mean[n * d + j] += r->x[(at + k) * d + j] / (f32)r->n[i];
		positive[n++] = c->texts[i].positive;
	}
	int bad = mean ? probe_held_out(mean, positive, n, d, folds, out, e) : -1;
	free(mean);
	free(positive);
	return bad;
}

static int run_one(struct session *s, struct backend *b, const struct suite_concept *c, const struct suite_options *o,
		   struct suite_result *out, struct err *e)
{
	struct suite_rows rows;
	*out = (struct suite_result){.concept = c, .held_out = {.auroc = NAN, .chosen = UINT32_MAX}};
	if (suite_rows_read(s, b, c, o->chat, &rows, e))
		return -1;
	struct find_text *t = xcalloc(c->n + 1, sizeof *t);
	int bad = gather(s, c, &rows, o->value, t, e) || judge(s, c, t, o->folds, out, e) ||
		  probe(c, &rows, s->atlas->d_model, o->folds, &out->dense, e);
	for (size_t i = 0; i < c->n; i++)
		find_text_release(&t[i]);
	free(t);
	suite_rows_release(&rows);
	return bad ? err_wrap(e, "the concept '%s'", c->name) : 0;
}

int suite_rank(struct session *s, struct backend *b, const struct suite *suite, const struct suite_options *o,
		 struct suite_result *out, struct progress *progress, struct err *e)
{
	progress_start(progress, "reading", "concepts", suite->n);
	for (size_t i = 0; i < suite->n; i++) {
		if (run_one(s, b, &suite->concepts[i], o, &out[i], e))
			return -1;
		progress_add(progress, 1);
		if (progress_cancelled(progress))
			return err_set(e, ERR_CANCELLED, "stopped on request");
	}
	return 0;
}

size_t suite_languages_good(const struct suite_result *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_languages; i++)
		n += r->languages[i].auroc >= SUITE_GOOD;
	return n;
}
