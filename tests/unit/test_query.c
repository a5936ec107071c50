/* SPDX-License-Identifier: MIT */
/* test_query.c - the query language: what it accepts, where it errs, what it means.
 * The atlas is made up here: every number follows from the feature's own. */
#include "base/buf.h"
#include "base/mem.h"
#include "core/map.h"
#include "core/query.h"
#include "core/vocab.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_FEATURES = 130 };

/* Feature i has density i / 1000 and maximum i / 2, and is dead where i ends in 9. */
void store_stats(const struct store *s, u32 feature, struct store_stats *out)
{
	(void)s;
	*out = (struct store_stats){.density = (f32)feature / 1000, .max = (f32)feature / 2, .count = feature % 10 != 9};
}

/* Its context is at 100 times its number: three tokens of the last digit of the text's number, between texts. */
size_t store_contexts(const struct store *s, u32 feature, struct store_context *out, size_t cap)
{
	(void)s;
	if (cap > 1) {
		out[0] = (struct store_context){.position = 100ull * feature + 1, .kind = CONTEXT_TOP};
		/* what is drawn at random does not count */
		out[1] = (struct store_context){.position = 100ull * 77 + 1, .kind = CONTEXT_RANDOM};
	}
	return feature % 2 ? 2 : 0;
}

u64 store_text_of(const struct store *s, u64 position, u64 *start, u64 *end)
{
	(void)s;
	*start = position / 100 * 100;
	*end = *start + 3;
	return position / 100;
}

u32 store_token(const struct store *s, u64 position)
{
	(void)s;
	return (u32)(position / 100 % 10);
}

/* Clusters of ten, but for the last, which is alone. */
u32 map_cluster(const struct map *m, u32 feature)
{
	(void)m;
	return feature >= 120 ? MAP_NONE : feature / 10;
}

void atlas_scores(const struct atlas *a, u32 feature, struct atlas_scores *out)
{
	(void)a;
	*out = (struct atlas_scores){NAN, (f32)feature, -(f32)feature, NAN};
	if (feature == 100)
		out->input = 0.5f;
}

/* It promotes the token of its last digit and suppresses the next. */
size_t atlas_logits(const struct atlas *a, u32 feature, int sign, struct atlas_token *out, size_t cap)
{
	(void)a;
	if (cap)
		*out = (struct atlas_token){(feature % 10 + (sign < 0)) % 10, (f32)sign};
	return 1;
}

size_t atlas_neighbours(const struct atlas *a, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	(void)a;
	for (u32 i = 0; i < MIN(cap, 3); i++)
		out[i] = (struct atlas_neighbour){feature + 1 + i, 0.5f};
	return 3;
}

const char *atlas_missing(const struct atlas *a, const char *part)
{
	return !strcmp(part, "graph") && !a->graph ? "no neighbour graph; make it with 'featlas neighbours X'" : NULL;
}

static const char *const tokens[] = {" zero", " one", "two", " three", "four", " five", "six", "seven", "eight", "nine"};

struct world {
	struct query_world w;
	struct atlas a;
	char folder[64];
	u64 hidden[3], marked[3];
	struct label people[1];
};

static struct label label(u32 feature, const char *text, enum label_kind kind, const char *source)
{
	return (struct label){{(const u8 *)text, strlen(text)}, feature, kind, source, NAN, NULL, NULL};
}

static void make_parts(struct world *s)
{
	char path[96];
	struct err e = {0};
	struct span t[10];
	struct label l[] = {
		label(1, "rivers and bridges", LABEL_LEXICAL, "lexical"),
		label(1, "crossing water", LABEL_MACHINE, "machine one"),
		label(2, "Bridge", LABEL_MACHINE, "machine two"),
		label(3, "a bridge (of a nose)", LABEL_LEXICAL, "lexical"),
		label(4, "lakes", LABEL_LEXICAL, "lexical"),
		label(128, "either/or", LABEL_LEXICAL, "lexical"),
	};
	snprintf(path, sizeof path, "%s/labels.safetensors", s->folder);
	assert_int_equal(labels_write(path, l, ARRAY_LEN(l), "u", "b", &e), 0);
	s->a.labels = labels_open(path, N_FEATURES, &e);
	unlink(path);
	for (size_t i = 0; i < 10; i++)
		t[i] = (struct span){(const u8 *)tokens[i], strlen(tokens[i])};
	snprintf(path, sizeof path, "%s/vocab.safetensors", s->folder);
	assert_int_equal(vocab_write(path, t, (const u8[10]){0}, 10, "u", "b", &e), 0);
	s->a.vocab = vocab_open(path, &e);
	unlink(path);
}

