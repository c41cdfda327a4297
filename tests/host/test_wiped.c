/* tests/host/test_wiped.c - secrets are not found in the host's memory once they have done their
 * work
 *
 * The host runs in this process, its clients in another. All writable memory is searched. What is
 * searched for is kept blurred, so that the search does not find itself. */
#include "base/clock.h"
#include "base/file.h"
#include "inside.h"
#include "session/client.h"
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLUR 0x5a
#define NEEDLE_MAX 64
#define PIECE (1 << 16)

struct needle {
    uint8_t blurred[NEEDLE_MAX];
    size_t size;
};

static struct needle blur(const void *secret, size_t size) {
    struct needle n = {.size = size};
    for (size_t i = 0; i < size; i++)
        n.blurred[i] = ((const uint8_t *)secret)[i] ^ BLUR;
    return n;
}

static bool is_here(const struct needle *n, const uint8_t *at) {
    for (size_t i = 0; i < n->size; i++)
        if ((at[i] ^ BLUR) != n->blurred[i])
            return false;
    return true;
}

static unsigned search_range(int mem, const struct needle *n, uintptr_t from, uintptr_t to) {
    static uint8_t piece[PIECE + NEEDLE_MAX];
    unsigned found = 0;
    for (; from < to; from += PIECE) {
        const size_t want = to - from < sizeof(piece) ? to - from : sizeof(piece);
        const ssize_t got = pread(mem, piece, want, (off_t)from);
        for (ssize_t i = 0; i < PIECE && i + (ssize_t)n->size <= got; i++)
            found += is_here(n, piece + i);
    }
    sodium_memzero(piece, sizeof(piece));
    return found;
}

/* How often the writable memory of this process holds it. */
static unsigned search(const struct needle *n) {
    char line[512];
    unsigned found = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    px_cleanup_close int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_true(maps && mem >= 0);
    while (fgets(line, sizeof(line), maps)) {
        uintptr_t from = 0, to = 0;
        char mode[5];
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, mode) == 3 &&
            mode[0] == 'r' && mode[1] == 'w')
            found += search_range(mem, n, from, to);
    }
    fclose(maps);
    return found;
}

/* ---- a client, in a process of its own ---- */

static uint8_t host_pk[PX_SIGN_PK_BYTES];

/* Logs in over @fd, tells the blurred key of the session over @out, stays until told by @out. */
static void be_client(int fd, int out, const char *password) {
    struct px_client *c = px_client_adopt(fd);
    char code[7] = "", byte;
    px_totp((const uint8_t *)"12345678901234567890", 20, (int64_t)time(NULL), code);
    const struct px_client_login l = {.username = ID, .password = password, .code = code};
    Pxs__Message *m = NULL, *v = NULL;
    struct px_error err = {0};
    int r = px_client_handshake(c, host_pk, ID, 10 * SECOND, &err);
    if (r >= 0)
        r = px_client_login(c, &l, 10 * SECOND, &m, &err);
    if (r >= 0 && !(v = await_frame(c, NULL, 10 * SECOND)))
        r = -ETIMEDOUT;
    if (r < 0) {
        fprintf(stderr, "client: %s\n", err.msg);
        _exit(1);
    }
    const struct needle n = blur(c->secure.key, sizeof(c->secure.key));
    if (write(out, &n, sizeof(n)) != (ssize_t)sizeof(n) || read(out, &byte, 1) != 1)
        _exit(1);
    px_client_close(c);
    _exit(0);
}

struct visitor {
    pid_t pid;
    int fd;
    struct needle key;
};

static struct visitor visit(const char *password) {
    int line[2], talk[2];
    struct visitor v = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
    v.pid = fork();
    if (v.pid == 0) {
        close(line[0]);
        close(talk[0]);
        be_client(line[1], talk[1], password);
    }
    close(line[1]);
    close(talk[1]);
    inside_adopt(line[0]);
    v.fd = talk[0];
    assert_int_equal(read(v.fd, &v.key, sizeof(v.key)), sizeof(v.key));
    return v;
}

