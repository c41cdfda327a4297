/* src/relay/pair.h - two connections and the two directions between them; for pair.c and pump.c
 *
 * pump.c moves bytes of one direction until there is a reason to stop; pair.c decides what the
 * reason means. A pair belongs to its worker's thread; others see `bytes` and, under the worker's
 * lock, the legs. */
#pragma once
#include "relay/relay_private.h"

enum pump {
    PUMP_READ,   /* waits for data */
    PUMP_WRITE,  /* waits for room */
    PUMP_TOKENS, /* waits for its share of a limited bandwidth */
    PUMP_TURN,   /* had its share of this turn */
    PUMP_END,    /* the source is through, all was written */
    PUMP_DEAD,   /* the sink takes nothing any more */
    PUMP_BROKEN, /* the source does not keep to its protocol */
};

struct direction {
    struct leg *from, *to;
    struct px_buf hold; /* read, not yet written */
    int pipe[2];        /* -1: none */
    size_t piped;       /* bytes in it */
    bool bulk, eof, closing;
    enum pump state;
    _Atomic uint64_t bytes;
    struct share share;
    struct px_convert convert;
    struct px_buf pong; /* to be sent to `to`: it pinged us */
    bool has_pong;
};

struct pair {
    struct px_relay_worker *worker;
    struct pair *next, **link;
    struct leg *legs[2];
    struct direction dirs[2]; /* [0]: from legs[0] */
    struct px_timer idle, resume;
    struct bucket bucket;
    int64_t since_us, active_us;
    bool framed, slow, ending;
    char name[9];
};

void direction_init(struct direction *d, struct leg *from, struct leg *to);
/* Also when it still holds bytes: they are lost. */
void direction_fini(struct px_relay_worker *w, struct direction *d);
/* Moves what can be moved. */
enum pump pump(struct pair *p, struct direction *d);
