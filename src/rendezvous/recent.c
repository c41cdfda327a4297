/* src/rendezvous/recent.c - the latest requests, and devices that moved */
#include "rendezvous/recent.h"
#include "base/alloc.h"
#include <assert.h>
#include <pthread.h>
#include <string.h>

struct px_recent {
    pthread_mutex_t lock;
    uint64_t n; /* ever added since it was emptied */
    struct px_recent_record list[PX_RECENT_MAX];
};

struct px_recent *px_recent_new(void) {
    struct px_recent *r = px_new0(struct px_recent, 1);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

struct px_recent *px_recent_free(struct px_recent *r) {
    if (r)
        pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

void px_recent_add(struct px_recent *r, struct px_bytes id, const struct px_addr *from,
                   const struct px_addr *to, int64_t at_s) {
    assert(id.size <= PX_PEER_ID_MAX_BYTES);
    pthread_mutex_lock(&r->lock);
    struct px_recent_record *at = &r->list[r->n++ % PX_RECENT_MAX];
    *at = (struct px_recent_record){.at_s = at_s, .from = *from, .to = *to};
    memcpy(at->id, id.data, id.size);
    pthread_mutex_unlock(&r->lock);
}

size_t px_recent_list(struct px_recent *r, struct px_recent_record *ret, size_t max) {
    size_t n = 0;
    pthread_mutex_lock(&r->lock);
    for (; n < max && n < PX_RECENT_MAX && n < r->n; n++)
        ret[n] = r->list[(r->n - 1 - n) % PX_RECENT_MAX];
    pthread_mutex_unlock(&r->lock);
    return n;
}

void px_recent_forget(struct px_recent *r) {
    pthread_mutex_lock(&r->lock);
    memset(r->list, 0, sizeof(r->list));
    r->n = 0;
    pthread_mutex_unlock(&r->lock);
}
