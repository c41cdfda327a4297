/* tests/host/test_punch.c - how clients come to a host through NATs: straight where that can be, by
 * relay where not; encrypted always. With phoenix-server and real routers (nats.h). */
#include "base/clock.h"
#include "base/file.h"
#include "fixture.h"
#include "nats.h"
#include "session/reach.h"
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char key[64];
static pid_t server_pid;

static bool server_is_up(void *data) {
    struct px_client *c = NULL;
    const struct px_addr to = px_addr_v4(203, 0, 113, 1, 21116);
    if (px_client_connect(&to, SECOND, &c, NULL) < 0)
        return false;
    px_client_close(c);
    return true;
}

static void run_server(void) {
    char data[160];
    snprintf(data, sizeof(data), "--data-dir=%s/server", f.dir);
    const char *const argv[] = {getenv("PHOENIX_SERVER"), data, "--threads=1", NULL};
    nats_enter(NS_SERVER);
    server_pid = run(argv);
    assert_true(wait_for(server_is_up, NULL, 20 * SECOND));
}

static void start_server(void) {
    char dir[128], path[160];
    px_cleanup_free char *text = NULL;
    snprintf(dir, sizeof(dir), "%s/server", f.dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    run_server();
    snprintf(path, sizeof(path), "%s/id_ed25519.pub", dir);
    px_assert_ok(px_file_read(AT_FDCWD, path, sizeof(key) - 1, &text, NULL, NULL));
    snprintf(key, sizeof(key), "%s", text);
}

static char *audit(void) {
    char path[128];
    char *text = NULL;
    snprintf(path, sizeof(path), "%s/phoenix-host.log", f.dir);
    return px_file_read(AT_FDCWD, path, 1 << 20, &text, NULL, NULL) < 0 ? strdup("") : text;
}

static size_t forgotten; /* of what the host has said */

static void forget(void) {
    px_cleanup_free char *text = audit();
    forgotten = strlen(text);
}

static bool audit_says(void *data) {
    px_cleanup_free char *text = audit();
    return strlen(text) >= forgotten && strstr(text + forgotten, data) != NULL;
}

static void start_host_at(const char *server, const char *more, const char *how) {
    char extra[256], log[128];
    snprintf(extra, sizeof(extra), "\"server\": {\"address\": \"%s\", \"key\": \"%s\"}%s", server,
             key, more);
    fixture_stop_host();
    snprintf(log, sizeof(log), "%s/phoenix-host.log", f.dir);
    unlink(log);
    forgotten = 0;
    nats_enter(NS_HOST);
    fixture_host(extra);
    assert_true(wait_for(audit_says, (void *)how, 90 * SECOND));
}

/* Not only registered: it also knows what NAT it is behind. */
static void start_host(const char *server, const char *more) {
    start_host_at(server, more, "our NAT: ");
}

enum way { BY_RELAY, BY_TCP, BY_UDP }; /* the best last */

/* Reaches the host from @ns by @want. A hole has its time, which may be too short on a busy
 * machine: three tries. A better way than there should be is never a matter of time. */
static struct px_client *reach(enum nat_ns ns, const struct px_probe_opts *o, const char *want) {
    const enum way wanted = strcmp(want, "relay") == 0 ? BY_RELAY
                            : strcmp(want, "udp") == 0 ? BY_UDP
                                                       : BY_TCP;
    nats_enter(ns);
    for (int i = 0;; i++) {
        struct px_client *c = NULL;
        struct px_error err = {0};
        px_assert_ok_err(px_reach(o, &c, &err), &err);
        assert_true(c->encrypted);
        const enum way way = c->relayed ? BY_RELAY : c->kcp ? BY_UDP : BY_TCP;
        if (way == wanted)
            return c;
        printf("# came by %s instead of %s\n", (const char *[]){"relay", "tcp", "udp"}[way], want);
        px_client_close(c);
        assert_true(way < wanted && i < 2);
    }
}

/* A user's session from @ns: to the picture and back out. @want: how it must have come. */
static void visit_with(enum nat_ns ns, struct px_probe_opts o, const char *want) {
    o.id = ID;
    o.server_key = key;
    o.timeout_us = 20 * SECOND;
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    px_cleanup(px_client_closep) struct px_client *c = reach(ns, &o, want);
    struct px_error err = {0};
    char way[32];
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok_err(px_client_login(c, &l, PATIENCE, &m, &err), &err);
    px_cleanup(px_message_freep) Pxs__Message *v = await_frame(c, NULL, PATIENCE);
    assert_non_null(v);
    snprintf(way, sizeof(way), "way=%s ", want);
    assert_true(wait_for(audit_says, way, PATIENCE));
}

static void visit(enum nat_ns ns, const char *server, bool force_relay, const char *want) {
    visit_with(ns, (struct px_probe_opts){.server = server, .force_relay = force_relay}, want);
}

/* As a client that has UDP hole punching switched on. */
static void visit_by_udp(enum nat_ns ns, const char *server, const char *want) {
    visit_with(ns, (struct px_probe_opts){.server = server, .udp = true}, want);
}

static void two_nats_are_punched_through(void **state) {
    start_host(SERVER_V4, "");
    visit(NS_CLIENT, SERVER_V4, false, "punched");
    visit(NS_CLIENT, SERVER_V4, false, "punched"); /* and again */
}

static void no_v6(bool off) {
    nats_sh(NS_CLIENT, "echo %d > /proc/sys/net/ipv6/conf/eth0/disable_ipv6", off);
    if (!off)
        nats_sh(NS_CLIENT, "ip addr add 2001:db8:a::10/64 dev eth0; "
                           "ip -6 route add default via 2001:db8:a::1");
}

static void two_nats_are_punched_through_by_udp(void **state) {
    no_v6(true);
    visit_by_udp(NS_CLIENT, SERVER_V4, "udp");
    assert_true(audit_says((void *)"from=203.0.113.2:"));
    forget();
    visit_by_udp(NS_CLIENT, SERVER_V4, "udp"); /* and again */
}

/* Each way, one packet in ten is lost. */
static void losses_do_not_end_it(void **state) {
    static const char *const lossy = "nft add chain inet r loss '{ type filter hook forward "
                                     "priority -10; }'; nft add rule inet r loss meta l4proto udp "
                                     "numgen random mod 10 == 0 drop";
    nats_sh(NS_RA, "%s", lossy);
    forget();
    visit_by_udp(NS_CLIENT, SERVER_V4, "udp");
    nats_router(NS_RA, "masquerade", false, false);
}

/* The server is heard by UDP, the other side is not. */
static void udp_that_stays_shut_ends_at_tcp(void **state) {
    nats_sh(NS_RA, "nft insert rule inet r through ip daddr 203.0.113.3 udp dport 1-65535 drop");
    forget();
    visit_by_udp(NS_CLIENT, SERVER_V4, "punched");
    nats_router(NS_RA, "masquerade", false, true);
    forget();
    visit_by_udp(NS_CLIENT, SERVER_V4, "relay");
    nats_router(NS_RA, "masquerade", false, false);
}

/* A stream of its own, whatever family the server is reached by. */
static void ipv6_by_udp_is_straight_beside_any_other_way(void **state) {
    static const char by_v6[] = "from=[2001:db8:a::10]:";
    no_v6(false);
    forget();
    for (int i = 0; i < 3 && !audit_says((void *)by_v6); i++) /* IPv4's may be the first, rarely */
        visit_by_udp(NS_CLIENT, SERVER_V4, "udp");
    assert_true(audit_says((void *)by_v6));
    nats_router(NS_RA, "masquerade", false, true); /* IPv4 would have to be relayed */
    forget();
    visit_by_udp(NS_CLIENT, SERVER_V4, "udp");
    nats_router(NS_RA, "masquerade", false, false);
}

static void same_network_is_not_left(void **state) {
    visit(NS_NEAR, SERVER_V4, false, "local");
}

static void forced_relay_is_honoured(void **state) {
    const int64_t t0 = px_now_us();
    visit(NS_CLIENT, SERVER_V4, true, "relay");
    assert_true(px_now_us() - t0 < 10 * SECOND);
}

static void nat_that_refuses_strangers_is_punched_through_or_relayed(void **state) {
    nats_router(NS_RA, "masquerade", true, false);
    const struct px_probe_opts o = {
        .id = ID, .server = SERVER_V4, .server_key = key, .timeout_us = 20 * SECOND};
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    struct px_error err = {0};
    nats_enter(NS_CLIENT);
    px_assert_ok_err(px_reach(&o, &c, &err), &err);
    assert_true(c->encrypted);
    printf("# came by %s\n", c->relayed ? "relay" : "hole");
    nats_router(NS_RA, "masquerade", false, false);
}

static void hole_that_stays_shut_ends_at_the_relay(void **state) {
    nats_router(NS_RA, "masquerade", false, true);
    visit(NS_CLIENT, SERVER_V4, false, "relay");
    nats_router(NS_RA, "masquerade", false, false);
}

static void ipv6_needs_no_nat_but_a_hole(void **state) {
    start_host(SERVER_V6, "");
    visit(NS_CLIENT, SERVER_V6, false, "punched");
    visit(NS_CLIENT, SERVER_V4, false, "relay"); /* the families do not meet */
}

static void symmetric_nat_is_not_tried(void **state) {
    nats_router(NS_RB, "masquerade fully-random", false, false);
    start_host(SERVER_V4, "");
    assert_true(audit_says((void *)"our NAT: symmetric"));
    visit(NS_CLIENT, SERVER_V4, false, "relay");
    nats_router(NS_RB, "masquerade", false, false);
}

static void own_address_that_nobody_reaches_is_not_offered(void **state) {
    start_host(SERVER_V4, ", \"lan\": false");
    visit(NS_NEAR, SERVER_V4, false, "relay");
    visit(NS_CLIENT, SERVER_V4, false, "punched");
}

static void punching_can_be_forbidden(void **state) {
    start_host(SERVER_V4, ", \"punching\": false");
    visit(NS_CLIENT, SERVER_V4, false, "relay");
    visit(NS_NEAR, SERVER_V4, false, "relay");
}

static void is_found_again(void) {
    const struct px_probe_opts o = {
        .id = ID, .server = SERVER_V4, .server_key = key, .timeout_us = 5 * SECOND};
    struct px_client *c = NULL;
    const int64_t until = px_now_us() + 60 * SECOND;
    nats_enter(NS_CLIENT);
    while (px_reach(&o, &c, NULL) < 0 && px_now_us() < until)
        px_sleep_us(SECOND / 4);
    assert_non_null(c);
    px_client_close(c);
}

static int try_watching(bool force_relay, struct px_client **ret) {
    const struct px_probe_opts o = {.id = ID,
                                    .server = SERVER_V4,
                                    .server_key = key,
                                    .force_relay = force_relay,
                                    .timeout_us = 5 * SECOND};
    const struct px_client_login l = {.username = ID, .password = PASSWORD, .session_id = 7};
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    nats_enter(NS_CLIENT);
    int r = px_reach(&o, &c, NULL);
    if (r >= 0)
        r = px_client_login(c, &l, 5 * SECOND, &m, NULL);
    if (r >= 0)
        *ret = px_take_ptr(c);
    return r;
}

/* What stock clients do when their connection is gone: they try until they are back. */
static struct px_client *watch_again(bool force_relay) {
    struct px_client *c = NULL;
    const int64_t until = px_now_us() + 90 * SECOND;
    while (try_watching(force_relay, &c) < 0) {
        assert_true(px_now_us() < until);
        px_sleep_us(SECOND / 4);
    }
    return c;
}

static void has_pictures(struct px_client *c) {
    static uint32_t colour;
    drain(c, SECOND / 20);
    paint(200, 200, 50, 50, colour += 0x112233);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, 10 * SECOND);
    assert_non_null(m);
}

