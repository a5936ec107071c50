/* SPDX-License-Identifier: MIT */
/* cmd_find.c - find ATLAS --pos FILE --neg FILE: the feature for a concept. */
#include "cmd/cmd.h"
#include "cmd/eval.h"

#include "backend/steer.h"
#include "base/buf.h"
#include "base/mem.h"
#include "core/find.h"
#include "session/reading.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXTS = 100000, MOST_LINE = 1 << 20 };

struct job {
	struct session *s;
	bool chat;
	enum find_value value;
	char **texts;
	struct find_text *found; /* of each text */
	size_t n, n_positive;
	struct progress progress;
	struct find_score *best;
	size_t cap;
	i64 n_features; /* that fire on any of them */
	struct find_held_out held_out;
};

/* A line {"text": ...}, or a line that is the text itself. */
static int take_line(struct job *j, const char *file, u64 number, const char *line, size_t n, bool positive, struct err *e)
{
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (!n)
		return 0;
	char *text = NULL;
	if (*line == '{') {
		char *what = xasprintf("'%s', line %llu,", file, (unsigned long long)number);
		const char *s;
		json_t *o = json_parse(line, n, what, e);
		if (o && !json_get_str(o, "text", &s, what, e))
			text = xstrdup(s);
		json_decref(o);
		free(what);
		if (!text)
			return -1;
	} else
		text = xstrndup(line, n);
	if (j->n == MOST_TEXTS) {
		free(text);
		return err_set(e, ERR_USAGE, "more than %d texts", MOST_TEXTS);
	}
	j->texts = xreallocarray(j->texts, j->n + 1, sizeof *j->texts);
	j->found = xreallocarray(j->found, j->n + 1, sizeof *j->found);
	j->found[j->n] = (struct find_text){.positive = positive};
	j->texts[j->n++] = text;
	return 0;
}

static int read_file(struct job *j, const char *path, bool positive, struct err *e)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	int bad = f ? 0 : err_os(e, "cannot open '%s'", path);
	u64 number = 0;
	for (ssize_t n; !bad && (n = getline(&line, &cap, f)) >= 0;) {
		number++;
		bad = n > MOST_LINE ? err_set(e, ERR_USAGE, "'%s', line %llu, is longer than a text may be", path,
					      (unsigned long long)number)
				    : take_line(j, path, number, line, (size_t)n, positive, e);
	}
	if (!bad && ferror(f))
		bad = err_os(e, "cannot read '%s'", path);
	free(line);
	if (f)
		fclose(f);
	return bad;
}

/* Of the tokens that count. */
static void gather(const struct reading *t, enum find_value how, struct find_text *out)
{
	struct dict_row *rows = xcalloc(t->n + 1, sizeof *rows);
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++)
		if (!(t->flags[i] & TOKEN_MASKED))
			rows[n++] = t->rows[i];
	find_gather(rows, n, how, out->positive, out);
	free(rows);
}

static int read_texts(struct job *j, struct err *e)
{
	char warning[256] = "";
	struct backend *b = session_backend(j->s, e);
	if (!b)
		return -1;
	backend_watch(b, &j->progress);
	int bad = backend_connect(b, &j->progress, e) || steer_check_model(b, j->s->atlas, warning, sizeof warning, e) ? -1 : 0;
	if (!bad)
		progress_start(&j->progress, "reading", "texts", j->n);
	for (size_t i = 0; i < j->n && !bad; i++) {
		struct reading t;
		bad = reading_make(j->s, b, j->texts[i], j->chat, &t, e);
		if (bad)
			err_wrap(e, "the text '%.40s'", j->texts[i]);
		else
			gather(&t, j->value, &j->found[i]);
		reading_release(&t);
		progress_add(&j->progress, 1);
	}
	backend_watch(b, NULL);
	if (*warning)
		fprintf(stderr, "featlas find: warning: %s\n", warning);
	return bad;
}

