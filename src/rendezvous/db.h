/* src/rendezvous/db.h - the peer database as SQLite sees it; for store.c and import.c only
 *
 * A connection belongs to one thread at a time. Source: sqlite.org/c3ref. */
#pragma once
#include "base/error.h"
#include "proto/wire.h"
#include <sqlite3.h>

/* Opens or makes the database with its table. -EUCLEAN: damaged, or no database at all. */
int px_db_open(const char *path, sqlite3 **ret, struct px_error *err);
/* The last error of @db as ours: -ENOSPC, -EUCLEAN, -ENOENT, -EACCES or -EIO. */
int px_db_fail(struct px_error *err, sqlite3 *db, const char *what);
/* A column's bytes, lent until the next step; never NULL. */
struct px_bytes px_db_bytes(sqlite3_stmt *st, int i);
/* Binds text that lives until the statement ran. */
void px_db_bind_text(sqlite3_stmt *st, int i, const uint8_t *data, size_t size);
/* Runs a statement that gives no rows, and resets it. -EIO. */
int px_db_step(sqlite3_stmt *st);
/* import.c: moves a damaged database aside and saves to a new one what can be read. */
int px_db_salvage(const char *path, struct px_error *err);
