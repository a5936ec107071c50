/* SPDX-License-Identifier: MIT */
/* test_train.c - the selection of the largest, gradients against differences, training. */
#include "base/half.h"
#include "base/mem.h"
#include "core/rand.h"
#include "core/topk.h"
#include "core/train.h"
#include "core/train_step.h"
#include "core/vec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void halves_convert_as_the_compiler_does(void **state)
{
	(void)state;
	for (u32 h = 0; h < 65536; h++) {
		u16 x = (u16)h;
		f32 got, want = f16_to_f32(x);
		vec_from_f16(&got, &x, 1);
		assert_true(isnan(want) ? isnan(got) : !memcmp(&got, &want, 4));
	}
}

static void sums_are_right_at_every_length(void **state)
{
	(void)state;
	f32 a[300], b[300], out[300];
	u32 index[2] = {1, 0};
	f32 coef[2] = {2, -0.5f};
	for (int i = 0; i < 300; i++) {
		a[i] = (f32)rand_normal(1, (u64)i);
		b[i] = (f32)rand_normal(2, (u64)i);
	}
	for (size_t n = 0; n < 150; n++) {
		f64 want = 0;
		for (size_t i = 0; i < n; i++)
			want += (f64)a[i] * b[i];
		assert_true(fabs(vec_dot(a, b, n) - want) < 1e-4);
		vec_gather_sum(out, a, 150, index, coef, 2, n);
		for (size_t i = 0; i < n; i++)
			assert_true(fabs(out[i] - (2.0 * a[150 + i] - 0.5 * a[i])) < 1e-5);
	}
}

/* The k largest by k passes. */
static size_t naive_topk(const f32 *z, size_t n, size_t k, u32 *id)
{
	size_t m = 0;
	bool taken[2048] = {0};
	for (; m < k; m++) {
		size_t best = n;
		for (size_t i = 0; i < n; i++)
			if (!taken[i] && z[i] > 0 && (best == n || z[i] > z[best]))
				best = i;
		if (best == n)
			break;
		taken[best] = true;
	}
	size_t at = 0;
	for (size_t i = 0; i < n; i++)
		if (taken[i])
			id[at++] = (u32)i;
	return m;
}

static void the_largest_are_chosen_ties_by_id(void **state)
{
	(void)state;
	struct err e = {0};
	struct topk *t = topk_new(2048, &e);
	static f32 z[2048], value[2048];
	static u32 id[2048], want[2048];
	for (u64 round = 0; round < 600; round++) {
		size_t n = 1 + rand_u64(3, round) % 2048, k = 1 + rand_u64(4, round) % (round % 2 ? 40 : 600);
		/* coarse values make many exact ties; some rows are mostly negative */
		f64 coarse = round % 3 ? 4 : 1e6, shift = (f64)(round % 5) - 3;
		for (size_t i = 0; i < n; i++)
			z[i] = (f32)(nearbyint(rand_normal(round, i) * coarse) / coarse + shift);
		if (round % 7 == 0)
			z[n / 2] = NAN;
		size_t m = topk_row(t, z, n, k, id, value);
		assert_int_equal(m, naive_topk(z, n, k, want));
		assert_memory_equal(id, want, m * sizeof *id);
		for (size_t i = 0; i < m; i++)
			assert_true(value[i] == z[id[i]]);
	}
	topk_free(t);
}

enum { D = 10, F = 24, B = 12, K = 3, AUX_ROWS = 5, N_DEAD = 9 };
static const u32 dead[N_DEAD] = {1, 2, 5, 8, 11, 13, 17, 20, 23};
static const f64 aux_weight = 1.0 / 16, variance = 7.5;

struct plain { /* as a dictionary would be written down, in f64 */
	f64 w_enc[F][D], w_dec[F][D], b_enc[F], b_dec[D], log_threshold[F];
};

static const f32 bandwidth = 0.75f;
static const f64 penalty = 0.01;

