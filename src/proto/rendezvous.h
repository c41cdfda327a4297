/* src/proto/rendezvous.h - messages between clients, ID server and relay
 *
 * Each datagram, frame or WebSocket message is one envelope that holds one member. Decoded strings
 * and bytes point into the input; nothing is allocated. A member absent from the wire reads as 0 or
 * empty; `has` tells presence where it matters (bit 1 << field number).
 * Strict where the official server is: UTF-8 in strings, no groups, no trailing garbage. Unknown
 * fields are skipped; forward them with px_wire_put_fields() on the raw body.
 * Pure functions, any thread. Source: hbb_common protos/rendezvous.proto (field numbers), written
 * down in our specification. */
#pragma once
#include "base/error.h"
#include "proto/wire.h"

enum px_rdv_kind { /* field number in the envelope */
                   PX_RDV_NONE = 0,
                   PX_RDV_REGISTER_PEER = 6,
                   PX_RDV_REGISTER_PEER_RESPONSE = 7,
                   PX_RDV_PUNCH_HOLE_REQUEST = 8,
                   PX_RDV_PUNCH_HOLE = 9,
                   PX_RDV_PUNCH_HOLE_SENT = 10,
                   PX_RDV_PUNCH_HOLE_RESPONSE = 11,
                   PX_RDV_FETCH_LOCAL_ADDR = 12,
                   PX_RDV_LOCAL_ADDR = 13,
                   PX_RDV_CONFIG_UPDATE = 14,
                   PX_RDV_REGISTER_PK = 15,
                   PX_RDV_REGISTER_PK_RESPONSE = 16,
                   PX_RDV_SOFTWARE_UPDATE = 17,
                   PX_RDV_REQUEST_RELAY = 18,
                   PX_RDV_RELAY_RESPONSE = 19,
                   PX_RDV_TEST_NAT_REQUEST = 20,
                   PX_RDV_TEST_NAT_RESPONSE = 21,
                   PX_RDV_PEER_DISCOVERY = 22,
                   PX_RDV_ONLINE_REQUEST = 23,
                   PX_RDV_ONLINE_RESPONSE = 24,
                   PX_RDV_KEY_EXCHANGE = 25,
                   PX_RDV_HEALTH_CHECK = 26,
                   PX_RDV_HTTP_PROXY_REQUEST = 27,
                   PX_RDV_HTTP_PROXY_RESPONSE = 28,
                   PX_RDV_KIND_END = 29,
};

enum px_nat_type { PX_NAT_UNKNOWN = 0, PX_NAT_ASYMMETRIC = 1, PX_NAT_SYMMETRIC = 2 };
enum px_register_pk_result {
    PX_PK_OK = 0,
    PX_PK_UUID_MISMATCH = 2,
    PX_PK_ID_EXISTS = 3,
    PX_PK_TOO_FREQUENT = 4,
    PX_PK_INVALID_ID_FORMAT = 5,
    PX_PK_NOT_SUPPORT = 6,
    PX_PK_SERVER_ERROR = 7,
    PX_PK_NOT_DEPLOYED = 8,
};
enum px_punch_failure {
    PX_PUNCH_ID_NOT_EXIST = 0,
    PX_PUNCH_OFFLINE = 2,
    PX_PUNCH_LICENSE_MISMATCH = 3,
    PX_PUNCH_LICENSE_OVERUSE = 4,
};

/* A repeated field. Decoded: found again in the message's bytes. To encode: set items and n. */
struct px_rdv_list {
    struct px_bytes body;
    const struct px_bytes *items;
    uint32_t n, num;
};

