/* SPDX-License-Identifier: MIT */
/* test_store.c - store, vocabulary and labels: small files written by hand, and damaged ones. */
#include "base/half.h"
#include "base/mem.h"
#include "core/labels.h"
#include "core/store.h"
#include "core/vocab.h"
#include "io/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/featlas-test-XXXXXX", *paths[2];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	paths[0] = xasprintf("%s/a", folder);
	paths[1] = xasprintf("%s/b", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	return rmdir(folder);
}

/* Two texts of 3 and 2 tokens, three features: 0 fires at 1 and 4, 1 at 2, 2 never. */
struct segment {
	u16 tokens[5];
	u8 flags[5];
	u64 text_ptr[3], feature_ptr[4];
	u32 act_pos[3];
	u16 act_val[3];
	f32 act_scale[3], density[3], max[3], mean[3], edge[3][3];
	u64 count[3], hist[3][2], ctx_ptr[4];
	u32 ctx_pos[4];
	f32 ctx_val[4];
	u8 ctx_kind[4], ctx_interval[4];
	const char *coverage, *first, *indexed, *kept;
};

static struct segment small_segment(void)
{
	struct segment s = {
		.tokens = {10, 11, 12, 10, 13}, .flags = {3, 0, 0, 3, 0}, .text_ptr = {0, 3, 5},
		.feature_ptr = {0, 2, 3, 3}, .act_pos = {1, 4, 2}, .act_scale = {2, 1, 1},
		.density = {0.5f, 0.25f, 0}, .max = {6, 1.5f, 0}, .mean = {4, 1.5f, 0},
		.edge = {{0, 3, 6}, {0, 1, 2}, {0}}, .count = {2, 1, 0}, .hist = {{1, 1}, {0, 1}, {0}},
		.ctx_ptr = {0, 3, 4, 4}, .ctx_pos = {4, 1, 2, 2}, .ctx_val = {6, 2, 0, 1.5f},
		.ctx_kind = {0, 1, 2, 0}, .ctx_interval = {0, 3, 0, 0},
		.coverage = "full", .first = "0", .indexed = "5", .kept = "4",
	};
	f32 values[] = {1, 3, 1.5f}; /* times the scale: 2, 6, 1.5 */
	for (int i = 0; i < 3; i++)
		s.act_val[i] = f32_to_f16(values[i]);
	return s;
}

static void write_segment(const struct segment *s, const char *path)
{
	struct tensor_out out[] = {
		{"tokens", DTYPE_U16, 1, {5}, s->tokens}, {"token_flags", DTYPE_U8, 1, {5}, s->flags},
		{"text_ptr", DTYPE_U64, 1, {3}, s->text_ptr}, {"feature_ptr", DTYPE_U64, 1, {4}, s->feature_ptr},
		{"act_pos", DTYPE_U32, 1, {3}, s->act_pos}, {"act_val", DTYPE_F16, 1, {3}, s->act_val},
		{"act_scale", DTYPE_F32, 1, {3}, s->act_scale}, {"density", DTYPE_F32, 1, {3}, s->density},
		{"max", DTYPE_F32, 1, {3}, s->max}, {"mean", DTYPE_F32, 1, {3}, s->mean},
		{"count", DTYPE_U64, 1, {3}, s->count}, {"hist_edge", DTYPE_F32, 2, {3, 3}, s->edge},
		{"hist_count", DTYPE_U64, 2, {3, 2}, s->hist}, {"ctx_ptr", DTYPE_U64, 1, {4}, s->ctx_ptr},
		{"ctx_pos", DTYPE_U32, 1, {4}, s->ctx_pos}, {"ctx_val", DTYPE_F32, 1, {4}, s->ctx_val},
		{"ctx_kind", DTYPE_U8, 1, {4}, s->ctx_kind}, {"ctx_interval", DTYPE_U8, 1, {4}, s->ctx_interval},
	};
	const char *meta[] = {"coverage", s->coverage, "first_token", s->first, "n_tokens_indexed", s->indexed,
			      "n_tokens_kept", s->kept, NULL};
	struct err e = {0};
	if (safetensors_write_file(path, out, ARRAY_LEN(out), meta, &e))
		fail_msg("%s", e.msg);
}

static struct store *open_one(const struct segment *s, struct err *e)
{
	write_segment(s, paths[0]);
	return store_open((const char *const *)paths, 1, 3, e);
}

