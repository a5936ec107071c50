/* SPDX-License-Identifier: MIT */
/* test_steer.c - interventions in numbers, specs in words, and steering the made-up model. */
#include "backend/steer_impl.h"
#include "base/mem.h"
#include "module/fake_world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct atlas *atlas;

static int open_sample(void **state)
{
	struct err e = {0};
	(void)state;
	atlas = atlas_open(getenv("SAMPLE"), &e);
	if (!atlas)
		print_error("%s\n", e.msg);
	return atlas ? 0 : -1;
}

static int close_sample(void **state)
{
	(void)state;
	atlas_free(atlas);
	return 0;
}

/* d = 2, worked by hand: x = (3, 4), d_1 = (1, 0), w_1 = (2, 1), bias -4: p = 6. */
static const f32 one[2] = {1, 0}, two[2] = {0, 1}, w[2] = {2, 1};

static struct intervention make(enum intervention_kind kind, f32 amount)
{
	return (struct intervention){.kind = kind,
				     .hook = "h",
				     .direction = one,
				     .amount = amount,
				     .encoder = w,
				     .bias = -4,
				     .feature = NO_FEATURE,
				     .where = WHERE_BOTH};
}

static bool apply(const struct intervention *list, size_t n, const struct run_encoder *c, size_t position,
		  f32 x[2])
{
	static const u32 tokens[3] = {1, 2, 3};
	static const u8 flags[3] = {TOKEN_FIRST, 0, TOKEN_SPECIAL};
	struct run r = {.tokens = tokens, .flags = flags, .n_tokens = 3, .list = list, .n_list = n};
	f32 work[16];
	return run_apply(&r, "h", c, 3, position, 2, x, work);
}

static void each_kind_is_its_formula(void **state)
{
	(void)state;
	static const struct {
		enum intervention_kind kind;
		f32 amount, want;
	} cases[] = {
		{INTERVENE_ADD, 2, 3 + 2},		 /* x + c d */
		{INTERVENE_CLAMP, 10, 3 + (10 - 6)},	 /* x + (c - f) d */
		{INTERVENE_CLAMP, 0, 3 + (0 - 6)},	 /* ablate */
		{INTERVENE_SCALE, 1.5f, 3 + 0.5f * 6},	 /* x + (s - 1) f d */
		{INTERVENE_PIN, 10, 3 + (10 - 6) / 2.0f}, /* x + (c - p) / (w.d) d */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct intervention v = make(cases[i].kind, cases[i].amount);
		f32 x[2] = {3, 4};
		assert_true(apply(&v, 1, NULL, 1, x));
		assert_true(x[0] == cases[i].want && x[1] == 4);
	}
	/* after a pin p is the target */
	f32 x[2] = {3, 4};
	struct intervention pin = make(INTERVENE_PIN, -7);
	apply(&pin, 1, NULL, 1, x);
	assert_true(2 * x[0] + x[1] - 4 == -7);
}

