/* SPDX-License-Identifier: MIT */
/* train_step.c - what a training step needs, and what it does with gradients. */
#include "core/train_impl.h"

#include "base/mem.h"
#include "core/rand.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MEAN_OVER = 20 /* batches, about */ };
static const f64 PENALTY_GAIN = 0.05;
/* Thresholds have a way to go in few steps; with the rate of the others, far fewer than k stay active. */
static const f32 THRESHOLD_RATE = 10;

u32 step_prefix(const struct step_shape *h, u32 g)
{
	u64 parts = (u64)1 << h->prefixes;
	return g == h->prefixes ? h->n_features : (u32)((u64)h->n_features * (((u64)1 << g) - 1) / parts);
}

static int params_new(struct step_params *p, const struct step_shape *s, const char *what, struct err *e)
{
	size_t w = (size_t)s->n_features * s->d, f = s->n_features;
	bool thresholds = s->choice == CHOICE_THRESHOLD;
	p->n = 2 * w + f + s->d + (thresholds ? f : 0);
	p->block = mem_try(p->n, sizeof *p->block, what, e);
	if (!p->block)
		return -1;
	p->w_enc = p->block;
	p->w_dec = p->w_enc + w;
	p->b_enc = p->w_dec + w;
	p->b_dec = p->b_enc + f;
	p->log_threshold = thresholds ? p->b_dec + s->d : NULL;
	return 0;
}

static int allocate(struct step *s, struct err *e)
{
	const struct step_shape *h = &s->shape;
	size_t rows = h->batch, aux = h->aux_rows, f = h->n_features, all = MAX(f, rows);
	if (params_new(&s->param, h, "the dictionary", e) || params_new(&s->grad, h, "gradients", e) ||
	    params_new(&s->moment[0], h, "Adam's moments", e) ||
	    params_new(&s->moment[1], h, "Adam's moments", e) || selection_init(&s->main, rows, e) ||
	    selection_init(&s->aux, aux, e) || !(s->encoder = encoder_room(f, h->d, s->pool, e)) ||
	    !(s->dead_encoder = encoder_room(f, h->d, s->pool, e)))
		return -1;
	s->entries.start = mem_try(f + 2, sizeof *s->entries.start, "the entries of a batch", e);
	s->threshold = mem_try(f, sizeof *s->threshold, "thresholds", e);
	s->reach = mem_try(f, sizeof *s->reach, "thresholds", e);
	s->xc = mem_try(rows * h->d, sizeof *s->xc, "a batch", e);
	s->error = mem_try((h->prefixes * rows + aux) * h->d, sizeof *s->error, "a batch's errors", e);
	s->row_error = mem_try(rows, sizeof *s->row_error, "a batch's errors", e);
	s->row_nested = mem_try(rows, sizeof *s->row_nested, "a batch's errors", e);
	s->row_aux = mem_try(aux, sizeof *s->row_aux, "a batch's errors", e);
	s->y = mem_try((size_t)2 * h->d * (s->pool ? pool_threads(s->pool) : 1), sizeof *s->y, "a row", e);
	s->every = mem_try(all, sizeof *s->every, "an index", e);
	s->ones = mem_try(rows, sizeof *s->ones, "an index", e);
	s->square = mem_try(f, sizeof *s->square, "gradients", e);
	if (!s->entries.start || !s->threshold || !s->reach || !s->xc || !s->error || !s->row_error ||
	    !s->row_nested || !s->row_aux || !s->y || !s->every || !s->ones || !s->square)
		return -1;
	for (size_t i = 0; i < all; i++)
		s->every[i] = (u32)i;
	for (size_t i = 0; i < rows; i++)
		s->ones[i] = 1;
	return 0;
}

struct step *step_new(const struct step_shape *shape, struct pool *pool, struct err *e)
{
	struct step *s = xcalloc(1, sizeof *s);
	s->shape = *shape;
	s->shape.prefixes = MAX(1, MIN(shape->prefixes, (u32)STEP_MOST_PREFIXES));
	s->pool = pool;
	if (!allocate(s, e))
		return s;
	step_free(s);
	return NULL;
}

void step_free(struct step *s)
{
	if (!s)
		return;
	struct entries *t = &s->entries;
	void *const all[] = {s->param.block, s->grad.block, s->moment[0].block, s->moment[1].block, t->start,
			     t->x_row, t->error_row, t->act, t->dz, s->threshold, s->reach, s->xc, s->error,
			     s->row_error, s->row_nested, s->row_aux, s->y, s->every, s->ones, s->square};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		free(all[i]);
	selection_release(&s->main);
	selection_release(&s->aux);
	encoder_free(s->encoder);
	encoder_free(s->dead_encoder);
	free(s);
}

struct step_params *step_params(struct step *s)
{
	return &s->param;
}