static void plain_pre(const struct plain *p, const f64 *x, f64 *z)
{
	for (int f = 0; f < F; f++) {
		z[f] = p->b_enc[f];
		for (int j = 0; j < D; j++)
			z[f] += p->w_enc[f][j] * (x[j] - p->b_dec[j]);
	}
}

/* Keeps the k largest positive of the allowed ones, zeroes the rest. */
static void plain_keep(f64 *z, const bool *allowed, int k)
{
	for (int f = 0; f < F; f++)
		if (!allowed[f] || z[f] < 0)
			z[f] = 0;
	f64 kept[F] = {0};
	for (; k > 0; k--) {
		int best = 0;
		for (int f = 1; f < F; f++)
			if (z[f] > z[best])
				best = f;
		kept[best] += z[best];
		z[best] = 0;
	}
	memcpy(z, kept, sizeof kept);
}

/* z of all rows to what is active of them. */
static void plain_active(const struct plain *p, enum step_choice choice, f64 z[B][F])
{
	bool all[F];
	memset(all, 1, sizeof all);
	if (choice == CHOICE_ROW) {
		for (int i = 0; i < B; i++)
			plain_keep(z[i], all, K);
		return;
	}
	f64 kept[B][F] = {0}, *flat = &z[0][0], *out = &kept[0][0];
	if (choice == CHOICE_THRESHOLD) {
		for (int i = 0; i < B * F; i++)
			out[i] = flat[i] > exp(p->log_threshold[i % F]) ? flat[i] : 0;
	}
	for (int n = 0; choice == CHOICE_BATCH && n < K * B; n++) {
		int best = 0;
		for (int i = 1; i < B * F; i++)
			if (flat[i] > flat[best])
				best = i;
		if (flat[best] <= 0)
			break;
		out[best] = flat[best];
		flat[best] = 0;
	}
	memcpy(z, kept, sizeof kept);
}

/* y_g of a row to y, the sum over features below m_g. */
static void plain_sum(const struct plain *p, const f64 *f, u32 below, f64 *y)
{
	for (int j = 0; j < D; j++) {
		y[j] = p->b_dec[j];
		for (u32 i = 0; i < below; i++)
			y[j] += f[i] * p->w_dec[i][j];
	}
}

/* The loss of train_step.h's head.  given: x - y for the auxiliary term, filled where fill is true. */
static f64 plain_loss(const struct plain *p, const struct step_shape *h, f64 x[B][D], f64 given[AUX_ROWS][D],
		      bool fill)
{
	f64 loss = 0, f[B][F];
	bool is_dead[F] = {0};
	u32 below[STEP_MOST_PREFIXES] = {F}, groups = MAX(1, h->prefixes);
	if (groups == 3) /* F (2^g - 1) / 8 of 24 */
		memcpy(below, (u32[]){3, 9, F}, 3 * sizeof *below);
	for (int i = 0; i < N_DEAD; i++)
		is_dead[dead[i]] = true;
	for (int i = 0; i < B; i++)
		plain_pre(p, x[i], f[i]);
	plain_active(p, h->choice, f);
	for (int i = 0; i < B; i++) {
		f64 z[F], y[D];
		for (u32 g = 0; g < groups; g++) {
			plain_sum(p, f[i], below[g], y);
			for (int j = 0; j < D; j++)
				loss += (x[i][j] - y[j]) * (x[i][j] - y[j]) / (B * variance * groups);
		}
		for (int k = 0; h->choice == CHOICE_THRESHOLD && k < F; k++)
			loss += penalty * (f[i][k] > 0) / B;
		if (i >= AUX_ROWS)
			continue;
		for (int j = 0; fill && j < D; j++)
			given[i][j] = x[i][j] - y[j];
		plain_pre(p, x[i], z);
		plain_keep(z, is_dead, MIN(N_DEAD, D / 2));
		for (int j = 0; j < D; j++) {
			f64 r = given[i][j];
			for (int k = 0; k < F; k++)
				r -= z[k] * p->w_dec[k][j];
			loss += aux_weight * r * r / (AUX_ROWS * variance);
		}
	}
	return loss;
}

