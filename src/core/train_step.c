/* SPDX-License-Identifier: MIT */
/* train_step.c - one training step of a TopK dictionary: loss, gradients, Adam. */
#include "core/train_step.h"

#include "base/mem.h"
#include "core/blas.h"
#include "core/rand.h"
#include "core/topk.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES_A_TASK = 64, COLUMNS_A_TASK = 96 };

/* What a worker needs for itself. */
struct scratch {
	f32 *z;	     /* [block_rows][F] */
	f32 *dead_z; /* [F] */
	f32 *y;	     /* [d] */
	u32 *chosen; /* [aux_k] */
	struct topk *topk;
};

/* The active features of all rows, [rows][width], and what flows back through them. */
struct active {
	size_t width;
	u32 *n; /* [rows] */
	u32 *id;
	f32 *act;
	f32 *dz;
};

/* One active feature of one row, as its feature's gradient needs it. */
struct entries {	/* sorted by feature, then main before auxiliary, then row */
	size_t *start;	/* [F + 1] */
	u32 *x_row;	/* in xc */
	u32 *error_row; /* in error: the auxiliary rows follow the batch's */
	f32 *act, *dz;
};

struct step {
	struct step_shape shape;
	struct pool *pool;
	struct step_params param, grad, moment[2];
	size_t block_rows;
	unsigned n_scratch;
	struct scratch *scratch;
	f32 *xc;    /* [batch][d] x - b_dec */
	f32 *error; /* [batch + aux_rows][d] the loss by y, then by the auxiliary sum */
	f64 *row_error, *row_aux;
	struct active main, aux;
	struct entries entries;
	u32 *every;  /* 0, 1, 2, ...: an index of all rows or features */
	f32 *ones;   /* [batch] */
	f64 *square; /* [F] of a feature's gradients */
	/* of the call at hand */
	const f32 *x;
	size_t n, n_aux, aux_k;
	const u32 *dead;
	size_t n_dead;
	bool backward;
	f32 clip;
	struct {
		f64 rate;
		u64 t;
	} adam;
};

static int params_new(struct step_params *p, const struct step_shape *s, const char *what, struct err *e)
{
	size_t w = (size_t)s->n_features * s->d;
	p->n = 2 * w + s->n_features + s->d;
	p->block = mem_try(p->n, sizeof *p->block, what, e);
	if (!p->block)
		return -1;
	p->w_enc = p->block;
	p->w_dec = p->w_enc + w;
	p->b_enc = p->w_dec + w;
	p->b_dec = p->b_enc + s->n_features;
	return 0;
}

static int active_new(struct active *a, size_t rows, size_t width, struct err *e)
{
	static const char what[] = "the active features of a batch";
	a->width = width;
	a->n = mem_try(rows, sizeof *a->n, what, e);
	a->id = mem_try(rows * width, sizeof *a->id, what, e);
	a->act = mem_try(rows * width, sizeof *a->act, what, e);
	a->dz = mem_try(rows * width, sizeof *a->dz, what, e);
	return a->n && a->id && a->act && a->dz ? 0 : -1;
}

static void active_release(struct active *a)
{
	free(a->n);
	free(a->id);
	free(a->act);
	free(a->dz);
}

static int entries_new(struct entries *t, size_t n_features, size_t n, struct err *e)
{
	static const char what[] = "the entries of a batch";
	t->start = mem_try(n_features + 2, sizeof *t->start, what, e);
	t->x_row = mem_try(n, sizeof *t->x_row, what, e);
	t->error_row = mem_try(n, sizeof *t->error_row, what, e);
	t->act = mem_try(n, sizeof *t->act, what, e);
	t->dz = mem_try(n, sizeof *t->dz, what, e);
	return t->start && t->x_row && t->error_row && t->act && t->dz ? 0 : -1;
}

