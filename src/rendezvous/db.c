/* src/rendezvous/db.c - the peer database as SQLite sees it */
#include "rendezvous/db.h"
#include <sys/stat.h>

#define BUSY_MS 5000

static const char schema[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                             "CREATE TABLE IF NOT EXISTS peer ("
                             " id TEXT PRIMARY KEY, uuid BLOB NOT NULL, pk BLOB NOT NULL,"
                             " ip TEXT, port INTEGER, local TEXT, seen INTEGER, created INTEGER "
                             "NOT NULL DEFAULT (unixepoch())"
                             ") WITHOUT ROWID;";

int px_db_fail(struct px_error *err, sqlite3 *db, const char *what) {
    int code = db ? sqlite3_extended_errcode(db) & 0xff : SQLITE_NOMEM;
    int r = code == SQLITE_FULL                               ? -ENOSPC
            : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? -EUCLEAN
            : code == SQLITE_CANTOPEN                         ? -ENOENT
            : code == SQLITE_READONLY || code == SQLITE_PERM  ? -EACCES
                                                              : -EIO;
    return px_fail(err, r, "%s: %s", what, db ? sqlite3_errmsg(db) : "no memory");
}

struct px_bytes px_db_bytes(sqlite3_stmt *st, int i) {
    const void *data = sqlite3_column_blob(st, i);
    return (struct px_bytes){data ? data : (const void *)"", (size_t)sqlite3_column_bytes(st, i)};
}

int px_db_open(const char *path, sqlite3 **ret, struct px_error *err) {
    sqlite3 *db = NULL;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int r = 0;
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK)
        r = px_db_fail(err, db, path);
    if (r == 0) {
        sqlite3_busy_timeout(db, BUSY_MS);
        if (sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
            r = px_db_fail(err, db, path);
    }
    if (r < 0) {
        sqlite3_close(db);
        return r;
    }
    (void)chmod(path, 0600);
    *ret = db;
    return 0;
}

void px_db_bind_text(sqlite3_stmt *st, int i, const uint8_t *data, size_t size) {
    sqlite3_bind_text(st, i, (const char *)data, (int)size, SQLITE_STATIC);
}

int px_db_step(sqlite3_stmt *st) {
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : -EIO;
}
