/* src/gpu/probe/pair.c - two cards together: a copy, and a sum that both end up with */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "gpu/probe/probe.h"
#include <string.h>

#define N_FLOATS (4u << 20)
#define BYTES (N_FLOATS * sizeof(float))
#define COPIES 20
#define ROUNDS 5

struct side {
    cu_pointer own, other, sum;
    float *host;
};

static int set_up(struct probe *p, int i, struct side *s) {
    unsigned seed = (unsigned)i + 7;
    s->host = px_calloc(N_FLOATS, sizeof(float));
    for (size_t k = 0; k < N_FLOATS; k++)
        s->host[k] = (float)(rand_r(&seed) % 65536) / 16;
    p->cu.set_current(p->cards[i].context);
    int r = p->cu.alloc(&s->own, BYTES);
    if (r == CU_OK)
        r = p->cu.alloc(&s->other, BYTES);
    if (r == CU_OK)
        r = p->cu.alloc(&s->sum, BYTES);
    return r == CU_OK ? p->cu.to_device(s->own, s->host, BYTES) : r;
}

/* Each gets the other's numbers and adds its own. */
static int exchange(struct probe *p, struct side s[2]) {
    int r = CU_OK;
    for (int i = 0; i < 2 && r == CU_OK; i++)
        r = p->cu.to_peer(s[i].other, p->cards[i].context, s[1 - i].own, p->cards[1 - i].context,
                          BYTES);
    for (int i = 0; i < 2 && r == CU_OK; i++) {
        p->cu.set_current(p->cards[i].context);
        r = probe_add(&p->cu, s[i].own, s[i].other, s[i].sum, N_FLOATS);
    }
    return r;
}

static size_t check(struct probe *p, int i, const struct side *s, const struct side *other,
                    int *ret) {
    px_cleanup_free float *got = px_calloc(N_FLOATS, sizeof(float));
    size_t wrong = 0;
    p->cu.set_current(p->cards[i].context);
    *ret = p->cu.to_host(got, s->sum, BYTES);
    for (size_t k = 0; k < N_FLOATS; k++)
        wrong += got[k] != s->host[k] + other->host[k];
    return wrong;
}

/* ms of COPIES copies from the first card to the second, the best of ROUNDS; less than 0: failed.
 */
static float time_copies(struct probe *p, const struct side s[2]) {
    const struct cuda *cu = &p->cu;
    cu_event begin = NULL, end = NULL;
    float best = -1, ms = 0;
    cu->set_current(p->cards[0].context);
    int r = cu->event_new(&begin, 0);
    if (r == CU_OK)
        r = cu->event_new(&end, 0);
    for (int round = -1; round < ROUNDS && r == CU_OK; round++) { /* the first warms up */
        r = cu->event_record(begin, NULL);
        for (int i = 0; i < COPIES && r == CU_OK; i++)
            r = cu->to_peer(s[1].other, p->cards[1].context, s[0].own, p->cards[0].context, BYTES);
        if (r == CU_OK && (r = cu->event_record(end, NULL)) == CU_OK &&
            (r = cu->event_sync(end)) == CU_OK)
            r = cu->event_ms(&ms, begin, end);
        if (round >= 0 && (best < 0 || ms < best))
            best = ms;
    }
    cu->event_free(begin);
    cu->event_free(end);
    return r == CU_OK ? best : -1;
}

/* Whether what the second card got is what the first had, and how fast. */
static void note_copy(struct probe *p, const struct side s[2], const char *way) {
    px_cleanup_free float *got = px_calloc(N_FLOATS, sizeof(float));
    const float ms = time_copies(p, s);
    p->cu.set_current(p->cards[1].context);
    if (!probe_cuda(p, p->cu.to_host(got, s[1].other, BYTES), "copy", "card 0 to 1"))
        return;
    const double rate = (double)BYTES * COPIES / (ms * 1e6);
    if (memcmp(got, s[0].host, BYTES) != 0)
        probe_note(p, PROBE_FAIL, "copy", "card 0 to 1: other bytes arrived");
    else if (ms <= 0)
        probe_note(p, PROBE_FAIL, "copy", "card 0 to 1: copying failed");
    else
        probe_measured(p, "copy", rate, "GB/s", "card 0 to 1: %.1f GB/s, %s", rate, way);
}

static void note_sums(struct probe *p, const struct side s[2], const char *way) {
    size_t wrong = 0;
    int r = CU_OK;
    for (int i = 0; i < 2 && r == CU_OK; i++)
        wrong += check(p, i, &s[i], &s[1 - i], &r);
    if (!probe_cuda(p, r, "all-reduce", "two cards"))
        return;
    if (wrong > 0)
        probe_note(p, PROBE_FAIL, "all-reduce", "%zu sums over two cards are wrong", wrong);
    else
        probe_note(p, PROBE_OK, "all-reduce", "%u sums over two cards are right, %s", 2 * N_FLOATS,
                   way);
}

/* Without this, a copy between cards that could reach each other still goes through the host. */
static bool open_peers(struct probe *p) {
    int peer[2] = {0};
    p->cu.can_peer(&peer[0], p->cards[0].device, p->cards[1].device);
    p->cu.can_peer(&peer[1], p->cards[1].device, p->cards[0].device);
    for (int i = 0; i < 2; i++) {
        p->cu.set_current(p->cards[i].context);
        if (!peer[i] || p->cu.enable_peer(p->cards[1 - i].context, 0) != CU_OK)
            return false;
    }
    return true;
}

void probe_pair(struct probe *p) {
    struct side s[2] = {0};
    int r = CU_OK;
    for (int i = 0; i < 2 && r == CU_OK; i++)
        r = set_up(p, i, &s[i]);
    const char *way = open_peers(p) ? "card to card" : "through the host's memory (no peer access)";
    if (r == CU_OK)
        r = exchange(p, s);
    if (probe_cuda(p, r, "copy", "two cards")) {
        note_copy(p, s, way);
        note_sums(p, s, way);
    }
    for (int i = 0; i < 2; i++) {
        p->cu.set_current(p->cards[i].context);
        p->cu.free_(s[i].own);
        p->cu.free_(s[i].other);
        p->cu.free_(s[i].sum);
        free(s[i].host);
    }
}
