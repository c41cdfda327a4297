/* src/rendezvous/import.c - peers out of other databases: the official server's, or a damaged one
 */
#include "base/alloc.h"
#include "base/log.h"
#include "rendezvous/db.h"
#include "rendezvous/store.h"
#include <stdio.h>
#include <time.h>

/* The official table keeps the address in a JSON object; ours in columns. */
static const char import_official[] = "SELECT id,uuid,pk,json_extract(info,'$.ip') FROM peer";
static const char import_own[] = "SELECT id,uuid,pk,ip FROM peer ORDER BY id";
static const char import_own_back[] = "SELECT id,uuid,pk,ip FROM peer ORDER BY id DESC";

static int copy_row(sqlite3_stmt *from, sqlite3_stmt *to) {
    const struct px_bytes id = px_db_bytes(from, 0), uuid = px_db_bytes(from, 1),
                          pk = px_db_bytes(from, 2);
    const char *ip = (const char *)sqlite3_column_text(from, 3);
    struct px_addr addr;
    char text[PX_ADDR_TEXT_MAX];
    if (id.size == 0 || id.size > PX_PEER_ID_MAX_BYTES || pk.size != PX_PEER_PK_BYTES ||
        uuid.size == 0 || uuid.size > PX_PEER_UUID_MAX_BYTES || !px_utf8_valid(id))
        return 0;
    px_db_bind_text(to, 1, id.data, id.size);
    sqlite3_bind_blob(to, 2, uuid.data, (int)uuid.size, SQLITE_STATIC);
    sqlite3_bind_blob(to, 3, pk.data, (int)pk.size, SQLITE_STATIC);
    if (ip && px_addr_parse(ip, 0, &addr, NULL) == 0)
        sqlite3_bind_text(to, 4, px_addr_ip_text(&addr, text), -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(to, 4);
    return px_db_step(to) < 0 ? -EIO : 1;
}

static int copy_rows(sqlite3 *db, sqlite3 *old, const char *sql, size_t *n, struct px_error *err) {
    sqlite3_stmt *from = NULL, *to = NULL;
    int rc = SQLITE_DONE, r = 0;
    if (sqlite3_prepare_v2(old, sql, -1, &from, NULL) != SQLITE_OK)
        return px_db_fail(err, old, "the old peer table");
    if (sqlite3_prepare_v2(db, "INSERT OR IGNORE INTO peer(id,uuid,pk,ip) VALUES(?1,?2,?3,?4)", -1,
                           &to, NULL) != SQLITE_OK)
        r = px_db_fail(err, db, "peer database");
    while (r >= 0 && (rc = sqlite3_step(from)) == SQLITE_ROW) {
        r = copy_row(from, to);
        if (r < 0)
            px_db_fail(err, db, "peer database");
        else
            *n += (size_t)sqlite3_changes(db) * (size_t)r;
    }
    if (r >= 0 && rc != SQLITE_DONE)
        r = px_db_fail(err, old, "the old peer table");
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    return r < 0 ? r : 0;
}

int px_store_import(const char *path, const char *from, size_t *ret_n, struct px_error *err) {
    sqlite3 *db = NULL, *old = NULL;
    size_t n = 0;
    if (sqlite3_open_v2(from, &old, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        int r = px_db_fail(err, old, from);
        sqlite3_close(old);
        return r;
    }
    int r = px_db_open(path, &db, err);
    if (r == 0) {
        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        r = copy_rows(db, old, import_official, &n, err);
        if (r < 0 && copy_rows(db, old, import_own, &n, NULL) < 0)
            (void)copy_rows(db, old, import_own_back, &n, NULL); /* behind the damage */
        else
            r = 0;
        if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
            r = px_db_fail(err, db, path);
    }
    sqlite3_close(old);
    sqlite3_close(db);
    *ret_n = n;
    return r;
}

/* Moves a damaged file out of the way and writes what is in memory to a new one: the identity
 * hashes cannot be turned back, so rows are copied from the old file as far as it can be read. */
int px_db_salvage(const char *path, struct px_error *err) {
    px_cleanup_free char *aside = px_asprintf("%s.damaged-%lld", path, (long long)time(NULL));
    sqlite3 *db = NULL;
    size_t n = 0;
    if (rename(path, aside) < 0)
        return px_fail_sys(err, -errno, "cannot move '%s' aside", path);
    for (size_t i = 0; i < 2; i++) { /* a stale log must not be applied to the new file */
        px_cleanup_free char *extra = px_asprintf("%s%s", path, i ? "-wal" : "-shm");
        px_cleanup_free char *extra_aside = px_asprintf("%s%s", aside, i ? "-wal" : "-shm");
        (void)rename(extra, extra_aside);
    }
    int r = px_db_open(path, &db, err);
    if (r < 0)
        return r;
    sqlite3_close(db);
    struct px_error why = {0};
    r = px_store_import(path, aside, &n, &why);
    px_error("store: '%s' was damaged and is now '%s': %zu peers saved%s%s", path, aside, n,
             r < 0 ? ", then: " : "", r < 0 ? why.msg : "");
    return 0;
}
