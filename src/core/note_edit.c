/* SPDX-License-Identifier: MIT */
/* note_edit.c - each edit is one transaction of value, log and pile; undo and redo walk along the pile. */
#include "core/note_file.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const kind_words[NOTE_KINDS] = {"label", "rating", "note", "tag", "bookmark", "quiz"};

/* text NULL takes the value away. */
static int put(struct note *n, int kind, i64 feature, const char *name, const char *text, i64 when, struct err *e)
{
	struct statement *q = db_statement(n->db, text ? SET : UNSET);
	if (!q)
		return note_fail(n, e);
	note_bind_key(q, 1, kind, feature, name);
	if (text) {
		statement_set_text(q, 4, text);
		statement_set_number(q, 5, when);
	}
	return note_finish(n, q, e);
}

struct entry {
	int kind;
	i64 feature, ref, before_time, time;
	i64 with; /* of an edit: the first of those made at once, or 0 */
	char *name, *before, *after; /* owned */
};

static int append(struct note *n, const char *verb, const struct entry *l, struct err *e)
{
	struct statement *q = db_statement(n->db, APPEND);
	if (!q)
		return note_fail(n, e);
	statement_set_number(q, 1, time(NULL));
	statement_set_text(q, 2, verb);
	if (l->ref)
		statement_set_number(q, 3, l->ref);
	else
		statement_set_null(q, 3);
	note_bind_key(q, 4, l->kind, l->feature, l->name);
	statement_set_text(q, 7, l->before);
	statement_set_number(q, 8, l->before_time);
	statement_set_text(q, 9, l->after);
	return note_finish(n, q, e);
}

static void entry_release(struct entry *l)
{
	free(l->name);
	free(l->before);
	free(l->after);
	*l = (struct entry){0};
}

static int end_edit(struct note *n, int r, bool changed, struct err *e)
{
	if (!r && !note_sql(n, "COMMIT", e)) {
		n->changed |= changed;
		return 0;
	}
	if (db_in_transaction(n->db))
		db_run(n->db, "ROLLBACK");
	return -1;
}

/* Within a transaction: value, log and pile.  after NULL takes the value away.  *first gets the number
 * of the first of several made at once, 0 before it. */
static int change(struct note *n, enum note_kind kind, i64 feature, const char *name, const char *after, i64 *first,
		  struct err *e)
{
	struct entry l = {.kind = (int)kind, .feature = feature, .name = xstrdup(name), .ref = *first};
	l.before = note_get(n, kind, feature, name, &l.before_time);
	l.after = after ? xstrdup(after) : NULL;
	int r = 0;
	bool same = l.before && after ? !strcmp(l.before, after) : !l.before && !after;
	if (!same) {
		r = put(n, l.kind, feature, name, after, time(NULL), e) || append(n, "edit", &l, e);
		*first = *first ? *first : db_last_id(n->db);
		r = r || note_finish(n, db_statement(n->db, PUSH), e) || note_finish(n, db_statement(n->db, FORGET), e);
	}
	entry_release(&l);
	return r ? -1 : 0;
}

/* One edit: a transaction. */
static int edit(struct note *n, enum note_kind kind, i64 feature, const char *name, const char *after, struct err *e)
{
	i64 first = 0;
	if (note_attach_to_write(n, e) || note_sql(n, "BEGIN IMMEDIATE", e))
		return -1;
	int r = change(n, kind, feature, name, after, &first, e);
	return end_edit(n, r, first != 0, e);
}

/* Cleaned text with no blanks at its ends, or NULL with an error where it is too long. */
static char *trimmed(const char *text, size_t max, bool one_line, const char *what, struct err *e)
{
	char *s = note_clean(text, strlen(text), one_line);
	size_t start = strspn(s, " \t\n\r"), len = strlen(s + start);
	while (len && strchr(" \t\n\r", s[start + len - 1]))
		len--;
	memmove(s, s + start, len);
	s[len] = 0;
	if (len <= max)
		return s;
	err_set(e, ERR_USAGE, "a %s has at most %zu bytes, not %zu", what, max, len);
	free(s);
	return NULL;
}

