/* src/proto/fuzz_wss.c - addresses of servers and proxies, and relays as a server names them */
#include "proto/wss.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken is written and read again. */
static void check(const struct px_wss *w) {
    char header[PX_WSS_HOST_MAX + 8], text[sizeof(PX_WSS_SCHEME) + sizeof(header)];
    struct px_wss again;
    assert(w->port > 0 && *w->host && strlen(w->host) < PX_WSS_HOST_MAX);
    assert(!strpbrk(w->host, "/ \r\n"));
    px_wss_header(w, header);
    snprintf(text, sizeof(text), PX_WSS_SCHEME "%s", header);
    assert(px_wss_parse(text, &again) && again.port == w->port && strcmp(again.host, w->host) == 0);
}

/* It lies in @text, and alone it is the same again. */
static void check_name(const char *text, const struct px_server_name *s) {
    char alone[PX_SERVER_HOST_MAX + 1] = "";
    struct px_server_name again;
    assert(s->n_host > 0 && s->n_host <= PX_SERVER_HOST_MAX);
    assert(s->host >= text && s->rest >= s->host + s->n_host && s->rest <= text + strlen(text));
    if (*s->rest) /* "a:b/:" has too many colons for a name, and too few for an address */
        return;
    memcpy(alone, s->host, s->n_host);
    assert(px_server_name_parse(alone, &again) == 0);
    assert(again.n_host == s->n_host && again.port == 0 && !*again.rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct px_wss server = {"rd.example.com", 8443};
    const struct px_addr at = px_addr_v4(192, 0, 2, 7, 8443);
    char text[TEXT_MAX];
    struct px_wss w = {.host = ""};
    if (size >= sizeof(text) || (size > 0 && memchr(data, 0, size)))
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    struct px_server_name name;
    if (px_server_name_parse(text, &name) == 0)
        check_name(text, &name);
    if (px_wss_parse(text, &w))
        check(&w);
    if (px_wss_of_relay(&server, &at, text, &w))
        check(&w);
    return 0;
}
