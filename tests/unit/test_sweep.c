/* SPDX-License-Identifier: MIT */
/* test_sweep.c - the rule by which texts are judged, and a sweep on the made-up model against single requests. */
#include "base/mem.h"
#include "core/rand.h"
#include "session/curve.h"
#include "session/dose.h"
#include "session/hit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct session *session;
static struct backend *backend;

static int open_sample(void **state)
{
	struct err e = {0};
	(void)state;
	session = session_open(getenv("SAMPLE"), "fake", &e);
	if (!session || !(backend = session_backend(session, &e)) || backend_connect(backend, NULL, &e)) {
		print_error("%s\n", e.msg);
		return -1;
	}
	return 0;
}

static int close_sample(void **state)
{
	(void)state;
	session_free(session);
	return 0;
}

static size_t found(const char *const *words, size_t n, const char *text)
{
	return hit_words(words, n, text, strlen(text));
}

static void words_are_found_where_they_begin(void **state)
{
	(void)state;
	static const char *const one[] = {"span"}, *const more[] = {"galax", "global warming", "", "sun", "sun"};
	assert_int_equal(found(one, 1, "It spans the river."), 1);
	assert_int_equal(found(one, 1, "SPAN"), 1);
	assert_int_equal(found(one, 1, "wingspan"), 0);
	assert_int_equal(found(one, 1, "wing-span"), 1);
	assert_int_equal(found(one, 1, "\xc3\xa9span"), 0);             /* after a letter of two bytes */
	assert_int_equal(found(one, 1, "\xe2\x80\x9cspan\xe2\x80\x9d"), 1); /* after a quotation mark */
	assert_int_equal(found(one, 1, "the wingspan, the span"), 1);
	assert_int_equal(found(one, 1, "spa"), 0);
	assert_int_equal(found(more, 5, "Galaxies, GLOBAL warming; sunk sun"), 4);
	static const char *const foreign[] = {"\xc3\xa9toile", "\xd0\xb7\xd0\xb2", "\xe6\x98\x9f"};
	/* upper-case e acute, Cyrillic Z; and a sign amid others, for that script has no blanks */
	assert_int_equal(found(foreign, 3, "\xc3\x89toile \xd0\x97\xd0\xb2\xd0\xb5\xd0\xb7 \xe7\x81\xab\xe6\x98\x9f"), 3);
	assert_int_equal(hit_words(one, 1, "\0span", 5), 1);
	assert_int_equal(hit_words(one, 1, "spa\xff", 4), 0);
}

static void the_rule_has_three_parts(void **state)
{
	(void)state;
	assert_true(hit_is(2, 0.2, 4.5, 3));
	assert_false(hit_is(1, 0, 3, 3));
	assert_false(hit_is(2, 0.2001, 3, 3));
	assert_false(hit_is(2, 0, 4.5001, 3));
	assert_true(hit_seed(2, 3) && !hit_seed(1, 3) && hit_seed(1, 1) && !hit_seed(1, 2) &&
		    !hit_seed(0, 1) && !hit_seed(0, 0));
	assert_true(hit_steers(8, 10) && !hit_steers(7, 10) && !hit_steers(0, 0) && hit_steers(4, 5));
}

static const char *const prompts[] = {"Tell me about the garden", "What is it"};
static const u64 seeds[] = {3, 4, 9};
static const f32 strengths[] = {0, 1, 2};
static const struct steer_spec rivers = {.feature = 1, .strength = 2, .times_max = true, .where = -1};

static struct sweep_request request(void)
{
	static const u32 others[] = {3, 1};
	return (struct sweep_request){.specs = &rivers, .n_specs = 1, .strengths = strengths, .n_strengths = 3,
				      .seeds = seeds, .n_seeds = 3, .prompts = prompts, .n_prompts = 2,
				      .others = others, .n_others = 2, .measures = SWEEP_ALL, .random = true,
				      .random_seed = SWEEP_RANDOM_SEED, .chat = true, .temperature = 0.8f, .n_tokens = 20};
}

