/* src/desktop/idmap.h - blocks of host ids for user namespaces
 *
 * A span of host ids serves as uids and as gids. Every desktop gets a block of its own, so that
 * root in one desktop is nobody in the next, even after an escape. Pure; any thread. Source:
 * user_namespaces(7), subuid(5). */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct px_ids {
    uint32_t first, count; /* lowest host id; how many ids, at least 1 */
};

/* One past the last id. 64 bits: a block may end at the top of the 32-bit space. */
static inline uint64_t px_ids_end(struct px_ids r) {
    return (uint64_t)r.first + r.count;
}

/* The lowest block of @n_ids (> 0) in @span that overlaps none of @taken, which may lie in any
 * order, overlap, and reach out of the span. -ENOSPC: no gap is that wide. */
int px_idmap_alloc(struct px_ids span, const struct px_ids *taken, size_t n_taken, uint32_t n_ids,
                   struct px_ids *ret, struct px_error *err);