static int make_world(void **state)
{
	struct world *s = xcalloc(1, sizeof *s);
	struct err e = {0};
	strcpy(s->folder, "/tmp/featlas-query-XXXXXX");
	if (!mkdtemp(s->folder))
		return -1;
	setenv("XDG_DATA_HOME", s->folder, 1);
	make_parts(s);
	s->a.n_features = N_FEATURES;
	/* never looked into: the functions above stand for them */
	s->a.store = (struct store *)s;
	s->a.logits = s->a.graph = s->a.scores = (struct safetensors *)s;
	s->a.map = (struct map *)s;
	s->w.note = note_open(s->folder, "abc", &e);
	note_set_rating(s->w.note, 5, 4, &e);
	note_set_rating(s->w.note, 6, 2, &e);
	note_toggle_tag(s->w.note, (u32[]){5}, 1, "tour", NULL, &e);
	note_toggle_tag(s->w.note, (u32[]){7}, 1, "tour", NULL, &e);
	note_toggle_tag(s->w.note, (u32[]){7}, 1, "tours", NULL, &e);
	note_set_note(s->w.note, 8, "see also the lakes", &e);
	note_set_bookmark(s->w.note, 'a', 9, &e);
	s->people[0] = label(10, "my own bridge", LABEL_PERSON, "person");
	s->hidden[0] = 1u << 4;
	s->marked[2] = 1;
	s->w.atlas = &s->a;
	s->w.people = s->people;
	s->w.n_people = 1;
	s->w.hidden = s->hidden;
	s->w.marked = s->marked;
	*state = s;
	return 0;
}

static int free_world(void **state)
{
	struct world *s = *state;
	char *cmd = xasprintf("rm -rf '%s'", s->folder);
	note_free(s->w.note);
	labels_free(s->a.labels);
	vocab_free(s->a.vocab);
	int r = system(cmd);
	free(cmd);
	free(s);
	return r;
}

static void want(void **state, const char *text, const char *ids)
{
	struct world *s = *state;
	struct buf b = BUF_INIT;
	struct err e = {0};
	struct search_result r = {0};
	struct query *q = query_parse(text, SEARCH_SMART, NULL, &e);
	if (!q)
		fail_msg("%s: %s", text, e.msg);
	if (query_run(q, &s->w, &r, NULL, &e))
		fail_msg("%s: %s", text, e.msg);
	u64 n = 0;
	for (u32 f = 0; (f = search_next(&r, N_FEATURES, f)) != UINT32_MAX; f++, n++)
		buf_addf(&b, "%s%u", b.n ? " " : "", f);
	if (strcmp(b.s, ids))
		fail_msg("%s found '%s', not '%s'", text, b.s, ids);
	assert_int_equal(r.n_hits, n);
	search_result_release(&r);
	query_free(q);
	buf_release(&b);
}

static void labels_by_words_and_regexes(void **state)
{
	want(state, "bridge", "1 2 3 10");
	want(state, "Bridge", "2");
	want(state, "bridge rivers", "1");
	want(state, "/bridges$|lakes/", "1"); /* 4 was rejected */
	want(state, "/BRIDGE/i", "1 2 3 10");
	want(state, "\"a bridge\"", "3");
	want(state, "/either\\/or/", "128");
	want(state, "label:bridge -label:/^my/", "1 2 3");
	want(state, "label:\"crossing w\"", "1");
	want(state, "/\\(of/", "3");
	want(state, "nothing of the sort", "");
}

static void terms_are_joined(void **state)
{
	want(state, "bridge and not rivers", "2 3 10");
	want(state, "bridge -rivers", "2 3 10");
	want(state, "rivers or own", "1 10");
	want(state, "bridge rivers or own", "1 10");
	want(state, "bridge (rivers or own) ", "1 10");
	want(state, "not (not bridge)", "1 2 3 10");
	want(state, "-(id:0..127 or id:129)", "128");
	want(state, "id:5,7..9,128", "5 7 8 9 128");
	want(state, "( ( id:3 ) )or id:4", "3 4");
	want(state, "bridge or bridge and id:500", "1 2 3 10");
}

