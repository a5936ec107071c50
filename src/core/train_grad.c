/* SPDX-License-Identifier: MIT */
/* train_grad.c - a training step's loss and gradients. */
#include "core/train_impl.h"

#include "base/mem.h"
#include "core/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is active ---- */

static void centre(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct step *s = context;
	size_t d = s->shape.d, end = MIN((task + 1) * ROWS_A_TASK, s->n);
	for (size_t i = task * ROWS_A_TASK; i < end; i++)
		vec_sub(s->xc + i * d, s->x + i * d, s->param.b_dec, d);
}

static void find_thresholds(struct step *s)
{
	f32 half = s->backward ? s->shape.bandwidth / 2 : 0;
	for (size_t f = 0; f < s->shape.n_features; f++) {
		s->threshold[f] = expf(s->param.log_threshold[f]);
		s->reach[f] = fmaxf(0, s->threshold[f] - half);
	}
}

static int choose(struct step *s, struct err *e)
{
	const struct step_shape *h = &s->shape;
	struct encoder_cut cut = {.k = h->k};
	if (h->choice == CHOICE_BATCH && s->backward)
		/* a little less than what is likely: it is looked at once only if enough is above it */
		return select_batch(&s->main, s->encoder, s->pool, s->xc, s->n, s->n * h->k,
				    (f32)(0.9 * s->state.threshold), &s->least, e);
	if (h->choice == CHOICE_BATCH)
		cut = (struct encoder_cut){.least = (f32)s->state.threshold};
	if (h->choice == CHOICE_THRESHOLD) {
		find_thresholds(s);
		cut = (struct encoder_cut){.least_of = s->reach};
	}
	if (select_rows(&s->main, s->encoder, s->pool, s->xc, s->n, &cut, e))
		return -1;
	if (h->choice == CHOICE_THRESHOLD)
		select_above(&s->main, s->pool, s->threshold);
	return 0;
}

static int choose_dead(struct step *s, struct err *e)
{
	const struct step_params *p = &s->param;
	struct encoder_cut cut = {.k = MIN(s->n_dead, MAX((size_t)s->shape.d / 2, (size_t)1))};
	if (!s->n_aux)
		return 0;
	encoder_take(s->dead_encoder, &(struct encoder_weights){p->w_enc, p->b_enc, s->dead, s->n_dead}, s->pool);
	if (select_rows(&s->aux, s->dead_encoder, s->pool, s->xc, s->n_aux, &cut, e))
		return -1;
	for (size_t i = 0; i < s->aux.out.n; i++)
		s->aux.out.id[i] = s->dead[s->aux.out.id[i]];
	return 0;
}

static void look_at(struct step *s, const f32 *x, size_t n)
{
	const struct step_params *p = &s->param;
	s->x = x;
	s->n = n;
	pool_each(s->pool, (n + ROWS_A_TASK - 1) / ROWS_A_TASK, centre, s);
	encoder_take(s->encoder, &(struct encoder_weights){p->w_enc, p->b_enc, NULL, s->shape.n_features}, s->pool);
}

static int activate(struct step *s, const f32 *x, size_t n, struct err *e)
{
	look_at(s, x, n);
	if (choose(s, e) || choose_dead(s, e))
		return -1;
	s->active = 0;
	for (size_t i = 0; i < n; i++)
		s->active += s->main.n[i];
	return 0;
}

/* ---- row by row ---- */

/* out = the sum of f d over the entries [at, end) of a selection. */
static void decode(const struct step *s, const struct selection *a, size_t at, size_t end, f32 *out)
{
	size_t d = s->shape.d;
	vec_gather_sum(out, s->param.w_dec, d, a->out.id + at, a->out.act + at, end - at, d);
}

static void through_decoder(const struct step *s, struct selection *a, size_t at, size_t end, const f32 *error)
{
	size_t d = s->shape.d;
	for (size_t j = at; j < end; j++) {
		if (j + 1 < end)
			vec_fetch(s->param.w_dec + a->out.id[j + 1] * d, d);
		a->dz[j] = vec_dot(s->param.w_dec + a->out.id[j] * d, error, d);
	}
}

static f32 *error_row(const struct step *s, size_t group, size_t row)
{
	return s->error + (group * s->n + row) * s->shape.d;
}