/* By hand: x = (3, 4), d = (0, 2), so u = (0, 1) and u.x = 4. */
static void orthogonal_and_cap_follow(void **state)
{
	(void)state;
	static const f32 along[2] = {0, 2}, slant[2] = {0.6f, 0.8f};
	struct intervention v = make(INTERVENE_ORTHOGONAL, 0.25f);
	f32 x[2] = {3, 4}, y[2] = {3, 4}, before[2] = {3, 4};
	v.direction = along;
	assert_true(apply(&v, 1, NULL, 1, x));
	assert_true(x[0] == 3 && x[1] == 1); /* 4 + (0.25 - 1) 4 */
	v.amount = 1; /* the part times 1 */
	assert_false(apply(&v, 1, NULL, 1, y));
	assert_memory_equal(y, before, sizeof y);
	v = make(INTERVENE_CAP, 4.5f);
	v.direction = along;
	assert_false(apply(&v, 1, NULL, 1, y)); /* 4 is below */
	assert_memory_equal(y, before, sizeof y);
	v.amount = -1;
	assert_true(apply(&v, 1, NULL, 1, y));
	assert_true(y[0] == 3 && y[1] == -1);
	/* after the sum, wherever in the list: (3, 4) + 5 (1, 0) = (8, 4), of which (0.6, 0.8).x = 8
	 * goes: (8 - 4.8, 4 - 6.4); the add that stands last is part of the sum */
	f32 z[2] = {3, 4};
	struct intervention list[2] = {make(INTERVENE_ORTHOGONAL, 0), make(INTERVENE_ADD, 5)};
	list[0].direction = slant;
	assert_true(apply(list, 2, NULL, 1, z));
	assert_true(fabsf(z[0] - 3.2f) < 1e-6f && fabsf(z[1] + 2.4f) < 1e-6f);
	/* in list order: capped at 0 along (1, 0) it is (0, 4), of which 3.2 (0.6, 0.8) goes; the other
	 * way round nothing is left, for (3, 4) is 5 (0.6, 0.8) */
	struct intervention two_of[2] = {make(INTERVENE_CAP, 0), make(INTERVENE_ORTHOGONAL, 0)};
	two_of[1].direction = slant;
	f32 a[2] = {3, 4}, b[2] = {3, 4};
	assert_true(apply(two_of, 2, NULL, 1, a));
	assert_true(fabsf(a[0] + 1.92f) < 1e-6f && fabsf(a[1] - 1.44f) < 1e-6f);
	struct intervention turned[2] = {two_of[1], two_of[0]};
	apply(turned, 2, NULL, 1, b);
	assert_true(fabsf(b[0]) < 1e-6f && fabsf(b[1]) < 1e-6f);
	/* after replace too */
	f32 rows[4] = {NAN, NAN, 10, 20}, w_[2] = {3, 4};
	struct intervention given[2] = {two_of[0], {.kind = INTERVENE_REPLACE, .hook = "h", .rows = rows, .n_rows = 2}};
	assert_true(apply(given, 2, NULL, 1, w_));
	assert_true(w_[0] == 0 && w_[1] == 20);
}

/* x' - x of long rows against float64. */
static void parts_are_exact(void **state)
{
	(void)state;
	enum { N = 577 };
	f32 x[N], d[N], before[N], work[N];
	u64 seed = 3;
	for (int kind = 0; kind < 2; kind++)
		for (int trial = 0; trial < 20; trial++) {
			f64 dd = 0, dx = 0, worst = 0, most = 0;
			for (int k = 0; k < N; k++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				x[k] = before[k] = (f32)((f64)(seed >> 40) / (1 << 24) - 0.4) * 50;
				d[k] = (f32)((f64)(seed >> 20 & 0xffffff) / (1 << 24) - 0.3);
				dd += (f64)d[k] * (f64)d[k];
				dx += (f64)d[k] * (f64)x[k];
			}
			f64 part = dx / sqrt(dd), amount = kind ? part - 7 : 0.3;
			struct intervention v = {.kind = kind ? INTERVENE_CAP : INTERVENE_ORTHOGONAL, .hook = "h",
						 .direction = d, .amount = (f32)amount, .feature = NO_FEATURE,
						 .where = WHERE_BOTH};
			struct run r = {.tokens = (u32[]){1, 2}, .n_tokens = 2, .list = &v, .n_list = 1};
			assert_int_equal(run_check(&v, N, NULL, NULL), 0);
			assert_true(run_apply(&r, "h", NULL, 2, 1, N, x, work));
			for (int k = 0; k < N; k++) {
				f64 want = ((kind ? amount : amount * part) - part) / sqrt(dd) * (f64)d[k];
				worst = fmax(worst, fabs((f64)x[k] - (f64)before[k] - want));
				most = fmax(most, fabs((f64)before[k]));
			}
			assert_true(worst <= 1e-6 * most);
		}
}

static void a_silent_feature_has_nothing_to_lose(void **state)
{
	(void)state;
	f32 x[2] = {-0.0f, 1}, before[2] = {-0.0f, 1}; /* p = -3 */
	struct intervention v[] = {make(INTERVENE_CLAMP, 0), make(INTERVENE_SCALE, 9),
				   make(INTERVENE_ADD, 0)};
	assert_false(apply(v, 3, NULL, 1, x));
	assert_memory_equal(x, before, sizeof x);
	/* clamped to 5 it rises by 5 - f, and f is 0, not p */
	v[0].amount = 5;
	assert_true(apply(v, 1, NULL, 1, x));
	assert_true(x[0] == 5);
	/* below its threshold a JumpReLU is silent */
	f32 y[2] = {3, 4};
	struct intervention jump = make(INTERVENE_CLAMP, 0);
	jump.threshold = 6;
	assert_false(apply(&jump, 1, NULL, 1, y));
	jump.threshold = 5.9f;
	assert_true(apply(&jump, 1, NULL, 1, y));
}

