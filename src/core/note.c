/* SPDX-License-Identifier: MIT */
/* note.c - labels.db in SQLite: values, the log of edits, undo and redo. */
#include "core/note.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/xdg.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x464c6264, SCHEMA_VERSION = 1, BUSY_MS = 5000 };

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

enum statement {
	GET, SET, UNSET, EACH, TAGS, REVISION, APPEND, PUSH, FORGET, NEWEST_DONE, OLDEST_UNDONE, MARK, ENTRY,
	KEEP_RUN, GET_RUN, EACH_RUN, N_STATEMENTS,
};

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
	[ENTRY] = "SELECT kind, feature, name, before, before_time, after, time FROM log WHERE seq = ?1",
	[KEEP_RUN] = "INSERT OR REPLACE INTO run VALUES(?1, ?2, ?3)",
	[GET_RUN] = "SELECT json FROM run WHERE hash = ?1",
	[EACH_RUN] = "SELECT hash, json, time FROM run ORDER BY time DESC, hash",
};

static const char *const kind_words[] = {"label", "rating", "note", "tag", "bookmark", "quiz"};

struct note {
	char *path, *uuid;
	sqlite3 *db; /* NULL until there is a file */
	sqlite3_stmt *statements[N_STATEMENTS];
	char *why;    /* edits are refused */
	bool broken;  /* not even read */
	u64 revision; /* what is known of it when the database cannot be asked */
};

/* Where edits go. */

static bool is_local(const char *path)
{
	struct statfs fs;
	if (statfs(path, &fs))
		return false;
	switch ((u32)fs.f_type) {
	case 0x6969:     /* NFS */
	case 0x65735546: /* FUSE */
	case 0x517b:     /* SMB */
	case 0xfe534d42: /* SMB2 */
	case 0xff534d42: /* CIFS */
	case 0x01021997: /* 9P */
	case 0x00c36400: /* Ceph */
	case 0x73757245: /* Coda */
	case 0x5346414f: /* AFS */
	case 0x0bd00bd0: /* Lustre */
	case 0x7461636f: /* OCFS2 */
	case 0x47504653: /* GPFS */
		return false;
	}
	return true;
}

static bool may_write(const char *path)
{
	return !faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
}

static bool is_there(const char *path)
{
	struct stat st;
	return path && !lstat(path, &st);
}

/* An existing database wins; of two, the one that can be written. */
static char *choose_path(const char *folder, const char *uuid)
{
	char *beside = xasprintf("%s/labels.db", *folder ? folder : "."), *name = xasprintf("%s.db", uuid);
	char *own = xdg_data(name);
	free(name);
	if (!*folder && own) {
		free(beside);
		return own;
	}
	bool writable = may_write(folder);
	bool stay = is_there(beside) ? !is_there(own) || (writable && may_write(beside))
				     : !is_there(own) && writable && is_local(folder);
	if (stay || !own) {
		free(own);
		return beside;
	}
	free(beside);
	return own;
}

/* The database. */

static void refuse(struct note *n, bool broken, char *why /* taken */)
{
	free(n->why);
	n->why = why;
	n->broken |= broken;
}

static void close_db(struct note *n)
{
	for (int i = 0; i < N_STATEMENTS; i++) {
		sqlite3_finalize(n->statements[i]);
		n->statements[i] = NULL;
	}
	sqlite3_close(n->db);
	n->db = NULL;
}

/* Turns SQLite's state into an error, and into a refusal of further edits where the file itself
 * is at fault. */
static int fail(struct note *n, struct err *e)
{
	int code = sqlite3_errcode(n->db) & 0xff;
	const char *text = sqlite3_errmsg(n->db);
	switch (code) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		refuse(n, true, xasprintf("'%s' is damaged (%s); it is left as it is: move it away to start anew",
					  n->path, text));
		return err_set(e, ERR_DAMAGED, "%s", n->why);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_FAILED, "'%s' is being written by another program", n->path);
	case SQLITE_FULL:
		return err_set(e, ERR_FAILED, "cannot write '%s': the disk is full", n->path);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		refuse(n, false, xasprintf("'%s' may not be written (%s)", n->path, text));
		return err_set(e, ERR_FAILED, "%s", n->why);
	}
	return err_set(e, ERR_FAILED, "cannot use '%s': %s", n->path, text);
}