static void numbers_are_compared(void **state)
{
	want(state, "density:<2e-3", "0 1");
	want(state, "max:<=1", "0 1 2");
	want(state, "max:>63.5", "128 129");
	want(state, "max:>=63.5", "127 128 129");
	want(state, "max:1..2", "2 3 4");
	want(state, "max:=1.5", "3");
	want(state, "detects:>0", "100");
	want(state, "detects:<9", "100"); /* what has no score is neither above nor below */
	want(state, "writes:>-2", "0 1");
	want(state, "writes:<=-128", "128 129");
	want(state, "output:<2", "0 1");
	want(state, "id:#3,#5", "3 5");
	want(state, "id:<3", "0 1 2");
	want(state, "id:<=3", "0 1 2 3");
	want(state, "id:>127", "128 129");
	want(state, "id:>=128", "128 129");
	want(state, "id:127.5..128.5", "128");
	want(state, "id:>127.5", "128 129");
	want(state, "id:<0.5", "0");
	want(state, "id:2.2..2.7", "");
	want(state, "id:>1e300", "");
	want(state, "not id:<128", "128 129");
	want(state, "id:-5..0", "0");
}

static void what_people_did(void **state)
{
	want(state, "rating:4", "5");
	want(state, "rating:<=3", "6");
	want(state, "rating:0 id:5..7", "7");
	want(state, "tag:tour", "5 7");
	want(state, "note:lakes", "8");
	want(state, "is:rated or is:bookmarked", "5 6 9");
	want(state, "is:tagged", "5 7");
	want(state, "is:noted", "8");
	want(state, "is:rejected", "4");
	want(state, "is:marked", "128");
	want(state, "is:labelled", "1 2 10");
	want(state, "is:unlabelled id:1..4", "3 4");
	want(state, "source:\"machine t\"", "2");
	want(state, "source:person", "10");
	want(state, "is:dead id:0..30", "9 19 29");
	want(state, "is:live id:8..10", "8 10");
}

static void tokens_and_neighbours(void **state)
{
	want(state, "promotes:/^one$/ id:<40", "1 11 21 31");
	want(state, "suppresses:/^one$/ id:<40", "0 10 20 30");
	want(state, "promotes:e id:0..9", "0 1 3 5 7 8 9");
	want(state, "near:5", "6 7 8");
	/* " one one one", of odd features that end in 1 */
	want(state, "context:/^ one one one$/ id:<30", "1 11 21");
	want(state, "context:sevenseven id:20..40", "27 37");
	want(state, "context:two", "");
	want(state, "cluster:2 id:<24", "20 21 22 23");
	want(state, "cluster:>=11", "110 111 112 113 114 115 116 117 118 119");
	want(state, "near:#128", "129"); /* beyond the last is no feature */
}

static void errors_point_at_the_column(void **state)
{
	(void)state;
	static const struct { const char *text; size_t column; const char *word; } bad[] = {
		{"", 0, "column 1: a term is wanted"},
		{"a or", 4, "column 5: a term is wanted"},
		{"or a", 0, "quote it"},
		{"a and and b", 6, "column 7"},
		{"(a or b", 0, "not closed"},
		{"a)", 1, "never opened"},
		{"a /b", 2, "the / is not closed"},
		{"a \"b", 2, "the quote is not closed"},
		{"labell:b", 0, "no such key"},
		{"label:", 6, "a value is wanted"},
		{"été /[/", 8, "column 7"},
		{"bridge label:/a(b/", 17, "missing closing parenthesis"},
		{"density:abc", 8, "a number is wanted"},
		{"density:<", 8, "a number is wanted"},
		{"density:0x10", 8, "a number is wanted"},
		{"density:inf", 8, "a number is wanted"},
		{"density:1e999", 8, "a number is wanted"},
		{"id:3,x", 5, "a number is wanted"},
		{"id:5..3", 3, "a number is wanted"},
		{"near:x", 5, "a feature's number"},
		{"is:nice", 3, "is: knows"},
		{"a not", 5, "a term is wanted"},
		{"a writes>0.01", 8, "column 9: a colon is wanted between key and value"},
		{"density=2", 7, "a colon is wanted"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};
		size_t column = 99;
		if (query_parse(bad[i].text, SEARCH_SMART, &column, &e))
			fail_msg("%s was accepted", bad[i].text);
		if (column != bad[i].column || !strstr(e.msg, bad[i].word))
			fail_msg("%s: column %zu, %s", bad[i].text, column, e.msg);
		assert_int_equal(e.code, ERR_USAGE);
	}
}

