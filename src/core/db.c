/* SPDX-License-Identifier: MIT */
/* db.c - SQLite, opened with care. */
#include "core/db.h"

#include "base/buf.h"
#include "base/mem.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_MS = 5000 };

struct statement {
	sqlite3_stmt *s;
};

struct db {
	char *path;
	sqlite3 *file; /* NULL: closed */
	const char *const *sql;
	struct statement *statements; /* [n] */
	size_t n;
	int longest;
};

struct db *db_new(const char *path, const char *const *sql, size_t n, int longest)
{
	struct db *d = xcalloc(1, sizeof *d);
	d->path = xstrdup(path);
	d->sql = sql;
	d->statements = xcalloc(n, sizeof *d->statements);
	d->n = n;
	d->longest = longest;
	return d;
}

void db_free(struct db *d)
{
	if (!d)
		return;
	db_close(d);
	free(d->path);
	free(d->statements);
	free(d);
}

/* A file: URI, which is the only way to say that nobody writes. */
static char *unchanging_uri(const char *path)
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

static int open_file(struct db *d, enum db_mode mode)
{
	static const int flags[] = {
		[DB_READ] = SQLITE_OPEN_READONLY,
		[DB_READ_UNCHANGING] = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
		[DB_WRITE] = SQLITE_OPEN_READWRITE,
		[DB_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	};
	char *uri = mode == DB_READ_UNCHANGING ? unchanging_uri(d->path) : NULL;
	int r = sqlite3_open_v2(uri ? uri : d->path, &d->file, flags[mode] | SQLITE_OPEN_NOMUTEX, NULL);
	free(uri);
	return r == SQLITE_OK ? 0 : -1;
}

int db_open(struct db *d, enum db_mode mode)
{
	if (open_file(d, mode))
		return -1;
	sqlite3_db_config(d->file, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(d->file, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(d->file, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(d->file, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_busy_timeout(d->file, BUSY_MS);
	sqlite3_limit(d->file, SQLITE_LIMIT_LENGTH, d->longest);
	return db_run(d, "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON");
}

void db_close(struct db *d)
{
	for (size_t i = 0; i < d->n; i++) {
		sqlite3_finalize(d->statements[i].s);
		d->statements[i].s = NULL;
	}
	sqlite3_close(d->file);
	d->file = NULL;
}

bool db_is_open(const struct db *d)
{
	return d->file;
}

enum db_fault db_error(const struct db *d, struct err *e)
{
	const char *text = sqlite3_errmsg(d->file);
	switch (sqlite3_errcode(d->file) & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err_set(e, ERR_DAMAGED, "'%s' is damaged (%s); it is left as it is: move it away to start anew", d->path,
			text);
		return DB_DAMAGED;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		err_set(e, ERR_FAILED, "'%s' is being written by another program", d->path);
		return DB_FAILED;
	case SQLITE_FULL:
		err_set(e, ERR_FAILED, "cannot write '%s': the disk is full", d->path);
		return DB_FAILED;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		err_set(e, ERR_FAILED, "'%s' may not be written (%s)", d->path, text);
		return DB_READONLY;
	}
	err_set(e, ERR_FAILED, "cannot use '%s': %s", d->path, text);
	return DB_FAILED;
}

int db_run(struct db *d, const char *text)
{
	return sqlite3_exec(d->file, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

int db_number(struct db *d, const char *text, i64 *v)
{
	sqlite3_stmt *s = NULL;
	bool ok = sqlite3_prepare_v2(d->file, text, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
	if (ok)
		*v = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return ok ? 0 : -1;
}

int db_each(struct db *d, const char *text, void (*fn)(void *, const char *, size_t), void *context)
{
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(d->file, text, -1, &s, NULL);
	while (r == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
		const char *words = (const char *)sqlite3_column_text(s, 0);
		fn(context, words ? words : "", words ? (size_t)sqlite3_column_bytes(s, 0) : 0);
	}
	return sqlite3_finalize(s) == SQLITE_OK && r == SQLITE_OK ? 0 : -1;
}

bool db_in_transaction(const struct db *d)
{
	return !sqlite3_get_autocommit(d->file);
}

struct statement *db_statement(struct db *d, size_t i)
{
	struct statement *q = &d->statements[i];
	if (!q->s)
		sqlite3_prepare_v3(d->file, d->sql[i], -1, SQLITE_PREPARE_PERSISTENT, &q->s, NULL);
	return q->s ? q : NULL;
}

struct statement *db_walk(struct db *d, size_t i)
{
	struct statement q = {0};
	if (sqlite3_prepare_v2(d->file, d->sql[i], -1, &q.s, NULL) != SQLITE_OK)
		return NULL;
	struct statement *own = xmalloc(sizeof *own);
	*own = q;
	return own;
}

void statement_free(struct statement *q)
{
	sqlite3_finalize(q->s);
	free(q);
}

i64 db_last_id(const struct db *d)
{
	return sqlite3_last_insert_rowid(d->file);
}

void statement_set_number(struct statement *q, int at, i64 v)
{
	sqlite3_bind_int64(q->s, at, v);
}

void statement_set_text(struct statement *q, int at, const char *s)
{
	sqlite3_bind_text(q->s, at, s, -1, SQLITE_STATIC);
}

void statement_set_null(struct statement *q, int at)
{
	sqlite3_bind_null(q->s, at);
}

enum statement_got statement_step(struct statement *q)
{
	int r = sqlite3_step(q->s);
	return r == SQLITE_ROW ? STATEMENT_ROW : r == SQLITE_DONE ? STATEMENT_DONE : STATEMENT_FAILED;
}

i64 statement_number(struct statement *q, int column)
{
	return sqlite3_column_int64(q->s, column);
}

const char *statement_text(struct statement *q, int column, size_t *len)
{
	const char *s = (const char *)sqlite3_column_text(q->s, column);
	*len = s ? (size_t)sqlite3_column_bytes(q->s, column) : 0;
	return s;
}

void statement_reset(struct statement *q)
{
	sqlite3_reset(q->s);
}