static void all_read_the_unmodified_row(void **state)
{
	(void)state;
	f32 x[2] = {3, 4};
	struct intervention v[] = {make(INTERVENE_ADD, 100), make(INTERVENE_CLAMP, 0),
				   make(INTERVENE_ADD, 7)};
	v[2].direction = two;
	assert_true(apply(v, 3, NULL, 1, x));
	/* the clamp takes away f = 6 of before the add, not of after it */
	assert_true(x[0] == 3 + 100 - 6 && x[1] == 4 + 7);
	f32 rows[6] = {NAN, NAN, 10, 20, 30, 40}, y[2] = {3, 4}, z[2] = {3, 4};
	struct intervention both[] = {make(INTERVENE_ADD, 1),
				      {.kind = INTERVENE_REPLACE, .hook = "h", .rows = rows, .n_rows = 3}};
	assert_true(apply(both, 2, NULL, 1, y));
	assert_true(y[0] == 11 && y[1] == 20);
	assert_false(apply(both + 1, 1, NULL, 0, z));
	struct intervention elsewhere = make(INTERVENE_ADD, 1);
	elsewhere.hook = "other";
	assert_false(apply(&elsewhere, 1, NULL, 1, z));
}

static void masked_tokens_and_places(void **state)
{
	(void)state;
	struct run r = {.tokens = (u32[]){1, 2, 3, 4},
			.flags = (u8[]){TOKEN_FIRST, 0, 0, TOKEN_SPECIAL},
			.n_tokens = 4};
	static const bool want[3][6] = {/* by where; positions 0-3 are the prompt */
					[WHERE_REPLY] = {false, false, false, true, true, true},
					[WHERE_PROMPT] = {false, true, true, false, false, false},
					[WHERE_BOTH] = {false, true, true, true, true, true}};
	for (int where = 0; where < 3; where++)
		for (size_t i = 0; i < 6; i++) {
			struct intervention v = make(INTERVENE_ADD, 1);
			v.where = (enum intervention_where)where;
			assert_int_equal(run_touches(&v, &r, 4, i), want[where][i]);
		}
}

/* Three features, k = 2: p = (6, 6, 5) for x = (1, 1); the tie goes to the lower id. */
static void topk_needs_all_of_them(void **state)
{
	(void)state;
	f32 rows[6] = {6, 0, 3, 3, 0, 5}, bias[3] = {0}, work[3], x[2] = {1, 1};
	struct run_encoder c = {.w = rows, .bias = bias, .n = 3, .d = 2, .k = 2};
	assert_true(run_topk(&c, x, 0, work) == 6);
	assert_true(run_topk(&c, x, 1, work) == 6);
	assert_true(run_topk(&c, x, 2, work) == 0);
	c.k = 1;
	assert_true(run_topk(&c, x, 0, work) == 6);
	assert_true(run_topk(&c, x, 1, work) == 0);
	/* a clamp of a feature that is not among the k largest sees f = 0 */
	struct intervention v = {.kind = INTERVENE_CLAMP,
				 .hook = "h",
				 .direction = one,
				 .amount = 2,
				 .encoder = rows + 4,
				 .feature = 2,
				 .where = WHERE_BOTH};
	c.k = 2;
	assert_true(apply(&v, 1, &c, 1, x));
	assert_true(x[0] == 1 + 2);
}