static struct step *small_step(const struct step_shape *kind, struct pool *pool, f32 x[B][D], struct plain *p,
			       f64 x64[B][D])
{
	struct step_shape shape = *kind;
	struct err e = {0};
	shape.d = D;
	shape.n_features = F;
	shape.k = K;
	shape.batch = B;
	shape.aux_rows = AUX_ROWS;
	shape.aux_weight = (f32)aux_weight;
	shape.var = (f32)variance;
	shape.bandwidth = bandwidth;
	struct step *s = step_new(&shape, pool, &e);
	assert_non_null(s);
	step_init(s, 5);
	struct step_params *q = step_params(s);
	for (size_t i = 0; i < q->n; i++)
		q->block[i] += (f32)(0.2 * rand_normal(6, i));
	step_state(s)->threshold = 1.5;
	step_state(s)->penalty = penalty;
	for (int i = 0; i < F * D; i++) {
		p->w_enc[i / D][i % D] = q->w_enc[i];
		p->w_dec[i / D][i % D] = q->w_dec[i];
	}
	for (int f = 0; f < F; f++)
		p->b_enc[f] = q->b_enc[f];
	for (int j = 0; j < D; j++)
		p->b_dec[j] = q->b_dec[j];
	for (int f = 0; q->log_threshold && f < F; f++)
		p->log_threshold[f] = q->log_threshold[f];
	for (int i = 0; i < B * D; i++)
		x64[i / D][i % D] = x[i / D][i % D] = (f32)rand_normal(7, (u64)i);
	return s;
}

/* The gradients of all but thresholds are the slopes of the loss, found by differences in f64. */
static void check_slopes(const struct step_shape *kind)
{
	static struct plain p;
	f32 x[B][D];
	f64 x64[B][D], given[AUX_ROWS][D];
	bool fired[F];
	struct err e = {0};
	struct step *s = small_step(kind, NULL, x, &p, x64);
	struct step_loss loss;
	f64 at = plain_loss(&p, kind, x64, given, true);
	assert_int_equal(step_gradients(s, &x[0][0], B, dead, N_DEAD, fired, &loss, &e), 0);
	f64 got = loss.nested / (B * variance) + aux_weight * loss.aux / (AUX_ROWS * variance);
	if (kind->choice == CHOICE_THRESHOLD)
		got += penalty * (f64)loss.active / B;
	assert_true(fabs(got - at) < 1e-6);
	assert_int_equal(loss.rows, B);
	assert_int_equal(loss.aux_rows, AUX_ROWS);
	if (kind->choice == CHOICE_BATCH)
		assert_int_equal(loss.active, K * B);

	/* struct plain and struct step_params list the same numbers in the same order */
	f64 *number = &p.w_enc[0][0];
	size_t n = offsetof(struct plain, log_threshold) / sizeof *number, nonzero = 0;
	assert_true(n <= step_grad(s)->n);
	for (size_t i = 0; i < n; i++) {
		f64 keep = number[i], h = 1e-6;
		number[i] = keep + h;
		f64 up = plain_loss(&p, kind, x64, given, false);
		number[i] = keep - h;
		f64 down = plain_loss(&p, kind, x64, given, false);
		number[i] = keep;
		f64 slope = (up - down) / (2 * h), grad = step_grad(s)->block[i];
		if (fabs(slope - grad) > 1e-5 * (1 + fabs(slope)))
			fail_msg("parameter %zu: slope %.9g, gradient %.9g", i, slope, grad);
		nonzero += fabs(slope) > 1e-4;
	}
	assert_true(nonzero > n / 2);
	step_free(s);
}

static void gradients_are_the_slopes_of_the_loss(void **state)
{
	(void)state;
	check_slopes(&(struct step_shape){.choice = CHOICE_ROW});
	check_slopes(&(struct step_shape){.choice = CHOICE_BATCH});
	check_slopes(&(struct step_shape){.choice = CHOICE_THRESHOLD});
	check_slopes(&(struct step_shape){.choice = CHOICE_BATCH, .prefixes = 3});
	check_slopes(&(struct step_shape){.choice = CHOICE_ROW, .prefixes = 3});
}

