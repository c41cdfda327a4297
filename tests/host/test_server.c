/* tests/host/test_server.c - the session checklist: the host at an ID server and a relay
 * The server is played by the test, so that every message can be looked at. */
#include "base/clock.h"
#include "base/text.h"
#include "fixture.h"
#include "holds.h"
#include "ports.h"
#include "proto/handshake.h"
#include "proto/rendezvous.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <sys/socket.h>

static int udp = -1, tcp = -1, relay = -1;
static uint16_t port, relay_port;
static struct sockaddr_in host_addr; /* where the host registers from */
static uint8_t host_pk[32];

static int datagrams_at(uint32_t ip, uint16_t *p) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(*p), .sin_addr.s_addr = htonl(ip)};
    socklen_t len = sizeof(a);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *p = ntohs(a.sin_port);
    return fd;
}

static bool readable(int fd, int64_t us) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, (int)(us / 1000)) > 0;
}

/* The next datagram of the host; @buf keeps what @m points into. */
static bool receive(struct px_rdv_msg *m, uint8_t buf[2048], int64_t us) {
    socklen_t len = sizeof(host_addr);
    if (!readable(udp, us))
        return false;
    const ssize_t n = recvfrom(udp, buf, 2048, 0, (struct sockaddr *)&host_addr, &len);
    assert_true(n > 0);
    px_assert_ok(px_rdv_decode((struct px_bytes){buf, (size_t)n}, m, NULL));
    return true;
}

static void send_udp(const struct px_rdv_msg *m) {
    uint8_t out[2048];
    const int n = px_rdv_encode(m, out, sizeof(out), NULL);
    assert_true(n > 0);
    assert_int_equal(
        sendto(udp, out, (size_t)n, 0, (struct sockaddr *)&host_addr, sizeof(host_addr)), n);
}

static void answer_pk(void) {
    const struct px_rdv_msg ok = {.kind = PX_RDV_REGISTER_PK_RESPONSE};
    send_udp(&ok);
}

static bool text_is(struct px_bytes b, const char *want) {
    return b.size == strlen(want) && memcmp(b.data, want, b.size) == 0;
}