static void aux_row(struct step *s, size_t row, const f32 *error)
{
	struct selection *a = &s->aux;
	size_t d = s->shape.d, at = a->at[row], end = a->at[row + 1];
	f32 *out = error_row(s, s->shape.prefixes, row);
	decode(s, a, at, end, out);
	vec_add(out, error, d);
	s->row_aux[row] = (f64)vec_dot(out, out, d);
	vec_scale(out, 2 * s->shape.aux_weight / ((f32)s->n_aux * s->shape.var), d);
	through_decoder(s, a, at, end, out);
}

/* Where each part of the features begins among a row's entries: bound[0] to bound[prefixes]. */
static void find_parts(const struct step *s, size_t row, size_t *bound)
{
	size_t j = s->main.at[row], end = j + s->main.n[row];
	for (u32 g = 0; g < s->shape.prefixes; g++) {
		u32 next = step_prefix(&s->shape, g + 1);
		bound[g] = j;
		while (j < end && s->main.out.id[j] < next)
			j++;
	}
	bound[s->shape.prefixes] = end;
}

static void forward_row(struct step *s, size_t row, f32 *y, f32 *part)
{
	size_t d = s->shape.d, groups = s->shape.prefixes, bound[STEP_MOST_PREFIXES + 1];
	f64 nested = 0;
	find_parts(s, row, bound);
	for (size_t g = 0; g < groups; g++) {
		f32 *error = error_row(s, g, row);
		decode(s, &s->main, bound[g], bound[g + 1], g ? part : y);
		if (g)
			vec_add(y, part, d);
		vec_sub(error, y, s->xc + row * d, d); /* y - x: b_dec is in both */
		s->row_error[row] = (f64)vec_dot(error, error, d);
		nested += s->row_error[row];
	}
	s->row_nested[row] = nested / (f64)groups;
	if (!s->backward)
		return;
	if (row < s->n_aux)
		aux_row(s, row, error_row(s, groups - 1, row));
	/* a feature is in its own sum and in all after it */
	for (size_t g = groups; g--;) {
		f32 *error = error_row(s, g, row);
		vec_scale(error, 2 / ((f32)s->n * s->shape.var * (f32)groups), d);
		if (g + 1 < groups)
			vec_add(error, error_row(s, g + 1, row), d);
		bool last = g + 1 == groups; /* and those near a threshold */
		through_decoder(s, &s->main, bound[g], last ? s->main.at[row + 1] : bound[g + 1], error);
	}
}

static void forward_rows(void *context, size_t task, unsigned thread)
{
	struct step *s = context;
	size_t d = s->shape.d, end = MIN((task + 1) * ROWS_A_TASK, s->n);
	f32 *y = s->y + (size_t)thread * 2 * d;
	for (size_t i = task * ROWS_A_TASK; i < end; i++)
		forward_row(s, i, y, y + d);
}

static int forward(struct step *s, const f32 *x, size_t n, struct step_loss *loss, struct err *e)
{
	if (activate(s, x, n, e))
		return -1;
	pool_each(s->pool, (n + ROWS_A_TASK - 1) / ROWS_A_TASK, forward_rows, s);
	*loss = (struct step_loss){.rows = n, .aux_rows = s->n_aux, .active = s->active};
	for (size_t i = 0; i < n; i++) {
		loss->error += s->row_error[i];
		loss->nested += s->row_nested[i];
	}
	for (size_t i = 0; i < s->n_aux; i++)
		loss->aux += s->row_aux[i];
	return 0;
}

int step_forward(struct step *s, const f32 *x, size_t n, struct step_loss *loss, struct err *e)
{
	s->backward = false;
	s->n_dead = s->n_aux = 0;
	return forward(s, x, n, loss, e);
}

/* ---- feature by feature ---- */

static int room_for_entries(struct step *s, size_t n, struct err *e)
{
	static const char what[] = "the entries of a batch";
	struct entries *t = &s->entries;
	if (n <= t->cap)
		return 0;
	free(t->x_row);
	free(t->error_row);
	free(t->act);
	free(t->dz);
	t->cap = n + n / 4;
	t->x_row = mem_try(t->cap, sizeof *t->x_row, what, e);
	t->error_row = mem_try(t->cap, sizeof *t->error_row, what, e);
	t->act = mem_try(t->cap, sizeof *t->act, what, e);
	t->dz = mem_try(t->cap, sizeof *t->dz, what, e);
	if (t->x_row && t->error_row && t->act && t->dz)
		return 0;
	t->cap = 0;
	return -1;
}

