/* SPDX-License-Identifier: MIT */
/* test_effects.c - correlations by hand; effects, attribution and the lens against the made-up model's own
 * arithmetic; on a real model, against the protocol's clamp.
 */
#include "base/mem.h"
#include "core/correlate.h"
#include "module/fake_world.h"
#include "session/effects.h"
#include "session/lens.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { D = FAKE_WORLD_D };

static struct atlas *atlas;
static struct backend *fake;

static int open_sample(void **state)
{
	struct err e = {0};
	(void)state;
	atlas = atlas_open(getenv("SAMPLE"), &e);
	fake = backend_new("fake", &e);
	if (!atlas || !fake || backend_connect(fake, NULL, &e))
		print_error("%s\n", e.msg);
	return e.code == ERR_NONE ? 0 : -1;
}

static int close_sample(void **state)
{
	(void)state;
	backend_free(fake);
	atlas_free(atlas);
	return 0;
}

static struct live place(void)
{
	return (struct live){.backend = fake, .atlas = atlas};
}

/* ---- correlations ---- */

static void near(f64 got, f64 want, f64 most)
{
	if (!(fabs(got - want) <= most))
		fail_msg("%.9g is not %.9g within %g", got, want, most);
}

static void correlations_by_hand(void **state)
{
	(void)state;
	const f64 x[] = {1, 2, 2, 4}, y[] = {10, 20, 30, 40}, down[] = {4, 3, 2, 1},
		  up[] = {1, 10, 100, 1000};
	const f64 same[] = {0.1, 0.1, 0.1, 0.1};
	f64 ranks[4];
	correlate_ranks(x, 4, ranks);
	assert_memory_equal(ranks, ((f64[]){1, 2.5, 2.5, 4}), sizeof ranks);
	/* deviations of the ranks -1.5 0 0 1.5 and -1.5 -.5 .5 1.5: 4.5 / sqrt(4.5 * 5) */
	near(correlate_spearman(x, y, 4), 4.5 / sqrt(22.5), 1e-12);
	/* of the numbers -1.25 -.25 -.25 1.75 and -15 -5 5 15: 45 / sqrt(4.75 * 500) */
	near(correlate_pearson(x, y, 4), 45 / sqrt(4.75 * 500), 1e-12);
	near(correlate_spearman(up, y, 4), 1, 1e-12);
	near(correlate_pearson(down, y, 4), -1, 1e-12);
	assert_true(isnan(correlate_pearson(same, y, 4)) && isnan(correlate_spearman(same, y, 4)));
	assert_true(isnan(correlate_pearson(x, y, 1)) && isnan(correlate_pearson(x, y, 0)));
}

static void known_pairs_by_hand(void **state)
{
	(void)state;
	size_t n;
	/* ranks 1 2 3 4 5 and 2 1 4 3 5: 1 - 6 * 4 / (5 * 24) */
	const f64 x[] = {1, 2, 3, 4, 50}, y[] = {20, 10, 40, 30, 99};
	assert_true(fabs(correlate_spearman_known(x, y, 5, &n) - 0.8) < 1e-12);
	assert_int_equal(n, 5);
	/* ties: ranks 1.5 1.5 3 and 1 2 3 give 1.5 / sqrt(1.5 * 2) */
	const f64 a[] = {1, 1, NAN, 2}, b[] = {1, 2, 9, 3};
	assert_true(fabs(correlate_spearman_known(a, b, 4, &n) - 1.5 / sqrt(3)) < 1e-12);
	assert_int_equal(n, 3);
	const f64 flat[] = {4, 4, 4, 4, 4};
	assert_true(isnan(correlate_spearman_known(x, flat, 5, NULL)));
	assert_true(isnan(correlate_spearman_known(x, y, 2, NULL)));
}

/* ---- the made-up model ---- */

static const char text[] = "She saw the river under the bridge";

static void tokenize(const char *s, u32 **tokens, u8 **flags, size_t *n)
{
	struct err e = {0};
	assert_int_equal(backend_tokenize(fake, s, false, tokens, flags, n, &e), 0);
}

