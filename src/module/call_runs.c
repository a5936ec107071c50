/* SPDX-License-Identifier: MIT */
/* call_runs.c - runs, interventions and encoders out of a message. */
#include "module/calls.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RUNS = 256, MAX_INTERVENTIONS = 1024 };

/* The array that a member of j names: f32 [d] or, with any_rows, [n][d]; NULL where there is no such member.
 */
static int get_vector(const struct module_request *r, const json_t *j, const char *key, bool any_rows,
		      const f32 **out, size_t *n_rows, struct err *e)
{
	u64 d = r->s->info.d_model, rows_shape[2] = {TENSOR_ANY, d};
	const char *name = json_opt_str(j, key, NULL);
	*out = NULL;
	if (!name)
		return 0;
	const struct frame_array *a =
		frame_need(&r->in, name, DTYPE_F32, any_rows ? 2 : 1, any_rows ? rows_shape : &d, e);
	if (!a)
		return -1;
	*out = a->data;
	if (any_rows)
		*n_rows = a->shape[0];
	return 0;
}

static int find_word(const json_t *j, const char *key, const char *const *words, size_t n, const char *def,
		     int *out, struct err *e)
{
	const char *word = json_opt_str(j, key, def);
	for (size_t i = 0; word && i < n; i++)
		if (!strcmp(words[i], word)) {
			*out = (int)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "'%s' of an intervention is not a word it can be", key);
}

/* "if": {"encoder", "bias", "threshold", "above", "feature"}. */
static int get_condition(const struct module_request *r, const json_t *j, struct run_condition *c, struct err *e)
{
	const json_t *when = json_object_get(j, "if");
	if (!when)
		return 0;
	if (get_vector(r, when, "encoder", false, &c->encoder, NULL, e))
		return -1;
	if (!c->encoder)
		return err_set(e, ERR_USAGE, "a condition lacks its 'encoder'");
	c->bias = (f32)json_opt_f64(when, "bias", 0);
	c->threshold = (f32)json_opt_f64(when, "threshold", 0);
	c->above = (f32)json_opt_f64(when, "above", 0);
	u64 feature = json_opt_u64(when, "feature", NO_FEATURE);
	c->feature = feature < NO_FEATURE ? (u32)feature : NO_FEATURE;
	return 0;
}

static int get_intervention(const struct module_request *r, const json_t *j, struct intervention *v,
			    struct err *e)
{
	static const char *const wheres[] = {"reply", "prompt", "both"};
	int kind, where;
	u32 layer;
	enum hook_place place;
	memset(v, 0, sizeof *v);
	if (find_word(j, "kind", intervention_kinds, N_INTERVENTION_KINDS, NULL, &kind, e) ||
	    find_word(j, "where", wheres, ARRAY_LEN(wheres), "reply", &where, e) ||
	    json_get_str(j, "hook", &v->hook, "an intervention", e) ||
	    hook_parse(v->hook, r->s->info.n_layers, &layer, &place, e) ||
	    get_vector(r, j, "direction", false, &v->direction, NULL, e) ||
	    get_vector(r, j, "encoder", false, &v->encoder, NULL, e) ||
	    get_vector(r, j, "rows", true, &v->rows, &v->n_rows, e) || get_condition(r, j, &v->when, e))
		return -1;
	v->off = !json_opt_bool(j, "on", true);
	v->kind = (enum intervention_kind)kind;
	v->where = (enum intervention_where)where;
	v->amount = (f32)json_opt_f64(j, "amount", 0);
	v->bias = (f32)json_opt_f64(j, "bias", 0);
	v->threshold = (f32)json_opt_f64(j, "threshold", 0);
	u64 feature = json_opt_u64(j, "feature", NO_FEATURE);
	v->feature = feature < NO_FEATURE ? (u32)feature : NO_FEATURE;
	return run_check(v, r->s->info.d_model, module_encoder(r, v->hook), e);
}

/* Token ids, named by a member of j. */
static int get_ids(const struct module_request *r, const json_t *j, const char *key, bool needed,
		   const u32 **out, size_t *n, struct err *e)
{
	const char *name = json_opt_str(j, key, NULL);
	*out = NULL;
	*n = 0;
	if (!name)
		return needed ? err_set(e, ERR_USAGE, "a run lacks '%s'", key) : 0;
	const struct frame_array *a = frame_need(&r->in, name, DTYPE_U32, 1, &(u64){TENSOR_ANY}, e);
	if (!a)
		return -1;
	*out = a->data;
	*n = a->n;
	for (size_t i = 0; i < a->n; i++)
		if ((*out)[i] >= r->s->info.n_vocab)
			return err_set(e, ERR_USAGE, "token %u is not in the vocabulary of %u", (*out)[i],
				       r->s->info.n_vocab);
	return 0;
}

