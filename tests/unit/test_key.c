/* SPDX-License-Identifier: MIT */
/* test_key.c - names of keys, the key map, the line editor, key scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ui/conf.h"
#include "ui/key.h"
#include "ui/prompt.h"
#include "ui/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static u32 parsed(const char *s)
{
	return key_parse(&s);
}

static void names_are_read(void **state)
{
	(void)state;
	assert_int_equal(parsed("j"), 'j');
	assert_int_equal(parsed("<C-d>"), 4);
	assert_int_equal(parsed("<c-z>"), 26);
	assert_int_equal(parsed("<Enter>"), 13);
	assert_int_equal(parsed("<lt>"), '<');
	assert_int_equal(parsed("<"), '<');
	assert_int_equal(parsed("< x"), '<');
	assert_int_equal(parsed("<S-Tab>"), KEY_BACKTAB);
	assert_int_equal(parsed("<M-b>"), KEY_ALT + 'b');
	assert_int_equal(parsed("é"), 0xe9);
	assert_int_equal(parsed("<Nothing>"), KEY_NONE_YET);
	assert_int_equal(parsed(""), KEY_NONE_YET);
}

static void sequence(const char *s, const char *words)
{
	struct key_seq seq;
	struct buf b = BUF_INIT;
	assert_int_equal(key_parse_seq(s, strlen(s), &seq), 0);
	key_add_seq(&b, &seq);
	assert_string_equal(b.s, words);
	buf_release(&b);
}

static void sequences_are_shown_as_people_say_them(void **state)
{
	(void)state;
	struct key_seq seq;
	sequence("gg", "gg");
	sequence("z/", "z/");
	sequence("<C-d>", "^D");
	sequence("<PgDn>", "PgDn");
	sequence("<lt>", "<");
	sequence("g<Space>", "gSpace");
	assert_int_equal(key_parse_seq("abcde", 5, &seq), -1);
	assert_int_equal(key_parse_seq("", 0, &seq), -1);
	assert_int_equal(key_parse_seq("a<Bad>", 6, &seq), -1);
}

enum { DOWN = 1, FIRST, GRAPH, SPACE, PAGE };

static enum key_match match(const struct keymap *m, const char *context, const char *keys, int *action)
{
	struct key_seq seq;
	assert_int_equal(key_parse_seq(keys, strlen(keys), &seq), 0);
	return keymap_match(m, context, &seq, action);
}

static void a_views_own_binding_goes_first(void **state)
{
	(void)state;
	struct keymap m;
	int a;
	keymap_init(&m);
	assert_int_equal(keymap_add(&m, "j <Down>", "all", DOWN), 0);
	assert_int_equal(keymap_add(&m, "gg <Home>", "all", FIRST), 0);
	assert_int_equal(keymap_add(&m, "gn", "all", GRAPH), 0);
	assert_int_equal(keymap_add(&m, "<Space>", "all", SPACE), 0);
	assert_int_equal(keymap_add(&m, "<Space>", "help messages", PAGE), 0);
	assert_int_equal(keymap_add(&m, "<Wrong>", "all", PAGE), -1);
	assert_int_equal(match(&m, "features", "j", &a), KEY_MATCH_ACTION);
	assert_int_equal(a, DOWN);
	assert_int_equal(match(&m, "features", "g", &a), KEY_MATCH_PREFIX);
	assert_int_equal(match(&m, "features", "gn", &a), KEY_MATCH_ACTION);
	assert_int_equal(a, GRAPH);
	assert_int_equal(match(&m, "features", "gx", &a), KEY_MATCH_NONE);
	assert_int_equal(match(&m, "features", "<Space>", &a), KEY_MATCH_ACTION);
	assert_int_equal(a, SPACE);
	assert_int_equal(match(&m, "messages", "<Space>", &a), KEY_MATCH_ACTION);
	assert_int_equal(a, PAGE);
	assert_int_equal(match(&m, "message", "<Space>", &a), KEY_MATCH_ACTION);
	assert_int_equal(a, SPACE);
	assert_int_equal(keymap_find(&m, "features", FIRST)->seq.n, 2);
	assert_null(keymap_find(&m, "features", PAGE));
	for (size_t i = 0; i < m.n; i++)
		m.list[i].off = true;
	assert_int_equal(match(&m, "features", "j", &a), KEY_MATCH_NONE);
	keymap_release(&m);
}

/* ---- the line editor ---- */

static struct prompt p;

static enum prompt_event type(const char *keys)
{
	enum prompt_event last = PROMPT_NOTHING;
	while (*keys)
		last = prompt_key(&p, key_parse(&keys));
	return last;
}

static void after(const char *keys, const char *want)
{
	type(keys);
	assert_string_equal(p.text.s, want);
}

