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

static int check_feature(u32 feature, const char *hook, const struct run_encoder *encoder, struct err *e)
{
	if (feature == NO_FEATURE)
		return 0;
	if (!encoder)
		return err_set(e, ERR_UNAVAILABLE, "no encoder was loaded for hook '%s'", hook);
	if (feature >= encoder->n)
		return err_set(e, ERR_USAGE, "feature %u is not in the loaded encoder of %u", feature, encoder->n);
	return 0;
}

static int check_condition(const struct intervention *v, u32 d, const struct run_encoder *encoder, struct err *e)
{
	const struct run_condition *c = &v->when;
	if (!c->encoder)
		return 0;
	if (!isfinite(c->bias) || !isfinite(c->threshold) || !isfinite(c->above) || !finite_all(c->encoder, d))
		return err_set(e, ERR_USAGE, "a condition holds a number that is not finite");
	return check_feature(c->feature, v->hook, encoder, e);
}

int run_check_amount(const struct intervention *v, f32 amount, u32 d, struct err *e)
{
	if (!isfinite(amount))
		return err_set(e, ERR_USAGE, "an intervention holds a number that is not finite");
	if (!v->direction)
		return 0;
	/* the norm of what comes out must be a number: its square is in f32 */
	f32 size = fabsf(amount) * (follows(v) ? 1 : sqrtf(dot(v->direction, v->direction, d)));
	if (!(size <= MOST_CHANGE))
		return err_set(e, ERR_USAGE, "strength %g is too large: a change of size %g, and %g is the most",
			       (f64)amount, (f64)size, (f64)MOST_CHANGE);
	return 0;
}

int run_check(const struct intervention *v, u32 d, const struct run_encoder *encoder, struct err *e)
{
	if (check_condition(v, d, encoder, e))
		return -1;
	if (v->kind == INTERVENE_REPLACE)
		return v->rows ? 0 : err_set(e, ERR_USAGE, "replace needs rows");
	bool reads = reads_feature(v);
	if (!v->direction || (reads && !v->encoder))
		return err_set(e, ERR_USAGE, "an intervention lacks its %s vector",
			       v->direction ? "encoder" : "decoder");
	if (!isfinite(v->bias) || !isfinite(v->threshold) || !finite_all(v->direction, d) ||
	    (reads && !finite_all(v->encoder, d)))
		return err_set(e, ERR_USAGE, "an intervention holds a number that is not finite");
	if (run_check_amount(v, v->amount, d, e))
		return -1;
	f32 length = sqrtf(dot(v->direction, v->direction, d));
	if (follows(v) && !(length > 0 && isfinite(length)))
		return err_set(e, ERR_USAGE, "%s needs a direction that has a length", intervention_kinds[v->kind]);
	if (v->kind == INTERVENE_PIN && fabsf(dot(v->encoder, v->direction, d)) < 0.1f)
		return err_set(e, ERR_USAGE,
			       "cannot pin: encoder and decoder of the feature are nearly orthogonal (%.3f)",
			       (f64)dot(v->encoder, v->direction, d));
	return reads && v->kind != INTERVENE_PIN ? check_feature(v->feature, v->hook, encoder, e) : 0;
}

bool run_touches(const struct intervention *v, const struct run *r, size_t n_prompt, size_t position)
{
	size_t last = n_prompt ? n_prompt - 1 : 0;
	if (v->off)
		return false;
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

/* The row that came to a hook, which all interventions there read. */
struct reading {
	const f32 *x;
	u32 d;
	const struct run_encoder *encoder; /* or NULL */
	f32 *p_all; /* of the encoder, once a feature has needed it */
	bool encoded;
};

static f32 activation(struct reading *r, const f32 *w, f32 bias, f32 threshold, u32 feature)
{
	if (feature == NO_FEATURE || !r->encoder) {
		f32 p = dot(w, r->x, r->d) + bias;
		return p > threshold && p > 0 ? p : 0;
	}
	if (!r->encoded)
		pre_activations(r->encoder, r->x, r->p_all);
	r->encoded = true;
	return topk_of(r->p_all, r->encoder->n, r->encoder->k, feature);
}

static bool holds(struct reading *r, const struct run_condition *c)
{
	return !c->encoder || activation(r, c->encoder, c->bias, c->threshold, c->feature) > c->above;
}

/* c of x + c d. */
static f32 coefficient(struct reading *r, const struct intervention *v)
{
	if (v->kind == INTERVENE_ADD)
		return v->amount;
	if (v->kind == INTERVENE_PIN)
		return (v->amount - (dot(v->encoder, r->x, r->d) + v->bias)) / dot(v->encoder, v->direction, r->d);
	f32 f = activation(r, v->encoder, v->bias, v->threshold, v->feature);
	return v->kind == INTERVENE_CLAMP ? v->amount - f : (v->amount - 1) * f;
}

/* The part along d takes another size: c of y + c d. */
static f32 following(const struct intervention *v, u32 d, const f32 *y)
{
	f32 length = sqrtf(dot(v->direction, v->direction, d)), part = dot(v->direction, y, d) / length;
	f32 becomes = v->kind == INTERVENE_CAP ? MIN(part, v->amount) : v->amount * part;
	return (becomes - part) / length;
}

static bool add_to(f32 *y, f32 c, const f32 *v, u32 d)
{
	for (u32 k = 0; k < d && c != 0; k++)
		y[k] += c * v[k];
	return c != 0;
}

bool run_apply(const struct run *r, const char *hook, const struct run_encoder *encoder, size_t n_prompt,
	       size_t position, u32 d, f32 *x, f32 *work)
{
	struct reading in = {.x = x, .d = d, .encoder = encoder, .p_all = work + d};
	f32 *y = work; /* the sum of the changes, then the row */
	const f32 *row = NULL;
	bool changed = false;
	memset(y, 0, d * sizeof *y);
	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < r->n_list; i++) {
			const struct intervention *v = &r->list[i];
			if (follows(v) != (pass == 1) || strcmp(v->hook, hook) ||
			    !run_touches(v, r, n_prompt, position) || !holds(&in, &v->when))
				continue;
			if (v->kind == INTERVENE_REPLACE) {
				const f32 *given = v->rows + position * d;
				row = isnan(given[0]) ? row : given;
			} else
				changed |= add_to(y, pass ? following(v, d, y) : coefficient(&in, v), v->direction, d);
		}
		for (u32 k = 0; k < d && !pass; k++)
			y[k] = (row ? row[k] : x[k]) + y[k];
	}
	if (changed)
		memcpy(x, y, d * sizeof *x);
	else if (row)
		memcpy(x, row, d * sizeof *x);
	return changed || row;
}
