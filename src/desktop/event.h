/* src/desktop/event.h - what long work tells while it goes on
 *
 * The receiver is called on the thread that called the work. Texts are lent for the call. */
#pragma once
#include "base/error.h"
#include <stdint.h>

enum px_event_kind {
    PX_EVENT_STEP,   /* a step begins: "starting", "waiting for the desktop" */
    PX_EVENT_DONE,   /* this desktop is as wanted; text says how ("running", "unchanged") */
    PX_EVENT_FAILED, /* this desktop is not; err says why */
    PX_EVENT_NOTE,   /* worth a line: "waiting for the lock of pid 12 (phoenix up)" */
};

struct px_event {
    enum px_event_kind kind;
    const char *desktop; /* "": the host */
    const char *text;
    const struct px_error *err; /* for FAILED */
    int64_t elapsed_us;         /* since work on this desktop began */
};

typedef void (*px_event_fn)(void *data, const struct px_event *event);

struct px_events { /* the receiver; fn NULL: nobody listens */
    px_event_fn fn;
    void *data;
};

static inline void px_event_send(const struct px_events *to, const struct px_event *event) {
    if (to && to->fn)
        to->fn(to->data, event);
}
