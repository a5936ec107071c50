/* SPDX-License-Identifier: MIT */
/* cmd_eval.c - eval ATLAS OUT.acts: how good the dictionary is on held-out text. */
#include "cmd/cmd.h"

#include "backend/steer.h"
#include "base/mem.h"
#include "core/atlas.h"
#include "session/eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* nats: a batch of another shape sums in another order */
#define SELF_TOLERANCE 1e-3

struct job {
	struct atlas *atlas;
	struct acts *acts;
	struct backend *backend;
	struct pool *pool;
	f32 *mean;
	size_t hook;
	u64 n_texts;
	u64 n_dead, n_dead_over; /* silent in the store, of so many indexed tokens; 0: no store */
	struct progress progress;
	struct eval_result r;
};

static int open_all(struct job *j, const struct cmd_args *a, struct err *e)
{
	if (arg_u64(a, "texts", 40, 0, UINT32_MAX, &j->n_texts, e) ||
	    !(j->atlas = atlas_open(a->positional[0], e)) || !(j->acts = acts_open(a->positional[1], e)))
		return -1;
	const char *hook = arg_str(a, "hook", *j->atlas->hook ? j->atlas->hook : NULL);
	if (acts_find_hook(j->acts, hook, &j->hook, e))
		return -1;
	j->pool = pool_new(0);
	j->mean = mem_try(acts_d(j->acts), sizeof *j->mean, "rows", e);
	if (!j->mean)
		return -1;
	if (arg_flag(a, "no-model") || !j->n_texts)
		return 0;
	if (!(j->backend = backend_new(arg_str(a, "backend", NULL), e)) ||
	    backend_connect(j->backend, &j->progress, e))
		return err_wrap(e, "no live model (--no-model leaves cross-entropy out)");
	return 0;
}

static void count_dead(struct job *j)
{
	struct store_stats s;
	if (!j->atlas->store)
		return;
	j->n_dead_over = store_n_indexed(j->atlas->store);
	for (u32 f = 0; f < j->atlas->n_features; f++) {
		store_stats(j->atlas->store, f, &s);
		j->n_dead += !s.count;
	}
}

static json_t *result_json(const struct job *j)
{
	const struct eval_result *r = &j->r;
	json_t *o = json_pack("{s:f, s:f, s:I, s:I}", "fvu", r->fvu, "l0", r->l0, "held_out_texts",
			      (json_int_t)r->n_texts_held_out, "held_out_rows", (json_int_t)r->n_rows);
	if (j->n_dead_over)
		json_object_update_new(o, json_pack("{s:f, s:I}", "dead_share",
						    (f64)j->n_dead / j->atlas->n_features, "dead_over_tokens",
						    (json_int_t)j->n_dead_over));
	if (r->n_targets)
		json_object_update_new(
			o, json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "ce_texts",
				     (json_int_t)r->n_texts, "ce_tokens", (json_int_t)r->n_targets,
				     "ce_clean", r->ce_clean, "ce_spliced", r->ce_spliced, "ce_mean_ablated",
				     r->ce_mean, "ce_zero_ablated", r->ce_zero, "ce_self_spliced", r->ce_self,
				     "ce_recovered", r->recovered, "ce_recovered_zero", r->recovered_zero,
				     "nats_lost", r->ce_spliced - r->ce_clean));
	return o;
}

/* What the model makes of a fixed text, where the atlas does not say it yet; no matter if it cannot. */
static void add_fingerprint(const struct job *j, json_t *json)
{
	struct fingerprint f;
	if (j->backend && !json_object_get(json, "fingerprint") &&
	    !steer_fingerprint(j->backend, j->atlas->hook, &f, NULL))
		json_object_set_new(json, "fingerprint", fingerprint_json(&f));
}

static int write_result(const struct job *j, struct err *e)
{
	json_t *json = atlas_json_read(j->atlas->folder, e), *training, *result = result_json(j);
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
	int bad = atlas_commit(json, j->atlas->folder, e);
	json_decref(json);
	return bad;
}

static void print_result(const struct job *j)
{
	const struct eval_result *r = &j->r;
	printf("held out       %llu texts, %llu unmasked tokens\n", (unsigned long long)r->n_texts_held_out,
	       (unsigned long long)r->n_rows);
	printf("FVU            %.4f\nL0             %.1f\n", r->fvu, r->l0);
	if (j->n_dead_over)
		printf("dead           %.2f %% silent on %llu indexed tokens\n",
		       100.0 * (f64)j->n_dead / j->atlas->n_features, (unsigned long long)j->n_dead_over);
	if (!r->n_targets)
		return;
	printf("cross-entropy  nats a token over %llu tokens of %llu texts\n",
	       (unsigned long long)r->n_targets, (unsigned long long)r->n_texts);
	printf("  clean        %.4f\n  itself       %.4f  %s\n  spliced      %.4f  %.4f lost\n", r->ce_clean,
	       r->ce_self,
	       fabs(r->ce_self - r->ce_clean) <= SELF_TOLERANCE ? "as it should be"
								: "DIFFERS: do not trust the rest",
	       r->ce_spliced, r->ce_spliced - r->ce_clean);
	printf("  mean         %.4f\n  zero         %.4f\n", r->ce_mean, r->ce_zero);
	printf("recovered      %.4f against the mean, %.4f against zero\n", r->recovered, r->recovered_zero);
}

int cmd_eval(const struct cmd_args *a, struct err *e)
{
	struct job j = {0};
	struct cmd_progress *shown = cmd_progress_start(&j.progress);
	int bad = open_all(&j, a, e) ||
		  eval_rows(j.atlas->dict, j.acts, j.hook, j.pool, &j.progress, j.mean, &j.r, e);
	if (!bad && j.backend)
		bad = eval_model(j.atlas->dict, j.acts, j.hook, j.backend, j.pool, &j.progress, j.mean,
				 j.n_texts, &j.r, e);
	cmd_progress_stop(shown);
	if (!bad)
		count_dead(&j);
	if (!bad && arg_flag(a, "write"))
		bad = write_result(&j, e);
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(result_json(&j));
	else if (!bad)
		print_result(&j);
	backend_free(j.backend);
	pool_free(j.pool);
	free(j.mean);
	acts_free(j.acts);
	atlas_free(j.atlas);
	return bad ? -1 : EXIT_OK;
}