/* Those of thresholds by their own definition: the sum over rows of
 *   (dL/df * (-t / h) + penalty / B * (-1 / h)) * dt/dlog t   where |z - t| < h / 2. */
static void thresholds_have_the_slopes_that_stand_in(void **state)
{
	(void)state;
	static struct plain p;
	static const struct step_shape kind = {.choice = CHOICE_THRESHOLD};
	f32 x[B][D];
	f64 x64[B][D], z[B][F], f[B][F], want[F] = {0};
	struct err e = {0};
	struct step *s = small_step(&kind, NULL, x, &p, x64);
	struct step_loss loss;
	assert_int_equal(step_gradients(s, &x[0][0], B, dead, N_DEAD, NULL, &loss, &e), 0);
	for (int i = 0; i < B; i++)
		plain_pre(&p, x64[i], z[i]);
	memcpy(f, z, sizeof f);
	plain_active(&p, CHOICE_THRESHOLD, f);
	size_t below = 0, above = 0;
	for (int i = 0; i < B; i++) {
		f64 y[D];
		plain_sum(&p, f[i], F, y);
		for (int k = 0; k < F; k++) {
			f64 t = exp(p.log_threshold[k]), by_f = 0, h = (f64)bandwidth;
			if (!(fabs(z[i][k] - t) < h / 2) || z[i][k] <= 0)
				continue;
			for (int j = 0; j < D; j++)
				by_f += 2 / (B * variance) * (y[j] - x64[i][j]) * p.w_dec[k][j];
			want[k] += t * (by_f * (-t / h) + penalty / B * (-1 / h));
			below += z[i][k] < t;
			above += z[i][k] > t;
		}
	}
	assert_true(below > 5 && above > 5);
	for (int k = 0; k < F; k++)
		assert_true(fabs(want[k] - (f64)step_grad(s)->log_threshold[k]) < 1e-6);

	/* the penalty rises while more than k are active, and falls while fewer are */
	bool more = loss.active > K * B;
	step_update(s, 1e-3, 1);
	assert_true(more ? step_state(s)->penalty > penalty : step_state(s)->penalty < penalty);
	step_free(s);
}

static void a_batch_keeps_its_largest(void **state)
{
	(void)state;
	static struct plain p;
	static const struct step_shape kind = {.choice = CHOICE_BATCH};
	f32 x[B][D];
	f64 x64[B][D], z[B][F], least = 1e9;
	struct err e = {0};
	struct step *s = small_step(&kind, NULL, x, &p, x64);
	struct step_loss loss, again;
	for (int i = 0; i < B; i++)
		plain_pre(&p, x64[i], z[i]);
	plain_active(&p, CHOICE_BATCH, z);
	for (int i = 0; i < B * F; i++)
		if ((&z[0][0])[i] > 0)
			least = fmin(least, (&z[0][0])[i]);
	assert_int_equal(step_gradients(s, &x[0][0], B, NULL, 0, NULL, &loss, &e), 0);
	step_update(s, 1e-9, 1);
	f64 moved = step_state(s)->threshold - 1.5;
	assert_true(fabs(moved - (least - 1.5) / 20) < 1e-6);
	/* whatever is expected, the same are chosen (rows are unit by now) */
	assert_int_equal(step_gradients(s, &x[0][0], B, NULL, 0, NULL, &loss, &e), 0);
	static const f64 expected[] = {0, 0.01, 50};
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		step_state(s)->threshold = expected[i];
		assert_int_equal(step_gradients(s, &x[0][0], B, NULL, 0, NULL, &again, &e), 0);
		assert_int_equal(again.active, K * B);
		assert_true(fabs(again.error - loss.error) < 1e-5 * loss.error);
	}
	/* afterwards the threshold alone decides */
	step_state(s)->threshold = least * 0.999;
	assert_int_equal(step_forward(s, &x[0][0], B, &again, &e), 0);
	assert_int_equal(again.active, K * B);
	step_free(s);
}

