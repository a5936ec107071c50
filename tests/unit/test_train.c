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
	f64 w_enc[F][D], w_dec[F][D], b_enc[F], b_dec[D];
};

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

/* The loss of train_step.h's head.  given: x - y for the auxiliary term, or NULL to fill it. */
static f64 plain_loss(const struct plain *p, f64 x[B][D], f64 given[AUX_ROWS][D], bool fill)
{
	f64 loss = 0;
	bool all[F], is_dead[F] = {0};
	memset(all, 1, sizeof all);
	for (int i = 0; i < N_DEAD; i++)
		is_dead[dead[i]] = true;
	for (int i = 0; i < B; i++) {
		f64 z[F], y[D];
		plain_pre(p, x[i], z);
		plain_keep(z, all, K);
		for (int j = 0; j < D; j++) {
			y[j] = p->b_dec[j];
			for (int f = 0; f < F; f++)
				y[j] += z[f] * p->w_dec[f][j];
			loss += (x[i][j] - y[j]) * (x[i][j] - y[j]) / (B * variance);
			if (fill && i < AUX_ROWS)
				given[i][j] = x[i][j] - y[j];
		}
		if (i >= AUX_ROWS)
			continue;
		plain_pre(p, x[i], z);
		plain_keep(z, is_dead, MIN(N_DEAD, D / 2));
		for (int j = 0; j < D; j++) {
			f64 r = given[i][j];
			for (int f = 0; f < F; f++)
				r -= z[f] * p->w_dec[f][j];
			loss += aux_weight * r * r / (AUX_ROWS * variance);
		}
	}
	return loss;
}

static struct step *small_step(struct pool *pool, f32 x[B][D], struct plain *p, f64 x64[B][D])
{
	struct step_shape shape = {D, F, K, B, AUX_ROWS, (f32)aux_weight, (f32)variance};
	struct err e = {0};
	struct step *s = step_new(&shape, pool, &e);
	assert_non_null(s);
	step_init(s, 5);
	struct step_params *q = step_params(s);
	for (size_t i = 0; i < q->n; i++)
		q->block[i] += (f32)(0.2 * rand_normal(6, i));
	for (int i = 0; i < F * D; i++) {
		p->w_enc[i / D][i % D] = q->w_enc[i];
		p->w_dec[i / D][i % D] = q->w_dec[i];
	}
	for (int f = 0; f < F; f++)
		p->b_enc[f] = q->b_enc[f];
	for (int j = 0; j < D; j++)
		p->b_dec[j] = q->b_dec[j];
	for (int i = 0; i < B * D; i++)
		x64[i / D][i % D] = x[i / D][i % D] = (f32)rand_normal(7, (u64)i);
	return s;
}

static void gradients_are_the_slopes_of_the_loss(void **state)
{
	(void)state;
	static struct plain p;
	f32 x[B][D];
	f64 x64[B][D], given[AUX_ROWS][D];
	bool fired[F];
	struct step *s = small_step(NULL, x, &p, x64);
	struct step_loss loss;
	f64 at = plain_loss(&p, x64, given, true);
	step_gradients(s, &x[0][0], B, dead, N_DEAD, fired, &loss);
	assert_true(fabs(loss.error / (B * variance) + aux_weight * loss.aux / (AUX_ROWS * variance) - at) <
		    1e-6);
	assert_int_equal(loss.rows, B);
	assert_int_equal(loss.aux_rows, AUX_ROWS);

	/* struct plain and struct step_params list the same numbers in the same order */
	f64 *number = &p.w_enc[0][0];
	size_t n = sizeof p / sizeof *number, nonzero = 0;
	assert_int_equal(n, step_grad(s)->n);
	for (size_t i = 0; i < n; i++) {
		f64 keep = number[i], h = 1e-6;
		number[i] = keep + h;
		f64 up = plain_loss(&p, x64, given, false);
		number[i] = keep - h;
		f64 down = plain_loss(&p, x64, given, false);
		number[i] = keep;
		f64 slope = (up - down) / (2 * h), got = step_grad(s)->block[i];
		if (fabs(slope - got) > 1e-5 * (1 + fabs(slope)))
			fail_msg("parameter %zu: slope %.9g, gradient %.9g", i, slope, got);
		nonzero += fabs(slope) > 1e-4;
	}
	assert_true(nonzero > n / 2);
	step_free(s);
}

