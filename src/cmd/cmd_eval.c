/* SPDX-License-Identifier: MIT */
/* cmd_eval.c - eval ATLAS [OUT.acts]: how good the dictionary is, on its own, on held-out text, on concepts. */
#include "cmd/cmd.h"

#include "backend/attach.h"
#include "base/mem.h"
#include "cmd/eval.h"
#include "session/suite.h"

#include <stdio.h>
#include <stdlib.h>

struct job {
	struct eval_report r;
	struct acts *acts;
	struct backend *backend; /* of the session; NULL: without a model */
	f32 *mean;
	size_t hook;
	u64 n_texts;
	bool choose, judge;
	FILE *transcript;
	struct progress progress;
};

static int open_acts(struct job *j, const struct cmd_args *a, struct err *e)
{
	const struct atlas *atlas = j->r.s->atlas;
	if (a->n_positional < 2)
		return 0;
	const char *hook = arg_str(a, "hook", *atlas->hook ? atlas->hook : NULL);
	if (!(j->acts = acts_open(a->positional[1], e)) || acts_find_hook(j->acts, hook, &j->hook, e))
		return -1;
	j->mean = mem_try(acts_d(j->acts), sizeof *j->mean, "rows", e);
	return j->mean ? 0 : -1;
}

static int open_suite(struct job *j, const struct cmd_args *a, struct err *e)
{
	const char *folder = arg_str(a, "suite", NULL);
	u64 folds;
	j->r.options.chat = !arg_flag(a, "plain");
	if (cmd_find_value(a, &j->r.options.value, e) || arg_u64(a, "folds", 5, 2, 1000, &folds, e))
		return -1;
	j->r.options.folds = (u32)folds;
	if (!folder && !arg_flag(a, "concepts"))
		return 0;
	if (!(j->r.suite = suite_open(folder, j->r.s->atlas->folder, e)))
		return folder ? -1 : err_wrap(e, "no concept suite (--suite DIR names another place)");
	j->r.concepts = xcalloc(j->r.suite->n, sizeof *j->r.concepts);
	return 0;
}

/* Tables of another dictionary are only in the way where something is to be written. */
static int open_steering(struct job *j, const struct cmd_args *a, struct err *e)
{
	struct eval_report *r = &j->r;
	struct err why = {0};
	const char *folder = arg_str(a, "steering", NULL), *transcript = arg_str(a, "transcript", NULL);
	j->choose = arg_flag(a, "choose");
	j->judge = arg_flag(a, "judge");
	if (!r->suite)
		return j->choose || j->judge ? err_set(e, ERR_USAGE, "--choose and --judge go with --concepts") : 0;
	if ((j->choose || j->judge) && arg_flag(a, "no-model"))
		return err_set(e, ERR_USAGE, "--choose and --judge need the model");
	if (transcript && !(j->transcript = fopen(transcript, "a")))
		return err_os(e, "cannot open '%s'", transcript);
	r->steering = steer_tables_open(folder ? folder : r->suite->folder, r->s->atlas, &why);
	if (r->steering)
		return 0;
	if (why.code != ERR_USAGE || folder || j->choose || j->judge)
		return err_set(e, why.code, "%s", why.msg);
	snprintf(r->lacks[2], sizeof r->lacks[2], "%s", why.msg);
	return 0;
}

static int open_model(struct job *j, const struct cmd_args *a, struct err *e)
{
	char warning[ATTACH_WARNING];
	bool wanted = j->r.suite || (j->acts && j->n_texts);
	if (!wanted || arg_flag(a, "no-model"))
		return 0;
	struct backend *b = session_backend(j->r.s, e);
	if (!b)
		return err_wrap(e, "no live model (--no-model leaves out what needs one)");
	j->backend = b;
	if (attach_model(b, j->r.s->atlas, &j->progress, warning, e))
		return err_wrap(e, "no live model (--no-model leaves out what needs one)");
	if (*warning)
		fprintf(stderr, "featlas eval: warning: %s\n", warning);
	return 0;
}

static int open_all(struct job *j, const struct cmd_args *a, struct err *e)
{
	if (arg_u64(a, "texts", 40, 0, UINT32_MAX, &j->n_texts, e))
		return -1;
	if (arg_flag(a, "write") && a->n_positional < 2)
		return err_set(e, ERR_USAGE, "--write keeps the figures of held-out text: featlas eval ATLAS OUT.acts --write");
	if (arg_flag(a, "json") && arg_flag(a, "markdown"))
		return err_set(e, ERR_USAGE, "--json or --markdown, not both");
	if (!(j->r.s = cmd_open(a, e)))
		return -1;
	return open_acts(j, a, e) || open_suite(j, a, e) || open_steering(j, a, e) || open_model(j, a, e) ? -1 : 0;
}

static void count_dead(struct eval_report *r)
{
	const struct store *store = r->s->atlas->store;
	struct store_stats s;
	if (!store)
		return;
	r->n_dead_over = store_n_indexed(store);
	for (u32 f = 0; f < r->s->atlas->n_features; f++) {
		store_stats(store, f, &s);
		r->n_dead += !s.count;
	}
}

