/* SPDX-License-Identifier: MIT */
/* note_file.c - is this file ours, of a version that is known, and of this atlas? */
#include "core/note_file.h"

#include "base/mem.h"
#include "base/xdg.h"
#include "core/note_place.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { APPLICATION_ID = 0x464c6264, SCHEMA_VERSION = 1 };

/* value: what holds now.  log: every edit, undo and redo, appended only.  pile: the edits
 * that undo and redo walk along; undone ones are always the newest. */
static const char schema[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE value(kind INTEGER NOT NULL, feature INTEGER NOT NULL, name TEXT NOT NULL,"
	" text TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY(kind, feature, name)) WITHOUT ROWID;"
	"CREATE TABLE log(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, verb TEXT NOT NULL, ref INTEGER,"
	" kind INTEGER NOT NULL, feature INTEGER NOT NULL, name TEXT NOT NULL,"
	" before TEXT, before_time INTEGER, after TEXT);"
	"CREATE TABLE pile(seq INTEGER PRIMARY KEY, undone INTEGER NOT NULL);"
	"CREATE TABLE run(hash TEXT PRIMARY KEY, json TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;";

static const char *const sql[N_STATEMENTS] = {
	[GET] = "SELECT text, time FROM value WHERE kind = ?1 AND feature = ?2 AND name = ?3",
	[SET] = "INSERT OR REPLACE INTO value VALUES(?1, ?2, ?3, ?4, ?5)",
	[UNSET] = "DELETE FROM value WHERE kind = ?1 AND feature = ?2 AND name = ?3",
	[EACH] = "SELECT feature, name, text, time FROM value WHERE kind = ?1 ORDER BY feature, name",
	[TAGS] = "SELECT name FROM value WHERE kind = ?1 AND feature = ?2 ORDER BY name",
	[REVISION] = "SELECT max(seq) FROM log",
	[APPEND] = "INSERT INTO log(time, verb, ref, kind, feature, name, before, before_time, after)"
		   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[PUSH] = "INSERT INTO pile VALUES(last_insert_rowid(), 0)",
	[FORGET] = "DELETE FROM pile WHERE undone",
	[NEWEST_DONE] = "SELECT max(seq) FROM pile WHERE NOT undone",
	[OLDEST_UNDONE] = "SELECT min(seq) FROM pile WHERE undone",
	[MARK] = "UPDATE pile SET undone = ?2 WHERE seq = ?1",
	[ENTRY] = "SELECT kind, feature, name, before, before_time, after, time, ref FROM log WHERE seq = ?1",
	[KEEP_RUN] = "INSERT OR REPLACE INTO run VALUES(?1, ?2, ?3)",
	[GET_RUN] = "SELECT json FROM run WHERE hash = ?1",
	[EACH_RUN] = "SELECT hash, json, time FROM run ORDER BY time DESC, hash",
	[OWNER] = "SELECT value FROM meta WHERE key = 'uuid'",
	[OWN] = "INSERT INTO meta VALUES('uuid', ?1)",
};

static void refuse(struct note *n, bool broken, char *why /* taken */)
{
	free(n->why);
	n->why = why;
	n->broken |= broken;
}

int note_fail(struct note *n, struct err *e)
{
	struct err mine = {0};
	enum db_fault fault = db_error(n->db, &mine);
	if (fault != DB_FAILED)
		refuse(n, fault == DB_DAMAGED, xstrdup(mine.msg));
	return err_set(e, mine.code, "%s", mine.msg);
}

int note_finish(struct note *n, struct statement *q, struct err *e)
{
	if (!q)
		return note_fail(n, e);
	int r = statement_step(q) == STATEMENT_DONE ? 0 : note_fail(n, e);
	statement_reset(q);
	return r;
}

int note_sql(struct note *n, const char *text, struct err *e)
{
	return db_run(n->db, text) ? note_fail(n, e) : 0;
}

static int number(struct note *n, const char *text, i64 *v, struct err *e)
{
	return db_number(n->db, text, v) ? note_fail(n, e) : 0;
}

static int check_owner(struct note *n, struct err *e)
{
	struct statement *q = db_statement(n->db, OWNER);
	enum statement_got got = q ? statement_step(q) : STATEMENT_FAILED;
	if (got == STATEMENT_FAILED)
		return note_fail(n, e);
	size_t len;
	const char *uuid = got == STATEMENT_ROW ? statement_text(q, 0, &len) : NULL;
	bool ours = uuid && !strcmp(uuid, n->uuid);
	if (got == STATEMENT_DONE)
		refuse(n, true, xasprintf("'%s' does not say whose atlas it belongs to", n->path));
	else if (!ours)
		refuse(n, true, xasprintf("'%s' belongs to another atlas (%.60s); it is left as it is", n->path,
					  uuid ? uuid : "no name"));
	statement_reset(q);
	return ours ? 0 : err_set(e, ERR_DAMAGED, "%s", n->why);
}

/* 0, or -2: an empty file is new. */
static int check_schema(struct note *n, struct err *e)
{
	i64 id, version, tables;
	if (number(n, "PRAGMA application_id", &id, e) || number(n, "PRAGMA user_version", &version, e))
		return -1;
	if (!id && !version) {
		if (number(n, "SELECT count(*) FROM sqlite_master", &tables, e))
			return -1;
		if (!tables)
			return -2;
	}
	if (id != APPLICATION_ID || version < 1) {
		refuse(n, true, xasprintf("'%s' is a database, but not one of featlas; it is left as it is", n->path));
		return err_set(e, ERR_DAMAGED, "%s", n->why);
	}
	if (version > SCHEMA_VERSION) {
		refuse(n, true, xasprintf("'%s' was written by a newer featlas (its version is %lld, %d is known)",
					  n->path, (long long)version, SCHEMA_VERSION));
		return err_set(e, ERR_FAILED, "%s", n->why);
	}
	return check_owner(n, e);
}

static int make_schema(struct note *n, struct err *e)
{
	char *about = xasprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, SCHEMA_VERSION);
	int r = note_sql(n, schema, e) || note_sql(n, about, e) ? -1 : 0;
	free(about);
	if (r)
		return -1;
	struct statement *q = db_statement(n->db, OWN);
	if (!q)
		return note_fail(n, e);
	statement_set_text(q, 1, n->uuid);
	return note_finish(n, q, e);
}

/* Two programs may come here at once: the second finds the first one's tables. */
static int begin_file(struct note *n, struct err *e)
{
	if (place_is_local(n->path) && note_sql(n, "PRAGMA journal_mode = WAL", e))
		return -1;
	if (note_sql(n, "BEGIN IMMEDIATE", e))
		return -1;
	int r = check_schema(n, e);
	if (r == -2)
		r = make_schema(n, e);
	if (note_sql(n, r ? "ROLLBACK" : "COMMIT", r ? NULL : e))
		r = -1;
	return r;
}

/* Opened and ours: 0, -1, or -2 where it is new. */
static int open_checked(struct note *n, enum db_mode mode, struct err *e)
{
	return db_open(n->db, mode) ? note_fail(n, e) : check_schema(n, e);
}

int note_attach(struct note *n)
{
	struct stat st;
	struct err why = {0};
	if (db_is_open(n->db))
		return 0;
	if (n->broken || stat(n->path, &st))
		return -1;
	if (!S_ISREG(st.st_mode)) {
		refuse(n, true, xasprintf("'%s' is not a file", n->path));
		return -1;
	}
	bool writable = place_may_write(n->path);
	int r = open_checked(n, writable ? DB_WRITE : DB_READ, &why);
	if (r == -1 && !writable && !n->broken) {
		/* a write-ahead log wants a writable folder even for reading, unless nobody writes */
		db_close(n->db);
		r = open_checked(n, DB_READ_UNCHANGING, &why);
	}
	if (r) {
		db_close(n->db);
		if (r != -2 && !n->why)
			refuse(n, true, xstrdup(why.msg));
		return -1;
	}
	if (!writable)
		refuse(n, false, xasprintf("'%s' may not be written; copy it to your data folder as featlas/%s.db to go on",
					   n->path, n->uuid));
	return 0;
}

int note_attach_to_write(struct note *n, struct err *e)
{
	bool there = !note_attach(n);
	if (n->why)
		return err_set(e, n->broken ? ERR_DAMAGED : ERR_FAILED, "%s", n->why);
	if (there)
		return 0;
	if (xdg_make_parents(n->path, e))
		return -1;
	int r = db_open(n->db, DB_CREATE) ? note_fail(n, e) : begin_file(n, e);
	if (!r)
		return 0;
	db_close(n->db);
	return e ? err_wrap(e, "cannot keep what you do") : -1;
}

struct note *note_open(const char *folder, const char *uuid, struct err *e)
{
	if (!uuid[0] || strspn(uuid, "0123456789abcdefABCDEF-") != strlen(uuid)) {
		err_set(e, ERR_DAMAGED, "the atlas '%s' has no proper uuid", folder);
		return NULL;
	}
	struct note *n = xcalloc(1, sizeof *n);
	n->uuid = xstrdup(uuid);
	n->path = place_choose(folder, uuid);
	n->db = db_new(n->path, sql, N_STATEMENTS, 2 * NOTE_MAX_RUN);
	n->why = place_refused(n->path);
	note_attach(n);
	return n;
}

void note_free(struct note *n)
{
	if (!n)
		return;
	db_free(n->db);
	free(n->path);
	free(n->uuid);
	free(n->why);
	free(n);
}

const char *note_path(const struct note *n)
{
	return n->path;
}

bool note_exists(const struct note *n)
{
	return place_is_there(n->path);
}

const char *note_read_only(const struct note *n)
{
	return n->why;
}
