/* SPDX-License-Identifier: MIT */
/* test_rpc.c - the client against modules that behave, die, hang, flood and lie. */
#include "backend/backend.h"
#include "base/mem.h"
#include "base/pool.h"
#include "module/fake_world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { D = FAKE_WORLD_D };
static const char text[] = "The river and the sea";

static struct backend *open_backend(const char *spec)
{
	struct err e = {0};
	struct backend *b = backend_new(spec, &e);
	if (!b)
		fail_msg("%s", e.msg);
	return b;
}

static int tokens_of(struct backend *b, const char *s, u32 **tokens, size_t *n, struct err *e)
{
	return backend_tokenize(b, s, false, tokens, NULL, n, e);
}

/* The request must fail with a sentence that has these words, and the module count as dead. */
static void must_die(const char *spec, const char *words, enum err_code code)
{
	struct err e = {0};
	u32 *tokens;
	size_t n;
	struct backend *b = open_backend(spec);
	f32 row[4 * D], *rows[] = {row};
	const char *hook = "blocks.1.hook_resid_post";
	int bad = tokens_of(b, "a b", &tokens, &n, &e);
	if (!bad) {
		bad = backend_states(b, tokens, 4, &hook, 1, rows, &e);
		free(tokens);
	}
	assert_int_equal(bad, -1);
	if (!strstr(e.msg, words))
		fail_msg("'%s' lacks '%s'", e.msg, words);
	assert_int_equal(e.code, code);
	backend_free(b);
}

static void it_says_who_it_is(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = open_backend("fake");
	char words[64];
	assert_int_equal(backend_state(b), BACKEND_OFF);
	assert_int_equal(backend_connect(b, NULL, &e), 0);
	const struct backend_info *i = backend_info(b);
	assert_string_equal(i->name, "fake world");
	assert_int_equal(i->d_model, D);
	assert_int_equal(i->n_layers, FAKE_WORLD_LAYERS);
	assert_int_equal(i->n_vocab, fake_world_n_vocab());
	assert_int_equal(backend_state(b), BACKEND_READY);
	backend_words(b, words, sizeof words);
	assert_string_equal(words, "fake ready");
	backend_free(b);
}

static void rows_are_the_worlds(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = open_backend("fake");
	u32 *tokens;
	size_t n;
	assert_int_equal(tokens_of(b, text, &tokens, &n, &e), 0);
	f32 *a = xcalloc(n * D, sizeof *a), *c = xcalloc(n * D, sizeof *c), *rows[] = {a, c};
	const char *hooks[] = {"blocks.3.hook_resid_post", "blocks.2.hook_resid_pre"};
	assert_int_equal(backend_states(b, tokens, n, hooks, 2, rows, &e), 0);
	for (size_t i = 0; i < n; i++) {
		f32 want[D];
		fake_world_row(tokens, i, 3, want);
		assert_memory_equal(a + i * D, want, sizeof want);
		fake_world_row(tokens, i, 1, want);
		assert_memory_equal(c + i * D, want, sizeof want);
	}
	const char *no[] = {"blocks.4.hook_resid_post"};
	assert_int_equal(backend_states(b, tokens, n, no, 1, rows, &e), -1);
	assert_non_null(strstr(e.msg, "the model has 4 layers"));
	assert_int_equal(backend_state(b), BACKEND_READY);
	free(a);
	free(c);
	free(tokens);
	backend_free(b);
}

static void the_vocabulary_spells_the_text(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = open_backend("fake");
	u32 *tokens, v;
	u8 *blob, *special;
	u64 *offsets;
	size_t n;
	struct buf all = BUF_INIT;
	assert_int_equal(tokens_of(b, "sea \xe2\x98\x83", &tokens, &n, &e), 0);
	assert_int_equal(backend_vocab(b, &blob, &offsets, &special, &v, &e), 0);
	assert_true(special[tokens[0]]);
	for (size_t i = 1; i < n; i++)
		buf_add(&all, blob + offsets[tokens[i]], offsets[tokens[i] + 1] - offsets[tokens[i]]);
	assert_string_equal(all.s, "sea \xe2\x98\x83");
	buf_release(&all);
	free(blob);
	free(offsets);
	free(special);
	free(tokens);
	backend_free(b);
}

struct heard {
	u32 tokens[2][64];
	size_t n[2];
	f32 first_row[D];
	size_t stop_after; /* 0: never */
};

static bool hear(void *context, size_t run, u32 token, const char *s, size_t n, const f32 *row)
{
	struct heard *h = context;
	struct span want = fake_world_token(token);
	assert_int_equal(n, want.n);
	assert_memory_equal(s, want.p, n);
	if (row && run == 0 && h->n[0] == 0)
		memcpy(h->first_row, row, sizeof h->first_row);
	h->tokens[run][h->n[run]++] = token;
	return !h->stop_after || h->n[run] < h->stop_after;
}

