/* SPDX-License-Identifier: MIT */
/* steer.c - features become interventions; baseline and steered run as one request. */
#include "backend/steer.h"

#include "base/mem.h"
#include "core/hook.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SPECS = 64 };

/* Everything a request needs, from its start to its end. */
struct steering {
	struct backend *b;
	const struct atlas *a;
	const struct steer_request *q;
	struct intervention *list; /* [n_specs] */
	f32 *vectors;              /* [n_specs][2][d] */
	struct run_encoder encoder; /* w NULL: not needed */
	u32 *tokens;
	u8 *flags;
	size_t n_tokens;
	struct run runs[2];

	struct steer_result *out;
	steer_fn fn;
	void *context;
	bool measure;   /* the change needs rows */
	f64 change_sum; /* of |change| over the positions seen */
	u64 n_changes;
	f32 *work;      /* for run_apply */
};

static int make_encoder(struct steering *s, struct err *e)
{
	const struct dict_info *i = dict_info(s->a->dict);
	struct run_encoder *c = &s->encoder;
	int bad = 0;
	c->n = i->n_features;
	c->d = i->d_in;
	c->k = i->k;
	c->w = mem_try((u64)c->n * c->d, sizeof *c->w, "the encoder", e);
	c->bias = mem_try(c->n, sizeof *c->bias, "the encoder", e);
	for (u32 f = 0; f < c->n && c->w && c->bias && !bad; f++)
		bad = dict_linear(s->a->dict, f, c->w + (size_t)f * c->d, &c->bias[f], e);
	return c->w && c->bias && !bad ? 0 : -1;
}

static bool needs_encoder(const struct steering *s, const struct steer_spec *spec)
{
	return dict_info(s->a->dict)->arch == DICT_TOPK && spec->method != STEER_ADD &&
	       spec->method != STEER_PIN;
}

/* What the dictionary can be asked for: everything but add reads f or p where it is written. */
static int check_method(const struct steering *s, const struct steer_spec *spec, struct err *e)
{
	const struct dict_info *i = dict_info(s->a->dict);
	const char *method = steer_spec_method(spec->method);
	bool reads = spec->method != STEER_ADD, reads_f = reads && spec->method != STEER_PIN;
	if (i->d_out != s->a->d_model)
		return err_set(e, ERR_UNAVAILABLE, "cannot steer: the dictionary writes rows of %u numbers, the model's have %u",
			       i->d_out, s->a->d_model);
	if (reads && i->is_transcoder)
		return err_set(e, ERR_UNAVAILABLE, "cannot %s feature %u: the dictionary reads one place and writes another; "
			       "only add is possible", method, spec->feature);
	if (reads_f && (i->arch == DICT_GROUPMAX || i->arch == DICT_IDENTITY))
		return err_set(e, ERR_UNAVAILABLE, "cannot %s feature %u: with %s its activation is no function of its own "
			       "pre-activation that a model can be told", method, spec->feature, i->arch_name);
	return 0;
}

static int make_intervention(struct steering *s, size_t i, struct err *e)
{
	static const enum intervention_kind kinds[N_STEER_METHODS] = {
		INTERVENE_ADD, INTERVENE_CLAMP, INTERVENE_SCALE, INTERVENE_CLAMP, INTERVENE_PIN};
	const struct steer_spec *spec = &s->q->specs[i];
	struct intervention *v = &s->list[i];
	size_t d = s->a->d_model;
	f32 *decoder = s->vectors + 2 * i * d, *encoder = decoder + d;
	if (spec->feature >= s->a->n_features)
		return err_set(e, ERR_NOT_FOUND, "there is no feature %u: the atlas has %u", spec->feature,
			       s->a->n_features);
	if (check_method(s, spec, e))
		return -1;
	v->kind = kinds[spec->method];
	dict_direction(s->a->dict, spec->feature, decoder);
	if (v->kind != INTERVENE_ADD && dict_linear(s->a->dict, spec->feature, encoder, &v->bias, e))
		return err_wrap(e, "cannot %s feature %u", steer_spec_method(spec->method), spec->feature);
	/* a transcoder's features are written where it writes */
	const char *own = dict_info(s->a->dict)->is_transcoder ? dict_info(s->a->dict)->hook_out : s->a->hook;
	v->hook = spec->hook[0] ? spec->hook : own;
	v->direction = decoder;
	v->encoder = v->kind == INTERVENE_ADD ? NULL : encoder;
	v->threshold = dict_threshold(s->a->dict, spec->feature);
	v->feature = needs_encoder(s, spec) ? spec->feature : NO_FEATURE;
	v->where = spec->where >= 0 ? (enum intervention_where)spec->where : s->q->where;
	if (v->feature != NO_FEATURE && strcmp(v->hook, s->a->hook))
		return err_set(e, ERR_USAGE, "%s of feature %u reads the dictionary's own hook, %s",
			       steer_spec_method(spec->method), spec->feature, s->a->hook);
	return steer_spec_coefficient(spec, s->a, &v->amount, e);
}

