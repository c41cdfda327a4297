/* src/session/probe.h - looks into a desktop as a user would, and reports what it found
 *
 * Connects, logs in, decodes the picture; may type, click, and measure how long it takes from a
 * click or key to the first changed picture. Blocking. */
#pragma once
#include "base/error.h"
#include "proto/addr.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PX_PROBE_TEXT_MAX 128

struct px_probe_opts {
    struct px_addr address; /* direct port; port 0: by id through the server */
    const char *id;         /* of the host */
    const char *server;     /* "host[:port]" of the ID server; NULL: direct */
    const char *server_key; /* base64; NULL: none, then the connection is not encrypted */
    bool force_relay;
    const char *password;
    const char *code;  /* second factor; NULL */
    const char *codec; /* "vp9".. ; NULL: the host chooses */
    bool i444;
    const char *type;     /* UTF-8 to type; NULL */
    int click_x, click_y; /* less than 0: none */
    unsigned n_latency;   /* measured key presses; 0: none. Types spaces and deletes them again */
    int64_t duration_us;  /* how long to watch after all that */
    int64_t timeout_us;   /* of each step */
    const char *png;      /* where the last picture goes; NULL */
};

struct px_probe_result {
    char username[PX_PROBE_TEXT_MAX], hostname[PX_PROBE_TEXT_MAX], version[PX_PROBE_TEXT_MAX];
    char codec[16];
    bool encrypted, relayed, i444;
    int width, height;
    int64_t connect_us, login_us, first_frame_us; /* since the start */
    unsigned n_frames, n_keys, n_cursors;
    uint64_t n_bytes;
    uint32_t host_delay_ms;
    unsigned n_latency;
    int64_t latency_p50_us, latency_p95_us, latency_max_us;
};

/* -EACCES: login refused (the text is the host's). -ETIMEDOUT, -EPIPE, -EBADMSG. */
int px_probe_run(const struct px_probe_opts *opts, struct px_probe_result *ret,
                 struct px_error *err);
/* The caller's reference. */
json_t *px_probe_json(const struct px_probe_result *r);