/* ID server and relay end at once, as in a crash. Who came straight sees nothing of it; who came
 * over the relay is cut off, and comes back. */
static void a_server_that_restarts_is_found_again(void **state) {
    start_host(SERVER_V4, "");
    px_cleanup(px_client_closep) struct px_client *straight = watch_again(false);
    px_cleanup(px_client_closep) struct px_client *relayed = watch_again(true);
    assert_false(straight->relayed);
    assert_true(relayed->relayed);
    has_pictures(straight);
    has_pictures(relayed);
    kill(server_pid, SIGKILL);
    waitpid(server_pid, NULL, 0);
    assert_true(is_closed(relayed, 10 * SECOND));
    has_pictures(straight);
    run_server();
    const int64_t back = px_now_us();
    px_client_close(relayed);
    relayed = watch_again(true);
    printf("# watches again over the relay %.1f s after the server's return\n",
           (double)(px_now_us() - back) / 1e6);
    has_pictures(relayed);
    has_pictures(straight);
    is_found_again();
}

/* Item 77 says ten minutes. After one the host has been through all its ways to the server and has
 * begun anew, and that round is all that it remembers. PX_OFFLINE_SECONDS=600 takes the item by its
 * word. */
static void item_77_after_long_without_network_it_is_found_again(void **state) {
    start_host(SERVER_V4, "");
    nats_sh(NS_RB, "nft insert rule inet r through drop");
    assert_true(wait_for(audit_says, (void *)"no answer", 60 * SECOND));
    const char *seconds = getenv("PX_OFFLINE_SECONDS");
    px_sleep_us((seconds ? atoi(seconds) : 45) * SECOND);
    nats_router(NS_RB, "masquerade", false, false);
    const int64_t back = px_now_us();
    is_found_again();
    printf("# %.1f s after the network\n", (double)(px_now_us() - back) / 1e6);
}

