/* SPDX-License-Identifier: MIT */
/* cmd_judge.c - judge ATLAS [ID ...]: are the labels true?  Asked of a chat endpoint, or of their own words. */
#include "cmd/asked.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "session/label_judge.h"
#include "session/quiz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct session *s;
	struct judge judge;
	struct chat chat;
	struct progress progress;
	struct judge_item *items;
	size_t n;
	u64 workers;
	int kind; /* enum label_kind, or -1: the label that is shown */
	bool keep;
};

static int read_options(struct job *j, const struct cmd_args *a, struct err *e)
{
	const char *method = arg_str(a, "method", "detection"), *kind = arg_str(a, "kind", NULL);
	u64 seed;
	int m = 0;
	while (m < N_JUDGE_METHODS && strcmp(judge_methods[m], method))
		m++;
	if (m == N_JUDGE_METHODS)
		return err_set(e, ERR_USAGE, "--method is detection, fuzzing, lexical or topic, not '%s'", method);
	j->kind = -1;
	for (int k = 0; kind && k < N_LABEL_KINDS; k++)
		if (!strcmp(label_kind_words[k], kind))
			j->kind = k;
	if (kind && j->kind < 0)
		return err_set(e, ERR_USAGE, "--kind is person, machine or lexical, not '%s'", kind);
	if (arg_u64(a, "seed", 1, 0, UINT32_MAX, &seed, e) || arg_u64(a, "workers", 1, 1, 64, &j->workers, e))
		return -1;
	j->judge.method = (enum judge_method)m;
	j->judge.ask = (struct evidence_ask){.n_fires = JUDGE_FIRES, .n_other = JUDGE_OTHER, .n_near = JUDGE_NEAR,
					     .fuzzing = m == JUDGE_FUZZING, .seed = seed};
	j->judge.progress = &j->progress;
	if (m == JUDGE_DETECTION || m == JUDGE_FUZZING) {
		j->judge.chat = &j->chat;
		return asked_chat(a, &j->chat, &j->progress, e);
	}
	if (arg_flag(a, "endpoint") || arg_flag(a, "dry-run"))
		return err_set(e, ERR_USAGE, "the method %s asks nobody: it takes no --endpoint and no --dry-run", method);
	return 0;
}

/* ---- which labels ---- */

struct best {
	int kind;
	bool found;
	struct label label;
};

static void see_label(void *context, const struct label *l)
{
	struct best *b = context;
	if ((int)l->kind != b->kind || (b->found && !(l->score > b->label.score)))
		return;
	b->found = true;
	b->label = *l;
}

static bool find_label(const struct job *j, u32 feature, struct label *out)
{
	struct best b = {.kind = j->kind};
	if (j->kind < 0)
		return session_label(j->s, feature, out);
	session_each_label(j->s, feature, see_label, &b);
	*out = b.label;
	return b.found;
}

/* One line of valid UTF-8, as it is kept and sent. */
static char *clean(struct span s)
{
	struct buf b = BUF_INIT;
	utf8_add_valid(&b, (const char *)s.p, s.n);
	for (size_t i = 0; i < b.n; i++)
		if ((u8)b.s[i] < ' ')
			b.s[i] = ' ';
	return buf_take(&b);
}

static int find_items(struct job *j, const struct cmd_args *a, struct err *e)
{
	u32 *ids;
	size_t n;
	u64 limit;
	int bad = arg_u64(a, "limit", UINT64_MAX, 0, UINT64_MAX, &limit, e);
	if (bad || asked_features(a, j->s, &ids, &n, e)) {
		if (!bad)
			free(ids);
		return -1;
	}
	j->items = xcalloc(n + 1, sizeof *j->items);
	for (size_t i = 0; i < n && j->n < limit; i++) {
		struct label l;
		if (!find_label(j, ids[i], &l))
			continue;
		struct judge_item *x = &j->items[j->n++];
		*x = (struct judge_item){.feature = ids[i], .label = clean(l.text), .kind = l.kind};
		if (!arg_flag(a, "again"))
			judge_find(&j->judge, x);
	}
	free(ids);
	return j->n ? 0 : err_set(e, ERR_NOT_FOUND, "none of these features has such a label");
}

/* ---- printing ---- */

