/* src/backend/lxc/phoenix-lxc.c - the helper program; see helper.h
 *
 * Only phoenix runs it. It is not a command for people. */
#include "backend/lxc/attach.h"
#include "backend/lxc/helper.h"
#include "backend/lxc/ready.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define NOTIFY_FD PX_HELPER_REQUEST_FD
#define LOG_MAX_BYTES (4 * 1024 * 1024)
#define OOM_SHIELD "-900" /* the monitor, which weighs little and on which the desktop hangs */

static int report(int value, const struct px_error *err) {
    struct px_helper_status status = {.value = value, .err = *err};
    int r = px_fd_write_all(PX_HELPER_STATUS_FD, &status, sizeof(status));
    close(PX_HELPER_STATUS_FD);
    return r;
}

/* The message in a line of liblxc's log: "lxc NAME DATE LEVEL  unit - file:function:line -
 * message". */
static const char *log_message(const char *line) {
    const char *first = strstr(line, " - ");
    const char *second = first ? strstr(first + 3, " - ") : NULL;
    return second ? second + 3 : line;
}

/* liblxc returns no reasons, but logs them: its first ERROR since @offset. */
static int start_error(const char *log_path, off_t offset, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    if (px_file_read(AT_FDCWD, log_path, LOG_MAX_BYTES, &text, &size, NULL) < 0 ||
        (size_t)offset > size)
        return px_fail(err, -EIO, "liblxc cannot start it");
    char *save = NULL;
    for (char *line = strtok_r(text + offset, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        if (strstr(line, " ERROR ")) {
            px_fail(err, -EIO, "liblxc cannot start it: %s", log_message(line));
            return px_hint(err, -EIO, "see '%s'", log_path);
        }
    return px_fail(err, -EIO, "liblxc cannot start it, and does not say why");
}

/* Where the log ends now; an old, long one starts anew. */
static off_t log_begin(const char *log_path) {
    struct stat st;
    if (stat(log_path, &st) < 0)
        return 0;
    if (st.st_size < LOG_MAX_BYTES / 4)
        return st.st_size;
    return truncate(log_path, 0) == 0 ? 0 : st.st_size;
}

static int start_container(const char *lxc_path, const char *name, const char *log_path, pid_t *ret,
                           struct px_error *err) {
    struct lxc_container *c = lxc_container_new(name, lxc_path);
    if (!c)
        return px_fail(err, -EIO, "liblxc does not take its configuration");
    const off_t log_offset = log_begin(log_path);
    int r = 0;
    if (!c->lxc_conf || !c->want_daemonize(c, true) || !c->want_close_all_fds(c, true) ||
        !c->start(c, 0, NULL))
        r = start_error(log_path, log_offset, err);
    *ret = r == 0 ? c->init_pid(c) : 0;
    lxc_container_put(c);
    return r;
}

/* Without CAP_SYS_RESOURCE this is refused, and nothing is lost but the shield. */
static void set_oom_score(const char *score) {
    (void)px_file_put(AT_FDCWD, "/proc/self/oom_score_adj", score, NULL);
}

static int run_start(char **argv) {
    const char *lxc_path = argv[2], *name = argv[3], *log_path = argv[4];
    px_cleanup_free char *run_dir = px_asprintf("%s/%s", lxc_path, name);
    struct px_error err = {0};
    pid_t init = 0;
    fcntl(NOTIFY_FD, F_SETFD, FD_CLOEXEC);
    set_oom_score(OOM_SHIELD);
    int r = start_container(lxc_path, name, log_path, &init, &err);
    set_oom_score("0");
    if (r < 0)
        return report(0, &err) < 0;
    /* Taken before the report: whoever waits next finds it held. */
    int lock = px_ready_lock(run_dir, NULL);
    pid_t child = lock >= 0 && init > 0 ? fork() : -1;
    if (child != 0)
        return report((int)init, &err) < 0;
    close(PX_HELPER_STATUS_FD);
    setsid(); /* a Ctrl-C at the starter's terminal is not for us any more */
    return px_ready_hear(run_dir, NOTIFY_FD, init, NULL) < 0;
}

static int run_exec(char **argv) {
    struct px_error err = {0};
    int r = px_attach_run(argv[2], argv[3], PX_HELPER_REQUEST_FD, &err);
    return report(r < 0 ? 0 : r, &err) < 0;
}

/* Standard streams that were closed must not be taken by what we open. */
static void open_std(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv) {
    fcntl(PX_HELPER_STATUS_FD, F_SETFD, FD_CLOEXEC);
    if (argc == 5 && strcmp(argv[1], "start") == 0) {
        umask(022);
        for (int fd = 0; fd <= 2; fd++)
            close(fd);
        open_std();
        return run_start(argv);
    }
    if (argc == 4 && strcmp(argv[1], "exec") == 0)
        return run_exec(argv);
    fputs("phoenix-lxc: run by phoenix only\n", stderr);
    return 2;
}