static struct sweep *sweep(const struct sweep_request *q)
{
	struct err e = {0};
	struct sweep *s = sweep_new(session, q, &e);
	if (!s || sweep_run(s, session, backend, NULL, NULL, NULL, NULL, &e))
		fail_msg("%s", e.msg);
	return s;
}

/* -ln p of the reply, mean; want: of these after the text.  By a request of its own. */
static f64 score(const struct sweep_cell *text, const struct intervention *v, f64 *kl, const u32 *want, size_t n_want,
		 f64 *mean_logp)
{
	struct err e = {0};
	u32 *prompt;
	u8 *flags;
	size_t n;
	if (backend_tokenize(backend, prompts[text->prompt], true, &prompt, &flags, &n, &e))
		fail_msg("%s", e.msg);
	prompt = xreallocarray(prompt, n + text->n, sizeof *prompt);
	flags = xreallocarray(flags, n + text->n, 1);
	memcpy(prompt + n, text->tokens, text->n * sizeof *prompt);
	memset(flags + n, 0, text->n);
	struct run runs[2] = {{.tokens = prompt, .flags = flags, .n_tokens = n + text->n, .n_prompt = n,
			       .want_tokens = want, .n_want = n_want}};
	runs[1] = runs[0];
	runs[1].list = v;
	runs[1].n_list = v ? 1 : 0;
	struct score out[2] = {0};
	if (backend_score(backend, runs, 2, out, &e))
		fail_msg("%s", e.msg);
	f64 nll = out[0].nll / (f64)out[0].n, sum = 0;
	for (size_t i = 0; i < n_want; i++)
		sum += (f64)out[1].want_logp[i] - (f64)out[0].want_logp[i];
	if (kl)
		*kl = out[1].kl;
	if (mean_logp)
		*mean_logp = sum / (f64)n_want;
	free(out[0].want_logp);
	free(out[1].want_logp);
	free(prompt);
	free(flags);
	return nll;
}

/* The largest f of a feature over a reply, as `text` and `show` read it: prompt and reply in one pass. */
static void read_again(const struct sweep_cell *c, u32 feature, f64 *mean, f64 *max)
{
	struct err e = {0};
	struct dict_row rows[64];
	void *arena = NULL;
	u32 *tokens, d = session->atlas->d_model;
	size_t n;
	if (backend_tokenize(backend, prompts[c->prompt], true, &tokens, NULL, &n, &e))
		fail_msg("%s", e.msg);
	tokens = xreallocarray(tokens, n + c->n, sizeof *tokens);
	memcpy(tokens + n, c->tokens, c->n * sizeof *tokens);
	f32 *x = xcalloc((n + c->n) * d, sizeof *x);
	if (backend_states(backend, tokens, n + c->n, &session->atlas->hook, 1, &x, &e) ||
	    dict_encode(session->atlas->dict, NULL, x + n * d, c->n, rows, &arena, &e))
		fail_msg("%s", e.msg);
	*mean = *max = 0;
	for (size_t i = 0; i < c->n; i++)
		for (u32 k = 0; k < rows[i].n; k++)
			if (rows[i].id[k] == feature) {
				*mean += (f64)rows[i].act[k] / (f64)c->n;
				*max = MAX(*max, (f64)rows[i].act[k]);
			}
	free(arena);
	free(x);
	free(tokens);
}

static bool near_to(f64 a, f64 b)
{
	return fabs(a - b) <= 1e-5 * (1 + fabs(b));
}