static void prefixes_double(void **state)
{
	(void)state;
	struct step_shape h = {.n_features = 8192, .prefixes = 5};
	static const u32 want[] = {0, 256, 768, 1792, 3840, 8192};
	for (u32 g = 0; g < 6; g++)
		assert_int_equal(step_prefix(&h, g), want[g]);
	h = (struct step_shape){.n_features = 7, .prefixes = 1};
	assert_int_equal(step_prefix(&h, 1), 7);
}

/* Adam's first step moves each number by the rate against its gradient's sign, whatever the
 * size (Kingma and Ba 2015, section 2.1); decoder rows move across themselves and stay unit. */
static void a_step_of_adam_is_as_published(void **state)
{
	(void)state;
	static struct plain p;
	f32 x[B][D];
	f64 x64[B][D];
	struct err e = {0};
	struct step *s = small_step(&(struct step_shape){.choice = CHOICE_ROW}, NULL, x, &p, x64);
	struct step_loss loss;
	struct step_params *q = step_params(s), *g = step_grad(s);
	for (int f = 0; f < F; f++)
		vec_scale(q->w_dec + f * D, 1 / sqrtf(vec_dot(q->w_dec + f * D, q->w_dec + f * D, D)), D);
	assert_int_equal(step_gradients(s, &x[0][0], B, dead, N_DEAD, NULL, &loss, &e), 0);
	f32 before[F * D];
	memcpy(before, q->w_enc, sizeof before);
	step_update(s, 1e-3, 1);
	for (int i = 0; i < F * D; i++) {
		f64 moved = q->w_enc[i] - before[i];
		if (fabsf(g->w_enc[i]) > 1e-4f)
			assert_true(fabs(moved + copysign(1e-3, g->w_enc[i])) < 2e-6);
	}
	for (int f = 0; f < F; f++) {
		const f32 *w = q->w_dec + f * D;
		assert_true(fabs(vec_dot(w, w, D) - 1) < 1e-6);
	}
	step_free(s);
}

/* Rows made of a few of 40 hidden directions with an offset: what a dictionary can find. */
enum { HIDDEN = 40, WIDTH = 24 };

static void made_rows(void *context, int list, const u64 *index, size_t n, f32 *out)
{
	(void)context;
	for (size_t i = 0; i < n; i++) {
		u64 row = index[i] * 2 + (u64)list;
		for (int j = 0; j < WIDTH; j++)
			out[i * WIDTH + j] = 60;
		for (u64 h = 0; h < 3; h++) {
			u64 dir = rand_u64(100 + h, row) % HIDDEN;
			f64 a = 20 + 20 * rand_unit(200 + h, row);
			for (u64 j = 0; j < WIDTH; j++)
				out[i * WIDTH + j] += (f32)(a * rand_normal(300 + dir, j));
		}
	}
}

static const struct train_source made = {NULL, WIDTH, {20000, 1000}, made_rows, NULL};
static const struct train_config small = {64, 3, 256, 600, 1, 3e-3, NULL};

/* So many features that some are silent for a quarter of the run. */
static const struct train_config wide = {2048, 3, 256, 80, 1, 3e-3, NULL};

static struct train *made_train(struct pool *pool, const struct train_config *c)
{
	struct err e = {0};
	struct train *t = train_new(&made, c, pool, &e);
	if (!t)
		fail_msg("%s", e.msg);
	return t;
}

static void steps(struct train *t, u64 n)
{
	struct err e = {0};
	while (n--)
		assert_int_equal(train_step(t, &e), 0);
}

static void assert_same_weights(struct train *a, struct train *b)
{
	struct dict_weights x, y;
	train_weights(a, &x);
	train_weights(b, &y);
	assert_memory_equal(x.w_enc, y.w_enc, x.n_features * WIDTH * 4);
	assert_memory_equal(x.w_dec, y.w_dec, x.n_features * WIDTH * 4);
	assert_memory_equal(x.b_enc, y.b_enc, x.n_features * 4);
	assert_memory_equal(x.b_dec, y.b_dec, WIDTH * 4);
	assert_true(!x.threshold == !y.threshold);
	if (x.threshold)
		assert_memory_equal(x.threshold, y.threshold, x.n_features * 4);
}

