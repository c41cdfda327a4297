/* tests/host/test_live.c - a configuration that changes while somebody watches, and what listens
 *
 * What `phoenix up` does when the desktop file's remote key has changed: host.json is another. */
#include "base/alloc.h"
#include "base/clock.h"
#include "fixture.h"
#include "ports.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const struct px_client_login as_viewer = {.username = ID, .password = PASSWORD};

static void still_watches(struct px_client *c) {
    static uint32_t colour;
    drain(c, 20000);
    paint(500, 100, 50, 50, colour += 0x112233);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, 10 * SECOND);
    assert_non_null(m);
}

static void assert_refused(const struct px_client_login *l, const char *words) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    assert_int_equal(px_client_login(c, l, 10 * SECOND, &m, &err), -EACCES);
    assert_string_equal(err.msg, words);
}

/* The next permission message says this. */
static void assert_told(struct px_client *c, enum px_permission what, bool on) {
    const int64_t until = px_now_us() + 10 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_MISC, until - px_now_us());
        assert_non_null(m);
        if (m->misc->item_case != PXS__MISC__ITEM_PERMISSION_INFO ||
            m->misc->permission_info->permission >= (int)PX_PERMISSION_RESTART)
            continue;
        assert_int_equal(m->misc->permission_info->permission, what);
        assert_int_equal(m->misc->permission_info->enabled, on);
        return;
    }
}

/* The words with which the host ends the session. */
static void assert_ended(struct px_client *c, const char *words) {
    const int64_t until = px_now_us() + 10 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_MISC, until - px_now_us());
        assert_non_null(m);
        if (m->misc->item_case != PXS__MISC__ITEM_CLOSE_REASON)
            continue;
        assert_string_equal(m->misc->close_reason, words);
        assert_true(is_closed(c, PATIENCE));
        return;
    }
}

/* All that was sent before has been taken. */
static void settle(struct px_client *c) {
    send_hex(c, "2A021001");
    px_message_free(await(c, PXS__MESSAGE__ITEM_TEST_DELAY, 10 * SECOND));
}

static bool pointer_is_at(void *x) {
    xcb_query_pointer_reply_t *p =
        xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    const bool there = p->root_x == *(const int *)x;
    free(p);
    return there;
}

static bool button_is_up(void *data) {
    xcb_query_pointer_reply_t *p =
        xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    const bool up = !(p->mask & XCB_BUTTON_MASK_1);
    free(p);
    return up;
}

static bool button_is_down(void *data) {
    return !button_is_up(data);
}

/* Item 26's last part: off, and on again, in mid-session. */
static void item_26_permissions_that_change_are_told_and_kept(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = login(&as_viewer);
    int at = 100, elsewhere = 300;
    px_message_free(await_frame(c, NULL, 10 * SECOND));
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, at, 200, NULL));
    send_hex(c, "52020809"); /* held when it is forbidden */
    assert_true(wait_for(button_is_down, NULL, 10 * SECOND));
    fixture_change("\"permissions\": {\"keyboard\": false, \"clipboard\": false}");
    assert_told(c, PX_PERMISSION_KEYBOARD, false);
    assert_told(c, PX_PERMISSION_CLIPBOARD, false);
    assert_true(wait_for(button_is_up, NULL, 10 * SECOND));
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, elsewhere, 200, NULL));
    settle(c);
    assert_true(pointer_is_at(&at));
    still_watches(c);
    fixture_change("\"permissions\": {\"keyboard\": true, \"clipboard\": false}");
    assert_told(c, PX_PERMISSION_KEYBOARD, true);
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, elsewhere, 200, NULL));
    assert_true(wait_for(pointer_is_at, &elsewhere, 10 * SECOND));
    fixture_change("");
    static const uint8_t want[] = {0x9a, 1, 6, 0x32, 4, 8, 2, 0x10, 1};
    const uint8_t *body = NULL;
    size_t size = 0;
    do
        assert_int_equal(px_client_recv_body(c, px_now_us() + 10 * SECOND, &body, &size, NULL), 1);
    while (size != sizeof(want) || memcmp(body, want, size) != 0);
    still_watches(c);
}

