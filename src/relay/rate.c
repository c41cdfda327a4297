/* src/relay/rate.c - limits: a token bucket for each pair, shares of what all may pass together
 *
 * A pair's bucket holds a tenth of a second's worth. What all pairs may pass is given out in
 * periods of 20 ms: what came together since the last one, in equal shares to the directions that
 * asked then. In the last quarter of a period, what the modest ones left goes in equal shares to
 * those who wanted more. Whoever got nothing asks again a few milliseconds later. Without limits
 * nothing is locked. */
#include "base/clock.h"
#include "relay/relay_private.h"

#define TAKE_BYTES (16u * 1024)
#define PERIOD_US                                                                                  \
    (20 * PX_US_PER_MS) /* longer where shares would be too small to be worth a call */
#define PERIOD_MAX_US PX_US_PER_S
#define SHARE_MIN_BYTES 4096

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

static void begin_period(struct total *t, uint64_t bps, int64_t now_us) {
    const bool idle = t->start_us == 0 || now_us - t->start_us > PERIOD_MAX_US;
    const int64_t past_us = idle ? PX_US_PER_S / 10 : now_us - t->start_us;
    const int64_t n = t->n_asked ? t->n_asked : 1, rate = (int64_t)bps;
    int64_t length_us = n * SHARE_MIN_BYTES * PX_US_PER_S / rate;
    length_us = length_us < PERIOD_US       ? PERIOD_US
                : length_us > PERIOD_MAX_US ? PERIOD_MAX_US
                                            : length_us;
    int64_t full =
        rate * (length_us > PX_US_PER_S / 10 ? length_us : PX_US_PER_S / 10) / PX_US_PER_S;
    if (full < SHARE_MIN_BYTES)
        full = SHARE_MIN_BYTES;
    int64_t left = t->left + past_us * rate / PX_US_PER_S;
    left = left < full ? left : full;
    /* Nobody knows yet how many follow the first. */
    const int64_t share = t->n_asked || left < (int64_t)TAKE_BYTES ? left / n : (int64_t)TAKE_BYTES;
    *t = (struct total){.start_us = now_us,
                        .length_us = length_us,
                        .left = left,
                        .given = left,
                        .share = share > 0 ? share : 1,
                        .number = t->number + 1};
}

/* But for what the modest ones may still want in this period, going by what they wanted so far. */
static void share_out_rest(struct total *t) {
    const int64_t modest = t->given - t->left - t->n_hungry * t->share;
    const int64_t rest = t->left - (modest > 0 ? modest / 2 : 0);
    t->late = true;
    if (t->n_hungry > 0 && rest > 0)
        t->share += rest / t->n_hungry;
}

static int64_t take_share(struct total *t, struct share *own, int64_t want, int64_t now_us) {
    if (own->period != t->number) {
        *own = (struct share){.period = t->number};
        t->n_asked++;
    }
    if (!t->late && now_us - t->start_us >= t->length_us * 3 / 4)
        share_out_rest(t);
    int64_t n = t->share - own->used;
    n = n < t->left ? n : t->left;
    n = n < 0 ? 0 : n < want ? n : want;
    if (n == 0 && !own->hungry) { /* not when it gets less: @want is a guess */
        own->hungry = true;
        t->n_hungry++;
    }
    t->left -= n;
    own->used += n;
    return n;
}

static size_t take_total(struct px_relay *r, uint64_t bps, struct share *own, size_t want,
                         int64_t now_us) {
    struct total *t = &r->total;
    pthread_mutex_lock(&r->lock);
    if (t->start_us == 0 || now_us - t->start_us >= t->length_us)
        begin_period(t, bps, now_us);
    const int64_t n = take_share(t, own, (int64_t)want, now_us);
    pthread_mutex_unlock(&r->lock);
    return (size_t)n;
}

size_t rate_take(struct px_relay *r, struct bucket *own, uint64_t own_bps, struct share *share,
                 size_t want, int64_t now_us) {
    const uint64_t total_bps = atomic_load_explicit(&r->total_bps, memory_order_relaxed);
    if ((own_bps || total_bps) && want > TAKE_BYTES)
        want = TAKE_BYTES;
    if (own_bps) {
        if (now_us - own->at_us >= PX_US_PER_MS || own->at_us == 0)
            refill(own, own_bps, now_us);
        if (own->tokens <= 0)
            return 0;
        if ((size_t)own->tokens < want)
            want = (size_t)own->tokens;
    }
    if (total_bps)
        want = take_total(r, total_bps, share, want, now_us);
    if (own_bps)
        own->tokens -= (int64_t)want;
    return want;
}

void rate_give_back(struct px_relay *r, struct bucket *own, struct share *share, size_t bytes) {
    if (own->at_us)
        own->tokens += (int64_t)bytes;
    if (atomic_load_explicit(&r->total_bps, memory_order_relaxed) == 0 || bytes == 0)
        return;
    pthread_mutex_lock(&r->lock);
    r->total.left += (int64_t)bytes;
    if (share->period == r->total.number)
        share->used -= (int64_t)bytes;
    pthread_mutex_unlock(&r->lock);
}