static f64 logp_of(const f32 *row, u32 token)
{
	u32 n = fake_world_n_vocab();
	f32 *logits = xcalloc(n, sizeof *logits);
	f64 sum = 0;
	fake_world_logits(row, logits);
	for (u32 t = 0; t < n; t++)
		sum += exp((f64)logits[t]);
	f64 out = (f64)logits[token] - log(sum);
	free(logits);
	return out;
}

/* m with f d taken out of the last row: in this model a change arrives at the end as it was made. */
static f64 without(const u32 *tokens, size_t n, u32 feature, u32 target, u32 against)
{
	f32 x[D], last[D], w[D], d[D], bias;
	struct err e = {0};
	fake_world_row(tokens, n - 1, (int)atlas->layer, x);
	fake_world_row(tokens, n - 1, FAKE_WORLD_LAYERS - 1, last);
	if (feature != NO_FEATURE) {
		assert_int_equal(dict_linear(atlas->dict, feature, w, &bias, &e), 0);
		dict_direction(atlas->dict, feature, d);
		f64 f = (f64)bias;
		for (int k = 0; k < D; k++)
			f += (f64)w[k] * (f64)x[k];
		for (int k = 0; k < D; k++)
			last[k] -= (f32)f * d[k];
	}
	return logp_of(last, target) - (against == NO_TOKEN ? 0 : logp_of(last, against));
}

static void effects_are_what_the_arithmetic_says(void **state)
{
	(void)state;
	u32 *tokens, target, against;
	u8 *flags;
	size_t n, n_last = 0;
	struct err e = {0};
	struct live p = place();
	struct effects x;
	tokenize(text, &tokens, &flags, &n);
	assert_int_equal(next_token(fake, atlas, " arch", &target, &e), 0);
	assert_int_equal(next_token(fake, atlas, " river", &against, &e), 0);
	for (int pair = 0; pair < 2; pair++) {
		struct effects_question q = {.tokens = tokens,
					     .flags = flags,
					     .n = n,
					     .target = target,
					     .against = pair ? against : NO_TOKEN};
		assert_int_equal(effects_measure(&p, &q, &x, &e), 0);
		assert_int_equal(x.target, target);
		near((f64)x.target_logp, without(tokens, n, NO_FEATURE, target, NO_TOKEN), 1e-4);
		/* n tokens, the first of which is masked */
		assert_int_equal(x.n_positions, n - 1);
		f64 as_it_is = without(tokens, n, NO_FEATURE, target, q.against), largest = 0;
		n_last = 0;
		for (size_t i = 0; i < x.n; i++) {
			const struct effect *f = &x.list[i];
			f64 want = f->last > 0 ? as_it_is - without(tokens, n, f->id, target, q.against) : 0;
			near((f64)f->by[EFFECTS_BY_EFFECT], want, 2e-4);
			near((f64)f->by[EFFECTS_BY_ATTRIBUTION], want, 2e-4);
			n_last += f->last > 0;
			largest = fmax(largest, fabs(want));
			assert_true(!i ||
				    fabsf(f->by[EFFECTS_BY_EFFECT]) <= fabsf(f[-1].by[EFFECTS_BY_EFFECT]));
		}
		assert_true(largest > 0.1 && n_last == x.n_last && n_last > 4 && x.n > n_last);
		assert_true(x.resolution < 1e-4);
		effects_release(&x);
	}
	free(tokens);
	free(flags);
}

static void a_range_and_the_likeliest(void **state)
{
	(void)state;
	u32 *tokens;
	u8 *flags;
	size_t n;
	struct err e = {0};
	struct live p = place();
	struct effects x;
	tokenize(text, &tokens, &flags, &n);
	struct effects_question q = {.tokens = tokens,
				     .flags = flags,
				     .n = n,
				     .target = NO_TOKEN,
				     .against = NO_TOKEN,
				     .from = 4,
				     .to = 5};
	assert_int_equal(effects_measure(&p, &q, &x, &e), 0);
	assert_int_equal(x.n_positions, 1);
	assert_int_equal(x.n, dict_info(atlas->dict)->k);
	assert_int_equal(x.n_last, 0);
	for (size_t i = 0; i < x.n; i++) {
		assert_true(x.list[i].n == 1 && x.list[i].peak == 4 && x.list[i].by[EFFECTS_BY_EFFECT] == 0);
		assert_int_equal(x.list[i].rank[EFFECTS_BY_EFFECT], 1); /* equal sizes share */
	}
	assert_true(isnan(x.relation[0][EFFECTS_BY_ACTIVATION].pearson));
	/* the likeliest by trying all */
	for (u32 t = 0; t < fake_world_n_vocab(); t++)
		assert_true(without(tokens, n, NO_FEATURE, t, NO_TOKEN) <=
			    without(tokens, n, NO_FEATURE, x.target, NO_TOKEN) + 1e-9);
	assert_int_equal(x.likely[0], x.target);
	effects_release(&x);
	q.from = n;
	assert_int_equal(effects_measure(&p, &q, &x, &e), -1);
	assert_non_null(strstr(e.msg, "tokens are 0 to"));
	q = (struct effects_question){.tokens = tokens, .flags = flags, .n = n, .target = 5, .against = 5};
	assert_int_equal(effects_measure(&p, &q, &x, &e), -1);
	free(tokens);
	free(flags);
}

