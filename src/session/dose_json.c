/* SPDX-License-Identifier: MIT */
/* dose_json.c - a sweep as JSON and in words, and its range as it is kept. */
#include "session/dose.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const wheres[] = {"reply", "prompt", "both"};

static json_t *number(f64 v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *text(const char *s)
{
	return json_text(s, strlen(s));
}

static bool in_maxima(const struct sweep *s)
{
	return steer_in_maxima(&s->q.specs[0]);
}

void dose_add_strength(const struct sweep *s, f32 strength, struct buf *out)
{
	buf_addf(out, "%g%s", (f64)strength, in_maxima(s) ? "x" : "");
}

/* ---- JSON ---- */

static json_t *point_json(const struct dose_point *p)
{
	json_t *j = json_pack("{s:I}", "n", (json_int_t)p->n);
	for (int m = 0; m < N_DOSE; m++)
		json_object_set_new(j, dose_keys[m], number(p->mid[m]));
	json_t *quartiles = json_object();
	for (int m = 0; m < DOSE_HITS; m++)
		json_object_set_new(quartiles, dose_keys[m], json_pack("[o,o]", number(p->low[m]), number(p->high[m])));
	json_object_set_new(j, "quartiles", quartiles);
	return j;
}

static json_t *strength_or_null(const struct dose *d, size_t at)
{
	return at == SIZE_MAX ? json_null() : json_f32(d->point[at].strength);
}

static json_t *doses_json(const struct sweep *s, const struct dose *d)
{
	json_t *list = json_array();
	for (size_t i = 0; i < d->n; i++) {
		json_t *j = point_json(&d->point[i]);
		json_object_set_new(j, "strength", json_f32(d->point[i].strength));
		json_object_set_new(j, "change_over_norm", number(s->change[i]));
		json_array_append_new(list, j);
	}
	return list;
}

static void set_range(json_t *j, const struct dose *d)
{
	json_object_set_new(j, "spread", number(d->spread));
	json_object_set_new(j, "onset", strength_or_null(d, d->onset));
	json_object_set_new(j, "collapse", strength_or_null(d, d->collapse));
	json_object_set_new(j, "collapse_low", strength_or_null(d, d->collapse_low));
	json_object_set_new(j, "working", !d->n_working ? json_null() :
			    json_pack("[o,o]", json_f32(d->point[d->onset].strength),
				      json_f32(d->point[d->onset + d->n_working - 1].strength)));
	json_object_set_new(j, "rising", number(d->rising));
	json_object_set_new(j, "rising_gain", number(d->rising_gain));
	json_object_set_new(j, "rank_correlation", number(d->rho));
	json_object_set_new(j, "rank_correlation_texts", number(d->rho_cells));
}

static json_t *cell_json(const struct sweep *s, const struct sweep_cell *c)
{
	static const char *const kinds[] = {"baseline", "steered", "random"};
	json_t *acts = json_array(), *j = json_pack("{s:s, s:I, s:I}", "kind", kinds[c->kind], "prompt",
						    (json_int_t)c->prompt, "seed", (json_int_t)s->q.seeds[c->seed]);
	if (c->kind != SWEEP_BASELINE)
		json_object_set_new(j, "strength", json_f32(s->q.strengths[c->strength]));
	json_object_set_new(j, "text", json_text(c->text.s, c->text.n));
	json_object_set_new(j, "tokens", json_integer((json_int_t)c->n));
	json_object_set_new(j, "nll", number(c->nll));
	json_object_set_new(j, "excess", number(c->excess));
	json_object_set_new(j, "kl", number(c->kl));
	json_object_set_new(j, "gain", number(c->gain));
	json_object_set_new(j, "repeats", number(c->repeats));
	json_object_set_new(j, "words", json_integer((json_int_t)c->words));
	json_object_set_new(j, "hit", json_boolean(c->hit));
	for (size_t i = 0; i < s->n_watched; i++)
		json_array_append_new(acts, json_pack("{s:I, s:o, s:o}", "id", (json_int_t)s->watched[i], "mean",
						      json_f32(c->acts[i].mean), "max", json_f32(c->acts[i].max)));
	json_object_set_new(j, "activations", acts);
	return j;
}

static json_t *features_json(struct session *session, const struct sweep *s)
{
	struct steer_request q = {.specs = s->q.specs, .n_specs = s->q.n_specs};
	json_t *list = steer_features_json(session->atlas, &q);
	for (size_t i = 0; i < s->q.n_specs; i++) {
		char *label = session_label_text(session, s->q.specs[i].feature);
		json_object_set_new(json_array_get(list, i), "label", text(label));
		free(label);
	}
	return list;
}

static void set_request(json_t *j, struct session *session, const struct sweep *s)
{
	const struct sweep_request *q = &s->q;
	json_t *seeds = json_array(), *prompts = json_array(), *words = json_array();
	for (size_t i = 0; i < q->n_seeds; i++)
		json_array_append_new(seeds, json_integer((json_int_t)q->seeds[i]));
	for (size_t i = 0; i < q->n_prompts; i++)
		json_array_append_new(prompts, text(q->prompts[i]));
	for (size_t i = 0; i < s->n_words; i++)
		json_array_append_new(words, text(s->words[i]));
	json_object_set_new(j, "features", features_json(session, s));
	json_object_set_new(j, "unit", json_string(in_maxima(s) ? "x" : ""));
	json_object_set_new(j, "seeds", seeds);
	json_object_set_new(j, "prompts", prompts);
	json_object_set_new(j, "words", words);
	json_object_set_new(j, "temperature", json_f32(q->temperature));
	json_object_set_new(j, "n", json_integer(q->n_tokens));
	json_object_set_new(j, "where", json_string(wheres[q->where]));
	json_object_set_new(j, "chat", json_boolean(q->chat));
	if (session->backend && backend_state(session->backend) != BACKEND_OFF)
		json_object_set_new(j, "model", text(backend_info(session->backend)->name));
}

json_t *dose_json(struct session *session, const struct sweep *s, bool details)
{
	json_t *j = json_object(), *cells = json_array();
	struct dose d;
	set_request(j, session, s);
	dose_init(&d, s, SWEEP_STEERED);
	json_object_set_new(j, "baseline", point_json(&d.baseline));
	json_object_set_new(j, "doses", doses_json(s, &d));
	set_range(j, &d);
	dose_release(&d);
	if (s->q.random) {
		dose_init(&d, s, SWEEP_RANDOM);
		json_object_set_new(j, "random", json_pack("{s:o}", "doses", doses_json(s, &d)));
		dose_release(&d);
	}
	for (size_t i = 0; i < s->n_cells && details; i++)
		if (s->cells[i].done)
			json_array_append_new(cells, cell_json(s, &s->cells[i]));
	if (details)
		json_object_set(j, "cells", cells);
	json_decref(cells);
	return j;
}

/* ---- words ---- */

void dose_add_verdict(const struct sweep *s, const struct dose *d, struct buf *out)
{
	if (d->onset == SIZE_MAX)
		buf_adds(out, "no effect on this grid");
	else {
		buf_adds(out, "effect begins at ");
		dose_add_strength(s, d->point[d->onset].strength, out);
	}
	if (d->collapse == SIZE_MAX)
		buf_adds(out, ", does not fall apart");
	else {
		buf_adds(out, ", falls apart at ");
		dose_add_strength(s, d->point[d->collapse].strength, out);
	}
	if (d->collapse_low != SIZE_MAX) {
		buf_adds(out, " and at ");
		dose_add_strength(s, d->point[d->collapse_low].strength, out);
	}
	if (!d->n_working)
		return;
	buf_adds(out, "; works from ");
	dose_add_strength(s, d->point[d->onset].strength, out);
	buf_adds(out, " to ");
	dose_add_strength(s, d->point[d->onset + d->n_working - 1].strength, out);
	if (d->n_working < 2)
		return;
	buf_addf(out, ", activation rises in %.0f of %zu steps", d->rising * (f64)(d->n_working - 1), d->n_working - 1);
	if (!isnan(d->rising_gain))
		buf_addf(out, ", gain in %.0f", d->rising_gain * (f64)(d->n_working - 1));
	if (!isnan(d->rho_cells))
		buf_addf(out, ", rank correlation %.2f (of all texts %.2f)", d->rho, d->rho_cells);
}

/* ---- the range that is kept ---- */

static char *range_key(u32 feature, enum steer_method method, int where)
{
	return xasprintf("range %u %s %s", feature, steer_spec_method(method), wheres[where]);
}

static int place_of(const struct steer_spec *spec, enum intervention_where where)
{
	return spec->where >= 0 && spec->where < (int)ARRAY_LEN(wheres) ? spec->where : (int)where;
}

static json_t *range_json(const struct sweep *s, const struct dose *d)
{
	const struct steer_spec *spec = &s->q.specs[0];
	return json_pack("{s:{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:b}}", "range", "feature",
			 (json_int_t)spec->feature, "method", steer_spec_method(spec->method), "where",
			 wheres[place_of(spec, s->q.where)], "unit", in_maxima(s) ? "x" : "", "onset",
			 strength_or_null(d, d->onset), "collapse", strength_or_null(d, d->collapse), "collapse_low",
			 strength_or_null(d, d->collapse_low), "from", json_f32(d->point[0].strength), "to",
			 json_f32(d->point[d->n - 1].strength), "texts", (json_int_t)s->n_done, "temperature",
			 json_f32(s->q.temperature), "n", (json_int_t)s->q.n_tokens, "chat", (int)s->q.chat);
}

bool dose_has_range(const struct sweep *s)
{
	const struct steer_spec *spec = &s->q.specs[0];
	size_t above = 0;
	for (size_t i = 0; i < s->q.n_strengths; i++)
		above += s->q.strengths[i] > (steer_is_factor(spec->method) ? 1 : 0);
	return s->q.n_specs == 1 && s->q.measures & SWEEP_ACTS && above >= 3 && !spec->hook[0] && !spec->condition;
}

int dose_keep(struct session *session, const struct sweep *s, const struct dose *d, bool *kept, struct err *e)
{
	bool fit = dose_has_range(s) && s->n_done == s->n_cells;
	if (kept)
		*kept = fit;
	if (!fit)
		return 0;
	struct buf line = BUF_INIT;
	json_t *j = range_json(s, d);
	json_add_line(&line, j);
	char *key = range_key(s->q.specs[0].feature, s->q.specs[0].method, place_of(&s->q.specs[0], s->q.where));
	int bad = note_keep_run(session->note, key, line.s, e);
	free(key);
	json_decref(j);
	buf_release(&line);
	return bad;
}

/* The ranges that ship with an atlas, as an array; read once. */
static const json_t *shipped(struct session *session)
{
	if (session->ranges)
		return session->ranges;
	session->ranges = json_array();
	FILE *f = session->atlas->runs ? fopen(session->atlas->runs, "re") : NULL;
	char *line = NULL;
	size_t cap = 0;
	for (int n = 0; f && n < 10000 && getline(&line, &cap, f) > 0; n++) {
		json_t *j = strstr(line, "\"range\"") ? json_parse(line, strlen(line), "a range", NULL) : NULL;
		const json_t *range = json_object_get(j, "range");
		if (json_is_object(range))
			json_array_append(session->ranges, (json_t *)(uintptr_t)range);
		json_decref(j);
	}
	if (f)
		fclose(f);
	free(line);
	return session->ranges;
}

static void take_range(const json_t *j, struct dose_range *out)
{
	*out = (struct dose_range){.times_max = !strcmp(json_opt_str(j, "unit", "x"), "x"),
				   .onset = (f32)json_opt_f64(j, "onset", NAN),
				   .collapse = (f32)json_opt_f64(j, "collapse", NAN),
				   .collapse_low = (f32)json_opt_f64(j, "collapse_low", NAN),
				   .from = (f32)json_opt_f64(j, "from", NAN),
				   .to = (f32)json_opt_f64(j, "to", NAN)};
}

bool dose_find(struct session *session, const struct steer_spec *spec, enum intervention_where where,
	       struct dose_range *out)
{
	int place = place_of(spec, where);
	if (spec->condition || spec->hook[0])
		return false;
	char *key = range_key(spec->feature, spec->method, place), *line = note_run(session->note, key);
	json_t *own = line ? json_parse(line, strlen(line), "a range", NULL) : NULL;
	const json_t *range = json_object_get(own, "range"), *list = range ? NULL : shipped(session);
	for (size_t i = 0; i < json_array_size(list) && !range; i++) {
		const json_t *j = json_array_get(list, i);
		if (json_opt_u64(j, "feature", UINT64_MAX) == spec->feature &&
		    !strcmp(json_opt_str(j, "method", ""), steer_spec_method(spec->method)) &&
		    !strcmp(json_opt_str(j, "where", ""), wheres[place]))
			range = j;
	}
	if (range)
		take_range(range, out);
	json_decref(own);
	free(line);
	free(key);
	return range != NULL;
}