static void print_item(const struct job *j, const struct judge_item *x, bool json)
{
	struct evidence_figures f;
	if (json) {
		struct judged_method m = judge_method_of(&j->judge);
		json_t *o = json_pack("{s:I, s:o, s:s, s:s, s:o}", "id", (json_int_t)x->feature, "label",
				      json_text(x->label, strlen(x->label)), "kind", label_kind_words[x->kind], "method", m.name, "model",
				      *m.model ? json_text(m.model, strlen(m.model)) : json_null());
		json_object_update_new(o, evidence_json(&x->score));
		cmd_print_json(o);
		return;
	}
	struct buf b = BUF_INIT;
	evidence_figures(&x->score, &f);
	buf_addf(&b, "#%u\t%.3f\t%u/%u\t%u/%u\t", x->feature, (f64)f.balanced, x->score.fires[1], x->score.fires[0],
		 x->score.silent[1], x->score.silent[0]);
	utf8_add_safe(&b, x->label, strlen(x->label));
	buf_addc(&b, '\n');
	cmd_flush(&b);
	buf_release(&b);
}

static int by_value(const void *a, const void *b)
{
	f32 x = *(const f32 *)a, y = *(const f32 *)b;
	return (x > y) - (x < y);
}

static f64 quantile(const f32 *v, size_t n, f64 p)
{
	f64 at = p * (f64)(n - 1);
	size_t i = (size_t)at;
	f64 low = (f64)v[i], high = (f64)v[MIN(i + 1, n - 1)];
	return low + (at - (f64)i) * (high - low);
}

static json_t *share_json(const u32 n[2])
{
	return n[0] ? json_real((f64)n[1] / n[0]) : json_null();
}

/* The labels of a kind (-1: all), together. */
static json_t *summary(const struct job *j, int kind)
{
	f32 *v = xcalloc(j->n + 1, sizeof *v);
	struct evidence_score all = {0};
	size_t n = 0;
	for (size_t i = 0; i < j->n; i++) {
		const struct judge_item *x = &j->items[i];
		struct evidence_figures f;
		if (x->state != JUDGE_DONE || (kind >= 0 && (int)x->kind != kind))
			continue;
		evidence_figures(&x->score, &f);
		v[n++] = f.balanced;
		for (int k = 0; k < 2; k++) {
			all.fires[k] += x->score.fires[k];
			all.silent[k] += x->score.silent[k];
			all.near[k] += x->score.near[k];
			for (int l = 0; l < EVIDENCE_LEVELS; l++)
				all.level[l][k] += x->score.level[l][k];
		}
		all.n_assumed += x->score.n_assumed;
	}
	qsort(v, n, sizeof *v, by_value);
	const char *name = kind < 0 ? "all" : label_kind_words[kind];
	json_t *o = json_pack("{s:s, s:I}", "kind", name, "labels", (json_int_t)n), *levels = json_array();
	static const struct {
		const char *name;
		f64 p;
	} points[] = {{"lower_quartile", 0.25}, {"median", 0.5}, {"upper_quartile", 0.75}};
	for (size_t i = 0; i < ARRAY_LEN(points) && n; i++)
		json_object_set_new(o, points[i].name, json_real(quantile(v, n, points[i].p)));
	size_t high = 0;
	for (size_t i = 0; i < n; i++)
		high += v[i] >= 0.8f;
	json_object_set_new(o, "from_0.8", n ? json_real((f64)high / (f64)n) : json_null());
	json_object_set_new(o, "right_where_it_fires", share_json(all.fires));
	json_object_set_new(o, "right_where_silent", share_json(all.silent));
	json_object_set_new(o, "right_at_neighbours", share_json(all.near));
	for (int l = 0; l < EVIDENCE_LEVELS; l++)
		json_array_append_new(levels, share_json(all.level[l]));
	json_object_set_new(o, "right_by_level", levels);
	json_object_set_new(o, "assumed_silent", all.silent[0] ? json_real((f64)all.n_assumed / all.silent[0]) : json_null());
	free(v);
	return o;
}

static void print_summary_line(const json_t *o)
{
	printf("%-8s %6llu labels  median %.3f, quartiles %.3f to %.3f, %.0f %% from 0.8\n", json_opt_str(o, "kind", ""),
	       (unsigned long long)json_opt_u64(o, "labels", 0), json_opt_f64(o, "median", (f64)NAN),
	       json_opt_f64(o, "lower_quartile", (f64)NAN), json_opt_f64(o, "upper_quartile", (f64)NAN),
	       100 * json_opt_f64(o, "from_0.8", 0));
	printf("         right: %.3f where it fires", json_opt_f64(o, "right_where_it_fires", (f64)NAN));
	const json_t *levels = json_object_get(o, "right_by_level");
	for (size_t l = 0; l < json_array_size(levels); l++)
		printf("%s%.2f", l ? " " : " (from the weakest: ",
		       json_is_real(json_array_get(levels, l)) ? json_real_value(json_array_get(levels, l)) : (f64)NAN);
	printf("), %.3f where it is silent", json_opt_f64(o, "right_where_silent", (f64)NAN));
	if (json_is_real(json_object_get(o, "right_at_neighbours")))
		printf(", %.3f at neighbours", json_opt_f64(o, "right_at_neighbours", 0));
	if (json_opt_f64(o, "assumed_silent", 0) > 0)
		printf("; silence assumed in %.0f %%", 100 * json_opt_f64(o, "assumed_silent", 0));
	puts("");
}

