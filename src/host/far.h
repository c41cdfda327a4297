/* src/host/far.h - what has arrived behind a relay
 *
 * The kernel tells of the line as far as the relay, which takes in what a slow line behind it does
 * not: seconds of pictures. Clients echo probes (TestDelay) at once and in order, so one right
 * behind a picture tells when that had arrived. Used once a client has echoed one, and
 * as long as it goes on.
 * Bytes are counted as the connection counts them. Pure. */
#pragma once
#include "host/best.h"
#include "host/link.h"
#include <stddef.h>

#define PX_FAR_MARKS 32
/* So much may be on its way at first. With what comes in quickly it grows. */
#define PX_FAR_WINDOW (96 * 1024)
#define PX_FAR_PART_WINDOW (24 * 1024) /* what changes next shall not stand behind parts */

struct px_far { /* zeroed */
    struct px_far_mark {
        uint64_t at_bytes;         /* all before it, and itself */
        uint64_t from_bytes;       /* what was before the first picture since the mark before it */
        int64_t first_us, sent_us; /* that picture; itself */
    } marks[PX_FAR_MARKS];         /* probes on their way, oldest first */
    unsigned n_marks;
    int64_t first_us;       /* of pictures that no probe is behind yet; 0: there is none */
    uint64_t from_bytes;    /* what was before those */
    uint64_t arrived;       /* bytes */
    int64_t min_us, rtt_us; /* there and back: at its best of late, last; 0: nothing echoed yet */
    struct px_best best;
    int64_t echoed_us;    /* when the last came */
    uint64_t told_bytes;  /* came in since the line was last told of, or had rested, .. */
    int64_t told_us;      /* in so much of its time */
    uint64_t bytes_per_s; /* what it took then */
    size_t grown;         /* of the windows */
    bool quick;           /* much came in, and the last of it at once: fewer probes do */
};

/* A picture is about to be sent; the connection has counted @n_bytes before it. */
void px_far_sends(struct px_far *f, uint64_t n_bytes, int64_t now_us);
/* Whether a probe is worth while now. */
bool px_far_wants_probe(const struct px_far *f, uint64_t n_bytes, int64_t now_us);
/* One was sent; with it the connection has counted @n_bytes. */
void px_far_probed(struct px_far *f, uint64_t n_bytes, int64_t now_us);
/* The oldest came back: *ret_queue_us of its time are more than the way takes at its best, and
 * *ret_bytes came in since the line was last told of (0: too few to tell). False:
 * none was on its way. */
bool px_far_echoed(struct px_far *f, int64_t now_us, int64_t *ret_queue_us, size_t *ret_bytes);
/* The client echoes. */
bool px_far_used(const struct px_far *f, int64_t now_us);
/* In place of px_link_read(). */
void px_far_link(const struct px_far *f, uint64_t n_bytes, int64_t now_us,
                 struct px_link_info *ret);
/* Nothing is known of the line: whether more may be sent all the same; @part: of a refinement. */
bool px_far_has_room(const struct px_far *f, uint64_t n_bytes, bool part);
