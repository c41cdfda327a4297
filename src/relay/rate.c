/* src/relay/rate.c - token buckets: one for each pair, one for all
 *
 * A bucket holds a tenth of a second's worth. Pairs that find it empty come back a few milliseconds
 * later and take at most a small share each, so they take turns. Without limits nothing is locked.
 */
#include "base/clock.h"
#include "relay/internal.h"

#define SHARE_BYTES (16u * 1024)

static void refill(struct bucket *b, uint64_t bps, int64_t now_us) {
    const int64_t full = (int64_t)(bps / 10 > 4096 ? bps / 10 : 4096);
    if (b->at_us == 0 || now_us - b->at_us > PX_US_PER_S)
        b->tokens = full;
    else
        b->tokens += (now_us - b->at_us) * (int64_t)bps / PX_US_PER_S;
    if (b->tokens > full)
        b->tokens = full;
    b->at_us = now_us;
}

static size_t take_total(struct px_relay *r, uint64_t bps, size_t want, int64_t now_us) {
    pthread_mutex_lock(&r->lock);
    struct bucket b = {.tokens = r->total_tokens, .at_us = r->total_at_us};
    /* Too often asked, the fractions of a byte would get lost. */
    if (now_us - b.at_us >= PX_US_PER_MS || b.at_us == 0)
        refill(&b, bps, now_us);
    const size_t n = b.tokens <= 0 ? 0 : (size_t)b.tokens < want ? (size_t)b.tokens : want;
    r->total_tokens = b.tokens - (int64_t)n;
    r->total_at_us = b.at_us;
    pthread_mutex_unlock(&r->lock);
    return n;
}

size_t rate_take(struct px_relay *r, struct bucket *own, uint64_t own_bps, size_t want,
                 int64_t now_us) {
    const uint64_t total_bps = atomic_load_explicit(&r->total_bps, memory_order_relaxed);
    if ((own_bps || total_bps) && want > SHARE_BYTES)
        want = SHARE_BYTES;
    if (own_bps) {
        if (now_us - own->at_us >= PX_US_PER_MS || own->at_us == 0)
            refill(own, own_bps, now_us);
        if (own->tokens <= 0)
            return 0;
        if ((size_t)own->tokens < want)
            want = (size_t)own->tokens;
    }
    if (total_bps)
        want = take_total(r, total_bps, want, now_us);
    if (own_bps)
        own->tokens -= (int64_t)want;
    return want;
}

void rate_give_back(struct px_relay *r, struct bucket *own, size_t bytes) {
    if (own->at_us)
        own->tokens += (int64_t)bytes;
    if (atomic_load_explicit(&r->total_bps, memory_order_relaxed) == 0 || bytes == 0)
        return;
    pthread_mutex_lock(&r->lock);
    r->total_tokens += (int64_t)bytes;
    pthread_mutex_unlock(&r->lock);
}
