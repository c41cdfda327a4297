/* src/host/guard.c - wrong passwords are counted and slowed down */
#include "host/guard.h"
#include "base/clock.h"
#include <string.h>

#define FORGET_US (3600 * PX_US_PER_S)

static const struct {
    uint8_t bits;
    unsigned total;
    bool minute; /* whether the limit per minute holds too */
} scopes[] = {{128, PX_GUARD_TOTAL, true}, {64, 60, false}, {56, 80, false}, {48, 100, false}};

#define N_SCOPES (sizeof(scopes) / sizeof(scopes[0]))

static bool same_prefix(const uint8_t *a, const uint8_t *b, uint8_t bits) {
    return memcmp(a, b, bits / 8) == 0;
}

static bool fresh(const struct px_guard_entry *e, int64_t now_us) {
    return e->bits && now_us - e->last_us < FORGET_US;
}

static const struct px_guard_entry *find(const struct px_guard *g, const uint8_t *ip,
                                         uint8_t bits) {
    for (size_t i = 0; i < PX_GUARD_ENTRIES; i++)
        if (g->entries[i].bits == bits && same_prefix(g->entries[i].ip, ip, bits))
            return &g->entries[i];
    return NULL;
}

enum px_guard_verdict px_guard_check(const struct px_guard *g, const struct px_addr *from,
                                     int64_t now_us) {
    const size_t n = px_addr_is_v4(from) ? 1 : N_SCOPES;
    enum px_guard_verdict v = PX_GUARD_PASS;
    for (size_t i = 0; i < n; i++) {
        const struct px_guard_entry *e = find(g, from->ip, scopes[i].bits);
        if (!e || !fresh(e, now_us))
            continue;
        if (e->total > scopes[i].total)
            return PX_GUARD_LOCKED;
        if (scopes[i].minute && e->minute == now_us / (60 * PX_US_PER_S) &&
            e->in_minute > PX_GUARD_PER_MINUTE)
            v = PX_GUARD_WAIT;
    }
    return v;
}

/* The entry of a prefix; a new one takes the place of the oldest. */
static struct px_guard_entry *get(struct px_guard *g, const uint8_t *ip, uint8_t bits,
                                  int64_t now_us) {
    struct px_guard_entry *e = (struct px_guard_entry *)find(g, ip, bits);
    if (e && fresh(e, now_us))
        return e;
    if (!e) {
        e = &g->entries[0];
        for (size_t i = 1; e->bits && i < PX_GUARD_ENTRIES; i++)
            if (!g->entries[i].bits || g->entries[i].last_us < e->last_us)
                e = &g->entries[i];
    }
    *e = (struct px_guard_entry){.bits = bits};
    memcpy(e->ip, ip, 16);
    return e;
}

void px_guard_failed(struct px_guard *g, const struct px_addr *from, int64_t now_us) {
    const int64_t minute = now_us / (60 * PX_US_PER_S);
    const size_t n = px_addr_is_v4(from) ? 1 : N_SCOPES;
    for (size_t i = 0; i < n; i++) {
        struct px_guard_entry *e = get(g, from->ip, scopes[i].bits, now_us);
        if (e->minute != minute)
            e->in_minute = 0;
        e->minute = minute;
        e->in_minute++;
        e->total++;
        e->last_us = now_us;
    }
}

void px_guard_passed(struct px_guard *g, const struct px_addr *from) {
    for (size_t i = 0; i < PX_GUARD_ENTRIES; i++)
        if (g->entries[i].bits == 128 && same_prefix(g->entries[i].ip, from->ip, 128))
            g->entries[i] = (struct px_guard_entry){0};
}
