/* src/session/probe_services.c - clipboard, files, tunnel: a deed each */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "session/clipboard.h"
#include "session/files.h"
#include "session/probe_parts.h"
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define GET_MAX_BYTES (UINT64_C(1) << 40)
#define FILE_LIMIT_US (600 * PX_US_PER_S)

static void end_deed(struct px_probe_deed *deed, int r, const struct px_error *err) {
    deed->asked = true;
    deed->done = r >= 0;
    if (r < 0)
        snprintf(deed->trouble, sizeof(deed->trouble), "%.*s", (int)sizeof(deed->trouble) - 1,
                 err->msg);
}

/* ---- clipboard ---- */

/* Nobody but a second client can tell that a text has arrived over there: the host gives what one
 * client copies to the others. */
static int send_text(struct px_client *from, struct px_client *to, int64_t timeout_us,
                     int64_t *ret_us, struct px_error *err) {
    char text[64];
    snprintf(text, sizeof(text), "phoenix-probe %08x%08x", randombytes_random(),
             randombytes_random());
    const int64_t t0 = px_now_us();
    int r = px_client_copy(from, text, err);
    if (r >= 0)
        r = px_client_await_copy(to, text, t0 + timeout_us, err);
    *ret_us = px_now_us() - t0;
    return r == 0 ? px_fail(err, -ETIMEDOUT, "a copied text does not reach the other client") : r;
}

void px_probe_clipboard(struct px_probe *p) {
    px_cleanup(px_client_closep) struct px_client *other = NULL;
    struct px_client_login l = {0};
    struct px_error err = {0};
    int r = px_probe_dial(p, &l, &other, &err);
    if (r >= 0)
        r = send_text(p->client, other, p->opts->timeout_us, &p->result->clip_there_us, &err);
    if (r >= 0)
        r = send_text(other, p->client, p->opts->timeout_us, &p->result->clip_back_us, &err);
    end_deed(&p->result->clipboard, r, &err);
}

/* ---- files ---- */

static int same_bytes(int a, int b, uint64_t size, struct px_error *err) {
    px_cleanup_free uint8_t *x = px_calloc(1, 65536), *y = px_calloc(1, 65536);
    for (uint64_t at = 0; at < size; at += 65536) {
        const size_t n = size - at < 65536 ? (size_t)(size - at) : 65536;
        if (pread(a, x, n, (off_t)at) != (ssize_t)n || pread(b, y, n, (off_t)at) != (ssize_t)n ||
            memcmp(x, y, n) != 0)
            return px_fail(err, -EIO, "what came back differs at byte %ju", (uintmax_t)at);
    }
    return 0;
}

static int fill(int fd, uint64_t size) {
    uint8_t block[4096];
    for (uint64_t at = 0; at < size; at += sizeof(block)) {
        randombytes_buf(block, sizeof(block));
        const size_t n = size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block);
        const int r = px_fd_write_all(fd, block, n);
        if (r < 0)
            return r;
    }
    return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int there_and_back(struct px_probe *p, struct px_client *c, struct px_error *err) {
    const uint64_t size = p->opts->file_bytes;
    px_cleanup_close int out = memfd_create("phoenix-probe", MFD_CLOEXEC);
    px_cleanup_close int in = memfd_create("phoenix-probe", MFD_CLOEXEC);
    char path[64];
    uint64_t got = 0;
    snprintf(path, sizeof(path), "/tmp/phoenix-probe-%08x%08x", randombytes_random(),
             randombytes_random());
    int r = out < 0 || in < 0 ? -errno : fill(out, size);
    if (r < 0)
        return px_fail_sys(err, r, "cannot make a memory file");
    const int64_t t0 = px_now_us();
    r = px_client_put(c, path, out, size, FILE_LIMIT_US, err);
    if (r < 0)
        return px_wrap(err, r, "sending");
    p->result->put_us = px_now_us() - t0;
    r = px_client_get(c, path, in, size, FILE_LIMIT_US, &got, err);
    p->result->get_us = px_now_us() - t0 - p->result->put_us;
    if (r < 0)
        px_wrap(err, r, "fetching");
    else if (got != size)
        r = px_fail(err, -EIO, "%ju bytes came back, not %ju", (uintmax_t)got, (uintmax_t)size);
    else
        r = same_bytes(out, in, size, err);
    struct px_error why = {0};
    const int removed = px_client_remove(c, path, p->opts->timeout_us, &why);
    if (r >= 0 && removed < 0)
        r = px_fail(err, removed, "cannot remove %s: %s", path, why.msg);
    return r;
}

