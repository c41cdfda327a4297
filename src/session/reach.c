/* src/session/reach.c - how a client comes to a host: the direct port, or ID server and relay */
#include "session/reach.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "proto/handshake.h"
#include "proto/rendezvous.h"
#include "session/udp.h"
#include "session/wss.h"
#include <netdb.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_PORT 21116
#define RELAY_PORT 21117
#define ENVELOPE_MAX 2048
#define STRAIGHT_US (3 * PX_US_PER_S) /* until the relay is asked for instead */
#define LOCAL_US PX_US_PER_S
#define SEEN_US PX_US_PER_S /* for the server's word on our UDP port */

/* "host", "host:port", an address literal: to the first address it has. */
int px_resolve(const char *name, uint16_t default_port, struct px_addr *ret, struct px_error *err) {
    if (px_addr_parse(name, default_port, ret, NULL) >= 0)
        return 0;
    px_cleanup_free char *host = px_strdup(name);
    char *colon = strrchr(host, ':');
    unsigned port = default_port;
    if (colon && sscanf(colon + 1, "%5u", &port) == 1)
        *colon = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *res = NULL;
    const int r = getaddrinfo(host, NULL, &hints, &res);
    if (r != 0)
        return px_fail(err, -ENOENT, "cannot resolve '%s': %s", host, gai_strerror(r));
    const int known = px_addr_from_sockaddr(res->ai_addr, ret);
    freeaddrinfo(res);
    ret->port = (uint16_t)port;
    return known < 0 ? px_fail(err, known, "'%s' has no IP address", host) : 0;
}

static int send_envelope(struct px_client *c, const struct px_rdv_msg *m, struct px_error *err) {
    uint8_t out[ENVELOPE_MAX];
    const int n = px_rdv_encode(m, out, sizeof(out), err);
    return n < 0 ? n : px_client_send_body(c, out, (size_t)n, err);
}

static const char *base64_key(const struct px_probe_opts *o) {
    return o->server_key ? o->server_key : "";
}