static struct px_client *accepted_any(int listener, int64_t us) {
    if (!readable(listener, us))
        return NULL;
    return px_client_adopt(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

/* It begins with a TestNatRequest: the host was offline for a moment, on a busy machine. */
static bool is_nat_test(const struct px_client *c) {
    uint8_t head[3];
    return readable(c->fd, SECOND / 2) && recv(c->fd, head, 3, MSG_PEEK) == 3 && head[1] == 0xa2 &&
           head[2] == 0x01;
}

static struct px_client *accepted(int listener, int64_t us) {
    const int64_t until = px_now_us() + us;
    for (;;) {
        const int64_t left = until - px_now_us();
        struct px_client *c = accepted_any(listener, left > 0 ? left : 0);
        if (!c || listener != tcp || !is_nat_test(c))
            return c;
        px_client_close(c);
    }
}

/* One frame of a connection, as an envelope; @keep owns the bytes. */
static void envelope(struct px_client *c, struct px_rdv_msg *m) {
    const uint8_t *body;
    size_t size;
    assert_non_null(c);
    assert_int_equal(px_client_recv_body(c, px_now_us() + PATIENCE, &body, &size, NULL), 1);
    px_assert_ok(px_rdv_decode((struct px_bytes){body, size}, m, NULL));
}

/* Once it is registered; a server that does not answer leaves it without an opinion. */
static void asks_for_its_nat(void) {
    struct px_rdv_msg m;
    px_cleanup(px_client_closep) struct px_client *c = accepted_any(tcp, PATIENCE);
    envelope(c, &m);
    assert_int_equal(m.kind, PX_RDV_TEST_NAT_REQUEST);
}

static void registers_key_first_then_keeps_alive(void **state) {
    struct px_rdv_msg m;
    uint8_t buf[2048];
    assert_true(receive(&m, buf, PATIENCE));
    assert_int_equal(m.kind, PX_RDV_REGISTER_PK);
    assert_true(text_is(m.register_pk.id, ID));
    assert_true(m.register_pk.uuid.size > 0);
    assert_int_equal(m.register_pk.pk.size, 32);
    memcpy(host_pk, m.register_pk.pk.data, 32);
    answer_pk();
    asks_for_its_nat();
    assert_true(receive(&m, buf, PATIENCE)); /* so that the server knows our address anew */
    assert_int_equal(m.kind, PX_RDV_REGISTER_PEER);
    assert_true(receive(&m, buf, 18 * SECOND)); /* after 15 s */
    assert_int_equal(m.kind, PX_RDV_REGISTER_PEER);
    assert_true(text_is(m.register_peer.id, ID));
}

static void item_76_request_for_the_key_is_answered_at_once(void **state) {
    struct px_rdv_msg m = {.kind = PX_RDV_REGISTER_PEER_RESPONSE};
    uint8_t buf[2048];
    m.register_peer_response.request_pk = true;
    const int64_t t0 = px_now_us();
    send_udp(&m);
    assert_true(receive(&m, buf, SECOND));
    assert_int_equal(m.kind, PX_RDV_REGISTER_PK);
    assert_true(px_now_us() - t0 < SECOND / 2);
    answer_pk();
}

static size_t a_client(uint8_t out[PX_ADDR_MANGLED_MAX_BYTES], uint16_t client_port) {
    const struct px_addr a = px_addr_v4(203, 0, 113, 7, client_port);
    return px_addr_mangle(&a, 12345, out);
}

static void ask_punch(uint16_t client_port) {
    uint8_t addr[PX_ADDR_MANGLED_MAX_BYTES];
    char name[32];
    struct px_rdv_msg m = {.kind = PX_RDV_PUNCH_HOLE};
    snprintf(name, sizeof(name), "127.0.0.1:%u", relay_port);
    m.punch_hole.socket_addr = (struct px_bytes){addr, a_client(addr, client_port)};
    m.punch_hole.relay_server = px_bytes_of(name);
    send_udp(&m);
}

static void item_73_duplicate_punch_gets_one_relay(void **state) {
    struct px_rdv_msg m;
    kill(f.host_pid, SIGSTOP);
    ask_punch(999);
    ask_punch(999);
    kill(f.host_pid, SIGCONT); /* it reads them within 100 ms, however long we took */
    px_cleanup(px_client_closep) struct px_client *s = accepted(tcp, 10 * SECOND);
    envelope(s, &m);
    assert_int_equal(m.kind, PX_RDV_RELAY_RESPONSE);
    px_cleanup(px_client_closep) struct px_client *r = accepted(relay, 10 * SECOND);
    envelope(r, &m);
    assert_int_equal(m.kind, PX_RDV_REQUEST_RELAY);
    px_cleanup(px_client_closep) struct px_client *second = accepted(relay, SECOND);
    assert_null(second);
    px_cleanup(px_client_closep) struct px_client *again = accepted(tcp, 0);
    assert_null(again);
}

static void item_74_answer_to_a_punch_is_full(void **state) {
    struct px_rdv_msg m;
    uint8_t addr[PX_ADDR_MANGLED_MAX_BYTES];
    char uuid[64], want[32];
    ask_punch(1000);
    px_cleanup(px_client_closep) struct px_client *s = accepted(tcp, 10 * SECOND);
    envelope(s, &m);
    assert_int_equal(m.kind, PX_RDV_RELAY_RESPONSE);
    assert_true(m.relay_response.has & PX_RDV_HAS_ID);
    assert_true(text_is(m.relay_response.id, ID));
    assert_true(text_is(m.relay_response.version, "1.4.9"));
    snprintf(want, sizeof(want), "127.0.0.1:%u", relay_port);
    assert_true(text_is(m.relay_response.relay_server, want));
    assert_int_equal(m.relay_response.uuid.size, 36);
    assert_int_equal(m.relay_response.socket_addr.size, a_client(addr, 1000));
    snprintf(uuid, sizeof(uuid), "%.*s", 36, (const char *)m.relay_response.uuid.data);
    px_cleanup(px_client_closep) struct px_client *r = accepted(relay, 10 * SECOND);
    envelope(r, &m);
    assert_int_equal(m.kind, PX_RDV_REQUEST_RELAY);
    assert_true(text_is(m.request_relay.uuid, uuid));
}

/* A connection over the relay, past its first frame. */
static struct px_client *over_relay(uint16_t client_port) {
    struct px_rdv_msg m;
    ask_punch(client_port);
    px_cleanup(px_client_closep) struct px_client *s = accepted(tcp, PATIENCE);
    envelope(s, &m);
    struct px_client *r = accepted(relay, PATIENCE);
    envelope(r, &m);
    assert_int_equal(m.kind, PX_RDV_REQUEST_RELAY);
    return r;
}

static void item_75_session_over_the_relay_is_encrypted(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = over_relay(2000);
    struct px_error err = {0};
    px_assert_ok_err(px_client_handshake(c, host_pk, ID, PATIENCE, &err), &err);
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok_err(px_client_login(c, &l, PATIENCE, &m, &err), &err);
    px_cleanup(px_message_freep) Pxs__Message *v = await_frame(c, NULL, PATIENCE);
    assert_non_null(v);
}

static void item_4_empty_frame_after_the_handshake_is_ignored(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = over_relay(2010);
    px_assert_ok(px_client_handshake(c, host_pk, ID, PATIENCE, NULL));
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    px_assert_ok(px_client_send_raw(c, "\0", 1, NULL)); /* it is no record, and counts as none */
    px_assert_ok(px_client_send_body(c, "\x2a\x02\x10\x01", 4, NULL));
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_TEST_DELAY, 10 * SECOND);
    assert_non_null(m);
}

/* From the answer to the login on the connection is the target's, past the encryption. */
static void item_67_tunnels_of_encrypted_sessions_are_in_the_clear(void **state) {
    uint16_t target_port;
    px_cleanup_close int listener = ports_listen(&target_port);
    px_cleanup(px_client_closep) struct px_client *c = over_relay(2011);
    const struct px_client_login l = {.username = ID,
                                      .password = PASSWORD,
                                      .tunnel_host = "localhost",
                                      .tunnel_port = target_port};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    char buf[64];
    px_assert_ok_err(px_client_handshake(c, host_pk, ID, PATIENCE, &err), &err);
    px_assert_ok_err(px_client_login(c, &l, 10 * SECOND, &m, &err), &err);
    px_cleanup_close int target = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(write(target, "SSH-2.0-x\r\n", 11), 11);
    assert_int_equal(px_client_recv_raw(c, px_now_us() + 10 * SECOND, buf, sizeof(buf), NULL), 11);
    assert_memory_equal(buf, "SSH-2.0-x\r\n", 11);
    px_assert_ok(px_client_send_raw(c, "GET / HTTP/1.1\r\n", 16, NULL));
    assert_int_equal(recv(target, buf, 16, MSG_WAITALL), 16);
    assert_memory_equal(buf, "GET / HTTP/1.1\r\n", 16);
}

static void item_15_flipped_bit_closes(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = over_relay(2001);
    px_assert_ok(px_client_handshake(c, host_pk, ID, PATIENCE, NULL));
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    uint8_t record[64];
    const size_t n = px_secure_seal(
        &c->secure, (struct px_bytes){(const uint8_t *)"\x2a\x02\x10\x01", 4}, record + 1);
    record[0] = (uint8_t)(n << 2);
    record[8] ^= 4;
    px_assert_ok(px_client_send_raw(c, record, n + 1, NULL));
    assert_true(is_closed(c, PATIENCE));
}

static void item_14_who_cannot_encrypt_is_sent_away(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = over_relay(2002);
    const uint8_t *body;
    size_t size;
    assert_int_equal(px_client_recv_body(c, px_now_us() + PATIENCE, &body, &size, NULL), 1);
    px_assert_ok(px_client_send_body(c, "", 0, NULL));
    /* encryption is required unless configured otherwise, and the user is told */
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    assert_int_equal(px_client_recv(c, px_now_us() + PATIENCE, &m, NULL), 1);
    assert_int_equal(m->item_case, PXS__MESSAGE__ITEM_LOGIN_RESPONSE);
    assert_non_null(strstr(m->login_response->error, "encrypted"));
    assert_true(is_closed(c, PATIENCE));
}

/* The host, anew; registered. */
static void restart_with(const char *more) {
    struct px_rdv_msg m = {0};
    uint8_t buf[2048];
    char extra[160];
    fixture_stop_host();
    while (receive(&m, buf, 0))
        ;
    snprintf(extra, sizeof(extra), "\"server\": {\"address\": \"127.0.0.1:%u\"}, %s", port, more);
    fixture_host(extra);
    assert_true(receive(&m, buf, 10 * SECOND));
    assert_int_equal(m.kind, PX_RDV_REGISTER_PK);
    answer_pk();
    asks_for_its_nat();
}

/* For clients of @block only. */
static void restart_for(const char *block) {
    char more[64];
    snprintf(more, sizeof(more), "\"allow_addresses\": [\"%s\"]", block);
    restart_with(more);
}

/* Where encryption is not required, and without waiting for the 18 s that others wait. */
static void item_14_who_cannot_encrypt_gets_a_plain_hash_where_that_is_allowed(void **state) {
    restart_with("\"require_encryption\": false");
    px_cleanup(px_client_closep) struct px_client *c = over_relay(2020);
    const uint8_t *body;
    size_t size;
    assert_int_equal(px_client_recv_body(c, px_now_us() + 10 * SECOND, &body, &size, NULL), 1);
    assert_int_equal(body[0], 0x1a); /* SignedId */
    px_assert_ok(px_client_send_body(c, "", 0, NULL));
    const int64_t t0 = px_now_us();
    assert_int_equal(px_client_recv_body(c, t0 + 10 * SECOND, &body, &size, NULL), 1);
    assert_int_equal(body[0], 0x4a);
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok(px_message_parse(body, size, &m, NULL));
    assert_int_equal(m->item_case, PXS__MESSAGE__ITEM_HASH);
    assert_true(strlen(m->hash->salt) > 0);
}

/* The relay's own address says nothing: the server tells whom it sends. */
static void addresses_that_are_not_allowed_stay_out_over_the_relay_too(void **state) {
    struct px_error err = {0};
    restart_for("10.99.0.0/16");
    px_cleanup(px_client_closep) struct px_client *c = over_relay(2100);
    px_assert_ok_err(px_client_handshake(c, host_pk, ID, PATIENCE, &err), &err);
    assert_int_equal(px_client_wait_hash(c, PATIENCE, &err), -EACCES);
    assert_string_equal(err.msg, "Your ip is blocked by the peer");
    assert_true(is_closed(c, PATIENCE));
    restart_for("203.0.113.0/24");
    px_cleanup(px_client_closep) struct px_client *d = over_relay(2101);
    px_assert_ok_err(px_client_handshake(d, host_pk, ID, PATIENCE, &err), &err);
    px_assert_ok_err(px_client_wait_hash(d, PATIENCE, &err), &err);
}

static void request_relay(const char *relay_name, uint16_t client_port, bool secure) {
    uint8_t addr[PX_ADDR_MANGLED_MAX_BYTES];
    struct px_rdv_msg m = {.kind = PX_RDV_REQUEST_RELAY};
    m.request_relay.uuid = px_bytes_of("11111111-2222-4333-8444-555555555555");
    m.request_relay.socket_addr = (struct px_bytes){addr, a_client(addr, client_port)};
    m.request_relay.relay_server = px_bytes_of(relay_name);
    m.request_relay.secure = secure;
    send_udp(&m);
}

static void item_74_answer_to_request_relay_names_nothing(void **state) {
    struct px_rdv_msg m;
    char name[32];
    snprintf(name, sizeof(name), "127.0.0.1:%u", relay_port);
    request_relay(name, 3000, true);
    px_cleanup(px_client_closep) struct px_client *s = accepted(tcp, PATIENCE);
    envelope(s, &m);
    assert_int_equal(m.kind, PX_RDV_RELAY_RESPONSE);
    assert_int_equal(m.relay_response.uuid.size, 0);
    assert_int_equal(m.relay_response.relay_server.size, 0);
    assert_int_equal(m.relay_response.id.size, 0);
    assert_true(text_is(m.relay_response.version, "1.4.9"));
    px_cleanup(px_client_closep) struct px_client *r = accepted(relay, PATIENCE);
    envelope(r, &m);
    assert_true(text_is(m.request_relay.uuid, "11111111-2222-4333-8444-555555555555"));
}

static void relays_that_nobody_named_are_not_visited(void **state) {
    request_relay("192.0.2.1:21117", 3001, true);
    px_cleanup(px_client_closep) struct px_client *s = accepted(tcp, SECOND);
    assert_null(s);
}

/* Whoever asks the server says whether there will be encryption. */
static void item_14_who_asks_for_a_session_in_the_clear_is_sent_away(void **state) {
    struct px_rdv_msg m;
    char name[32];
    snprintf(name, sizeof(name), "127.0.0.1:%u", relay_port);
    request_relay(name, 3002, false);
    px_cleanup(px_client_closep) struct px_client *s = accepted(tcp, 10 * SECOND);
    px_cleanup(px_client_closep) struct px_client *r = accepted(relay, 10 * SECOND);
    envelope(r, &m);
    assert_int_equal(m.kind, PX_RDV_REQUEST_RELAY);
    px_cleanup(px_message_freep) Pxs__Message *first = NULL;
    assert_int_equal(px_client_recv(r, px_now_us() + 10 * SECOND, &first, NULL), 1);
    assert_int_equal(first->item_case, PXS__MESSAGE__ITEM_LOGIN_RESPONSE);
    assert_non_null(strstr(first->login_response->error, "encrypted"));
    assert_true(is_closed(r, 10 * SECOND));
}

/* How many came to @fd by now, or within @us; they are closed. */
static unsigned come_and_are_closed(int fd, int64_t us) {
    unsigned n = 0;
    for (struct px_client *c; (c = accepted(fd, us)); n++)
        px_client_close(c);
    return n;
}

/* A stranger's wishes come by the server; each is two connections of the host. */
static void wishes_are_twenty_a_second(void **state) {
    const int64_t t0 = px_now_us();
    unsigned n = 0;
    for (unsigned i = 0; i < 200; i++) {
        ask_punch((uint16_t)(5000 + i));
        n += come_and_are_closed(tcp, 0);
        come_and_are_closed(relay, 0);
    }
    n += come_and_are_closed(tcp, SECOND);
    come_and_are_closed(relay, SECOND / 5);
    const int64_t seconds = (px_now_us() - t0) / SECOND + 1;
    print_message("# %u of 200 wishes answered within %lld s\n", n, (long long)seconds);
    assert_true(n > 0 && n <= 20 * (seconds + 1));
}

/* A relay that takes no connection and refuses none: its queue is full. */
static int make_full(int filler[4], uint16_t *p) {
    const int fd = ports_listen(p);
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(*p), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < 4; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(filler[i], (const struct sockaddr *)&a, sizeof(a));
    }
    return fd;
}