/* Every cell against featlas steer and requests of its own. */
static void a_cell_is_what_single_requests_give(void **state)
{
	(void)state;
	struct err e = {0};
	struct sweep_request q = request();
	struct sweep *s = sweep(&q);
	struct store_stats stats;
	f32 *direction = xcalloc(session->atlas->d_model, sizeof *direction);
	store_stats(session->atlas->store, 1, &stats);
	dict_direction(session->atlas->dict, 1, direction);
	assert_int_equal(s->n_cells, 6 + 18 + 18);
	assert_int_equal(s->n_done, s->n_cells);
	assert_int_equal(s->n_watched, 2);
	assert_true(s->n_words >= 4);
	for (size_t i = 0; i < 18; i++) {
		size_t p = i % 2, k = i / 2 % 3, t = i / 6;
		struct sweep_cell *c = sweep_at(s, SWEEP_STEERED, p, k, t), *base = sweep_at(s, SWEEP_BASELINE, p, k, 0);
		assert_true(c->done && c->prompt == p && c->seed == k && c->strength == t);
		struct steer_spec spec = rivers;
		spec.strength = strengths[t];
		struct steer_request one = {.prompt = prompts[p], .chat = true, .specs = &spec, .n_specs = 1,
					    .seed = seeds[k], .temperature = 0.8f, .n_tokens = 20};
		struct steer_result r;
		if (steer_generate(backend, session->atlas, &one, NULL, NULL, &r, &e))
			fail_msg("%s", e.msg);
		assert_string_equal(r.text[0].s, base->text.s);
		assert_string_equal(r.text[1].s, c->text.s);
		assert_true(near_to(c->repeats, r.repeated_4grams[1]));
		steer_result_release(&r);
		struct intervention v = {.kind = INTERVENE_ADD, .hook = session->atlas->hook, .direction = direction,
					 .amount = strengths[t] * stats.max, .feature = NO_FEATURE, .where = WHERE_REPLY};
		f64 kl, gain, nll = score(c, NULL, NULL, NULL, 0, NULL), mean, max;
		f64 base_nll = score(base, &v, &kl, s->word_tokens, s->n_words, &gain);
		assert_true(near_to(c->nll, nll) && near_to(c->excess, nll - base_nll));
		assert_true(near_to(c->kl, kl) && near_to(c->gain, gain));
		for (size_t w = 0; w < 2; w++) {
			read_again(c, s->watched[w], &mean, &max);
			assert_true(near_to((f64)c->acts[w].mean, mean) && near_to((f64)c->acts[w].max, max));
		}
		assert_int_equal(c->hit, hit_is(c->words, c->repeats, nll, base_nll));
	}
	assert_true(near_to(s->change[2], 2 * (f64)stats.max / (f64)session->atlas->norm_median));
	/* strength 0 is the baseline, of random directions too */
	assert_string_equal(sweep_at(s, SWEEP_RANDOM, 1, 2, 0)->text.s, sweep_at(s, SWEEP_BASELINE, 1, 2, 0)->text.s);
	assert_true(sweep_at(s, SWEEP_STEERED, 1, 2, 0)->kl <= 0);
	assert_null(sweep_at(s, SWEEP_STEERED, 2, 0, 0));
	sweep_free(s);
	free(direction);
}

static void a_random_direction_has_the_same_norm(void **state)
{
	(void)state;
	struct sweep_request q = request();
	struct sweep *s = sweep(&q);
	u32 d = session->atlas->d_model;
	f32 *v = xcalloc(d, sizeof *v);
	f64 square = 0, kl;
	struct store_stats stats;
	for (u32 i = 0; i < d; i++) {
		v[i] = (f32)rand_normal(SWEEP_RANDOM_SEED + 1, i);
		square += (f64)v[i] * (f64)v[i];
	}
	for (u32 i = 0; i < d; i++)
		v[i] /= (f32)sqrt(square); /* decoder rows are unit */
	store_stats(session->atlas->store, 1, &stats);
	struct intervention add = {.kind = INTERVENE_ADD, .hook = session->atlas->hook, .direction = v,
				   .amount = 2 * stats.max, .feature = NO_FEATURE, .where = WHERE_REPLY};
	score(sweep_at(s, SWEEP_BASELINE, 0, 1, 0), &add, &kl, NULL, 0, NULL);
	assert_true(kl > 0 && fabs(sweep_at(s, SWEEP_RANDOM, 0, 1, 2)->kl - kl) < 1e-3 * kl);
	free(v);
	sweep_free(s);
}

