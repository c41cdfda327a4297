/* src/rendezvous/test_peers.c - the clock is an argument */
#include "base/test.h"
#include "base/clock.h"
#include "rendezvous/peers.h"
#include <sodium.h>
#include <stdio.h>

#define T0 (1000 * PX_US_PER_S)
#define S(n) ((n)*PX_US_PER_S)

struct log {
    int n[4];
    struct px_addr addr, old_addr;
};

static void on_change(void *data, const struct px_peer_row *row) {
    struct log *log = data;
    log->n[row->change]++;
    log->addr = row->addr;
    log->old_addr = row->old_addr;
}

static struct px_peers *with(size_t max, struct log *log) {
    return px_peers_new(&(struct px_peers_opts){
        .max_peers = max, .online_us = S(30), .on_change = log ? on_change : NULL, .data = log});
}

static const uint8_t pk_a[32] = {1}, pk_b[32] = {2};

static struct px_rdv_register_pk msg_of(const char *id, const char *uuid, const uint8_t pk[32]) {
    return (struct px_rdv_register_pk){
        .id = px_bytes_of(id), .uuid = px_bytes_of(uuid), .pk = {pk, 32}};
}

static struct px_peer_where at(uint8_t host, uint16_t port) {
    return (struct px_peer_where){.addr = px_addr_v4(192, 0, 2, host, port)};
}

static int reg(struct px_peers *p, const char *id, const char *uuid, const uint8_t pk[32],
               struct px_peer_where from, int64_t now_us) {
    const struct px_rdv_register_pk msg = msg_of(id, uuid, pk);
    return (int)px_peers_register(p, &msg, &from, now_us);
}

static bool beat(struct px_peers *p, const char *id, struct px_peer_where from, int64_t now_us) {
    bool request_pk = false;
    bool online = px_peers_heartbeat(p, px_bytes_of(id), &from, now_us, &request_pk);
    assert_true(online != request_pk);
    return online;
}

static void a_peer_is_online_for_just_under_thirty_seconds(void **state) {
    px_cleanup(px_peers_freep) struct px_peers *p = with(1000, NULL);
    assert_false(beat(p, "123456789", at(1, 5), T0));
    assert_int_equal(reg(p, "123456789", "u", pk_a, at(1, 5), T0), PX_PK_OK);
    assert_true(beat(p, "123456789", at(1, 5), T0 + S(1)));
    assert_true(px_peers_online(p, px_bytes_of("123456789"), T0 + S(31) - 1));
    assert_false(px_peers_online(p, px_bytes_of("123456789"), T0 + S(31)));
    /* more than 2^32 ms later it is still offline (a bug of others) */
    assert_false(px_peers_online(p, px_bytes_of("123456789"), T0 + S(4294968)));
}

static void register_says_what_does_not_fit(void **state) {
    px_cleanup(px_peers_freep) struct px_peers *p = with(1000, NULL);
    const struct {
        const char *uuid;
        const uint8_t *pk;
        uint8_t host;
        int want;
    } cases[] = {
        {"u", pk_a, 1, PX_PK_OK},
        {"other", pk_a, 1, PX_PK_UUID_MISMATCH},
        {"u", pk_b, 2, PX_PK_UUID_MISMATCH},
        {"u", pk_b, 1, PX_PK_OK},
        {"u", pk_b, 2, PX_PK_OK},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++)
        assert_int_equal(reg(p, "123456789", cases[i].uuid, cases[i].pk, at(cases[i].host, 5),
                             T0 + S(10) * (int64_t)i),
                         cases[i].want);
}