static int make_interventions(struct steering *s, struct err *e)
{
	size_t n = s->q->n_specs;
	bool encode = false;
	if (n > MAX_SPECS)
		return err_set(e, ERR_USAGE, "%zu features at once are more than %d", n, MAX_SPECS);
	s->list = xcalloc(n + 1, sizeof *s->list);
	s->vectors = xcalloc(2 * n * s->a->d_model + 1, sizeof *s->vectors);
	for (size_t i = 0; i < n; i++) {
		if (make_intervention(s, i, e))
			return -1;
		encode = encode || s->list[i].feature != NO_FEATURE;
		s->measure = s->measure || s->list[i].kind != INTERVENE_ADD;
	}
	if (encode && make_encoder(s, e))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (run_check(&s->list[i], s->a->d_model, encode ? &s->encoder : NULL, e))
			return err_wrap(e, "feature %u", s->q->specs[i].feature);
	if (!encode || backend_has_encoder(s->b, s->a->hook, s->a->dict))
		return 0;
	return backend_load_encoder(s->b, s->a->hook, s->encoder.w, s->encoder.bias, s->encoder.n,
				    s->encoder.d, s->encoder.k, s->a->dict, e);
}

int steer_list_make(struct backend *b, const struct atlas *a, const struct steer_spec *specs, size_t n,
		    enum intervention_where where, struct steer_list *out, struct err *e)
{
	struct steer_request q = {.specs = specs, .n_specs = n, .where = where};
	struct steering s = {.b = b, .a = a, .q = &q};
	int bad = make_interventions(&s, e);
	free(s.encoder.w);
	free(s.encoder.bias);
	*out = (struct steer_list){s.list, s.vectors, n};
	if (bad)
		steer_list_release(out);
	return bad ? -1 : 0;
}

void steer_list_release(struct steer_list *l)
{
	free(l->list);
	free(l->vectors);
	*l = (struct steer_list){0};
}

/* The size of what the interventions at the atlas' hook do to a row of the reply. */
static void add_change(struct steering *s, const f32 *row)
{
	u32 d = s->a->d_model;
	f32 *x = s->work + d + s->encoder.n;
	f64 square = 0;
	memcpy(x, row, d * sizeof *x);
	/* every token's row stands at or after the last prompt token */
	run_apply(&s->runs[1], s->a->hook, s->encoder.w ? &s->encoder : NULL, s->n_tokens,
		  s->n_tokens - 1 + s->out->n[1], d, x, s->work);
	for (u32 k = 0; k < d; k++)
		square += ((f64)x[k] - (f64)row[k]) * ((f64)x[k] - (f64)row[k]);
	s->change_sum += sqrt(square);
	s->n_changes++;
}

static bool on_token(void *context, size_t run, u32 token, const char *text, size_t n, const f32 *row)
{
	struct steering *s = context;
	if (run > 1)
		return true;
	if (run == 1 && s->measure && row)
		add_change(s, row);
	s->out->tokens[run][s->out->n[run]++] = token;
	buf_add(&s->out->text[run], text, n);
	return !s->fn || s->fn(s->context, (int)run, token, text, n, s->q->want_rows ? row : NULL);
}

f64 steer_repeated_4grams(const u32 *tokens, size_t n)
{
	size_t repeated = 0;
	if (n < 4)
		return 0;
	for (size_t i = 1; i + 4 <= n; i++)
		for (size_t j = 0; j < i; j++)
			if (!memcmp(tokens + i, tokens + j, 4 * sizeof *tokens)) {
				repeated++;
				break;
			}
	return (f64)repeated / (f64)(n - 3);
}

/* |sum of c d| of the adds at the atlas' hook that touch the reply. */
static f64 constant_change(const struct steering *s)
{
	f64 square = 0;
	for (u32 k = 0; k < s->a->d_model; k++) {
		f64 sum = 0;
		for (size_t i = 0; i < s->q->n_specs; i++)
			if (s->list[i].where != WHERE_PROMPT && !strcmp(s->list[i].hook, s->a->hook))
				sum += (f64)s->list[i].amount * (f64)s->list[i].direction[k];
		square += sum * sum;
	}
	return sqrt(square);
}

