/* SPDX-License-Identifier: MIT */
/* run.c - the arithmetic of interventions. */
#include "core/run.h"

#include "core/store.h"

#include <math.h>
#include <string.h>

/* A change of this size is far beyond any model's rows, and its square still is an f32. */
#define MOST_CHANGE 1e9f

const char *const intervention_kinds[N_INTERVENTION_KINDS] = {"add", "clamp",      "scale", "pin",
							       "replace", "orthogonal", "cap"};

static f32 dot(const f32 *a, const f32 *b, u32 d)
{
	/* eight lanes: a fixed order of addition that the compiler can keep in vectors */
	f32 lane[8] = {0};
	u32 k = 0;
	for (; k + 8 <= d; k += 8)
		for (u32 j = 0; j < 8; j++)
			lane[j] += a[k + j] * b[k + j];
	f32 s = ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
	for (; k < d; k++)
		s += a[k] * b[k];
	return s;
}

static bool finite_all(const f32 *v, u32 d)
{
	for (u32 k = 0; k < d; k++)
		if (!isfinite(v[k]))
			return false;
	return true;
}

static bool follows(const struct intervention *v)
{
	return v->kind == INTERVENE_ORTHOGONAL || v->kind == INTERVENE_CAP;
}

static bool reads_feature(const struct intervention *v)
{
	return v->kind == INTERVENE_CLAMP || v->kind == INTERVENE_SCALE || v->kind == INTERVENE_PIN;
}

int run_check(const struct intervention *v, u32 d, const struct run_encoder *encoder, struct err *e)
{
	if (v->kind == INTERVENE_REPLACE)
		return v->rows ? 0 : err_set(e, ERR_USAGE, "replace needs rows");
	bool reads = reads_feature(v);
	if (!v->direction || (reads && !v->encoder))
		return err_set(e, ERR_USAGE, "an intervention lacks its %s vector",
			       v->direction ? "encoder" : "decoder");
	if (!isfinite(v->amount) || !isfinite(v->bias) || !isfinite(v->threshold) ||
	    !finite_all(v->direction, d) || (reads && !finite_all(v->encoder, d)))
		return err_set(e, ERR_USAGE, "an intervention holds a number that is not finite");
	f32 length = sqrtf(dot(v->direction, v->direction, d));
	if (follows(v) && !(length > 0 && isfinite(length)))
		return err_set(e, ERR_USAGE, "%s needs a direction that has a length", intervention_kinds[v->kind]);
	/* the norm of what comes out must be a number: its square is in f32 */
	f32 size = fabsf(v->amount) * (follows(v) ? 1 : length);
	if (!(size <= MOST_CHANGE))
		return err_set(e, ERR_USAGE, "strength %g is too large: a change of size %g, and %g is the most",
			       (f64)v->amount, (f64)size, (f64)MOST_CHANGE);
	if (v->kind == INTERVENE_PIN && fabsf(dot(v->encoder, v->direction, d)) < 0.1f)
		return err_set(e, ERR_USAGE,
			       "cannot pin: encoder and decoder of the feature are nearly orthogonal (%.3f)",
			       (f64)dot(v->encoder, v->direction, d));
	if (v->feature == NO_FEATURE || (v->kind != INTERVENE_CLAMP && v->kind != INTERVENE_SCALE))
		return 0;
	if (!encoder)
		return err_set(e, ERR_UNAVAILABLE, "no encoder was loaded for hook '%s'", v->hook);
	if (v->feature >= encoder->n)
		return err_set(e, ERR_USAGE, "feature %u is not in the loaded encoder of %u", v->feature,
			       encoder->n);
	return 0;
}

bool run_touches(const struct intervention *v, const struct run *r, size_t n_prompt, size_t position)
{
	size_t last = n_prompt ? n_prompt - 1 : 0;
	if (v->kind == INTERVENE_REPLACE)
		return position < v->n_rows;
	if ((v->where == WHERE_REPLY && position < last) || (v->where == WHERE_PROMPT && position >= last))
		return false;
	return position == last || position >= r->n_tokens || !r->flags ||
	       !(r->flags[position] & TOKEN_MASKED);
}

