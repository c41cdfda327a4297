/* src/base/server_name.c - how people write where an ID server is */
#include "base/server_name.h"
#include <errno.h>
#include <string.h>

#define DIGITS "0123456789"
#define LITERAL DIGITS "abcdefABCDEF:."
#define NAME DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-"

/* Of the host at the beginning of @text; 0: none. */
static size_t host_size(const char *text, bool wss) {
    if (*text == '[') {
        const size_t n = 1 + strspn(text + 1, LITERAL);
        return n > 1 && text[n] == ']' ? n + 1 : 0;
    }
    const char *colon = strchr(text, ':');
    const bool bare_ipv6 = !wss && colon && strchr(colon + 1, ':');
    return strspn(text, bare_ipv6 ? LITERAL : NAME);
}

int px_server_name_parse(const char *text, struct px_server_name *ret) {
    static const size_t n_scheme = sizeof(PX_WSS_SCHEME) - 1;
    struct px_server_name s = {.wss = strncmp(text, PX_WSS_SCHEME, n_scheme) == 0};
    s.host = text + (s.wss ? n_scheme : 0);
    s.n_host = host_size(s.host, s.wss);
    s.rest = s.host + s.n_host;
    if (s.n_host == 0 || s.n_host > PX_SERVER_HOST_MAX)
        return -EINVAL;
    if (*s.rest == ':') {
        unsigned port = 0;
        const size_t n = strspn(++s.rest, DIGITS);
        for (size_t i = 0; i < n && port <= UINT16_MAX; i++)
            port = port * 10 + (unsigned)(s.rest[i] - '0');
        if (port == 0 || port > UINT16_MAX)
            return -ERANGE;
        s.port = (uint16_t)port;
        s.rest += n;
    }
    *ret = s;
    return 0;
}