/* Adam's first step moves each number by the rate against its gradient's sign, whatever the
 * size (Kingma and Ba 2015, section 2.1); decoder rows move across themselves and stay unit. */
static void a_step_of_adam_is_as_published(void **state)
{
	(void)state;
	static struct plain p;
	f32 x[B][D];
	f64 x64[B][D];
	struct step *s = small_step(NULL, x, &p, x64);
	struct step_loss loss;
	struct step_params *q = step_params(s), *g = step_grad(s);
	for (int f = 0; f < F; f++)
		vec_scale(q->w_dec + f * D, 1 / sqrtf(vec_dot(q->w_dec + f * D, q->w_dec + f * D, D)), D);
	step_gradients(s, &x[0][0], B, dead, N_DEAD, NULL, &loss);
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
static const struct train_config small = {64, 3, 256, 600, 1, 3e-3};

/* So many features that some are silent for a quarter of the run. */
static const struct train_config wide = {2048, 3, 256, 80, 1, 3e-3};

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
	while (n--)
		train_step(t);
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
}

static void training_finds_structure(void **state)
{
	(void)state;
	struct train *t = made_train(NULL, &small);
	struct train_metrics first, last;
	train_measure(t, &first);
	steps(t, small.steps);
	train_measure(t, &last);
	assert_true(first.fvu > 0.3);
	assert_true(last.fvu < 0.12);
	assert_true(last.l0 <= 3 && last.l0 > 1);
	assert_int_equal(last.tokens, small.steps * small.batch);

	/* the saved numbers take raw rows: f from (x - b_dec) W_enc + b_enc, y by hand */
	struct dict_weights w;
	train_weights(t, &w);
	f64 error = 0, total = 0, sum[WIDTH] = {0};
	for (u64 i = 0; i < 1000; i++) {
		f32 x[WIDTH];
		f64 z[64], y[WIDTH];
		made_rows(NULL, 1, &i, 1, x);
		for (int f = 0; f < 64; f++) {
			z[f] = w.b_enc[f];
			for (int j = 0; j < WIDTH; j++)
				z[f] += (f64)w.w_enc[f * WIDTH + j] * (x[j] - w.b_dec[j]);
		}
		for (int j = 0; j < WIDTH; j++)
			y[j] = w.b_dec[j];
		for (int k = 0; k < 3; k++) {
			int best = 0;
			for (int f = 1; f < 64; f++)
				if (z[f] > z[best])
					best = f;
			for (int j = 0; j < WIDTH && z[best] > 0; j++)
				y[j] += z[best] * w.w_dec[best * WIDTH + j];
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
	assert_true(fabs(error / total / last.fvu - 1) < 1e-3);
	train_free(t);
}

static void threads_do_not_change_a_bit(void **state)
{
	(void)state;
	struct pool *pool = pool_new(3);
	struct train *a = made_train(NULL, &wide), *b = made_train(pool, &wide);
	steps(a, 40);
	steps(b, 40);
	assert_same_weights(a, b);
	train_free(a);
	train_free(b);
	pool_free(pool);
}

static void a_checkpoint_resumes_bit_for_bit(void **state)
{
	(void)state;
	char folder[] = "/tmp/featlas-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char *path = xasprintf("%s/c", folder);
	struct err e = {0};
	struct train *a = made_train(NULL, &wide), *b = made_train(NULL, &wide);
	struct train_metrics m;
	steps(a, 30);
	assert_int_equal(train_save(a, path, &e), 0);
	steps(a, 40);
	train_measure(a, &m);
	assert_true(m.n_dead > 10 && m.n_dead < 1000);
	if (train_load(b, path, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(train_steps_done(b), 30);
	steps(b, 40);
	assert_same_weights(a, b);
	train_free(b);

	struct train_config other = wide;
	other.k = 4;
	b = train_new(&made, &other, NULL, &e);
	assert_int_equal(train_load(b, path, &e), -1);
	assert_non_null(strstr(e.msg, "k differs"));
	unlink(path);
	rmdir(folder);
	free(path);
	train_free(a);
	train_free(b);
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
		cmocka_unit_test(a_step_of_adam_is_as_published),
		cmocka_unit_test(training_finds_structure),
		cmocka_unit_test(threads_do_not_change_a_bit),
		cmocka_unit_test(a_checkpoint_resumes_bit_for_bit),
		cmocka_unit_test(a_permutation_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
