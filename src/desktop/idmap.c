/* src/desktop/idmap.c - blocks of host ids for user namespaces */
#include "desktop/idmap.h"
#include <assert.h>

/* The first block that overlaps [at, at+n); NULL: none. */
static const struct px_ids *in_the_way(const struct px_ids *taken, size_t n_taken, uint64_t at,
                                       uint32_t n) {
    for (size_t i = 0; i < n_taken; i++)
        if (taken[i].first < at + n && px_ids_end(taken[i]) > at)
            return &taken[i];
    return NULL;
}

int px_idmap_alloc(struct px_ids span, const struct px_ids *taken, size_t n_taken, uint32_t n_ids,
                   struct px_ids *ret, struct px_error *err) {
    assert(n_ids > 0);
    uint64_t at = span.first;
    const struct px_ids *block;
    /* Every round jumps past a block, so it ends; quadratic, but a host runs tens of desktops. */
    while (at + n_ids <= px_ids_end(span) && (block = in_the_way(taken, n_taken, at, n_ids)))
        at = px_ids_end(*block);
    if (at + n_ids > px_ids_end(span)) {
        px_fail(err, -ENOSPC, "no free block of %u ids in %u:%u", n_ids, span.first, span.count);
        return px_hint(err, -ENOSPC, "remove a desktop, or raise ids.count in the host file");
    }
    *ret = (struct px_ids){.first = (uint32_t)at, .count = n_ids};
    return 0;
}
