/* src/session/reach.c - how a client comes to a host: the direct port, or ID server and relay */
#include "session/reach.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "proto/handshake.h"
#include "proto/rendezvous.h"
#include <netdb.h>
#include <sodium.h>
#include <string.h>

#define SERVER_PORT 21116
#define RELAY_PORT 21117
#define ENVELOPE_MAX 2048
#define STRAIGHT_US (3 * PX_US_PER_S) /* until the relay is asked for instead */
#define LOCAL_US PX_US_PER_S

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
    bool relay, local;
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
        copy(w->relay_name, sizeof(w->relay_name), r->relay_server);
        pk = r->pk;
    } else {
        const struct px_rdv_relay_response *r = &m->relay_response;
        if (r->refuse_reason.size)
            return px_fail(err, -EACCES, "server: %.*s", (int)r->refuse_reason.size,
                           (const char *)r->refuse_reason.data);
        w->relay = true;
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

/* Asks the server for @o->id and waits for its answer. */
static int ask(const struct px_probe_opts *o, struct px_client *c, struct way *w,
               struct px_error *err) {
    struct px_rdv_msg m = {.kind = PX_RDV_PUNCH_HOLE_REQUEST};
    m.punch_hole_request.id = px_bytes_of(o->id);
    m.punch_hole_request.licence_key = px_bytes_of(base64_key(o));
    m.punch_hole_request.version = px_bytes_of(PX_PROTOCOL_VERSION);
    m.punch_hole_request.nat_type = o->force_relay ? PX_NAT_SYMMETRIC : PX_NAT_ASYMMETRIC;
    m.punch_hole_request.force_relay = o->force_relay;
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
static int open_server(const struct px_addr *server, int64_t timeout_us, struct px_client **ret,
                       struct px_error *err) {
    const struct px_addr any =
        px_addr_is_v4(server) ? px_addr_v4(0, 0, 0, 0, 0) : (struct px_addr){0};
    return px_client_connect_from(&any, server, timeout_us, ret, err);
}

/* The way straight failed: both shall come to the relay. */
static int ask_relay(const struct px_probe_opts *o, const struct px_addr *server, struct way *w,
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

static int open_relay(const struct px_probe_opts *o, const struct px_addr *server,
                      const struct way *w, struct px_client **ret, struct px_error *err) {
    struct px_addr relay = *server;
    relay.port = RELAY_PORT;
    int r = *w->relay_name ? px_resolve(w->relay_name, RELAY_PORT, &relay, err) : 0;
    if (r >= 0)
        r = px_client_connect(&relay, o->timeout_us, ret, err);
    if (r < 0)
        return px_wrap(err, r, "relay");
    struct px_rdv_msg m = {.kind = PX_RDV_REQUEST_RELAY};
    m.request_relay.id = px_bytes_of(o->id);
    m.request_relay.uuid = px_bytes_of(w->uuid);
    m.request_relay.licence_key = px_bytes_of(base64_key(o));
    return send_envelope(*ret, &m, err);
}

static int by_id(const struct px_probe_opts *o, struct px_client **ret, struct px_error *err) {
    struct px_addr server;
    struct way w = {0};
    px_cleanup(px_client_closep) struct px_client *s = NULL, *c = NULL;
    int r = px_resolve(o->server, SERVER_PORT, &server, err);
    if (r >= 0)
        r = open_server(&server, o->timeout_us, &s, err);
    if (r >= 0)
        r = ask(o, s, &w, err);
    if (r >= 0 && !w.relay) {
        struct px_addr own;
        px_client_own(s, &own);
        w.relay =
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
