/* src/host/config.h - what phoenix-host is told
 *
 * One JSON file; unknown keys are errors. Secrets lie in files of their own, named there, so that
 * the configuration can be read by anybody:
 *
 *     {"id": "123456789", "display": ":0",
 *      "identity_file": "/run/phoenix/identity",       64 bytes in base64
 *      "password_file": "/run/phoenix/password",       one line
 *      "server": {"address": "10.0.0.1:21116", "key": "base64", "relay": ""},
 *                                                      or "wss://HOST[:PORT]" (wss.h)
 *      "direct": ["127.0.0.1:21118"],                  absent: no direct port
 *      "permissions": {"keyboard": true, "clipboard": true, "audio": true, "file": true,
 *                      "tunnel": true, "terminal": true, "recording": true},
 *      "require_encryption": true, "allow_addresses": ["10.0.0.0/8"],
 *      "one_time_file": "",                            lines "PASSWORD UNIX-TIME-OF-ITS-END"
 *      "trusted_devices": true, "state_dir": "",       where we remember them; in $HOME
 *      "banner": true,
 *      "totp_secret_file": "", "audit_log": "/var/log/phoenix/sessions.log",
 *      "punching": true,                               clients may come without the relay
 *      "lan": true,                                    others reach our own address
 *      "discovery": false,                             answer who looks around on the LAN
 *      "tls": {"name": "jupyter", "port": 8888, "cert_file": "..", "key_file": ".."},
 *      "metrics_socket": "/run/user/1000/phoenix-host.metrics",   absent: this, where
 *                                                      $XDG_RUNTIME_DIR is set; "": none
 *      "lock_command": "/usr/lib/phoenix/lock-session",           absent: this; "": none (lock.h)
 *      "encoder": "", "tunnel_targets": ["127.0.0.1"]}  */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/addr.h"
#include "proto/secure.h"
#include <stdbool.h>
#include <stdint.h>

#define PX_HOST_DIRECT_MAX 8
#define PX_HOST_ALLOW_MAX 64

struct px_permissions {
    bool keyboard, clipboard, audio, file, tunnel, terminal, recording;
};

struct px_host_config {
    char *id;
    char *display;
    uint8_t identity[PX_SIGN_SK_BYTES];
    uint8_t identity_pk[PX_SIGN_PK_BYTES];
    char *salt; /* stable: made from the identity */
    uint8_t password_h1[32];
    char *server;     /* "host[:port]", "wss://host[:port]"; NULL: none */
    char *server_key; /* base64, as clients have it; "" : none */
    char *relay;      /* ours; "": what the server names */
    struct px_addr direct[PX_HOST_DIRECT_MAX];
    size_t n_direct;
    struct px_permissions permissions;
    bool punching;           /* clients may come straight; else always by relay */
    bool discovery;          /* who looks around on the LAN is answered (discovery.h) */
    bool lan;                /* our address can be reached from outside this machine */
    bool require_encryption; /* of connections that came through the server */
    struct px_addr_block allow[PX_HOST_ALLOW_MAX];
    size_t n_allow; /* 0: from anywhere */
    uint8_t totp[64];
    size_t totp_size;     /* 0: no second factor */
    bool trusted_devices; /* may be spared the second factor */
    char *one_time_file;  /* NULL: none */
    char *state_dir;      /* for credentials.h and measuring.h */
    bool banner;
    char *audit_log; /* NULL: only the log */
    char *encoder;   /* "": best */
    /* A tunnel to @tls_name (NULL: none) leads to 127.0.0.1:@tls_port, TLS ending here. */
    char *tls_name, *tls_cert, *tls_key;
    int tls_port;
    char *metrics_socket; /* NULL: none */
    char *lock_command;   /* NULL: none */
    bool tunnel_anywhere; /* else only to this desktop itself */
};

bool px_host_config_allows(const struct px_host_config *c, const struct px_addr *from);
/* Without what lies in files of secrets: pure, but for $HOME and the $XDG_ ones. */
int px_host_config_parse(const char *text, size_t size, struct px_host_config *ret,
                         struct px_error *err);
int px_host_config_load(const char *path, struct px_host_config *ret, struct px_error *err);
void px_host_config_fini(struct px_host_config *c);
