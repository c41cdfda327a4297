/* tests/host/test_wss.c - a host whose ID server and relay are behind a proxy that speaks TLS
 *
 * In a network namespace with nothing but lo, where phoenix-server has its usual ports. The proxy
 * is a process of this test: it takes TLS off and leads /ws/id and /ws/relay to their ports. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "desktop/cert.h"
#include "fixture.h"
#include "session/reach.h"
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static char key[64];
static uint16_t proxy_port;

/* ---- the proxy ---- */

static int dial_port(uint16_t port) {
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
        _exit(1);
    return fd;
}

static bool all_sent(int fd, const char *bytes, ssize_t n) {
    return send(fd, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static void carry(SSL *ssl, int client, int server) {
    char bytes[16384];
    for (;;) {
        struct pollfd p[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        if (SSL_pending(ssl) == 0 && poll(p, 2, -1) < 0)
            return;
        if (SSL_pending(ssl) > 0 || p[0].revents) {
            const int n = SSL_read(ssl, bytes, sizeof(bytes));
            if (n <= 0 || !all_sent(server, bytes, n))
                return;
        }
        if (p[1].revents) {
            const ssize_t n = recv(server, bytes, sizeof(bytes), 0);
            if (n <= 0 || SSL_write(ssl, bytes, (int)n) <= 0)
                return;
        }
    }
}

static void serve(SSL_CTX *ctx, int client) {
    char head[4096];
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, client);
    const int n = SSL_accept(ssl) == 1 ? SSL_read(ssl, head, sizeof(head) - 1) : 0;
    head[n > 0 ? n : 0] = '\0';
    const bool id = strncmp(head, "GET /ws/id ", 11) == 0,
               relay = strncmp(head, "GET /ws/relay ", 14) == 0;
    if ((!id && !relay) || !strstr(head, "\r\nHost: localhost:"))
        _exit(1);
    const int server = dial_port(id ? 21118 : 21119);
    if (all_sent(server, head, n))
        carry(ssl, client, server);
    _exit(0);
}

static void run_proxy(int listening) {
    char cert_path[128], key_path[128];
    snprintf(cert_path, sizeof(cert_path), "%s/ca", f.dir);
    snprintf(key_path, sizeof(key_path), "%s/ca-key", f.dir);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    signal(SIGCHLD, SIG_IGN);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1)
        _exit(1);
    for (;;) {
        const int client = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(ctx, client);
        }
        close(client);
    }
}

static void start_proxy(void) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    proxy_port = ntohs(a.sin_port);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_proxy(fd);
    }
    close(fd);
}

/* ---- the tests ---- */

static bool host_says(void *text) {
    px_cleanup_free char *log = get_file("phoenix-host.log");
    return strstr(log, text) != NULL;
}

static void start_host(const char *proxy, const char *trusted) {
    char extra[256], path[128];
    fixture_stop_host();
    snprintf(path, sizeof(path), "%s/phoenix-host.log", f.dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/%s", f.dir, trusted);
    setenv("SSL_CERT_FILE", path, 1);
    setenv("SSL_CERT_DIR", f.dir, 1); /* no other authorities */
    snprintf(extra, sizeof(extra), "\"server\": {\"address\": \"wss://%s:%u\", \"key\": \"%s\"}",
             proxy, proxy_port, key);
    fixture_host(extra);
}

static void see_a_picture(const char *server) {
    const struct px_probe_opts o = {
        .id = ID, .server = server, .server_key = key, .timeout_us = 20 * SECOND};
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_reach(&o, &c, &err), &err);
    assert_true(c->encrypted && c->relayed);
    px_assert_ok_err(px_client_login(c, &l, 10 * SECOND, &m, &err), &err);
    px_cleanup(px_message_freep) Pxs__Message *v = await_frame(c, NULL, 10 * SECOND);
    assert_non_null(v);
}

static void id_server_and_relay_are_reached_through_the_proxy(void **state) {
    start_host("localhost", "ca");
    assert_true(wait_for(host_says, (void *)"(WebSocket)", 30 * SECOND));
    see_a_picture("127.0.0.1");
    assert_true(host_says((void *)"way=relay"));
    px_cleanup_free char *log = get_file("phoenix-host.log");
    assert_null(strstr(log, "(UDP)")); /* nothing went beside it */
    assert_null(strstr(log, "(TCP)"));
}

/* The host is still there. */
static void the_probe_goes_through_it_as_well(void **state) {
    char server[64];
    snprintf(server, sizeof(server), "wss://localhost:%u", proxy_port);
    see_a_picture(server);
}

static void the_probe_leaves_a_proxy_of_another_name(void **state) {
    char server[64];
    struct px_client *c = NULL;
    struct px_error err = {0};
    snprintf(server, sizeof(server), "wss://127.0.0.2:%u", proxy_port);
    const struct px_probe_opts o = {
        .id = ID, .server = server, .server_key = key, .timeout_us = 20 * SECOND};
    assert_int_equal(px_reach(&o, &c, &err), -EPROTO);
    assert_string_equal(err.msg, "wss://127.0.0.2/ws/id: TLS: IP address mismatch");
}

static void a_proxy_that_nobody_vouches_for_is_left(void **state) {
    start_host("localhost", "other");
    assert_true(wait_for(host_says, (void *)"server: TLS: self-signed certificate", 30 * SECOND));
    assert_false(host_says((void *)"registered"));
}

static void a_proxy_of_another_name_is_left(void **state) {
    start_host("127.0.0.2", "ca");
    assert_true(wait_for(host_says, (void *)"server: TLS: IP address mismatch", 30 * SECOND));
    assert_false(host_says((void *)"registered"));
}

static bool server_is_up(void *data) {
    struct px_client *c = NULL;
    const struct px_addr to = px_addr_v4(127, 0, 0, 1, 21118);
    const bool up = px_client_connect(&to, SECOND, &c, NULL) >= 0;
    px_client_close(c);
    return up;
}

static void make_certificate(const char *name, const char *key_name) {
    px_cleanup_free char *cert = NULL, *secret = NULL;
    px_assert_ok(px_cert_make("proxy", (int64_t)time(NULL), &cert, &secret, NULL));
    put_file(name, cert);
    put_file(key_name, secret);
}

static int start(void **state) {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
        printf("1..0 # SKIP needs root and network namespaces\n");
        exit(77);
    }
    assert_int_equal(system("ip link set lo up"), 0);
    fixture_x(false);
    make_certificate("ca", "ca-key");
    make_certificate("other", "other-key");
    start_proxy();
    char data[160];
    snprintf(data, sizeof(data), "--data-dir=%s", f.dir);
    const char *const argv[] = {getenv("PHOENIX_SERVER"), data, "--threads=1", NULL};
    run(argv);
    assert_true(wait_for(server_is_up, NULL, 20 * SECOND));
    px_cleanup_free char *text = get_file("id_ed25519.pub");
    snprintf(key, sizeof(key), "%.63s", text);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_server_and_relay_are_reached_through_the_proxy),
        cmocka_unit_test(the_probe_goes_through_it_as_well),
        cmocka_unit_test(the_probe_leaves_a_proxy_of_another_name),
        cmocka_unit_test(a_proxy_that_nobody_vouches_for_is_left),
        cmocka_unit_test(a_proxy_of_another_name_is_left),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