#define UNDER_WAY_MAX 48 /* 32 sessions, and answers that come and go */

static void sessions_on_their_way_to_a_dead_relay_are_few(void **state) {
    int filler[4];
    uint16_t usual = relay_port;
    px_cleanup_close int full = make_full(filler, &relay_port);
    const unsigned before = holds_fds(f.host_pid);
    const int64_t until = px_now_us() + 3 * SECOND;
    for (unsigned i = 0; px_now_us() < until; i++) {
        ask_punch((uint16_t)(7000 + i));
        come_and_are_closed(tcp, SECOND / 50);
    }
    const unsigned now = holds_fds(f.host_pid);
    print_message("# %u descriptors before, %u now\n", before, now);
    assert_true(now <= before + UNDER_WAY_MAX);
    relay_port = usual;
    for (int i = 0; i < 4; i++)
        close(filler[i]);
}

/* KCP's first word, and what answers it; the hole's own datagrams are empty. */
static bool is_taken(int fd, const struct sockaddr_in *hole, int64_t us) {
    static const uint8_t syn[14] = {1, [12] = 1};
    uint8_t got[1500];
    const int64_t until = px_now_us() + us;
    assert_int_equal(sendto(fd, syn, sizeof(syn), 0, (const struct sockaddr *)hole, sizeof(*hole)),
                     sizeof(syn));
    while (px_now_us() < until)
        if (readable(fd, SECOND / 20) && recv(fd, got, sizeof(got), MSG_DONTWAIT) == sizeof(syn))
            return got[12] == 3;
    return false;
}

