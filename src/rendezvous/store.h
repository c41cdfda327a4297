/* src/rendezvous/store.h - peers on disk: SQLite, written by a thread of its own
 *
 * Changes are queued and written in batches, one transaction each (WAL), so nothing on the packet
 * path waits for the disk. When writing fails (disk full) the batch is kept and tried again every
 * few seconds; past PX_STORE_QUEUE_MAX changes further ones are dropped and counted: the server
 * goes on from memory. A damaged file is moved aside, and what could be read from it is written to
 * a new one. Thread-safe. Source: sqlite.org/wal.html. */
#pragma once
#include "rendezvous/peers.h"

#define PX_STORE_QUEUE_MAX 262144

struct px_store;

/* Opens or makes @path and hands every peer in it to @peers. */
int px_store_open(const char *path, struct px_peers *peers, struct px_store **ret,
                  struct px_error *err);
/* Writes what is queued, stops the thread. @peers (may be NULL): when each online one was last seen
 * is written too, so that it is reachable as soon as we are back. */
struct px_store *px_store_close(struct px_store *s, struct px_peers *peers);
/* Queues a change; for px_peers_opts.on_change, @data is the store. */
void px_store_push(void *data, const struct px_peer_row *row);

struct px_store_stats {
    size_t n_queued, n_written, n_dropped, n_failed; /* n_failed: batches */
};
struct px_store_stats px_store_stats(struct px_store *s);

/* Adds the peers of an official server's database @from to the database @path. *ret_n: how many. */
int px_store_import(const char *path, const char *from, size_t *ret_n, struct px_error *err);
