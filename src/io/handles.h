/* src/io/handles.h - numbers that stand for objects which may be gone by the time they are used
 *
 * Mail from another thread names its receiver by handle; a handle is never given out twice.
 * A table belongs to one thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct px_handles { /* zeroed is empty */
    struct px_handle_slot *slots;
    size_t n, cap;
    uint32_t free; /* first free slot + 1 */
};

void px_handles_fini(struct px_handles *h);
/* Never 0. */
uint64_t px_handles_add(struct px_handles *h, void *object);
/* NULL: gone. */
void *px_handles_get(const struct px_handles *h, uint64_t handle);
void px_handles_remove(struct px_handles *h, uint64_t handle);