static void hole_is_for_the_address_that_the_server_named(void **state) {
    const struct sockaddr_in server_of_host = host_addr;
    uint16_t client_port = 0, other_port = 0;
    px_cleanup_close int client = datagrams_at(INADDR_LOOPBACK, &client_port);
    px_cleanup_close int other = datagrams_at(INADDR_LOOPBACK + 1, &other_port);
    uint8_t addr[PX_ADDR_MANGLED_MAX_BYTES], buf[2048];
    const struct px_addr a = px_addr_v4(127, 0, 0, 1, client_port);
    struct px_rdv_msg m = {.kind = PX_RDV_PUNCH_HOLE};
    struct sockaddr_in hole;
    socklen_t len = sizeof(hole);
    m.punch_hole.socket_addr = (struct px_bytes){addr, px_addr_mangle(&a, 12345, addr)};
    m.punch_hole.nat_type = PX_NAT_ASYMMETRIC;
    m.punch_hole.udp_port = client_port;
    send_udp(&m);
    assert_true(readable(client, 10 * SECOND));
    assert_int_equal(recvfrom(client, buf, sizeof(buf), 0, (struct sockaddr *)&hole, &len), 0);
    assert_false(is_taken(other, &hole, SECOND / 2));
    assert_true(is_taken(client, &hole, 10 * SECOND));
    while (receive(&m, buf, SECOND / 2)) /* the answer, some times */
        ;
    host_addr = server_of_host;
}

