/* src/proto/wss.h - an ID server behind a reverse proxy that speaks TLS
 *
 * "wss://HOST[:PORT]" in the configuration (port 443). All goes over WebSockets there, as
 * RustDesk's clients have it: /ws/id for the ID server, /ws/relay for its relay. Pure. */
#pragma once
#include "base/server_name.h"
#include "proto/addr.h"
#include <stdbool.h>
#include <stdint.h>

#define PX_WSS_HOST_MAX (PX_SERVER_HOST_MAX + 1) /* with its NUL */

struct px_wss {
    char host[PX_WSS_HOST_MAX]; /* a name or an address literal, IPv6 in brackets; "": none */
    uint16_t port;
};

/* False: @text is another kind of address, or none at all. */
bool px_wss_parse(const char *text, struct px_wss *ret);
/* The proxy before @relay, "HOST[:PORT]" as the server names it ("": the server's own): /ws/relay
 * of that host, as clients have it. The server's own relay is behind the server's proxy, whatever
 * it is called. @at: the address of @server. False: no name, so it is none. */
bool px_wss_of_relay(const struct px_wss *server, const struct px_addr *at, const char *relay,
                     struct px_wss *ret);
/* What has to be in the request: the host, with its port unless that is 443. */
void px_wss_header(const struct px_wss *w, char ret[PX_WSS_HOST_MAX + 8]);
