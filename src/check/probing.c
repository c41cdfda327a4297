/* src/check/probing.c - phoenix-probe and a target for its clicks, from the host */
#include "check/probing.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/program.h"
#include "desktop/files.h"
#include "desktop/reach.h"
#include "desktop/remote.h"
#include "desktop/server.h"
#include "proto/session.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define REPORT_MAX_BYTES (64 * 1024)
#define AIM_TIMEOUT_US (10 * PX_US_PER_S)
#define AIM_LINE_MAX 64
#define PASSWORD_FD 3
#define TOTP_MAX_BYTES 64

static int find_probe(char **ret, struct px_error *err) {
    static const char *const folders[] = {".",        "../session",     "../bin",
                                          "/usr/bin", "/usr/local/bin", NULL};
    return px_program_find("phoenix-probe", folders, ret, err);
}

#define CODES_MAX 14
/* Codes of the second factor, "" where the desktop's file wants none: that of the step before,
 * which nobody types any more, and should somebody have come in with it, or a step go by meanwhile,
 * that of now. Each is good for one client. */
static int totp_codes(const struct px_desktop *d, char ret[CODES_MAX], struct px_error *err) {
    px_cleanup_free char *hex = NULL;
    uint8_t secret[TOTP_MAX_BYTES];
    size_t n = 0;
    ret[0] = '\0';
    if (!d->rec->spec.remote.totp)
        return 0;
    int r = px_file_read(d->dir_fd, PX_FILES_DIR "/host-totp", 4096, &hex, NULL, err);
    if (r < 0)
        return r;
    hex[strcspn(hex, "\r\n")] = '\0';
    if (sodium_hex2bin(secret, sizeof(secret), hex, strlen(hex), NULL, &n, NULL) != 0 || n == 0)
        r = px_fail(err, -EINVAL, "'host-totp' is damaged");
    else {
        const int64_t now = time(NULL);
        px_totp(secret, n, now - 30, ret);
        ret[6] = ' ';
        px_totp(secret, n, now, ret + 7);
    }
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(hex, strlen(hex));
    return r;
}

/* Two lines: the password, and the code or nothing. */
static int password_fd(const struct px_remote *remote, const struct px_desktop *d,
                       struct px_error *err) {
    char code[CODES_MAX];
    int r = totp_codes(d, code, err);
    if (r < 0)
        return r;
    px_cleanup_close int fd = memfd_create("phoenix-password", MFD_CLOEXEC);
    char *text = px_asprintf("%s\n%s\n", remote->password, code);
    r = fd < 0 ? -errno : px_fd_write_all(fd, text, strlen(text));
    sodium_memzero(text, strlen(text));
    free(text);
    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return px_fail_sys(err, r < 0 ? r : -errno, "cannot make a memory file");
    return px_take_fd(&fd);
}

/* In the child. dup2 also drops close-on-exec. */
static int give_password(void *data) {
    const int fd = *(const int *)data;
    if (fd == PASSWORD_FD)
        return fcntl(fd, F_SETFD, 0) < 0 ? errno : 0;
    return dup2(fd, PASSWORD_FD) < 0 ? errno : 0;
}

int px_probing_run(const struct px_fleet *fleet, const struct px_desktop *d,
                   const char *const *args, int64_t timeout_us, struct px_buf *ret,
                   struct px_buf *ret_why, struct px_error *err) {
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    px_cleanup_free char *program = NULL;
    int r = px_remote_load(fleet, d, &remote, err);
    if (r < 0 || (r = px_server_check(fleet, d->rec->spec.name, err)) < 0 ||
        (r = find_probe(&program, err)) < 0)
        return r;
    px_cleanup_close int fd = password_fd(&remote, d, err);
    if (fd < 0)
        return fd;
    px_cleanup_free char *proxy = remote.proxy ? px_asprintf("wss://%s", remote.proxy) : NULL;
    const char *server = proxy ? proxy : remote.server;
    const char *argv[PX_PROBING_ARGS_MAX] = {program,   "--server",        server,
                                             "--key",   remote.key,        "--id",
                                             remote.id, "--password-file", "fd:3"};
    size_t n = 9;
    for (; *args && n + 1 < PX_PROBING_ARGS_MAX; args++)
        argv[n++] = *args;
    if (*args)
        return px_fail(err, -E2BIG, "too many arguments for phoenix-probe");
    return px_proc_run(&(struct px_proc_opts){.argv = argv,
                                              .out = ret,
                                              .out_err = ret_why,
                                              .max_bytes = REPORT_MAX_BYTES,
                                              .timeout_us = timeout_us,
                                              .prepare = give_password,
                                              .data = &fd,
                                              .die_with_parent = true},
                       err);
}

