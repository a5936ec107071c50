/* SPDX-License-Identifier: MIT */
/* steer_make.c - specs become interventions, with vectors out of the dictionary. */
#include "backend/steer_impl.h"

#include "base/mem.h"
#include "core/hook.h"
#include "core/regex.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SPECS = 64 };

static int make_encoder(struct steer_set *s, struct err *e)
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

/* Reads f, or p, of the feature; the others know directions only. */
static bool reads_f(enum steer_method m)
{
	return m == STEER_CLAMP || m == STEER_SCALE || m == STEER_ABLATE;
}

static bool needs_encoder(const struct steer_set *s, const struct steer_spec *spec)
{
	return dict_info(s->a->dict)->arch == DICT_TOPK && reads_f(spec->method);
}

/* What the dictionary can be asked for: some methods read f or p where the feature is written. */
static int check_method(const struct steer_set *s, const struct steer_spec *spec, struct err *e)
{
	const struct dict_info *i = dict_info(s->a->dict);
	const char *method = steer_spec_method(spec->method);
	bool reads = reads_f(spec->method) || spec->method == STEER_PIN;
	if (i->d_out != s->a->d_model)
		return err_set(e, ERR_UNAVAILABLE, "cannot steer: the dictionary writes rows of %u numbers, the model's have %u",
			       i->d_out, s->a->d_model);
	if (reads && i->is_transcoder)
		return err_set(e, ERR_UNAVAILABLE, "cannot %s feature %u: the dictionary reads one place and writes another; "
			       "only add, orthogonal and cap are possible", method, spec->feature);
	if (reads_f(spec->method) && (i->arch == DICT_GROUPMAX || i->arch == DICT_IDENTITY))
		return err_set(e, ERR_UNAVAILABLE, "cannot %s feature %u: with %s its activation is no function of its own "
			       "pre-activation that a model can be told", method, spec->feature, i->arch_name);
	return 0;
}

/* A cap counts the feature's own unit, the model its own: how far a decoder row of f = 1 reaches. */
static f32 length_of(const f32 *v, size_t d)
{
	f64 square = 0;
	for (size_t k = 0; k < d; k++)
		square += (f64)v[k] * (f64)v[k];
	return (f32)sqrt(square);
}

/* The condition on a feature: its f, where the dictionary reads. */
static int make_condition(struct steer_set *s, const struct steer_spec *spec, struct intervention *v, f32 *encoder,
			  struct err *e)
{
	const struct dict_info *i = dict_info(s->a->dict);
	struct run_condition *c = &v->when;
	if (i->arch == DICT_GROUPMAX || i->arch == DICT_IDENTITY)
		return err_set(e, ERR_UNAVAILABLE, "cannot steer if feature %u fires: with %s its activation is no "
			       "function of its own pre-activation that a model can be told", spec->if_feature,
			       i->arch_name);
	if (i->is_transcoder || strcmp(v->hook, s->a->hook))
		return err_set(e, ERR_USAGE, "a condition on a feature reads the dictionary's own hook, %s, and can be asked "
			       "of changes there only", s->a->hook);
	if (dict_linear(s->a->dict, spec->if_feature, encoder, &c->bias, e))
		return err_wrap(e, "cannot steer if feature %u fires", spec->if_feature);
	c->encoder = encoder;
	c->threshold = dict_threshold(s->a->dict, spec->if_feature);
	c->feature = i->arch == DICT_TOPK ? spec->if_feature : NO_FEATURE;
	return steer_if_above(spec, s->a, &c->above, e);
}

/* The regex of the text; it decides before the first word whether it is on. */
static int make_watch(struct steer_set *s, size_t i, struct backend *b, struct err *e)
{
	struct steer_watch *w = &s->watch[i];
	if (!backend_can(b, "update"))
		return err_set(e, ERR_UNAVAILABLE, "cannot steer on a regex of the text: the backend has no 'update'; a "
			       "condition on a feature, if=#ID, needs none");
	w->regex = regex_new(s->q->specs[i].if_regex, false, NULL, e);
	w->room = w->regex ? regex_room_new(w->regex, true) : NULL;
	s->follows_text = true;
	return w->regex ? 0 : -1;
}

int steer_list_amount(const struct steer_spec *s, const struct atlas *a, struct intervention *v, struct err *e)
{
	if (steer_spec_coefficient(s, a, &v->amount, e))
		return -1;
	if (v->kind == INTERVENE_CAP) /* of the part along the direction, whose length may not be 1 */
		v->amount *= length_of(v->direction, a->d_model);
	return 0;
}

