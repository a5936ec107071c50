/* SPDX-License-Identifier: MIT */
/* note.c - what people did, read: values, and steering runs. */
#include "core/note_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

char *note_clean(const char *s, size_t len, bool one_line)
{
	struct buf b = BUF_INIT;
	utf8_add_valid(&b, s, len);
	for (size_t i = 0; i < b.n; i++)
		if (!b.s[i] || (one_line && (b.s[i] == '\n' || b.s[i] == '\r')))
			b.s[i] = ' ';
	return buf_take(&b);
}

char *note_column(struct statement *q, int column, bool one_line)
{
	size_t len;
	const char *text = statement_text(q, column, &len);
	return text ? note_clean(text, len, one_line) : NULL;
}

void note_bind_key(struct statement *q, int at, int kind, i64 feature, const char *name)
{
	statement_set_number(q, at, kind);
	statement_set_number(q, at + 1, feature);
	if (name)
		statement_set_text(q, at + 2, name);
}

char *note_get(struct note *n, enum note_kind kind, i64 feature, const char *name, i64 *when)
{
	struct statement *q;
	char *text = NULL;
	if (note_attach(n) || !(q = db_statement(n->db, GET)))
		return NULL;
	note_bind_key(q, 1, kind, feature, name);
	enum statement_got r = statement_step(q);
	if (r == STATEMENT_ROW) {
		text = note_column(q, 0, kind != NOTE_NOTE);
		if (when)
			*when = statement_number(q, 1);
	} else if (r != STATEMENT_DONE) {
		note_fail(n, NULL);
	}
	statement_reset(q);
	return text;
}

char *note_label(struct note *n, u32 feature)
{
	return note_get(n, NOTE_LABEL, feature, "", NULL);
}

char *note_note(struct note *n, u32 feature)
{
	return note_get(n, NOTE_NOTE, feature, "", NULL);
}

static int digit(const char *s)
{
	return s && s[0] >= '1' && s[0] <= '5' && !s[1] ? s[0] - '0' : 0;
}

int note_rating(struct note *n, u32 feature)
{
	char *s = note_get(n, NOTE_RATING, feature, "", NULL);
	int v = digit(s);
	free(s);
	return v;
}

char *note_tags(struct note *n, u32 feature)
{
	struct statement *q;
	struct buf b = BUF_INIT;
	enum statement_got r;
	if (note_attach(n) || !(q = db_statement(n->db, TAGS)))
		return NULL;
	note_bind_key(q, 1, NOTE_TAG, feature, NULL);
	while ((r = statement_step(q)) == STATEMENT_ROW) {
		char *name = note_column(q, 0, true);
		buf_addf(&b, "%s%s", b.n ? " " : "", name ? name : "");
		free(name);
	}
	if (r != STATEMENT_DONE)
		note_fail(n, NULL);
	statement_reset(q);
	return b.n ? buf_take(&b) : NULL;
}

static bool parse_id(const char *s, u32 *id)
{
	char *end;
	errno = 0;
	unsigned long long v = s && s[0] >= '0' && s[0] <= '9' ? strtoull(s, &end, 10) : UINT64_MAX;
	if (v > UINT32_MAX || errno || *end)
		return false;
	*id = (u32)v;
	return true;
}

bool note_bookmark(struct note *n, char letter, u32 *feature)
{
	char name[2] = {letter, 0}, *s = note_get(n, NOTE_BOOKMARK, -1, name, NULL);
	bool ok = parse_id(s, feature);
	free(s);
	return ok;
}

char *note_quiz(struct note *n, u32 feature, const char *method)
{
	return note_get(n, NOTE_QUIZ, feature, method, NULL);
}

int note_each(struct note *n, enum note_kind kind, note_fn fn, void *context, struct err *e)
{
	struct statement *q;
	enum statement_got r;
	if (note_attach(n))
		return n->broken ? err_set(e, ERR_DAMAGED, "%s", n->why) : 0;
	if (!(q = db_walk(n->db, EACH))) /* its own: fn may read the notes too */
		return note_fail(n, e);
	statement_set_number(q, 1, kind);
	while ((r = statement_step(q)) == STATEMENT_ROW) {
		i64 id = statement_number(q, 0);
		char *name = note_column(q, 1, true), *text = note_column(q, 2, kind != NOTE_NOTE);
		u32 feature = (u32)id;
		bool ok = kind == NOTE_BOOKMARK ? parse_id(text, &feature) : id >= 0 && id <= UINT32_MAX;
		if (ok && name && text)
			fn(context, feature, name, kind == NOTE_BOOKMARK ? "" : text, statement_number(q, 3));
		free(name);
		free(text);
	}
	int failed = r == STATEMENT_DONE ? 0 : note_fail(n, e);
	statement_free(q);
	return failed;
}

struct each_label {
	void (*fn)(void *, u32, const char *, i64);
	void *context;
};

static void give_label(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	(void)name;
	struct each_label *l = context;
	l->fn(l->context, feature, text, when);
}

int note_each_label(struct note *n, void (*fn)(void *, u32, const char *, i64), void *context, struct err *e)
{
	struct each_label l = {fn, context};
	return note_each(n, NOTE_LABEL, give_label, &l, e);
}

u64 note_revision(struct note *n)
{
	struct statement *q;
	if (note_attach(n) || !(q = db_statement(n->db, REVISION)))
		return n->revision;
	if (statement_step(q) == STATEMENT_ROW)
		n->revision = (u64)statement_number(q, 0);
	statement_reset(q);
	return n->revision;
}

/* Runs. */

int note_keep_run(struct note *n, const char *hash, const char *json, struct err *e)
{
	if (strlen(json) > NOTE_MAX_RUN)
		return err_set(e, ERR_USAGE, "a run has at most %d bytes", NOTE_MAX_RUN);
	if (note_attach_to_write(n, e))
		return -1;
	struct statement *q = db_statement(n->db, KEEP_RUN);
	if (!q)
		return note_fail(n, e);
	statement_set_text(q, 1, hash);
	statement_set_text(q, 2, json);
	statement_set_number(q, 3, time(NULL));
	return note_finish(n, q, e);
}

char *note_run(struct note *n, const char *hash)
{
	struct statement *q;
	char *json = NULL;
	if (note_attach(n) || !(q = db_statement(n->db, GET_RUN)))
		return NULL;
	statement_set_text(q, 1, hash);
	enum statement_got r = statement_step(q);
	if (r == STATEMENT_ROW)
		json = note_column(q, 0, false);
	else if (r != STATEMENT_DONE)
		note_fail(n, NULL);
	statement_reset(q);
	return json;
}

int note_each_run(struct note *n, void (*fn)(void *, const char *hash, const char *json, i64 when), void *context,
		  struct err *e)
{
	struct statement *q;
	enum statement_got r;
	if (note_attach(n))
		return 0;
	if (!(q = db_walk(n->db, EACH_RUN))) /* its own: fn may read the notes too */
		return note_fail(n, e);
	while ((r = statement_step(q)) == STATEMENT_ROW) {
		char *hash = note_column(q, 0, true), *json = note_column(q, 1, false);
		if (hash && json)
			fn(context, hash, json, statement_number(q, 2));
		free(hash);
		free(json);
	}
	int bad = r == STATEMENT_DONE ? 0 : note_fail(n, e);
	statement_free(q);
	return bad;
}
