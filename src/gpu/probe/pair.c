/* src/gpu/probe/pair.c - two cards together: a copy, and a sum that both end up with */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "gpu/probe/probe.h"
#include <string.h>

#define N_FLOATS (4u << 20)
#define BYTES (N_FLOATS * sizeof(float))

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

void probe_pair(struct probe *p) {
    struct side s[2] = {0};
    int peer = 0, r = CU_OK;
    size_t wrong = 0;
    for (int i = 0; i < 2 && r == CU_OK; i++)
        r = set_up(p, i, &s[i]);
    if (r == CU_OK)
        r = exchange(p, s);
    for (int i = 0; i < 2 && r == CU_OK; i++)
        wrong += check(p, i, &s[i], &s[1 - i], &r);
    p->cu.can_peer(&peer, p->cards[0].device, p->cards[1].device);
    if (probe_cuda(p, r, "pair", "all-reduce")) {
        if (wrong > 0)
            probe_note(p, PROBE_FAIL, "pair", "%zu sums over two cards are wrong", wrong);
        else
            probe_note(p, PROBE_OK, "pair", "%u sums over two cards are right, %s", 2 * N_FLOATS,
                       peer ? "card to card" : "through the host's memory (no peer access)");
    }
    for (int i = 0; i < 2; i++) {
        p->cu.set_current(p->cards[i].context);
        p->cu.free_(s[i].own);
        p->cu.free_(s[i].other);
        p->cu.free_(s[i].sum);
        free(s[i].host);
    }
}
