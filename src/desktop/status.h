/* src/desktop/status.h - what is true of a desktop now, for ls, show and the table after up
 *
 * Facts are asked for when the call is made, never remembered. One thread. */
#pragma once
#include "desktop/fleet.h"

struct px_status {
    char *name;
    char *state;   /* "running", "starting", "stopped", "half made", "half removed", "damaged" */
    char *problem; /* one line; NULL: none */
    char *user;    /* login name inside */
    char *image;   /* name or short digest */
    char address[INET_ADDRSTRLEN]; /* "" without network */
    char *gpus;                    /* "none", or what it was given */
    bool has_session;              /* runs and has an X session that a screenshot would show */
    char *jupyter_url;             /* with its token; NULL: image or spec has none */
    char *rustdesk_id;             /* what clients type; NULL: they do not get in now */
    char *renew; /* runs another phoenix-host than installed: what starts that one; NULL: no */
    struct px_container_info info;
    struct px_record *rec; /* NULL when damaged */
};

struct px_status_opts {
    bool disk; /* ask for disk use as well (walks the tree where there is no quota) */
};

/* All that match (px_fleet_names). Free with px_status_list_free. */
int px_status_list(const struct px_fleet *fleet, const char *const *globs, size_t n_globs,
                   const struct px_status_opts *opts, struct px_status **ret, size_t *ret_n,
                   struct px_error *err);
void px_status_list_free(struct px_status *list, size_t n);
struct json_t;
struct json_t *px_status_to_json(const struct px_status *s);