static sqlite3_stmt *statement(struct note *n, enum statement i)
{
	if (!n->statements[i])
		sqlite3_prepare_v3(n->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &n->statements[i], NULL);
	return n->statements[i];
}

static int run_sql(struct note *n, const char *text, struct err *e)
{
	return sqlite3_exec(n->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(n, e);
}

/* The one number that a statement gives; -1 with *e if it does not run, 0 for NULL. */
static i64 number(struct note *n, const char *text, struct err *e)
{
	sqlite3_stmt *s = NULL;
	i64 v = -1;
	if (sqlite3_prepare_v2(n->db, text, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		v = sqlite3_column_int64(s, 0);
	else
		fail(n, e);
	sqlite3_finalize(s);
	return v;
}

static int check_owner(struct note *n, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int r = -1;
	if (sqlite3_prepare_v2(n->db, "SELECT value FROM meta WHERE key = 'uuid'", -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW) {
		const char *uuid = (const char *)sqlite3_column_text(s, 0);
		r = uuid && !strcmp(uuid, n->uuid) ? 0 : 1;
		if (r)
			refuse(n, true, xasprintf("'%s' belongs to another atlas (%.60s); it is left as it is",
						  n->path, uuid ? uuid : "no name"));
	} else if (sqlite3_errcode(n->db) == SQLITE_DONE) {
		refuse(n, true, xasprintf("'%s' does not say whose atlas it belongs to", n->path));
		r = 1;
	} else {
		fail(n, e);
	}
	sqlite3_finalize(s);
	return r == 1 ? err_set(e, ERR_DAMAGED, "%s", n->why) : r;
}

/* The file is ours, of a version that is known, and of this atlas; an empty one is new (-2). */
static int check_schema(struct note *n, struct err *e)
{
	i64 id = number(n, "PRAGMA application_id", e), version = number(n, "PRAGMA user_version", e);
	if (id < 0 || version < 0)
		return -1;
	if (!id && !version) {
		i64 tables = number(n, "SELECT count(*) FROM sqlite_master", e);
		if (tables <= 0)
			return tables < 0 ? -1 : -2;
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
	char *about = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;"
				      "INSERT INTO meta VALUES('uuid', %Q);",
				      APPLICATION_ID, SCHEMA_VERSION, n->uuid);
	int r = run_sql(n, schema, e) || run_sql(n, about, e) ? -1 : 0;
	sqlite3_free(about);
	return r;
}

/* Two programs may come here at once: the second finds the first one's tables. */
static int begin_file(struct note *n, struct err *e)
{
	if (is_local(n->path) && run_sql(n, "PRAGMA journal_mode = WAL", e))
		return -1;
	if (run_sql(n, "BEGIN IMMEDIATE", e))
		return -1;
	int r = check_schema(n, e);
	if (r == -2)
		r = make_schema(n, e);
	if (run_sql(n, r ? "ROLLBACK" : "COMMIT", r ? NULL : e))
		r = -1;
	return r;
}

/* A file: URI, which is the only way to say that nobody writes. */
static char *immutable_uri(const char *path)
{
	struct buf b = BUF_INIT;
	buf_adds(&b, "file:");
	for (const char *s = path; *s; s++) {
		if (strchr("?#%", *s))
			buf_addf(&b, "%%%02x", (unsigned)(u8)*s);
		else
			buf_addc(&b, *s);
	}
	buf_adds(&b, "?immutable=1");
	return buf_take(&b);
}

static int open_sqlite(struct note *n, const char *name, int flags, struct err *e)
{
	if (sqlite3_open_v2(name, &n->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return fail(n, e);
	/* the file may come from anyone: it gets no triggers, views or functions to run */
	sqlite3_db_config(n->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(n->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(n->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(n->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_busy_timeout(n->db, BUSY_MS);
	sqlite3_limit(n->db, SQLITE_LIMIT_LENGTH, 2 * NOTE_MAX_RUN);
	return run_sql(n, "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON", e);
}

/* For reading what lies there.  What is wrong with it is kept as the reason, not lost on the
 * first reader: -1 only says that there is nothing to read. */
static int attach(struct note *n)
{
	struct stat st;
	struct err why = {0};
	if (n->db)
		return 0;
	if (n->broken || stat(n->path, &st))
		return -1;
	if (!S_ISREG(st.st_mode)) {
		refuse(n, true, xasprintf("'%s' is not a file", n->path));
		return -1;
	}
	bool writable = may_write(n->path);
	int r = open_sqlite(n, n->path, writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, &why);
	if (!r)
		r = check_schema(n, &why);
	if (r == -1 && !writable && !n->broken) {
		/* a write-ahead log wants a writable folder even for reading, unless nobody writes */
		close_db(n);
		char *uri = immutable_uri(n->path);
		r = open_sqlite(n, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &why);
		if (!r)
			r = check_schema(n, &why);
		free(uri);
	}
	if (r) {
		close_db(n);
		if (r != -2 && !n->why)
			refuse(n, true, xstrdup(why.msg));
		return -1;
	}
	if (!writable)
		refuse(n, false, xasprintf("'%s' may not be written; copy it to your data folder as featlas/%s.db to go on",
					   n->path, n->uuid));
	return 0;
}

/* For writing: makes the file if there is none. */
static int attach_to_write(struct note *n, struct err *e)
{
	bool there = !attach(n);
	if (n->why)
		return err_set(e, n->broken ? ERR_DAMAGED : ERR_FAILED, "%s", n->why);
	if (there)
		return 0;
	if (xdg_make_parents(n->path, e))
		return -1;
	if (open_sqlite(n, n->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, e) || begin_file(n, e)) {
		close_db(n);
		return e ? err_wrap(e, "cannot keep what you do") : -1;
	}
	return 0;
}

static char *why_no_place(const char *path)
{
	if (is_there(path))
		return NULL;
	char *copy = xstrdup(path), *folder = dirname(copy), *why = NULL;
	/* the folders of one's own data are made when they are needed */
	while (!is_there(folder) && strcmp(folder, "/") && strcmp(folder, "."))
		folder = dirname(folder);
	if (!may_write(folder))
		why = xasprintf("there is no place to keep edits: '%s' may not be written", folder);
	free(copy);
	return why;
}

struct note *note_open(const char *folder, const char *uuid, struct err *e)
{
	if (!uuid[0] || strspn(uuid, "0123456789abcdefABCDEF-") != strlen(uuid)) {
		err_set(e, ERR_DAMAGED, "the atlas '%s' has no proper uuid", folder);
		return NULL;
	}
	struct note *n = xcalloc(1, sizeof *n);
	n->uuid = xstrdup(uuid);
	n->path = choose_path(folder, uuid);
	n->why = why_no_place(n->path);
	attach(n);
	return n;
}

void note_free(struct note *n)
{
	if (!n)
		return;
	close_db(n);
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
	return is_there(n->path);
}

const char *note_read_only(const struct note *n)
{
	return n->why;
}

/* Reading. */

/* Text of a value; the file may hold anything, so it is made valid and, but for notes, one line. */
static char *clean(const char *s, size_t len, bool one_line)
{
	struct buf b = BUF_INIT;
	utf8_add_valid(&b, s, len);
	for (size_t i = 0; i < b.n; i++)
		if (!b.s[i] || (one_line && (b.s[i] == '\n' || b.s[i] == '\r')))
			b.s[i] = ' ';
	return buf_take(&b);
}

static char *column_clean(sqlite3_stmt *s, int column, bool one_line)
{
	const char *text = (const char *)sqlite3_column_text(s, column);
	return text ? clean(text, (size_t)sqlite3_column_bytes(s, column), one_line) : NULL;
}

static void bind_key(sqlite3_stmt *s, int at, int kind, i64 feature, const char *name)
{
	sqlite3_bind_int(s, at, kind);
	sqlite3_bind_int64(s, at + 1, feature);
	if (name)
		sqlite3_bind_text(s, at + 2, name, -1, SQLITE_STATIC);
}

/* Owned text of a value and when it was set, or NULL. */
static char *get(struct note *n, enum note_kind kind, i64 feature, const char *name, i64 *when)
{
	sqlite3_stmt *s;
	char *text = NULL;
	if (attach(n) || !(s = statement(n, GET)))
		return NULL;
	bind_key(s, 1, kind, feature, name);
	int r = sqlite3_step(s);
	if (r == SQLITE_ROW) {
		text = column_clean(s, 0, kind != NOTE_NOTE);
		if (when)
			*when = sqlite3_column_int64(s, 1);
	} else if (r != SQLITE_DONE) {
		fail(n, NULL);
	}
	sqlite3_reset(s);
	return text;
}

char *note_label(struct note *n, u32 feature)
{
	return get(n, NOTE_LABEL, feature, "", NULL);
}

char *note_note(struct note *n, u32 feature)
{
	return get(n, NOTE_NOTE, feature, "", NULL);
}

static int digit(const char *s)
{
	return s && s[0] >= '1' && s[0] <= '5' && !s[1] ? s[0] - '0' : 0;
}

int note_rating(struct note *n, u32 feature)
{
	char *s = get(n, NOTE_RATING, feature, "", NULL);
	int v = digit(s);
	free(s);
	return v;
}

char *note_tags(struct note *n, u32 feature)
{
	sqlite3_stmt *s;
	struct buf b = BUF_INIT;
	int r;
	if (attach(n) || !(s = statement(n, TAGS)))
		return NULL;
	bind_key(s, 1, NOTE_TAG, feature, NULL);
	while ((r = sqlite3_step(s)) == SQLITE_ROW) {
		char *name = column_clean(s, 0, true);
		buf_addf(&b, "%s%s", b.n ? " " : "", name ? name : "");
		free(name);
	}
	if (r != SQLITE_DONE)
		fail(n, NULL);
	sqlite3_reset(s);
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
	char name[2] = {letter, 0}, *s = get(n, NOTE_BOOKMARK, -1, name, NULL);
	bool ok = parse_id(s, feature);
	free(s);
	return ok;
}

int note_each(struct note *n, enum note_kind kind, note_fn fn, void *context, struct err *e)
{
	sqlite3_stmt *s;
	int r;
	if (attach(n))
		return n->broken ? err_set(e, ERR_DAMAGED, "%s", n->why) : 0;
	if (!(s = statement(n, EACH)))
		return fail(n, e);
	sqlite3_bind_int(s, 1, kind);
	while ((r = sqlite3_step(s)) == SQLITE_ROW) {
		i64 id = sqlite3_column_int64(s, 0);
		char *name = column_clean(s, 1, true), *text = column_clean(s, 2, kind != NOTE_NOTE);
		u32 feature = (u32)id;
		bool ok = kind == NOTE_BOOKMARK ? parse_id(text, &feature) : id >= 0 && id <= UINT32_MAX;
		if (ok && name && text)
			fn(context, feature, name, kind == NOTE_BOOKMARK ? "" : text, sqlite3_column_int64(s, 3));
		free(name);
		free(text);
	}
	int failed = r == SQLITE_DONE ? 0 : fail(n, e);
	sqlite3_reset(s);
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
	sqlite3_stmt *s;
	if (attach(n) || !(s = statement(n, REVISION)))
		return n->revision;
	if (sqlite3_step(s) == SQLITE_ROW)
		n->revision = (u64)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return n->revision;
}

/* Verifying. */

/* Each row of a query is a fault, but for the one that says ok. */
static int faults(struct note *n, const char *text, void (*say)(void *, const char *), void *context)
{
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(n->db, text, -1, &s, NULL);
	while (r == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
		char *words = column_clean(s, 0, true);
		char *sentence = xasprintf("'%s': %s", n->path, words ? words : "damaged");
		if (words && strcmp(words, "ok") != 0)
			say(context, sentence);
		free(sentence);
		free(words);
	}
	r = sqlite3_finalize(s);
	if (r == SQLITE_OK)
		return 0;
	struct err e = {0};
	fail(n, &e);
	say(context, e.msg);
	return -1;
}

int note_verify(struct note *n, u32 n_features, void (*say)(void *, const char *), void *context)
{
	if (attach(n)) {
		if (n->broken)
			say(context, n->why);
		return n->broken ? -1 : 0;
	}
	char *wrong = xasprintf(
		"SELECT 'a value of feature ' || feature || ', which there is not' FROM value"
		" WHERE kind <> 4 AND (feature < 0 OR feature >= %u) UNION ALL "
		"SELECT 'bookmark ' || name || ' is of no feature' FROM value"
		" WHERE kind = 4 AND CAST(text AS INTEGER) NOT BETWEEN 0 AND %u UNION ALL "
		"SELECT 'a value of an unknown kind (' || kind || ')' FROM value WHERE kind NOT BETWEEN 0 AND 5 UNION ALL "
		"SELECT 'feature ' || feature || ' has a quiz of an unknown method' FROM value"
		" WHERE kind = 5 AND name NOT IN ('detection', 'fuzzing') UNION ALL "
		"SELECT 'feature ' || feature || ' has a rating that is not 1 to 5' FROM value"
		" WHERE kind = 1 AND text NOT IN ('1', '2', '3', '4', '5') UNION ALL "
		"SELECT 'edit ' || seq || ' can be undone but is not in the log' FROM pile"
		" WHERE seq NOT IN (SELECT seq FROM log) LIMIT 20",
		n_features, n_features - 1);
	int r = faults(n, "PRAGMA integrity_check(20)", say, context) || faults(n, wrong, say, context) ? -1 : 0;
	free(wrong);
	return r;
}

/* Editing. */

static int step(struct note *n, sqlite3_stmt *s, struct err *e)
{
	if (!s)
		return fail(n, e);
	int r = sqlite3_step(s) == SQLITE_DONE ? 0 : fail(n, e);
	sqlite3_reset(s);
	return r;
}

/* text NULL takes the value away. */
static int put(struct note *n, int kind, i64 feature, const char *name, const char *text, i64 when, struct err *e)
{
	sqlite3_stmt *s = statement(n, text ? SET : UNSET);
	if (!s)
		return fail(n, e);
	bind_key(s, 1, kind, feature, name);
	if (text) {
		sqlite3_bind_text(s, 4, text, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 5, when);
	}
	return step(n, s, e);
}

struct entry {
	int kind;
	i64 feature, ref, before_time, time;
	char *name, *before, *after; /* owned */
};

static int append(struct note *n, const char *verb, const struct entry *l, struct err *e)
{
	sqlite3_stmt *s = statement(n, APPEND);
	if (!s)
		return fail(n, e);
	sqlite3_bind_int64(s, 1, time(NULL));
	sqlite3_bind_text(s, 2, verb, -1, SQLITE_STATIC);
	if (l->ref)
		sqlite3_bind_int64(s, 3, l->ref);
	else
		sqlite3_bind_null(s, 3);
	bind_key(s, 4, l->kind, l->feature, l->name);
	sqlite3_bind_text(s, 7, l->before, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 8, l->before_time);
	sqlite3_bind_text(s, 9, l->after, -1, SQLITE_STATIC);
	return step(n, s, e);
}

static void entry_release(struct entry *l)
{
	free(l->name);
	free(l->before);
	free(l->after);
}

static int end_edit(struct note *n, int r, struct err *e)
{
	if (!r && !run_sql(n, "COMMIT", e))
		return 0;
	if (!sqlite3_get_autocommit(n->db))
		sqlite3_exec(n->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

/* One edit: a transaction of value, log and pile.  after NULL takes the value away. */
static int edit(struct note *n, enum note_kind kind, i64 feature, const char *name, const char *after, struct err *e)
{
	if (attach_to_write(n, e) || run_sql(n, "BEGIN IMMEDIATE", e))
		return -1;
	struct entry l = {.kind = (int)kind, .feature = feature, .name = xstrdup(name)};
	l.before = get(n, kind, feature, name, &l.before_time);
	l.after = after ? xstrdup(after) : NULL;
	int r = 0;
	bool same = l.before && after ? !strcmp(l.before, after) : !l.before && !after;
	if (!same)
		r = put(n, l.kind, feature, name, after, time(NULL), e) || append(n, "edit", &l, e) ||
		    step(n, statement(n, PUSH), e) || step(n, statement(n, FORGET), e);
	entry_release(&l);
	return end_edit(n, r, e);
}

/* Cleaned text with no blanks at its ends, or NULL with an error where it is too long. */
static char *trimmed(const char *text, size_t max, bool one_line, const char *what, struct err *e)
{
	char *s = clean(text, strlen(text), one_line);
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

int note_toggle_tag(struct note *n, u32 feature, const char *tag, bool *now, struct err *e)
{
	char *s = trimmed(tag, NOTE_MAX_TAG, true, "tag", e);
	if (!s)
		return -1;
	int r = -1;
	if (!s[0] || strpbrk(s, " \t")) {
		err_set(e, ERR_USAGE, "a tag is one word, not '%s'", s);
	} else {
		char *had = get(n, NOTE_TAG, feature, s, NULL);
		r = edit(n, NOTE_TAG, feature, s, had ? NULL : "", e);
		if (!r && now)
			*now = !had;
		free(had);
	}
	free(s);
	return r;
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
	return edit(n, NOTE_BOOKMARK, -1, name, value, e);
}

int note_set_quiz(struct note *n, u32 feature, const char *method, const char *json, struct err *e)
{
	if (strlen(json) > NOTE_MAX_NOTE)
		return err_set(e, ERR_USAGE, "a quiz has at most %d bytes", NOTE_MAX_NOTE);
	return edit(n, NOTE_QUIZ, feature, method, json, e);
}

char *note_quiz(struct note *n, u32 feature, const char *method)
{
	return get(n, NOTE_QUIZ, feature, method, NULL);
}

/* Undo. */

static int read_entry(struct note *n, i64 seq, struct entry *l, struct err *e)
{
	sqlite3_stmt *s = statement(n, ENTRY);
	if (!s)
		return fail(n, e);
	sqlite3_bind_int64(s, 1, seq);
	int r = 0, got = sqlite3_step(s);
	*l = (struct entry){.ref = seq};
	if (got == SQLITE_ROW) {
		l->kind = sqlite3_column_int(s, 0);
		l->feature = sqlite3_column_int64(s, 1);
		l->name = column_clean(s, 2, true);
		l->before = column_clean(s, 3, l->kind != NOTE_NOTE);
		l->before_time = sqlite3_column_int64(s, 4);
		l->after = column_clean(s, 5, l->kind != NOTE_NOTE);
		l->time = sqlite3_column_int64(s, 6);
	} else {
		r = got == SQLITE_DONE ? err_set(e, ERR_DAMAGED, "'%s' has lost entry %lld of its log", n->path,
						 (long long)seq)
				       : fail(n, e);
	}
	sqlite3_reset(s);
	if (!r && (!l->name || l->kind < 0 || l->kind >= (int)ARRAY_LEN(kind_words))) {
		entry_release(l);
		r = err_set(e, ERR_DAMAGED, "entry %lld of the log of '%s' makes no sense", (long long)seq, n->path);
	}
	return r;
}

static char *sentence(bool undo, const struct entry *l)
{
	const char *verb = undo ? "took back" : "put back", *what = kind_words[l->kind];
	if (l->kind == NOTE_BOOKMARK)
		return xasprintf("%s the bookmark '%s'", verb, l->name);
	if (l->kind == NOTE_TAG)
		return xasprintf("%s the tag '%s' of #%lld", verb, l->name, (long long)l->feature);
	return xasprintf("%s the %s of #%lld", verb, what, (long long)l->feature);
}

static i64 find_entry(struct note *n, bool undo, struct err *e)
{
	sqlite3_stmt *s = statement(n, undo ? NEWEST_DONE : OLDEST_UNDONE);
	i64 seq = -1;
	if (s && sqlite3_step(s) == SQLITE_ROW)
		seq = sqlite3_column_int64(s, 0);
	else
		fail(n, e);
	sqlite3_reset(s);
	if (!seq)
		err_set(e, ERR_NOT_FOUND, "there is nothing to %s", undo ? "undo" : "redo");
	return seq > 0 ? seq : -1;
}

static int mark(struct note *n, i64 seq, bool undone, struct err *e)
{
	sqlite3_stmt *s = statement(n, MARK);
	if (!s)
		return fail(n, e);
	sqlite3_bind_int64(s, 1, seq);
	sqlite3_bind_int(s, 2, undone);
	return step(n, s, e);
}

static int move(struct note *n, bool undo, char **said, struct err *e)
{
	if (said)
		*said = NULL;
	if (attach(n) && !n->why)
		return err_set(e, ERR_NOT_FOUND, "there is nothing to %s", undo ? "undo" : "redo");
	if (attach_to_write(n, e) || run_sql(n, "BEGIN IMMEDIATE", e))
		return -1;
	struct entry l = {0};
	i64 seq = find_entry(n, undo, e);
	int r = seq < 0 ? -1 : read_entry(n, seq, &l, e);
	if (!r) {
		r = put(n, l.kind, l.feature, l.name, undo ? l.before : l.after, undo ? l.before_time : l.time, e) ||
		    append(n, undo ? "undo" : "redo", &l, e) || mark(n, seq, undo, e);
		r = end_edit(n, r, e);
		if (!r && said)
			*said = sentence(undo, &l);
		entry_release(&l);
		return r;
	}
	return end_edit(n, r, e);
}

int note_undo(struct note *n, char **said, struct err *e)
{
	return move(n, true, said, e);
}

int note_redo(struct note *n, char **said, struct err *e)
{
	return move(n, false, said, e);
}

/* Runs. */

int note_keep_run(struct note *n, const char *hash, const char *json, struct err *e)
{
	if (strlen(json) > NOTE_MAX_RUN)
		return err_set(e, ERR_USAGE, "a run has at most %d bytes", NOTE_MAX_RUN);
	if (attach_to_write(n, e))
		return -1;
	sqlite3_stmt *s = statement(n, KEEP_RUN);
	if (!s)
		return fail(n, e);
	sqlite3_bind_text(s, 1, hash, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, json, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, time(NULL));
	return step(n, s, e);
}

char *note_run(struct note *n, const char *hash)
{
	sqlite3_stmt *s;
	char *json = NULL;
	if (attach(n) || !(s = statement(n, GET_RUN)))
		return NULL;
	sqlite3_bind_text(s, 1, hash, -1, SQLITE_STATIC);
	int r = sqlite3_step(s);
	if (r == SQLITE_ROW)
		json = column_clean(s, 0, false);
	else if (r != SQLITE_DONE)
		fail(n, NULL);
	sqlite3_reset(s);
	return json;
}

int note_each_run(struct note *n, void (*fn)(void *, const char *hash, const char *json, i64 when), void *context,
		  struct err *e)
{
	sqlite3_stmt *s;
	int r;
	if (attach(n))
		return 0;
	if (!(s = statement(n, EACH_RUN)))
		return fail(n, e);
	while ((r = sqlite3_step(s)) == SQLITE_ROW) {
		char *hash = column_clean(s, 0, true), *json = column_clean(s, 1, false);
		if (hash && json)
			fn(context, hash, json, sqlite3_column_int64(s, 2));
		free(hash);
		free(json);
	}
	int bad = r == SQLITE_DONE ? 0 : fail(n, e);
	sqlite3_reset(s);
	return bad;
}