/* The last token of a chat is the template's, and is read; the other masked ones are not. */
static void the_last_token_counts(void **state)
{
	(void)state;
	u32 *tokens;
	u8 *flags;
	size_t n;
	struct err e = {0};
	struct live p = place();
	struct effects x;
	assert_int_equal(backend_tokenize(fake, "The river", true, &tokens, &flags, &n, &e), 0);
	assert_true(flags[n - 1] & TOKEN_SPECIAL);
	struct effects_question q = {
	    .tokens = tokens, .flags = flags, .n = n, .target = NO_TOKEN, .against = NO_TOKEN};
	assert_int_equal(effects_measure(&p, &q, &x, &e), 0);
	assert_int_equal(x.n_positions, 3);
	assert_true(x.last_is_template && x.n_last > 0);
	effects_release(&x);
	free(tokens);
	free(flags);
}

static void a_target_is_one_token(void **state)
{
	(void)state;
	struct err e = {0};
	u32 t = 0;
	assert_int_equal(next_token(fake, atlas, " bridge", &t, &e), 0);
	assert_int_equal(fake_world_token(t).n, 7);
	assert_int_equal(next_token(fake, atlas, " bridge over", &t, &e), -1);
	assert_string_equal(e.msg, "' bridge over' is 2 tokens, not one: \" bridge\", \" over\"");
	assert_int_equal(next_token(fake, atlas, "bridge", &t, &e), -1);
	assert_non_null(strstr(e.msg, "with a blank before it it is one"));
	assert_int_equal(next_token(fake, atlas, "", &t, &e), -1);
}

static void the_lens_is_the_models_own_end(void **state)
{
	(void)state;
	u32 *tokens;
	u8 *flags;
	size_t n;
	struct err e = {0};
	struct live p = place();
	struct lens_rows rows;
	struct lens x;
	tokenize(text, &tokens, &flags, &n);
	assert_int_equal(lens_read(&p, tokens, n, &rows, &e), 0);
	assert_int_equal(rows.n_layers, FAKE_WORLD_LAYERS);
	for (size_t at = 1; at < n; at++) {
		assert_int_equal(lens_at(&p, &rows, at, NO_TOKEN, 3, &x, &e), 0);
		for (u32 l = 0; l < x.n_layers; l++) {
			f32 row[D];
			u32 rank = 1;
			fake_world_row(tokens, at, (int)l, row);
			f64 own = logp_of(row, x.target);
			near((f64)x.target_logp[l], own, 1e-3);
			for (u32 t = 0; t < fake_world_n_vocab(); t++)
				rank += logp_of(row, t) > own + 1e-3;
			assert_in_range(x.rank[l], rank, rank + 2); /* of near ties */
			for (u32 i = 0; i < 3; i++) {
				near((f64)x.logp[3 * l + i], logp_of(row, x.token[3 * l + i]), 1e-3);
				assert_true(!i || x.logp[3 * l + i] <= x.logp[3 * l + i - 1]);
			}
		}
		assert_int_equal(x.rank[FAKE_WORLD_LAYERS - 1], 1);
		assert_true(lens_settled(&x) < FAKE_WORLD_LAYERS);
		lens_release(&x);
	}
	assert_int_equal(lens_at(&p, &rows, 2, FAKE_WORLD_BEGIN, 3, &x, &e), 0);
	assert_int_equal(lens_settled(&x), FAKE_WORLD_LAYERS);
	lens_release(&x);
	lens_rows_release(&rows);
	free(tokens);
	free(flags);
}