static void print_summary(const struct job *j, bool json)
{
	for (int k = -1; k < N_LABEL_KINDS; k++) {
		json_t *o = summary(j, k);
		if (k >= 0 && !json_opt_u64(o, "labels", 0))
			json_decref(o);
		else if (json)
			cmd_print_json(o);
		else {
			print_summary_line(o);
			json_decref(o);
		}
	}
}

/* What was not judged is said, and why: it is no score. */
static void say_rest(const struct job *j)
{
	size_t n[4] = {0}, parts = 0;
	for (size_t i = 0; i < j->n; i++) {
		n[j->items[i].state]++;
		parts += j->items[i].state == JUDGE_DONE && j->items[i].score.n_unjudged;
	}
	if (n[JUDGE_NO_TEXTS])
		fprintf(stderr, "featlas judge: %zu have too few contexts to ask about\n", n[JUDGE_NO_TEXTS]);
	if (n[JUDGE_FAILED] + n[JUDGE_WAITING])
		fprintf(stderr, "featlas judge: %zu of %zu labels were not judged%s%s\n",
			n[JUDGE_FAILED] + n[JUDGE_WAITING], j->n, *j->chat.why ? ": " : "", j->chat.why);
	if (parts)
		fprintf(stderr, "featlas judge: of %zu labels some texts were not judged\n", parts);
}

/* ---- the command ---- */

static int dry_run(struct job *j, const struct cmd_args *a, struct err *e)
{
	struct asked_dry d = {0};
	for (size_t i = 0; i < j->n; i++) {
		struct err why = {0};
		if (j->items[i].state == JUDGE_WAITING && judge_requests(&j->judge, &j->items[i], asked_print, &d, &why) &&
		    why.code == ERR_UNAVAILABLE) {
			*e = why;
			return -1;
		}
	}
	asked_say_dry(a, &j->chat, &d);
	return 0;
}

static int judge(struct job *j, struct err *e)
{
	struct pool *pool = j->judge.chat ? pool_new((unsigned)j->workers) : j->s->pool;
	struct cmd_progress *shown = cmd_progress_start(&j->progress);
	int bad = judge_all(&j->judge, j->items, j->n, pool, e);
	cmd_progress_stop(shown);
	if (j->judge.chat)
		pool_free(pool);
	/* what was paid for is kept, also when it was interrupted */
	struct err why = {0};
	if (j->keep && (!bad || e->code == ERR_CANCELLED) && judge_keep(&j->judge, j->items, j->n, bad ? &why : e))
		bad = -1;
	return bad;
}

static int run(struct job *j, const struct cmd_args *a, struct err *e)
{
	const struct atlas *at = j->s->atlas;
	const char *lacks = !at->store ? "store" : !at->vocab ? "vocab"
			  : j->judge.method == JUDGE_TOPIC && !at->scores ? "scores" : NULL;
	if (lacks)
		return err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(at, lacks));
	j->judge.atlas = at;
	j->keep = !arg_flag(a, "no-keep");
	bool dry = arg_flag(a, "dry-run");
	if ((j->keep && !dry && asked_writable(j->s, e)) || find_items(j, a, e))
		return -1;
	if (dry)
		return dry_run(j, a, e);
	return judge(j, e);
}

int cmd_judge(const struct cmd_args *a, struct err *e)
{
	struct job j = {0};
	int bad = read_options(&j, a, e) || !(j.s = cmd_open(a, e)) || run(&j, a, e);
	size_t n_done = 0;
	if (!arg_flag(a, "dry-run") && (!bad || e->code == ERR_CANCELLED)) {
		for (size_t i = 0; i < j.n; i++)
			if (j.items[i].state == JUDGE_DONE && ++n_done && !arg_flag(a, "summary"))
				print_item(&j, &j.items[i], arg_flag(a, "json"));
		if (arg_flag(a, "summary"))
			print_summary(&j, arg_flag(a, "json"));
		say_rest(&j);
		asked_say_cost(a, &j.chat);
	}
	for (size_t i = 0; i < j.n; i++)
		free(j.items[i].label);
	free(j.items);
	chat_release(&j.chat);
	session_free(j.s);
	return bad ? -1 : n_done || arg_flag(a, "dry-run") ? EXIT_OK : EXIT_NONE;
}