static int held_out(struct job *j, struct err *e)
{
	struct eval_report *r = &j->r;
	struct session *s = r->s;
	if (!j->acts)
		return 0;
	if (eval_rows(s->atlas->dict, j->acts, j->hook, s->pool, &j->progress, j->mean, &r->held_out, e))
		return -1;
	count_dead(r);
	if (!j->backend || !j->n_texts)
		return 0;
	return eval_model(s->atlas->dict, j->acts, j->hook, j->backend, s->pool, &j->progress, j->mean, j->n_texts,
			  &r->held_out, e);
}

/* What the atlas alone tells; a part that is missing is said, not an error. */
static int alone(struct job *j, struct err *e)
{
	struct eval_report *r = &j->r;
	const struct atlas *a = r->s->atlas;
	const char *why = atlas_missing(a, "store");
	snprintf(r->lacks[0], sizeof r->lacks[0], "%s", a->store ? "" : why);
	if (a->store && density_measure(a->store, a->n_features, &r->density, e))
		return -1;
	r->has_density = a->store != NULL;
	why = atlas_missing(a, "graph");
	snprintf(r->lacks[1], sizeof r->lacks[1], "%s", a->graph ? "" : why);
	r->has_agree = a->graph != NULL;
	return a->graph ? agree_measure(r->s, 1, &j->progress, r->agree, e) : 0;
}

/* On stderr as it comes: it takes long. */
static void say(void *context, const struct suite_concept *c, const struct steer_choice *x, const struct steer_figure *f)
{
	(void)context;
	if (f)
		fprintf(stderr, "%s: #%u at %gx hit %u of %u seeds, %u of %u texts; baseline %u, random %u\n", c->name,
			f->feature, f->strength, f->seeds_hit, f->seeds, f->hits, f->texts, f->baseline, f->random);
	else if (x->feature == NO_FEATURE)
		fprintf(stderr, "%s: none of %u texts was a hit\n", c->name, x->texts);
	else
		fprintf(stderr, "%s: chosen #%u at %gx, %u hits of %u texts\n", c->name, x->feature, x->strength, x->hits,
			x->texts);
}

static void write_text(void *context, const json_t *o)
{
	struct job *j = context;
	struct buf line = BUF_INIT;
	json_add_line(&line, o);
	buf_addc(&line, '\n');
	fwrite(line.s, 1, line.n, j->transcript);
	fflush(j->transcript);
	buf_release(&line);
}

static int steer(struct job *j, struct err *e)
{
	struct eval_report *r = &j->r;
	struct suite_steer c = {.s = r->s, .b = j->backend, .suite = r->suite, .results = r->concepts,
				  .tables = r->steering, .plain = !r->options.chat, .progress = &j->progress, .say = say,
				  .text = j->transcript ? write_text : NULL, .context = j};
	if (j->choose && suite_steer_choose(&c, e))
		return err_wrap(e, "what is chosen is kept; the same command goes on from there");
	if (j->judge && suite_steer_judge(&c, e))
		return err_wrap(e, "what is judged is kept; the same command goes on from there");
	return 0;
}

static int work(struct job *j, struct err *e)
{
	struct eval_report *r = &j->r;
	if (held_out(j, e) || alone(j, e))
		return -1;
	if (!r->suite)
		return 0;
	if (suite_rank(r->s, j->backend, r->suite, &r->options, r->concepts, &j->progress, e) || steer(j, e))
		return -1;
	if (r->steering)
		predict(r->s->atlas, r->steering, r->predicts);
	return 0;
}

/* What the model makes of a fixed text, where the atlas does not say it yet; no matter if it cannot. */
static void add_fingerprint(const struct job *j, json_t *json)
{
	struct fingerprint f;
	if (j->backend && !json_object_get(json, "fingerprint") &&
	    !steer_fingerprint(j->backend, j->r.s->atlas->hook, &f, NULL))
		json_object_set_new(json, "fingerprint", fingerprint_json(&f));
}

static int write_result(const struct job *j, struct err *e)
{
	const char *folder = j->r.s->atlas->folder;
	json_t *json = atlas_json_read(folder, e), *training, *result = eval_held_out_json(&j->r);
	if (!json) {
		json_decref(result);
		return -1;
	}
	if (!json_is_object(training = json_object_get(json, "training"))) {
		training = json_object();
		json_object_set_new(json, "training", training);
	}
	json_object_update_new(training, result);
	add_fingerprint(j, json);
	int bad = atlas_commit(json, folder, e);
	json_decref(json);
	return bad;
}

int cmd_eval(const struct cmd_args *a, struct err *e)
{
	struct job j = {0};
	struct cmd_progress *shown = cmd_progress_start(&j.progress);
	int bad = open_all(&j, a, e) || work(&j, e);
	cmd_progress_stop(shown);
	if (!bad && arg_flag(a, "write"))
		bad = write_result(&j, e);
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(eval_json(&j.r));
	else if (!bad && arg_flag(a, "markdown"))
		eval_print_markdown(&j.r);
	else if (!bad)
		eval_print(&j.r);
	if (j.backend)
		detach_model(j.backend);
	session_free(j.r.s);
	suite_free(j.r.suite);
	free(j.r.concepts);
	steer_tables_free(j.r.steering);
	if (j.transcript)
		fclose(j.transcript);
	free(j.mean);
	acts_free(j.acts);
	return bad ? -1 : EXIT_OK;
}