static void count(size_t *start, const struct selection *a, size_t rows)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = a->at[i]; j < a->at[i] + a->n[i]; j++)
			start[a->out.id[j] + 2]++;
}

static u32 part_of(const struct step *s, u32 f)
{
	u32 g = 0;
	while (g + 1 < s->shape.prefixes && f >= step_prefix(&s->shape, g + 1))
		g++;
	return g;
}

/* group: of the rows' errors, or that of the feature's part. */
static void place(struct step *s, const struct selection *a, size_t rows, bool by_part, u32 group)
{
	struct entries *t = &s->entries;
	for (size_t i = 0; i < rows; i++) {
		for (size_t j = a->at[i]; j < a->at[i] + a->n[i]; j++) {
			u32 f = a->out.id[j];
			size_t at = t->start[f + 1]++;
			t->x_row[at] = (u32)i;
			t->error_row[at] = (u32)((by_part ? part_of(s, f) : group) * s->n + i);
			t->act[at] = a->out.act[j];
			t->dz[at] = a->dz[j];
		}
	}
}

/* start is kept one place ahead while entries are placed, and is right at the end. */
static int sort_entries(struct step *s, bool *fired, struct err *e)
{
	struct entries *t = &s->entries;
	size_t f = s->shape.n_features;
	if (room_for_entries(s, s->active + (s->n_aux ? s->aux.out.n : 0), e))
		return -1;
	memset(t->start, 0, (f + 2) * sizeof *t->start);
	count(t->start, &s->main, s->n);
	if (fired)
		for (size_t i = 0; i < f; i++)
			fired[i] = t->start[i + 2] > 0;
	count(t->start, &s->aux, s->n_aux);
	for (size_t i = 2; i < f + 2; i++)
		t->start[i] += t->start[i - 1];
	place(s, &s->main, s->n, s->shape.prefixes > 1, 0);
	place(s, &s->aux, s->n_aux, false, s->shape.prefixes);
	return 0;
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

/* By log t, which brings a factor of t. */
static void threshold_gradients(struct step *s)
{
	f32 h = s->shape.bandwidth, penalty = (f32)(s->state.penalty / (f64)s->n);
	f32 *out = s->grad.log_threshold;
	memset(out, 0, s->shape.n_features * sizeof *out);
	for (size_t j = 0; j < s->main.out.n; j++) {
		u32 f = s->main.out.id[j];
		f32 t = s->threshold[f];
		if (fabsf(s->main.out.act[j] - t) < h / 2)
			out[f] -= t * (t * s->main.dz[j] + penalty) / h;
	}
}

int step_gradients(struct step *s, const f32 *x, size_t n, const u32 *dead, size_t n_dead, bool *fired,
		   struct step_loss *loss, struct err *e)
{
	s->backward = true;
	s->dead = dead;
	s->n_dead = n_dead;
	s->n_aux = n_dead ? MIN(n, (size_t)s->shape.aux_rows) : 0;
	if (forward(s, x, n, loss, e) || sort_entries(s, fired, e))
		return -1;
	pool_each(s->pool, (s->shape.n_features + FEATURES_A_TASK - 1) / FEATURES_A_TASK, feature_gradients,
		  s);
	pool_each(s->pool, (s->shape.d + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK, b_dec_gradients, s);
	if (s->shape.choice == CHOICE_THRESHOLD)
		threshold_gradients(s);
	return 0;
}

int step_fit(struct step *s, const f32 *x, size_t n, struct err *e)
{
	f32 least;
	if (s->shape.choice == CHOICE_ROW)
		return 0;
	look_at(s, x, n);
	/* rows come scaled so that a random direction gives about 1 */
	if (select_batch(&s->main, s->encoder, s->pool, s->xc, n, n * s->shape.k, 1, &least, e))
		return -1;
	s->state.threshold = (f64)least;
	s->state.penalty = (f64)least * (f64)least / (f64)s->shape.var;
	for (size_t f = 0; s->param.log_threshold && f < s->shape.n_features; f++)
		s->param.log_threshold[f] = logf(fmaxf(least, 1e-3f));
	return 0;
}