static void sessions_that_are_forbidden_end_and_others_stay(void **state) {
    static const char end[] = "This kind of session is not allowed any more";
    uint16_t port;
    px_cleanup_close int fd = ports_listen(&port);
    struct px_client_login files = as_viewer, terminal = as_viewer, tunnel = as_viewer;
    files.files_dir = "/nowhere";
    terminal.terminal_service = "";
    tunnel.tunnel_host = "127.0.0.1";
    tunnel.tunnel_port = port;
    px_cleanup(px_client_closep) struct px_client *viewer = login(&as_viewer);
    px_cleanup(px_client_closep) struct px_client *a = login(&files);
    px_cleanup(px_client_closep) struct px_client *b = login(&terminal);
    px_cleanup(px_client_closep) struct px_client *c = login(&tunnel);
    fixture_change("\"permissions\": {\"file\": false, \"terminal\": false, \"tunnel\": false}");
    assert_ended(a, end);
    assert_ended(b, end);
    char byte;
    int r;
    while ((r = px_client_recv_raw(c, px_now_us() + 10 * SECOND, &byte, 1, NULL)) > 0)
        ;
    assert_int_equal(r, -EPIPE);
    assert_told(viewer, PX_PERMISSION_FILE, false);
    still_watches(viewer);
    assert_refused(&files, "No permission of file transfer");
    assert_refused(&terminal, "No permission of terminal");
    assert_refused(&tunnel, "No permission of IP tunneling");
    fixture_change("");
    px_client_close(login(&files));
    px_client_close(login(&terminal));
    px_client_close(login(&tunnel));
    still_watches(viewer);
}

static struct px_client *viewer_from(uint8_t last) {
    struct px_client *c = NULL;
    struct px_error err = {0};
    const struct px_addr from = px_addr_v4(127, 0, 0, last, 0);
    const struct px_addr to = px_addr_v4(127, 0, 0, 1, (uint16_t)f.port);
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok_err(px_client_connect_from(&from, &to, PATIENCE, &c, &err), &err);
    px_assert_ok_err(px_client_login(c, &as_viewer, 10 * SECOND, &m, &err), &err);
    return c;
}

static void addresses_that_are_not_allowed_any_more_go(void **state) {
    px_cleanup(px_client_closep) struct px_client *one = viewer_from(1), *two = viewer_from(2);
    fixture_change("\"allow_addresses\": [\"127.0.0.2/32\"]");
    assert_ended(one, "Your address is not allowed any more");
    still_watches(two);
    assert_refused(&as_viewer, "Your ip is blocked by the peer");
    fixture_change("");
    px_client_close(viewer_from(1));
    still_watches(two);
}

#define SECRET_HEX "3132333435363738393031323334353637383930"

static void second_factor_comes_and_goes(void **state) {
    struct px_client_login back = as_viewer;
    back.my_id = "7";
    back.session_id = 77;
    px_cleanup(px_client_closep) struct px_client *viewer = login(&as_viewer);
    px_client_close(login(&back));
    px_cleanup_free char *on = px_asprintf("\"totp_secret_file\": \"%s/totp\"", f.dir);
    put_file("totp", SECRET_HEX "\n");
    fixture_change(on);
    still_watches(viewer);
    assert_refused(&as_viewer, "2FA Required");
    assert_refused(&back, "2FA Required"); /* it was in without one */
    char code[7];
    px_totp((const uint8_t *)"12345678901234567890", 20, (int64_t)time(NULL), code);
    back.code = code;
    px_client_close(login(&back));
    px_cleanup(px_client_closep) struct px_client *asked = dial();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    assert_int_equal(px_client_login(asked, &as_viewer, 10 * SECOND, &m, NULL), -EACCES);
    fixture_change("");
    assert_ended(asked, "Reset by the peer"); /* clients come again, and are not asked */
    px_client_close(login(&as_viewer));
    still_watches(viewer);
}

