/* src/backend/lxc/cgroup.c - cgroups of both versions, by file */
#include "backend/lxc/cgroup.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_MAX_BYTES (1024 * 1024)

static const char *const controller_names[PX_CG_N] = {
    [PX_CG_CPU] = "cpu",       [PX_CG_CPUACCT] = "cpuacct", [PX_CG_CPUSET] = "cpuset",
    [PX_CG_MEMORY] = "memory", [PX_CG_PIDS] = "pids",       [PX_CG_DEVICES] = "devices",
};

/* Whether @word is one of the entries of @list, which @sep separates. */
static bool has_word(const char *list, const char *word, char sep) {
    const size_t n = strlen(word);
    for (const char *p = list; *p;) {
        const char *end = strchrnul(p, sep);
        if ((size_t)(end - p) == n && memcmp(p, word, n) == 0)
            return true;
        p = *end ? end + 1 : end;
    }
    return false;
}

/* One line: "id parent maj:min root mountpoint options [tags] - fstype source superoptions". */
static void parse_mount(char *line, struct px_cg_layout *l) {
    char *dash = strstr(line, " - ");
    char *save = NULL;
    if (!dash || l->n_mounts == PX_CG_MOUNTS_MAX)
        return;
    *dash = '\0';
    char *fields[5] = {0};
    char *at = line;
    for (size_t i = 0; i < PX_N_ELEMENTS(fields); i++, at = NULL)
        if (!(fields[i] = strtok_r(at, " ", &save)))
            return;
    const char *type = strtok_r(dash + 3, " ", &save);
    const char *source = type ? strtok_r(NULL, " ", &save) : NULL;
    const char *super = source ? strtok_r(NULL, " ", &save) : NULL;
    const char *point = fields[4];
    /* A bind mount of a part of a hierarchy (its root is not "/") is somebody's view, not the
     * host's. */
    if (!super || strcmp(fields[3], "/") != 0 || strlen(point) >= PX_CG_PATH_MAX)
        return;
    const bool v2 = strcmp(type, "cgroup2") == 0;
    if (!v2 && strcmp(type, "cgroup") != 0)
        return;
    if (v2 && l->unified >= 0)
        return;
    const int index = (int)l->n_mounts;
    strcpy(l->mounts[l->n_mounts++], point);
    if (v2) {
        l->unified = index;
        return;
    }
    for (int i = 0; i < PX_CG_N; i++)
        if (l->controller[i] < 0 && has_word(super, controller_names[i], ','))
            l->controller[i] = index;
}

void px_cg_parse(const char *mountinfo, struct px_cg_layout *ret) {
    *ret = (struct px_cg_layout){.unified = -1};
    for (int i = 0; i < PX_CG_N; i++)
        ret->controller[i] = -1;
    px_cleanup_free char *copy = px_strdup(mountinfo);
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        parse_mount(line, ret);
}

void px_cg_parse_controllers(const char *controllers, struct px_cg_layout *layout) {
    if (layout->unified < 0)
        return;
    px_cleanup_free char *list = px_strndup(controllers, strcspn(controllers, "\n"));
    for (int i = 0; i < PX_CG_N; i++)
        if (layout->controller[i] < 0 && has_word(list, controller_names[i], ' '))
            layout->controller[i] = layout->unified;
    if (layout->controller[PX_CG_CPUACCT] < 0) /* cpu.stat is always there */
        layout->controller[PX_CG_CPUACCT] = layout->unified;
    if (layout->controller[PX_CG_DEVICES] < 0)
        layout->controller[PX_CG_DEVICES] = layout->unified;
}

