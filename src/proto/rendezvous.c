/* src/proto/rendezvous.c - messages between clients, ID server and relay
 *
 * One table per message drives both directions: a field that can be read can be written. */
#include "proto/rendezvous.h"
#include <string.h>

enum field_kind {
    F_BYTES,
    F_STRING,
    F_INT32,
    F_BOOL,
    F_MESSAGE,
    F_LIST_STRING,
    F_LIST_BYTES,
    F_LIST_MESSAGE
};

struct field {
    uint8_t num;
    uint8_t kind;
    uint16_t offset;
    uint32_t oneof; /* bits of the members that this one replaces; such a member is written when
                       present, even when it is 0 or empty */
};

struct layout {
    const struct field *fields;
    uint8_t n;
};

#define F(msg, number, kind, member)                                                               \
    { number, F_##kind, offsetof(struct px_rdv_##msg, member), 0 }
#define F1(msg, number, kind, member, other)                                                       \
    { number, F_##kind, offsetof(struct px_rdv_##msg, member), 1u << (other) }

static const struct field register_peer[] = {
    F(register_peer, 1, STRING, id),
    F(register_peer, 2, INT32, serial),
};
static const struct field register_peer_response[] = {
    F(register_peer_response, 2, BOOL, request_pk),
};
static const struct field register_pk[] = {
    F(register_pk, 1, STRING, id),
    F(register_pk, 2, BYTES, uuid),
    F(register_pk, 3, BYTES, pk),
    F(register_pk, 4, STRING, old_id),
    F(register_pk, 5, BOOL, no_register_device),
};
static const struct field register_pk_response[] = {
    F(register_pk_response, 1, INT32, result),
    F(register_pk_response, 2, INT32, keep_alive),
};
static const struct field punch_hole_request[] = {
    F(punch_hole_request, 1, STRING, id),
    F(punch_hole_request, 2, INT32, nat_type),
    F(punch_hole_request, 3, STRING, licence_key),
    F(punch_hole_request, 4, INT32, conn_type),
    F(punch_hole_request, 5, STRING, token),
    F(punch_hole_request, 6, STRING, version),
    F(punch_hole_request, 7, INT32, udp_port),
    F(punch_hole_request, 8, BOOL, force_relay),
    F(punch_hole_request, 10, BYTES, socket_addr_v6),
    F(punch_hole_request, 11, STRING, switch_code),
};
static const struct field punch_hole[] = {
    F(punch_hole, 1, BYTES, socket_addr),
    F(punch_hole, 2, STRING, relay_server),
    F(punch_hole, 3, INT32, nat_type),
    F(punch_hole, 4, INT32, udp_port),
    F(punch_hole, 5, BOOL, force_relay),
    F(punch_hole, 7, BYTES, socket_addr_v6),
    F(punch_hole, 8, MESSAGE, control_permissions),
    F(punch_hole, 9, MESSAGE, controlled_context),
};
static const struct field punch_hole_sent[] = {
    F(punch_hole_sent, 1, BYTES, socket_addr),   F(punch_hole_sent, 2, STRING, id),
    F(punch_hole_sent, 3, STRING, relay_server), F(punch_hole_sent, 4, INT32, nat_type),
    F(punch_hole_sent, 5, STRING, version),      F(punch_hole_sent, 7, BYTES, socket_addr_v6),
};
static const struct field fetch_local_addr[] = {
    F(fetch_local_addr, 1, BYTES, socket_addr),
    F(fetch_local_addr, 2, STRING, relay_server),
    F(fetch_local_addr, 3, BYTES, socket_addr_v6),
    F(fetch_local_addr, 4, MESSAGE, control_permissions),
    F(fetch_local_addr, 5, MESSAGE, controlled_context),
};
static const struct field local_addr[] = {
    F(local_addr, 1, BYTES, socket_addr),   F(local_addr, 2, BYTES, local_addr),
    F(local_addr, 3, STRING, relay_server), F(local_addr, 4, STRING, id),
    F(local_addr, 5, STRING, version),      F(local_addr, 6, BYTES, socket_addr_v6),
};
static const struct field punch_hole_response[] = {
    F(punch_hole_response, 1, BYTES, socket_addr),
    F(punch_hole_response, 2, BYTES, pk),
    F(punch_hole_response, 3, INT32, failure),
    F(punch_hole_response, 4, STRING, relay_server),
    F1(punch_hole_response, 5, INT32, nat_type, 6),
    F1(punch_hole_response, 6, BOOL, is_local, 5),
    F(punch_hole_response, 7, STRING, other_failure),
    F(punch_hole_response, 8, INT32, feedback),
    F(punch_hole_response, 9, BOOL, is_udp),
    F(punch_hole_response, 11, BYTES, socket_addr_v6),
};
static const struct field request_relay[] = {
    F(request_relay, 1, STRING, id),
    F(request_relay, 2, STRING, uuid),
    F(request_relay, 3, BYTES, socket_addr),
    F(request_relay, 4, STRING, relay_server),
    F(request_relay, 5, BOOL, secure),
    F(request_relay, 6, STRING, licence_key),
    F(request_relay, 7, INT32, conn_type),
    F(request_relay, 8, STRING, token),
    F(request_relay, 9, MESSAGE, control_permissions),
    F(request_relay, 10, MESSAGE, controlled_context),
    F(request_relay, 11, STRING, switch_code),
};
static const struct field relay_response[] = {
    F(relay_response, 1, BYTES, socket_addr),     F(relay_response, 2, STRING, uuid),
    F(relay_response, 3, STRING, relay_server),   F1(relay_response, 4, STRING, id, 5),
    F1(relay_response, 5, BYTES, pk, 4),          F(relay_response, 6, STRING, refuse_reason),
    F(relay_response, 7, STRING, version),        F(relay_response, 9, INT32, feedback),
    F(relay_response, 10, BYTES, socket_addr_v6),
};
static const struct field test_nat_request[] = {F(test_nat_request, 1, INT32, serial)};
static const struct field test_nat_response[] = {
    F(test_nat_response, 1, INT32, port),
    F(test_nat_response, 2, MESSAGE, cu),
};
static const struct field online_request[] = {
    F(online_request, 1, STRING, id),
    F(online_request, 2, LIST_STRING, peers),
};
static const struct field online_response[] = {F(online_response, 1, BYTES, states)};
static const struct field config_update[] = {
    F(config_update, 1, INT32, serial),
    F(config_update, 2, LIST_STRING, rendezvous_servers),
};
static const struct field software_update[] = {F(software_update, 1, STRING, url)};
static const struct field peer_discovery[] = {
    F(peer_discovery, 1, STRING, cmd),      F(peer_discovery, 2, STRING, mac),
    F(peer_discovery, 3, STRING, id),       F(peer_discovery, 4, STRING, username),
    F(peer_discovery, 5, STRING, hostname), F(peer_discovery, 6, STRING, platform),
    F(peer_discovery, 7, STRING, misc),
};
static const struct field key_exchange[] = {F(key_exchange, 1, LIST_BYTES, keys)};
static const struct field health_check[] = {F(health_check, 1, STRING, token)};
static const struct field http_proxy_request[] = {
    F(http_proxy_request, 1, STRING, method),
    F(http_proxy_request, 2, STRING, path),
    F(http_proxy_request, 3, LIST_MESSAGE, headers),
    F(http_proxy_request, 4, BYTES, body),
};
static const struct field http_proxy_response[] = {
    F(http_proxy_response, 1, INT32, status),
    F(http_proxy_response, 2, LIST_MESSAGE, headers),
    F(http_proxy_response, 3, BYTES, body),
    F(http_proxy_response, 4, STRING, error),
};

#define L(member)                                                                                  \
    { member, sizeof(member) / sizeof((member)[0]) }
static const struct layout layouts[PX_RDV_KIND_END] = {
    [PX_RDV_REGISTER_PEER] = L(register_peer),
    [PX_RDV_REGISTER_PEER_RESPONSE] = L(register_peer_response),
    [PX_RDV_PUNCH_HOLE_REQUEST] = L(punch_hole_request),
    [PX_RDV_PUNCH_HOLE] = L(punch_hole),
    [PX_RDV_PUNCH_HOLE_SENT] = L(punch_hole_sent),
    [PX_RDV_PUNCH_HOLE_RESPONSE] = L(punch_hole_response),
    [PX_RDV_FETCH_LOCAL_ADDR] = L(fetch_local_addr),
    [PX_RDV_LOCAL_ADDR] = L(local_addr),
    [PX_RDV_CONFIG_UPDATE] = L(config_update),
    [PX_RDV_REGISTER_PK] = L(register_pk),
    [PX_RDV_REGISTER_PK_RESPONSE] = L(register_pk_response),
    [PX_RDV_SOFTWARE_UPDATE] = L(software_update),
    [PX_RDV_REQUEST_RELAY] = L(request_relay),
    [PX_RDV_RELAY_RESPONSE] = L(relay_response),
    [PX_RDV_TEST_NAT_REQUEST] = L(test_nat_request),
    [PX_RDV_TEST_NAT_RESPONSE] = L(test_nat_response),
    [PX_RDV_PEER_DISCOVERY] = L(peer_discovery),
    [PX_RDV_ONLINE_REQUEST] = L(online_request),
    [PX_RDV_ONLINE_RESPONSE] = L(online_response),
    [PX_RDV_KEY_EXCHANGE] = L(key_exchange),
    [PX_RDV_HEALTH_CHECK] = L(health_check),
    [PX_RDV_HTTP_PROXY_REQUEST] = L(http_proxy_request),
    [PX_RDV_HTTP_PROXY_RESPONSE] = L(http_proxy_response),
};

/* Every member of the union starts with `has`, so its address is the message's. */
static inline void *member_of(struct px_rdv_msg *msg) {
    return &msg->register_peer;
}

static const struct field *find_field(const struct layout *layout, uint32_t num) {
    for (size_t i = 0; i < layout->n; i++)
        if (layout->fields[i].num == num)
            return &layout->fields[i];
    return NULL;
}

static enum px_wire_type wire_type_of(const struct field *f) {
    return f->kind == F_INT32 || f->kind == F_BOOL ? PX_WIRE_VARINT : PX_WIRE_LEN;
}

static int store_field(const struct field *f, const struct px_wire_field *w, struct px_bytes body,
                       uint8_t *member) {
    void *at = member + f->offset;
    switch ((enum field_kind)f->kind) {
    case F_INT32:
        *(int32_t *)at = (int32_t)w->value;
        return 0;
    case F_BOOL:
        *(bool *)at = w->value != 0;
        return 0;
    case F_STRING:
        if (!px_utf8_valid(w->bytes))
            return -EBADMSG;
        *(struct px_bytes *)at = w->bytes;
        return 0;
    case F_MESSAGE:
        if (!px_wire_valid(w->bytes))
            return -EBADMSG;
        *(struct px_bytes *)at = w->bytes;
        return 0;
    case F_BYTES:
        *(struct px_bytes *)at = w->bytes;
        return 0;
    case F_LIST_STRING:
    case F_LIST_BYTES:
    case F_LIST_MESSAGE:
        break;
    }
    if ((f->kind == F_LIST_STRING && !px_utf8_valid(w->bytes)) ||
        (f->kind == F_LIST_MESSAGE && !px_wire_valid(w->bytes)))
        return -EBADMSG;
    struct px_rdv_list *list = at;
    list->body = body;
    list->num = f->num;
    list->n++;
    return 0;
}

static int decode_member(const struct layout *layout, struct px_bytes body, uint8_t *member) {
    struct px_bytes rest = body;
    struct px_wire_field w;
    uint32_t *has = (uint32_t *)(void *)member;
    int r;
    while ((r = px_wire_next(&rest, &w)) > 0) {
        const struct field *f = find_field(layout, w.num);
        if (!f || w.type != wire_type_of(f))
            continue;
        if (store_field(f, &w, body, member) < 0)
            return -EBADMSG;
        *has = (*has & ~f->oneof) | 1u << f->num;
    }
    return r;
}

int px_rdv_decode(struct px_bytes in, struct px_rdv_msg *ret, struct px_error *err) {
    struct px_wire_field w;
    int r;
    ret->kind = PX_RDV_NONE;
    while ((r = px_wire_next(&in, &w)) > 0) {
        if (w.num >= PX_RDV_KIND_END || !layouts[w.num].n || w.type != PX_WIRE_LEN)
            continue;
        memset(ret, 0, sizeof(*ret)); /* of several members the last one counts, alone */
        ret->kind = (enum px_rdv_kind)w.num;
        ret->body = w.bytes;
        if (decode_member(&layouts[w.num], w.bytes, member_of(ret)) < 0)
            return px_fail(err, -EBADMSG, "message of kind %u is malformed", w.num);
    }
    return r < 0 ? px_fail(err, -EBADMSG, "message is not valid protobuf") : 0;
}

bool px_rdv_list_next(const struct px_rdv_list *list, size_t *pos, struct px_bytes *ret) {
    if (list->n == 0)
        return false;
    if (list->items) {
        if (*pos >= list->n)
            return false;
        *ret = list->items[(*pos)++];
        return true;
    }
    struct px_bytes rest = {.data = list->body.data + *pos, .size = list->body.size - *pos};
    struct px_wire_field w;
    while (px_wire_next(&rest, &w) > 0)
        if (w.num == list->num && w.type == PX_WIRE_LEN) {
            *pos = list->body.size - rest.size;
            *ret = w.bytes;
            return true;
        }
    return false;
}

static void put_field(const struct field *f, const uint8_t *member, bool has,
                      struct px_wire_out *out) {
    const void *at = member + f->offset;
    bool present = f->oneof && has;
    if (f->kind == F_INT32) {
        /* Negative numbers go out as 64 bits, as everybody writes them. */
        if (*(const int32_t *)at || present)
            px_wire_put_uint(out, f->num, (uint64_t)(int64_t) * (const int32_t *)at);
    } else if (f->kind == F_BOOL) {
        if (*(const bool *)at || present)
            px_wire_put_uint(out, f->num, *(const bool *)at);
    } else if (f->kind >= F_LIST_STRING) {
        struct px_bytes item;
        for (size_t pos = 0; px_rdv_list_next(at, &pos, &item);)
            px_wire_put_bytes(out, f->num, item);
    } else {
        const struct px_bytes *bytes = at;
        if (bytes->size || present || (f->kind == F_MESSAGE && has))
            px_wire_put_bytes(out, f->num, *bytes);
    }
}

void px_rdv_put_body(const struct px_rdv_msg *msg, struct px_wire_out *out) {
    const struct layout *layout = &layouts[msg->kind];
    const uint8_t *member = (const uint8_t *)&msg->register_peer;
    const uint32_t has = msg->register_peer.has;
    for (size_t i = 0; i < layout->n; i++) {
        const struct field *f = &layout->fields[i];
        /* Of a oneof only the chosen member is written, if one was chosen. */
        if (!f->oneof || has >> f->num & 1)
            put_field(f, member, has >> f->num & 1, out);
    }
}

int px_rdv_encode(const struct px_rdv_msg *msg, uint8_t *out, size_t cap, struct px_error *err) {
    struct px_wire_out measure = {0};
    px_rdv_put_body(msg, &measure);
    struct px_wire_out o = {.data = out, .cap = cap};
    px_wire_put_head(&o, msg->kind, measure.size);
    if (o.size + measure.size > cap)
        return px_fail(err, -ENOBUFS, "message of %zu bytes is above %zu", measure.size, cap);
    px_rdv_put_body(msg, &o);
    return (int)o.size;
}

int px_rdv_id_pk_encode(struct px_bytes id, struct px_bytes pk, uint8_t *out, size_t cap) {
    struct px_wire_out o = {.data = out, .cap = cap};
    px_wire_put_bytes(&o, 1, id);
    px_wire_put_bytes(&o, 2, pk);
    return px_wire_fits(&o) ? (int)o.size : -ENOBUFS;
}

int px_rdv_id_pk_decode(struct px_bytes in, struct px_bytes *ret_id, struct px_bytes *ret_pk,
                        struct px_error *err) {
    struct px_bytes id = {0}, pk = {0};
    struct px_wire_field w;
    int r;
    while ((r = px_wire_next(&in, &w)) > 0) {
        if (w.type == PX_WIRE_LEN && w.num == 1)
            id = w.bytes;
        if (w.type == PX_WIRE_LEN && w.num == 2)
            pk = w.bytes;
    }
    if (r < 0 || !px_utf8_valid(id))
        return px_fail(err, -EBADMSG, "signed identity is malformed");
    *ret_id = id;
    *ret_pk = pk;
    return 0;
}
