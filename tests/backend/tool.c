/* tests/backend/tool.c - the backend's operations from a shell, for tests/backend.sh
 *
 *     tool [--KEY VALUE]... OPERATION [ARGUMENT]...
 *
 * KEYs: dir, run, name, first, layer (repeatable, lowest first), cores, memory, pids, disk, shm,
 * mount (SRC:DST[:ro][:idmap], repeatable), device (PATH), user, cwd, timeout (ms), fuse, nesting,
 * tty, prepare (NAME=TEXT: written below /etc by the prepare callback). Exit status: of the command
 * for exec; else 0, or 1 with the error on stderr. */
#include "backend/backend.h"
#include "backend/root.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MANY 16

struct tool {
    struct px_container c;
    const char *layers[MANY];
    struct px_backend_mount mounts[MANY];
    struct px_backend_device devices[MANY];
    struct px_backend_exec exec;
    const char *prepare;
    int timeout_ms;
};

static int write_prepared(void *data, int root_fd, int home_fd, struct px_error *err) {
    const struct tool *t = data;
    const struct px_container *c = &t->c;
    char path[256];
    const char *eq = strchr(t->prepare, '=');
    snprintf(path, sizeof(path), "/etc/%.*s", (int)(eq - t->prepare), t->prepare);
    return px_root_write(root_fd, path, eq + 1, strlen(eq + 1), 0644, c->id_first, c->id_first,
                         err);
}

static int print_file(void *data, int root_fd, int home_fd, struct px_error *err) {
    char *text = NULL;
    int r = px_root_read(root_fd, data, 65536, &text, NULL, err);
    if (r == 0) {
        fputs(text, stdout);
        fflush(stdout);
    }
    free(text);
    return r;
}

/* What only its owner would do: a symlink in the place of a directory. */
static int lay_symlink(void *data, int root_fd, int home_fd, struct px_error *err) {
    char **argv = data;
    px_cleanup_close int fd = px_open_in_root(root_fd, argv[1], O_PATH | O_NOFOLLOW, 0, NULL);
    if (fd >= 0)
        return px_fail(err, -EEXIST, "'%s' is there", argv[1]);
    return symlinkat(argv[0], root_fd, argv[1] + 1) < 0 ? px_fail_sys(err, -errno, "symlink") : 0;
}

static void add_mount(struct tool *t, char *text) {
    struct px_backend_mount *m = &t->mounts[t->c.n_mounts++];
    m->source = strtok(text, ":");
    m->target = strtok(NULL, ":");
    for (const char *word; (word = strtok(NULL, ":"));) {
        m->read_only |= strcmp(word, "ro") == 0;
        m->idmap |= strcmp(word, "idmap") == 0;
    }
}

static void add_device(struct tool *t, const char *path) {
    struct stat st;
    if (stat(path, &st) < 0)
        exit(2);
    t->devices[t->c.n_devices++] = (struct px_backend_device){.path = path,
                                                              .major = major(st.st_rdev),
                                                              .minor = minor(st.st_rdev),
                                                              .block = S_ISBLK(st.st_mode)};
}

static uint64_t size_of(const char *text) {
    uint64_t n = 0;
    if (px_size_parse(text, &n, NULL) < 0)
        exit(2);
    return n;
}

static void set_option(struct tool *t, const char *key, char *value) {
    struct px_container *c = &t->c;
    if (strcmp(key, "dir") == 0)
        c->dir = value;
    else if (strcmp(key, "run") == 0)
        c->run_dir = value;
    else if (strcmp(key, "name") == 0)
        c->name = c->hostname = value;
    else if (strcmp(key, "first") == 0)
        c->id_first = (uint32_t)size_of(value);
    else if (strcmp(key, "layer") == 0)
        t->layers[c->n_layers++] = value;
    else if (strcmp(key, "cores") == 0)
        c->cores = (unsigned)size_of(value);
    else if (strcmp(key, "memory") == 0)
        c->memory_bytes = size_of(value);
    else if (strcmp(key, "pids") == 0)
        c->pids = (unsigned)size_of(value);
    else if (strcmp(key, "disk") == 0)
        c->disk_bytes = size_of(value);
    else if (strcmp(key, "shm") == 0)
        c->shm_bytes = size_of(value);
    else if (strcmp(key, "mount") == 0)
        add_mount(t, value);
    else if (strcmp(key, "device") == 0)
        add_device(t, value);
    else if (strcmp(key, "user") == 0)
        t->exec.user = value;
    else if (strcmp(key, "cwd") == 0)
        t->exec.cwd = value;
    else if (strcmp(key, "timeout") == 0)
        t->timeout_ms = atoi(value);
    else if (strcmp(key, "fuse") == 0)
        c->fuse = true;
    else if (strcmp(key, "nesting") == 0)
        c->nesting = true;
    else if (strcmp(key, "tty") == 0)
        t->exec.tty = true;
    else if (strcmp(key, "prepare") == 0)
        t->prepare = value;
    else if (strcmp(key, "bridge") == 0)
        c->bridge = value;
    else
        exit(2);
}

