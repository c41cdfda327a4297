/* tests/host/test_mutate.c - clients that send nonsense, flood, vanish
 *
 * Good messages are changed at random (the seed is fixed; PHOENIX_TEST_SEED gives another) and sent
 * before and after the login, for each purpose. Another session watches meanwhile: it must keep its
 * picture, and the host must live. Run with a host built with sanitizers, this finds more. */
#include "base/clock.h"
#include "fixture.h"
#include "proto/frame.h"
#include <signal.h>
#include <sys/socket.h>

static uint32_t seed = 1;

static uint32_t rnd(uint32_t below) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(seed >> 8) * below) >> 24);
}

static const char *const good[] = {
    "520610C801189003",
    "5208080910C801189003",
    "52020809",
    "5202080A",
    "520408031802",
    "7A06080120264801",
    "7A0420264801",
    "7A043202C3A9",
    "7A0410012041",
    "7A04081B1001",
    "9A01025001",
    "9A0103F80100",
    "9A01063A0430808C01",
    "9A01043A025805",
    "9A01026001",
    "9A0105AA02020800",
    "9A0108A202050800120208A00F",
    "9A010BF2010808001204080A100A",
    "9A01048A020010",
    "2A021001",
    "BA0104080510 01",
    "EA01040800120178",
    "820105120568656C6C6F",
    "E2010B0A09120568656C6C6F2800",
    "FA01080A060801101818 50",
    "FA010A120808011204 6C730A0A",
    "8A01080A060A01781001",
    "8A01071205080712 0178",
    "920110220E0807100022 0474657374 1800",
    "D201080A060A04080A1001",
    "DA0104080010 01",
    "3A0B0A0931323334353637383912 00",
    "9A01043A024802",
    ("A201321230121A10B681031A1446696C6547726F757044657363726970746F7257121210F380031A0C46696C65436"
     "F"
     "6E74656E7473"),
    "A20106220410B68103",
    "A201282A2610011A2201000000000000000000000000000000000000000000000000000000000000000000",
    "A2010D320B1001180020022800388020",
    "A201083206100118002001",
    "A2010B3A09180120012A03616263",
    "A201024200",
    "9A010622040A026869",
    "9A0107F201041A020001",
};

static size_t mutate(uint8_t out[600]) {
    const char *hex = good[rnd(PX_N_ELEMENTS(good))];
    size_t n = 0;
    for (; hex[0] && hex[1]; hex += 2) {
        while (*hex == ' ')
            hex++;
        unsigned v;
        if (sscanf(hex, "%2x", &v) == 1)
            out[n++] = (uint8_t)v;
    }
    const uint32_t changes = rnd(4);
    for (uint32_t i = 0; i < changes && n > 0; i++) {
        switch (rnd(4)) {
        case 0:
            out[rnd((uint32_t)n)] ^= (uint8_t)(1u << rnd(8));
            break;
        case 1:
            out[rnd((uint32_t)n)] = (uint8_t)rnd(256);
            break;
        case 2:
            if (n < 500)
                out[n++] = (uint8_t)rnd(256);
            break;
        case 3:
            n -= rnd((uint32_t)n);
            break;
        }
    }
    return n;
}

/* Sends until the host has had enough of it (or 200 times). */
static void annoy(struct px_client *c) {
    uint8_t body[600];
    for (int i = 0; i < 200; i++) {
        const size_t n = mutate(body);
        if (px_client_send_body(c, body, n, NULL) < 0)
            return;
        if (i % 50 == 0) {
            Pxs__Message *m = NULL;
            const int r = px_client_recv(c, px_now_us() + 1000, &m, NULL);
            px_message_free(m);
            if (r < 0)
                return;
        }
    }
}

static void watch_still_works(struct px_client *watcher) {
    static uint32_t colour;
    drain(watcher, 20000);
    paint(700, 100, 50, 50, colour += 0x112233);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(watcher, NULL, 5 * SECOND);
    assert_non_null(m);
    assert_int_equal(kill(f.host_pid, 0), 0);
}

static void nonsense_before_the_login(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    for (int i = 0; i < 60; i++) {
        px_cleanup(px_client_closep) struct px_client *c = dial();
        annoy(c);
    }
    watch_still_works(watcher);
}

static void nonsense_after_the_login(void **state) {
    static const struct px_client_login kinds[] = {
        {.username = ID, .password = PASSWORD},
        {.username = ID, .password = PASSWORD, .files_dir = "/nowhere"},
        {.username = ID, .password = PASSWORD, .terminal_service = ""},
    };
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    for (int i = 0; i < 60; i++) {
        px_cleanup(px_client_closep) struct px_client *c = login(&kinds[i % 3]);
        annoy(c);
    }
    watch_still_works(watcher);
}

static void raw_bytes_of_any_kind(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    for (int i = 0; i < 60; i++) {
        px_cleanup(px_client_closep) struct px_client *c = i % 2 ? dial() : desktop(NULL);
        uint8_t junk[4096];
        for (size_t k = 0; k < sizeof(junk); k++)
            junk[k] = (uint8_t)rnd(256);
        (void)px_client_send_raw(c, junk, 1 + rnd(sizeof(junk) - 1), NULL);
    }
    watch_still_works(watcher);
}

static void floods_of_input_are_taken(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL), *c = desktop(NULL);
    for (int i = 0; i < 20000; i++)
        px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, (int)rnd(1280), (int)rnd(720), NULL));
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 11, 22, NULL));
    watch_still_works(watcher);
    xcb_query_pointer_reply_t *p = NULL;
    const int64_t until = px_now_us() + 5 * SECOND;
    do {
        free(p);
        px_sleep_us(20000);
        p = xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    } while ((p->root_x != 11 || p->root_y != 22) && px_now_us() < until);
    assert_int_equal(p->root_x, 11);
    free(p);
}

static long rss_kb(void) {
    char path[64], line[128];
    long kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)f.host_pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    if (file)
        fclose(file);
    return kb;
}

static void hundreds_of_reconnects_leave_no_memory_behind(void **state) {
    for (int i = 0; i < 20; i++)
        px_client_close(desktop(NULL));
    px_sleep_us(SECOND / 2);
    const long before = rss_kb();
    for (int i = 0; i < 300; i++) {
        struct px_client *c = i % 10 ? dial() : desktop(NULL);
        px_client_close(c);
    }
    px_sleep_us(SECOND);
    const long after = rss_kb();
    print_message("# memory: %ld kB, after 300 connections %ld kB\n", before, after);
    assert_true(after < before + 30000);
}

static int start(void **state) {
    const char *s = getenv("PHOENIX_TEST_SEED");
    seed = s ? (uint32_t)strtoul(s, NULL, 10) : 1;
    fixture_x(false);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_before_the_login),
        cmocka_unit_test(nonsense_after_the_login),
        cmocka_unit_test(raw_bytes_of_any_kind),
        cmocka_unit_test(floods_of_input_are_taken),
        cmocka_unit_test(hundreds_of_reconnects_leave_no_memory_behind),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
