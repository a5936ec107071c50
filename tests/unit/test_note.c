/* SPDX-License-Identifier: MIT */
/* test_note.c - labels.db: edits, undo across sessions, crashes, and files that are not what they say. */
#include "base/buf.h"
#include "base/mem.h"
#include "core/note.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char uuid[] = "123e4567-e89b-42d3-a456-426614174000";

struct place {
	char folder[64], db[96], data[80];
};

static int make_place(void **state)
{
	struct place *p = xcalloc(1, sizeof *p);
	strcpy(p->folder, "/tmp/featlas-note-XXXXXX");
	if (!mkdtemp(p->folder))
		return -1;
	snprintf(p->db, sizeof p->db, "%s/labels.db", p->folder);
	snprintf(p->data, sizeof p->data, "%s/data", p->folder);
	mkdir(p->data, 0777);
	setenv("XDG_DATA_HOME", p->data, 1);
	*state = p;
	return 0;
}

static int remove_place(void **state)
{
	struct place *p = *state;
	char *cmd = xasprintf("rm -rf '%s'", p->folder);
	int r = system(cmd);
	free(cmd);
	free(p);
	return r;
}

static struct note *open_note(const struct place *p)
{
	struct err e = {0};
	struct note *n = note_open(p->folder, uuid, &e);
	if (!n)
		fail_msg("%s", e.msg);
	return n;
}

static void want_label(struct note *n, u32 feature, const char *want)
{
	char *s = note_label(n, feature);
	if (want)
		assert_string_equal(s ? s : "(none)", want);
	else
		assert_null(s);
	free(s);
}

static void want_move(struct note *n, int (*move)(struct note *, char **, u32 *, struct err *),
		      const char *want)
{
	struct err e = {0};
	char *said;
	u32 feature;
	const char *of = strstr(want, "of #"); /* else of several, or a bookmark's */
	assert_int_equal(move(n, &said, &feature, &e), 0);
	assert_string_equal(said, want);
	if (of)
		assert_int_equal(feature, strtoul(of + 4, NULL, 10));
	else if (strstr(want, " features"))
		assert_int_equal(feature, UINT32_MAX);
	free(said);
}