/* What the saved numbers make of raw rows: f from (x - b_dec) W_enc + b_enc, y by hand. */
static f64 raw_fvu(const struct dict_weights *w, f64 *l0)
{
	f64 error = 0, total = 0, sum[WIDTH] = {0};
	*l0 = 0;
	for (u64 i = 0; i < 1000; i++) {
		f32 x[WIDTH];
		f64 z[64], y[WIDTH];
		made_rows(NULL, 1, &i, 1, x);
		for (int f = 0; f < 64; f++) {
			z[f] = w->b_enc[f];
			for (int j = 0; j < WIDTH; j++)
				z[f] += (f64)w->w_enc[f * WIDTH + j] * (x[j] - w->b_dec[j]);
			if (w->threshold && !(z[f] > (f64)w->threshold[f]))
				z[f] = 0;
		}
		for (int j = 0; j < WIDTH; j++)
			y[j] = w->b_dec[j];
		for (u32 k = 0; k < (w->threshold ? 64 : w->k); k++) {
			int best = 0;
			for (int f = 1; f < 64; f++)
				if (z[f] > z[best])
					best = f;
			for (int j = 0; j < WIDTH && z[best] > 0; j++)
				y[j] += z[best] * w->w_dec[best * WIDTH + j];
			*l0 += z[best] > 0;
			z[best] = -1e9;
		}
		for (int j = 0; j < WIDTH; j++) {
			error += (x[j] - y[j]) * (x[j] - y[j]);
			total += (f64)x[j] * x[j];
			sum[j] += x[j];
		}
	}
	for (int j = 0; j < WIDTH; j++)
		total -= sum[j] * sum[j] / 1000;
	*l0 /= 1000;
	return error / total;
}

static void training_finds_structure(void **state)
{
	(void)state;
	static const f64 reached[] = {0.12, 0.12, 0.12, 0.2}; /* topk, batchtopk, jumprelu, matryoshka */
	assert_int_equal(train_n_kinds, ARRAY_LEN(reached));
	for (size_t i = 0; i < train_n_kinds; i++) {
		struct train_config c = small;
		c.kind = &train_kinds[i];
		struct err e = {0};
		struct train *t = made_train(NULL, &c);
		struct train_metrics first, last;
		assert_int_equal(train_measure(t, &first, &e), 0);
		steps(t, small.steps);
		assert_int_equal(train_measure(t, &last, &e), 0);
		assert_true(first.fvu > 0.3);
		if (!(last.fvu < reached[i]) || !(last.l0 < 3.3 && last.l0 > 1))
			fail_msg("%s: fvu %g, l0 %g", c.kind->name, last.fvu, last.l0);
		assert_int_equal(last.tokens, small.steps * small.batch);

		struct dict_weights w;
		f64 l0;
		train_weights(t, &w);
		assert_true(!w.threshold == !i);
		assert_true(fabs(raw_fvu(&w, &l0) / last.fvu - 1) < 1e-3);
		assert_true(fabs(l0 - last.l0) < 0.01);
		train_free(t);
	}
}

/* In a run that is short, too. */
static void thresholds_arrive_where_k_are_active(void **state)
{
	(void)state;
	struct err e = {0};
	struct train_metrics m;
	struct train_config c = {64, 9, 256, 200, 1, 3e-3, train_kind_named("jumprelu", &e)};
	struct train *t = made_train(NULL, &c);
	steps(t, c.steps);
	assert_int_equal(train_measure(t, &m, &e), 0);
	if (!(fabs(m.l0 / 9 - 1) < 0.2))
		fail_msg("l0 %g", m.l0);
	train_free(t);
}