/* By hand as above: w.x - 4 = 6 at (3, 4). */
static void conditions_read_the_row_as_it_came(void **state)
{
	(void)state;
	struct intervention v = make(INTERVENE_ADD, 2);
	v.when = (struct run_condition){.encoder = w, .bias = -4, .feature = NO_FEATURE, .above = 5.9f};
	f32 x[2] = {3, 4};
	assert_true(apply(&v, 1, NULL, 1, x) && x[0] == 5);
	v.when.above = 6; /* above, not at */
	f32 y[2] = {3, 4};
	assert_false(apply(&v, 1, NULL, 1, y));
	v.when.above = 0;
	v.when.threshold = 6; /* silent by its own threshold */
	assert_false(apply(&v, 1, NULL, 1, y));
	v.when.threshold = 5;
	v.off = true;
	assert_false(apply(&v, 1, NULL, 1, y));
	assert_true(y[0] == 3 && y[1] == 4);
	/* the add does not light the condition of the one after it, nor of one that follows the sum */
	struct intervention list[3] = {make(INTERVENE_ADD, 10), make(INTERVENE_ADD, 100), make(INTERVENE_ORTHOGONAL, 0)};
	list[1].when = list[2].when =
		(struct run_condition){.encoder = w, .bias = -4, .feature = NO_FEATURE, .above = 7};
	f32 z[2] = {3, 4};
	assert_true(apply(list, 3, NULL, 1, z));
	assert_true(z[0] == 13 && z[1] == 4);
	/* TopK: p = (6, 6, 5) for (1, 1); the third is not among two */
	f32 rows[6] = {6, 0, 3, 3, 0, 5}, bias[3] = {0};
	struct run_encoder c = {.w = rows, .bias = bias, .n = 3, .d = 2, .k = 2};
	struct intervention t = make(INTERVENE_ADD, 2);
	t.when = (struct run_condition){.encoder = rows + 4, .feature = 2};
	f32 a[2] = {1, 1};
	assert_false(apply(&t, 1, &c, 1, a));
	c.k = 3;
	assert_true(apply(&t, 1, &c, 1, a) && a[0] == 3);
	struct err e = {0};
	assert_int_equal(run_check(&t, 2, &c, &e), 0);
	assert_int_equal(run_check(&t, 2, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "no encoder"));
	t.when.feature = 3;
	assert_int_equal(run_check(&t, 2, &c, &e), -1);
	t.when = (struct run_condition){.encoder = w, .feature = NO_FEATURE, .above = NAN};
	assert_int_equal(run_check(&t, 2, NULL, &e), -1);
}