static int print_info(const struct px_backend_ops *ops, const struct px_container *c,
                      struct px_error *err) {
    static const char *const states[] = {"absent",  "stopped",  "starting",
                                         "running", "stopping", "frozen"};
    struct px_container_info info;
    int r = ops->info(c, true, &info, err);
    if (r == 0)
        printf("state=%s\ninit=%d\nmemory=%ju\ndisk=%ju\ncpu_us=%ju\npids=%u\nstarted_us=%jd\n",
               states[info.state], info.init_pid, (uintmax_t)info.memory_bytes,
               (uintmax_t)info.disk_bytes, (uintmax_t)info.cpu_us, info.pids,
               (intmax_t)info.started_us);
    return r;
}

static int run(struct tool *t, const struct px_backend_ops *ops, char **argv,
               struct px_error *err) {
    const struct px_container *c = &t->c;
    const char *op = argv[0];
    if (strcmp(op, "create") == 0)
        return ops->create(c, err);
    if (strcmp(op, "start") == 0)
        return ops->start(c, err);
    if (strcmp(op, "wait") == 0)
        return ops->wait_ready(c, (t->timeout_ms ? t->timeout_ms : 60000) * PX_US_PER_MS, err);
    if (strcmp(op, "stop") == 0)
        return ops->stop(c, t->timeout_ms, err);
    if (strcmp(op, "lay-symlink") == 0)
        return ops->enter(c, lay_symlink, argv + 1, err);
    if (strcmp(op, "reset") == 0)
        return ops->reset(c, err);
    if (strcmp(op, "destroy") == 0)
        return ops->destroy(c, err);
    if (strcmp(op, "info") == 0)
        return print_info(ops, c, err);
    if (strcmp(op, "cat") == 0)
        return ops->enter(c, print_file, argv[1], err);
    if (strcmp(op, "update") == 0) {
        bool restart = false;
        int r = ops->update(c, &restart, err);
        if (r == 0)
            puts(restart ? "restart" : "live");
        return r;
    }
    if (strcmp(op, "exec") == 0) {
        t->exec.argv = (const char *const *)argv + 1;
        t->exec.fd_out = 1;
        t->exec.fd_err = 2;
        t->exec.timeout_us = t->timeout_ms * PX_US_PER_MS;
        return ops->exec(c, &t->exec, err);
    }
    return px_fail(err, -EINVAL, "no operation '%s'", op);
}

int main(int argc, char **argv) {
    struct tool t = {
        .c = {.id_count = 65536, .layers = t.layers, .mounts = t.mounts, .devices = t.devices}};
    const struct px_backend_ops *ops = NULL;
    struct px_error err = {0};
    enum px_log_level level = PX_LOG_WARNING;
    if (getenv("PHOENIX_LOG") && px_log_parse_level(getenv("PHOENIX_LOG"), &level, NULL) == 0)
        px_log_set_level(level);
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2)
        set_option(&t, argv[i] + 2, argv[i + 1]);
    if (i == argc)
        return 2;
    if (t.prepare) {
        t.c.prepare = write_prepared;
        t.c.prepare_data = &t;
    }
    int64_t begin = px_now_us();
    int r = px_backend_get("lxc", &ops, &err);
    if (r == 0)
        r = run(&t, ops, argv + i, &err);
    if (getenv("PXT_TIME"))
        fprintf(stderr, "%s: %.1f ms\n", argv[i], (double)(px_now_us() - begin) / 1000);
    if (r >= 0)
        return r;
    fprintf(stderr, "tool: %s: %s%s%s (%s)\n", argv[i], err.msg, err.hint[0] ? " | hint: " : "",
            err.hint, strerrorname_np(-r));
    return 1;
}
