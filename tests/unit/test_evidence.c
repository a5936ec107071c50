/* SPDX-License-Identifier: MIT */
/* test_evidence.c - questions from a made-up store, answers counted by hand, words that stand in a text, the file.
 *
 * Text t of 60: 40 tokens, each another.  Feature 0 fires at 20 of texts 0 to 19, by 1 to 20, and in text 19 by 6.1 at 22
 * and by 5.9 at 24; 1 at 20 of texts 20 to 39; 2 at 21 of texts 10 to 29; 3 never.  Once the store is full, once it
 * has examples only, where it says that 2 fires more often than is kept.
 */
#include "base/mem.h"
#include "core/index.h"
#include "core/judged.h"
#include "core/vocab.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { N_TEXTS = 60, TEXT = 40, F = 4, V = N_TEXTS * TEXT };

static char folder[64], *file;
static struct atlas full, examples;

static void add_feature(struct index_image *m, u32 f, u32 first, u32 n, u32 at)
{
	struct store_context c[N_TEXTS] = {0};
	u32 pos[N_TEXTS + 2];
	f32 act[N_TEXTS + 2];
	u32 k = 0;
	struct err e = {0};
	for (u32 i = 0; i < n; i++) {
		c[i] = (struct store_context){(first + n - 1 - i) * TEXT + at, (f32)(n - i), CONTEXT_TOP, 0};
		pos[k] = (first + i) * TEXT + at;
		act[k++] = (f32)(i + 1);
	}
	if (f == 0) {
		for (u32 i = 0; i < 2; i++) {
			pos[k] = 19 * TEXT + 22 + 2 * i;
			act[k++] = i ? 5.9f : 6.1f;
		}
	}
	m->scale[f] = 1;
	m->max[f] = (f32)n;
	m->count[f] = k;
	index_image_contexts(m, f, c, n);
	assert_int_equal(index_image_activations(m, f, pos, act, k, &e), 0);
}

static struct store *make_store(bool is_full, const char *name)
{
	struct err e = {0};
	char *path = xasprintf("%s/%s", folder, name);
	struct index_image *m = index_image_new(F, 1, N_TEXTS * TEXT, N_TEXTS, folder, &e);
	for (u32 i = 0; i < V; i++)
		m->tokens[i] = i;
	for (u32 t = 0; t <= N_TEXTS; t++)
		m->text_ptr[t] = t * TEXT;
	m->flags[19 * TEXT + 19] = TOKEN_SPECIAL;
	m->n_indexed = m->n_kept = V;
	add_feature(m, 0, 0, 20, 20);
	add_feature(m, 1, 20, 20, 20);
	add_feature(m, 2, 10, 20, 21);
	add_feature(m, 3, 0, 0, 0);
	m->count[2] += is_full ? 0 : 7;
	assert_int_equal(index_image_write(m, path, is_full, "u", "b", 0, &e), 0);
	index_image_free(m);
	struct store *s = store_open((const char *const *)&path, 1, F, &e);
	free(path);
	return s;
}

static struct vocab *make_vocab(void)
{
	static char text[V][8];
	static struct span tokens[V];
	static u8 special[V];
	struct err e = {0};
	char *path = xasprintf("%s/vocab.safetensors", folder);
	for (int i = 0; i < V; i++) {
		snprintf(text[i], sizeof text[i], " w%d", i);
		tokens[i] = (struct span){(const u8 *)text[i], strlen(text[i])};
	}
	assert_int_equal(vocab_write(path, tokens, special, V, "u", "b", &e), 0);
	struct vocab *v = vocab_open(path, &e);
	free(path);
	return v;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/featlas-evidence-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	file = xasprintf("%s/evidence.safetensors", folder);
	full = (struct atlas){.store = make_store(true, "full"), .vocab = make_vocab(), .n_features = F};
	examples = (struct atlas){.store = make_store(false, "examples"), .vocab = full.vocab, .n_features = F};
	return full.store && examples.store && full.vocab ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	store_free(full.store);
	store_free(examples.store);
	vocab_free(full.vocab);
	char *command = xasprintf("rm -rf '%s'", folder);
	int bad = system(command);
	free(command);
	free(file);
	return bad;
}

static size_t make(const struct atlas *a, u32 feature, const struct evidence_ask *ask, struct evidence_question *q)
{
	struct err e = {0};
	i64 n = evidence_make(a, feature, ask, q, &e);
	if (n < 0)
		print_message("%s\n", e.msg);
	assert_true(n > 0);
	return (size_t)n;
}

