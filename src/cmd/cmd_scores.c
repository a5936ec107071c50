/* SPDX-License-Identifier: MIT */
/* cmd_scores.c - scores ATLAS: what every feature detects and writes, measured on the live model. */
#include "cmd/cmd.h"

#include "session/parts.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *report_json(const struct parts_scored *r, f64 factor)
{
	json_t *list = json_array();
	for (int i = 0; i < SCORES_N_FACTORS && r->n_sample; i++)
		json_array_append_new(list, json_pack("{s:f, s:f, s:f}", "factor", scores_factors[i], "mean", r->mean[i],
						      "median", r->median[i]));
	return json_pack("{s:I, s:I, s:I, s:b, s:f, s:f, s:I, s:o}", "detects", (json_int_t)r->n_input, "writes",
			 (json_int_t)r->n_topic, "output", (json_int_t)r->n_output, "resumed", r->resumed, "factor", factor,
			 "tuned_factor", r->best_factor, "sample", (json_int_t)r->n_sample, "tried", list);
}

static void print_report(const struct parts_scored *r, u32 n_features, f64 factor)
{
	printf("detects  %u of %u features\nwrites   %u\noutput   %u at %g times the largest activation of the prompt\n",
	       r->n_input, n_features, r->n_topic, r->n_output, factor);
	if (!r->n_sample)
		return;
	printf("\noutput score by factor, %u features\n", r->n_sample);
	for (int i = 0; i < SCORES_N_FACTORS; i++)
		printf("%8g  mean %-9.4g median %-9.4g%s\n", scores_factors[i], r->mean[i], r->median[i],
		       scores_factors[i] == r->best_factor ? "  works best: kept as tuned" : "");
}

int cmd_scores(const struct cmd_args *a, struct err *e)
{
	struct progress progress = {0};
	struct parts p = {.progress = &progress};
	struct parts_scored r;
	f64 factor, strength;
	if (arg_f64(a, "factor", SCORES_PUBLISHED_FACTOR, &factor, e) || arg_f64(a, "strength", 2, &strength, e))
		return -1;
	struct cmd_progress *shown = cmd_progress_start(&progress);
	int bad = !(p.atlas = atlas_open(a->positional[0], e)) || !(p.json = atlas_json_read(p.atlas->folder, e)) ||
		  !(p.backend = backend_new(arg_str(a, "backend", NULL), e));
	if (!bad) {
		backend_watch(p.backend, &progress);
		bad = backend_connect(p.backend, &progress, e);
	}
	if (!bad) {
		p.pool = pool_new(0);
		atlas_json_new_build(p.json);
		bad = parts_scores(&p, factor, strength, &r, e) || atlas_commit(p.json, p.atlas->folder, e);
	}
	cmd_progress_stop(shown);
	if (!bad && arg_flag(a, "json"))
		cmd_print_json(report_json(&r, factor));
	else if (!bad)
		print_report(&r, p.atlas->n_features, factor);
	else if (p.pool)
		err_wrap(e, "what is done is kept; the same command goes on from there");
	backend_free(p.backend);
	pool_free(p.pool);
	json_decref(p.json);
	atlas_free(p.atlas);
	return bad ? -1 : EXIT_OK;
}