int px_probing_stages(const struct px_fleet *fleet, const struct px_desktop *d,
                      struct px_stages *ret, struct px_error *err) {
    static const char *const argv[] = {"/bin/sh", "-c",
                                       "exec curl -s --max-time 5 --unix-socket "
                                       "/run/user/$(id -u)/phoenix-host.metrics "
                                       "http://host/metrics",
                                       NULL};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    const struct px_exec_opts opts = {.argv = argv, .timeout_us = 8 * PX_US_PER_S};
    const int r = px_desktop_collect(fleet, d, &opts, REPORT_MAX_BYTES, &out, NULL, err);
    if (r != 0)
        return r < 0 ? r : px_fail(err, -ENOTSUP, "phoenix-host tells nothing of its stages");
    px_stages_parse(px_buf_str(&out), ret);
    return 0;
}

/* ---- the target ---- */

struct ends {
    int rd, wr;
};

static void ends_fini(struct ends *e) {
    px_closep(&e->rd);
    px_closep(&e->wr);
}

static int make_ends(struct ends *ret, struct px_error *err) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "cannot make a pipe");
    *ret = (struct ends){fds[0], fds[1]};
    return 0;
}

/* In the child: waits for the target to end. */
static _Noreturn void keep(const struct px_fleet *fleet, const char *name, int in, int out) {
    static const char *const argv[] = {PX_REMOTE_TARGET "/phoenix-host", "target", NULL};
    const struct px_exec_opts opts = {.argv = argv,
                                      .session = true,
                                      .fd_in = in,
                                      .fd_out = out,
                                      .fd_err = -1,
                                      .timeout_us = 90 * PX_US_PER_S};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(px_desktop_exec(fleet, name, &opts, NULL) == 0 ? 0 : 1);
}

/* One line, with its newline. */
static int read_line(int fd, char line[AIM_LINE_MAX], struct px_error *err) {
    const int64_t until = px_now_us() + AIM_TIMEOUT_US;
    size_t used = 0;
    while (used == 0 || line[used - 1] != '\n') {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const int64_t left = until - px_now_us();
        if (left <= 0)
            return px_fail(err, -ETIMEDOUT, "the window for clicks does not appear");
        if (poll(&p, 1, (int)(left / PX_US_PER_MS) + 1) <= 0)
            continue;
        const ssize_t n = read(fd, line + used, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || ++used == AIM_LINE_MAX - 1)
            return px_fail(err, -EIO, "the window for clicks cannot be shown");
    }
    line[used] = '\0';
    return 0;
}

int px_aim_open(const struct px_fleet *fleet, const char *name, struct px_aim *ret,
                struct px_error *err) {
    px_cleanup(ends_fini) struct ends in = {-1, -1}, out = {-1, -1};
    char line[AIM_LINE_MAX] = "";
    *ret = (struct px_aim){.in = -1};
    int r = make_ends(&in, err);
    if (r < 0 || (r = make_ends(&out, err)) < 0)
        return r;
    ret->pid = fork();
    if (ret->pid < 0) {
        ret->pid = 0;
        return px_fail_sys(err, -errno, "cannot start a process");
    }
    if (ret->pid == 0) {
        close(in.wr); /* or its own copy would keep its standard input open */
        close(out.rd);
        keep(fleet, name, in.rd, out.wr);
    }
    ret->in = px_take_fd(&in.wr);
    close(px_take_fd(&out.wr));
    if ((r = read_line(out.rd, line, err)) < 0)
        return r;
    r = px_aim_parse(line, &ret->x, &ret->y);
    if (r == -EBUSY)
        return px_fail(err, r, "somebody is at work on the screen");
    return r < 0 ? px_fail(err, r, "the window for clicks says something else") : 0;
}

void px_aim_close(struct px_aim *aim) {
    if (aim->pid <= 0)
        return;
    if (aim->in >= 0)
        close(px_take_fd(&aim->in));
    const int64_t until = px_now_us() + 2 * PX_US_PER_S;
    while (waitpid(aim->pid, NULL, WNOHANG) == 0) {
        if (px_now_us() > until)
            kill(aim->pid, SIGKILL);
        px_sleep_us(5 * PX_US_PER_MS);
    }
    aim->pid = 0;
}
