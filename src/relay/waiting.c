/* src/relay/waiting.c - connections that wait for their partner */
#include "base/alloc.h"
#include "proto/wire.h"
#include "relay/relay_private.h"
#include <string.h>

struct waiting {
    struct waiting *next;
    uint8_t token[TOKEN_KEY_BYTES];
    uint16_t worker;
    uint64_t handle;
};

static struct waiting **seek(struct px_relay *r, const uint8_t token[TOKEN_KEY_BYTES]) {
    struct waiting **at = &r->waiting[px_le16(token) % PX_N_ELEMENTS(r->waiting)];
    while (*at && memcmp((*at)->token, token, TOKEN_KEY_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

static void take(struct px_relay *r, struct waiting **at) {
    struct waiting *gone = *at;
    *at = gone->next;
    free(gone);
    atomic_fetch_sub(&r->n_waiting, 1);
}

enum meet waiting_meet(struct px_relay *r, const uint8_t token[TOKEN_KEY_BYTES], uint16_t worker,
                       uint64_t handle, uint16_t *ret_worker, uint64_t *ret_handle) {
    enum meet result = MEET_PARTNER;
    pthread_mutex_lock(&r->lock);
    struct waiting **at = seek(r, token);
    if (*at) {
        *ret_worker = (*at)->worker;
        *ret_handle = (*at)->handle;
        take(r, at);
    } else if (atomic_load(&r->n_waiting) >= r->opts.max_waiting) {
        result = MEET_FULL;
    } else {
        *at = px_new0(struct waiting, 1);
        memcpy((*at)->token, token, TOKEN_KEY_BYTES);
        (*at)->worker = worker;
        (*at)->handle = handle;
        atomic_fetch_add(&r->n_waiting, 1);
        result = MEET_WAITS;
    }
    pthread_mutex_unlock(&r->lock);
    return result;
}

void waiting_remove(struct px_relay *r, const uint8_t token[TOKEN_KEY_BYTES], uint64_t handle) {
    pthread_mutex_lock(&r->lock);
    struct waiting **at = seek(r, token);
    if (*at && (*at)->handle == handle)
        take(r, at);
    pthread_mutex_unlock(&r->lock);
}

void waiting_free_all(struct px_relay *r) {
    for (size_t i = 0; i < PX_N_ELEMENTS(r->waiting); i++)
        while (r->waiting[i])
            take(r, &r->waiting[i]);
}