static int put(struct px_probe *p, struct px_client *c, struct px_error *err) {
    struct stat st;
    if (fstat(p->opts->put_fd, &st) < 0 || !S_ISREG(st.st_mode))
        return px_fail(err, -EINVAL, "what is to be sent is no file");
    p->result->put_bytes = (uint64_t)st.st_size;
    return px_client_put(c, p->opts->put_path, p->opts->put_fd, (uint64_t)st.st_size, FILE_LIMIT_US,
                         err);
}

static int get(struct px_probe *p, struct px_client *c, struct px_error *err) {
    return px_client_get(c, p->opts->get_path, p->opts->get_fd, GET_MAX_BYTES, FILE_LIMIT_US,
                         &p->result->got_bytes, err);
}

typedef int (*file_deed)(struct px_probe *p, struct px_client *c, struct px_error *err);

/* A connection each: one that failed in the middle of a file is of no more use. */
static void do_files(struct px_probe *p, file_deed work, struct px_probe_deed *deed) {
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    struct px_client_login l = {.files_dir = ""};
    struct px_error err = {0};
    int r = px_probe_dial(p, &l, &c, &err);
    if (r >= 0)
        r = work(p, c, &err);
    end_deed(deed, r, &err);
}

/* ---- tunnel ---- */

static int ask(struct px_probe *p, struct px_client *c, struct px_error *err) {
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    struct px_probe_result *result = p->result;
    char line[PX_PROBE_TEXT_MAX] = "", clean[PX_PEER_TEXT_MAX];
    const int64_t t0 = px_now_us();
    int r = px_client_send_raw(c, request, sizeof(request) - 1, err);
    if (r >= 0)
        r = px_client_recv_raw(c, t0 + p->opts->timeout_us, line, sizeof(line) - 1, err);
    if (r <= 0)
        return r < 0 ? r : px_fail(err, -ETIMEDOUT, "nothing comes back through the tunnel");
    line[r] = '\0'; /* the first segment has the first line, or enough of it */
    line[strcspn(line, "\r\n")] = '\0';
    result->tunnel_first_us = px_now_us() - t0;
    snprintf(result->tunnel_line, sizeof(result->tunnel_line), "%.*s", PX_PROBE_TEXT_MAX - 1,
             px_peer_text(line, clean));
    return 0;
}

static void do_tunnel(struct px_probe *p) {
    const struct px_probe_opts *o = p->opts;
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    struct px_client_login l = {.tunnel_host = o->tunnel_host, .tunnel_port = o->tunnel_port};
    struct px_error err = {0};
    const int64_t t0 = px_now_us();
    int r = px_probe_dial(p, &l, &c, &err);
    p->result->tunnel_open_us = px_now_us() - t0;
    if (r >= 0)
        r = ask(p, c, &err);
    end_deed(&p->result->tunnel, r, &err);
}

void px_probe_services(struct px_probe *p) {
    const struct px_probe_opts *o = p->opts;
    if (o->file_bytes > 0)
        do_files(p, there_and_back, &p->result->files);
    if (o->put_path)
        do_files(p, put, &p->result->put);
    if (o->get_path)
        do_files(p, get, &p->result->get);
    if (o->tunnel_host)
        do_tunnel(p);
}