int px_cg_layout(struct px_cg_layout *ret, struct px_error *err) {
    px_cleanup_free char *mountinfo = NULL, *controllers = NULL;
    int r =
        px_file_read(AT_FDCWD, "/proc/self/mountinfo", 16 * TEXT_MAX_BYTES, &mountinfo, NULL, err);
    if (r < 0)
        return r;
    px_cg_parse(mountinfo, ret);
    if (ret->n_mounts == 0) {
        px_fail(err, -ENOENT, "no cgroup hierarchy is mounted");
        return px_hint(err, -ENOENT, "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
    }
    if (ret->unified < 0)
        return 0;
    px_cleanup_free char *path = px_asprintf("%s/cgroup.controllers", ret->mounts[ret->unified]);
    r = px_file_read(AT_FDCWD, path, TEXT_MAX_BYTES, &controllers, NULL, err);
    if (r < 0)
        return r;
    px_cg_parse_controllers(controllers, ret);
    return 0;
}

bool px_cg_has(const struct px_cg_layout *layout, enum px_cg_controller controller) {
    return layout->controller[controller] >= 0;
}

bool px_cg_is_v2(const struct px_cg_layout *layout, enum px_cg_controller controller) {
    return px_cg_has(layout, controller) && layout->controller[controller] == layout->unified;
}

static char *file_path(const struct px_cg_layout *l, enum px_cg_controller controller,
                       const char *cgroup, const char *file) {
    if (l->controller[controller] < 0)
        return NULL;
    return px_asprintf("%s/%s/%s", l->mounts[l->controller[controller]], cgroup, file);
}

int px_cg_read(const struct px_cg_layout *layout, enum px_cg_controller controller,
               const char *cgroup, const char *file, char *out, size_t size, struct px_error *err) {
    px_cleanup_free char *path = file_path(layout, controller, cgroup, file);
    if (!path)
        return px_fail(err, -ENOENT, "no cgroup controller '%s'", controller_names[controller]);
    px_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    if (n < 0)
        return px_fail_sys(err, -errno, "cannot read '%s'", path);
    while (n > 0 && out[n - 1] == '\n')
        n--;
    out[n] = '\0';
    return 0;
}

int px_cg_read_u64(const struct px_cg_layout *layout, enum px_cg_controller controller,
                   const char *cgroup, const char *file, uint64_t *ret, struct px_error *err) {
    char text[64];
    int r = px_cg_read(layout, controller, cgroup, file, text, sizeof(text), err);
    if (r < 0)
        return r;
    *ret = strcmp(text, "max") == 0 ? UINT64_MAX : strtoull(text, NULL, 10);
    return 0;
}

int px_cg_write(const struct px_cg_layout *layout, enum px_cg_controller controller,
                const char *cgroup, const char *file, const char *value, struct px_error *err) {
    px_cleanup_free char *path = file_path(layout, controller, cgroup, file);
    if (!path)
        return px_fail(err, -ENOENT, "no cgroup controller '%s'", controller_names[controller]);
    return px_file_put(AT_FDCWD, path, value, err);
}

uint64_t px_cg_stat_value(const char *text, const char *key) {
    const size_t n = strlen(key);
    for (const char *p = text; *p; p += strspn(p, "\n")) {
        if (strncmp(p, key, n) == 0 && p[n] == ' ')
            return strtoull(p + n + 1, NULL, 10);
        p += strcspn(p, "\n");
    }
    return 0;
}

/* liblxc's ".lxc", where attached commands run, is one as well. */
static bool is_child(const struct dirent *e) {
    return e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

/* Kills what runs in the directory @fd and below. Returns how many processes there were. */
static size_t kill_tree(int fd);

static size_t kill_procs(int fd) {
    px_cleanup_free char *pids = NULL;
    size_t n = 0;
    if (px_file_read(fd, "cgroup.procs", TEXT_MAX_BYTES, &pids, NULL, NULL) < 0)
        return 0;
    char *save = NULL;
    for (char *line = strtok_r(pids, "\n", &save); line; line = strtok_r(NULL, "\n", &save), n++) {
        pid_t pid = (pid_t)strtol(line, NULL, 10);
        if (pid > 1) /* 0: a process outside our pid namespace */
            kill(pid, SIGKILL);
    }
    return n;
}

static size_t kill_tree(int fd) {
    size_t n = kill_procs(fd);
    int dup_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    px_cleanup_closedir DIR *dir = dup_fd < 0 ? NULL : fdopendir(dup_fd);
    const struct dirent *e;
    while (dir && (e = readdir(dir))) {
        if (!is_child(e))
            continue;
        px_cleanup_close int child =
            openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            n += kill_tree(child);
    }
    return n;
}

static int open_cgroup(const struct px_cg_layout *l, size_t i, const char *cgroup) {
    px_cleanup_free char *path = px_asprintf("%s/%s", l->mounts[i], cgroup);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static size_t kill_everywhere(const struct px_cg_layout *l, const char *cgroup) {
    size_t n = 0;
    for (size_t i = 0; i < l->n_mounts; i++) {
        px_cleanup_close int fd = open_cgroup(l, i, cgroup);
        if (fd >= 0)
            n += kill_tree(fd);
    }
    return n;
}

int px_cg_kill(const struct px_cg_layout *layout, const char *cgroup, int timeout_ms,
               struct px_error *err) {
    const int64_t deadline = px_now_us() + timeout_ms * PX_US_PER_MS;
    /* Repeated, because a process may fork while the list is read; also what shows their end. */
    while (kill_everywhere(layout, cgroup) > 0) {
        if (px_now_us() >= deadline)
            return px_fail(err, -ETIMEDOUT, "processes in cgroup '%s' do not end", cgroup);
        px_sleep_us(2 * PX_US_PER_MS);
    }
    return 0;
}

/* Removes the cgroups below @fd, the deepest first. */
static void remove_children(int fd) {
    int dup_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    px_cleanup_closedir DIR *dir = dup_fd < 0 ? NULL : fdopendir(dup_fd);
    const struct dirent *e;
    while (dir && (e = readdir(dir))) {
        if (!is_child(e))
            continue;
        px_cleanup_close int child =
            openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            remove_children(child);
        unlinkat(fd, e->d_name, AT_REMOVEDIR);
    }
}

int px_cg_remove(const struct px_cg_layout *layout, const char *cgroup, struct px_error *err) {
    for (size_t i = 0; i < layout->n_mounts; i++) {
        px_cleanup_close int fd = open_cgroup(layout, i, cgroup);
        if (fd < 0)
            continue;
        remove_children(fd);
        px_cleanup_free char *path = px_asprintf("%s/%s", layout->mounts[i], cgroup);
        /* A process that has just died may still be counted for a moment. */
        for (int tries = 0; rmdir(path) < 0 && errno != ENOENT; tries++) {
            if (errno != EBUSY || tries == 100)
                return px_fail_sys(err, -errno, "cannot remove cgroup '%s'", path);
            px_sleep_us(2 * PX_US_PER_MS);
            remove_children(fd);
        }
    }
    return 0;
}
