/* SPDX-License-Identifier: MIT */
/* eval_json.c - eval's figures as JSON. */
#include "cmd/eval.h"

#include "core/run.h"
#include "session/hit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *number(f64 v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *eval_held_out_json(const struct eval_report *report)
{
	const struct eval_result *r = &report->held_out;
	json_t *o = json_pack("{s:f, s:f, s:I, s:I}", "fvu", r->fvu, "l0", r->l0, "held_out_texts",
			      (json_int_t)r->n_texts_held_out, "held_out_rows", (json_int_t)r->n_rows);
	if (report->n_dead_over)
		json_object_update_new(o, json_pack("{s:f, s:I}", "dead_share",
						    (f64)report->n_dead / report->s->atlas->n_features,
						    "dead_over_tokens", (json_int_t)report->n_dead_over));
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

static json_t *density_json(const struct density *d)
{
	json_t *edges = json_array(), *counts = json_array();
	for (int i = 0; i <= DENSITY_BINS; i++)
		json_array_append_new(edges, json_real(DENSITY_LOWEST + DENSITY_STEP * i));
	for (int i = 0; i < DENSITY_BINS; i++)
		json_array_append_new(counts, json_integer((json_int_t)d->counts[i]));
	return json_pack("{s:o, s:o, s:I, s:I, s:o}", "log10_edges", edges, "counts", counts, "dead",
			 (json_int_t)d->n_dead, "tokens", (json_int_t)d->n_indexed, "median", number(d->median));
}

static json_t *agree_json(const struct coherence *c)
{
	json_t *o = json_object();
	for (int i = 0; i < N_AGREE; i++)
		json_object_set_new(o, agree_names[i],
				    json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "observed", number(c[i].observed),
					      "shuffled", number(c[i].mean), "sd", number(c[i].sd), "z", number(c[i].z),
					      "features", (json_int_t)c[i].n_items, "pairs", (json_int_t)c[i].n_pairs,
					      "shuffles", (json_int_t)c[i].n_shuffles));
	return o;
}

static json_t *feature_json(struct session *s, u32 id)
{
	struct atlas_scores scores;
	json_t *j = cmd_feature_json(s, id);
	atlas_scores(s->atlas, id, &scores);
	json_object_set_new(j, "detects", json_f32(scores.input));
	json_object_set_new(j, "writes", json_f32(scores.topic));
	json_object_set_new(j, "output", json_f32(scores.output));
	json_object_set_new(j, "tuned", json_f32(scores.tuned));
	return j;
}

static json_t *neighbours_json(struct session *s, u32 id)
{
	struct atlas_neighbour near[8];
	size_t n = atlas_neighbours(s->atlas, id, near, 8);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *j = json_pack("{s:I}", "id", (json_int_t)near[i].id);
		struct label l;
		bool has = session_label(s, near[i].id, &l);
		json_object_set_new(j, "score", json_f32(near[i].score));
		json_object_set_new(j, "metric", json_string("cosine"));
		json_object_set_new(j, "label", has ? json_text((const char *)l.text.p, l.text.n) : json_null());
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *score_json(struct session *s, const struct find_score *x)
{
	json_t *j = feature_json(s, x->feature);
	json_object_set_new(j, "auroc", json_f32(x->auroc));
	json_object_set_new(j, "mean_difference", json_f32(x->mean_difference));
	json_object_set_new(j, "fires_on_positive", json_integer(x->n_positive));
	json_object_set_new(j, "fires_on_negative", json_integer(x->n_negative));
	return j;
}

static json_t *languages_json(const struct suite_result *c)
{
	json_t *o = json_object();
	for (size_t i = 0; i < c->n_languages; i++) {
		const struct suite_language *l = &c->languages[i];
		json_object_set_new(o, l->code, json_pack("{s:o, s:I, s:I}", "auroc", json_f32(l->auroc), "positive",
							  (json_int_t)l->n_positive, "negative", (json_int_t)l->n_negative));
	}
	return o;
}

static json_t *steer_json(const struct eval_report *r, const struct suite_concept *c)
{
	static const char *const wheres[] = {"reply", "prompt", "both"};
	const struct steer_choice *x = r->steering ? steer_tables_choice(r->steering, c) : NULL;
	const struct steer_figure *f = x ? steer_tables_figure(r->steering, c) : NULL;
	if (!x)
		return json_null();
	if (x->feature == NO_FEATURE)
		return json_pack("{s:n, s:I, s:b}", "feature", "tried_texts", (json_int_t)x->texts, "steers", 0);
	json_t *j = feature_json(r->s, x->feature);
	json_object_update_new(j, json_pack("{s:f, s:s, s:I, s:I}", "strength", x->strength, "where", wheres[x->where],
					    "chosen_hits", (json_int_t)x->hits, "chosen_texts", (json_int_t)x->texts));
	if (f)
		json_object_update_new(j, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:b}", "seeds", (json_int_t)f->seeds,
						    "seeds_hit", (json_int_t)f->seeds_hit, "texts", (json_int_t)f->texts,
						    "texts_hit", (json_int_t)f->hits, "baseline_hit", (json_int_t)f->baseline,
						    "random_hit", (json_int_t)f->random, "nats_above", f->excess, "steers",
						    hit_steers(f->seeds_hit, f->seeds)));
	return j;
}