int note_set_label(struct note *n, u32 feature, const char *text, struct err *e)
{
	if (!text)
		return edit(n, NOTE_LABEL, feature, "", NULL, e);
	char *s = trimmed(text, NOTE_MAX_LABEL, true, "label", e);
	int r = s ? edit(n, NOTE_LABEL, feature, "", s, e) : -1;
	free(s);
	return r;
}

int note_set_note(struct note *n, u32 feature, const char *text, struct err *e)
{
	char *s = trimmed(text ? text : "", NOTE_MAX_NOTE, false, "note", e);
	int r = s ? edit(n, NOTE_NOTE, feature, "", s[0] ? s : NULL, e) : -1;
	free(s);
	return r;
}

int note_set_rating(struct note *n, u32 feature, int rating, struct err *e)
{
	char s[2] = {(char)('0' + rating), 0};
	if (rating < 0 || rating > 5)
		return err_set(e, ERR_USAGE, "a rating is 1 to 5, or 0 for none, not %d", rating);
	return edit(n, NOTE_RATING, feature, "", rating ? s : NULL, e);
}

char *note_clean_tag(const char *tag, struct err *e)
{
	char *s = trimmed(tag, NOTE_MAX_TAG, true, "tag", e);
	if (!s || (s[0] && !strpbrk(s, " \t")))
		return s;
	err_set(e, ERR_USAGE, "a tag is one word, not '%s'", s);
	free(s);
	return NULL;
}

int note_tag(struct note *n, const u32 *features, size_t count, const char *tag, bool on, struct err *e)
{
	i64 first = 0;
	int r = 0;
	char *s = note_clean_tag(tag, e);
	if (!s || note_attach_to_write(n, e) || note_sql(n, "BEGIN IMMEDIATE", e)) {
		free(s);
		return -1;
	}
	for (size_t i = 0; i < count && !r; i++)
		r = change(n, NOTE_TAG, features[i], s, on ? "" : NULL, &first, e);
	free(s);
	return end_edit(n, r, first != 0, e);
}

int note_toggle_tag(struct note *n, const u32 *features, size_t count, const char *tag, bool *now, struct err *e)
{
	char *s = note_clean_tag(tag, e);
	bool all = true;
	if (!s)
		return -1;
	for (size_t i = 0; i < count && all; i++) {
		char *had = note_get(n, NOTE_TAG, features[i], s, NULL);
		all = had != NULL;
		free(had);
	}
	free(s);
	if (now)
		*now = !all;
	return note_tag(n, features, count, tag, !all, e);
}

int note_set_bookmark(struct note *n, char letter, u32 feature, struct err *e)
{
	char name[2] = {letter, 0}, value[16];
	if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9')))
		return err_set(e, ERR_USAGE, "a bookmark is a letter or a digit");
	struct buf b = BUF_INIT;
	buf_addf(&b, "%u", feature);
	memcpy(value, b.s, b.n + 1);
	buf_release(&b);
	return edit(n, NOTE_BOOKMARK, -1, name, feature == UINT32_MAX ? NULL : value, e);
}

int note_set_quiz(struct note *n, u32 feature, const char *method, const char *json, struct err *e)
{
	if (strlen(json) > NOTE_MAX_NOTE)
		return err_set(e, ERR_USAGE, "a quiz has at most %d bytes", NOTE_MAX_NOTE);
	return edit(n, NOTE_QUIZ, feature, method, json, e);
}

/* Undo. */

static int read_entry(struct note *n, i64 seq, struct entry *l, struct err *e)
{
	struct statement *q = db_statement(n->db, ENTRY);
	if (!q)
		return note_fail(n, e);
	statement_set_number(q, 1, seq);
	int r = 0;
	enum statement_got got = statement_step(q);
	*l = (struct entry){.ref = seq};
	if (got == STATEMENT_ROW) {
		l->kind = statement_number(q, 0);
		l->feature = statement_number(q, 1);
		l->name = note_column(q, 2, true);
		l->before = note_column(q, 3, l->kind != NOTE_NOTE);
		l->before_time = statement_number(q, 4);
		l->after = note_column(q, 5, l->kind != NOTE_NOTE);
		l->time = statement_number(q, 6);
		l->with = statement_number(q, 7);
	} else {
		r = got == STATEMENT_DONE ? err_set(e, ERR_DAMAGED, "'%s' has lost entry %lld of its log", n->path,
						 (long long)seq)
				       : note_fail(n, e);
	}
	statement_reset(q);
	if (!r && (!l->name || l->kind < 0 || l->kind >= NOTE_KINDS)) {
		entry_release(l);
		r = err_set(e, ERR_DAMAGED, "entry %lld of the log of '%s' makes no sense", (long long)seq, n->path);
	}
	return r;
}