/* The server's key is 32 bytes, or 64 with the secret half never handed out. */
static int read_key(const char *text, uint8_t ret[PX_SIGN_PK_BYTES], struct px_error *err) {
    size_t n = 0;
    if (sodium_base642bin(ret, PX_SIGN_PK_BYTES, text, strlen(text), NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        n != PX_SIGN_PK_BYTES)
        return px_fail(err, -EINVAL, "the server's key is not 32 bytes in base64");
    return 0;
}

struct place { /* where the ID server is */
    struct px_addr at;
    struct px_wss wss; /* behind this proxy; host "": none */
};

static int find_server(const struct px_probe_opts *o, struct place *ret, struct px_error *err) {
    *ret = (struct place){.at = {.port = 0}};
    if (strncmp(o->server, PX_WSS_SCHEME, strlen(PX_WSS_SCHEME)) != 0)
        return px_resolve(o->server, SERVER_PORT, &ret->at, err);
    if (!px_wss_parse(o->server, &ret->wss))
        return px_fail(err, -EINVAL, "server '%.255s' is not " PX_WSS_SCHEME "HOST[:PORT]",
                       o->server);
    return px_resolve(ret->wss.host, ret->wss.port, &ret->at, err);
}

static int failure(const struct px_rdv_punch_hole_response *r, const char *id,
                   struct px_error *err) {
    if (r->other_failure.size)
        return px_fail(err, -EIO, "server: %.*s", (int)r->other_failure.size,
                       (const char *)r->other_failure.data);
    switch (r->failure) {
    case PX_PUNCH_OFFLINE:
        return px_fail(err, -EHOSTDOWN, "%s is offline", id);
    case PX_PUNCH_LICENSE_MISMATCH:
    case PX_PUNCH_LICENSE_OVERUSE:
        return px_fail(err, -EACCES, "the server has another key");
    default:
        return px_fail(err, -ENOENT, "the server does not know %s", id);
    }
}

struct way { /* what the server's answer says */
    struct px_addr direct;
    bool relay, local, udp;
    struct px_addr v6; /* where the host waits for UDP over IPv6; port 0: nowhere */
    char uuid[64], relay_name[256];
    uint8_t identity[PX_SIGN_PK_BYTES];
    bool known; /* @identity is signed by the server */
};

static void copy(char *to, size_t cap, struct px_bytes from) {
    snprintf(to, cap, "%.*s", (int)from.size, (const char *)from.data);
}

static int take_answer(const struct px_probe_opts *o, const struct px_rdv_msg *m, struct way *w,
                       struct px_error *err) {
    struct px_bytes pk;
    if (m->kind == PX_RDV_PUNCH_HOLE_RESPONSE) {
        const struct px_rdv_punch_hole_response *r = &m->punch_hole_response;
        if (r->socket_addr.size == 0)
            return failure(r, o->id, err);
        w->direct = px_addr_unmangle(r->socket_addr);
        w->local = r->is_local;
        w->udp = r->is_udp;
        w->v6 = px_addr_unmangle(r->socket_addr_v6);
        copy(w->relay_name, sizeof(w->relay_name), r->relay_server);
        pk = r->pk;
    } else {
        const struct px_rdv_relay_response *r = &m->relay_response;
        if (r->refuse_reason.size)
            return px_fail(err, -EACCES, "server: %.*s", (int)r->refuse_reason.size,
                           (const char *)r->refuse_reason.data);
        w->relay = true;
        w->v6 = px_addr_unmangle(r->socket_addr_v6);
        copy(w->uuid, sizeof(w->uuid), r->uuid);
        copy(w->relay_name, sizeof(w->relay_name), r->relay_server);
        pk = r->pk;
    }
    uint8_t server_pk[PX_SIGN_PK_BYTES];
    if (!*base64_key(o) || pk.size == 0)
        return 0;
    int r = read_key(o->server_key, server_pk, err);
    if (r >= 0)
        r = px_handshake_identity(server_pk, o->id, pk, w->identity, err);
    w->known = r >= 0;
    return r;
}

/* Our sockets for UDP; -1: none. */
struct offer {
    int fd, fd6;
    uint16_t port; /* of @fd, as the server sees it */
    struct px_addr v6;
};

static void drop_offer(struct offer *f) {
    if (f->fd >= 0)
        close(f->fd);
    if (f->fd6 >= 0)
        close(f->fd6);
    f->fd = f->fd6 = -1;
}

/* What packets to the world over IPv6 leave from. */
static int own_v6(struct px_addr *ret) {
    const struct px_addr world = {.ip = {0x20, [15] = 1}, .port = 1};
    struct sockaddr_storage ss;
    socklen_t len = px_addr_to_sockaddr(&world, true, &ss);
    px_cleanup_close int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len) < 0)
        return -errno;
    len = sizeof(ss);
    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return -errno;
    const int r = px_addr_from_sockaddr((struct sockaddr *)&ss, ret);
    ret->port = 0;
    return r;
}

static void make_offer(const struct px_probe_opts *o, const struct px_addr *server,
                       struct offer *f) {
    const struct px_addr any =
        px_addr_is_v4(server) ? px_addr_v4(0, 0, 0, 0, 0) : (struct px_addr){0};
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    *f = (struct offer){.fd = -1, .fd6 = -1};
    if (!o->udp || o->force_relay)
        return;
    f->fd = px_udp_socket(&any, NULL);
    if (f->fd >= 0 && px_udp_seen_port(f->fd, server, SEEN_US, &f->port, NULL) < 0)
        drop_offer(f);
    f->fd6 = own_v6(&f->v6) < 0 ? -1 : px_udp_socket(&f->v6, NULL);
    if (f->fd6 >= 0 && (getsockname(f->fd6, (struct sockaddr *)&ss, &len) < 0 ||
                        px_addr_from_sockaddr((struct sockaddr *)&ss, &f->v6) < 0)) {
        close(f->fd6);
        f->fd6 = -1;
    }
}

/* What both sides offered. */
static int try_udp(const struct way *w, struct offer *f, struct px_client **ret) {
    int r = -ENOENT;
    if (w->v6.port && f->fd6 >= 0)
        r = px_udp_connect(px_take_fd(&f->fd6), &w->v6, STRAIGHT_US, ret, NULL);
    if (r < 0 && w->udp && f->fd >= 0)
        r = px_udp_connect(px_take_fd(&f->fd), &w->direct, STRAIGHT_US, ret, NULL);
    return r;
}