static json_t *predicts_json(const struct prediction set[N_PREDICT])
{
	json_t *o = json_object();
	for (int i = 0; i < N_PREDICT; i++)
		json_object_set_new(o, predict_names[i],
				    json_pack("{s:o, s:I}", "rho", number(set[i].rho), "n", (json_int_t)set[i].n));
	return o;
}

static json_t *concept_json(const struct eval_report *r, const struct suite_result *c)
{
	struct session *s = r->s;
	const struct suite_concept *x = c->concept;
	const struct find_held_out *h = &c->held_out;
	json_t *list = json_array(), *j = json_object();
	json_object_set_new(j, "name", json_text(x->name, strlen(x->name)));
	json_object_set_new(j, "title", json_text(x->title, strlen(x->title)));
	json_object_set_new(j, "positive", json_integer(c->n_positive));
	json_object_set_new(j, "negative", json_integer(c->n_negative));
	json_object_set_new(j, "held_out",
			    json_pack("{s:o, s:I, s:o, s:I}", "auroc", json_f32(h->auroc), "folds", (json_int_t)h->folds,
				      "feature", h->folds ? json_integer(h->chosen) : json_null(), "times",
				      (json_int_t)h->times));
	json_object_set_new(j, "dense_probe", json_f32(c->dense));
	json_object_set_new(j, "languages", languages_json(c));
	for (size_t i = 0; i < c->n_top; i++)
		json_array_append_new(list, score_json(s, &c->top[i]));
	json_object_set_new(j, "features", list);
	if (c->n_top)
		json_object_set_new(j, "neighbours", neighbours_json(s, c->top[0].feature));
	json_object_set_new(j, "steering", steer_json(r, x));
	return j;
}

static json_t *concepts_json(const struct eval_report *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->suite->n; i++)
		json_array_append_new(list, concept_json(r, &r->concepts[i]));
	size_t judged, steer = eval_n_steer(r, &judged);
	json_t *o = json_pack("{s:I, s:I, s:f, s:s, s:s, s:I, s:o}", "n", (json_int_t)r->suite->n, "known",
			 (json_int_t)eval_n_known(r), "auroc_wanted", (f64)SUITE_GOOD, "read",
			 r->options.chat ? "chat" : "plain", "value", r->options.value == FIND_MAX ? "max" : "mean", "folds",
			 (json_int_t)r->options.folds, "list", list);
	json_object_update_new(o, json_pack("{s:I, s:I, s:I}", "known_dense", (json_int_t)eval_n_dense(r), "judged",
					    (json_int_t)judged, "steer", (json_int_t)steer));
	if (judged)
		json_object_set_new(o, "predicts", json_pack("{s:o, s:o}", "judged", predicts_json(r->predicts[PREDICT_JUDGED]),
							     "tried", predicts_json(r->predicts[PREDICT_TRIED])));
	return o;
}

json_t *eval_json(const struct eval_report *r)
{
	json_t *o = r->held_out.n_rows ? eval_held_out_json(r) : json_object();
	if (r->has_density)
		json_object_set_new(o, "density", density_json(&r->density));
	if (r->has_agree)
		json_object_set_new(o, "coherence", agree_json(r->agree));
	if (r->concepts)
		json_object_set_new(o, "concepts", concepts_json(r));
	return o;
}