static void nothing_is_made_before_the_first_edit(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	struct note *n = open_note(p);
	want_label(n, 3, NULL);
	assert_int_equal(note_rating(n, 3), 0);
	assert_null(note_tags(n, 3));
	assert_int_equal(note_undo(n, NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_false(note_exists(n));
	assert_string_equal(note_path(n), p->db);
	assert_int_equal(note_set_label(n, 3, "bridges", &e), 0);
	assert_true(note_exists(n));
	want_label(n, 3, "bridges");
	note_free(n);
}

static void edits_survive_and_undo_goes_across_sessions(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	bool now = false;
	struct note *n = open_note(p);
	assert_int_equal(note_set_label(n, 12, "rivers", &e), 0);
	assert_int_equal(note_set_label(n, 12, "rivers and lakes", &e), 0);
	assert_int_equal(note_set_rating(n, 12, 4, &e), 0);
	assert_int_equal(note_toggle_tag(n, (u32[]){12}, 1, "tour", &now, &e), 0);
	assert_true(now);
	assert_int_equal(note_toggle_tag(n, (u32[]){12}, 1, "places", &now, &e), 0);
	assert_int_equal(note_set_bookmark(n, 'a', 12, &e), 0);
	note_free(n);

	n = open_note(p);
	u32 id = 0;
	assert_true(note_bookmark(n, 'a', &id));
	assert_int_equal(id, 12);
	char *tags = note_tags(n, 12);
	assert_string_equal(tags, "places tour");
	free(tags);
	want_move(n, note_undo, "took back the bookmark 'a'");
	assert_false(note_bookmark(n, 'a', &id));
	want_move(n, note_undo, "took back the tag 'places' of #12");
	want_move(n, note_undo, "took back the tag 'tour' of #12");
	want_move(n, note_undo, "took back the rating of #12");
	assert_int_equal(note_rating(n, 12), 0);
	want_move(n, note_undo, "took back the label of #12");
	want_label(n, 12, "rivers");
	note_free(n);

	n = open_note(p);
	want_move(n, note_redo, "put back the label of #12");
	want_label(n, 12, "rivers and lakes");
	want_move(n, note_redo, "put back the rating of #12");
	assert_int_equal(note_rating(n, 12), 4);
	/* a new edit forgets what could be redone */
	assert_int_equal(note_set_label(n, 13, "lakes", &e), 0);
	assert_int_equal(note_redo(n, NULL, NULL, &e), -1);
	assert_string_equal(e.msg, "there is nothing to redo");
	want_move(n, note_undo, "took back the label of #13");
	want_move(n, note_undo, "took back the rating of #12");
	want_move(n, note_undo, "took back the label of #12");
	want_move(n, note_undo, "took back the label of #12");
	want_label(n, 12, NULL);
	assert_int_equal(note_undo(n, NULL, NULL, &e), -1);
	assert_string_equal(e.msg, "there is nothing to undo");
	note_free(n);
}

static void what_an_edit_changed_is_asked_once(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	struct note *n = open_note(p);
	char *long_label = xcalloc(NOTE_MAX_LABEL + 2, 1);
	memset(long_label, 'x', NOTE_MAX_LABEL + 1);
	assert_false(note_has_changed(n));
	assert_int_equal(note_set_label(n, 3, "rivers", &e), 0);
	assert_true(note_has_changed(n));
	assert_false(note_has_changed(n));
	assert_int_equal(note_set_label(n, 3, " rivers ", &e), 0); /* the same, trimmed */
	assert_false(note_has_changed(n));
	assert_int_equal(note_set_label(n, 3, long_label, &e), -1);
	assert_false(note_has_changed(n));
	assert_int_equal(note_set_bookmark(n, 'a', 3, &e), 0);
	assert_int_equal(note_set_bookmark(n, 'a', 3, &e), 0);
	assert_true(note_has_changed(n));
	assert_int_equal(note_set_bookmark(n, 'a', UINT32_MAX, &e), 0);
	assert_true(note_has_changed(n));
	u32 id;
	assert_false(note_bookmark(n, 'a', &id));
	free(long_label);
	note_free(n);
}

static void edits_that_change_nothing_are_not_logged(void **state)
{
	struct err e = {0};
	struct note *n = open_note(*state);
	assert_int_equal(note_set_label(n, 1, "one", &e), 0);
	u64 before = note_revision(n);
	assert_int_equal(note_set_label(n, 1, " one\n", &e), 0);
	assert_int_equal(note_set_rating(n, 1, 0, &e), 0);
	assert_int_equal(note_revision(n), before);
	assert_int_equal(note_set_label(n, 1, "", &e), 0); /* rejected, which is not the same as none */
	assert_true(note_revision(n) > before);
	want_label(n, 1, "");
	assert_int_equal(note_set_label(n, 1, NULL, &e), 0);
	want_label(n, 1, NULL);
	note_free(n);
}

static void texts_are_cleaned_or_refused(void **state)
{
	struct err e = {0};
	bool now;
	struct note *n = open_note(*state);
	assert_int_equal(note_set_label(n, 1, " two\nlines \xff ", &e), 0);
	want_label(n, 1, "two lines \xef\xbf\xbd");
	char *longest = xcalloc(NOTE_MAX_LABEL + 2, 1);
	memset(longest, 'x', NOTE_MAX_LABEL + 1);
	assert_int_equal(note_set_label(n, 1, longest, &e), -1);
	assert_string_equal(e.msg, "a label has at most 4096 bytes, not 4097");
	free(longest);
	want_label(n, 1, "two lines \xef\xbf\xbd");
	assert_int_equal(note_toggle_tag(n, (u32[]){1}, 1, "two words", &now, &e), -1);
	assert_int_equal(note_toggle_tag(n, (u32[]){1}, 1, " ", &now, &e), -1);
	assert_int_equal(note_set_rating(n, 1, 6, &e), -1);
	assert_int_equal(note_set_bookmark(n, '/', 1, &e), -1);
	assert_int_equal(note_set_note(n, 1, "first line\nsecond", &e), 0);
	char *s = note_note(n, 1);
	assert_string_equal(s, "first line\nsecond");
	free(s);
	note_free(n);
}

static void collect(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	assert_true(when > 1000000000);
	buf_addf(context, "%u/%s/%s;", feature, name, text);
}

static void all_of_a_kind_come_in_order(void **state)
{
	struct err e = {0};
	struct buf b = BUF_INIT;
	struct note *n = open_note(*state);
	note_set_label(n, 700, "c", &e);
	note_set_label(n, 4000000000u, "d", &e);
	note_set_label(n, 2, "a", &e);
	note_toggle_tag(n, (u32[]){9}, 1, "z", NULL, &e);
	note_toggle_tag(n, (u32[]){9}, 1, "b", NULL, &e);
	note_set_bookmark(n, 'q', 700, &e);
	note_set_rating(n, 2, 5, &e);
	for (int k = NOTE_LABEL; k <= NOTE_BOOKMARK; k++)
		assert_int_equal(note_each(n, (enum note_kind)k, collect, &b, &e), 0);
	assert_string_equal(b.s, "2//a;700//c;4000000000//d;2//5;9/b/;9/z/;700/q/;");
	buf_release(&b);
	note_free(n);
}

static void collect_twice(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	struct note *n = *(struct note **)context;
	struct buf b = BUF_INIT;
	u32 *calls = (u32 *)((struct note **)context + 1);
	(void)feature, (void)name, (void)text, (void)when;
	assert_true(++*calls < 10);
	assert_int_equal(note_each(n, NOTE_LABEL, collect, &b, NULL), 0);
	assert_string_equal(b.s, "1//one;2//two;");
	buf_release(&b);
}

/* A list of bookmarks wants the labels of its features. */
static void notes_may_be_walked_while_they_are_walked(void **state)
{
	struct err e = {0};
	struct {
		struct note *n;
		u32 calls;
	} c = {open_note(*state), 0};
	note_set_label(c.n, 1, "one", &e);
	note_set_label(c.n, 2, "two", &e);
	note_set_bookmark(c.n, 'a', 1, &e);
	assert_int_equal(note_each(c.n, NOTE_BOOKMARK, collect_twice, &c, &e), 0);
	assert_int_equal(c.calls, 1);
	c.calls = 0;
	assert_int_equal(note_each(c.n, NOTE_LABEL, collect_twice, &c, &e), 0);
	assert_int_equal(c.calls, 2);
	note_free(c.n);
}

static void want_tagged(struct note *n, const char *want)
{
	struct buf b = BUF_INIT;
	assert_int_equal(note_each(n, NOTE_TAG, collect, &b, NULL), 0);
	assert_string_equal(b.s, want);
	buf_release(&b);
}

static void a_tag_of_many_is_one_edit(void **state)
{
	struct err e = {0};
	bool now;
	struct note *n = open_note(*state);
	u32 all[] = {3, 4, 5};
	note_set_label(n, 9, "before", &e);
	assert_int_equal(note_toggle_tag(n, all + 1, 1, "x", &now, &e), 0);
	/* one of them has it: all have it then */
	assert_int_equal(note_toggle_tag(n, all, 3, "x", &now, &e), 0);
	assert_true(now);
	want_tagged(n, "3/x/;4/x/;5/x/;");
	want_move(n, note_undo, "took back the tag 'x' of 2 features");
	want_tagged(n, "4/x/;");
	want_move(n, note_undo, "took back the tag 'x' of #4");
	want_move(n, note_redo, "put back the tag 'x' of #4");
	want_move(n, note_redo, "put back the tag 'x' of 2 features");
	want_tagged(n, "3/x/;4/x/;5/x/;");
	assert_int_equal(note_redo(n, NULL, NULL, &e), -1);
	assert_int_equal(note_toggle_tag(n, all, 3, "x", &now, &e), 0);
	assert_false(now);
	want_tagged(n, "");
	want_move(n, note_undo, "took back the tag 'x' of 3 features");
	want_tagged(n, "3/x/;4/x/;5/x/;");
	want_move(n, note_undo, "took back the tag 'x' of 2 features");
	want_move(n, note_undo, "took back the tag 'x' of #4");
	want_label(n, 9, "before");
	assert_int_equal(note_tag(n, all, 3, "two words", true, &e), -1);
	want_tagged(n, "");
	note_free(n);
}

static void two_programs_see_each_others_edits(void **state)
{
	struct err e = {0};
	struct note *a = open_note(*state), *b = open_note(*state);
	assert_int_equal(note_set_label(a, 5, "from a", &e), 0);
	want_label(b, 5, "from a");
	u64 before = note_revision(a);
	assert_int_equal(note_set_label(b, 5, "from b", &e), 0);
	assert_int_not_equal(note_revision(a), before);
	want_label(a, 5, "from b");
	want_move(a, note_undo, "took back the label of #5");
	want_label(b, 5, "from a");
	note_free(a);
	note_free(b);
}

/* Edits and says so, until it is killed. */
static void edit_forever(const struct place *p, int fd)
{
	struct note *n = note_open(p->folder, uuid, NULL);
	for (u32 i = 0; n; i++) {
		char text[32];
		snprintf(text, sizeof text, "label %u", i);
		if (note_set_label(n, i, text, NULL) || write(fd, &i, sizeof i) != sizeof i)
			break;
	}
	_exit(1);
}

static void killed_programs_lose_nothing_they_acknowledged(void **state)
{
	struct place *p = *state;
	u32 next = 0;
	for (int round = 0; round < 4; round++) {
		int fds[2];
		assert_int_equal(pipe(fds), 0);
		pid_t child = fork();
		if (!child) {
			close(fds[0]);
			edit_forever(p, fds[1]);
		}
		close(fds[1]);
		u32 i, want = 3 + 17 * (u32)round;
		for (next = 0; next < want; next++) {
			assert_int_equal(read(fds[0], &i, sizeof i), sizeof i);
			assert_int_equal(i, next);
		}
		kill(child, SIGKILL);
		/* what it acknowledged before the signal came */
		while (read(fds[0], &i, sizeof i) == sizeof i)
			next = i + 1;
		close(fds[0]);
		waitpid(child, NULL, 0);
		struct note *n = open_note(p);
		assert_null(note_read_only(n));
		for (i = 0; i < next; i++) {
			char text[32];
			snprintf(text, sizeof text, "label %u", i);
			want_label(n, i, text);
		}
		note_free(n);
	}
}

static void write_file(const char *path, const char *s, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, s, n), n);
	close(fd);
}

