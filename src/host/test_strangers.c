/* src/host/test_strangers.c - how many may be there that are not logged in */
#include "base/test.h"
#include "host/session.h"

#define CROWD_MAX 80

static struct px_host host;
static struct px_session sessions[CROWD_MAX];

/* @n sessions of @state, the first of them from @peer(0) and so on; the first is the newest. */
static struct px_session *crowd(unsigned n, enum px_session_state state, enum px_way way,
                                struct px_addr (*peer)(unsigned i)) {
    assert_true(n <= CROWD_MAX);
    memset(sessions, 0, sizeof(sessions));
    for (unsigned i = 0; i < n; i++) {
        sessions[i].host = &host;
        sessions[i].state = state;
        sessions[i].way = way;
        sessions[i].peer = peer(i);
        sessions[i].next = i + 1 < n ? &sessions[i + 1] : NULL;
    }
    host.sessions = &sessions[0];
    return &sessions[0];
}

static struct px_addr anybody(unsigned i) {
    return px_addr_v4(192, 0, 2, (uint8_t)(i + 1), 1);
}

static struct px_addr somebody(unsigned i) {
    return px_addr_v4(192, 0, 2, 1, (uint16_t)(i + 1));
}

static struct px_addr unknown(unsigned i) {
    return (struct px_addr){.port = 0};
}

static struct px_addr neighbour(unsigned i) {
    return (struct px_addr){.ip = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)i}, .port = 1};
}

static struct px_addr loopback(unsigned i) {
    return px_addr_v4(127, 0, 0, 1, (uint16_t)(i + 1));
}

static void all_strangers_together_are_sixteen(void **state) {
    static const enum px_way ways[] = {PX_WAY_DIRECT, PX_WAY_UDP, PX_WAY_RELAY};
    for (unsigned i = 0; i < 3; i++) {
        assert_false(px_session_too_many(crowd(16, PX_SESSION_LOGIN, ways[i], anybody)));
        assert_true(px_session_too_many(crowd(17, PX_SESSION_LOGIN, ways[i], anybody)));
        assert_true(px_session_too_many(crowd(17, PX_SESSION_HANDSHAKE, ways[i], anybody)));
        assert_true(px_session_too_many(crowd(17, PX_SESSION_TWO_FACTOR, ways[i], anybody)));
        assert_true(px_session_too_many(crowd(17, PX_SESSION_LOGIN, ways[i], loopback)));
    }
}

static void one_address_leaves_room_for_others(void **state) {
    assert_false(px_session_too_many(crowd(4, PX_SESSION_LOGIN, PX_WAY_DIRECT, somebody)));
    assert_true(px_session_too_many(crowd(5, PX_SESSION_LOGIN, PX_WAY_DIRECT, somebody)));
    assert_true(px_session_too_many(crowd(5, PX_SESSION_LOGIN, PX_WAY_PUNCHED, somebody)));
    assert_true(px_session_too_many(crowd(5, PX_SESSION_LOGIN, PX_WAY_UDP, neighbour)));
    assert_false(px_session_too_many(crowd(8, PX_SESSION_LOGIN, PX_WAY_RELAY, somebody)));
    assert_true(px_session_too_many(crowd(9, PX_SESSION_LOGIN, PX_WAY_RELAY, somebody)));
    assert_true(px_session_too_many(crowd(9, PX_SESSION_LOGIN, PX_WAY_RELAY, neighbour)));
    /* Where the server does not say, all of them look like one. */
    assert_false(px_session_too_many(crowd(16, PX_SESSION_LOGIN, PX_WAY_RELAY, unknown)));
}

static void who_is_in_or_gone_is_no_stranger(void **state) {
    assert_false(px_session_too_many(crowd(64, PX_SESSION_ACTIVE, PX_WAY_RELAY, somebody)));
    assert_true(px_session_too_many(crowd(65, PX_SESSION_ACTIVE, PX_WAY_RELAY, somebody)));
    struct px_session *fresh = crowd(70, PX_SESSION_LOGIN, PX_WAY_RELAY, somebody);
    for (unsigned i = 1; i < 70; i++)
        sessions[i].ended = true;
    assert_false(px_session_too_many(fresh));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_strangers_together_are_sixteen),
        cmocka_unit_test(one_address_leaves_room_for_others),
        cmocka_unit_test(who_is_in_or_gone_is_no_stranger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