/* Lists that are the same go to the module once; others do not get mixed up with them. */
static void each_run_wants_its_own(void **state)
{
	(void)state;
	u32 *tokens, one[] = {260, 300}, other[] = {301, 260};
	u8 *flags;
	size_t n;
	struct err e = {0};
	struct run runs[3];
	struct score s[3];
	tokenize(text, &tokens, &flags, &n);
	for (size_t i = 0; i < 3; i++)
		runs[i] = (struct run){.name = "",
				       .tokens = tokens,
				       .n_tokens = n,
				       .n_prompt = n,
				       .seed = 1,
				       .want_tokens = i == 1 ? other : one,
				       .n_want = 2};
	assert_int_equal(backend_score(fake, runs, 3, s, &e), 0);
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 2; k++)
			near((f64)s[i].want_logp[k],
			     without(tokens, n, NO_FEATURE, runs[i].want_tokens[k], NO_TOKEN), 1e-4);
	for (size_t i = 0; i < 3; i++)
		free(s[i].want_logp);
	free(tokens);
	free(flags);
}

static void a_cancelled_measurement_is_empty(void **state)
{
	(void)state;
	u32 *tokens;
	u8 *flags;
	size_t n;
	struct err e = {0};
	struct progress progress = {0};
	struct live p = place();
	struct effects x;
	p.progress = &progress;
	progress_cancel(&progress);
	tokenize(text, &tokens, &flags, &n);
	struct effects_question q = {
	    .tokens = tokens, .flags = flags, .n = n, .target = NO_TOKEN, .against = NO_TOKEN};
	assert_int_equal(effects_measure(&p, &q, &x, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_true(!x.list && !x.n);
	free(tokens);
	free(flags);
}

/* ---- a real model ---- */

/* The last row clamped by the model's module, with the encoder it was given: another way to the same
 * ablation. */
static void clamped(struct backend *b, const struct atlas *a, const u32 *tokens, size_t n, struct effects *x,
		    f64 *effect)
{
	struct err e = {0};
	const struct dict_info *i = dict_info(a->dict);
	struct run runs[1 + 8];
	struct intervention put[8];
	struct score scores[1 + 8];
	f32 *w = xcalloc((size_t)i->n_features * i->d_in, sizeof *w),
	    *bias = xcalloc(i->n_features, sizeof *bias);
	f32 *d = xcalloc(8 * (size_t)i->d_out, sizeof *d);
	for (u32 f = 0; f < i->n_features; f++)
		assert_int_equal(dict_linear(a->dict, f, w + (size_t)f * i->d_in, &bias[f], &e), 0);
	assert_int_equal(backend_load_encoder(b, a->hook, w, bias, i->n_features, i->d_in, i->k, a, &e), 0);
	for (size_t r = 0; r < 9; r++)
		runs[r] = (struct run){.name = "",
				       .tokens = tokens,
				       .n_tokens = n,
				       .n_prompt = n,
				       .seed = 1,
				       .want_tokens = &x->target,
				       .n_want = 1,
				       .list = r ? &put[r - 1] : NULL,
				       .n_list = r > 0};
	for (size_t k = 0; k < 8; k++) {
		u32 f = x->list[k].id;
		dict_direction(a->dict, f, d + k * i->d_out);
		put[k] = (struct intervention){.kind = INTERVENE_CLAMP,
					       .hook = a->hook,
					       .direction = d + k * i->d_out,
					       .encoder = w + (size_t)f * i->d_in,
					       .bias = bias[f],
					       .feature = f,
					       .where = WHERE_REPLY};
	}
	assert_int_equal(backend_score(b, runs, 9, scores, &e), 0);
	for (size_t k = 0; k < 8; k++)
		effect[k] = (f64)scores[0].want_logp[0] - (f64)scores[k + 1].want_logp[0];
	for (size_t r = 0; r < 9; r++)
		free(scores[r].want_logp);
	free(w);
	free(bias);
	free(d);
}

/* A layer's row put in the place of the last one's, in the prompt itself. */
static f64 in_place(struct backend *b, const struct lens_rows *rows, u32 layer, u32 target)
{
	struct err e = {0};
	struct score score;
	size_t n = rows->n;
	f32 *given = xcalloc(n * rows->d, sizeof *given);
	char *hook = xasprintf("blocks.%u.hook_resid_post", rows->n_layers - 1);
	for (size_t t = 0; t < n; t++)
		given[t * rows->d] = NAN;
	memcpy(given + (n - 1) * rows->d, rows->rows[layer] + (n - 1) * rows->d, rows->d * sizeof *given);
	struct intervention put = {.kind = INTERVENE_REPLACE,
				   .hook = hook,
				   .rows = given,
				   .n_rows = n,
				   .feature = NO_FEATURE,
				   .where = WHERE_BOTH};
	struct run run = {.name = "",
			  .tokens = rows->tokens,
			  .n_tokens = n,
			  .n_prompt = n,
			  .seed = 1,
			  .list = &put,
			  .n_list = 1,
			  .want_tokens = &target,
			  .n_want = 1};
	assert_int_equal(backend_score(b, &run, 1, &score, &e), 0);
	f64 p = (f64)score.want_logp[0];
	free(score.want_logp);
	free(given);
	free(hook);
	return p;
}

static void on_a_real_model(void **state)
{
	(void)state;
	const char *model = getenv("FEATLAS_TEST_MODEL"), *demo = getenv("FEATLAS_TEST_DEMO");
	struct err e = {0};
	if (!model || !demo) {
		print_message("# FEATLAS_TEST_MODEL is not set: nothing measured on a real model\n");
		return;
	}
	char *spec = xasprintf("llama:%s", model);
	struct atlas *a = atlas_open(demo, &e);
	struct backend *b = backend_new(spec, &e);
	struct effects x;
	struct lens_rows rows;
	struct lens l;
	u32 *tokens;
	u8 *flags;
	size_t n;
	f64 want[8];
	assert_true(a && b && !backend_connect(b, NULL, &e));
	struct live p = {.backend = b, .atlas = a};
	assert_int_equal(backend_tokenize(b, "The capital of France is", false, &tokens, &flags, &n, &e), 0);
	struct effects_question q = {.tokens = tokens,
				     .flags = flags,
				     .n = n,
				     .target = NO_TOKEN,
				     .against = NO_TOKEN,
				     .from = n - 1,
				     .to = n};
	assert_int_equal(effects_measure(&p, &q, &x, &e), 0);
	assert_true(x.n >= 8 && x.n == x.n_last);
	clamped(b, a, tokens, n, &x, want);
	for (size_t k = 0; k < 8; k++)
		near((f64)x.list[k].by[EFFECTS_BY_EFFECT], want[k], fmax(2 * x.resolution, 1e-3));
	/* what the last layer says is what the model says */
	assert_int_equal(lens_read(&p, tokens, n, &rows, &e), 0);
	assert_int_equal(lens_at(&p, &rows, n - 1, NO_TOKEN, 5, &l, &e), 0);
	assert_int_equal(l.target, x.target);
	near((f64)l.target_logp[l.n_layers - 1], (f64)x.target_logp, 0.02);
	for (u32 i = 0; i < l.n_layers; i++)
		near((f64)l.target_logp[i], in_place(b, &rows, i, x.target), 0.02);
	lens_release(&l);
	lens_rows_release(&rows);
	effects_release(&x);
	free(tokens);
	free(flags);
	free(spec);
	backend_free(b);
	atlas_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(correlations_by_hand),
		cmocka_unit_test(known_pairs_by_hand),
	    cmocka_unit_test(effects_are_what_the_arithmetic_says),
	    cmocka_unit_test(a_range_and_the_likeliest),
	    cmocka_unit_test(the_last_token_counts),
	    cmocka_unit_test(a_target_is_one_token),
	    cmocka_unit_test(the_lens_is_the_models_own_end),
	    cmocka_unit_test(each_run_wants_its_own),
	    cmocka_unit_test(a_cancelled_measurement_is_empty),
	    cmocka_unit_test(on_a_real_model),
	};
	return cmocka_run_group_tests(tests, open_sample, close_sample);
}
