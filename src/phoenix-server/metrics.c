/* src/phoenix-server/metrics.c - numbers for Prometheus
 * Source: prometheus.io/docs/instrumenting/exposition_formats. */
#include "base/clock.h"
#include "phoenix-server/server.h"
#include <stdio.h>
#include <string.h>

static void one(struct px_buf *out, const char *half, const char *name, uint64_t value) {
    const bool gauge = strstr(name, "open") || strcmp(name, "waiting") == 0 ||
                       strcmp(name, "peers") == 0 || strcmp(name, "queued") == 0;
    px_buf_printf(out, "# TYPE phoenix_%s_%s%s %s\nphoenix_%s_%s%s %llu\n", half, name,
                  gauge ? "" : "_total", gauge ? "gauge" : "counter", half, name,
                  gauge ? "" : "_total", (unsigned long long)value);
}

static void id_part(struct server *s, struct px_buf *out) {
    uint64_t stats[PX_ID_STATS];
    const struct px_peers_stats peers = px_peers_stats(px_idserver_peers(s->id));
    const struct px_store_stats store = px_idserver_store_stats(s->id);
    px_idserver_stats(s->id, stats);
    for (size_t i = 0; i < PX_ID_STATS; i++)
        one(out, "id", px_id_stat_names[i], stats[i]);
    one(out, "id", "peers", peers.n_peers);
    one(out, "id", "peers_evicted", peers.n_evicted);
    one(out, "id", "peers_refused", peers.n_refused);
    one(out, "store", "queued", store.n_queued);
    one(out, "store", "written", store.n_written);
    one(out, "store", "dropped", store.n_dropped);
    one(out, "store", "failed_batches", store.n_failed);
}

void metrics_print(struct server *s, struct px_buf *out) {
    uint64_t stats[PX_RELAY_STATS];
    px_buf_printf(out,
                  "# TYPE phoenix_server_uptime_seconds gauge\n"
                  "phoenix_server_uptime_seconds %lld\n",
                  (long long)((px_now_us() - s->started_us) / PX_US_PER_S));
    if (s->id)
        id_part(s, out);
    if (!s->relay)
        return;
    px_relay_stats(s->relay, stats);
    for (size_t i = 0; i < PX_RELAY_STATS; i++)
        one(out, "relay", px_relay_stat_names[i], stats[i]);
}