static void deep_and_long_queries_are_refused_not_crashed_on(void **state)
{
	(void)state;
	char s[9000];
	struct err e = {0};
	memset(s, '(', 5000);
	s[5000] = 0;
	assert_null(query_parse(s, SEARCH_EXACT, NULL, &e));
	assert_non_null(strstr(e.msg, "nested too deeply"));
	for (size_t i = 0; i < 5000; i += 4)
		memcpy(s + i, "not ", 4);
	assert_null(query_parse(s, SEARCH_EXACT, NULL, &e));
	memset(s, '-', 5000);
	assert_null(query_parse(s, SEARCH_EXACT, NULL, &e));
	memset(s, 'a', sizeof s - 1);
	s[sizeof s - 1] = 0;
	assert_null(query_parse(s, SEARCH_EXACT, NULL, &e));
	assert_non_null(strstr(e.msg, "too long"));
	for (size_t i = 0; i < 8000; i += 5)
		memcpy(s + i, "id:1 ", 5);
	s[8000] = 0;
	struct query *q = query_parse(s, SEARCH_EXACT, NULL, &e);
	assert_non_null(q);
	query_free(q);
}

static void missing_parts_are_named(void **state)
{
	struct world *s = *state;
	struct err e = {0};
	struct search_result r = {0};
	s->a.graph = NULL;
	struct query *q = query_parse("id:3 or near:3", SEARCH_EXACT, NULL, &e);
	assert_int_equal(query_run(q, &s->w, &r, NULL, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_string_equal(e.msg, "no neighbour graph; make it with 'featlas neighbours X'");
	query_free(q);
	q = query_parse("near:130", SEARCH_EXACT, NULL, &e);
	assert_int_equal(query_run(q, &s->w, &r, NULL, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	query_free(q);
}

/* Queries put together from pieces at random, most of them wrong, all of them answered. */
static void any_query_is_answered(void **state)
{
	static const char *const pieces[] = {
		"(", ")", " ", " and ", " or ", " not ", "-", "/", "\"", "\\", "i", "bridge", "label:", "id:", "id:3..9",
		"density:", "<", ">=", "1e-3", "..", ",", "near:", "5", "is:", "dead", "tag:tour", "promotes:", "[", "*",
		"+", "é", "\xff", "rating:", "0", "note:", "x", "#", "|", "?", "\t",
	};
	struct world *s = *state;
	u64 random = 1, n_parsed = 0;
	for (int round = 0; round < 20000; round++) {
		struct buf b = BUF_INIT;
		for (u64 n = 1 + round % 9; n; n--) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			buf_adds(&b, pieces[(random >> 33) % ARRAY_LEN(pieces)]);
		}
		struct err e = {0};
		size_t column = SIZE_MAX;
		struct query *q = query_parse(b.s, SEARCH_SMART, &column, &e);
		if (!q && (column > b.n || !e.msg[0]))
			fail_msg("'%s': column %zu, '%s'", b.s, column, e.msg);
		struct search_result r = {0};
		if (q && !query_run(q, &s->w, &r, NULL, &e)) {
			assert_true(r.n_hits <= N_FEATURES);
			n_parsed++;
		}
		search_result_release(&r);
		query_free(q);
		buf_release(&b);
	}
	assert_true(n_parsed > 1000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(labels_by_words_and_regexes), TEST(terms_are_joined), TEST(numbers_are_compared),
		TEST(what_people_did), TEST(tokens_and_neighbours), TEST(errors_point_at_the_column),
		TEST(deep_and_long_queries_are_refused_not_crashed_on), TEST(missing_parts_are_named),
		TEST(any_query_is_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