/* Greedy by the world's own logits. */
static void greedy(const u32 *prompt, size_t n, u32 *out, size_t n_out, f32 add, const f32 *direction)
{
	u32 all[128];
	memcpy(all, prompt, n * sizeof *all);
	f32 *logits = xcalloc(fake_world_n_vocab(), sizeof *logits);
	for (size_t k = 0; k < n_out; k++, n++) {
		f32 row[D];
		fake_world_row(all, n - 1, 3, row);
		for (int j = 0; j < D && add != 0; j++)
			row[j] += add * direction[j];
		fake_world_logits(row, logits);
		u32 best = 0;
		for (u32 t = 1; t < fake_world_n_vocab(); t++)
			best = logits[t] > logits[best] ? t : best;
		out[k] = all[n] = best;
	}
	free(logits);
}

static void runs_stream_side_by_side(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = open_backend("fake");
	u32 *tokens, want[20], steered[20];
	size_t n;
	f32 direction[D], row[D];
	fake_world_topic_direction(0, direction);
	assert_int_equal(tokens_of(b, text, &tokens, &n, &e), 0);
	struct intervention add = {.kind = INTERVENE_ADD,
				   .hook = "blocks.2.hook_resid_post",
				   .direction = direction,
				   .amount = 30,
				   .feature = NO_FEATURE};
	struct run runs[] = {
		{.name = "baseline", .tokens = tokens, .n_tokens = n, .seed = 1},
		{.name = "steered", .tokens = tokens, .n_tokens = n, .seed = 1, .list = &add, .n_list = 1}};
	struct generate_options o = {.n_tokens = 20, .rows_hook = "blocks.1.hook_resid_post"};
	struct heard h = {0};
	assert_int_equal(backend_generate(b, runs, 2, &o, hear, &h, &e), 0);
	greedy(tokens, n, want, 20, 0, NULL);
	assert_int_equal(h.n[0], 20);
	assert_memory_equal(h.tokens[0], want, sizeof want);
	/* rounding may differ from adding in one step, the argmax does not */
	greedy(tokens, n, steered, 20, 30, direction);
	assert_memory_equal(h.tokens[1], steered, sizeof steered);
	assert_memory_not_equal(h.tokens[1], want, sizeof want);
	fake_world_row(tokens, n - 1, 1, row);
	assert_memory_equal(h.first_row, row, sizeof row);
	struct heard stopped = {.stop_after = 3};
	assert_int_equal(backend_generate(b, runs, 1, &o, hear, &stopped, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(stopped.n[0], 3);
	assert_int_equal(backend_state(b), BACKEND_READY);
	free(tokens);
	backend_free(b);
}

static void a_dead_module_is_told_and_restarted(void **state)
{
	(void)state;
	struct err e = {0};
	char words[64];
	struct backend *b = open_backend("featlas-fake --crash-after 2");
	u32 *tokens;
	size_t n;
	assert_int_equal(tokens_of(b, text, &tokens, &n, &e), 0);
	struct run run = {.name = "a", .tokens = tokens, .n_tokens = n};
	struct generate_options o = {.n_tokens = 8};
	struct heard h = {0};
	assert_int_equal(backend_generate(b, &run, 1, &o, hear, &h, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_string_equal(
		e.msg, "backend 'featlas-fake' ended with status 134: featlas-fake: assertion failed: the "
		       "world is finite");
	assert_int_equal(h.n[0], 2);
	assert_int_equal(backend_state(b), BACKEND_DIED);
	free(tokens);
	assert_int_equal(tokens_of(b, text, &tokens, &n, &e), 0);
	assert_int_equal(backend_state(b), BACKEND_READY);
	run.tokens = tokens;
	assert_int_equal(backend_generate(b, &run, 1, &o, hear, &h, &e), -1);
	backend_words(b, words, sizeof words);
	assert_string_equal(words, "featlas-fake died 2 times");
	free(tokens);
	backend_free(b);
}

static void a_silent_module_is_stopped(void **state)
{
	(void)state;
	setenv("FEATLAS_BACKEND_TIMEOUT", "0.4", 1);
	must_die("featlas-fake --hang", "has said nothing for 0 s and was stopped", ERR_UNAVAILABLE);
	must_die("sleep 100", "has said nothing", ERR_UNAVAILABLE);
	unsetenv("FEATLAS_BACKEND_TIMEOUT");
}

static void what_is_not_the_protocol_is_quoted(void **state)
{
	(void)state;
	must_die("featlas-fake --flood", "does not speak the protocol; it said 'xxxxxxxx", ERR_UNAVAILABLE);
	must_die("featlas-fake --rubbish", "it said 'Segmentation fault? no:", ERR_UNAVAILABLE);
	must_die("printf 'hello \\033[31mred\\n'; sleep 100", "it said 'hello \xe2\x90\x9b[31mred'",
		 ERR_UNAVAILABLE);
	must_die("exec cat", "answered what was not asked", ERR_UNAVAILABLE);
	must_die("exec 0</dev/null; echo 'no model' >&2; exit 3", "ended with status 3: no model",
		 ERR_UNAVAILABLE);
	must_die("kill -SEGV $$", "died of signal 11", ERR_UNAVAILABLE);
	must_die("no-such-program-here -m x", "ended with status 127", ERR_UNAVAILABLE);
}

#define SAY(reply) "read line; printf '%s\\n' '" reply "'; sleep 100"

static void what_lies_is_caught(void **state)
{
	(void)state;
	must_die(SAY("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"bytes\":99999999999}"),
		 "broke the protocol", ERR_UNAVAILABLE);
	must_die(SAY("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"bytes\":8}"),
		 "'bytes' is 8, the arrays take 0", ERR_UNAVAILABLE);
	must_die(SAY("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"bytes\":4,\"arrays\":[{\"name\":\"a\","
		     "\"dtype\":\"F32\","
		     "\"shape\":[4294967295,4294967295]}]}"),
		 "array 'a'", ERR_UNAVAILABLE);
	must_die(SAY("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}"), "answered what was not asked",
		 ERR_UNAVAILABLE);
	must_die(SAY("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":\"2.0\"}}"),
		 "speaks protocol 2.0", ERR_UNAVAILABLE);
	must_die(SAY("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":\"1.0\"}}"),
		 "'d_model' is missing", ERR_DAMAGED);
	must_die(SAY("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"a\\u001bb\"}}"),
		 "a\xe2\x90\x9b"
		 "b",
		 ERR_UNAVAILABLE);
	must_die("read line; head -c 3000000 /dev/zero | tr '\\0' y; sleep 100", "it said 'yyyy",
		 ERR_UNAVAILABLE);
	must_die("featlas-fake --fail-load", "cannot load the model: it is made up", ERR_UNAVAILABLE);
}

static void a_module_that_is_not_there_is_named(void **state)
{
	(void)state;
	struct err e = {0};
	assert_null(backend_new("nonesuch", &e));
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.msg, "there is no backend module 'nonesuch'"));
	setenv("XDG_DATA_HOME", "/nonexistent", 1);
	struct backend *b = backend_new(NULL, &e);
	assert_null(b);
	assert_non_null(strstr(e.msg, "bootstrap"));
	unsetenv("XDG_DATA_HOME");
}

static void poke(void *context)
{
	struct backend *b = context;
	struct timespec t = {0, 5000000};
	while (backend_state(b) != BACKEND_BUSY)
		nanosleep(&t, NULL);
	for (char words[64]; backend_words(b, words, sizeof words), !strchr(words, '/');)
		nanosleep(&t, NULL);
	backend_cancel(b);
}

static void any_thread_can_cancel(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = open_backend("featlas-fake --delay-ms 20");
	u32 *tokens;
	size_t n;
	assert_int_equal(tokens_of(b, text, &tokens, &n, &e), 0);
	struct run run = {.name = "a", .tokens = tokens, .n_tokens = n};
	struct generate_options o = {.n_tokens = 1500};
	struct job *job = job_start(poke, b, -1);
	assert_int_equal(backend_generate(b, &run, 1, &o, NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	job_join(job);
	/* the module lives on */
	assert_int_equal(backend_state(b), BACKEND_READY);
	o.n_tokens = 2;
	struct heard h = {0};
	assert_int_equal(backend_generate(b, &run, 1, &o, hear, &h, &e), 0);
	assert_int_equal(h.n[0], 2);
	free(tokens);
	backend_free(b);
}

static void large_requests_go_through(void **state)
{
	(void)state;
	struct err e = {0};
	struct backend *b = open_backend("fake");
	const u32 f = 20000; /* 3.8 MB, many times what a socket holds */
	f32 *w = xcalloc((size_t)f * D, sizeof *w), *bias = xcalloc(f, sizeof *bias);
	const char *hook = "blocks.2.hook_resid_post";
	assert_int_equal(backend_connect(b, NULL, &e), 0);
	assert_false(backend_has_encoder(b, hook, w));
	assert_int_equal(backend_load_encoder(b, hook, w, bias, f, D, 8, w, &e), 0);
	assert_true(backend_has_encoder(b, hook, w));
	char *long_text = xmalloc(2000001);
	memset(long_text, 'a', 2000000);
	long_text[2000000] = 0;
	u32 *tokens;
	size_t n;
	assert_int_equal(tokens_of(b, long_text, &tokens, &n, &e), -1);
	assert_non_null(strstr(e.msg, "too long"));
	assert_int_equal(backend_state(b), BACKEND_READY);
	free(long_text);
	free(w);
	free(bias);
	backend_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_who_it_is),
		cmocka_unit_test(rows_are_the_worlds),
		cmocka_unit_test(the_vocabulary_spells_the_text),
		cmocka_unit_test(runs_stream_side_by_side),
		cmocka_unit_test(a_dead_module_is_told_and_restarted),
		cmocka_unit_test(a_silent_module_is_stopped),
		cmocka_unit_test(what_is_not_the_protocol_is_quoted),
		cmocka_unit_test(what_lies_is_caught),
		cmocka_unit_test(a_module_that_is_not_there_is_named),
		cmocka_unit_test(any_thread_can_cancel),
		cmocka_unit_test(large_requests_go_through),
	};
	return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