struct step_params *step_grad(struct step *s)
{
	return &s->grad;
}

struct step_params *step_moment(struct step *s, int which)
{
	return &s->moment[which - 1];
}

struct step_state *step_state(struct step *s)
{
	return &s->state;
}

static void unit_row(f32 *row, size_t d)
{
	f32 square = vec_dot(row, row, d);
	if (square > 0)
		vec_scale(row, 1 / sqrtf(square), d);
}

void step_init(struct step *s, u64 seed)
{
	s->state = (struct step_state){0};
	size_t d = s->shape.d, w = s->shape.n_features * d;
	memset(s->param.block, 0, s->param.n * sizeof(f32));
	memset(s->moment[0].block, 0, s->param.n * sizeof(f32));
	memset(s->moment[1].block, 0, s->param.n * sizeof(f32));
	for (size_t i = 0; i < w; i++)
		s->param.w_dec[i] = (f32)rand_normal(seed, i);
	for (size_t f = 0; f < s->shape.n_features; f++)
		unit_row(s->param.w_dec + f * d, d);
	memcpy(s->param.w_enc, s->param.w_dec, w * sizeof(f32));
}

static void project(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct step *s = context;
	size_t d = s->shape.d, end = MIN((task + 1) * FEATURES_A_TASK, (size_t)s->shape.n_features);
	for (size_t f = task * FEATURES_A_TASK; f < end; f++) {
		f32 *g = s->grad.w_dec + f * d, *ge = s->grad.w_enc + f * d, b = s->grad.b_enc[f];
		const f32 *w = s->param.w_dec + f * d;
		vec_axpy(g, -vec_dot(g, w, d), w, d);
		s->square[f] = (f64)vec_dot(g, g, d) + (f64)vec_dot(ge, ge, d) + (f64)(b * b);
		if (s->grad.log_threshold)
			s->square[f] += (f64)s->grad.log_threshold[f] * (f64)s->grad.log_threshold[f];
	}
}

static void adam_rows(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct step *s = context;
	size_t d = s->shape.d, from = task * FEATURES_A_TASK;
	size_t end = MIN(from + FEATURES_A_TASK, (size_t)s->shape.n_features), last = s->shape.n_features;
	f64 c1 = 1 - pow(0.9, (f64)s->adam.t), c2 = sqrt(1 - pow(0.999, (f64)s->adam.t));
	struct vec_adam a = {0.9f, 0.999f, (f32)(s->adam.rate * c2 / c1), (f32)(1e-8 * c2), s->clip};
	struct step_params *p = &s->param, *g = &s->grad, *m = &s->moment[0], *v = &s->moment[1];
	size_t w = from * d, n = (end - from) * d;
	vec_adam(p->w_enc + w, g->w_enc + w, m->w_enc + w, v->w_enc + w, n, &a);
	vec_adam(p->w_dec + w, g->w_dec + w, m->w_dec + w, v->w_dec + w, n, &a);
	vec_adam(p->b_enc + from, g->b_enc + from, m->b_enc + from, v->b_enc + from, end - from, &a);
	struct vec_adam faster = a;
	faster.rate *= THRESHOLD_RATE;
	if (p->log_threshold)
		vec_adam(p->log_threshold + from, g->log_threshold + from, m->log_threshold + from,
			 v->log_threshold + from, end - from, &faster);
	if (end == last)
		vec_adam(p->b_dec, g->b_dec, m->b_dec, v->b_dec, d, &a);
	for (size_t f = from; f < end; f++)
		unit_row(p->w_dec + f * d, d);
}

/* The penalty follows the number of active features in steps of a few per cent at most. */
static void move_state(struct step *s)
{
	struct step_state *t = &s->state;
	if (s->shape.choice == CHOICE_BATCH)
		t->threshold += ((f64)s->least - t->threshold) / MEAN_OVER;
	if (s->shape.choice == CHOICE_THRESHOLD) {
		f64 over = (f64)s->active / ((f64)s->n * (f64)s->shape.k);
		t->penalty *= pow(fmin(fmax(over, 0.25), 4), PENALTY_GAIN);
	}
}

f64 step_update(struct step *s, f64 rate, u64 t)
{
	size_t tasks = (s->shape.n_features + FEATURES_A_TASK - 1) / FEATURES_A_TASK;
	pool_each(s->pool, tasks, project, s);
	f64 square = vec_dot(s->grad.b_dec, s->grad.b_dec, s->shape.d);
	for (size_t f = 0; f < s->shape.n_features; f++)
		square += s->square[f];
	f64 norm = sqrt(square);
	s->clip = (f32)(norm > 1 ? 1 / norm : 1);
	s->adam.rate = rate;
	s->adam.t = t;
	pool_each(s->pool, tasks, adam_rows, s);
	move_state(s);
	return norm;
}
