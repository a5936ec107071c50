/* SPDX-License-Identifier: MIT */
/* test_acts.c - harvested activations: written, resumed, read back, refused. */
#include "base/half.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "core/acts.h"
#include "core/store.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const char *const hooks[] = {"blocks.3.hook_resid_post", "blocks.5.hook_resid_post"};
static char folder[64], *path;

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/featlas-acts-XXXXXX");
	path = mkdtemp(folder) ? xasprintf("%s/t.acts", folder) : NULL;
	return !path;
}

static int remove_folder(void **state)
{
	(void)state;
	char *command = xasprintf("rm -rf '%s'", folder);
	int bad = system(command);
	free(command);
	free(path);
	return bad;
}

static json_t *about(const char *model)
{
	return json_pack("{s:{s:s, s:i}, s:s}", "model", "name", model, "d_model", 4, "template", "{user}");
}

/* A row of norm n along the first axis. */
static int add(struct acts_writer *w, const f32 *norms, const u8 *flags, size_t n, u32 first_token,
	       struct err *e)
{
	f32 a[64] = {0}, b[64] = {0};
	u32 tokens[16];
	for (size_t i = 0; i < n; i++) {
		a[4 * i] = norms[i];
		b[4 * i + 3] = -2 * norms[i];
		tokens[i] = first_token + (u32)i;
	}
	return acts_writer_text(w, tokens, flags, (const f32 *[]){a, b}, n, e);
}

static void texts_come_back_with_their_sinks_marked(void **state)
{
	(void)state;
	struct err e = {0};
	struct acts_writer *w = acts_writer_open(path, about("m"), hooks, 2, 4, &e);
	assert_non_null(w);
	/* unmasked norms 5, 10, 13, 100: median 11.5, six times that is 69 */
	assert_int_equal(add(w, (f32[]){100, 5, 10}, (u8[]){TOKEN_FIRST, TOKEN_PROMPT, 0}, 3, 70, &e), 0);
	assert_int_equal(
		add(w, (f32[]){68, 13, 400, 100}, (u8[]){TOKEN_FIRST, 0, TOKEN_SPECIAL, 0}, 4, 80, &e), 0);
	assert_int_equal(acts_writer_close(w, &e), 0);

	struct acts *a = acts_open(path, &e);
	assert_non_null(a);
	assert_int_equal(acts_n_tokens(a), 7);
	assert_int_equal(acts_n_texts(a), 2);
	assert_int_equal(acts_layer(a, 1), 5);
	assert_true(acts_norm_median(a, 0) == 11.5f && acts_norm_median(a, 1) == 23.0f);
	struct acts_shard s;
	assert_int_equal(acts_shard(a, 0, 1, &s, &e), 0);
	assert_memory_equal(s.tokens, ((u32[]){70, 71, 72, 80, 81, 82, 83}), 28);
	assert_memory_equal(s.text_ptr, ((u64[]){0, 3, 7}), 24);
	assert_memory_equal(s.flags, ((u8[]){5, 8, 0, 1, 0, 6, 4}), 7);
	assert_true(f16_to_f32(s.rows[2 * 4 + 3]) == -20.0f);
	size_t hook;
	assert_int_equal(acts_find_hook(a, "5", &hook, &e), 0);
	assert_int_equal(hook, 1);
	assert_int_equal(acts_find_hook(a, NULL, &hook, &e), -1);
	assert_int_equal(acts_find_hook(a, "blocks.4.hook_resid_post", &hook, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	acts_free(a);
}

static void a_harvest_goes_on_where_it_stopped(void **state)
{
	(void)state;
	struct err e = {0};
	struct acts_writer *w = acts_writer_open(path, about("m"), hooks, 2, 4, &e);
	assert_int_equal(add(w, (f32[]){1, 1, 1}, (u8[]){1, 0, 0}, 3, 0, &e), 0);
	assert_int_equal(acts_writer_close(w, &e), 0);
	w = acts_writer_open(path, about("m"), hooks, 2, 4, &e);
	assert_non_null(w);
	assert_int_equal(acts_writer_texts(w), 1);
	/* the first shard's median holds: 1, so 7 is a sink though all rows here are as long */
	assert_int_equal(add(w, (f32[]){7, 7}, (u8[]){0, 0}, 2, 0, &e), 0);
	assert_int_equal(acts_writer_close(w, &e), 0);
	w = acts_writer_open(path, about("m"), hooks, 2, 4, &e);
	assert_int_equal(acts_writer_texts(w), 2);
	assert_int_equal(add(w, (f32[]){7, 7}, (u8[]){0, 0}, 2, 0, &e), 0);
	acts_writer_abandon(w); /* as if it had died */

	struct acts *a = acts_open(path, &e);
	assert_int_equal(acts_n_texts(a), 2);
	struct acts_shard s;
	assert_int_equal(acts_shard(a, 1, 0, &s, &e), 0);
	assert_int_equal(s.first, 3);
	assert_int_equal(s.first_text, 1);
	assert_memory_equal(s.flags, ((u8[]){4, 4}), 2);
	acts_free(a);

	assert_null(acts_writer_open(path, about("another"), hooks, 2, 4, &e));
	assert_non_null(strstr(e.msg, "another model"));
	assert_null(acts_writer_open(path, about("m"), hooks, 1, 4, &e));
}

static void rows_that_are_no_numbers_are_refused(void **state)
{
	(void)state;
	struct err e = {0};
	struct acts_writer *w = acts_writer_open(path, about("m"), hooks, 2, 4, &e);
	assert_int_equal(add(w, (f32[]){1, NAN}, (u8[]){1, 0}, 2, 0, &e), -1);
	assert_int_equal(add(w, (f32[]){1, 1e6f}, (u8[]){1, 0}, 2, 0, &e), 0);
	assert_int_equal(acts_writer_close(w, &e), 0);
	struct acts *a = acts_open(path, &e);
	struct acts_shard s;
	assert_int_equal(acts_shard(a, 0, 0, &s, &e), 0);
	assert_int_equal(s.n, 2);
	assert_true(f16_to_f32(s.rows[4]) == 65504.0f);
	acts_free(a);
	w = acts_writer_open("/tmp/featlas-never", about("m"), (const char *[]){"wte"}, 1, 4, &e);
	assert_null(w);
	assert_non_null(strstr(e.msg, "'wte' is not a hook"));
}

static void lies_in_the_folder_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *json, *says;
	} cases[] = {
		{"{\"format\":\"x\"}", "the format is 'x'"},
		{"{\"format\":\"featlas-acts\",\"version\":2}", "version 2"},
		{"{\"format\":\"featlas-acts\",\"version\":1,\"d\":4}", "'hooks'"},
		{"{\"format\":\"featlas-acts\",\"version\":1,\"d\":4,\"hooks\":[{\"name\":\"a\",\"tensor\":"
		 "\"rows.3\","
		 "\"layer\":3}],\"shards\":[{\"file\":\"../etc/passwd\",\"n_tokens\":1,\"n_texts\":1}]}",
		 "not a file of this folder"},
	};
	struct err e = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *file = xasprintf("%s/acts.json", folder);
		assert_int_equal(outfile_write_all(file, cases[i].json, strlen(cases[i].json), &e), 0);
		assert_null(acts_open(folder, &e));
		assert_int_equal(e.code, ERR_DAMAGED);
		assert_non_null(strstr(e.msg, cases[i].says));
		free(file);
	}
}

