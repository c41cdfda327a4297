/* tests/host/test_tls.c - the tunnel to Jupyter: TLS ends in the host, the program speaks plainly
 */
#include "base/clock.h"
#include "base/file.h"
#include "desktop/cert.h"
#include "fixture.h"
#include "ports.h"
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <time.h>

static uint16_t port;
static int listening;

static struct px_client *tunnel(int *target) {
    const struct px_client_login l = {
        .username = ID, .password = PASSWORD, .tunnel_host = "jupyter", .tunnel_port = 8888};
    struct px_client *c = login(&l);
    const struct timeval limit = {.tv_sec = 10};
    *target = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(*target >= 0);
    setsockopt(*target, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return c;
}

/* A browser that trusts this certificate only. */
struct browser {
    struct px_client *c;
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
};

static void open_browser(struct browser *b, struct px_client *c) {
    char path[128];
    snprintf(path, sizeof(path), "%s/tunnel-cert", f.dir);
    b->c = c;
    b->ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_locations(b->ctx, path, NULL), 1);
    b->ssl = SSL_new(b->ctx);
    b->in = BIO_new(BIO_s_mem());
    b->out = BIO_new(BIO_s_mem());
    SSL_set_bio(b->ssl, b->in, b->out);
    SSL_set_connect_state(b->ssl);
    SSL_set_verify(b->ssl, SSL_VERIFY_PEER, NULL);
    SSL_set1_host(b->ssl, "localhost");
}

static void close_browser(struct browser *b) {
    SSL_free(b->ssl);
    SSL_CTX_free(b->ctx);
}

/* Carries bytes between OpenSSL and the tunnel; false: the tunnel ended. */
static bool carry(struct browser *b) {
    char bytes[16384];
    int n;
    while ((n = BIO_read(b->out, bytes, sizeof(bytes))) > 0)
        px_assert_ok(px_client_send_raw(b->c, bytes, (size_t)n, NULL));
    n = px_client_recv_raw(b->c, px_now_us() + SECOND / 20, bytes, sizeof(bytes), NULL);
    if (n > 0)
        BIO_write(b->in, bytes, n);
    return n >= 0;
}

static void handshake(struct browser *b) {
    const int64_t until = px_now_us() + 10 * SECOND;
    while (SSL_do_handshake(b->ssl) != 1) {
        assert_true(px_now_us() < until);
        assert_true(carry(b));
    }
}

static size_t read_reply(struct browser *b, char *to, size_t want) {
    const int64_t until = px_now_us() + 10 * SECOND;
    size_t got = 0;
    while (got < want && px_now_us() < until) {
        const int n = SSL_read(b->ssl, to + got, (int)(want - got));
        if (n > 0)
            got += (size_t)n;
        else if (!carry(b))
            break;
    }
    return got;
}

static void jupyter_is_reached_by_https(void **state) {
    int target;
    px_cleanup(px_client_closep) struct px_client *c = tunnel(&target);
    struct browser b;
    char text[64] = "";
    open_browser(&b, c);
    handshake(&b); /* with the certificate checked */
    assert_int_equal(SSL_write(b.ssl, "GET /lab HTTP/1.1\r\n", 19), 19);
    carry(&b);
    assert_int_equal(recv(target, text, 19, MSG_WAITALL), 19);
    assert_memory_equal(text, "GET /lab HTTP/1.1\r\n", 19); /* plain, as Jupyter wants it */
    const size_t size = 300000;
    px_cleanup_free char *big = malloc(size), *got = malloc(size);
    for (size_t i = 0; i < size; i++)
        big[i] = (char)(i * 2654435761u >> 9);
    assert_int_equal(send(target, big, size, 0), size);
    assert_int_equal(read_reply(&b, got, size), size);
    assert_memory_equal(got, big, size);
    close(target);
    assert_int_equal(read_reply(&b, got, 1), 0);
    assert_int_equal(SSL_get_shutdown(b.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    close_browser(&b);
}

/* What it says before the client has shaken hands is kept. */
static void a_target_that_speaks_first_is_heard(void **state) {
    int target;
    px_cleanup(px_client_closep) struct px_client *c = tunnel(&target);
    struct browser b;
    char text[64] = "";
    assert_int_equal(send(target, "hello", 5, 0), 5);
    open_browser(&b, c);
    px_sleep_us(SECOND / 5);
    handshake(&b);
    assert_int_equal(read_reply(&b, text, 5), 5);
    assert_string_equal(text, "hello");
    close(target);
    close_browser(&b);
}

static void what_is_no_tls_ends_the_tunnel_only(void **state) {
    int target;
    px_cleanup(px_client_closep) struct px_client *c = tunnel(&target);
    char text[64];
    px_assert_ok(px_client_send_raw(c, "GET / HTTP/1.1\r\n\r\n", 18, NULL));
    const int64_t until = px_now_us() + 10 * SECOND;
    while (px_client_recv_raw(c, until, text, sizeof(text), NULL) > 0)
        ;                                                     /* an alert */
    assert_int_equal(recv(target, text, sizeof(text), 0), 0); /* nothing went through */
    close(target);
    px_cleanup(px_client_closep) struct px_client *d = desktop(NULL);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(d, NULL, 5 * SECOND);
    assert_non_null(m);
}

static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", f.dir, name);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL));
}

static void is_reached(void) {
    int target;
    px_cleanup(px_client_closep) struct px_client *c = tunnel(&target);
    struct browser b;
    open_browser(&b, c); /* trusts what lies in the file now */
    handshake(&b);
    close(target);
    close_browser(&b);
}

static void a_renewed_certificate_is_taken_at_the_next_tunnel(void **state) {
    px_cleanup_free char *cert = NULL, *key = NULL;
    is_reached();
    px_assert_ok(px_cert_make("desk", (int64_t)time(NULL), &cert, &key, NULL));
    put("tunnel-key", key); /* half renewed: no pair, the former one goes on */
    is_reached();
    put("tunnel-cert", cert);
    is_reached();
}

static int start(void **state) {
    px_cleanup_free char *cert = NULL, *key = NULL;
    char extra[512];
    fixture_x(false);
    listening = ports_listen(&port);
    px_assert_ok(px_cert_make("desk", (int64_t)time(NULL), &cert, &key, NULL));
    put("tunnel-cert", cert);
    put("tunnel-key", key);
    snprintf(extra, sizeof(extra),
             "\"tls\": {\"name\": \"jupyter\", \"port\": %u, \"cert_file\": \"%s/tunnel-cert\", "
             "\"key_file\": \"%s/tunnel-key\"}",
             port, f.dir, f.dir);
    fixture_host(extra);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jupyter_is_reached_by_https),
        cmocka_unit_test(a_target_that_speaks_first_is_heard),
        cmocka_unit_test(what_is_no_tls_ends_the_tunnel_only),
        cmocka_unit_test(a_renewed_certificate_is_taken_at_the_next_tunnel),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