static void three_registrations_pass_then_seven_seconds_are_due(void **state) {
    px_cleanup(px_peers_freep) struct px_peers *p = with(1000, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(reg(p, "123456789", "u", pk_a, at(1, 5), T0), PX_PK_OK);
    assert_int_equal(reg(p, "123456789", "u", pk_a, at(1, 5), T0), PX_PK_TOO_FREQUENT);
    assert_int_equal(reg(p, "123456789", "u", pk_a, at(1, 5), T0 + S(6)), PX_PK_TOO_FREQUENT);
    assert_int_equal(reg(p, "123456789", "u", pk_a, at(1, 5), T0 + S(7)), PX_PK_OK);
}

static void a_heartbeat_from_elsewhere_moves_nothing(void **state) {
    struct log log = {0};
    px_cleanup(px_peers_freep) struct px_peers *p = with(1000, &log);
    struct px_peer_info info;
    reg(p, "123456789", "u", pk_a, at(1, 5), T0);
    assert_false(beat(p, "123456789", at(2, 5), T0));
    px_assert_ok(px_peers_find(p, px_bytes_of("123456789"), T0, &info));
    assert_int_equal(info.where.addr.ip[15], 1);
    assert_true(beat(p, "123456789", at(1, 6), T0)); /* another port is fine, and written down */
    assert_int_equal(log.n[PX_PEER_MOVE], 1);
    assert_int_equal(log.addr.port, 6);
    assert_int_equal(log.old_addr.port, 5);
    assert_true(beat(p, "123456789", at(1, 6), T0)); /* no news */
    assert_int_equal(log.n[PX_PEER_MOVE], 1);
}

static void a_loaded_peer_is_bound_but_has_to_show_its_key(void **state) {
    px_cleanup(px_peers_freep) struct px_peers *p = with(1000, NULL);
    struct px_peer_info info;
    const struct px_peer_row row = {.id = px_bytes_of("123456789"),
                                    .uuid = px_bytes_of("u"),
                                    .pk = {pk_a, 32},
                                    .addr = px_addr_v4(192, 0, 2, 1, 5)};
    px_peers_load(p, &row, T0 - S(10));
    px_assert_ok(px_peers_find(p, row.id, T0, &info));
    assert_true(info.online); /* reachable where it was */
    assert_false(beat(p, "123456789", at(1, 5), T0));
    assert_int_equal(reg(p, "123456789", "v", pk_a, at(1, 5), T0), PX_PK_UUID_MISMATCH);
    assert_int_equal(reg(p, "123456789", "u", pk_a, at(1, 5), T0), PX_PK_OK);
    assert_true(beat(p, "123456789", at(1, 5), T0));
}

static void rename_keeps_the_binding_and_frees_the_old_id(void **state) {
    struct log log = {0};
    px_cleanup(px_peers_freep) struct px_peers *p = with(1000, &log);
    struct px_peer_info info;
    const struct px_bytes old = px_bytes_of("123456789"), id = px_bytes_of("my-name");
    reg(p, "123456789", "u", pk_a, at(1, 5), T0);
    reg(p, "taken-id", "w", pk_b, at(2, 5), T0);
    const struct {
        const char *id, *uuid;
        int want;
    } cases[] = {
        {"1name-x", "u", PX_PK_INVALID_ID_FORMAT},
        {"abcde", "u", PX_PK_INVALID_ID_FORMAT},
        {"taken-id", "u", PX_PK_ID_EXISTS},
        {"my-name", "x", PX_PK_UUID_MISMATCH},
        {"my-name", "u", PX_PK_OK},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++)
        assert_int_equal(
            px_peers_rename(p, old, px_bytes_of(cases[i].id), px_bytes_of(cases[i].uuid)),
            cases[i].want);
    assert_int_equal(log.n[PX_PEER_RENAME], 1);
    assert_int_equal(px_peers_find(p, old, T0, &info), -ENOENT);
    px_assert_ok(px_peers_find(p, id, T0, &info));
    assert_memory_equal(info.pk, pk_a, 32);
    assert_int_equal(reg(p, "my-name", "u", pk_a, at(1, 5), T0), PX_PK_OK);
}

static void the_end_of_an_old_link_does_not_end_a_new_one(void **state) {
    px_cleanup(px_peers_freep) struct px_peers *p = with(1000, NULL);
    const struct px_bytes id = px_bytes_of("123456789");
    struct px_peer_where one = at(1, 5), two = at(1, 6);
    one.link = 7;
    two.link = 8;
    reg(p, "123456789", "u", pk_a, one, T0);
    reg(p, "123456789", "u", pk_a, two, T0);
    px_peers_link_lost(p, id, 0, 7);
    assert_true(px_peers_online(p, id, T0 + S(1000))); /* as long as it is connected */
    assert_false(beat(p, "123456789", at(1, 5), T0));  /* a datagram alone does not take it over */
    px_peers_link_lost(p, id, 0, 8);
    assert_false(px_peers_online(p, id, T0));
}

static void a_flood_pushes_out_only_those_without_a_heartbeat(void **state) {
    struct log log = {0};
    px_cleanup(px_peers_freep) struct px_peers *p = with(1024, &log);
    char id[32];
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof(id), "honest%d", i);
        reg(p, id, "u", pk_a, at(1, 5), T0);
        assert_true(beat(p, id, at(1, 5), T0));
    }
    for (int i = 0; i < 50000; i++) {
        snprintf(id, sizeof(id), "forged%d", i);
        reg(p, id, "u", pk_a, at(2, 5), T0 + i);
    }
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof(id), "honest%d", i);
        assert_true(beat(p, id, at(1, 5), T0 + S(20)));
    }
    const struct px_peers_stats st = px_peers_stats(p);
    assert_in_range(st.n_peers, 1024, 1024 * 9 / 8 + 8 * 256);
    assert_int_equal(log.n[PX_PEER_DELETE], st.n_evicted);
    assert_int_equal(reg(p, "latecomer", "u", pk_a, at(3, 5), T0 + S(20)), PX_PK_OK);
}

