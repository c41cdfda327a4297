/* src/check/probing.h - phoenix-probe and a target for its clicks, from the host
 *
 * The probe decodes what a desktop sends, so it is a program of its own that gives up root before
 * it talks to anybody (phoenix-probe(1)); its password goes through a memory file, never an
 * argument. What it reports is read in bounds. One thread. */
#pragma once
#include "base/buf.h"
#include "check/stages.h"
#include "desktop/fleet.h"

/* Runs phoenix-probe for @d through the host's server, with @args (NULL-terminated) behind what
 * says where. Its report is added to @ret, its last words to @ret_why (may be NULL). Returns its
 * exit status. -ENOENT: the desktop has no remote access; -ECONNREFUSED: our server does not run;
 * -ETIMEDOUT. */
#define PX_PROBING_ARGS_MAX 48
int px_probing_run(const struct px_fleet *fleet, const struct px_desktop *d,
                   const char *const *args, int64_t timeout_us, struct px_buf *ret,
                   struct px_buf *ret_why, struct px_error *err);

/* The stages of pictures so far, as the desktop's phoenix-host counts them; -ENOTSUP and others: it
 * does not say. */
int px_probing_stages(const struct px_fleet *fleet, const struct px_desktop *d,
                      struct px_stages *ret, struct px_error *err);

/* A small window on the desktop's screen that answers clicks (`phoenix-host target`). */
struct px_aim {
    int x, y;
    pid_t pid; /* of the one that waits for it; 0: none */
    int in;    /* its standard input, which keeps it there */
};
/* -EBUSY: somebody is at work on the screen. -EPROTO, -ETIMEDOUT, -EIO. Close it in any case. */
int px_aim_open(const struct px_fleet *fleet, const char *name, struct px_aim *ret,
                struct px_error *err);
void px_aim_close(struct px_aim *aim);
/* "at X Y", "busy"; pure. -EBUSY; -EPROTO: anything else. */
int px_aim_parse(const char *line, int *ret_x, int *ret_y);

/* What verify wants of a report; figures in ms, less than 0: not there. */
struct px_probing_report {
    bool encrypted, relayed;
    char codec[16], note[128], line[128];
    int width, height;
    unsigned n_asked, n_samples;
    double connect, login, picture, p50, p95;
    double put, get, tunnel;
    char files_error[256], tunnel_error[256]; /* "" : well, or not asked for */
};
/* Pure. -EBADMSG: no report. */
int px_probing_parse(const char *text, size_t size, struct px_probing_report *ret,
                     struct px_error *err);