static void a_segment_is_read(void **state)
{
	(void)state;
	struct segment g = small_segment();
	struct err e = {0};
	struct store *s = open_one(&g, &e);
	assert_string_equal(e.msg, "");
	assert_int_equal(store_n_tokens(s), 5);
	assert_int_equal(store_n_kept(s), 4);
	assert_int_equal(store_n_contexts(s), 4);
	assert_int_equal(store_n_activations(s), 3);
	assert_true(store_is_full(s));
	assert_int_equal(store_token(s, 4), 13);
	assert_int_equal(store_token(s, 5), UINT32_MAX);
	assert_int_equal(store_token_flags(s, 3), TOKEN_FIRST | TOKEN_SPECIAL);
	u64 start, end;
	assert_int_equal(store_text_of(s, 2, &start, &end), 0);
	assert_int_equal(store_text_of(s, 3, &start, &end), 1);
	assert_true(start == 3 && end == 5);
	f32 act[5], edges[9];
	store_activations(s, 0, 0, 5, act);
	assert_true(act[0] == 0 && act[1] == 2 && act[2] == 0 && act[3] == 0 && act[4] == 6);
	store_activations(s, 0, 2, 4, act);
	assert_true(act[0] == 0 && act[1] == 0);
	struct store_stats stats;
	store_stats(s, 0, &stats);
	assert_true(stats.density == 0.5f && stats.max == 6 && stats.mean == 4 && stats.count == 2);
	u64 counts[9];
	assert_int_equal(store_histogram(s, 0, edges, counts, 9), 2);
	assert_true(edges[2] == 6 && counts[0] == 1 && counts[1] == 1);
	assert_int_equal(store_histogram(s, 0, edges, counts, 1), 0);
	struct store_context list[4];
	assert_int_equal(store_contexts(s, 0, list, 2), 3);
	assert_true(list[0].position == 4 && list[0].act == 6 && list[0].kind == CONTEXT_TOP);
	assert_true(list[1].position == 1 && list[1].kind == CONTEXT_INTERVAL && list[1].interval == 3);
	assert_int_equal(store_contexts(s, 2, list, 4), 0);
	store_free(s);
}

/* The second one's feature 0 is stronger and has its own edges: 0, 5, 10. */
static void segments_read_as_one(void **state)
{
	(void)state;
	struct segment a = small_segment(), b = small_segment();
	b.first = "5";
	b.act_scale[0] = 10.0f / 3;                 /* 3.33 and 10 */
	b.max[0] = b.edge[0][2] = b.ctx_val[0] = 10;
	b.edge[0][1] = 5;
	b.mean[0] = 7;
	b.ctx_val[1] = 5;
	b.ctx_interval[1] = 4;
	write_segment(&a, paths[0]);
	write_segment(&b, paths[1]);
	struct err e = {0};
	struct store *s = store_open((const char *const *)paths, 2, 3, &e);
	assert_string_equal(e.msg, "");
	assert_int_equal(store_n_tokens(s), 10);
	assert_int_equal(store_token(s, 9), 13);
	u64 start, end;
	assert_int_equal(store_text_of(s, 8, &start, &end), 3);
	assert_true(start == 8 && end == 10);
	f32 act[4], edges[9];
	store_activations(s, 0, 4, 8, act);
	assert_true(act[0] == 6 && act[1] == 0 && fabsf(act[2] - 10.0f / 3) < 1e-3f && act[3] == 0);
	struct store_stats stats;
	store_stats(s, 0, &stats);
	/* 4 of 8 kept tokens; the means 4 and 7 of two each */
	assert_true(stats.count == 4 && stats.density == 0.5f && stats.max == 10 && stats.mean == 5.5f);
	u64 counts[9];
	assert_int_equal(store_histogram(s, 0, edges, counts, 9), 2);
	/* the first's bins have their middles at 1.5 and 4.5: both below 5 */
	assert_true(edges[2] == 10 && counts[0] == 3 && counts[1] == 1);
	struct store_context list[6];
	assert_int_equal(store_contexts(s, 0, list, 6), 6);
	static const u64 order[] = {9, 4, 6, 1, 2, 7};
	for (int i = 0; i < 6; i++)
		assert_int_equal(list[i].position, order[i]);
	store_free(s);
}