static void pre_activations(const struct run_encoder *c, const f32 *x, f32 *p)
{
	for (u32 i = 0; i < c->n; i++)
		p[i] = dot(c->w + (size_t)i * c->d, x, c->d) + c->bias[i];
}

static f32 topk_of(const f32 *p, u32 n, u32 k, u32 feature)
{
	f32 mine = p[feature];
	if (!(mine > 0))
		return 0;
	u32 before = 0;
	for (u32 i = 0; i < n && before < k; i++)
		before += p[i] > mine || (p[i] == mine && i < feature);
	return before < k ? mine : 0;
}

f32 run_topk(const struct run_encoder *c, const f32 *x, u32 feature, f32 *work)
{
	pre_activations(c, x, work);
	return topk_of(work, c->n, c->k, feature);
}

/* c of x + c d.  p_all: every pre-activation of the loaded encoder, where one is needed. */
static f32 coefficient(const struct intervention *v, const f32 *x, u32 d, const struct run_encoder *encoder,
		       const f32 *p_all)
{
	if (v->kind == INTERVENE_ADD)
		return v->amount;
	f32 p = dot(v->encoder, x, d) + v->bias;
	if (v->kind == INTERVENE_PIN)
		return (v->amount - p) / dot(v->encoder, v->direction, d);
	f32 f = p > v->threshold && p > 0 ? p : 0;
	if (v->feature != NO_FEATURE && encoder)
		f = topk_of(p_all, encoder->n, encoder->k, v->feature);
	return v->kind == INTERVENE_CLAMP ? v->amount - f : (v->amount - 1) * f;
}

static bool needs_encoder(const struct intervention *v)
{
	return (v->kind == INTERVENE_CLAMP || v->kind == INTERVENE_SCALE) && v->feature != NO_FEATURE;
}

/* What takes the place of the part of x along d: its size along the unit direction is part. */
static f32 new_part(const struct intervention *v, f32 part)
{
	return v->kind == INTERVENE_CAP ? MIN(part, v->amount) : v->amount * part;
}

/* x after the sum; false where nothing changes. */
static bool follow(const struct intervention *v, u32 d, f32 *x)
{
	f32 square = dot(v->direction, v->direction, d), length = sqrtf(square);
	f32 part = dot(v->direction, x, d) / length, c = (new_part(v, part) - part) / length;
	if (c == 0)
		return false;
	for (u32 k = 0; k < d; k++)
		x[k] += c * v->direction[k];
	return true;
}

/* Orthogonal and cap, in list order. */
static bool follow_all(const struct run *r, const char *hook, size_t n_prompt, size_t position, u32 d, f32 *x)
{
	bool changed = false;
	for (size_t i = 0; i < r->n_list; i++) {
		const struct intervention *v = &r->list[i];
		if (follows(v) && !strcmp(v->hook, hook) && run_touches(v, r, n_prompt, position))
			changed |= follow(v, d, x);
	}
	return changed;
}

bool run_apply(const struct run *r, const char *hook, const struct run_encoder *encoder, size_t n_prompt,
	       size_t position, u32 d, f32 *x, f32 *work)
{
	f32 *change = work, *p_all = work + d;
	const f32 *row = NULL;
	bool changed = false, encoded = false;
	memset(change, 0, d * sizeof *change);
	for (size_t i = 0; i < r->n_list; i++) {
		const struct intervention *v = &r->list[i];
		if (follows(v) || strcmp(v->hook, hook) || !run_touches(v, r, n_prompt, position))
			continue;
		if (v->kind == INTERVENE_REPLACE) {
			const f32 *given = v->rows + position * d;
			row = isnan(given[0]) ? row : given;
			continue;
		}
		if (needs_encoder(v) && encoder && !encoded) {
			pre_activations(encoder, x, p_all);
			encoded = true;
		}
		f32 c = coefficient(v, x, d, encoder, p_all);
		if (c == 0)
			continue;
		changed = true;
		for (u32 k = 0; k < d; k++)
			change[k] += c * v->direction[k];
	}
	if (row)
		memcpy(x, row, d * sizeof *x);
	if (changed)
		for (u32 k = 0; k < d; k++)
			x[k] += change[k];
	return follow_all(r, hook, n_prompt, position, d, x) || changed || row;
}
