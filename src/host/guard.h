/* src/host/guard.h - wrong passwords are counted and slowed down
 *
 * Per address (IPv6: also per /64, /56 and /48, whose owner has as many addresses as he likes):
 * more than 6 failures within a minute, wait; more than 30 (60, 80, 100), locked out for an hour
 * after the last. A success forgets the address. Time comes as argument; bounded memory; one
 * thread. */
#pragma once
#include "proto/addr.h"
#include <stdint.h>

enum px_guard_verdict { PX_GUARD_PASS, PX_GUARD_WAIT, PX_GUARD_LOCKED };

#define PX_GUARD_ENTRIES 1024
#define PX_GUARD_PER_MINUTE 6
#define PX_GUARD_TOTAL 30

struct px_guard {
    struct px_guard_entry {
        uint8_t ip[16];
        uint8_t bits; /* of the prefix; 0: free */
        unsigned in_minute, total;
        int64_t minute, last_us;
    } entries[PX_GUARD_ENTRIES];
};

enum px_guard_verdict px_guard_check(const struct px_guard *g, const struct px_addr *from,
                                     int64_t now_us);
void px_guard_failed(struct px_guard *g, const struct px_addr *from, int64_t now_us);
void px_guard_passed(struct px_guard *g, const struct px_addr *from);