static int scratch_new(struct scratch *c, const struct step *s, struct err *e)
{
	static const char what[] = "pre-activations";
	size_t f = s->shape.n_features;
	c->z = mem_try(s->block_rows * f, sizeof *c->z, what, e);
	c->dead_z = mem_try(f, sizeof *c->dead_z, what, e);
	c->y = mem_try(s->shape.d, sizeof *c->y, what, e);
	c->chosen = mem_try(s->aux.width, sizeof *c->chosen, what, e);
	c->topk = topk_new(f, e);
	return c->z && c->dead_z && c->y && c->chosen && c->topk ? 0 : -1;
}

static int allocate(struct step *s, struct err *e)
{
	const struct step_shape *h = &s->shape;
	size_t rows = h->batch, aux = h->aux_rows, aux_k = MAX(h->d / 2, 1),
	       all = MAX((size_t)h->n_features, rows);
	if (params_new(&s->param, h, "the dictionary", e) || params_new(&s->grad, h, "gradients", e) ||
	    params_new(&s->moment[0], h, "Adam's moments", e) ||
	    params_new(&s->moment[1], h, "Adam's moments", e) || active_new(&s->main, rows, h->k, e) ||
	    active_new(&s->aux, aux, aux_k, e) ||
	    entries_new(&s->entries, h->n_features, rows * h->k + aux * aux_k, e))
		return -1;
	s->xc = mem_try(rows * h->d, sizeof *s->xc, "a batch", e);
	s->error = mem_try((rows + aux) * h->d, sizeof *s->error, "a batch's errors", e);
	s->row_error = mem_try(rows, sizeof *s->row_error, "a batch's errors", e);
	s->row_aux = mem_try(aux, sizeof *s->row_aux, "a batch's errors", e);
	s->every = mem_try(all, sizeof *s->every, "an index", e);
	s->ones = mem_try(rows, sizeof *s->ones, "an index", e);
	s->square = mem_try(h->n_features, sizeof *s->square, "gradients", e);
	if (!s->xc || !s->error || !s->row_error || !s->row_aux || !s->every || !s->ones || !s->square)
		return -1;
	for (size_t i = 0; i < all; i++)
		s->every[i] = (u32)i;
	for (size_t i = 0; i < rows; i++)
		s->ones[i] = 1;
	for (unsigned i = 0; i < s->n_scratch; i++)
		if (scratch_new(&s->scratch[i], s, e))
			return -1;
	return 0;
}

struct step *step_new(const struct step_shape *shape, struct pool *pool, struct err *e)
{
	struct step *s = xcalloc(1, sizeof *s);
	s->shape = *shape;
	s->pool = pool;
	/* a function of F alone: the same blocks, the same sums */
	s->block_rows = MAX(16, MIN(256, ((size_t)4 << 20) / MAX(shape->n_features, 1) / 16 * 16));
	s->n_scratch = pool ? pool_threads(pool) : 1;
	s->scratch = xcalloc(s->n_scratch, sizeof *s->scratch);
	if (!allocate(s, e))
		return s;
	step_free(s);
	return NULL;
}

void step_free(struct step *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n_scratch; i++) {
		struct scratch *c = &s->scratch[i];
		free(c->z);
		free(c->dead_z);
		free(c->y);
		free(c->chosen);
		topk_free(c->topk);
	}
	free(s->scratch);
	free(s->param.block);
	free(s->grad.block);
	free(s->moment[0].block);
	free(s->moment[1].block);
	active_release(&s->main);
	active_release(&s->aux);
	free(s->entries.start);
	free(s->entries.x_row);
	free(s->entries.error_row);
	free(s->entries.act);
	free(s->entries.dz);
	free(s->xc);
	free(s->error);
	free(s->row_error);
	free(s->row_aux);
	free(s->every);
	free(s->ones);
	free(s->square);
	free(s);
}