static void requests_from_others_than_the_server_are_ignored(void **state) {
    uint8_t out[2048], addr[PX_ADDR_MANGLED_MAX_BYTES];
    struct px_rdv_msg m = {.kind = PX_RDV_PUNCH_HOLE};
    uint16_t any = 0;
    m.punch_hole.socket_addr = (struct px_bytes){addr, a_client(addr, 4000)};
    const int n = px_rdv_encode(&m, out, sizeof(out), NULL);
    px_cleanup_close int other = datagrams_at(INADDR_LOOPBACK, &any);
    sendto(other, out, (size_t)n, 0, (struct sockaddr *)&host_addr, sizeof(host_addr));
    px_cleanup(px_client_closep) struct px_client *s = accepted(tcp, SECOND);
    assert_null(s);
}

/* UDP falls silent: the host comes by TCP, with a key exchange. */
static void silent_udp_means_tcp(void **state) {
    struct px_rdv_msg m;
    uint8_t buf[2048];
    const uint8_t *body;
    size_t size;
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    const int64_t until = px_now_us() + 45 * SECOND;
    while (!c && px_now_us() < until) {
        while (receive(&m, buf, 0)) /* unanswered */
            ;
        c = accepted(tcp, SECOND / 5);
    }
    assert_non_null(c);
    /* this test's server has no key: the host does not wait for an exchange */
    assert_int_equal(px_client_recv_body(c, px_now_us() + PATIENCE, &body, &size, NULL), 1);
    px_assert_ok(px_rdv_decode((struct px_bytes){body, size}, &m, NULL));
    assert_int_equal(m.kind, PX_RDV_REGISTER_PK);
    assert_true(text_is(m.register_pk.id, ID));
    px_assert_ok(px_client_send_body(c, "", 0, NULL)); /* keep-alive, there and back */
    assert_int_equal(px_client_recv_body(c, px_now_us() + PATIENCE, &body, &size, NULL), 1);
    assert_int_equal(size, 0);
}

