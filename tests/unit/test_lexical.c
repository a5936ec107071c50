/* SPDX-License-Identifier: MIT */
/* test_lexical.c - topic words, input scores and automatic labels of a made-up store.
 *
 * Text t of 12: 40 tokens of filler, and in texts 0-7 " bridge" at 20 with " river" at 22 (0-4) and
 * a comma at 24.  Feature 0 peaks on " bridge", 1 on the comma, 2 on a text's hostile token,
 * 3 on "cross" of " cross" "ing", 4 never.
 */
#include "base/mem.h"
#include "core/index.h"
#include "core/topic.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { FILLER = 300, BRIDGE = FILLER, RIVER, COMMA, HOSTILE, CROSS, ING, TUNNEL, MARTIAN, V };
enum { N_TEXTS = 400, TEXT = 40, F = 5 };

static char folder[64];
static struct store *store;
static struct vocab *vocab;
static struct topic_base *base;

static void write_vocab(const char *path)
{
	static char text[FILLER][16];
	static const char *const named[] = {" bridge", " river", ",",       "\033[2J\n\xff",
					    " cross",  "ing",    " tunnel", " martian"};
	struct span tokens[V];
	u8 special[V] = {0};
	struct err e = {0};
	for (int i = 0; i < FILLER; i++)
		snprintf(text[i], sizeof text[i], " w%c%c%c", 'a' + i / 26 % 26, 'a' + i % 26, 'q');
	for (int i = 0; i < V; i++) {
		const char *s = i < FILLER ? text[i] : named[i - FILLER];
		tokens[i] = (struct span){(const u8 *)s, strlen(s)};
	}
	assert_int_equal(vocab_write(path, tokens, special, V, "u", "b", &e), 0);
	vocab = vocab_open(path, &e);
	assert_non_null(vocab);
}

static void fill_tokens(struct index_image *m)
{
	for (u64 i = 0; i < m->n_tokens; i++) {
		u64 text = i / TEXT, at = i % TEXT;
		m->tokens[i] = (u32)(i % FILLER);
		m->text_ptr[text] = text * TEXT;
		if (text < 8 && at == 20)
			m->tokens[i] = BRIDGE;
		if (text < 5 && at == 22)
			m->tokens[i] = RIVER;
		if (text < 8 && at == 24)
			m->tokens[i] = COMMA;
		if (text == 9 && at == 20)
			m->tokens[i] = HOSTILE;
		if (text == 10 && at == 20)
			m->tokens[i] = CROSS;
		if (text == 10 && at == 21)
			m->tokens[i] = ING;
		if (text == 11 && at == 39) /* just across the border of a text */
			m->tokens[i] = MARTIAN;
	}
	m->text_ptr[N_TEXTS] = m->n_tokens;
	m->flags[0 * TEXT + 8] = TOKEN_SPECIAL;
	m->tokens[0 * TEXT + 8] = TUNNEL; /* masked: it does not count */
	m->n_indexed = m->n_kept = m->n_tokens;
}

static void add_contexts(struct index_image *m)
{
	struct store_context c[F][8] = {0};
	size_t n[F] = {8, 8, 1, 1, 0};
	struct err e = {0};
	for (u64 i = 0; i < 8; i++) {
		c[0][i] = (struct store_context){i * TEXT + 20, 9 - (f32)i, CONTEXT_TOP, 0};
		c[1][i] = (struct store_context){i * TEXT + 24, 9 - (f32)i, CONTEXT_TOP, 0};
	}
	c[2][0] = (struct store_context){9 * TEXT + 20, 1, CONTEXT_TOP, 0};
	c[3][0] = (struct store_context){10 * TEXT + 20, 1, CONTEXT_TOP, 0};
	for (u32 f = 0; f < F; f++) {
		m->scale[f] = 1;
		index_image_contexts(m, f, c[f], n[f]);
		assert_int_equal(index_image_activations(m, f, NULL, NULL, 0, &e), 0);
	}
}

