/* src/image/apt.h - Debian's archive as this machine reaches it
 *
 * Runs the machine's own apt with lists, cache and configuration of its own below
 * STATE/images/apt/SUITE, so nothing of the machine's package state is read or changed. Signatures
 * are checked by apt. Blocking; one thread at a time, under the store's lock.
 * Source: apt-get(8), apt.conf(5). */
#pragma once
#include "base/cleanup.h"
#include "image/pool.h"
#include "spec/recipe.h"

struct px_apt;

struct px_apt_opts {    /* lent while open */
    const char *images; /* STATE/images */
    const char *suite, *components, *architecture;
    int log_fd;
    void (*on_line)(void *data, const char *line); /* each line that apt prints; may be NULL */
    void *data;
};

int px_apt_open(const struct px_apt_opts *opts, struct px_apt **ret, struct px_error *err);
/* Brings the lists up to date. Called by those below when it was not yet. */
int px_apt_update(struct px_apt *apt, struct px_error *err);
/* Adds to @ret what must be installed for @wanted on top of @below (none: a root of its own, with
 * all essential and required packages and apt). */
int px_apt_resolve(struct px_apt *apt, const struct px_debs *below, const struct px_strings *wanted,
                   struct px_debs *ret, struct px_error *err);
/* Adds to @ret what the lists say of @ids. -ESTALE: the archive no longer has one of them. */
int px_apt_show(struct px_apt *apt, const struct px_locked_deb *ids, size_t n_ids,
                struct px_debs *ret, struct px_error *err);
/* Fetches what the pool lacks; @tmp: an empty directory on its file system. */
int px_apt_fetch(struct px_apt *apt, const struct px_debs *debs, const char *tmp,
                 struct px_error *err);
struct px_apt *px_apt_close(struct px_apt *apt);
PX_DEFINE_CLEANUP(struct px_apt *, px_apt_close)

/* dpkg --print-architecture; the caller's. */
int px_apt_architecture(char **ret, struct px_error *err);