static int start(void **state) {
    char extra[128];
    tcp = ports_listen(&port);
    udp = datagrams_at(INADDR_LOOPBACK, &port);
    relay = ports_listen(&relay_port);
    fixture_x(false);
    snprintf(extra, sizeof(extra), "\"server\": {\"address\": \"127.0.0.1:%u\"}", port);
    fixture_host(extra);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_key_first_then_keeps_alive),
        cmocka_unit_test(item_76_request_for_the_key_is_answered_at_once),
        cmocka_unit_test(item_73_duplicate_punch_gets_one_relay),
        cmocka_unit_test(item_74_answer_to_a_punch_is_full),
        cmocka_unit_test(item_75_session_over_the_relay_is_encrypted),
        cmocka_unit_test(item_4_empty_frame_after_the_handshake_is_ignored),
        cmocka_unit_test(item_67_tunnels_of_encrypted_sessions_are_in_the_clear),
        cmocka_unit_test(item_15_flipped_bit_closes),
        cmocka_unit_test(item_14_who_cannot_encrypt_is_sent_away),
        cmocka_unit_test(item_74_answer_to_request_relay_names_nothing),
        cmocka_unit_test(relays_that_nobody_named_are_not_visited),
        cmocka_unit_test(item_14_who_asks_for_a_session_in_the_clear_is_sent_away),
        cmocka_unit_test(wishes_are_twenty_a_second),
        cmocka_unit_test(hole_is_for_the_address_that_the_server_named),
        cmocka_unit_test(requests_from_others_than_the_server_are_ignored),
        cmocka_unit_test(addresses_that_are_not_allowed_stay_out_over_the_relay_too),
        cmocka_unit_test(item_14_who_cannot_encrypt_gets_a_plain_hash_where_that_is_allowed),
        cmocka_unit_test(sessions_on_their_way_to_a_dead_relay_are_few),
        cmocka_unit_test(silent_udp_means_tcp),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