static void refused(const struct place *p, const char *word)
{
	struct err e = {0};
	struct note *n = open_note(p);
	want_label(n, 1, NULL);
	assert_non_null(note_read_only(n));
	assert_non_null(strstr(note_read_only(n), word));
	assert_int_equal(note_set_label(n, 1, "x", &e), -1);
	assert_int_equal(e.code, ERR_DAMAGED);
	assert_non_null(strstr(e.msg, word));
	assert_int_equal(note_undo(n, NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_DAMAGED);
	note_free(n);
}

static void files_that_are_no_database_are_left_alone(void **state)
{
	struct place *p = *state;
	static const char junk[4096] = "this is somebody's text, not a database";
	write_file(p->db, junk, sizeof junk);
	refused(p, "is damaged");
	char back[sizeof junk + 1];
	int fd = open(p->db, O_RDONLY);
	assert_int_equal(read(fd, back, sizeof back), sizeof junk);
	close(fd);
	assert_memory_equal(back, junk, sizeof junk);
	unlink(p->db);
	mkfifo(p->db, 0666);
	refused(p, "is not a file");
	unlink(p->db);
	mkdir(p->db, 0777);
	refused(p, "is not a file");
	rmdir(p->db);
}

static void shell(const struct place *p, const char *sql)
{
	char *cmd = xasprintf("python3 -c \"import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); "
			      "c.executescript(sys.argv[2]); c.commit()\" '%s' \"%s\"",
			      p->db, sql);
	int r = system(cmd);
	free(cmd);
	if (r)
		skip();
}

static void foreign_databases_are_left_alone(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	shell(p, "CREATE TABLE mail(x)");
	refused(p, "not one of featlas");
	unlink(p->db);
	struct note *n = open_note(p);
	note_set_label(n, 1, "mine", &e);
	note_free(n);
	n = note_open(p->folder, "00000000-e89b-42d3-a456-426614174000", &e);
	assert_non_null(strstr(note_read_only(n), "belongs to another atlas"));
	want_label(n, 1, NULL);
	note_free(n);
	shell(p, "PRAGMA user_version = 99");
	n = open_note(p);
	assert_non_null(strstr(note_read_only(n), "a newer featlas"));
	note_free(n);
}

static void hostile_rows_are_cleaned_and_triggers_do_not_run(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	struct buf b = BUF_INIT;
	struct note *n = open_note(p);
	note_set_label(n, 1, "one", &e);
	note_free(n);
	shell(p, "INSERT INTO value VALUES(0, 2, '', CAST(x'6162ff0a63' AS TEXT), 1600000000);"
		 "INSERT INTO value VALUES(0, -7, '', 'negative', 1600000000);"
		 "INSERT INTO value VALUES(0, 99999999999, '', 'beyond', 1600000000);"
		 "INSERT INTO value VALUES(1, 2, '', '77', 1600000000);"
		 "CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM value; END");
	n = open_note(p);
	assert_int_equal(note_each(n, NOTE_LABEL, collect, &b, &e), 0);
	assert_string_equal(b.s, "1//one;2//ab\xef\xbf\xbd c;");
	assert_int_equal(note_rating(n, 2), 0);
	assert_int_equal(note_set_label(n, 3, "three", &e), 0);
	want_label(n, 1, "one");
	want_label(n, 3, "three");
	buf_release(&b);
	note_free(n);
}

/* Undo of an entry of no known kind, alone and as one of several made at once. */
static void an_entry_that_makes_no_sense_is_not_undone(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	u32 two[] = {3, 4};
	struct note *n = open_note(p);
	assert_int_equal(note_tag(n, two, 2, "x", true, &e), 0);
	note_free(n);
	shell(p, "UPDATE log SET kind = 99 WHERE seq = (SELECT min(seq) FROM log)");
	n = open_note(p);
	assert_int_equal(note_undo(n, NULL, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "makes no sense"));
	want_tagged(n, "3/x/;4/x/;"); /* both or none */
	note_free(n);
	shell(p, "UPDATE log SET kind = 99");
	n = open_note(p);
	assert_int_equal(note_undo(n, NULL, NULL, &e), -1);
	want_tagged(n, "3/x/;4/x/;");
	note_free(n);
}

/* The middle of a good file is overwritten: an error or what is left, never a crash. */
static void damaged_pages_are_reported(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	struct note *n = open_note(p);
	for (u32 i = 0; i < 300; i++)
		assert_int_equal(note_set_label(n, i, "a label of some length, to fill the pages", &e), 0);
	note_free(n);
	struct stat st;
	assert_int_equal(stat(p->db, &st), 0);
	char *junk = xcalloc((size_t)st.st_size, 1);
	memset(junk, 0xa5, (size_t)st.st_size);
	int fd = open(p->db, O_WRONLY);
	assert_true(pwrite(fd, junk, (size_t)st.st_size - 4096, 4096) > 0);
	close(fd);
	free(junk);
	n = open_note(p);
	assert_int_equal(note_set_label(n, 1, "x", &e), -1);
	assert_int_equal(e.code, ERR_DAMAGED);
	assert_non_null(strstr(e.msg, "is damaged"));
	note_free(n);
}

static void as_nobody(const struct place *p, int (*fn)(const struct place *))
{
	pid_t child = fork();
	if (!child) {
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(99);
		_exit(fn(p));
	}
	int status = 0;
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int edit_elsewhere(const struct place *p)
{
	struct err e = {0};
	struct note *n = note_open(p->folder, uuid, &e);
	char *want = xasprintf("%s/featlas/%s.db", p->data, uuid);
	if (!n || strcmp(note_path(n), want) || note_read_only(n))
		return 1;
	if (note_set_label(n, 1, "kept elsewhere", &e))
		return 2;
	note_free(n);
	n = note_open(p->folder, uuid, &e);
	char *s = note_label(n, 1);
	if (!s || strcmp(s, "kept elsewhere"))
		return 3;
	free(s);
	note_free(n);
	free(want);
	return 0;
}

static int edit_nowhere(const struct place *p)
{
	struct err e = {0};
	struct note *n = note_open(p->folder, uuid, &e);
	if (!n || !note_read_only(n) || !strstr(note_read_only(n), "there is no place to keep edits"))
		return 1;
	if (!note_set_label(n, 1, "x", &e) || !strstr(e.msg, "may not be written"))
		return 2;
	note_free(n);
	return 0;
}

static int read_only_beside(const struct place *p)
{
	struct err e = {0};
	struct note *n = note_open(p->folder, uuid, &e);
	char *s = n ? note_label(n, 1) : NULL;
	if (!s || strcmp(s, "theirs"))
		return 1;
	if (!note_read_only(n) || !note_set_label(n, 1, "x", &e) || !strstr(e.msg, "may not be written"))
		return 2;
	free(s);
	note_free(n);
	return 0;
}

static void where_the_folder_may_not_be_written(void **state)
{
	struct place *p = *state;
	chmod(p->folder, 0555);
	chmod(p->data, 0777);
	as_nobody(p, edit_elsewhere);
	char *cmd = xasprintf("rm -rf '%s/featlas'", p->data);
	assert_int_equal(system(cmd), 0);
	free(cmd);
	chmod(p->data, 0555);
	as_nobody(p, edit_nowhere);
	chmod(p->folder, 0755);
	struct err e = {0};
	struct note *n = open_note(p);
	assert_int_equal(note_set_label(n, 1, "theirs", &e), 0);
	note_free(n);
	chmod(p->db, 0444);
	chmod(p->folder, 0555);
	as_nobody(p, read_only_beside);
	chmod(p->folder, 0755);
	chmod(p->data, 0755);
}

static void runs_are_kept_by_hash(void **state)
{
	struct err e = {0};
	struct note *n = open_note(*state);
	assert_null(note_run(n, "ab"));
	assert_int_equal(note_keep_run(n, "ab", "{\"a\":1}", &e), 0);
	assert_int_equal(note_keep_run(n, "ab", "{\"a\":2}", &e), 0);
	char *s = note_run(n, "ab");
	assert_string_equal(s, "{\"a\":2}");
	free(s);
	assert_int_equal(note_undo(n, NULL, NULL, &e), -1);
	note_free(n);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_made_before_the_first_edit),
		TEST(edits_survive_and_undo_goes_across_sessions),
		TEST(what_an_edit_changed_is_asked_once),
		TEST(edits_that_change_nothing_are_not_logged),
		TEST(texts_are_cleaned_or_refused),
		TEST(all_of_a_kind_come_in_order),
		TEST(notes_may_be_walked_while_they_are_walked),
		TEST(a_tag_of_many_is_one_edit),
		TEST(two_programs_see_each_others_edits),
		TEST(killed_programs_lose_nothing_they_acknowledged),
		TEST(files_that_are_no_database_are_left_alone),
		TEST(foreign_databases_are_left_alone),
		TEST(hostile_rows_are_cleaned_and_triggers_do_not_run),
		TEST(an_entry_that_makes_no_sense_is_not_undone),
		TEST(damaged_pages_are_reported),
		TEST(where_the_folder_may_not_be_written),
		TEST(runs_are_kept_by_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
