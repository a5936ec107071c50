/* SPDX-License-Identifier: MIT */
/* cmd_find.c - find ATLAS --pos FILE --neg FILE: the feature for a concept. */
#include "cmd/cmd.h"
#include "cmd/eval.h"

#include "backend/attach.h"
#include "base/buf.h"
#include "session/concept.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct session *s;
	bool chat;
	struct concept c;
	struct find_filter filter;
	enum find_value value;
	u64 folds, limit;
	char *tag; /* or NULL */
	struct progress progress;
	struct concept_result r;
};

static int share(const struct cmd_args *a, const char *name, f64 def, f32 *out, struct err *e)
{
	f64 x;
	if (arg_f64(a, name, def, &x, e))
		return -1;
	if (!(x >= 0 && x <= 1))
		return err_set(e, ERR_USAGE, "--%s is a share, from 0 to 1", name);
	*out = (f32)x;
	return 0;
}

static size_t n_negative(const struct job *j)
{
	return j->c.count[CONCEPT_NEGATIVE] ? j->c.count[CONCEPT_NEGATIVE] : j->c.count[CONCEPT_NOT];
}

static int add_files(struct job *j, const struct cmd_args *a, struct err *e)
{
	static const char *const names[] = {"pos", "neg", "not"};
	const char *path[N_CONCEPT_KINDS];
	for (int k = 0; k < N_CONCEPT_KINDS; k++)
		path[k] = arg_str(a, names[k], NULL);
	if (!path[CONCEPT_POSITIVE])
		return err_set(e, ERR_USAGE, "--pos and --neg name files of texts, a line each");
	for (int k = 0; k < N_CONCEPT_KINDS; k++) {
		if (!path[k])
			continue;
		if (concept_add_file(&j->c, (enum concept_kind)k, path[k], e))
			return -1;
		if (!j->c.count[k])
			return err_set(e, ERR_USAGE, "'%s' has no text", path[k]);
	}
	if (n_negative(j))
		return 0;
	return err_set(e, ERR_USAGE, "--pos and --neg name files of texts, a line each; '%s' says of none that it is negative",
		       path[CONCEPT_POSITIVE]);
}

static int read_texts(struct job *j, struct err *e)
{
	char warning[ATTACH_WARNING];
	struct backend *b = session_backend(j->s, e);
	if (!b)
		return -1;
	int bad = attach_model(b, j->s->atlas, &j->progress, warning, e);
	if (!bad)
		bad = concept_read(&j->c, &(struct concept_place){.atlas = j->s->atlas, .pool = j->s->pool, .backend = b,
								  .chat = j->chat, .value = j->value,
								  .progress = &j->progress}, e);
	detach_model(b);
	if (*warning)
		fprintf(stderr, "featlas find: warning: %s\n", warning);
	return bad;
}

static int work(struct job *j, const struct cmd_args *a, struct err *e)
{
	bool filtered = arg_flag(a, "on") || arg_flag(a, "off");
	if (arg_u64(a, "folds", 5, 2, 1000, &j->folds, e) || share(a, "on", 0, &j->filter.on, e) ||
	    share(a, "off", 1, &j->filter.off, e) || add_files(j, a, e) || read_texts(j, e) ||
	    concept_rank(&j->c, j->s->atlas->n_features, j->s->pool, filtered ? &j->filter : NULL, (u32)j->folds,
			 (size_t)j->limit, &j->r, e))
		return -1;
	return 0;
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

static json_t *found_json(struct job *j)
{
	const struct find_held_out *h = &j->r.held_out;
	json_t *list = json_array(), *o;
	for (size_t i = 0; i < j->r.n; i++)
		json_array_append_new(list, score_json(j->s, &j->r.best[i]));
	o = json_pack("{s:I, s:I, s:{s:o, s:I, s:o, s:I}, s:o}", "positive", (json_int_t)j->c.count[CONCEPT_POSITIVE],
		      "negative", (json_int_t)n_negative(j), "held_out", "auroc", json_f32(h->auroc), "folds",
		      (json_int_t)h->folds, "feature", h->times ? json_integer(h->chosen) : json_null(), "times",
		      (json_int_t)h->times, "features", list);
	if (j->c.count[CONCEPT_NOT])
		json_object_set_new(o, "barred", json_integer((json_int_t)j->r.n_barred));
	if (j->tag)
		json_object_set_new(o, "tag", json_text(j->tag, strlen(j->tag)));
	return o;
}

static void print_found(struct job *j)
{
	size_t positive = j->c.count[CONCEPT_POSITIVE], negative = n_negative(j);
	const struct find_held_out *h = &j->r.held_out;
	printf("%zu positive, %zu negative texts; chosen without a fold and judged on it: AUROC %.3f", positive, negative,
	       (f64)h->auroc);
	if (h->times)
		printf(", #%u in %u of %u folds", h->chosen, h->times, h->folds);
	puts("");
	if (j->c.count[CONCEPT_NOT])
		printf("%llu features fire on the %zu texts on which they may not\n", (unsigned long long)j->r.n_barred,
		       j->c.count[CONCEPT_NOT]);
	for (size_t i = 0; i < j->r.n; i++) {
		const struct find_score *x = &j->r.best[i];
		char *label = session_label_text(j->s, x->feature);
		printf("#%-7u AUROC %.3f  %+7.3f  fires on %u of %zu, %u of %zu  %s\n", x->feature, (f64)x->auroc,
		       (f64)x->mean_difference, x->n_positive, positive, x->n_negative, negative, label);
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
	const char *tag = arg_str(a, "tag", NULL);
	if (cmd_find_value(a, &j.value, e) || arg_u64(a, "limit", 20, 0, 1u << 24, &j.limit, e) ||
	    (tag && !(j.tag = note_clean_tag(tag, e))))
		return -1;
	if (!(j.s = cmd_open(a, e))) {
		free(j.tag);
		return -1;
	}
	struct cmd_progress *shown = cmd_progress_start(&j.progress);
	int bad = work(&j, a, e);
	cmd_progress_stop(shown);
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(found_json(&j));
	else if (!bad)
		print_found(&j);
	if (!bad && j.tag)
		bad = concept_tag(j.s, &j.r, j.tag, e);
	i64 n = j.r.n_features;
	free(j.tag);
	concept_release(&j.c);
	concept_result_release(&j.r);
	session_free(j.s);
	return bad ? -1 : n ? EXIT_OK : EXIT_NONE;
}