/* Whatever goes beside it, a made-up model's text is the same. */
static void batches_and_taken_baselines_change_nothing(void **state)
{
	(void)state;
	struct err e = {0};
	struct sweep_request q = request();
	struct sweep *a = sweep(&q), *b;
	q.max_runs = 5;
	b = sweep_new(session, &q, &e);
	assert_non_null(b);
	if (sweep_run(b, session, backend, a, NULL, NULL, NULL, &e))
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < a->n_cells; i++) {
		const struct sweep_cell *x = &a->cells[i], *y = &b->cells[i];
		assert_string_equal(x->text.s, y->text.s);
		assert_true(near_to(x->nll, y->nll) && near_to(x->kl, y->kl) && near_to(x->gain, y->gain));
		assert_true(near_to((f64)x->acts[0].mean, (f64)y->acts[0].mean));
		assert_int_equal(x->hit, y->hit);
	}
	sweep_free(b);
	q.temperature = 0.7f;
	b = sweep_new(session, &q, &e);
	assert_int_equal(sweep_run(b, session, backend, a, NULL, NULL, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "another sweep"));
	sweep_free(b);
	sweep_free(a);
}

static void others_move_in_proportion(void **state)
{
	(void)state;
	struct err e = {0};
	struct steer_spec specs[3] = {{.feature = 1, .strength = 0.5f, .times_max = true, .where = -1},
				      {.feature = 2, .strength = -1, .times_max = true, .where = -1},
				      {.feature = 3, .method = STEER_ABLATE, .where = -1}}, out[3];
	static const char *const words[] = {"river", "bridges"};
	struct sweep_request q = request();
	q.specs = specs;
	q.n_specs = 3;
	q.words = words;
	q.n_words = 2;
	q.random = false;
	struct sweep *s = sweep(&q);
	sweep_specs(s, 2, out);
	assert_true(out[0].strength == 2 && out[1].strength == -4 && out[2].method == STEER_ABLATE);
	assert_int_equal(s->n_words, 2);
	assert_true(s->word_tokens[0] < UINT32_MAX && s->word_tokens[1] < UINT32_MAX);
	assert_int_equal(s->n_cells, 24);
	assert_true(isnan(s->change[1])); /* an ablated feature's share is not known beforehand */
	sweep_free(s);
	specs[0].strength = 0;
	assert_null(sweep_new(session, &q, &e));
	assert_non_null(strstr(e.msg, "move with feature 1"));
	specs[0].method = STEER_ABLATE;
	assert_null(sweep_new(session, &q, &e));
	assert_non_null(strstr(e.msg, "no strength to sweep"));
}

static void what_makes_no_grid_is_refused(void **state)
{
	(void)state;
	struct err e = {0};
	struct sweep_request q = request();
	static const f32 falling[] = {1, 0}, endless[] = {0, INFINITY};
	static const u32 none[] = {512};
	q.n_seeds = 0;
	assert_null(sweep_new(session, &q, &e));
	assert_non_null(strstr(e.msg, "at least one seed"));
	q = request();
	q.strengths = falling;
	q.n_strengths = 2;
	assert_null(sweep_new(session, &q, &e));
	assert_non_null(strstr(e.msg, "0 comes after 1"));
	q.strengths = endless;
	assert_null(sweep_new(session, &q, &e));
	assert_non_null(strstr(e.msg, "not finite"));
	q = request();
	q.others = none;
	q.n_others = 1;
	assert_null(sweep_new(session, &q, &e));
	assert_non_null(strstr(e.msg, "no feature 512"));
	q = request();
	q.n_seeds = SIZE_MAX; /* refused before it is read */
	assert_null(sweep_new(session, &q, &e));
	assert_non_null(strstr(e.msg, "more than 100000 cells"));
}

struct stop {
	size_t seen, after;
};

static bool count(void *context, const struct sweep *s, const struct sweep_cell *c)
{
	struct stop *t = context;
	assert_true(c->done && s->n_done > t->seen);
	return ++t->seen < t->after;
}

