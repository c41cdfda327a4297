/* src/rendezvous/store.c - peers on disk */
#include "rendezvous/store.h"
#include "rendezvous/db.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define BATCH_WAIT_MS 100
#define RETRY_US (5 * PX_US_PER_S)

/* Changes are queued in blocks of their own: small allocations between those of the peers, freed
 * soon after, would leave holes in memory. */
#define BLOCK_BYTES (256u * 1024)
struct block {
    struct block *next;
    size_t used, n; /* bytes; changes */
    _Alignas(16) uint8_t data[BLOCK_BYTES];
};

/* A queued change; the bytes of id, old_id, uuid and pk stand one after the other in data. */
struct change {
    size_t total;   /* with padding */
    int64_t seen_s; /* wall clock */
    struct px_addr addr, local;
    uint8_t change, id_size, old_size, pk_size;
    uint16_t uuid_size;
    uint8_t data[];
};

struct px_store {
    sqlite3 *db; /* the thread's, once it runs */
    char *path;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct block *first, *last; /* from here on under the lock */
    size_t n_queued, n_written, n_dropped, n_failed;
    bool stop;
};

static int64_t wall_s(void) {
    return (int64_t)time(NULL);
}

static void take_row(sqlite3_stmt *st, struct px_peers *peers, int64_t now_us, int64_t now_s) {
    const char *ip = (const char *)sqlite3_column_text(st, 3);
    struct px_peer_row row = {
        .id = px_db_bytes(st, 0), .uuid = px_db_bytes(st, 1), .pk = px_db_bytes(st, 2)};
    if (ip && px_addr_parse(ip, (uint16_t)sqlite3_column_int(st, 4), &row.addr, NULL) < 0)
        row.addr = (struct px_addr){0};
    const char *local = (const char *)sqlite3_column_text(st, 6);
    if (local && px_addr_parse(local, 0, &row.local, NULL) < 0)
        row.local = (struct px_addr){0};
    /* Without a time, or one to come (the wall clock went back): better offline than a stale
     * address. */
    const int64_t seen_s = sqlite3_column_int64(st, 5);
    int64_t age_s = seen_s <= 0 || seen_s > now_s ? INT32_MAX : now_s - seen_s;
    if (age_s > INT32_MAX)
        age_s = INT32_MAX;
    px_peers_load(peers, &row, now_us - age_s * PX_US_PER_S);
}

static int load(sqlite3 *db, struct px_peers *peers, struct px_error *err) {
    static const char sql[] = "SELECT id,uuid,pk,ip,port,seen,local FROM peer";
    sqlite3_stmt *st = NULL;
    const int64_t now_us = px_now_us(), now_s = wall_s();
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        return px_db_fail(err, db, "peer table");
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        take_row(st, peers, now_us, now_s);
    int r = rc == SQLITE_DONE ? 0 : px_db_fail(err, db, "peer table");
    sqlite3_finalize(st);
    return r;
}

static struct change *next_change(struct block *b, struct change *c) {
    uint8_t *at = c ? (uint8_t *)c + c->total : b->data;
    return at < b->data + b->used ? (struct change *)(void *)at : NULL;
}

/* Room for a change at the end of the queue. */
static struct change *append(struct px_store *s, size_t total) {
    if (!s->last || s->last->used + total > BLOCK_BYTES) {
        struct block *b = px_calloc(1, sizeof(*b));
        if (s->last)
            s->last->next = b;
        else
            s->first = b;
        s->last = b;
    }
    struct change *c = (struct change *)(void *)(s->last->data + s->last->used);
    c->total = total;
    s->last->used += total;
    s->last->n++;
    return c;
}

static void add_change(struct px_store *s, const struct px_peer_row *row) {
    const struct px_bytes parts[] = {row->id, row->old_id, row->uuid, row->pk};
    size_t total = sizeof(struct change);
    for (size_t i = 0; i < PX_N_ELEMENTS(parts); i++)
        total += parts[i].size;
    struct change *c = append(s, (total + 15) / 16 * 16);
    uint8_t *to = c->data;
    c->change = (uint8_t)row->change;
    c->seen_s = wall_s();
    c->addr = row->addr;
    c->local = row->local;
    c->id_size = (uint8_t)row->id.size;
    c->old_size = (uint8_t)row->old_id.size;
    c->uuid_size = (uint16_t)row->uuid.size;
    c->pk_size = (uint8_t)row->pk.size;
    for (size_t i = 0; i < PX_N_ELEMENTS(parts); to += parts[i++].size)
        if (parts[i].size)
            memcpy(to, parts[i].data, parts[i].size);
}