static int get_run(const struct module_request *r, const json_t *j, struct run *run,
		   struct intervention *list, struct err *e)
{
	run->name = json_opt_str(j, "name", "");
	run->seed = json_opt_u64(j, "seed", 1);
	run->paced = json_opt_bool(j, "paced", false);
	if (get_ids(r, j, "tokens", true, &run->tokens, &run->n_tokens, e) ||
	    get_ids(r, j, "want", false, &run->want_tokens, &run->n_want, e))
		return -1;
	if (!run->n_tokens || run->n_tokens > r->s->info.n_ctx)
		return err_set(e, ERR_USAGE, "a run has %zu tokens; from 1 to %u will do", run->n_tokens,
			       r->s->info.n_ctx);
	run->n_prompt = (size_t)json_opt_u64(j, "n_prompt", run->n_tokens);
	if (run->n_prompt > run->n_tokens)
		return err_set(e, ERR_USAGE, "a run's prompt is longer than its tokens");
	const char *flags = json_opt_str(j, "flags", NULL);
	if (flags) {
		const struct frame_array *a =
			frame_need(&r->in, flags, DTYPE_U8, 1, &(u64){run->n_tokens}, e);
		if (!a)
			return -1;
		run->flags = a->data;
	}
	const json_t *all = json_object_get(j, "interventions");
	run->list = list;
	run->n_list = json_array_size(all);
	for (size_t i = 0; i < run->n_list; i++)
		if (get_intervention(r, json_array_get(all, i), &list[i], e))
			return -1;
	return 0;
}

int calls_get_runs(struct module_request *r, struct call_runs *c, struct err *e)
{
	const json_t *list = json_object_get(r->params, "runs");
	size_t total = 0;
	memset(c, 0, sizeof *c);
	c->n = json_array_size(list);
	if (!c->n || c->n > MAX_RUNS)
		return err_set(e, ERR_USAGE, "'runs' is not a list of 1 to %d runs", MAX_RUNS);
	for (size_t i = 0; i < c->n; i++)
		total += json_array_size(json_object_get(json_array_get(list, i), "interventions"));
	if (total > MAX_INTERVENTIONS)
		return err_set(e, ERR_USAGE, "%zu interventions are more than %d", total, MAX_INTERVENTIONS);
	c->runs = xcalloc(c->n, sizeof *c->runs);
	c->lists = xcalloc(total + 1, sizeof *c->lists);
	size_t at = 0;
	for (size_t i = 0; i < c->n; i++) {
		if (get_run(r, json_array_get(list, i), &c->runs[i], c->lists + at, e)) {
			calls_free_runs(c);
			return -1;
		}
		at += c->runs[i].n_list;
	}
	return 0;
}

void calls_free_runs(struct call_runs *c)
{
	free(c->runs);
	free(c->lists);
	memset(c, 0, sizeof *c);
}

static struct kept_encoder *find_encoder(struct server *s, const char *hook)
{
	for (size_t i = 0; i < s->n_encoders; i++)
		if (!strcmp(s->encoders[i].hook, hook))
			return &s->encoders[i];
	return NULL;
}

const struct run_encoder *module_encoder(const struct module_request *r, const char *hook)
{
	const struct kept_encoder *k = find_encoder(r->s, hook);
	return k ? &k->c : NULL;
}

static bool all_finite(const f32 *v, u64 n)
{
	for (u64 i = 0; i < n; i++)
		if (!isfinite(v[i]))
			return false;
	return true;
}

const struct run_encoder *calls_keep_encoder(struct server *s, const char *hook, const f32 *w,
					     const f32 *bias, u32 n, u32 k, struct err *e)
{
	u64 d = s->info.d_model;
	struct kept_encoder *kept = find_encoder(s, hook);
	if (!kept && s->n_encoders == SERVER_MAX_ENCODERS) {
		err_set(e, ERR_FAILED, "more than %d encoders", SERVER_MAX_ENCODERS);
		return NULL;
	}
	if (!all_finite(w, n * d) || !all_finite(bias, n)) {
		err_set(e, ERR_USAGE, "the encoder holds a number that is not finite");
		return NULL;
	}
	f32 *own = mem_try(n * (d + 1), sizeof *own, "an encoder", e);
	if (!own)
		return NULL;
	memcpy(own, w, n * d * sizeof *own);
	memcpy(own + n * d, bias, n * sizeof *own);
	if (!kept) {
		kept = &s->encoders[s->n_encoders++];
		kept->hook = xstrdup(hook);
	} else
		free(kept->c.w);
	kept->c = (struct run_encoder){.w = own, .bias = own + n * d, .n = n, .d = (u32)d, .k = k};
	return &kept->c;
}
