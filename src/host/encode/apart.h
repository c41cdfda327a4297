/* src/host/encode/apart.h - cards are asked in a process of their own
 *
 * What a driver leaves behind in a process that has used it (memory, threads, descriptors) is then
 * nobody's, and one that crashes or never answers costs no more than its answer. Each encoder is
 * opened, and what it makes of a made-up desktop (measure.h) is decoded and looked at, for the
 * cards here were not there when this was written. */
#pragma once
#include "host/encode/encoder.h"

#define PX_ASKED_MAX 8
#define PX_ASK_MS 40000 /* for all of them */

struct px_asked {
    const struct px_encoder_ops *ops;
    /* Code 0: it encodes. -ENODEV: no card, or none that encodes. -ENOSYS: the driver is too old.
     * -EBUSY: it is there and has no room now. -ENOTSUP: not this codec, or another of the list
     * does it. -EIO: it fails, or its pictures are wrong. */
    struct px_error err;
};

/* Forks: to be called before there are threads that hold locks. */
void px_ask_apart(struct px_asked *list, size_t n);
/* The same in this process. */
void px_ask_here(struct px_asked *list, size_t n);
