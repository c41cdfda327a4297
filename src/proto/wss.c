/* src/proto/wss.c - an ID server behind a reverse proxy that speaks TLS */
#include "proto/wss.h"
#include <stdio.h>
#include <string.h>

#define HTTPS_PORT 443

bool px_wss_parse(const char *text, struct px_wss *ret) {
    struct px_server_name s;
    if (px_server_name_parse(text, &s) < 0 || !s.wss ||
        (*s.rest != '\0' && strcmp(s.rest, "/") != 0))
        return false;
    *ret = (struct px_wss){.port = s.port ? s.port : HTTPS_PORT};
    memcpy(ret->host, s.host, s.n_host); /* it goes into a request's head as it is */
    return true;
}

bool px_wss_of_relay(const struct px_wss *server, const struct px_addr *at, const char *relay,
                     struct px_wss *ret) {
    struct px_addr a;
    const size_t n = strcspn(relay, ":");
    const bool literal = n > 0 && px_addr_parse(relay, HTTPS_PORT, &a, NULL) >= 0;
    if (n == 0 || (literal && px_addr_same_ip(&a, at)) ||
        (strncmp(relay, server->host, n) == 0 && server->host[n] == '\0')) {
        *ret = *server;
        return true;
    }
    char text[sizeof(PX_WSS_SCHEME) + PX_WSS_HOST_MAX];
    snprintf(text, sizeof(text), PX_WSS_SCHEME "%.*s", (int)n, relay);
    return !literal && n < PX_WSS_HOST_MAX && px_wss_parse(text, ret);
}

void px_wss_header(const struct px_wss *w, char ret[PX_WSS_HOST_MAX + 8]) {
    if (w->port == HTTPS_PORT)
        snprintf(ret, PX_WSS_HOST_MAX + 8, "%s", w->host);
    else
        snprintf(ret, PX_WSS_HOST_MAX + 8, "%s:%u", w->host, w->port);
}