static void leave(struct visitor *v) {
    int status = -1;
    assert_int_equal(write(v->fd, "x", 1), 1);
    assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
    assert_int_equal(status, 0);
    close(v->fd);
}

static bool is_gone(void *needle) {
    return search(needle) == 0;
}

#define ONE_TIME "abcdefghijklm"
#define SECRET_HEX "3132333435363738393031323334353637383930"

/* Blurred by hand: this process never has them in the clear but where the host puts them. */
static struct needle of_identity, of_identity_text, of_h1, of_password, of_one_time, of_totp,
    of_totp_text;

/* In a process of its own, whose memory is not searched. */
static void make_needles(void) {
    int out[2];
    assert_int_equal(pipe(out), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        struct px_host_config c;
        struct needle all[7];
        char path[128];
        snprintf(path, sizeof(path), "%s/host.json", f.dir);
        if (px_host_config_load(path, &c, NULL) < 0)
            _exit(1);
        static const char text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3Rjn";
        all[0] = blur(c.identity, sizeof(c.identity));
        all[1] = blur(text, sizeof(text) - 1);
        all[2] = blur(c.password_h1, sizeof(c.password_h1));
        all[3] = blur(PASSWORD, strlen(PASSWORD));
        all[4] = blur(ONE_TIME, strlen(ONE_TIME));
        all[5] = blur(c.totp, c.totp_size);
        all[6] = blur(SECRET_HEX, strlen(SECRET_HEX));
        _exit(write(out[1], all, sizeof(all)) == (ssize_t)sizeof(all) &&
                      write(out[1], c.identity_pk, sizeof(c.identity_pk)) ==
                          (ssize_t)sizeof(c.identity_pk)
                  ? 0
                  : 1);
    }
    struct needle all[7];
    assert_int_equal(read(out[0], all, sizeof(all)), sizeof(all));
    assert_int_equal(read(out[0], host_pk, sizeof(host_pk)), sizeof(host_pk));
    waitpid(pid, NULL, 0);
    close(out[0]);
    close(out[1]);
    of_identity = all[0];
    of_identity_text = all[1];
    of_h1 = all[2];
    of_password = all[3];
    of_one_time = all[4];
    of_totp = all[5];
    of_totp_text = all[6];
}

static void secrets_are_gone_when_they_have_done_their_work(void **state) {
    struct visitor v = visit(PASSWORD);
    /* what the host still needs is there: this way of looking sees something */
    assert_true(search(&of_h1) > 0);
    assert_true(search(&of_totp) > 0);
    assert_true(search(&of_identity) > 0);
    assert_true(search(&v.key) > 0);
    /* what it has read and taken in is not */
    assert_int_equal(search(&of_password), 0);
    assert_int_equal(search(&of_totp_text), 0);
    assert_int_equal(search(&of_identity_text), 0);
    leave(&v);
    assert_true(wait_for(is_gone, &v.key, 10 * SECOND));
    struct visitor w = visit(ONE_TIME);
    assert_int_equal(search(&of_one_time), 0);
    leave(&w);
    assert_true(wait_for(is_gone, &w.key, 10 * SECOND));
    inside_stop();
    assert_int_equal(search(&of_h1), 0);
    assert_int_equal(search(&of_totp), 0);
    assert_int_equal(search(&of_identity), 0);
}

static int start(void **state) {
    char line[64], extra[256];
    fixture_x(false);
    fixture_files();
    snprintf(line, sizeof(line), ONE_TIME " %lld\n", (long long)time(NULL) + 3600);
    put_file("one-time", line);
    sodium_memzero(line, sizeof(line));
    put_file("totp", SECRET_HEX "\n");
    snprintf(extra, sizeof(extra),
             "\"one_time_file\": \"%s/one-time\", \"totp_secret_file\": \"%s/totp\"", f.dir, f.dir);
    fixture_config(extra);
    make_needles();
    inside_start(extra, NULL);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_gone_when_they_have_done_their_work),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