struct px_rdv_register_peer {
    uint32_t has;
    int32_t serial;
    struct px_bytes id;
};
struct px_rdv_register_peer_response {
    uint32_t has;
    bool request_pk;
};
struct px_rdv_register_pk {
    uint32_t has;
    bool no_register_device;
    struct px_bytes id, uuid, pk, old_id;
};
struct px_rdv_register_pk_response {
    uint32_t has;
    int32_t result, keep_alive; /* enum px_register_pk_result; seconds */
};
struct px_rdv_punch_hole_request {
    uint32_t has;
    int32_t nat_type, conn_type, udp_port;
    bool force_relay;
    struct px_bytes id, licence_key, token, version, socket_addr_v6, switch_code;
};
struct px_rdv_punch_hole {
    uint32_t has;
    int32_t nat_type, udp_port;
    bool force_relay;
    struct px_bytes socket_addr, relay_server, socket_addr_v6, control_permissions,
        controlled_context;
};
struct px_rdv_punch_hole_sent {
    uint32_t has;
    int32_t nat_type;
    struct px_bytes socket_addr, id, relay_server, version, socket_addr_v6;
};
struct px_rdv_fetch_local_addr {
    uint32_t has;
    struct px_bytes socket_addr, relay_server, socket_addr_v6, control_permissions,
        controlled_context;
};
struct px_rdv_local_addr {
    uint32_t has;
    struct px_bytes socket_addr, local_addr, relay_server, id, version, socket_addr_v6;
};
#define PX_RDV_HAS_NAT_TYPE (1u << 5) /* in px_rdv_punch_hole_response.has: the oneof's choice */
#define PX_RDV_HAS_IS_LOCAL (1u << 6)
struct px_rdv_punch_hole_response {
    uint32_t has;
    int32_t failure, nat_type, feedback;
    bool is_local, is_udp;
    struct px_bytes socket_addr, pk, relay_server, other_failure, socket_addr_v6;
};
struct px_rdv_request_relay {
    uint32_t has;
    int32_t conn_type;
    bool secure;
    struct px_bytes id, uuid, socket_addr, relay_server, licence_key, token, control_permissions,
        controlled_context, switch_code;
};
#define PX_RDV_HAS_ID (1u << 4) /* in px_rdv_relay_response.has: the oneof's choice */
#define PX_RDV_HAS_PK (1u << 5)
struct px_rdv_relay_response {
    uint32_t has;
    int32_t feedback;
    struct px_bytes socket_addr, uuid, relay_server, id, pk, refuse_reason, version, socket_addr_v6;
};
struct px_rdv_test_nat_request {
    uint32_t has;
    int32_t serial;
};
struct px_rdv_test_nat_response {
    uint32_t has;
    int32_t port;
    struct px_bytes cu; /* a px_rdv_config_update body */
};
struct px_rdv_online_request {
    uint32_t has;
    struct px_bytes id;
    struct px_rdv_list peers;
};
struct px_rdv_online_response {
    uint32_t has;
    struct px_bytes states;
};
struct px_rdv_config_update {
    uint32_t has;
    int32_t serial;
    struct px_rdv_list rendezvous_servers;
};
struct px_rdv_software_update {
    uint32_t has;
    struct px_bytes url;
};
struct px_rdv_peer_discovery {
    uint32_t has;
    struct px_bytes cmd, mac, id, username, hostname, platform, misc;
};
struct px_rdv_key_exchange {
    uint32_t has;
    struct px_rdv_list keys;
};
struct px_rdv_health_check {
    uint32_t has;
    struct px_bytes token;
};
struct px_rdv_http_proxy_request {
    uint32_t has;
    struct px_bytes method, path, body;
    struct px_rdv_list headers; /* bodies of {1: name, 2: value} */
};
struct px_rdv_http_proxy_response {
    uint32_t has;
    int32_t status;
    struct px_bytes body, error;
    struct px_rdv_list headers;
};

struct px_rdv_msg {
    enum px_rdv_kind kind;
    struct px_bytes body; /* decoded: the member's raw bytes; not looked at when encoding */
    union {
        struct px_rdv_register_peer register_peer;
        struct px_rdv_register_peer_response register_peer_response;
        struct px_rdv_register_pk register_pk;
        struct px_rdv_register_pk_response register_pk_response;
        struct px_rdv_punch_hole_request punch_hole_request;
        struct px_rdv_punch_hole punch_hole;
        struct px_rdv_punch_hole_sent punch_hole_sent;
        struct px_rdv_fetch_local_addr fetch_local_addr;
        struct px_rdv_local_addr local_addr;
        struct px_rdv_punch_hole_response punch_hole_response;
        struct px_rdv_request_relay request_relay;
        struct px_rdv_relay_response relay_response;
        struct px_rdv_test_nat_request test_nat_request;
        struct px_rdv_test_nat_response test_nat_response;
        struct px_rdv_online_request online_request;
        struct px_rdv_online_response online_response;
        struct px_rdv_config_update config_update;
        struct px_rdv_software_update software_update;
        struct px_rdv_peer_discovery peer_discovery;
        struct px_rdv_key_exchange key_exchange;
        struct px_rdv_health_check health_check;
        struct px_rdv_http_proxy_request http_proxy_request;
        struct px_rdv_http_proxy_response http_proxy_response;
    };
};

/* 0; kind PX_RDV_NONE when no known member is inside. -EBADMSG: malformed. */
int px_rdv_decode(struct px_bytes in, struct px_rdv_msg *ret, struct px_error *err);
/* Returns the length; -ENOBUFS: more than @cap. Only set or non-default members are written. */
int px_rdv_encode(const struct px_rdv_msg *msg, uint8_t *out, size_t cap, struct px_error *err);
/* Writes only the member's body (for a message inside another one, or IdPk-like uses). */
void px_rdv_put_body(const struct px_rdv_msg *msg, struct px_wire_out *out);
/* Walks a repeated field; start with *pos 0. */
bool px_rdv_list_next(const struct px_rdv_list *list, size_t *pos, struct px_bytes *ret);

/* The identity that the server signs: {1: id, 2: pk}. Returns the length; -ENOBUFS. */
int px_rdv_id_pk_encode(struct px_bytes id, struct px_bytes pk, uint8_t *out, size_t cap);
int px_rdv_id_pk_decode(struct px_bytes in, struct px_bytes *ret_id, struct px_bytes *ret_pk,
                        struct px_error *err);