static bool is_taken_badly(void *data) {
    px_cleanup_free char *log = get_file("phoenix-host.log");
    return strstr(log, "the changed configuration is not taken") != NULL;
}

static void wrong_configuration_changes_nothing(void **state) {
    px_cleanup(px_client_closep) struct px_client *viewer = login(&as_viewer);
    put_file("host.json", "{nonsense");
    assert_true(wait_for(is_taken_badly, NULL, 20 * SECOND));
    still_watches(viewer);
    px_client_close(login(&as_viewer));
}

/* The same process, and clients come back by themselves. */
static void what_needs_a_new_start_gets_one(void **state) {
    px_cleanup(px_client_closep) struct px_client *viewer = login(&as_viewer);
    char extra[128];
    snprintf(extra, sizeof(extra), "\"encoder\": \"libvpx-vp8\", \"direct\": [\"127.0.0.1:%d\"]",
             f.port);
    fixture_change(extra);
    assert_ended(viewer, "Reset by the peer");
    const int64_t until = px_now_us() + 20 * SECOND;
    const struct px_addr to = px_addr_v4(127, 0, 0, 1, (uint16_t)f.port);
    struct px_client *c = NULL;
    while (px_client_connect(&to, SECOND, &c, NULL) < 0 && px_now_us() < until)
        px_sleep_us(20000);
    assert_non_null(c);
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok(px_client_login(c, &as_viewer, 10 * SECOND, &m, NULL));
    px_client_close(c);
}

/* ---- what listens ---- */

static bool is_own(unsigned long inode) {
    char path[320], link[64], want[64];
    bool own = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)f.host_pid);
    snprintf(want, sizeof(want), "socket:[%lu]", inode);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)f.host_pid, e->d_name);
        const ssize_t n = readlink(path, link, sizeof(link) - 1);
        own |= n > 0 && (size_t)n == strlen(want) && memcmp(link, want, (size_t)n) == 0;
    }
    closedir(d);
    return own;
}

/* "ADDRESS " for each socket of the host in that table that listens (TCP) or is bound (UDP); the
 * address as the kernel prints it. */
static void add_sockets(const char *table, bool tcp, char *out, size_t cap) {
    char path[64], line[512], local[64];
    unsigned state = 0;
    unsigned long inode = 0;
    snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)f.host_pid, table);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, " %*d: %63[0-9A-F]:%*x %*x:%*x %x %*s %*s %*s %*d %*d %lu", local, &state,
                   &inode) == 3 &&
            (!tcp || state == 0x0a) && is_own(inode))
            snprintf(out + strlen(out), cap - strlen(out), "%s ", local);
    if (file)
        fclose(file);
}

static bool is_up(void *data) {
    char path[128];
    snprintf(path, sizeof(path), "%s/metrics", f.dir);
    return access(path, F_OK) == 0;
}

static void assert_listens(const char *direct, const char *want) {
    char extra[256], got[256] = "", path[128];
    fixture_stop_host();
    snprintf(path, sizeof(path), "%s/metrics", f.dir);
    (void)unlink(path);
    snprintf(extra, sizeof(extra), "\"metrics_socket\": \"%s\"%s%s", path, *direct ? ", " : "",
             direct);
    fixture_host(extra);
    assert_true(wait_for(is_up, NULL, 20 * SECOND)); /* after all else that listens */
    add_sockets("tcp", true, got, sizeof(got));
    add_sockets("tcp6", true, got, sizeof(got));
    add_sockets("udp", false, got, sizeof(got));
    add_sockets("udp6", false, got, sizeof(got));
    assert_string_equal(got, want);
}

static bool has_ipv6(void) {
    const struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    px_cleanup_close int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
}

#define V4_1 "0100007F "
#define V4_2 "0200007F "
#define V6_1 "00000000000000000000000001000000 "
#define V6_ANY "00000000000000000000000000000000 "

static void only_the_addresses_named_are_listened_on(void **state) {
    assert_listens("\"direct\": []", "");
    assert_listens("\"direct\": [\"127.0.0.1:0\"]", V4_1);
    assert_listens("\"direct\": [\"127.0.0.2:0\"]", V4_2);
}