/* As long as UDP is shut TCP serves; the way back costs no registration. */
static void udp_is_taken_again_when_it_comes_through(void **state) {
    nats_sh(NS_RB, "nft insert rule inet r through udp dport 21116 drop");
    start_host_at(SERVER_V4, "", "(TCP)");
    visit(NS_CLIENT, SERVER_V4, false, "punched");
    nats_router(NS_RB, "masquerade", false, false);
    nats_sh(NS_HOST, "ip addr add 10.77.0.25/24 dev eth0"); /* another network, as it were */
    assert_true(wait_for(audit_says, (void *)"(UDP, again)", 60 * SECOND));
    visit(NS_CLIENT, SERVER_V4, false, "punched");
    px_cleanup_free char *log = audit();
    assert_null(strstr(log, "no answer"));
    nats_sh(NS_HOST, "ip addr del 10.77.0.25/24 dev eth0");
}

/* A firewall that lets neither the ID server's nor the relay's own ports through. */
static void only_websockets_come_through(void **state) {
    nats_sh(NS_RB, "nft insert rule inet r through udp dport 21116 drop; "
                   "nft insert rule inet r through tcp dport 21115-21117 drop");
    start_host_at(SERVER_V4, "", "(WebSocket)");
    visit(NS_CLIENT, SERVER_V4, false, "relay");
    const struct px_probe_opts o = {
        .id = ID, .server = SERVER_V4, .server_key = key, .timeout_us = 20 * SECOND};
    const struct px_client_login l = {
        .username = ID, .password = PASSWORD, .tunnel_host = "localhost", .tunnel_port = 1};
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_reach(&o, &c, &err), &err);
    assert_int_equal(px_client_login(c, &l, 10 * SECOND, &m, &err), -EACCES);
    assert_string_equal(err.msg, "IP tunneling does not go through a WebSocket");
    nats_router(NS_RB, "masquerade", false, false);
}