static void the_line_editor_knows_readlines_keys(void **state)
{
	(void)state;
	prompt_init(&p, NULL, NULL);
	after("one<Space>two<Space>three", "one two three");
	after("<C-w>", "one two ");
	after("<C-y>", "one two three");
	after("<C-a>X", "Xone two three");
	after("<C-f><C-d>", "Xoe two three");
	after("<C-e>!", "Xoe two three!");
	after("<BS><BS>", "Xoe two thre");
	after("<M-b><C-k>", "Xoe two ");
	after("<C-u>", "");
	after("<C-y>", "Xoe two ");
	after("<Home><M-d>", " two ");
	after("<C-u><End><C-u>e", "e");
	assert_int_equal(type("<Enter>"), PROMPT_COMMIT);
	assert_int_equal(type("<Esc>"), PROMPT_CANCEL);
	assert_int_equal(type("<C-c>"), PROMPT_CANCEL);
	assert_int_equal(type("<Tab>"), PROMPT_COMPLETE);
	assert_int_equal(type("<C-g>"), PROMPT_NOTHING);
	prompt_release(&p);
}

static void it_moves_by_what_one_sees(void **state)
{
	(void)state;
	prompt_init(&p, "a橋e\u0301👨\u200d👩", NULL);
	after("<BS>", "a橋e\u0301");
	after("<BS>", "a橋");
	after("<Left><Del>", "a");
	prompt_insert(&p, "x\ny\033\xff", 5);
	assert_string_equal(p.text.s, "ax y \uFFFD");
	prompt_release(&p);
}

static void it_walks_the_history(void **state)
{
	(void)state;
	struct history h;
	history_open(&h, "test", false);
	history_add(&h, "first");
	history_add(&h, "second");
	history_add(&h, "second");
	history_add(&h, "");
	assert_int_equal(h.n, 2);
	prompt_init(&p, NULL, &h);
	after("new<Up>", "second");
	after("<Up><Up>", "first");
	after("<Down><Down>", "new");
	after("<Down>", "new");
	prompt_release(&p);
	history_release(&h);
}

static void the_history_is_kept(void **state)
{
	(void)state;
	char folder[] = "/tmp/featlas-key-XXXXXX";
	struct history h;
	assert_non_null(mkdtemp(folder));
	setenv("XDG_STATE_HOME", folder, 1);
	history_open(&h, "search", true);
	history_add(&h, "(?i)bridge");
	history_release(&h);
	history_open(&h, "search", true);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.list[0], "(?i)bridge");
	history_release(&h);
	char *command = xasprintf("rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
	free(command);
}

static void the_cursor_of_a_long_line_stays_in_sight(void **state)
{
	(void)state;
	struct grid g;
	grid_init(&g, 12, 1);
	prompt_init(&p, "abcdefghijklmnop", NULL);
	prompt_draw(&p, grid_rect(&g), 0, "/");
	assert_true(g.cursor_shown);
	assert_int_equal(g.cursor_x, 11);
	assert_int_equal(prompt_column(&p, grid_rect(&g), "/", 0), -1);
	assert_int_equal(prompt_column(&p, grid_rect(&g), "/", 16), 11);
	prompt_release(&p);
	grid_release(&g);
}

/* ---- scripts ---- */

static struct script *script_of(const char *text, struct err *e)
{
	char path[] = "/tmp/featlas-key-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	struct script *s = script_open(path, e);
	unlink(path);
	return s;
}

static void scripts_are_read_whole_before_they_run(void **state)
{
	(void)state;
	struct err e = {0};
	struct script_step step;
	struct script *s =
		script_of("# a comment\n\nkeys g <Enter>\ntype a#\ndump name\nsize 200x60\nwait\n", &e);
	assert_non_null(s);
	static const u32 keys[] = {'g', 13, 'a', '#'};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		script_next(s, &step);
		assert_int_equal(step.kind, SCRIPT_KEY);
		assert_int_equal(step.key, keys[i]);
	}
	script_next(s, &step);
	assert_int_equal(step.kind, SCRIPT_DUMP);
	assert_string_equal(step.text, "name");
	script_next(s, &step);
	assert_true(step.kind == SCRIPT_SIZE && step.w == 200 && step.h == 60);
	script_next(s, &step);
	assert_int_equal(step.kind, SCRIPT_WAIT);
	script_next(s, &step);
	assert_int_equal(step.kind, SCRIPT_END);
	script_free(s);
	static const char *const bad[] = {"kyes j", "keys <Nix>", "size 3", "size 0x5", "shot"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *text = xasprintf("wait\n%s\n", bad[i]);
		assert_null(script_of(text, &e));
		assert_non_null(strstr(e.msg, "line 2 of the key script"));
		free(text);
	}
	assert_null(script_open("/nowhere/at/all", &e));
}