static int set_up(void **state)
{
	(void)state;
	struct err e = {0};
	strcpy(folder, "/tmp/featlas-lexical-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	char *path = xasprintf("%s/activations.safetensors", folder),
	     *words = xasprintf("%s/vocab.safetensors", folder);
	struct index_image *m = index_image_new(F, 1, N_TEXTS * TEXT, N_TEXTS, folder, &e);
	fill_tokens(m);
	add_contexts(m);
	int bad = index_image_write(m, path, true, "u", "b", 0, &e);
	index_image_free(m);
	write_vocab(words);
	store = bad ? NULL : store_open((const char *const *)&path, 1, F, &e);
	base = store ? topic_base_new(store, vocab, &e) : NULL;
	free(path);
	free(words);
	return base ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	topic_base_free(base);
	store_free(store);
	vocab_free(vocab);
	char *command = xasprintf("rm -rf '%s'", folder);
	int bad = system(command);
	free(command);
	return bad;
}

static void topic_words_are_the_over_represented_ones(void **state)
{
	(void)state;
	struct topic_word w[TOPIC_WORDS];
	size_t n;
	assert_int_equal(topic_words(base, 0, w, &n), 2);
	assert_int_equal(n, 8);
	assert_int_equal(w[0].token, BRIDGE);
	assert_int_equal(w[0].k, 8);
	assert_int_equal(w[1].token, RIVER);
	assert_int_equal(w[1].k, 5);
	/* python3: c, T = 8, 15999; k = 8; k * math.log((k / 8) / ((c + .5) / (T + .5 * 308) * 24))
	 * and with c = k = 5 */
	assert_float_equal(w[0].score, 34.97393, 1e-3);
	assert_float_equal(w[1].score, 21.68528, 1e-3);
	assert_int_equal(topic_words(base, 4, w, &n), 0);
	assert_int_equal(n, 0);
}

static void common_words_short_ones_and_marks_are_no_content(void **state)
{
	(void)state;
	assert_true(topic_is_content(base, BRIDGE));
	assert_false(topic_is_content(base, COMMA));
	assert_false(topic_is_content(base, ING));
	assert_false(topic_is_content(base, 0)); /* among the 250 commonest, and three letters */
	assert_false(topic_is_content(base, UINT32_MAX));
}

static char *label(u32 feature, const u32 *promoted, size_t n)
{
	struct buf b = BUF_INIT;
	f32 score = NAN;
	char *s = topic_label(base, feature, promoted, n, &b, &score) ? buf_take(&b) : NULL;
	buf_release(&b);
	return s;
}

static void check_label(u32 feature, const u32 *promoted, size_t n, const char *want)
{
	char *s = label(feature, promoted, n);
	assert_string_equal(s, want);
	free(s);
}

static void labels_name_what_peaks_and_what_is_near(void **state)
{
	(void)state;
	check_label(0, NULL, 0, "bridge / river");
	check_label(0, (u32[]){TUNNEL}, 1, "bridge / river");
	check_label(1, NULL, 0, "\xe2\x80\x9c,\xe2\x80\x9d \xc2\xb7 bridge / river");
	check_label(3, (u32[]){TUNNEL}, 1, "crossing / tunnel");
	assert_null(label(4, (u32[]){TUNNEL}, 1));
}

static void labels_are_safe_on_a_terminal(void **state)
{
	(void)state;
	char *s = label(2, NULL, 0);
	assert_non_null(s);
	for (const char *p = s; *p; p++)
		assert_true((u8)*p >= 0x20 && *p != 0x7f);
	assert_non_null(strstr(s, "\xe2\x86\xb5")); /* the newline is shown */
	assert_null(strchr(s, '\n'));
	free(s);
}

static void input_score_is_the_share_of_contexts_that_peak_on_a_promoted_token(void **state)
{
	(void)state;
	assert_true(topic_input_score(store, 0, (u32[]){TUNNEL, BRIDGE}, 2) == 1);
	assert_true(topic_input_score(store, 1, (u32[]){TUNNEL, BRIDGE}, 2) == 0);
	assert_true(isnan(topic_input_score(store, 0, NULL, 0)));
	assert_true(isnan(topic_input_score(store, 4, (u32[]){TUNNEL}, 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topic_words_are_the_over_represented_ones),
		cmocka_unit_test(common_words_short_ones_and_marks_are_no_content),
		cmocka_unit_test(labels_name_what_peaks_and_what_is_near),
		cmocka_unit_test(labels_are_safe_on_a_terminal),
		cmocka_unit_test(input_score_is_the_share_of_contexts_that_peak_on_a_promoted_token),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
