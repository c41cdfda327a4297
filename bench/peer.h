/* bench/peer.h - a client of some remote screen, for measuring: input out, pictures in
 *
 * The screen runs bench/patch.c, which shows a number in its corner; a picture counts when it is
 * decoded. One thread, blocking, every wait has a limit. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define PX_PATCH_SQUARE 16
#define PX_PATCH_BITS 16

struct px_peer_opts {
    const char *address; /* "host:port"; NULL: by id through the server */
    const char *server, *server_key, *id, *password; /* phoenix */
    const char *
        codec; /* phoenix: "vp9", "vp9-444"..; RFB: encodings as VNC viewers name them; NULL: any */
};

struct px_peer {
    const struct px_peer_ops *ops;
    uint64_t n_bytes, n_pictures;
    int64_t decode_us; /* all together; 0: not known */
    /* Of the last picture: when it was here, not yet decoded; and the thread's time to decode it.
     */
    int64_t arrived_us, decode_cpu_us;
};

struct px_peer_ops {
    int (*open)(const struct px_peer_opts *opts, struct px_peer **ret, struct px_error *err);
    /* 1: a new picture is there; 0: none until @until_us. */
    int (*wait)(struct px_peer *p, int64_t until_us, struct px_error *err);
    /* Luma of a pixel of the last picture, 0..255. */
    int (*luma)(struct px_peer *p, int x, int y);
    int (*key)(struct px_peer *p, struct px_error *err); /* presses and releases A */
    int (*mouse)(struct px_peer *p, int x, int y, bool pressed, struct px_error *err);
    void (*close)(struct px_peer *p);
};

extern const struct px_peer_ops px_peer_phoenix;
extern const struct px_peer_ops *const px_peer_rfb; /* NULL: built without libvncclient */