static int acts(const struct keymap *m, const char *context, const char *keys, enum key_match want)
{
	struct key_seq seq;
	int action = 0;
	assert_int_equal(key_parse_seq(keys, strlen(keys), &seq), 0);
	assert_int_equal(keymap_match(m, context, &seq, &action), want);
	return want == KEY_MATCH_ACTION ? action : 0;
}

static void a_person_s_keys_go_first(void **state)
{
	(void)state;
	struct keymap m;
	keymap_init(&m);
	assert_int_equal(keymap_add(&m, "j gg gf", "all", 1), 0);
	assert_int_equal(keymap_add(&m, "d", "one two", 2), 0);
	assert_int_equal(keymap_override(&m, "j", "all", 3), 0);
	assert_int_equal(acts(&m, "one", "j", KEY_MATCH_ACTION), 3);
	/* a short one in place of the long ones that begin so */
	assert_int_equal(keymap_override(&m, "g", "all", 4), 0);
	assert_int_equal(acts(&m, "one", "g", KEY_MATCH_ACTION), 4);
	acts(&m, "one", "gg", KEY_MATCH_NONE);
	assert_null(keymap_find(&m, "one", 1));
	/* taken away on one of two screens */
	assert_int_equal(keymap_override(&m, "d", "one", KEY_UNBOUND), 0);
	acts(&m, "one", "d", KEY_MATCH_NONE);
	assert_int_equal(acts(&m, "two", "d", KEY_MATCH_ACTION), 2);
	assert_null(keymap_find(&m, "one", 2));
	assert_non_null(keymap_find(&m, "two", 2));
	/* a longer one of a screen hides the short one of all there, and only there */
	assert_int_equal(keymap_override(&m, "jx", "two", 5), 0);
	acts(&m, "two", "j", KEY_MATCH_PREFIX);
	assert_int_equal(acts(&m, "two", "jx", KEY_MATCH_ACTION), 5);
	assert_int_equal(acts(&m, "one", "j", KEY_MATCH_ACTION), 3);
	assert_null(keymap_find(&m, "two", 3));
	assert_int_equal(keymap_override(&m, "<Oops>", "all", 1), -1);
	keymap_release(&m);
}

static int count_words(void *context, const char *const *words, size_t n, struct err *e)
{
	struct buf *b = context;
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s%s", i ? "|" : "", words[i]);
	buf_addc(b, '\n');
	return strcmp(words[0], "bad") ? 0 : err_set(e, ERR_USAGE, "this is bad");
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void lines_are_verbs_and_words(void **state)
{
	(void)state;
	char path[] = "/tmp/featlas-conf-XXXXXX";
	struct buf b = BUF_INIT;
	struct err e = {0};
	close(mkstemp(path));
	put_file(path, "# no\n\n \t#no\nset a=b = c\nsettle a=b\nbind x = y\nbad one\r\nbad two\nlast");
	assert_int_equal(conf_read(path, count_words, &b, &e), 2);
	assert_string_equal(b.s, "set|a|b|=|c\nsettle|a=b\nbind|x|=|y\nbad|one\nbad|two\nlast\n");
	char *want = xasprintf("'%s', line 7: this is bad", path);
	assert_string_equal(e.msg, want);
	free(want);
	struct conf_pair pairs[] = {{"a", "1"}, {"z", "2 3"}};
	put_file(path, "set a = 0\n# set a = 5\nset a = 9\nbind all a b");
	assert_int_equal(conf_save(path, pairs, 2, &e), 0);
	buf_clear(&b);
	FILE *f = fopen(path, "r");
	char text[200] = "";
	assert_true(fread(text, 1, sizeof text - 1, f) > 0);
	fclose(f);
	assert_string_equal(text, "set a = 0\n# set a = 5\nset a = 1\nbind all a b\nset z = 2 3\n");
	unlink(path);
	assert_int_equal(conf_read(path, count_words, &b, &e), -1);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_person_s_keys_go_first),
		cmocka_unit_test(lines_are_verbs_and_words),
		cmocka_unit_test(names_are_read),
		cmocka_unit_test(sequences_are_shown_as_people_say_them),
		cmocka_unit_test(a_views_own_binding_goes_first),
		cmocka_unit_test(the_line_editor_knows_readlines_keys),
		cmocka_unit_test(it_moves_by_what_one_sees),
		cmocka_unit_test(it_walks_the_history),
		cmocka_unit_test(the_history_is_kept),
		cmocka_unit_test(the_cursor_of_a_long_line_stays_in_sight),
		cmocka_unit_test(scripts_are_read_whole_before_they_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
