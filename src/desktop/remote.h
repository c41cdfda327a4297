/* src/desktop/remote.h - what a RustDesk client needs to reach a desktop: its ID, keys, password
 *
 * In STATE/desktops/NAME/etc (files.h), made once and stable from then on:
 *
 *     rustdesk-id        9 digits, no 0 first; what clients type                  root, 0644
 *     host-identity      base64 of an Ed25519 secret key (64 bytes)               user, 0400
 *     host-password      26 of a-z and 2-7: 130 bits                              user, 0400
 *     tunnel-cert        PEM, signed by itself, renewed in time (cert.h)          root, 0644
 *     tunnel-key         PEM                                                      user, 0400
 *     host-totp          20 bytes in hexadecimal: the second factor, if wanted    user, 0400
 *     host-one-time      passwords for one login each, with the time they end    user, 0400
 *     host.json          phoenix-host's configuration (src/host/config.h)         root, 0644
 *
 * The password is long because the protocol's proof of it can be guessed off line. One thread,
 * under the desktop's lock. */
#pragma once
#include "desktop/fleet.h"

/* Where the programs for desktops are seen inside. */
#define PX_REMOTE_TARGET "/opt/phoenix"

/* Writes what is missing or has changed. Without a server in the host file: nothing. */
int px_remote_write(const struct px_fleet *fleet, const struct px_desktop *d, int files_fd,
                    uid_t root, uid_t user, struct px_error *err);

struct px_remote {
    char *id, *password; /* password is secret */
    char *totp;          /* otpauth:// link, secret; NULL: no second factor */
    char *server, *key;  /* for the client's settings */
    char *proxy;         /* HOST[:PORT] of a proxy before the server that speaks TLS; NULL: none */
    char *fingerprint;   /* SHA-256 of the certificate of tunnels; NULL: none */
};
/* -ENOENT: this desktop has none. */
int px_remote_load(const struct px_fleet *fleet, const struct px_desktop *d, struct px_remote *ret,
                   struct px_error *err);
void px_remote_fini(struct px_remote *remote);
/* A new password in place of the one that stays; the caller's, to be wiped. phoenix-host notices by
 * itself, and whoever watches by the old one is out. Under the desktop's lock. */
int px_remote_new_password(const struct px_fleet *fleet, const struct px_desktop *d, char **ret,
                           struct px_error *err);
/* A password for one login within PX_REMOTE_ONE_TIME_S; the caller's, to be wiped. Under the
 * desktop's lock. */
#define PX_REMOTE_ONE_TIME_S 3600
int px_remote_one_time(const struct px_fleet *fleet, const struct px_desktop *d, char **ret,
                       struct px_error *err);

/* The folder on this host with phoenix-host and what it needs (packaging/bundle-host.sh), the
 * caller's; NULL: it has not been built. */
char *px_remote_bundle(void);
