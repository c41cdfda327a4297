/* src/proto/addr.c - an IP address with port, and its blurred form inside messages */
#include "proto/addr.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t loopback_v6[16] = {[15] = 1};

struct px_addr px_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port) {
    return (struct px_addr){
        .ip = {[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d}, .port = port};
}

bool px_addr_is_v4(const struct px_addr *a) {
    return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

bool px_addr_is_loopback(const struct px_addr *a) {
    return px_addr_is_v4(a) ? a->ip[12] == 127 : memcmp(a->ip, loopback_v6, 16) == 0;
}

bool px_addr_same_ip(const struct px_addr *a, const struct px_addr *b) {
    return memcmp(a->ip, b->ip, 16) == 0;
}

bool px_addr_equal(const struct px_addr *a, const struct px_addr *b) {
    return a->port == b->port && px_addr_same_ip(a, b);
}

static struct px_addr from_v6(const uint8_t ip[16], uint16_t port) {
    static const uint8_t zero[12];
    struct px_addr a = {.port = port};
    memcpy(a.ip, ip, 16);
    if (memcmp(ip, zero, 12) == 0 && memcmp(ip, loopback_v6, 16) != 0) /* ::a.b.c.d */
        memcpy(a.ip, mapped, 12);
    return a;
}

/* V has up to 82 bits: unsigned __int128 keeps the formula readable. */
__extension__ typedef unsigned __int128 u128;

struct px_addr px_addr_unmangle(struct px_bytes in) {
    if (in.size == 18)
        return from_v6(in.data, px_le16(in.data + 16));
    if (in.size > 16)
        return (struct px_addr){0};
    u128 v = 0;
    for (size_t i = 0; i < in.size; i++)
        v |= (u128)in.data[i] << (8 * i);
    uint32_t t = (uint32_t)(v >> 17);
    uint32_t ip = (uint32_t)(v >> 49) - t;
    uint16_t port = (uint16_t)((uint32_t)(v & 0xffffff) - (t & 0xffff));
    return px_addr_v4((uint8_t)ip, (uint8_t)(ip >> 8), (uint8_t)(ip >> 16), (uint8_t)(ip >> 24),
                      port);
}

size_t px_addr_mangle(const struct px_addr *a, uint32_t t, uint8_t out[PX_ADDR_MANGLED_MAX_BYTES]) {
    if (!px_addr_is_v4(a)) {
        memcpy(out, a->ip, 16);
        out[16] = (uint8_t)a->port;
        out[17] = (uint8_t)(a->port >> 8);
        return 18;
    }
    u128 v =
        (u128)(a->port + (t & 0xffff)) + ((u128)t << 17) + (((u128)px_le32(a->ip + 12) + t) << 49);
    size_t n = 0;
    for (; v; v >>= 8)
        out[n++] = (uint8_t)v;
    return n;
}

int px_addr_from_sockaddr(const struct sockaddr *sa, struct px_addr *ret) {
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        const uint8_t *ip = (const uint8_t *)&in->sin_addr;
        *ret = px_addr_v4(ip[0], ip[1], ip[2], ip[3], ntohs(in->sin_port));
        return 0;
    }
    if (sa->sa_family != AF_INET6)
        return -EAFNOSUPPORT;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
    *ret = from_v6(in6->sin6_addr.s6_addr, ntohs(in6->sin6_port));
    return 0;
}

socklen_t px_addr_to_sockaddr(const struct px_addr *a, bool v6, struct sockaddr_storage *ret) {
    if (!v6) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in->sin_addr, a->ip + 12, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
    memcpy(&in6->sin6_addr, a->ip, 16);
    return sizeof(*in6);
}

char *px_addr_ip_text(const struct px_addr *a, char out[PX_ADDR_TEXT_MAX]) {
    if (px_addr_is_v4(a))
        inet_ntop(AF_INET, a->ip + 12, out, PX_ADDR_TEXT_MAX);
    else
        inet_ntop(AF_INET6, a->ip, out, PX_ADDR_TEXT_MAX);
    return out;
}

char *px_addr_text(const struct px_addr *a, char out[PX_ADDR_TEXT_MAX]) {
    char ip[PX_ADDR_TEXT_MAX];
    px_addr_ip_text(a, ip);
    snprintf(out, PX_ADDR_TEXT_MAX, px_addr_is_v4(a) ? "%.45s:%u" : "[%.45s]:%u", ip, a->port);
    return out;
}

static int parse_ip(const char *text, uint8_t ret[16]) {
    uint8_t v4[4], v6[16];
    if (inet_pton(AF_INET, text, v4) == 1) {
        struct px_addr a = px_addr_v4(v4[0], v4[1], v4[2], v4[3], 0);
        memcpy(ret, a.ip, 16);
        return 0;
    }
    if (inet_pton(AF_INET6, text, v6) != 1)
        return -EINVAL;
    static const uint8_t any[16]; /* "::": who says that does not mean 0.0.0.0 */
    struct px_addr a = from_v6(v6, 0);
    memcpy(ret, memcmp(v6, any, 16) == 0 ? any : a.ip, 16);
    return 0;
}

/* Splits "[v6]:port", "v4:port" or a bare address; *port_text is NULL without one. */
static int split_port(char *text, char **ip, char **port_text) {
    *ip = text;
    *port_text = NULL;
    if (text[0] == '[') {
        char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return -EINVAL;
        *ip = text + 1;
        *end = '\0';
        *port_text = end[1] ? end + 2 : NULL;
        return 0;
    }
    char *colon = strchr(text, ':');
    if (colon && !strchr(colon + 1, ':')) { /* a second one: bare IPv6 */
        *colon = '\0';
        *port_text = colon + 1;
    }
    return 0;
}

int px_addr_parse(const char *text, uint16_t default_port, struct px_addr *ret,
                  struct px_error *err) {
    char copy[PX_ADDR_TEXT_MAX], *ip, *port_text;
    struct px_addr a = {.port = default_port};
    if (strlen(text) >= sizeof(copy))
        return px_fail(err, -EINVAL, "'%.60s...' is not an IP address", text);
    strcpy(copy, text);
    if (split_port(copy, &ip, &port_text) < 0 || parse_ip(ip, a.ip) < 0)
        return px_fail(err, -EINVAL, "'%s' is not an IP address", text);
    if (port_text) {
        char *end;
        unsigned long port = strtoul(port_text, &end, 10);
        if (*end || end == port_text || port > 65535)
            return px_fail(err, -EINVAL, "'%s' has no valid port", text);
        a.port = (uint16_t)port;
    }
    *ret = a;
    return 0;
}

int px_addr_block_parse(const char *text, struct px_addr_block *ret, struct px_error *err) {
    char copy[PX_ADDR_TEXT_MAX];
    snprintf(copy, sizeof(copy), "%s", text);
    char *slash = strchr(copy, '/'), *end = NULL;
    if (slash)
        *slash++ = '\0';
    struct px_addr_block block = {.bits = 128};
    if (strlen(text) >= sizeof(copy) || parse_ip(copy, block.ip) < 0)
        return px_fail(err, -EINVAL, "'%.60s' is not an address or ADDRESS/BITS", text);
    if (slash) {
        unsigned width = strchr(copy, ':') ? 128 : 32;
        unsigned long bits = strtoul(slash, &end, 10);
        if (*end || end == slash || bits > width)
            return px_fail(err, -EINVAL, "'%s' has no valid prefix length", text);
        block.bits = (uint8_t)(bits + 128 - width);
    }
    *ret = block;
    return 0;
}

bool px_addr_in_block(const struct px_addr *a, const struct px_addr_block *block) {
    unsigned whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(a->ip, block->ip, whole) != 0)
        return false;
    return rest == 0 || ((a->ip[whole] ^ block->ip[whole]) >> (8 - rest)) == 0;
}