static bool count(struct px_bytes id, const struct px_peer_info *info, void *data) {
    ++*(size_t *)data;
    return true;
}

static void many_come_and_go_and_all_are_found(void **state) {
    px_cleanup(px_peers_freep) struct px_peers *p = with(100000, NULL);
    char id[32];
    struct px_peer_info info;
    for (int i = 0; i < 20000; i++) {
        snprintf(id, sizeof(id), "id%d%s", i, "abcdef");
        reg(p, id, "u", pk_a, at(1, 5), T0);
    }
    for (int i = 0; i < 20000; i += 2) {
        snprintf(id, sizeof(id), "id%d%s", i, "abcdef");
        assert_true(px_peers_forget(p, px_bytes_of(id)));
        assert_false(px_peers_forget(p, px_bytes_of(id)));
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(id, sizeof(id), "id%d%s", i, "abcdef");
        assert_int_equal(px_peers_find(p, px_bytes_of(id), T0, &info), i % 2 ? 0 : -ENOENT);
    }
    size_t n = 0;
    px_peers_each(p, T0, count, &n);
    assert_int_equal(n, 10000);
}

static void ids_are_checked(void **state) {
    const char *good[] = {"123456", "host-name", "f\303\274nfzehn"};
    const char *bad[] = {"12345",    "",         "has blank",  "a<b>cdef",
                         "tab\tabc", "quote\"s", "back\\slash"};
    for (size_t i = 0; i < PX_N_ELEMENTS(good); i++)
        assert_true(px_peer_id_valid(px_bytes_of(good[i])));
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++)
        assert_false(px_peer_id_valid(px_bytes_of(bad[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_online_for_just_under_thirty_seconds),
        cmocka_unit_test(register_says_what_does_not_fit),
        cmocka_unit_test(three_registrations_pass_then_seven_seconds_are_due),
        cmocka_unit_test(a_heartbeat_from_elsewhere_moves_nothing),
        cmocka_unit_test(a_loaded_peer_is_bound_but_has_to_show_its_key),
        cmocka_unit_test(rename_keeps_the_binding_and_frees_the_old_id),
        cmocka_unit_test(the_end_of_an_old_link_does_not_end_a_new_one),
        cmocka_unit_test(a_flood_pushes_out_only_those_without_a_heartbeat),
        cmocka_unit_test(many_come_and_go_and_all_are_found),
        cmocka_unit_test(ids_are_checked),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
