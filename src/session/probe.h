/* src/session/probe.h - looks into a desktop as a user would, and reports what it found
 *
 * Connects, logs in, decodes the picture; may type, click, measure how long it takes from a click
 * to the decoded picture that shows it, and try clipboard, file transfer and a tunnel. Blocking,
 * and every step has a limit. The host is a stranger: what it sends is read in bounds, its words
 * are cleaned. One thread. */
#pragma once
#include "base/error.h"
#include "base/histogram.h"
#include "proto/addr.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PX_PROBE_TEXT_MAX 128
#define PX_PROBE_LATENCY_MAX 1000

struct px_probe_opts {
    struct px_addr address; /* direct port; port 0: by id through the server */
    const char *id;         /* of the host */
    const char *server;     /* "host[:port]" of the ID server, "wss://host[:port]"; NULL: direct */
    const char *server_key; /* base64; NULL: none, then the connection is not encrypted */
    bool force_relay;
    bool udp; /* by UDP where that goes: KCP, which clients call UDP or IPv6 hole punching */
    const char *password;
    const char *code;   /* second factor; NULL */
    int64_t timeout_us; /* of each step */

    bool no_picture;   /* none of what follows up to png_fd; only files and tunnel */
    const char *codec; /* "vp9".. ; NULL: the host chooses */
    bool i444;
    const char *type;       /* UTF-8 to type; NULL */
    int click_x, click_y;   /* less than 0: none */
    unsigned n_latency;     /* presses to measure; 0: none */
    int target_x, target_y; /* where a press surely changes the picture (`phoenix-host target`);
                               less than 0: keys are pressed instead, an x and backspace in turns */
    bool clipboard;         /* a text each way; over there it stays */
    int64_t duration_us;    /* how long to watch after all that */
    int png_fd;             /* where the last picture goes; -1: nowhere */

    uint64_t file_bytes;  /* a file of that size there, back, and away again; 0: none */
    const char *put_path; /* where the bytes of put_fd go over there; NULL: none */
    int put_fd;
    const char *get_path; /* what is to be written to get_fd; NULL: none */
    int get_fd;
    const char *tunnel_host; /* asked for "/" by HTTP through a tunnel; NULL: none */
    int tunnel_port;
};

struct px_probe_deed { /* one of the services */
    bool asked, done;
    char trouble[256]; /* why it was not done */
};

struct px_probe_result {
    char username[PX_PROBE_TEXT_MAX], hostname[PX_PROBE_TEXT_MAX], version[PX_PROBE_TEXT_MAX];
    char codec[16];
    char codec_why[PX_PROBE_TEXT_MAX]; /* of the first picture, by phoenix-host; "" by others */
    bool encrypted, relayed, udp, i444;
    int width, height;
    int64_t connect_us, login_us, first_frame_us; /* since the start */
    unsigned n_frames, n_keys, n_cursors;
    struct px_histogram decode; /* of each picture */
    uint64_t n_bytes;
    uint32_t host_delay_ms;

    unsigned n_asked, n_latency; /* presses; those answered by the picture in time */
    int64_t latency_p50_us, latency_p95_us, latency_max_us;
    char latency_note[PX_PROBE_TEXT_MAX]; /* why some were not answered, "" */

    struct px_probe_deed clipboard, files, put, get, tunnel;
    int64_t clip_there_us, clip_back_us;
    int64_t put_us, get_us; /* of the file that went there and back */
    uint64_t put_bytes, got_bytes;
    int64_t tunnel_open_us, tunnel_first_us;
    char tunnel_line[PX_PROBE_TEXT_MAX]; /* the first line of what came back */
};

/* -EACCES: login refused (the text is the host's). -ETIMEDOUT, -EPIPE, -EBADMSG. A service that
 * does not do is no failure here: it is told in its deed. */
int px_probe_run(const struct px_probe_opts *opts, struct px_probe_result *ret,
                 struct px_error *err);
/* Whether all that was asked for was done. */
bool px_probe_all_done(const struct px_probe_result *r);
/* The caller's reference. */
json_t *px_probe_json(const struct px_probe_result *r);