static char *sentence(bool undo, const struct entry *l, size_t count)
{
	const char *verb = undo ? "took back" : "put back", *what = kind_words[l->kind];
	if (count > 1)
		return xasprintf("%s the %s '%s' of %zu features", verb, what, l->name, count);
	if (l->kind == NOTE_BOOKMARK)
		return xasprintf("%s the bookmark '%s'", verb, l->name);
	if (l->kind == NOTE_TAG)
		return xasprintf("%s the tag '%s' of #%lld", verb, l->name, (long long)l->feature);
	return xasprintf("%s the %s of #%lld", verb, what, (long long)l->feature);
}

bool note_has_changed(struct note *n)
{
	bool changed = n->changed;
	n->changed = false;
	return changed;
}

static i64 find_entry(struct note *n, bool undo, struct err *e)
{
	struct statement *q = db_statement(n->db, undo ? NEWEST_DONE : OLDEST_UNDONE);
	i64 seq = -1;
	if (q && statement_step(q) == STATEMENT_ROW)
		seq = statement_number(q, 0);
	else
		note_fail(n, e);
	if (q)
		statement_reset(q);
	if (!seq)
		err_set(e, ERR_NOT_FOUND, "there is nothing to %s", undo ? "undo" : "redo");
	return seq > 0 ? seq : -1;
}

static int mark(struct note *n, i64 seq, bool undone, struct err *e)
{
	struct statement *q = db_statement(n->db, MARK);
	if (!q)
		return note_fail(n, e);
	statement_set_number(q, 1, seq);
	statement_set_number(q, 2, undone);
	return note_finish(n, q, e);
}

/* The next entry on the way, if it was made at once with those numbered `with`; 0: any.  1: it was not. */
static int move_one(struct note *n, bool undo, i64 *with, struct entry *l, struct err *e)
{
	struct err none = {0};
	i64 seq = find_entry(n, undo, *with ? &none : e);
	*l = (struct entry){0};
	if (seq < 0)
		return *with && none.code == ERR_NOT_FOUND ? 1 : -1;
	if (read_entry(n, seq, l, e))
		return -1;
	i64 group = l->with ? l->with : seq;
	if (*with && group != *with)
		return 1;
	*with = group;
	return put(n, l->kind, l->feature, l->name, undo ? l->before : l->after, undo ? l->before_time : l->time, e) ||
			       append(n, undo ? "undo" : "redo", l, e) || mark(n, seq, undo, e)
		       ? -1
		       : 0;
}

static int move(struct note *n, bool undo, char **said, u32 *feature, struct err *e)
{
	if (feature)
		*feature = UINT32_MAX;
	if (said)
		*said = NULL;
	if (note_attach(n) && !n->why)
		return err_set(e, ERR_NOT_FOUND, "there is nothing to %s", undo ? "undo" : "redo");
	if (note_attach_to_write(n, e) || note_sql(n, "BEGIN IMMEDIATE", e))
		return -1;
	struct entry l, last = {0};
	i64 with = 0;
	size_t count = 0;
	int r;
	while (!(r = move_one(n, undo, &with, &l, e))) {
		entry_release(&last);
		last = l;
		count++;
	}
	entry_release(&l);
	r = end_edit(n, r < 0 ? -1 : 0, false, e);
	if (!r && said)
		*said = sentence(undo, &last, count);
	if (!r && feature && count == 1)
		*feature = (u32)last.feature;
	entry_release(&last);
	return r;
}

int note_undo(struct note *n, char **said, u32 *feature, struct err *e)
{
	return move(n, true, said, feature, e);
}

int note_redo(struct note *n, char **said, u32 *feature, struct err *e)
{
	return move(n, false, said, feature, e);
}
