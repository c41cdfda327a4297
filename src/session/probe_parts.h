/* src/session/probe_parts.h - what the parts of the probe share; for src/session/probe*.c only */
#pragma once
#include "session/client.h"
#include "session/decoder.h"
#include "session/probe.h"

struct px_probe {
    const struct px_probe_opts *opts;
    struct px_probe_result *result;
    struct px_client *client; /* the session with the picture */
    struct px_decoder *decoder;
    int64_t start_us;
};

/* Reads on until @until_us, or (@one) until a picture came. 1: one came, 0: time is up. */
int px_probe_watch(struct px_probe *p, int64_t until_us, bool one, struct px_error *err);
/* A connection, logged in as @l says beyond name and password. The first one gives the result its
 * names and times. */
int px_probe_dial(struct px_probe *p, struct px_client_login *l, struct px_client **ret,
                  struct px_error *err);

/* Press to picture, opts->n_latency times, each bounded. */
int px_probe_measure(struct px_probe *p, struct px_error *err);
/* Half, 95 of 100, and the largest of @n (> 0) times, which are put in order; pure. */
void px_probe_spread(int64_t *us, unsigned n, int64_t *ret_p50, int64_t *ret_p95, int64_t *ret_max);
/* Clipboard (over p->client), files, tunnel: what was asked for; fills in the deeds. */
void px_probe_clipboard(struct px_probe *p);
void px_probe_services(struct px_probe *p);
