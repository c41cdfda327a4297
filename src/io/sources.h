/* src/io/sources.h - what each source address has used up: connections, registrations, requests
 *
 * A fixed table, so that a flood of addresses cannot grow it: sets of 8 entries, found by a keyed
 * hash. A new address takes the entry of its set that was silent longest; one with open connections
 * is never taken. IPv6 addresses count per /64, since that is what one subscriber gets.
 * Thread-safe: locks per set. */
#pragma once
#include "base/cleanup.h"
#include "proto/addr.h"

struct px_sources;

struct px_sources_opts {
    size_t n_entries;               /* 0: 65536 */
    uint32_t max_conns;             /* open at once per source; 0: no limit */
    uint32_t conns_per_second;      /* with a burst of ten seconds' worth; 0: no limit */
    uint32_t register_burst;        /* RegisterPk: see px_sources_may_register(); 0: no limit */
    uint32_t register_ids;          /* distinct IDs per day; 0: no limit */
    uint32_t udp_probes_per_second; /* answers to UDP NAT tests; 0: none */
};

struct px_sources *px_sources_new(const struct px_sources_opts *opts);
struct px_sources *px_sources_free(struct px_sources *s);
PX_DEFINE_CLEANUP(struct px_sources *, px_sources_free)

/* The limits of px_sources_opts, by the names of their options; may change while it runs. */
enum px_source_limit {
    PX_SOURCE_CONNS,
    PX_SOURCE_CONN_RATE,
    PX_SOURCE_REGISTER_BURST,
    PX_SOURCE_REGISTER_IDS,
    PX_SOURCE_UDP_PROBES,
    PX_SOURCE_LIMITS,
};
extern const char *const px_source_limit_names[PX_SOURCE_LIMITS];
uint32_t px_sources_limit(const struct px_sources *s, enum px_source_limit limit);
void px_sources_set_limit(struct px_sources *s, enum px_source_limit limit, uint32_t n);

/* Charges one connection. false: over the limit, nothing charged. */
bool px_sources_connect(struct px_sources *s, const struct px_addr *from, int64_t now_us);
void px_sources_disconnect(struct px_sources *s, const struct px_addr *from);

/* Whether a RegisterPk for the ID that hashes to @id_hash passes, and counts it. As the official
 * server: the counter starts anew when the last accepted one is more than 60 s ago; else refused
 * when above burst - 2. Distinct IDs are forgotten after a day without an accepted one; they are
 * counted by a bitmap, which is off by a few per cent. */
bool px_sources_may_register(struct px_sources *s, const struct px_addr *from, uint64_t id_hash,
                             int64_t now_us);
bool px_sources_may_probe(struct px_sources *s, const struct px_addr *from, int64_t now_us);

struct px_source_info {
    struct px_addr addr;
    uint32_t n_conns, n_registers, n_ids;
    int64_t last_us;
};
/* Calls @fn for each entry that counts something; stops when it returns false. */
void px_sources_each(struct px_sources *s,
                     bool (*fn)(const struct px_source_info *info, void *data), void *data);
/* Forgets what @addr used up (its open connections stay counted). */
void px_sources_forget(struct px_sources *s, const struct px_addr *addr);