static int start(void **state) {
    nats_open();
    fixture_x(false);
    nats_router(NS_RA, "masquerade", false, false);
    nats_router(NS_RB, "masquerade", false, false);
    start_server();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nats_are_punched_through),
        cmocka_unit_test(two_nats_are_punched_through_by_udp),
        cmocka_unit_test(losses_do_not_end_it),
        cmocka_unit_test(udp_that_stays_shut_ends_at_tcp),
        cmocka_unit_test(ipv6_by_udp_is_straight_beside_any_other_way),
        cmocka_unit_test(same_network_is_not_left),
        cmocka_unit_test(forced_relay_is_honoured),
        cmocka_unit_test(nat_that_refuses_strangers_is_punched_through_or_relayed),
        cmocka_unit_test(hole_that_stays_shut_ends_at_the_relay),
        cmocka_unit_test(ipv6_needs_no_nat_but_a_hole),
        cmocka_unit_test(symmetric_nat_is_not_tried),
        cmocka_unit_test(own_address_that_nobody_reaches_is_not_offered),
        cmocka_unit_test(punching_can_be_forbidden),
        cmocka_unit_test(a_server_that_restarts_is_found_again),
        cmocka_unit_test(item_77_after_long_without_network_it_is_found_again),
        cmocka_unit_test(udp_is_taken_again_when_it_comes_through),
        cmocka_unit_test(only_websockets_come_through),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