static void questions_are_what_they_say(void **state)
{
	(void)state;
	struct evidence_question q[EVIDENCE_MOST];
	struct evidence_ask ask = {.n_fires = 100, .n_other = 12, .seed = 1};
	size_t n = make(&full, 0, &ask, q), fires = 0, silent = 0, shown = 0;
	for (u32 t = 0; t < 20; t++)
		shown += evidence_is_shown(0, t * TEXT + 20);
	assert_in_range(shown, 4, 16);
	for (size_t i = 0; i < n; i++) {
		u64 text = q[i].from / TEXT;
		assert_int_equal(q[i].from, text * TEXT + 20 - 15 + (q[i].of == 2));
		assert_int_equal(q[i].n, 32);
		assert_int_equal(q[i].marks, 0);
		assert_true(q[i].known);
		if (q[i].source == EVIDENCE_FIRES) {
			fires++;
			assert_int_equal(q[i].of, 0);
			assert_float_equal(q[i].act, (f32)text + 1, 0);
			/* fifths of the maximum, 20 */
			assert_int_equal(q[i].level, MIN((text + 1) / 4, 4u));
			assert_false(evidence_is_shown(0, text * TEXT + 20));
		} else {
			silent++;
			assert_int_equal(q[i].source, EVIDENCE_OTHER);
			assert_in_range(text, 20, 39);
		}
	}
	assert_int_equal(fires, 20 - shown);
	assert_int_equal(silent, 12);
}

static void levels_take_turns(void **state)
{
	(void)state;
	struct evidence_question q[EVIDENCE_MOST];
	struct evidence_ask ask = {.n_fires = 5, .n_other = 5, .seed = 3};
	size_t n = make(&full, 0, &ask, q);
	u32 seen[EVIDENCE_LEVELS] = {0}, at_hand[EVIDENCE_LEVELS] = {0}, want = 0, got = 0;
	for (u32 t = 0; t < 20; t++)
		at_hand[MIN((t + 1) / 4, 4u)] += !evidence_is_shown(0, t * TEXT + 20);
	for (size_t i = 0; i < n; i++)
		if (q[i].source == EVIDENCE_FIRES)
			seen[q[i].level]++;
	for (int l = 0; l < EVIDENCE_LEVELS; l++) {
		want += at_hand[l] > 0;
		got += seen[l] > 0;
	}
	assert_int_equal(got, want);
}

static void the_seed_decides(void **state)
{
	(void)state;
	struct evidence_question a[EVIDENCE_MOST], b[EVIDENCE_MOST], c[EVIDENCE_MOST];
	memset(a, 0, sizeof a);
	memset(b, 0, sizeof b);
	struct evidence_ask ask = {.n_fires = 5, .n_other = 5, .seed = 1}, other = {.n_fires = 5, .n_other = 5, .seed = 2};
	size_t n = make(&full, 0, &ask, a);
	assert_int_equal(make(&full, 0, &ask, b), n);
	make(&full, 0, &other, c);
	bool same = true;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(a[i].from, b[i].from);
		assert_int_equal(a[i].source, b[i].source);
		same &= a[i].from == c[i].from;
	}
	assert_false(same);
}

static void silence_is_assumed_where_activations_are_missing(void **state)
{
	(void)state;
	struct evidence_question q[EVIDENCE_MOST];
	struct evidence_ask ask = {.n_fires = 4, .n_other = 4, .seed = 1};
	assert_true(evidence_is_complete(examples.store, 0));
	assert_false(evidence_is_complete(examples.store, 2));
	assert_true(evidence_is_complete(full.store, 2));
	size_t n = make(&examples, 2, &ask, q);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(q[i].known, q[i].source == EVIDENCE_FIRES);
	n = make(&examples, 0, &ask, q);
	for (size_t i = 0; i < n; i++)
		assert_true(q[i].known);
}

static void fuzzing_marks_what_fires(void **state)
{
	(void)state;
	struct evidence_question q[EVIDENCE_MOST];
	struct evidence_ask ask = {.n_fires = 20, .n_other = 8, .fuzzing = true, .seed = 1};
	size_t n = make(&full, 0, &ask, q);
	const u64 peak = (u64)1 << 15, both = peak | (u64)1 << 17;
	for (size_t i = 0; i < n; i++) {
		u64 text = q[i].from / TEXT;
		if (q[i].source == EVIDENCE_FIRES)
			assert_int_equal(q[i].marks, text == 19 ? both : peak);
		else
			assert_true(q[i].marks == peak || q[i].marks == both);
	}
}

