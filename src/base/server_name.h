/* src/base/server_name.h - how people write where an ID server is
 *
 *     HOST  HOST:PORT  wss://HOST[:PORT]
 *
 * HOST is a name or an address literal, IPv6 in brackets; alone it needs none. Behind "wss://" is a
 * reverse proxy that speaks TLS. Pure. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_WSS_SCHEME "wss://"
#define PX_SERVER_HOST_MAX 253 /* RFC 1035: a name as text */

struct px_server_name {
    bool wss;
    const char *host; /* in the text; with its brackets */
    size_t n_host;    /* 1 to PX_SERVER_HOST_MAX; of characters that need no quoting anywhere */
    uint16_t port;    /* 0: not said */
    const char *rest; /* what follows, for who knows more: "" or "/.." is usual */
};

/* -EINVAL: no host; -ERANGE: the port is none from 1 to 65535. */
int px_server_name_parse(const char *text, struct px_server_name *ret);