const struct step_shape *step_shape(const struct step *s)
{
	return &s->shape;
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

static void unit_row(f32 *row, size_t d)
{
	f32 square = vec_dot(row, row, d);
	if (square > 0)
		vec_scale(row, 1 / sqrtf(square), d);
}

void step_init(struct step *s, u64 seed)
{
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

/* y = sum of act * decoder row, and for each active feature its row's product with the error. */
static void decode(const struct step *s, const struct active *a, size_t row, f32 *y)
{
	size_t at = row * a->width;
	vec_gather_sum(y, s->param.w_dec, s->shape.d, a->id + at, a->act + at, a->n[row], s->shape.d);
}

static void through_decoder(const struct step *s, struct active *a, size_t row, const f32 *error)
{
	size_t d = s->shape.d;
	for (size_t j = row * a->width; j < row * a->width + a->n[row]; j++)
		a->dz[j] = vec_dot(s->param.w_dec + a->id[j] * d, error, d);
}

static void aux_row(struct step *s, struct scratch *c, size_t row, const f32 *z, const f32 *error)
{
	struct active *a = &s->aux;
	size_t d = s->shape.d, at = row * a->width;
	f32 *out = s->error + (s->n + row) * d;
	for (size_t j = 0; j < s->n_dead; j++)
		c->dead_z[j] = z[s->dead[j]];
	a->n[row] = (u32)topk_row(c->topk, c->dead_z, s->n_dead, s->aux_k, c->chosen, a->act + at);
	for (size_t j = 0; j < a->n[row]; j++)
		a->id[at + j] = s->dead[c->chosen[j]];
	decode(s, a, row, out);
	vec_add(out, error, d);
	s->row_aux[row] = vec_dot(out, out, d);
	vec_scale(out, 2 * s->shape.aux_weight / ((f32)s->n_aux * s->shape.var), d);
	through_decoder(s, a, row, out);
}

static void forward_row(struct step *s, struct scratch *c, size_t row, f32 *z)
{
	struct active *a = &s->main;
	size_t d = s->shape.d, at = row * a->width;
	f32 *error = s->error + row * d;
	vec_add(z, s->param.b_enc, s->shape.n_features);
	a->n[row] = (u32)topk_row(c->topk, z, s->shape.n_features, a->width, a->id + at, a->act + at);
	decode(s, a, row, c->y);
	vec_sub(error, c->y, s->xc + row * d, d); /* y - x: b_dec is in both */
	s->row_error[row] = vec_dot(error, error, d);
	if (!s->backward)
		return;
	if (row < s->n_aux)
		aux_row(s, c, row, z, error);
	vec_scale(error, 2 / ((f32)s->n * s->shape.var), d);
	through_decoder(s, a, row, error);
}

static void forward_block(void *context, size_t task, unsigned thread)
{
	struct step *s = context;
	struct scratch *c = &s->scratch[thread];
	size_t d = s->shape.d, f = s->shape.n_features, from = task * s->block_rows;
	size_t n = MIN(s->block_rows, s->n - from);
	for (size_t i = from; i < from + n; i++)
		vec_sub(s->xc + i * d, s->x + i * d, s->param.b_dec, d);
	blas_gemm_nt(n, f, d, s->xc + from * d, s->param.w_enc, c->z);
	for (size_t i = 0; i < n; i++)
		forward_row(s, c, from + i, c->z + i * f);
}

static void forward(struct step *s, const f32 *x, size_t n, struct step_loss *loss)
{
	s->x = x;
	s->n = n;
	pool_each(s->pool, (n + s->block_rows - 1) / s->block_rows, forward_block, s);
	*loss = (struct step_loss){.rows = n, .aux_rows = s->n_aux};
	for (size_t i = 0; i < n; i++) {
		loss->error += s->row_error[i];
		loss->active += s->main.n[i];
	}
	for (size_t i = 0; i < s->n_aux; i++)
		loss->aux += s->row_aux[i];
}

void step_forward(struct step *s, const f32 *x, size_t n, struct step_loss *loss)
{
	s->backward = false;
	s->n_dead = s->n_aux = 0;
	forward(s, x, n, loss);
}

static void count(size_t *start, const struct active *a, size_t rows)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = i * a->width; j < i * a->width + a->n[i]; j++)
			start[a->id[j] + 2]++;
}