static void texts_show_marks_and_no_special_tokens(void **state)
{
	(void)state;
	struct evidence_question q = {.from = 19 * TEXT + 18, .n = 5, .marks = 1 << 2 | 1 << 4};
	struct buf text = BUF_INIT, marked = BUF_INIT;
	evidence_add_text(&full, &q, "[", "]", &text, &marked);
	assert_string_equal(text.s, " w778[ w780] w781[ w782]");
	buf_clear(&text);
	buf_clear(&marked);
	evidence_add_text(&full, &q, NULL, NULL, &text, &marked);
	assert_string_equal(text.s, " w778 w780 w781 w782");
	assert_int_equal(marked.n, text.n);
	assert_memory_equal(marked.s, "\0\0\0\0\0\1\1\1\1\1\0\0\0\0\0\1\1\1\1\1", 20);
	buf_release(&text);
	buf_release(&marked);
}

static void too_little_is_said(void **state)
{
	(void)state;
	struct evidence_question q[EVIDENCE_MOST];
	struct evidence_ask ask = {.n_fires = 4, .n_other = 4, .seed = 1};
	struct err e = {0};
	assert_int_equal(evidence_make(&full, 3, &ask, q, &e), -1);
	assert_string_equal(e.msg, "#3 has too few contexts to ask about");
	ask.n_other = 300;
	assert_int_equal(evidence_make(&full, 0, &ask, q, &e), -1);
}

/* Fires, by level: 4 yes, 4 yes, 2 no, 0 unjudged.  Silent: no, yes (a neighbour's), no, no (a neighbour's). */
static void answers_are_counted(void **state)
{
	(void)state;
	const struct evidence_question q[] = {
		{.source = EVIDENCE_FIRES, .level = 4, .known = true}, {.source = EVIDENCE_FIRES, .level = 4, .known = true},
		{.source = EVIDENCE_FIRES, .level = 2, .known = true}, {.source = EVIDENCE_FIRES, .level = 0, .known = true},
		{.source = EVIDENCE_OTHER, .known = true}, {.source = EVIDENCE_NEIGHBOUR},
		{.source = EVIDENCE_OTHER}, {.source = EVIDENCE_NEIGHBOUR, .known = true},
	};
	const u8 answer[] = {EVIDENCE_YES, EVIDENCE_YES, EVIDENCE_NO, EVIDENCE_UNJUDGED,
			     EVIDENCE_NO, EVIDENCE_YES, EVIDENCE_NO, EVIDENCE_NO};
	struct evidence_score s;
	struct evidence_figures f;
	evidence_count(q, answer, ARRAY_LEN(q), &s);
	assert_int_equal(s.fires[0], 3);
	assert_int_equal(s.fires[1], 2);
	assert_int_equal(s.silent[0], 4);
	assert_int_equal(s.silent[1], 3);
	assert_int_equal(s.near[0], 2);
	assert_int_equal(s.near[1], 1);
	assert_int_equal(s.n_assumed, 2);
	assert_int_equal(s.n_unjudged, 1);
	assert_int_equal(s.level[4][0], 2);
	assert_int_equal(s.level[4][1], 2);
	assert_int_equal(s.level[2][0], 1);
	assert_int_equal(s.level[2][1], 0);
	assert_int_equal(s.level[0][0], 0);
	evidence_figures(&s, &f);
	assert_float_equal(f.accuracy, 5.0 / 7, 1e-6);
	assert_float_equal(f.balanced, (2.0 / 3 + 3.0 / 4) / 2, 1e-6);
	assert_float_equal(f.precision, 2.0 / 3, 1e-6);
	assert_float_equal(f.recall, 2.0 / 3, 1e-6);
	assert_float_equal(f.f1, 2.0 / 3, 1e-6);
	evidence_count(q, (const u8[]){2, 2, 2, 2, 0, 0, 0, 0}, ARRAY_LEN(q), &s);
	evidence_figures(&s, &f);
	assert_true(isnan(f.balanced));
	assert_float_equal(f.accuracy, 1, 0);
}

