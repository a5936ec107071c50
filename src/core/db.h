/* SPDX-License-Identifier: MIT */
/* db.h - one SQLite database and its prepared statements.  The only user of SQLite.
 *
 * The file may come from anyone: it gets no triggers, views or functions to run, and whoever reads text from it
 * cleans it.  A call that fails leaves its reason for db_error.  One thread.
 */
#ifndef FEATLAS_DB_H
#define FEATLAS_DB_H

#include "base/err.h"

struct db;
struct statement; /* a prepared statement, kept by its database */

enum db_mode {
	DB_READ,
	DB_READ_UNCHANGING, /* nobody writes: needs no write-ahead log, nor a folder that may be written for one */
	DB_WRITE,           /* a file that is there */
	DB_CREATE,
};
enum db_fault { DB_FAILED, DB_DAMAGED, DB_READONLY };

/* Closed yet.  sql: the texts of its n statements, kept by reference.  longest: bytes of a value, at most. */
struct db *db_new(const char *path, const char *const *sql, size_t n, int longest);
void db_free(struct db *d); /* NULL is fine */
int db_open(struct db *d, enum db_mode mode);
void db_close(struct db *d); /* closed already is fine */
bool db_is_open(const struct db *d);
/* The sentence of the last failure goes to *e (or NULL); says what kind of fault it was. */
enum db_fault db_error(const struct db *d, struct err *e);

int db_run(struct db *d, const char *text); /* statements that give nothing */
int db_number(struct db *d, const char *text, i64 *v); /* the one number that a statement gives, NULL as 0 */
/* Calls fn for the first column of each row, NULL as "". */
int db_each(struct db *d, const char *text, void (*fn)(void *, const char *s, size_t len), void *context);
bool db_in_transaction(const struct db *d);

/* Statement i, prepared at its first use and ready to be bound; NULL if it does not fit the database. */
struct statement *db_statement(struct db *d, size_t i);
/* The same of its own, to be walked while others are asked; the caller frees it before the database closes. */
struct statement *db_walk(struct db *d, size_t i);
void statement_free(struct statement *q);
i64 db_last_id(const struct db *d); /* of the row that was inserted last */
/* Parameters count from 1, columns from 0.  Text is borrowed until the statement is done. */
void statement_set_number(struct statement *q, int at, i64 v);
void statement_set_text(struct statement *q, int at, const char *s /* NULL: the value NULL */);
void statement_set_null(struct statement *q, int at);
enum statement_got { STATEMENT_FAILED = -1, STATEMENT_DONE, STATEMENT_ROW };
enum statement_got statement_step(struct statement *q);
i64 statement_number(struct statement *q, int column);
/* Of the row at hand: borrowed until the next step, any bytes, or NULL. */
const char *statement_text(struct statement *q, int column, size_t *len);
void statement_reset(struct statement *q); /* to be bound anew; ends its reading */

#endif