/* Asks the server for @o->id and waits for its answer. */
static int ask(const struct px_probe_opts *o, struct px_client *c, const struct offer *f,
               struct way *w, struct px_error *err) {
    uint8_t v6[PX_ADDR_MANGLED_MAX_BYTES];
    struct px_rdv_msg m = {.kind = PX_RDV_PUNCH_HOLE_REQUEST};
    m.punch_hole_request.id = px_bytes_of(o->id);
    m.punch_hole_request.licence_key = px_bytes_of(base64_key(o));
    m.punch_hole_request.version = px_bytes_of(PX_PROTOCOL_VERSION);
    m.punch_hole_request.nat_type = o->force_relay ? PX_NAT_SYMMETRIC : PX_NAT_ASYMMETRIC;
    m.punch_hole_request.force_relay = o->force_relay;
    m.punch_hole_request.udp_port = f->port;
    if (f->fd6 >= 0)
        m.punch_hole_request.socket_addr_v6 =
            (struct px_bytes){v6, px_addr_mangle(&f->v6, (uint32_t)px_now_us(), v6)};
    int r = send_envelope(c, &m, err);
    const int64_t until = px_now_us() + o->timeout_us;
    while (r >= 0) {
        const uint8_t *body;
        size_t size;
        r = px_client_recv_body(c, until, &body, &size, err);
        if (r == 0)
            return px_fail(err, -ETIMEDOUT, "the ID server does not answer for %s", o->id);
        if (r > 0)
            r = px_rdv_decode((struct px_bytes){body, size}, &m, err);
        if (r >= 0 && (m.kind == PX_RDV_PUNCH_HOLE_RESPONSE || m.kind == PX_RDV_RELAY_RESPONSE))
            return take_answer(o, &m, w, err);
    }
    return r;
}

/* To the server, from a port that the connection to the host can leave from as well. */
static int open_server(const struct place *server, int64_t timeout_us, struct px_client **ret,
                       struct px_error *err) {
    const struct px_addr any =
        px_addr_is_v4(&server->at) ? px_addr_v4(0, 0, 0, 0, 0) : (struct px_addr){0};
    return *server->wss.host
               ? px_wss_connect(&server->wss, &server->at, "/ws/id", timeout_us, ret, err)
               : px_client_connect_from(&any, &server->at, timeout_us, ret, err);
}

/* The way straight failed: both shall come to the relay. */
static int ask_relay(const struct px_probe_opts *o, const struct place *server, struct way *w,
                     struct px_error *err) {
    px_cleanup(px_client_closep) struct px_client *s = NULL;
    struct px_rdv_msg m = {.kind = PX_RDV_REQUEST_RELAY};
    uint8_t token[16];
    randombytes_buf(token, sizeof(token));
    sodium_bin2hex(w->uuid, sizeof(w->uuid), token, sizeof(token));
    m.request_relay.id = px_bytes_of(o->id);
    m.request_relay.uuid = px_bytes_of(w->uuid);
    m.request_relay.relay_server = px_bytes_of(w->relay_name);
    m.request_relay.secure = w->known;
    int r = open_server(server, o->timeout_us, &s, err);
    if (r >= 0)
        r = send_envelope(s, &m, err);
    const int64_t until = px_now_us() + o->timeout_us;
    while (r >= 0) {
        const uint8_t *body;
        size_t size;
        r = px_client_recv_body(s, until, &body, &size, err);
        if (r == 0)
            return px_fail(err, -ETIMEDOUT, "%s does not come to the relay", o->id);
        if (r > 0)
            r = px_rdv_decode((struct px_bytes){body, size}, &m, err);
        if (r < 0 || m.kind != PX_RDV_RELAY_RESPONSE)
            continue;
        if (m.relay_response.refuse_reason.size)
            return px_fail(err, -EACCES, "server: %.*s", (int)m.relay_response.refuse_reason.size,
                           (const char *)m.relay_response.refuse_reason.data);
        return 0;
    }
    return r;
}