static int make_intervention(struct steer_set *s, size_t i, struct backend *b, struct err *e)
{
	static const enum intervention_kind kinds[N_STEER_METHODS] = {
		INTERVENE_ADD, INTERVENE_CLAMP,      INTERVENE_SCALE, INTERVENE_CLAMP,
		INTERVENE_PIN, INTERVENE_ORTHOGONAL, INTERVENE_CAP};
	const struct steer_spec *spec = &s->q->specs[i];
	struct intervention *v = &s->list[i];
	size_t d = s->a->d_model;
	f32 *decoder = s->vectors + 3 * i * d, *encoder = decoder + d;
	if (spec->feature >= s->a->n_features)
		return err_set(e, ERR_NOT_FOUND, "there is no feature %u: the atlas has %u", spec->feature,
			       s->a->n_features);
	if (check_method(s, spec, e))
		return -1;
	v->kind = kinds[spec->method];
	dict_direction(s->a->dict, spec->feature, decoder);
	bool reads = reads_f(spec->method) || spec->method == STEER_PIN;
	if (reads && dict_linear(s->a->dict, spec->feature, encoder, &v->bias, e))
		return err_wrap(e, "cannot %s feature %u", steer_spec_method(spec->method), spec->feature);
	/* a transcoder's features are written where it writes */
	const char *own = dict_info(s->a->dict)->is_transcoder ? dict_info(s->a->dict)->hook_out : s->a->hook;
	v->hook = spec->hook[0] ? spec->hook : own;
	u32 layer;
	enum hook_place place;
	if (hook_parse(v->hook, backend_info(b)->n_layers, &layer, &place, e))
		return err_wrap(e, "cannot steer feature %u there", spec->feature);
	v->direction = decoder;
	v->encoder = reads ? encoder : NULL;
	v->threshold = dict_threshold(s->a->dict, spec->feature);
	v->feature = needs_encoder(s, spec) ? spec->feature : NO_FEATURE;
	v->where = spec->where >= 0 ? (enum intervention_where)spec->where : s->q->where;
	if (v->feature != NO_FEATURE && strcmp(v->hook, s->a->hook))
		return err_set(e, ERR_USAGE, "%s of feature %u reads the dictionary's own hook, %s",
			       steer_spec_method(spec->method), spec->feature, s->a->hook);
	if (steer_list_amount(spec, s->a, v, e) ||
	    (spec->condition == STEER_IF_FEATURE && make_condition(s, spec, v, encoder + d, e)) ||
	    (spec->condition == STEER_IF_TEXT && make_watch(s, i, b, e)))
		return -1;
	return 0;
}

/* Whether f of the whole dictionary is wanted where v stands. */
static bool encodes(const struct intervention *v)
{
	return v->feature != NO_FEATURE || (v->when.encoder && v->when.feature != NO_FEATURE);
}

int steer_set_make(struct steer_set *s, struct backend *b, const struct atlas *a, const struct steer_request *q,
		   struct err *e)
{
	size_t n = q->n_specs;
	bool encode = false;
	*s = (struct steer_set){.a = a, .q = q};
	if (n > MAX_SPECS)
		return err_set(e, ERR_USAGE, "%zu features at once are more than %d", n, MAX_SPECS);
	if (backend_connect(b, NULL, e))
		return -1;
	s->list = xcalloc(n + 1, sizeof *s->list);
	s->watch = xcalloc(n + 1, sizeof *s->watch);
	s->vectors = xcalloc(3 * n * a->d_model + 1, sizeof *s->vectors);
	for (size_t i = 0; i < n; i++) {
		if (make_intervention(s, i, b, e))
			return -1;
		encode = encode || encodes(&s->list[i]);
		s->varies = s->varies || s->list[i].kind != INTERVENE_ADD || q->specs[i].condition;
	}
	if (encode && make_encoder(s, e))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (run_check(&s->list[i], a->d_model, encode ? &s->encoder : NULL, e))
			return err_wrap(e, "feature %u", q->specs[i].feature);
	steer_set_text(s, &(struct buf)BUF_INIT, NULL, NULL);
	if (!encode || backend_has_encoder(b, a->hook, a->dict))
		return 0;
	return backend_load_encoder(b, a->hook, s->encoder.w, s->encoder.bias, s->encoder.n, s->encoder.d,
				    s->encoder.k, a->dict, e);
}

void steer_set_release(struct steer_set *s)
{
	for (size_t i = 0; s->watch && i < s->q->n_specs; i++) {
		regex_room_free(s->watch[i].room);
		regex_free(s->watch[i].regex);
	}
	free(s->watch);
	free(s->list);
	free(s->vectors);
	free(s->encoder.w);
	free(s->encoder.bias);
	*s = (struct steer_set){0};
}

int steer_list_make(struct backend *b, const struct atlas *a, const struct steer_spec *specs, size_t n,
		    enum intervention_where where, struct steer_list *out, struct err *e)
{
	struct steer_request q = {.specs = specs, .n_specs = n, .where = where};
	struct steer_set s;
	*out = (struct steer_list){0};
	int bad = steer_set_make(&s, b, a, &q, e);
	if (!bad && s.follows_text)
		bad = err_set(e, ERR_USAGE, "a feature that waits for a regex of the text can be steered with, but not here");
	if (!bad) {
		*out = (struct steer_list){s.list, s.vectors, xcalloc(n + 1, sizeof *out->hooks), n};
		for (size_t i = 0; i < n; i++)
			if (specs[i].hook[0])
				out->list[i].hook = memcpy(out->hooks[i], specs[i].hook, sizeof *out->hooks);
		s.list = NULL;
		s.vectors = NULL;
	}
	steer_set_release(&s);
	return bad ? -1 : 0;
}

void steer_list_release(struct steer_list *l)
{
	free(l->list);
	free(l->vectors);
	free(l->hooks);
	*l = (struct steer_list){0};
}
