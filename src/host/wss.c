/* src/host/wss.c - an ID server behind a reverse proxy that speaks TLS */
#include "host/wss.h"
#include <stdio.h>
#include <string.h>

#define HTTPS_PORT 443

bool px_wss_parse(const char *text, struct px_wss *ret) {
    static const size_t n_scheme = sizeof(PX_WSS_SCHEME) - 1;
    if (strncmp(text, PX_WSS_SCHEME, n_scheme) != 0)
        return false;
    text += n_scheme;
    const size_t n = *text == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":/");
    unsigned port = HTTPS_PORT;
    int end = 0;
    if (n == 0 || n > strlen(text) || n >= PX_WSS_HOST_MAX)
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

void px_wss_header(const struct px_wss *w, char ret[PX_WSS_HOST_MAX + 8]) {
    if (w->port == HTTPS_PORT)
        snprintf(ret, PX_WSS_HOST_MAX + 8, "%s", w->host);
    else
        snprintf(ret, PX_WSS_HOST_MAX + 8, "%s:%u", w->host, w->port);
}
