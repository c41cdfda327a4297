/* src/io/handles.c - numbers that stand for objects */
#include "io/handles.h"
#include "base/alloc.h"
#include <stdlib.h>

struct px_handle_slot {
    void *object;        /* NULL: free */
    uint32_t generation; /* of the object, or of the next one */
    uint32_t next_free;
};

void px_handles_fini(struct px_handles *h) {
    free(h->slots);
    *h = (struct px_handles){0};
}

uint64_t px_handles_add(struct px_handles *h, void *object) {
    uint32_t i;
    if (h->free) {
        i = h->free - 1;
        h->free = h->slots[i].next_free;
    } else {
        px_grow(h->slots, &h->cap, h->n + 1);
        i = (uint32_t)h->n++;
        h->slots[i] = (struct px_handle_slot){.generation = 1};
    }
    h->slots[i].object = object;
    return (uint64_t)h->slots[i].generation << 32 | i;
}

static struct px_handle_slot *find(const struct px_handles *h, uint64_t handle) {
    uint32_t i = (uint32_t)handle;
    if (i >= h->n || !h->slots[i].object || h->slots[i].generation != handle >> 32)
        return NULL;
    return &h->slots[i];
}

void *px_handles_get(const struct px_handles *h, uint64_t handle) {
    struct px_handle_slot *slot = find(h, handle);
    return slot ? slot->object : NULL;
}

void px_handles_remove(struct px_handles *h, uint64_t handle) {
    struct px_handle_slot *slot = find(h, handle);
    if (!slot)
        return;
    slot->object = NULL;
    if (++slot->generation == 0) /* after 2^32 lives: stays unused */
        return;
    slot->next_free = h->free;
    h->free = (uint32_t)handle + 1;
}
