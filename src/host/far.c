/* src/host/far.c - what has arrived behind a relay */
#include "host/far.h"
#include "base/clock.h"
#include "host/rate.h"
#include <string.h>

#define APART_US (10 * PX_US_PER_MS)       /* between two probes */
#define QUICK_APART_US (50 * PX_US_PER_MS) /* each is news to the client's user interface */
#define QUICK_BYTES (1024 * 1024)          /* came in quickly: the line is as quick as we need */
#define WORTH_BYTES 512                    /* what little else is sent needs none */
#define TELLING_BYTES                                                                              \
    (8 * 1024) /* fewer may have waited for the client's processor just as well                    \
                */
#define TRICKLED_BYTES (32 * 1024)   /* so few came bit by bit, and tell nothing */
#define SILENT_US (30 * PX_US_PER_S) /* no line takes so long for a picture */
#define WINDOW_MAX_BYTES (64u * 1024 * 1024)

bool px_far_used(const struct px_far *f, int64_t now_us) {
    if (f->rtt_us == 0 || f->n_marks == 0)
        return f->rtt_us > 0;
    const int64_t sent_us = f->marks[0].sent_us;
    return now_us - (sent_us > f->echoed_us ? sent_us : f->echoed_us) < SILENT_US;
}

static uint64_t since_arrived(const struct px_far *f, uint64_t n_bytes) {
    return n_bytes > f->arrived ? n_bytes - f->arrived : 0;
}

/* A probe is behind each picture that is worth while: what else there is trickled, as sound does,
 * and has arrived but for a little. */
static uint64_t under_way(const struct px_far *f, uint64_t n_bytes) {
    return f->n_marks == 0 ? 0 : since_arrived(f, n_bytes);
}

void px_far_sends(struct px_far *f, uint64_t n_bytes, int64_t now_us) {
    if (f->first_us > 0)
        return;
    f->first_us = now_us;
    f->from_bytes = n_bytes;
}

bool px_far_wants_probe(const struct px_far *f, uint64_t n_bytes, int64_t now_us) {
    if (!px_far_used(f, now_us) || f->n_marks == PX_FAR_MARKS)
        return false;
    if (f->n_marks == 0)
        return since_arrived(f, n_bytes) >= WORTH_BYTES;
    const struct px_far_mark *last = &f->marks[f->n_marks - 1];
    return n_bytes - last->at_bytes >= WORTH_BYTES &&
           now_us - last->sent_us >= (f->quick ? QUICK_APART_US : APART_US);
}

void px_far_probed(struct px_far *f, uint64_t n_bytes, int64_t now_us) {
    if (f->n_marks == PX_FAR_MARKS)
        return;
    const bool any = f->first_us > 0;
    f->marks[f->n_marks++] = (struct px_far_mark){.at_bytes = n_bytes,
                                                  .from_bytes = any ? f->from_bytes : n_bytes,
                                                  .first_us = any ? f->first_us : now_us,
                                                  .sent_us = now_us};
    f->first_us = 0;
}

static void forget(struct px_far *f) {
    f->told_bytes = 0;
    f->told_us = 0;
}

/* The line was busy with what @m stands behind since the echo before, or since it was sent and had
 * the way before it. Returns how much that and others before are, once it is enough to tell. */
static size_t learn(struct px_far *f, const struct px_far_mark *m, int64_t now_us,
                    int64_t queue_us) {
    const int64_t alone_us = m->first_us + f->min_us;
    const int64_t since_us = alone_us > f->echoed_us ? alone_us : f->echoed_us;
    if (alone_us > f->echoed_us) /* the line had rested */
        forget(f);
    const uint64_t before = m->from_bytes > f->arrived ? m->from_bytes - f->arrived : 0;
    f->told_bytes += m->at_bytes - f->arrived - (before < TRICKLED_BYTES ? before : 0);
    f->told_us += now_us > since_us ? now_us - since_us : 0;
    f->arrived = m->at_bytes;
    f->echoed_us = now_us;
    const uint64_t bytes = f->told_bytes;
    if (bytes < TELLING_BYTES)
        return 0;
    f->bytes_per_s = bytes * PX_US_PER_S / (uint64_t)(f->told_us > 0 ? f->told_us : 1);
    if (queue_us < PX_RATE_QUICK_US && f->grown < WINDOW_MAX_BYTES)
        f->grown += bytes;
    f->quick = queue_us < PX_RATE_QUICK_US && f->grown >= QUICK_BYTES;
    forget(f);
    return bytes;
}

bool px_far_echoed(struct px_far *f, int64_t now_us, int64_t *ret_queue_us, size_t *ret_bytes) {
    if (f->n_marks == 0)
        return false;
    const struct px_far_mark m = f->marks[0];
    memmove(f->marks, f->marks + 1, --f->n_marks * sizeof(m));
    f->rtt_us = now_us > m.sent_us ? now_us - m.sent_us : 1;
    f->min_us = px_best_of(&f->best, f->rtt_us, now_us);
    *ret_queue_us = f->rtt_us - f->min_us;
    *ret_bytes = learn(f, &m, now_us, *ret_queue_us);
    return true;
}

/* Of what the oldest probe stands behind so much should have come in since, at the line's rate. */
static uint64_t should_be_there(const struct px_far *f, int64_t now_us) {
    if (f->n_marks == 0)
        return 0;
    const struct px_far_mark *m = &f->marks[0];
    const uint64_t all = m->at_bytes - f->arrived;
    const int64_t alone_us = m->first_us + f->min_us;
    const int64_t us = now_us - (alone_us > f->echoed_us ? alone_us : f->echoed_us);
    if (us <= 0 || us > PX_US_PER_S) /* more: something is wrong there */
        return 0;
    const uint64_t some = f->bytes_per_s * (uint64_t)us / PX_US_PER_S;
    return some < all ? some : all;
}

void px_far_link(const struct px_far *f, uint64_t n_bytes, int64_t now_us,
                 struct px_link_info *ret) {
    const uint64_t on = under_way(f, n_bytes) - should_be_there(f, now_us);
    *ret = (struct px_link_info){.delivered_bytes_per_s = f->bytes_per_s,
                                 .rtt_us = (uint32_t)f->rtt_us,
                                 .min_rtt_us = (uint32_t)f->min_us,
                                 .outstanding_bytes = on > UINT32_MAX ? UINT32_MAX : (uint32_t)on};
}

bool px_far_has_room(const struct px_far *f, uint64_t n_bytes, bool part) {
    return under_way(f, n_bytes) < (part ? PX_FAR_PART_WINDOW : PX_FAR_WINDOW) + f->grown;
}
