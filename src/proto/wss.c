/* src/proto/wss.c - an ID server behind a reverse proxy that speaks TLS */
#include "proto/wss.h"
#include <stdio.h>
#include <string.h>

#define HTTPS_PORT 443

/* Of the host at the beginning of @text; 0: none. It goes into a request's head as it is. */
static size_t host_size(const char *text) {
    static const char address[] = "0123456789abcdefABCDEF:.";
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (*text != '[')
        return strspn(text, name);
    const size_t n = 1 + strspn(text + 1, address);
    return text[n] == ']' && n > 1 ? n + 1 : 0;
}

bool px_wss_parse(const char *text, struct px_wss *ret) {
    static const size_t n_scheme = sizeof(PX_WSS_SCHEME) - 1;
    if (strncmp(text, PX_WSS_SCHEME, n_scheme) != 0)
        return false;
    text += n_scheme;
    const size_t n = host_size(text);
    unsigned port = HTTPS_PORT;
    int end = 0;
    if (n == 0 || n >= PX_WSS_HOST_MAX)
        return false;
    if (text[n] == ':' &&
        (sscanf(text + n, ":%5u%n", &port, &end) != 1 || port == 0 || port > UINT16_MAX))
        return false;
    const char *rest = text + n + end;
    if (*rest != '\0' && strcmp(rest, "/") != 0)
        return false;
    *ret = (struct px_wss){.port = (uint16_t)port};
    memcpy(ret->host, text, n);
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