static void a_stopped_sweep_goes_on(void **state)
{
	(void)state;
	struct err e = {0};
	struct sweep_request q = request();
	q.max_runs = 4;
	struct sweep *whole = sweep(&q), *s = sweep_new(session, &q, &e);
	struct stop stop = {0, 9};
	assert_int_equal(sweep_run(s, session, backend, NULL, NULL, count, &stop, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_true(s->n_done >= 9 && s->n_done < s->n_cells);
	struct progress p = {.cancel = true};
	assert_int_equal(sweep_run(s, session, backend, NULL, &p, NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	if (sweep_run(s, session, backend, NULL, NULL, NULL, NULL, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(s->n_done, s->n_cells);
	for (size_t i = 0; i < s->n_cells; i++) {
		assert_string_equal(s->cells[i].text.s, whole->cells[i].text.s);
		assert_true(near_to(s->cells[i].kl, whole->cells[i].kl));
	}
	sweep_free(s);
	sweep_free(whole);
}

/* The made-up grid of tests/golden/dose.py. */
static struct sweep *made_up(void)
{
	static const f32 at[] = {-2, -1, 0, 0.5f, 1, 1.5f, 2, 2.5f, 3};
	static const f64 act[] = {0, 0, 0, 0.6, 0.1, 0.8, 1.6, 1.3, 2.0},
			 excess[] = {2.0, 0.4, 0, 0.1, 0.2, 0.4, 0.9, 1.2, 1.6};
	static const u64 five[] = {1, 2, 3, 4, 5};
	struct err e = {0};
	struct sweep_request q = request();
	q.strengths = at;
	q.n_strengths = 9;
	q.seeds = five;
	q.n_seeds = 5;
	q.random = false;
	struct sweep *s = sweep_new(session, &q, &e);
	assert_non_null(s);
	for (size_t i = 0; i < s->n_cells; i++) {
		struct sweep_cell *c = &s->cells[i];
		size_t p = c->prompt, k = c->seed, t = c->strength;
		bool base = c->kind == SWEEP_BASELINE;
		c->acts[0].mean = (f32)((base ? 0 : act[t]) + (f64)((p * 7 + k * 11 + t * 5) % 9) / 8);
		c->excess = base ? 0 : excess[t] + ((f64)((p * 3 + k * 5 + t) % 7) - 3) / 20;
		c->repeats = c->nll = c->kl = 0;
		c->hit = !base && k < 2;
		c->done = true;
	}
	s->n_done = s->n_cells;
	return s;
}

static void doses_are_what_their_definitions_say(void **state)
{
	(void)state;
	struct sweep *s = made_up();
	struct dose d;
	dose_init(&d, s, SWEEP_STEERED);
	assert_int_equal(d.n, 9);
	assert_int_equal(d.point[3].n, 10);
	/* figures of tests/golden/dose.py */
	assert_true(near_to(d.spread, 0.875));
	assert_true(near_to(d.point[3].low[DOSE_ACT], 0.975) && near_to(d.point[3].mid[DOSE_ACT], 1.1625) &&
		    near_to(d.point[3].high[DOSE_ACT], 1.35));
	assert_true(near_to(d.point[7].low[DOSE_ACT], 1.675) && near_to(d.point[7].high[DOSE_ACT], 2.14375));
	assert_true(near_to(d.point[6].low[DOSE_EXCESS], 0.8125) && near_to(d.point[8].mid[DOSE_EXCESS], 1.575));
	assert_int_equal(d.onset, 5); /* 0.5 is above the spread, but 1 after it is not */
	assert_int_equal(d.collapse, 8);
	assert_int_equal(d.collapse_low, 0);
	assert_int_equal(d.n_working, 3);
	assert_true(near_to(d.rising, 0.5) && near_to(d.rho, 0.5) && near_to(d.rho_cells, 0.5579960310449316));
	assert_true(isnan(d.rising_gain));
	assert_true(near_to(d.point[3].mid[DOSE_HITS], 0.4));
	assert_true(isnan(d.point[3].mid[DOSE_GAIN]));
	struct buf words = BUF_INIT;
	dose_add_verdict(s, &d, &words);
	assert_string_equal(words.s, "effect begins at 1.5x, falls apart at 3x and at -2x; works from 1.5x to 2.5x, "
			    "activation rises in 1 of 2 steps, rank correlation 0.50 (of all texts 0.56)");
	dose_release(&d);
	static const f64 gain[] = {-2, -1, 0, 1.0, 1.9, 2.7, 3.4, 4.0, 4.5};
	for (size_t i = 0; i < s->n_cells; i++) {
		struct sweep_cell *c = &s->cells[i];
		if (c->kind == SWEEP_STEERED)
			c->gain = gain[c->strength] + (f64)((c->prompt * 5 + c->seed * 7 + c->strength * 3) % 9) / 20;
	}
	dose_init(&d, s, SWEEP_STEERED);
	assert_true(near_to(d.rising_gain, 1) && near_to(d.rising, 0.5));
	buf_clear(&words);
	dose_add_verdict(s, &d, &words);
	assert_non_null(strstr(words.s, "in 1 of 2 steps, gain in 2, rank correlation 0.50"));
	buf_release(&words);
	dose_release(&d);
	/* repetition alone is a collapse; before it nothing is left of the range */
	for (size_t i = 0; i < s->n_cells; i++)
		if (s->cells[i].kind == SWEEP_STEERED && s->cells[i].strength == 5)
			s->cells[i].repeats = 0.21;
	dose_init(&d, s, SWEEP_STEERED);
	assert_true(d.collapse == 5 && d.onset == SIZE_MAX && !d.n_working && isnan(d.rho));
	dose_release(&d);
	/* what is not done does not count */
	for (size_t i = 0; i < s->n_cells; i++)
		s->cells[i].done = s->cells[i].kind == SWEEP_STEERED && s->cells[i].strength < 3 && !s->cells[i].prompt;
	dose_init(&d, s, SWEEP_STEERED);
	assert_true(d.point[2].n == 5 && !d.point[3].n && isnan(d.point[3].mid[DOSE_ACT]) && isnan(d.spread));
	assert_true(d.onset == SIZE_MAX && d.collapse == SIZE_MAX);
	dose_release(&d);
	sweep_free(s);
}

static void ranges_are_kept_by_feature_method_and_place(void **state)
{
	(void)state;
	struct err e = {0};
	struct sweep *s = made_up();
	struct dose d;
	struct dose_range r;
	char folder[] = "/tmp/featlas-sweep-XXXXXX";
	struct note *before = session->note;
	bool kept;
	dose_init(&d, s, SWEEP_STEERED);
	session->note = note_open(mkdtemp(folder), session->atlas->uuid, &e);
	assert_false(dose_find(session, &rivers, WHERE_REPLY, &r));
	assert_int_equal(dose_keep(session, s, &d, &kept, &e), 0);
	assert_true(kept);
	assert_true(dose_find(session, &rivers, WHERE_REPLY, &r));
	assert_true(r.times_max && r.onset == 1.5f && r.collapse == 3 && r.collapse_low == -2 && r.from == -2 && r.to == 3);
	assert_false(dose_find(session, &rivers, WHERE_BOTH, &r));
	struct steer_spec other = rivers;
	other.where = WHERE_BOTH;
	assert_false(dose_find(session, &other, WHERE_REPLY, &r));
	other = rivers;
	other.method = STEER_CLAMP;
	assert_false(dose_find(session, &other, WHERE_REPLY, &r));
	other = rivers;
	other.feature = 2;
	assert_false(dose_find(session, &other, WHERE_REPLY, &r));
	/* what ships with an atlas, where nothing is kept */
	char *was = session->atlas->runs, *runs = xasprintf("%s/runs.jsonl", folder);
	FILE *f = fopen(runs, "w");
	fputs("{\"prompt\":\"a\"}\n{\"range\":3}\n{\"range\":{\"feature\":2,\"method\":\"add\",\"where\":\"reply\","
	      "\"unit\":\"\",\"onset\":4.5,\"collapse\":null}}\n"
	      "{\"range\":{\"feature\":1,\"method\":\"add\",\"where\":\"reply\",\"onset\":9}}\n", f);
	fclose(f);
	session->atlas->runs = runs;
	json_decref(session->ranges);
	session->ranges = NULL;
	assert_true(dose_find(session, &other, WHERE_REPLY, &r));
	assert_true(!r.times_max && r.onset == 4.5f && isnan(r.collapse) && isnan(r.collapse_low));
	assert_true(dose_find(session, &rivers, WHERE_REPLY, &r) && r.onset == 1.5f);
	session->atlas->runs = was;
	json_decref(session->ranges);
	session->ranges = NULL;
	unlink(runs);
	free(runs);
	/* not of a sweep that is not done, nor what is damaged */
	s->n_done--;
	assert_int_equal(dose_keep(session, s, &d, &kept, &e), 0);
	assert_false(kept);
	assert_int_equal(note_keep_run(session->note, "range 2 add reply", "{\"range\":[", &e), 0);
	assert_false(dose_find(session, &other, WHERE_REPLY, &r));
	char *path = xstrdup(note_path(session->note));
	note_free(session->note);
	session->note = before;
	const char *const tails[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3; i++) {
		char *file = xasprintf("%s%s", path, tails[i]);
		unlink(file);
		free(file);
	}
	rmdir(folder);
	free(path);
	dose_release(&d);
	sweep_free(s);
}

static void axes_are_read(void **state)
{
	(void)state;
	struct err e = {0};
	f32 *v;
	u64 *seed;
	size_t n;
	assert_int_equal(sweep_parse_strengths("-1..3:0.5", &v, &n, &e), 0);
	assert_true(n == 9 && v[0] == -1 && v[3] == 0.5f && v[8] == 3);
	free(v);
	assert_int_equal(sweep_parse_strengths("-2x,0..1,1.25x,2..2.3:0.1", &v, &n, &e), 0);
	assert_true(n == 9 && v[0] == -2 && v[1] == 0 && v[2] == 0.5f && v[4] == 1.25f && v[8] == 2.3f);
	free(v);
	assert_int_equal(sweep_parse_strengths("2", &v, &n, &e), 0);
	assert_true(n == 1 && v[0] == 2);
	free(v);
	static const char *const bad[] = {"", "x", "1,", ",1", "1,1", "2,1", "1..", "..2", "3..1", "1..2:0", "1..2:-1",
					  "1..2:", "1y", "nan", "0..1:1e-9", "inf", "1..2..3", "1e9", "0..1e6:0.1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!sweep_parse_strengths(bad[i], &v, &n, &e))
			fail_msg("'%s' is read as %zu strengths", bad[i], n);
	assert_int_equal(sweep_parse_seeds("6", &seed, &n, &e), 0);
	assert_true(n == 6 && seed[0] == 1 && seed[5] == 6);
	free(seed);
	assert_int_equal(sweep_parse_seeds("11-20", &seed, &n, &e), 0);
	assert_true(n == 10 && seed[0] == 11 && seed[9] == 20);
	free(seed);
	static const char *const worse[] = {"", "0", "-3", "3-", "5-4", "1001", "a", "1-99999999999999999999", "2 ", "+2"};
	for (size_t i = 0; i < ARRAY_LEN(worse); i++)
		if (!sweep_parse_seeds(worse[i], &seed, &n, &e))
			fail_msg("'%s' is read as %zu seeds", worse[i], n);
}

static void row_is(const struct curve *c, int y, const u32 *want)
{
	for (int x = 0; x < c->w; x++)
		if (curve_at(c, x, y) != want[x])
			fail_msg("row %d, column %d: %x, not %x", y, x, (unsigned)curve_at(c, x, y), (unsigned)want[x]);
}

static void curves_are_drawn(void **state)
{
	(void)state;
	struct curve c;
	const f64 x[] = {0, 1, 2}, y[] = {0, 1, 1}, gap[] = {0, NAN, 1};
	/* two cells by one: dots four across and four down, worked by hand.  (0,0) is the dot below left,
	 * (1,1) stands in column round(1.5) = 2 on top, (2,1) in column 3 on top */
	curve_init(&c, 2, 1, false, 0, 2, 0, 1);
	curve_line(&c, x, y, 3);
	row_is(&c, 0, (u32[]){0x2800 + 64 + 16 + 32, 0x2800 + 1 + 8});
	assert_int_equal(curve_column(&c, 2), 1);
	curve_release(&c);
	curve_init(&c, 5, 3, true, 0, 2, 0, 1);
	curve_line(&c, x, y, 3);
	row_is(&c, 0, (u32[]){' ', ' ', '*', '-', '*'});
	row_is(&c, 1, (u32[]){' ', '/', ' ', ' ', ' '});
	row_is(&c, 2, (u32[]){'*', ' ', ' ', ' ', ' '});
	curve_level(&c, 0);
	row_is(&c, 2, (u32[]){'*', ' ', '.', ' ', '.'});
	assert_int_equal(curve_column(&c, 1), 2);
	assert_int_equal(curve_column(&c, -1), -1);
	assert_int_equal(curve_column(&c, 9), 5);
	curve_release(&c);
	/* what is missing is passed over; what is beyond stands at the end; one point is one */
	curve_init(&c, 3, 3, true, 0, 2, 0, 1);
	curve_line(&c, x, gap, 3);
	assert_int_equal(curve_at(&c, 1, 1), '/');
	curve_point(&c, 1, 7);
	assert_int_equal(curve_at(&c, 1, 0), '\'');
	curve_release(&c);
	curve_init(&c, 0, 0, false, 1, 1, 2, 2);
	curve_line(&c, x + 1, y + 1, 1);
	assert_int_equal(curve_at(&c, 0, 0), 0x2800 + 64);
	curve_release(&c);
}

/* Specs come from recorded runs, too: their hooks may hold anything. */
static void commands_are_quoted(void **state)
{
	(void)state;
	struct steer_spec spec = {.feature = 1, .strength = 2, .times_max = true, .where = -1, .hook = "a;b$(c)"};
	struct atlas a = {.folder = (char[]){"a.atlas"}};
	const char *of[] = {"x"};
	struct sweep s = {.q = {.specs = &spec, .n_specs = 1, .strengths = (f32[]){1}, .n_strengths = 1,
				.seeds = (u64[]){1}, .n_seeds = 1, .prompts = of, .n_prompts = 1, .chat = true}};
	struct buf out = BUF_INIT;
	sweep_add_command(&s, &a, &out);
	assert_non_null(strstr(out.s, " --feature '1:2x:add:hook=a;b$(c)' "));
	buf_clear(&out);
	snprintf(spec.hook, sizeof spec.hook, "blocks.1.hook_resid_post");
	sweep_add_command(&s, &a, &out);
	assert_non_null(strstr(out.s, " --feature 1:2x:add:hook=blocks.1.hook_resid_post "));
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_quoted),
		cmocka_unit_test(words_are_found_where_they_begin),
		cmocka_unit_test(the_rule_has_three_parts),
		cmocka_unit_test(a_cell_is_what_single_requests_give),
		cmocka_unit_test(a_random_direction_has_the_same_norm),
		cmocka_unit_test(batches_and_taken_baselines_change_nothing),
		cmocka_unit_test(others_move_in_proportion),
		cmocka_unit_test(what_makes_no_grid_is_refused),
		cmocka_unit_test(a_stopped_sweep_goes_on),
		cmocka_unit_test(doses_are_what_their_definitions_say),
		cmocka_unit_test(ranges_are_kept_by_feature_method_and_place),
		cmocka_unit_test(axes_are_read),
		cmocka_unit_test(curves_are_drawn),
	};
	return cmocka_run_group_tests_name("sweep", tests, open_sample, close_sample);
}