static void place(struct entries *t, const struct active *a, size_t rows, size_t error_from)
{
	for (size_t i = 0; i < rows; i++) {
		for (size_t j = i * a->width; j < i * a->width + a->n[i]; j++) {
			size_t at = t->start[a->id[j] + 1]++;
			t->x_row[at] = (u32)i;
			t->error_row[at] = (u32)(error_from + i);
			t->act[at] = a->act[j];
			t->dz[at] = a->dz[j];
		}
	}
}

/* start is kept one place ahead while entries are placed, and is right at the end. */
static void sort_entries(struct step *s, bool *fired)
{
	struct entries *t = &s->entries;
	size_t f = s->shape.n_features;
	memset(t->start, 0, (f + 2) * sizeof *t->start);
	count(t->start, &s->main, s->n);
	if (fired)
		for (size_t i = 0; i < f; i++)
			fired[i] = t->start[i + 2] > 0;
	count(t->start, &s->aux, s->n_aux);
	for (size_t i = 2; i < f + 2; i++)
		t->start[i] += t->start[i - 1];
	place(t, &s->main, s->n, 0);
	place(t, &s->aux, s->n_aux, s->n);
}

static void feature_gradients(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct step *s = context;
	const struct entries *t = &s->entries;
	size_t d = s->shape.d, end = MIN((task + 1) * FEATURES_A_TASK, (size_t)s->shape.n_features);
	for (size_t f = task * FEATURES_A_TASK; f < end; f++) {
		size_t at = t->start[f], n = t->start[f + 1] - at;
		f32 bias = 0;
		vec_gather_sum(s->grad.w_dec + f * d, s->error, d, t->error_row + at, t->act + at, n, d);
		vec_gather_sum(s->grad.w_enc + f * d, s->xc, d, t->x_row + at, t->dz + at, n, d);
		for (size_t j = at; j < at + n; j++)
			bias += t->dz[j];
		s->grad.b_enc[f] = bias;
	}
}

/* b_dec is added to y and taken from every x before the encoder. */
static void b_dec_gradients(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct step *s = context;
	size_t d = s->shape.d, from = task * COLUMNS_A_TASK, n = MIN((size_t)COLUMNS_A_TASK, d - from);
	f32 back[COLUMNS_A_TASK], *out = s->grad.b_dec + from;
	vec_gather_sum(out, s->error + from, d, s->every, s->ones, s->n, n);
	vec_gather_sum(back, s->param.w_enc + from, d, s->every, s->grad.b_enc, s->shape.n_features, n);
	vec_sub(out, out, back, n);
}

void step_gradients(struct step *s, const f32 *x, size_t n, const u32 *dead, size_t n_dead, bool *fired,
		    struct step_loss *loss)
{
	s->backward = true;
	s->dead = dead;
	s->n_dead = n_dead;
	s->n_aux = n_dead ? MIN(n, (size_t)s->shape.aux_rows) : 0;
	s->aux_k = MIN(n_dead, s->aux.width);
	forward(s, x, n, loss);
	sort_entries(s, fired);
	pool_each(s->pool, (s->shape.n_features + FEATURES_A_TASK - 1) / FEATURES_A_TASK, feature_gradients,
		  s);
	pool_each(s->pool, (s->shape.d + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK, b_dec_gradients, s);
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
	if (end == last)
		vec_adam(p->b_dec, g->b_dec, m->b_dec, v->b_dec, d, &a);
	for (size_t f = from; f < end; f++)
		unit_row(p->w_dec + f * d, d);
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
	return norm;
}