static void a_shard_must_hold_what_the_list_says(void **state)
{
	(void)state;
	struct err e = {0};
	struct acts_writer *w = acts_writer_open(path, about("m"), hooks, 2, 4, &e);
	assert_int_equal(add(w, (f32[]){1, 1, 1}, (u8[]){1, 0, 0}, 3, 0, &e), 0);
	assert_int_equal(acts_writer_close(w, &e), 0);
	char *file = xasprintf("%s/acts.json", path);
	json_t *j = json_read_file(file, &e);
	json_object_set_new(json_array_get(json_object_get(j, "shards"), 0), "n_tokens", json_integer(4));
	assert_int_equal(json_write_file(file, j, &e), 0);
	json_decref(j);
	free(file);
	struct acts *a = acts_open(path, &e);
	struct acts_shard s;
	assert_int_equal(acts_shard(a, 0, 0, &s, &e), -1);
	assert_int_equal(e.code, ERR_DAMAGED);
	acts_free(a);
}

static void about_one_text_in_twenty_is_held_out(void **state)
{
	(void)state;
	size_t n = 0;
	for (u64 t = 0; t < 20000; t++)
		n += acts_held_out(t);
	/* binomial: 1000 +- 31 */
	assert_in_range(n, 850, 1150);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		TEST(texts_come_back_with_their_sinks_marked),
		TEST(a_harvest_goes_on_where_it_stopped),
		TEST(rows_that_are_no_numbers_are_refused),
		TEST(lies_in_the_folder_are_named),
		TEST(a_shard_must_hold_what_the_list_says),
		cmocka_unit_test(about_one_text_in_twenty_is_held_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