static int work(struct job *j, const struct cmd_args *a, struct err *e)
{
	const char *pos = arg_str(a, "pos", NULL), *neg = arg_str(a, "neg", NULL);
	u64 folds;
	if (!pos || !neg)
		return err_set(e, ERR_USAGE, "--pos and --neg name files of texts, a line each");
	if (arg_u64(a, "folds", 5, 2, 1000, &folds, e) || read_file(j, pos, true, e))
		return -1;
	j->n_positive = j->n;
	if (read_file(j, neg, false, e))
		return -1;
	if (!j->n_positive || j->n == j->n_positive)
		return err_set(e, ERR_USAGE, "'%s' has no text", j->n_positive ? neg : pos);
	j->best = xcalloc(j->cap + 1, sizeof *j->best);
	if (read_texts(j, e))
		return -1;
	u32 f = j->s->atlas->n_features;
	j->n_features = find_rank(j->found, j->n, f, j->s->pool, j->best, j->cap, e);
	return j->n_features < 0 ? -1 : find_held_out(j->found, j->n, f, (u32)folds, j->s->pool, &j->held_out, e);
}

static json_t *score_json(struct session *s, const struct find_score *x)
{
	json_t *j = cmd_feature_json(s, x->feature);
	json_object_set_new(j, "auroc", json_f32(x->auroc));
	json_object_set_new(j, "mean_difference", json_f32(x->mean_difference));
	json_object_set_new(j, "fires_on_positive", json_integer(x->n_positive));
	json_object_set_new(j, "fires_on_negative", json_integer(x->n_negative));
	return j;
}

static void print_found(struct job *j, bool json)
{
	size_t n = MIN((size_t)j->n_features, j->cap), negative = j->n - j->n_positive;
	const struct find_held_out *h = &j->held_out;
	if (json) {
		json_t *list = json_array();
		for (size_t i = 0; i < n; i++)
			json_array_append_new(list, score_json(j->s, &j->best[i]));
		cmd_print_json(json_pack("{s:I, s:I, s:{s:o, s:I, s:o, s:I}, s:o}", "positive", (json_int_t)j->n_positive,
					 "negative", (json_int_t)negative, "held_out", "auroc", json_f32(h->auroc), "folds",
					 (json_int_t)h->folds, "feature",
					 h->folds ? json_integer(h->chosen) : json_null(), "times", (json_int_t)h->times,
					 "features", list));
		return;
	}
	printf("%zu positive, %zu negative texts; chosen without a fold and judged on it: AUROC %.3f", j->n_positive, negative,
	       (f64)h->auroc);
	if (h->folds)
		printf(", #%u in %u of %u folds", h->chosen, h->times, h->folds);
	puts("");
	for (size_t i = 0; i < n; i++) {
		const struct find_score *x = &j->best[i];
		char *label = session_label_text(j->s, x->feature);
		printf("#%-7u AUROC %.3f  %+7.3f  fires on %u of %zu, %u of %zu  %s\n", x->feature, (f64)x->auroc,
		       (f64)x->mean_difference, x->n_positive, j->n_positive, x->n_negative, negative, label);
		free(label);
	}
}

int cmd_find_value(const struct cmd_args *a, enum find_value *out, struct err *e)
{
	const char *s = arg_str(a, "value", "max");
	*out = strcmp(s, "mean") ? FIND_MAX : FIND_MEAN;
	return *out == FIND_MAX && strcmp(s, "max") ? err_set(e, ERR_USAGE, "--value is max or mean, not '%s'", s) : 0;
}

int cmd_find(const struct cmd_args *a, struct err *e)
{
	struct job j = {.chat = !arg_flag(a, "plain")};
	u64 limit;
	if (cmd_find_value(a, &j.value, e) || arg_u64(a, "limit", 20, 0, 1u << 24, &limit, e) || !(j.s = cmd_open(a, e)))
		return -1;
	j.cap = (size_t)limit;
	struct cmd_progress *shown = cmd_progress_start(&j.progress);
	int bad = work(&j, a, e);
	cmd_progress_stop(shown);
	if (!bad)
		print_found(&j, arg_flag(a, "json"));
	for (size_t i = 0; i < j.n; i++) {
		free(j.texts[i]);
		find_text_release(&j.found[i]);
	}
	free(j.texts);
	free(j.found);
	free(j.best);
	session_free(j.s);
	return bad ? -1 : j.n_features ? EXIT_OK : EXIT_NONE;
}