static void damaged_segments_are_refused(void **state)
{
	(void)state;
	static const struct {
		size_t field;
		const char *value, *says;
	} cases[] = {
		{offsetof(struct segment, coverage), "most", "neither full nor examples"},
		{offsetof(struct segment, first), "1", "begins at token 1, where token 0 was expected"},
		{offsetof(struct segment, indexed), "-5", "no whole number 'n_tokens_indexed'"},
		{offsetof(struct segment, kept), "99999999999999999999", "no whole number 'n_tokens_kept'"},
		{offsetof(struct segment, kept), "", "no whole number 'n_tokens_kept'"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct segment g = small_segment();
		struct err e = {0};
		memcpy((char *)&g + cases[i].field, &cases[i].value, sizeof cases[i].value);
		assert_null(open_one(&g, &e));
		assert_int_equal(e.code, ERR_DAMAGED);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("'%s' does not say '%s'", e.msg, cases[i].says);
	}
	struct err e = {0};
	struct segment g = small_segment();
	write_segment(&g, paths[0]);
	assert_null(store_open((const char *const *)paths, 1, 4, &e)); /* another number of features */
	assert_non_null(strstr(e.msg, "'feature_ptr' is U64 [4], expected U64 [5]"));
}

/* Numbers that lie: nothing is read outside its tensor (the sanitizer builds watch). */
static void lying_numbers_stay_inside(void **state)
{
	(void)state;
	static const u64 wild[] = {4, 1000, UINT64_MAX, UINT64_MAX / 2};
	for (size_t i = 0; i < ARRAY_LEN(wild); i++)
		for (int what = 0; what < 6; what++) {
			struct segment g = small_segment();
			switch (what) {
			case 0: g.feature_ptr[1] = wild[i]; break;
			case 1: g.ctx_ptr[1] = wild[i]; break;
			case 2: g.text_ptr[1] = wild[i]; break;
			case 3: g.act_pos[0] = (u32)wild[i]; break;
			case 4: g.ctx_pos[0] = (u32)wild[i]; g.ctx_kind[0] = 77; break;
			default: g.feature_ptr[0] = g.ctx_ptr[0] = wild[i]; break;
			}
			struct err e = {0};
			struct store *s = open_one(&g, &e);
			assert_non_null(s);
			f32 act[5];
			struct store_context list[8];
			u64 start, end;
			for (u32 f = 0; f < 5; f++) {
				store_activations(s, f, 0, 5, act);
				size_t n = store_contexts(s, f, list, 8);
				for (size_t k = 0; k < MIN(n, 8); k++)
					assert_true(list[k].position < 5 && list[k].kind <= CONTEXT_RANDOM);
			}
			for (u64 at = 0; at < 6; at++) {
				store_text_of(s, at, &start, &end);
				assert_true(start <= at && at < end);
			}
			store_free(s);
		}
}

static void a_vocabulary_joins_bytes(void **state)
{
	(void)state;
	static const char *const texts[] = {" gr", "\xc3", "\xbc\xc3\x9f", "", "<e>"};
	struct span spans[5];
	for (int i = 0; i < 5; i++)
		spans[i] = (struct span){(const u8 *)texts[i], strlen(texts[i])};
	struct err e = {0};
	assert_int_equal(vocab_write(paths[0], spans, (const u8[]){0, 0, 0, 0, 1}, 5, "ab", "cd", &e), 0);
	struct vocab *v = vocab_open(paths[0], &e);
	assert_non_null(v);
	assert_int_equal(vocab_count(v), 5);
	struct buf b = BUF_INIT;
	vocab_add_text(v, &b, (const u32[]){0, 1, 2, 3, 99}, 5);
	assert_string_equal(b.s, " gr\xc3\xbc\xc3\x9f");
	buf_clear(&b);
	vocab_add_text(v, &b, (const u32[]){1, 4}, 2);
	assert_string_equal(b.s, "\xef\xbf\xbd<e>");
	assert_true(vocab_is_special(v, 4) && !vocab_is_special(v, 0) && !vocab_is_special(v, 5));
	assert_int_equal(vocab_bytes(v, UINT32_MAX).n, 0);
	vocab_free(v);
	buf_release(&b);
	/* offsets that descend or reach out give no text */
	struct tensor_out out[] = {{"bytes", DTYPE_U8, 1, {2}, "ab"},
				   {"offset", DTYPE_U64, 1, {4}, (const u64[]){2, 1, UINT64_MAX, 3}},
				   {"special", DTYPE_U8, 1, {3}, "\0\0"}};
	assert_int_equal(safetensors_write_file(paths[0], out, 3, NULL, &e), 0);
	v = vocab_open(paths[0], &e);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(vocab_bytes(v, i).n, 0);
	vocab_free(v);
}

static void labels_are_sorted_and_found(void **state)
{
	(void)state;
	static const struct {
		u32 feature;
		enum label_kind kind;
		const char *source, *text;
	} given[] = {{7, LABEL_MACHINE, "m", "seven\nlines\r"}, {2, LABEL_LEXICAL, "lexical", "two"},
		     {7, LABEL_LEXICAL, "lexical", "7 \xff"}, {9, LABEL_MACHINE, "m", ""}};
	struct label items[4], l;
	for (int i = 0; i < 4; i++)
		items[i] = (struct label){{(const u8 *)given[i].text, strlen(given[i].text)}, given[i].feature,
					  given[i].kind, given[i].source, (f32)i, NULL, NULL};
	struct err e = {0};
	assert_int_equal(labels_write(paths[0], items, 4, "ab", "cd", &e), 0);
	struct labels *t = labels_open(paths[0], 10, &e);
	assert_string_equal(e.msg, "");
	assert_int_equal(labels_count(t), 4);
	u64 first;
	assert_int_equal(labels_of(t, 7, &first), 2);
	assert_int_equal(first, 1);
	labels_at(t, first, &l);
	assert_int_equal(l.text.n, 12);
	assert_memory_equal(l.text.p, "seven lines ", 12);
	assert_true(l.kind == LABEL_MACHINE && l.score == 0 && !strcmp(l.source, "m"));
	labels_at(t, first + 1, &l);
	assert_memory_equal(l.text.p, "7 \xef\xbf\xbd", 5);
	assert_int_equal(labels_of(t, 8, &first), 0);
	assert_int_equal(labels_of(t, UINT32_MAX, &first), 0);
	struct labels_raw raw = labels_raw(t);
	assert_int_equal(labels_raw_offset(&raw, 4), raw.bytes.n);
	labels_free(t);
	/* fewer features than the labels speak of: never a larger id */
	t = labels_open(paths[0], 5, &e);
	assert_int_equal(labels_feature(t, 3), 4);
	labels_free(t);
}

/* Features with none, one and many labels, against counting. */
static void labels_of_a_feature_are_found_wherever_they_lie(void **state)
{
	(void)state;
	enum { N = 400 };
	static const u8 text[] = "x";
	struct label items[N];
	struct err e = {0};
	u32 random = 7;
	for (u32 span = 1; span <= 4 * N; span *= 4) {
		for (int i = 0; i < N; i++) {
			random = random * 1664525 + 1013904223;
			u32 f = (random >> 8) % span;
			items[i] = (struct label){{text, 1}, f < span / 3 ? f / 8 : f, LABEL_LEXICAL, "s", 0, NULL, NULL};
		}
		assert_int_equal(labels_write(paths[0], items, N, "ab", "cd", &e), 0);
		struct labels *t = labels_open(paths[0], span, &e);
		for (u32 f = 0; f <= span + 1; f++) {
			u64 first, before = 0, n = 0;
			for (int i = 0; i < N; i++) {
				before += items[i].feature < f;
				n += items[i].feature == f;
			}
			assert_int_equal(labels_of(t, f, &first), n);
			assert_int_equal(first, before);
			struct pages w = {.asks = true};
			while (!labels_there(t, f, &w))
				pages_wait(&w);
			pages_release(&w);
		}
		labels_free(t);
	}
}

static void labels_that_lie_have_no_text(void **state)
{
	(void)state;
	struct tensor_out out[] = {{"bytes", DTYPE_U8, 1, {2}, "ab"},
				   {"offset", DTYPE_U64, 1, {3}, (const u64[]){2, 1, UINT64_MAX}},
				   {"feature", DTYPE_U32, 1, {2}, (const u32[]){8, 1}},
				   {"source", DTYPE_U16, 1, {2}, (const u16[]){0, 500}},
				   {"score", DTYPE_F32, 1, {2}, (const f32[]){0, 0}}};
	struct err e = {0};
	const char *good[] = {"sources", "[{\"name\":\"x\",\"kind\":\"machine\"}]", NULL};
	assert_int_equal(safetensors_write_file(paths[0], out, 5, good, &e), 0);
	struct labels *t = labels_open(paths[0], 10, &e);
	struct label l;
	labels_at(t, 0, &l);
	assert_int_equal(l.text.n, 0);
	labels_at(t, 1, &l);
	assert_true(l.text.n <= 1 && !strcmp(l.source, ""));
	u64 first;
	for (u32 f = 0; f < 10; f++)
		assert_true(labels_of(t, f, &first) <= 2 && first <= 2);
	labels_free(t);
	const char *bad[] = {"sources", "[{\"name\":\"x\",\"kind\":\"oracle\"}]", NULL};
	assert_int_equal(safetensors_write_file(paths[0], out, 5, bad, &e), 0);
	assert_null(labels_open(paths[0], 10, &e));
	assert_non_null(strstr(e.msg, "no known kind"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_is_read), cmocka_unit_test(segments_read_as_one),
		cmocka_unit_test(damaged_segments_are_refused), cmocka_unit_test(lying_numbers_stay_inside),
		cmocka_unit_test(a_vocabulary_joins_bytes), cmocka_unit_test(labels_are_sorted_and_found),
		cmocka_unit_test(labels_of_a_feature_are_found_wherever_they_lie),
		cmocka_unit_test(labels_that_lie_have_no_text),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