void px_store_push(void *data, const struct px_peer_row *row) {
    struct px_store *s = data;
    pthread_mutex_lock(&s->lock);
    if (s->n_queued >= PX_STORE_QUEUE_MAX) {
        s->n_dropped++;
    } else {
        add_change(s, row);
        if (s->n_queued++ == 0)
            pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
}

struct statements {
    sqlite3_stmt *store, *move, *rename, *clear, *delete;
};

static int prepare(sqlite3 *db, struct statements *st) {
    static const char *const sql[] = {
        "INSERT INTO peer(id,uuid,pk,ip,port,seen,local) VALUES(?1,?2,?3,?4,?5,?6,?7) ON "
        "CONFLICT(id)"
        " DO UPDATE SET uuid=?2,pk=?3,ip=?4,port=?5,seen=?6,local=?7",
        "UPDATE peer SET ip=?2,port=?3,seen=?4,local=?5 WHERE id=?1",
        "UPDATE peer SET id=?1 WHERE id=?2",
        "DELETE FROM peer WHERE id=?1",
        "DELETE FROM peer WHERE id=?1",
    };
    sqlite3_stmt **to[] = {&st->store, &st->move, &st->rename, &st->clear, &st->delete};
    for (size_t i = 0; i < PX_N_ELEMENTS(sql); i++)
        if (sqlite3_prepare_v2(db, sql[i], -1, to[i], NULL) != SQLITE_OK)
            return -EIO;
    return 0;
}

static void finalize(struct statements *st) {
    sqlite3_finalize(st->store);
    sqlite3_finalize(st->move);
    sqlite3_finalize(st->rename);
    sqlite3_finalize(st->clear);
    sqlite3_finalize(st->delete);
}

/* Address, port, time, our own address. @text has to live until the statement ran. */
static void bind_addr(sqlite3_stmt *st, int i, const struct change *c,
                      char text[2][PX_ADDR_TEXT_MAX]) {
    static const struct px_addr none;
    sqlite3_bind_text(st, i, px_addr_ip_text(&c->addr, text[0]), -1, SQLITE_STATIC);
    sqlite3_bind_int(st, i + 1, c->addr.port);
    sqlite3_bind_int64(st, i + 2, c->seen_s);
    if (px_addr_same_ip(&c->local, &none))
        sqlite3_bind_null(st, i + 3);
    else
        sqlite3_bind_text(st, i + 3, px_addr_ip_text(&c->local, text[1]), -1, SQLITE_STATIC);
}

static int write_change(struct statements *st, const struct change *c) {
    char ip[2][PX_ADDR_TEXT_MAX];
    const uint8_t *old = c->data + c->id_size, *uuid = old + c->old_size;
    switch ((enum px_peer_change)c->change) {
    case PX_PEER_STORE:
        px_db_bind_text(st->store, 1, c->data, c->id_size);
        sqlite3_bind_blob(st->store, 2, uuid, c->uuid_size, SQLITE_STATIC);
        sqlite3_bind_blob(st->store, 3, uuid + c->uuid_size, c->pk_size, SQLITE_STATIC);
        bind_addr(st->store, 4, c, ip);
        return px_db_step(st->store);
    case PX_PEER_MOVE:
        px_db_bind_text(st->move, 1, c->data, c->id_size);
        bind_addr(st->move, 2, c, ip);
        return px_db_step(st->move);
    case PX_PEER_RENAME:
        px_db_bind_text(st->clear, 1, c->data, c->id_size);
        px_db_bind_text(st->rename, 1, c->data, c->id_size);
        px_db_bind_text(st->rename, 2, old, c->old_size);
        return px_db_step(st->clear) < 0 ? -EIO : px_db_step(st->rename);
    case PX_PEER_DELETE:
        px_db_bind_text(st->delete, 1, c->data, c->id_size);
        return px_db_step(st->delete);
    }
    return 0;
}

static int write_batch(sqlite3 *db, struct block *first, struct px_error *err) {
    struct statements st = {0};
    int r = 0;
    if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK || prepare(db, &st) < 0)
        r = px_db_fail(err, db, "peer database");
    for (struct block *b = first; b && r == 0; b = b->next)
        for (struct change *c = next_change(b, NULL); c && r == 0; c = next_change(b, c))
            if (write_change(&st, c) < 0)
                r = px_db_fail(err, db, "peer database");
    finalize(&st);
    if (r == 0 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        r = px_db_fail(err, db, "peer database");
    if (r < 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static size_t free_batch(struct block *b) {
    size_t n = 0;
    for (struct block *next; b; b = next) {
        n += b->n;
        next = b->next;
        free(b);
    }
    return n;
}

/* Waits, lock held, until there is work or the end. Batches what comes within a moment. */
static void wait_for_work(struct px_store *s) {
    while (!s->first && !s->stop)
        pthread_cond_wait(&s->wake, &s->lock);
    if (s->stop)
        return;
    pthread_mutex_unlock(&s->lock);
    px_sleep_us(BATCH_WAIT_MS * PX_US_PER_MS);
    pthread_mutex_lock(&s->lock);
}

static struct block *take_batch(struct px_store *s) {
    struct block *batch = s->first;
    s->first = s->last = NULL;
    return batch;
}

/* @batch is not empty. */
static void put_back(struct px_store *s, struct block *batch) {
    struct block *last = batch;
    while (last->next)
        last = last->next;
    last->next = s->first;
    if (!s->first)
        s->last = last;
    s->first = batch;
}

/* Gives the disk time, but wakes for the end. */
static void pause_after_failure(struct px_store *s) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RETRY_US / PX_US_PER_S;
    while (!s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0)
        ;
}

static void *run(void *data) {
    struct px_store *s = data;
    struct px_error err = {0};
    pthread_mutex_lock(&s->lock);
    for (;;) {
        wait_for_work(s);
        const bool last = s->stop;
        struct block *batch = take_batch(s);
        pthread_mutex_unlock(&s->lock);
        int r = batch ? write_batch(s->db, batch, &err) : 0;
        size_t n = r == 0 ? free_batch(batch) : 0;
        pthread_mutex_lock(&s->lock);
        s->n_written += n;
        s->n_queued -= n;
        if (r < 0) {
            if (s->n_failed++ % 12 == 0)
                px_error("store: cannot write, will try again: %s queued=%zu", err.msg,
                         s->n_queued);
            put_back(s, batch);
            if (!last)
                pause_after_failure(s);
        }
        if (last)
            break;
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int px_store_open(const char *path, struct px_peers *peers, struct px_store **ret,
                  struct px_error *err) {
    struct px_store *s = px_new0(struct px_store, 1);
    s->path = px_strdup(path);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    int r = px_db_open(path, &s->db, err);
    if (r == 0)
        r = load(s->db, peers, err);
    if (r == -EUCLEAN) {
        sqlite3_close(s->db);
        s->db = NULL;
        r = px_db_salvage(path, err);
        if (r == 0)
            r = px_db_open(path, &s->db, err);
        if (r == 0)
            r = load(s->db, peers, err);
    }
    if (r == 0 && pthread_create(&s->thread, NULL, run, s) != 0)
        r = px_fail(err, -EAGAIN, "cannot start the database thread");
    s->started = r == 0;
    if (r < 0) {
        px_store_close(s, NULL);
        return r;
    }
    *ret = s;
    return 0;
}

struct seen_ctx {
    sqlite3_stmt *st;
    int64_t now_us, now_s;
};

static bool write_seen(struct px_bytes id, const struct px_peer_info *info, void *data) {
    struct seen_ctx *c = data;
    if (!info->online)
        return true;
    sqlite3_bind_int64(c->st, 1, c->now_s - (c->now_us - info->seen_us) / PX_US_PER_S);
    px_db_bind_text(c->st, 2, id.data, id.size);
    return px_db_step(c->st) == 0;
}

static void write_all_seen(sqlite3 *db, struct px_peers *peers) {
    struct seen_ctx c = {.now_us = px_now_us(), .now_s = wall_s()};
    if (sqlite3_prepare_v2(db, "UPDATE peer SET seen=?1 WHERE id=?2", -1, &c.st, NULL) != SQLITE_OK)
        return;
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    px_peers_each(peers, c.now_us, write_seen, &c);
    sqlite3_finalize(c.st);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

struct px_store *px_store_close(struct px_store *s, struct px_peers *peers) {
    if (!s)
        return NULL;
    if (s->started) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
        if (peers)
            write_all_seen(s->db, peers);
    }
    sqlite3_close(s->db);
    free_batch(s->first);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    free(s->path);
    free(s);
    return NULL;
}

struct px_store_stats px_store_stats(struct px_store *s) {
    pthread_mutex_lock(&s->lock);
    struct px_store_stats st = {.n_queued = s->n_queued,
                                .n_written = s->n_written,
                                .n_dropped = s->n_dropped,
                                .n_failed = s->n_failed};
    pthread_mutex_unlock(&s->lock);
    return st;
}