static void threads_do_not_change_a_bit(void **state)
{
	(void)state;
	struct pool *pool = pool_new(3);
	for (size_t i = 0; i < train_n_kinds; i++) {
		struct train_config c = wide;
		c.kind = &train_kinds[i];
		struct train *a = made_train(NULL, &c), *b = made_train(pool, &c);
		steps(a, 40);
		steps(b, 40);
		assert_same_weights(a, b);
		train_free(a);
		train_free(b);
	}
	pool_free(pool);
}

static void a_checkpoint_resumes_bit_for_bit(void **state)
{
	(void)state;
	/* topk, batchtopk, jumprelu, matryoshka: some features are dead, and not all of the 2048 */
	static const u64 most_dead[] = {1900, 1900, 2000, 1900};
	char folder[] = "/tmp/featlas-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char *path = xasprintf("%s/c", folder);
	struct err e = {0};
	assert_int_equal(train_n_kinds, ARRAY_LEN(most_dead));
	for (size_t i = 0; i < train_n_kinds; i++) {
		struct train_config c = wide, other;
		c.kind = &train_kinds[i];
		struct train *a = made_train(NULL, &c), *b = made_train(NULL, &c);
		struct train_metrics m;
		steps(a, 30);
		assert_int_equal(train_save(a, path, &e), 0);
		steps(a, 40);
		assert_int_equal(train_measure(a, &m, &e), 0);
		if (!(m.n_dead > 10 && m.n_dead < most_dead[i]))
			fail_msg("%s: %d dead", c.kind->name, (int)m.n_dead);
		if (train_load(b, path, &e))
			fail_msg("%s", e.msg);
		assert_int_equal(train_steps_done(b), 30);
		steps(b, 40);
		assert_same_weights(a, b);
		train_free(b);

		other = c;
		other.k = 4;
		b = made_train(NULL, &other);
		assert_int_equal(train_load(b, path, &e), -1);
		assert_non_null(strstr(e.msg, "k differs"));
		train_free(b);
		other = c;
		other.kind = &train_kinds[(i + 1) % train_n_kinds];
		b = made_train(NULL, &other);
		assert_int_equal(train_load(b, path, &e), -1);
		assert_non_null(strstr(e.msg, "the kind differs"));
		train_free(a);
		train_free(b);
	}
	unlink(path);
	rmdir(folder);
	free(path);
}

static void kinds_have_names(void **state)
{
	(void)state;
	struct err e = {0};
	assert_ptr_equal(train_kind_named("jumprelu", &e), &train_kinds[2]);
	assert_null(train_kind_named("gated", &e));
	assert_string_equal(e.msg, "'gated' is no kind of dictionary that is trained here: topk, batchtopk, jumprelu or "
				   "matryoshka");
}

static void a_permutation_is_one(void **state)
{
	(void)state;
	static const u64 sizes[] = {1, 2, 3, 4, 5, 17, 64, 1000, 4097};
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		bool seen[4097] = {0};
		u64 fixed = 0;
		for (u64 i = 0; i < sizes[s]; i++) {
			u64 at = rand_permute(9, i, sizes[s]);
			assert_true(at < sizes[s] && !seen[at]);
			seen[at] = true;
			fixed += at == i;
		}
		assert_true(sizes[s] < 64 || fixed < 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves_convert_as_the_compiler_does),
		cmocka_unit_test(sums_are_right_at_every_length),
		cmocka_unit_test(the_largest_are_chosen_ties_by_id),
		cmocka_unit_test(gradients_are_the_slopes_of_the_loss),
		cmocka_unit_test(thresholds_have_the_slopes_that_stand_in),
		cmocka_unit_test(a_batch_keeps_its_largest),
		cmocka_unit_test(prefixes_double),
		cmocka_unit_test(kinds_have_names),
		cmocka_unit_test(a_step_of_adam_is_as_published),
		cmocka_unit_test(training_finds_structure),
		cmocka_unit_test(thresholds_arrive_where_k_are_active),
		cmocka_unit_test(threads_do_not_change_a_bit),
		cmocka_unit_test(a_checkpoint_resumes_bit_for_bit),
		cmocka_unit_test(a_permutation_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