static int connect_relay(const struct px_probe_opts *o, const struct place *server,
                         const char *name, struct px_client **ret, struct px_error *err) {
    struct px_addr relay = server->at;
    struct px_wss proxy;
    if (*server->wss.host && px_wss_of_relay(&server->wss, &server->at, name, &proxy)) {
        const int r = px_resolve(proxy.host, proxy.port, &relay, err);
        return r < 0 ? r : px_wss_connect(&proxy, &relay, "/ws/relay", o->timeout_us, ret, err);
    }
    relay.port = RELAY_PORT;
    const int r = *name ? px_resolve(name, RELAY_PORT, &relay, err) : 0;
    return r < 0 ? r : px_client_connect(&relay, o->timeout_us, ret, err);
}

static int open_relay(const struct px_probe_opts *o, const struct place *server,
                      const struct way *w, struct px_client **ret, struct px_error *err) {
    int r = connect_relay(o, server, w->relay_name, ret, err);
    if (r < 0)
        return px_wrap(err, r, "relay");
    struct px_rdv_msg m = {.kind = PX_RDV_REQUEST_RELAY};
    m.request_relay.id = px_bytes_of(o->id);
    m.request_relay.uuid = px_bytes_of(w->uuid);
    m.request_relay.licence_key = px_bytes_of(base64_key(o));
    return send_envelope(*ret, &m, err);
}

static int ask_anew(const struct px_probe_opts *o, const struct place *server,
                    const struct offer *f, struct px_client **s, struct way *w,
                    struct px_error *err) {
    px_client_close(*s);
    *s = NULL;
    *w = (struct way){0};
    const int r = open_server(server, o->timeout_us, s, err);
    return r < 0 ? r : ask(o, *s, f, w, err);
}

static int by_id(const struct px_probe_opts *asked, struct px_client **ret, struct px_error *err) {
    struct px_probe_opts own_opts = *asked;
    const struct px_probe_opts *o = &own_opts;
    struct place server;
    struct way w = {0};
    px_cleanup(px_client_closep) struct px_client *s = NULL, *c = NULL;
    struct offer offer = {.fd = -1, .fd6 = -1};
    int r = find_server(o, &server, err);
    own_opts.force_relay |= r >= 0 && *server.wss.host; /* by WebSocket there is no other way */
    if (r >= 0)
        make_offer(o, &server.at, &offer);
    if (r >= 0)
        r = ask_anew(o, &server, &offer, &s, &w, err);
    const bool straight = r >= 0 && try_udp(&w, &offer, &c) >= 0;
    drop_offer(&offer);
    if (r >= 0 && !straight && w.udp) { /* for TCP the host has to be asked for it */
        const struct offer none = {.fd = -1, .fd6 = -1};
        r = ask_anew(o, &server, &none, &s, &w, err);
    }
    if (straight)
        w.relay = false;
    else if (r >= 0 && !w.relay) {
        struct px_addr own;
        px_client_own(s, &own);
        w.relay =
            *server.wss.host ||
            px_client_connect_from(&own, &w.direct, w.local ? LOCAL_US : STRAIGHT_US, &c, NULL) < 0;
        if (w.relay)
            r = ask_relay(o, &server, &w, err);
    }
    if (r >= 0 && w.relay) {
        r = open_relay(o, &server, &w, &c, err);
        if (r >= 0)
            c->relayed = true;
    }
    if (r >= 0 && w.known)
        r = px_client_handshake(c, w.identity, o->id, o->timeout_us, err);
    else if (r >= 0) { /* no key to check against: an empty frame says so */
        const uint8_t *body;
        size_t size;
        r = px_client_recv_body(c, px_now_us() + o->timeout_us, &body, &size, err);
        if (r > 0)
            r = px_client_send_body(c, "", 0, err);
    }
    if (r < 0)
        return r;
    *ret = px_take_ptr(c);
    return 0;
}

int px_reach(const struct px_probe_opts *o, struct px_client **ret, struct px_error *err) {
    return o->server ? by_id(o, ret, err) : px_client_connect(&o->address, o->timeout_us, ret, err);
}