static void compare(struct steering *s)
{
	struct steer_result *r = s->out;
	size_t both = MIN(r->n[0], r->n[1]), i = 0;
	while (i < both && r->tokens[0][i] == r->tokens[1][i])
		i++;
	r->first_difference = i == r->n[0] && i == r->n[1] ? -1 : (i64)i;
	for (int k = 0; k < 2; k++)
		r->repeated_4grams[k] = steer_repeated_4grams(r->tokens[k], r->n[k]);
	f64 size = !s->measure ? constant_change(s) : s->n_changes ? s->change_sum / (f64)s->n_changes : NAN;
	r->change_over_norm = s->a->norm_median > 0 ? size / (f64)s->a->norm_median : NAN;
}

static int run_both(struct steering *s, struct err *e)
{
	static const char *const names[] = {"baseline", "steered"};
	const struct steer_request *q = s->q;
	for (int i = 0; i < 2; i++) {
		s->out->tokens[i] = xcalloc((size_t)q->n_tokens + 1, sizeof(u32));
		s->runs[i] = (struct run){.name = names[i],
					  .tokens = s->tokens,
					  .flags = s->flags,
					  .n_tokens = s->n_tokens,
					  .seed = q->seed};
	}
	s->runs[1].list = s->list;
	s->runs[1].n_list = q->n_specs;
	s->work = xcalloc(2 * (size_t)s->a->d_model + s->encoder.n, sizeof *s->work);
	struct generate_options o = {.n_tokens = q->n_tokens, .temperature = q->temperature,
				     .rows_hook = q->want_rows || s->measure ? s->a->hook : NULL};
	return backend_generate(s->b, s->runs, 2, &o, on_token, s, e);
}

int steer_generate(struct backend *b, const struct atlas *a, const struct steer_request *q, steer_fn fn,
		   void *context, struct steer_result *out, struct err *e)
{
	struct steering s = {.b = b, .a = a, .q = q, .out = out, .fn = fn, .context = context};
	char warning[256];
	memset(out, 0, sizeof *out);
	buf_init(&out->text[0]);
	buf_init(&out->text[1]);
	out->first_difference = -1;
	out->change_over_norm = NAN;
	int bad = steer_check_model(b, a, warning, sizeof warning, e) || make_interventions(&s, e) ||
		  backend_tokenize(b, q->prompt, q->chat, &s.tokens, &s.flags, &s.n_tokens, e);
	if (!bad && !s.n_tokens)
		bad = err_set(e, ERR_USAGE, "the prompt is empty");
	if (!bad) {
		bad = run_both(&s, e);
		compare(&s);
	}
	free(s.list);
	free(s.vectors);
	free(s.encoder.w);
	free(s.encoder.bias);
	free(s.tokens);
	free(s.flags);
	free(s.work);
	return bad ? -1 : 0;
}

void steer_result_release(struct steer_result *r)
{
	for (int i = 0; i < 2; i++) {
		buf_release(&r->text[i]);
		free(r->tokens[i]);
		r->tokens[i] = NULL;
	}
}

int steer_check_model(struct backend *b, const struct atlas *a, char *warning, size_t size, struct err *e)
{
	u32 layer;
	enum hook_place place;
	warning[0] = 0;
	if (backend_connect(b, NULL, e))
		return -1;
	const struct backend_info *i = backend_info(b);
	if (i->d_model != a->d_model)
		return err_set(e, ERR_UNAVAILABLE,
			       "the live model '%s' has %u dimensions, the atlas' model '%s' has %u", i->name,
			       i->d_model, a->model.name, a->d_model);
	if (hook_parse(a->hook, i->n_layers, &layer, &place, e))
		return err_wrap(e, "the live model '%s' cannot serve this atlas", i->name);
	bool hash = a->model.sha256[0] && i->sha256[0] && strcmp(a->model.sha256, i->sha256);
	bool words = a->model.tokenizer[0] && i->tokenizer[0] && strcmp(a->model.tokenizer, i->tokenizer);
	if (words || (a->model.n_vocab && a->model.n_vocab != i->n_vocab))
		snprintf(warning, size, "the live model '%s' has another vocabulary than the atlas' '%s'",
			 i->name, a->model.name);
	else if (hash)
		snprintf(warning, size, "the live model '%s' is not the file the atlas was made with, '%s'",
			 i->name, a->model.name);
	return 0;
}