static void two_addresses_are_two_sockets(void **state) {
    char extra[256], got[256] = "";
    fixture_stop_host();
    snprintf(extra, sizeof(extra), "\"direct\": [\"127.0.0.1:0\", \"127.0.0.2:0\"]");
    fixture_host(extra);
    add_sockets("tcp", true, got, sizeof(got));
    add_sockets("tcp6", true, got, sizeof(got));
    assert_int_equal(strlen(got), strlen(V4_1 V4_2));
    assert_non_null(strstr(got, V4_1));
    assert_non_null(strstr(got, V4_2));
}

static void ipv6_does_not_open_ipv4(void **state) {
    if (!has_ipv6())
        skip();
    assert_listens("\"direct\": [\"[::1]:0\"]", V6_1);
    assert_listens("\"direct\": [\"[::]:0\"]", V6_ANY);
    struct px_client *c = NULL;
    const struct px_addr v4 = px_addr_v4(127, 0, 0, 1, (uint16_t)f.port);
    assert_int_equal(px_client_connect(&v4, PATIENCE, &c, NULL), -ECONNREFUSED);
    struct px_addr v6 = {.port = (uint16_t)f.port};
    v6.ip[15] = 1;
    px_assert_ok(px_client_connect(&v6, PATIENCE, &c, NULL));
    px_client_close(c);
}

/* ---- who looks around on the LAN ---- */

static int searcher(uint8_t host) {
    const struct sockaddr_in from = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host)};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
    return fd;
}

static void look_around(int fd) {
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(21119),
                                   .sin_addr.s_addr = htonl(0x7fffffff)}; /* lo's broadcast */
    assert_int_equal(
        sendto(fd, "\xb2\x01\x06\x0a\x04ping", 9, 0, (const struct sockaddr *)&to, sizeof(to)), 9);
}

/* Asks until there is an answer. */
static bool finds_us(int fd) {
    char pong[512];
    for (int i = 0; i < 100; i++) {
        look_around(fd);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 100) > 0) {
            const ssize_t n = recv(fd, pong, sizeof(pong), 0);
            return n > 0 && memmem(pong, (size_t)n, ID, strlen(ID)) != NULL;
        }
    }
    return false;
}

static bool port_is_free(void *data) {
    const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(21119)};
    px_cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
}

static void who_looks_around_is_answered_only_if_we_say_so(void **state) {
    px_cleanup_close int one = searcher(1), two = searcher(2);
    char pong[512];
    fixture_stop_host();
    fixture_host("");
    assert_true(port_is_free(NULL));
    fixture_change("\"discovery\": true");
    assert_true(finds_us(one));
    fixture_change("\"discovery\": true, \"allow_addresses\": [\"127.0.0.2/32\"]");
    while (recv(one, pong, sizeof(pong), MSG_DONTWAIT) > 0) /* from before the change */
        ;
    for (int i = 0; i < 3; i++) { /* in order: when two is answered, one was not */
        look_around(one);
        assert_true(finds_us(two));
    }
    assert_int_equal(recv(one, pong, sizeof(pong), MSG_DONTWAIT), -1);
    fixture_change("");
    assert_true(wait_for(port_is_free, NULL, 10 * SECOND));
}

static int start(void **state) {
    fixture_x(false);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_26_permissions_that_change_are_told_and_kept),
        cmocka_unit_test(sessions_that_are_forbidden_end_and_others_stay),
        cmocka_unit_test(addresses_that_are_not_allowed_any_more_go),
        cmocka_unit_test(second_factor_comes_and_goes),
        cmocka_unit_test(wrong_configuration_changes_nothing),
        cmocka_unit_test(what_needs_a_new_start_gets_one),
        cmocka_unit_test(only_the_addresses_named_are_listened_on),
        cmocka_unit_test(two_addresses_are_two_sockets),
        cmocka_unit_test(ipv6_does_not_open_ipv4),
        cmocka_unit_test(who_looks_around_is_answered_only_if_we_say_so),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
