/* src/backend/lxc/exec.c - running a command inside: who, where, with what; the helper does it */
#include "backend/lxc/exec.h"
#include "backend/lxc/account.h"
#include "backend/lxc/helper.h"
#include "backend/lxc/lxc.h"
#include "backend/lxc/monitor.h"
#include "backend/lxc/paths.h"
#include "backend/root.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define TTY_GID 5 /* of Debian's group tty, liblxc's choice for devpts as well */

static int find_account(const struct px_container *c, const char *user, struct px_account *ret,
                        struct px_error *err) {
    px_cleanup_free char *passwd = NULL, *group = NULL;
    size_t passwd_size = 0, group_size = 0;
    px_cleanup_close int root = px_lxc_root(c, err);
    if (root < 0)
        return root;
    if (!user) {
        *ret = (struct px_account){.name = "root", .home = "/root", .shell = "/bin/sh"};
        return 0;
    }
    int r =
        px_root_read(root, "/etc/passwd", PX_ACCOUNT_FILE_MAX_BYTES, &passwd, &passwd_size, err);
    if (r < 0)
        return r;
    if (px_root_read(root, "/etc/group", PX_ACCOUNT_FILE_MAX_BYTES, &group, &group_size, NULL) < 0)
        group_size = 0;
    return px_account_find(passwd, passwd_size, group, group_size, user, ret, err);
}

static void put(struct px_buf *b, const char *s) {
    px_buf_add(b, s, strlen(s) + 1);
}

static void put_number(struct px_buf *b, int64_t n) {
    char text[32];
    snprintf(text, sizeof(text), "%jd", (intmax_t)n);
    put(b, text);
}

static bool has_env(const struct px_backend_exec *what, const char *key) {
    const size_t n = strlen(key);
    for (size_t i = 0; what->env && what->env[i]; i++)
        if (strncmp(what->env[i], key, n) == 0 && what->env[i][n] == '=')
            return true;
    return false;
}

/* The environment of a login, under what was asked for. Returns how many. */
static size_t put_env(struct px_buf *b, const struct px_backend_exec *what,
                      const struct px_account *a) {
    const char *term = what->tty ? getenv("TERM") : NULL;
    const char *const defaults[][2] = {
        {"PATH", a->uid == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                             : "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"},
        {"HOME", a->home},
        {"USER", a->name},
        {"LOGNAME", a->name},
        {"SHELL", a->shell},
        {"LANG", "C.UTF-8"},
        {"TERM", term},
    };
    size_t n = 0;
    for (size_t i = 0; i < PX_N_ELEMENTS(defaults); i++) {
        if (!defaults[i][1] || has_env(what, defaults[i][0]))
            continue;
        px_cleanup_free char *line = px_asprintf("%s=%s", defaults[i][0], defaults[i][1]);
        put(b, line);
        n++;
    }
    for (size_t i = 0; what->env && what->env[i]; i++, n++)
        put(b, what->env[i]);
    return n;
}

static void put_request(struct px_buf *b, const struct px_container *c,
                        const struct px_backend_exec *what, const struct px_account *a) {
    px_cleanup(px_buf_fini) struct px_buf env = {0}, groups = {0};
    for (size_t i = 0; i < a->n_groups; i++)
        px_buf_printf(&groups, "%s%u", i ? "," : "", a->groups[i]);
    put_number(b, a->uid);
    put_number(b, a->gid);
    put(b, px_buf_str(&groups));
    put(b, what->cwd ? what->cwd : a->home);
    put_number(b, what->tty);
    put_number(b, (int64_t)c->id_first + a->uid);
    put_number(b, (int64_t)c->id_first + TTY_GID);
    put_number(b, what->timeout_us);
    size_t n = put_env(&env, what, a);
    put_number(b, (int64_t)n);
    px_buf_add(b, env.data, env.size);
    for (size_t i = 0; what->argv[i]; i++)
        put(b, what->argv[i]);
}

static int request_fd(const struct px_buf *b, struct px_error *err) {
    px_cleanup_close int fd = memfd_create("phoenix-exec", MFD_CLOEXEC);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot make a memory file");
    int r = px_fd_write_all(fd, b->data, b->size);
    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return px_fail_sys(err, r < 0 ? r : -errno, "cannot write a memory file");
    return px_take_fd(&fd);
}

/* In the child: @fds on 0.. in this order, nothing else. They are all above the numbers they go to.
 */
static void become_helper(const char *helper, char *const argv[], const int *fds, size_t n) {
    static char *const env[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    for (size_t i = 0; i < n; i++)
        if (dup2(fds[i], (int)i) < 0)
            _exit(2);
    execve(helper, argv, env);
    _exit(2);
}

static int run_helper(const struct px_container *c, const struct px_backend_exec *what,
                      const char *helper, int request, int status, pid_t *ret,
                      struct px_error *err) {
    px_cleanup_free char *lxc_path = px_lxc_containers_path(c);
    px_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char *const argv[] = {(char *)"phoenix-lxc", (char *)"exec", lxc_path, (char *)c->name, NULL};
    const int wanted[] = {what->fd_in, what->fd_out, what->fd_err, status, request};
    int fds[PX_N_ELEMENTS(wanted)], r = 0;
    size_t n = 0;
    for (; n < PX_N_ELEMENTS(wanted) && r == 0; n++) {
        fds[n] = fcntl(wanted[n] < 0 ? null : wanted[n], F_DUPFD_CLOEXEC, 16);
        if (fds[n] < 0)
            r = px_fail_sys(err, -errno, "cannot duplicate a descriptor");
    }
    pid_t pid = r == 0 ? fork() : -1;
    if (pid == 0)
        become_helper(helper, argv, fds, n);
    if (r == 0 && pid < 0)
        r = px_fail_sys(err, -errno, "cannot fork");
    while (n-- > 0)
        if (fds[n] >= 0)
            close(fds[n]);
    *ret = pid;
    return r;
}

int px_lxc_exec(const struct px_container *c, const struct px_backend_exec *what,
                struct px_error *err) {
    struct px_account account;
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_cleanup_free char *helper = NULL;
    int pipe_fds[2];
    int r = find_account(c, what->user, &account, err);
    if (r < 0 || (r = px_helper_find(&helper, err)) < 0)
        return r;
    put_request(&b, c, what, &account);
    px_cleanup_close int request = request_fd(&b, err);
    if (request < 0)
        return request;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "cannot make a pipe");
    px_cleanup_close int in = pipe_fds[0], out = pipe_fds[1];
    pid_t pid;
    r = run_helper(c, what, helper, request, out, &pid, err);
    if (r < 0)
        return r;
    close(px_take_fd(&out));
    struct px_helper_status status;
    r = px_helper_status_read(in, &status, err);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return r < 0 ? r : status.value;
}