static bool matches(const char *label, const char *text, const char *marked)
{
	struct evidence_words *w = evidence_words_of_label(label, strlen(label));
	struct buf t = BUF_INIT, m = BUF_INIT;
	buf_adds(&t, text);
	for (const char *c = marked ? marked : ""; *c; c++)
		buf_addc(&m, *c == '^');
	bool yes = evidence_words_match(w, &t, marked ? &m : NULL);
	evidence_words_free(w);
	buf_release(&t);
	buf_release(&m);
	return yes;
}

static void words_of_a_label_stand_in_a_text(void **state)
{
	(void)state;
	const char *label = "what one crosses: bridges, tunnels";
	assert_true(matches(label, "under the Bridge.", NULL));
	assert_true(matches(label, "a crossing", NULL));
	assert_false(matches(label, "one of what", NULL));
	assert_false(matches(label, "a river", NULL));
	assert_false(matches("is of to", "is of to", NULL));
	assert_true(matches("\"of\" before course", "out OF it", NULL));
	assert_false(matches("\"of\" in some place", "an offer", NULL));
	assert_true(matches("\xe2\x80\x9c,\xe2\x80\x9d", "one, two", NULL));
	assert_true(matches(label, "bridge and bridge", "           ^^^^^^"));
	assert_false(matches(label, "bridge and river", "           ^^^^^"));
}

static void judgements_are_kept(void **state)
{
	(void)state;
	struct err e = {0};
	struct judged_method lexical = {.name = "lexical", .model = "", .ask = {2, 2, 0, false, 1}},
			     asked = {.name = "detection", .model = "m", .ask = {2, 2, 0, false, 1}};
	struct span one = {(const u8 *)"one", 3}, two = {(const u8 *)"two", 3};
	struct evidence_score good = {.fires = {2, 2}, .silent = {2, 1}, .level = {[3] = {2, 2}}, .n_assumed = 1},
			      better = {.fires = {2, 2}, .silent = {2, 2}, .level = {[4] = {2, 2}}},
			      bad = {.fires = {2, 3}, .silent = {2, 1}, .level = {[3] = {2, 3}}};
	const struct judgement items[] = {
		{3, one, lexical, good}, {1, two, lexical, better}, {3, two, asked, good}, {3, one, lexical, better},
	};
	assert_int_equal(judged_write(file, items, 4, "u", "b", &e), 0);
	struct safetensors *s = safetensors_open(file, &e);
	struct judged *j = judged_open(s, &e);
	assert_non_null(j);
	struct judgement x;
	f32 balanced = 0;
	u64 first;
	assert_int_equal(judged_count(j), 3);
	for (u64 i = 0; i < 3; i++)
		assert_null(judged_fault(j, i));
	assert_int_equal(judged_of(j, 3, &first), 2);
	assert_int_equal(judged_of(j, 2, &first), 0);
	assert_true(judged_best(j, 3, NULL, &x, &balanced));
	assert_string_equal(x.method.name, "detection");
	assert_string_equal(x.method.model, "m");
	assert_int_equal(x.method.ask.n_fires, 2);
	assert_float_equal(balanced, 0.75, 1e-6);
	assert_int_equal(x.score.n_assumed, 1);
	assert_int_equal(x.score.level[3][1], 2);
	assert_true(judged_best(j, 3, &one, &x, &balanced));
	assert_string_equal(x.method.name, "lexical");
	assert_float_equal(balanced, 1, 1e-6);
	assert_false(judged_best(j, 0, NULL, &x, &balanced));
	judged_free(j);
	safetensors_free(s);
	assert_int_equal(judged_write(file, &(struct judgement){3, one, lexical, bad}, 1, "u", "b", &e), 0);
	s = safetensors_open(file, &e);
	j = judged_open(s, &e);
	assert_string_equal(judged_fault(j, 0), "has more right answers than questions");
	judged_free(j);
	safetensors_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_what_they_say),
		cmocka_unit_test(levels_take_turns),
		cmocka_unit_test(the_seed_decides),
		cmocka_unit_test(silence_is_assumed_where_activations_are_missing),
		cmocka_unit_test(fuzzing_marks_what_fires),
		cmocka_unit_test(texts_show_marks_and_no_special_tokens),
		cmocka_unit_test(too_little_is_said),
		cmocka_unit_test(answers_are_counted),
		cmocka_unit_test(words_of_a_label_stand_in_a_text),
		cmocka_unit_test(judgements_are_kept),
	};
	return cmocka_run_group_tests_name("evidence", tests, set_up, tear_down);
}