static void what_cannot_be_done_is_refused(void **state)
{
	(void)state;
	struct err e = {0};
	struct intervention v = make(INTERVENE_PIN, 1);
	f32 flat[2] = {0.09f, 1};
	assert_int_equal(run_check(&v, 2, NULL, &e), 0);
	v.encoder = flat;
	assert_int_equal(run_check(&v, 2, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "nearly orthogonal (0.090)"));
	v = make(INTERVENE_CLAMP, NAN);
	assert_int_equal(run_check(&v, 2, NULL, &e), -1);
	static const f32 none[2] = {0, 0};
	v = make(INTERVENE_ORTHOGONAL, 0);
	v.encoder = NULL;
	assert_int_equal(run_check(&v, 2, NULL, &e), 0);
	v.direction = none;
	assert_int_equal(run_check(&v, 2, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "orthogonal needs a direction"));
	v = make(INTERVENE_CAP, 2e9f);
	assert_int_equal(run_check(&v, 2, NULL, &e), -1);
	v = make(INTERVENE_CLAMP, 1);
	v.feature = 3;
	assert_int_equal(run_check(&v, 2, NULL, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static f32 max_of(u32 feature)
{
	struct store_stats s;
	store_stats(atlas->store, feature, &s);
	return s.max;
}

static void specs_are_read(void **state)
{
	(void)state;
	struct err e = {0};
	struct steer_spec s;
	f32 c;
	static const struct {
		const char *text;
		enum steer_method method;
		f32 strength;
		bool times;
		int where;
	} good[] = {
		{"12", STEER_ADD, 2, true, -1},		     {"#12:5", STEER_ADD, 5, false, -1},
		{"12:-1.5x", STEER_ADD, -1.5f, true, -1},    {"12:3x:clamp", STEER_CLAMP, 3, true, -1},
		{"12:ablate", STEER_ABLATE, 2, true, -1},    {"12::ablate", STEER_ABLATE, 2, true, -1},
		{"12:0.5:scale:on=both", STEER_SCALE, 0.5f, false, WHERE_BOTH},
		{"12:orthogonal", STEER_ORTHOGONAL, 0, true, -1}, {"12:0.5:orthogonal", STEER_ORTHOGONAL, 0.5f, false, -1},
		{"12:cap", STEER_CAP, 1, true, -1},	     {"12:0.5x:cap", STEER_CAP, 0.5f, true, -1},
		{"12:1:pin:on=prompt,hook=blocks.3.hook_resid_post", STEER_PIN, 1, false, WHERE_PROMPT},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (steer_spec_parse(good[i].text, atlas, &s, &e))
			fail_msg("%s", e.msg);
		assert_int_equal(s.feature, 12);
		assert_int_equal(s.method, good[i].method);
		assert_true(s.strength == good[i].strength);
		assert_int_equal(s.times_max, good[i].times);
		assert_int_equal(s.where, good[i].where);
	}
	assert_string_equal(s.hook, "blocks.3.hook_resid_post");
	assert_int_equal(steer_spec_parse("12:3x", atlas, &s, &e), 0);
	assert_int_equal(steer_spec_coefficient(&s, atlas, &c, &e), 0);
	assert_true(c == 3 * max_of(12));
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"x", "not a feature's number"},	{"512", "the atlas has 512, from 0 on"},
		{"12:2y", "is not a strength"},		{"12:nan", "is not a strength"},
		{"12:2x:sing", "is no method"},		{"12:2x:add:on=never", "not 'never'"},
		{"12:2x:add:of=3", "no key 'of'"},
		{"12:2x:add:if=#600", "no feature 600"},	{"12:2x:add:if=#3>", "is not what a feature"},
		{"12:2x:add:if=#3>-1", "is not what a feature"}, {"12:2x:add:if=river", "not a feature's number"},
		{"12:2x:add:if=/a(/", "if=/a(/"},		{"12:2x:add:if=/ab", "is not /regex/"},
		{"12:2x:add:if=//", "is not /regex/"},		{"12:2x:add:if=#500>0.5x", "never fired"},	{"other#3", "is not the atlas"},
		{"500:2x", "never fired"},		{"-1", "not a feature's number"},
		{"", "not a feature's number"},		{"99999999999999999999", "not a feature's number"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(steer_spec_parse(bad[i].text, atlas, &s, &e), -1);
		if (!strstr(e.msg, bad[i].words))
			fail_msg("'%s' lacks '%s'", e.msg, bad[i].words);
	}
	struct atlas bare = *atlas;
	bare.store = NULL;
	assert_int_equal(steer_spec_parse("12:2x", &bare, &s, &e), -1);
	assert_non_null(strstr(e.msg, "'2x' of feature 12"));
	assert_int_equal(steer_spec_parse("12:2", &bare, &s, &e), 0);
}

/* What a spec says of its condition, and that it reads back as the same. */
static void conditions_are_read(void **state)
{
	(void)state;
	struct err e = {0};
	static const struct {
		const char *text, *spec, *condition;
	} cases[] = {
		{"12:2x:add:if=#3", "12:2x:add:if=#3", "#3"},
		{"12:2x:add:if=3>1.5", "12:2x:add:if=#3>1.5", "#3>1.5"},
		{"12:ablate:on=both,if=#3>0.5x", NULL, "#3>0.5x"},
		{"12:2x:add:if=/a,b:c\\/d/,on=prompt,hook=blocks.1.hook_resid_post",
		 "12:2x:add:on=prompt,hook=blocks.1.hook_resid_post,if=/a,b:c\\/d/", "/a,b:c\\/d/"},
		{"12:-0.1x:clamp:on=reply", "12:-0.1x:clamp:on=reply", ""},
		{"12:0.5:orthogonal", "12:0.5:orthogonal", ""},
		{"12:ablate", "12:ablate", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct steer_spec s, again;
		struct buf out = BUF_INIT, when = BUF_INIT;
		if (steer_spec_parse(cases[i].text, atlas, &s, &e))
			fail_msg("%s", e.msg);
		steer_spec_add(&s, &out);
		steer_if_add(&s, &when);
		if (cases[i].spec)
			assert_string_equal(out.s, cases[i].spec);
		assert_string_equal(when.n ? when.s : "", cases[i].condition);
		if (steer_spec_parse(out.s, atlas, &again, &e))
			fail_msg("%s", e.msg);
		assert_memory_equal(&s, &again, sizeof s);
		buf_release(&out);
		buf_release(&when);
	}
}

static size_t words_of_topic(const struct steer_result *r, int stream, int topic)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n[stream]; i++)
		n += fake_world_topic(r->tokens[stream][i]) == topic;
	return n;
}

static void steer(struct backend *b, const struct steer_spec *specs, size_t n, struct steer_result *out)
{
	struct err e = {0};
	struct steer_request q = {.prompt = "Tell me about the garden",
				  .chat = true,
				  .specs = specs,
				  .n_specs = n,
				  .seed = 1,
				  .n_tokens = 40};
	if (steer_generate(b, atlas, &q, NULL, NULL, out, &e))
		fail_msg("%s", e.msg);
}

/* Along a direction of length 5 a cap of 3 is at 15 of the part, and an addition of 3 is 3. */
static void caps_are_on_the_part_along(void **state)
{
	(void)state;
	struct err e = {0};
	f32 *direction = xcalloc(atlas->d_model, sizeof *direction);
	struct steer_spec spec = {.feature = 12, .method = STEER_CAP, .strength = 3, .where = -1};
	struct intervention v = {.kind = INTERVENE_CAP, .direction = direction};
	direction[1] = 3;
	direction[4] = -4;
	assert_int_equal(steer_list_amount(&spec, atlas, &v, &e), 0);
	assert_true(v.amount == 15);
	spec.method = STEER_ADD;
	v.kind = INTERVENE_ADD;
	assert_int_equal(steer_list_amount(&spec, atlas, &v, &e), 0);
	assert_true(v.amount == 3);
	free(direction);
}

static void a_feature_turned_up_is_written_about(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = backend_new("fake", &e);
	struct steer_result r;
	struct steer_spec rivers = {.feature = 1, .strength = 3, .times_max = true, .where = -1},
			  none = rivers;
	steer(b, &rivers, 1, &r);
	assert_int_equal(r.n[0], 40);
	assert_true(words_of_topic(&r, 1, 1) > words_of_topic(&r, 0, 1) + 3);
	assert_true(r.first_difference >= 0);
	/* unit decoder rows: the size of the change is the coefficient */
	assert_true(fabs(r.change_over_norm - 3.0 * (f64)max_of(1) / (f64)atlas->norm_median) <
		    1e-3 * r.change_over_norm);
	steer_result_release(&r);
	/* strength 0 is the baseline */
	none.strength = 0;
	none.times_max = false;
	steer(b, &none, 1, &r);
	assert_int_equal(r.first_difference, -1);
	assert_string_equal(r.text[0].s, r.text[1].s);
	steer_result_release(&r);
	/* ablating what is silent changes nothing */
	struct steer_spec dead = {.feature = 505, .method = STEER_ABLATE, .where = WHERE_BOTH};
	steer(b, &dead, 1, &r);
	assert_int_equal(r.first_difference, -1);
	assert_true(r.change_over_norm == 0);
	steer_result_release(&r);
	/* clamped: f is the target wherever it is among the k largest after */
	struct steer_spec clamp = {
		.feature = 1, .method = STEER_CLAMP, .strength = 3, .times_max = true, .where = -1};
	steer(b, &clamp, 1, &r);
	assert_true(words_of_topic(&r, 1, 1) > words_of_topic(&r, 0, 1) + 3);
	steer_result_release(&r);
	backend_free(b);
}

static void steer_text(struct backend *b, const char *text, u32 n, struct steer_result *out)
{
	struct err e = {0};
	struct steer_spec spec;
	if (steer_spec_parse(text, atlas, &spec, &e))
		fail_msg("%s", e.msg);
	struct steer_request q = {.prompt = "Tell me about the garden", .chat = true, .specs = &spec, .n_specs = 1,
				  .seed = 1, .n_tokens = n};
	if (steer_generate(b, atlas, &q, NULL, NULL, out, &e))
		fail_msg("%s", e.msg);
}

/* The prompt's reply says "river" late: nothing differs up to it, and from the next token on all is
 * as if the rivers had been turned up there. */
static void a_regex_turns_on_and_off(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = backend_new("fake", &e);
	struct steer_result r, again;
	steer_text(b, "1:3x:add:if=/ river/", 120, &r);
	size_t at = (size_t)r.first_difference, end = 0;
	u8 *blob, *special;
	u64 *offsets;
	u32 v;
	assert_true(r.first_difference > 2);
	assert_int_equal(backend_vocab(b, &blob, &offsets, &special, &v, &e), 0);
	for (size_t i = 0; i < at; i++)
		end += offsets[r.tokens[1][i] + 1] - offsets[r.tokens[1][i]];
	assert_true(end >= 6 && !memcmp(r.text[1].s + end - 6, " river", 6));
	/* exact, however fast the other side is */
	for (int i = 0; i < 3; i++) {
		steer_text(b, "1:3x:add:if=/ river/", 120, &again);
		assert_int_equal(again.n[1], r.n[1]);
		assert_memory_equal(again.tokens[1], r.tokens[1], r.n[1] * sizeof(u32));
		steer_result_release(&again);
	}
	steer_result_release(&r);
	/* what never matches is the baseline */
	steer_text(b, "1:3x:add:if=/xyzzy/", 40, &r);
	assert_int_equal(r.first_difference, -1);
	assert_true(r.change_over_norm == 0);
	steer_result_release(&r);
	/* what always does is no condition */
	steer_text(b, "1:3x:add:if=/$/", 40, &r);
	steer_text(b, "1:3x", 40, &again);
	assert_int_equal(again.n[1], r.n[1]);
	assert_memory_equal(again.tokens[1], r.tokens[1], r.n[1] * sizeof(u32));
	steer_result_release(&r);
	steer_result_release(&again);
	free(blob);
	free(offsets);
	free(special);
	backend_free(b);
}

static void count(void *context, size_t i)
{
	((int *)context)[i]++;
}

static void said(struct steer_set *s, const char *reply, size_t blanks, int turns[2])
{
	struct buf b = BUF_INIT;
	buf_adds(&b, reply);
	for (size_t i = 0; i < blanks; i++)
		buf_adds(&b, "\xc2\xb7"); /* one character of two bytes */
	buf_addc(&b, (char)0xe2); /* the beginning of another */
	turns[0] = turns[1] = 0;
	steer_set_text(s, &b, count, turns);
	buf_release(&b);
}

static void a_regex_sees_200_characters(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = backend_new("fake", &e);
	struct steer_spec specs[2];
	assert_int_equal(steer_spec_parse("1:3x:add:if=/river/", atlas, &specs[0], &e), 0);
	assert_int_equal(steer_spec_parse("2:3x:add:if=/^(?!.*river)/", atlas, &specs[1], &e), 0);
	struct steer_request q = {.prompt = "x", .specs = specs, .n_specs = 2, .n_tokens = 1};
	struct steer_set s;
	int turns[2];
	if (steer_set_make(&s, b, atlas, &q, &e))
		fail_msg("%s", e.msg);
	assert_true(s.list[0].off && !s.list[1].off); /* as the empty reply says */
	said(&s, "the sea", 0, turns);
	assert_true(s.list[0].off && !turns[0] && !turns[1]);
	said(&s, "the river", 0, turns);
	assert_true(!s.list[0].off && s.list[1].off && turns[0] == 1 && turns[1] == 1);
	/* 5 + 194 + the broken one are 200 */
	said(&s, "the river", 194, turns);
	assert_true(!s.list[0].off && !turns[0]);
	said(&s, "the river", 195, turns);
	assert_true(s.list[0].off && turns[0] == 1 && !s.list[1].off);
	steer_set_release(&s);
	backend_free(b);
}

static void a_feature_turns_another_on(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = backend_new("fake", &e);
	struct steer_result r, always;
	steer_text(b, "1:3x", 40, &always);
	steer_text(b, "1:3x:add:if=#2", 40, &r);
	assert_true(r.change_over_norm > 0 && r.change_over_norm < always.change_over_norm);
	assert_true(r.first_difference > always.first_difference);
	steer_result_release(&r);
	steer_text(b, "1:3x:add:if=#2>1000", 40, &r);
	assert_int_equal(r.first_difference, -1);
	steer_result_release(&r);
	steer_result_release(&always);
	backend_free(b);
}

/* By hand, d = 16, so that coordinate j of a fingerprint is coordinate 2 j + 1 of the row. */
static void fingerprints_are_compared(void **state)
{
	(void)state;
	struct err e = {0};
	static f32 rows[3][16];
	struct fingerprint f = {.hook = "blocks.1.hook_resid_post", .n = 3, .token = {5, 0, 7}}, g, back;
	rows[0][0] = 1000;
	rows[1][1] = 6;
	rows[1][2] = -8;
	rows[2][15] = 20;
	fingerprint_reduce(&f, rows[0], 16);
	assert_true(f.norm[0] == 1000 && f.norm[1] == 10 && f.norm[2] == 20);
	assert_true(f.value[1][0] == 6 && f.value[1][1] == 0 && f.value[2][7] == 20);
	assert_true(fingerprint_distance(&f, &f, 16) == 0);
	g = f;
	g.norm[0] = 1; /* the first token does not count */
	g.norm[1] = 11;                            /* 0.1 */
	g.value[2][3] = 0.5f;                      /* sqrt(16 / 8 * 0.25) / 20 = 0.0353553 */
	assert_true(fabs(fingerprint_distance(&f, &g, 16) - (0.1 + 0.0353553390593) / 2) < 1e-9);
	json_t *j = fingerprint_json(&f);
	/* 6.0 is 0x40c00000, 10.0 is 0x41200000 */
	assert_int_equal(strncmp(json_string_value(json_array_get(json_object_get(j, "rows"), 1)), "000020410000c040", 16),
			 0);
	assert_int_equal(fingerprint_read(j, &back, &e), 0);
	assert_int_equal(back.n, 3);
	assert_memory_equal(back.token, f.token, 3 * sizeof(u32));
	assert_memory_equal(back.norm, f.norm, 3 * sizeof(f32));
	assert_memory_equal(back.value, f.value, sizeof f.value[0] * 3);
	static const char *const bad[] = {"{}", "{\"hook\":\"h\",\"tokens\":[1,2],\"rows\":[\"00\",\"00\"]}",
					  "{\"hook\":\"h\",\"tokens\":[1],\"rows\":[]}", "7"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *b = json_loads(bad[i], JSON_DECODE_ANY, NULL);
		assert_int_equal(fingerprint_read(b, &back, &e), -1);
		json_decref(b);
	}
	json_array_set_new(json_object_get(j, "rows"), 2, json_string("0000c07f0000c040"));
	assert_int_equal(fingerprint_read(j, &back, &e), -1);
	json_decref(j);
}

/* What the model says of itself is believed only as far as its rows go. */
static void another_model_is_told(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = backend_new("fake", &e);
	struct atlas a = *atlas;
	struct fingerprint f;
	char warning[256];
	a.json = json_deep_copy(atlas->json);
	snprintf(a.build_id, sizeof a.build_id, "1");
	if (steer_fingerprint(b, a.hook, &f, &e))
		fail_msg("%s", e.msg);
	json_object_set_new(a.json, "fingerprint", fingerprint_json(&f));
	assert_int_equal(steer_check_model(b, &a, warning, sizeof warning, &e), 0);
	assert_string_equal(warning, "");
	assert_false(backend_is_foreign(b));
	/* a little is rounding, more is another model; a verdict stands as long as the build */
	for (int i = 0; i < 2; i++) {
		struct fingerprint g = f;
		for (size_t t = 1; t < g.n; t++)
			g.norm[t] *= i ? 1.0075f : 1.0065f;
		json_object_set_new(a.json, "fingerprint", fingerprint_json(&g));
		assert_int_equal(steer_check_model(b, &a, warning, sizeof warning, &e), 0);
		assert_string_equal(warning, "");
		snprintf(a.build_id, sizeof a.build_id, "%d", i + 2);
		assert_int_equal(steer_check_model(b, &a, warning, sizeof warning, &e), 0);
		assert_int_equal(!!warning[0], i);
		assert_int_equal(backend_is_foreign(b), i);
	}
	assert_non_null(strstr(warning, "computes other rows"));
	assert_non_null(strstr(warning, "0.74"));
	json_decref(a.json);
	backend_free(b);
}

static void repetition_is_counted(void **state)
{
	(void)state;
	/* 1 2 3 4 stands again at 4 and 8: of 9 4-grams 1234 2341 3412 4123 1234 .. five repeat */
	u32 t[12] = {1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4};
	assert_true(fabs(steer_repeated_4grams(t, 12) - 5.0 / 9) < 1e-12);
	assert_true(steer_repeated_4grams(t, 4) == 0);
	assert_true(steer_repeated_4grams(t, 2) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_its_formula),
		cmocka_unit_test(orthogonal_and_cap_follow),
		cmocka_unit_test(parts_are_exact),
		cmocka_unit_test(a_silent_feature_has_nothing_to_lose),
		cmocka_unit_test(all_read_the_unmodified_row),
		cmocka_unit_test(masked_tokens_and_places),
		cmocka_unit_test(topk_needs_all_of_them),
		cmocka_unit_test(conditions_read_the_row_as_it_came),
		cmocka_unit_test(conditions_are_read),
		cmocka_unit_test(a_regex_turns_on_and_off),
		cmocka_unit_test(a_regex_sees_200_characters),
		cmocka_unit_test(a_feature_turns_another_on),
		cmocka_unit_test(what_cannot_be_done_is_refused),
		cmocka_unit_test(specs_are_read),
		cmocka_unit_test(caps_are_on_the_part_along),
		cmocka_unit_test(a_feature_turned_up_is_written_about),
		cmocka_unit_test(fingerprints_are_compared),
		cmocka_unit_test(another_model_is_told),
		cmocka_unit_test(repetition_is_counted),
	};
	return cmocka_run_group_tests_name("steer", tests, open_sample, close_sample);
}
