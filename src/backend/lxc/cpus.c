/* src/backend/lxc/cpus.c - which cores a container gets */
#include "backend/lxc/cpus.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/file.h"
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOCK_TIMEOUT_MS 5000
#define STARTING_S                                                                                 \
    60 /* a choice without a cgroup is a start under way for so long, then a leftover */

int px_cpus_parse(const char *list, bool *set, struct px_error *err) {
    memset(set, 0, PX_CPUS_MAX * sizeof(*set));
    for (const char *p = list; *p && *p != '\n';) {
        char *end;
        unsigned long from = strtoul(p, &end, 10), to = from;
        bool good = end != p && *p >= '0' && *p <= '9';
        if (good && *end == '-') {
            p = end + 1;
            to = strtoul(p, &end, 10);
            good = end != p && *p >= '0' && *p <= '9';
        }
        if (!good || from > to || to >= PX_CPUS_MAX || (*end && *end != ',' && *end != '\n'))
            return px_fail(err, -EINVAL, "'%.64s' is no list of cores", list);
        for (unsigned long i = from; i <= to; i++)
            set[i] = true;
        p = end + (*end == ',');
    }
    return 0;
}

int px_cpus_format(const bool *set, char *out, size_t size, struct px_error *err) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < PX_CPUS_MAX; i++) {
        if (!set[i])
            continue;
        size_t last = i;
        while (last + 1 < PX_CPUS_MAX && set[last + 1])
            last++;
        int n = last > i ? snprintf(out + used, size - used, "%s%zu-%zu", used ? "," : "", i, last)
                         : snprintf(out + used, size - used, "%s%zu", used ? "," : "", i);
        if (n < 0 || used + (size_t)n >= size)
            return px_fail(err, -ENOSPC, "the list of cores is too long");
        used += (size_t)n;
        i = last;
    }
    return 0;
}

struct choice { /* a core on offer, and what it is judged by */
    struct px_cpu cpu;
    unsigned core_load; /* the most loaded thread of its core */
};

static int compare(const void *a, const void *b) {
    const struct choice *x = a, *y = b;
    const unsigned keys[][2] = {{x->core_load, y->core_load},
                                {x->cpu.load, y->cpu.load},
                                {x->cpu.core, y->cpu.core},
                                {x->cpu.id, y->cpu.id}};
    for (size_t i = 0; i < PX_N_ELEMENTS(keys); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

/* Those of @node (or of all: UINT_MAX), best first. */
static size_t offer(const struct px_cpu *cpus, size_t n, unsigned node, struct choice *ret) {
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (node != UINT32_MAX && cpus[i].node != node)
            continue;
        struct choice *c = &ret[used++];
        *c = (struct choice){.cpu = cpus[i]};
        for (size_t j = 0; j < n; j++)
            if (cpus[j].core == cpus[i].core && cpus[j].load > c->core_load)
                c->core_load = cpus[j].load;
    }
    qsort(ret, used, sizeof(*ret), compare);
    return used;
}

/* The node whose best @wanted cores carry least; UINT32_MAX: none has so many. */
static unsigned best_node(const struct px_cpu *cpus, size_t n, size_t wanted, struct choice *room) {
    unsigned best = UINT32_MAX;
    uint64_t best_load = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t load = 0;
        if (offer(cpus, n, cpus[i].node, room) < wanted)
            continue;
        for (size_t j = 0; j < wanted; j++)
            load += room[j].cpu.load;
        if (load < best_load) {
            best_load = load;
            best = cpus[i].node;
        }
        while (i + 1 < n && cpus[i + 1].node == cpus[i].node) /* asked once per run of a node */
            i++;
    }
    return best;
}

void px_cpus_pick(const struct px_cpu *cpus, size_t n, size_t wanted, bool *set) {
    px_cleanup_free struct choice *room = px_new0(struct choice, n ? n : 1);
    size_t offered = offer(cpus, n, best_node(cpus, n, wanted, room), room);
    memset(set, 0, PX_CPUS_MAX * sizeof(*set));
    for (size_t i = 0; i < wanted && i < offered; i++)
        set[room[i].cpu.id] = true;
}

static unsigned read_first(unsigned id, const char *file, unsigned fallback) {
    px_cleanup_free char *path = px_asprintf("/sys/devices/system/cpu/cpu%u/%s", id, file);
    px_cleanup_free char *text = NULL;
    return px_file_read(AT_FDCWD, path, 65536, &text, NULL, NULL) == 0
               ? (unsigned)strtoul(text, NULL, 10)
               : fallback;
}

static unsigned node_of(unsigned id) {
    px_cleanup_free char *path = px_asprintf("/sys/devices/system/cpu/cpu%u", id);
    px_cleanup_closedir DIR *dir = opendir(path);
    const struct dirent *e;
    while (dir && (e = readdir(dir)))
        if (strncmp(e->d_name, "node", 4) == 0)
            return (unsigned)strtoul(e->d_name + 4, NULL, 10);
    return 0;
}

/* What the kernel lets containers have at all. */
static int read_online(const struct px_cg_layout *cgroups, bool *set, struct px_error *err) {
    char text[4096];
    px_cleanup_free char *online = NULL;
    if (px_cg_read(cgroups, PX_CG_CPUSET, "", "cpuset.cpus.effective", text, sizeof(text), NULL) ==
            0 ||
        px_cg_read(cgroups, PX_CG_CPUSET, "", "cpuset.effective_cpus", text, sizeof(text), NULL) ==
            0)
        return px_cpus_parse(text, set, err);
    int r = px_file_read(AT_FDCWD, "/sys/devices/system/cpu/online", 65536, &online, NULL, err);
    return r < 0 ? r : px_cpus_parse(online, set, err);
}

static bool is_stale(const struct px_cg_layout *cgroups, int dir_fd, const char *name) {
    struct stat st;
    char text[8];
    px_cleanup_free char *group = px_lxc_cgroup(name);
    return px_cg_read(cgroups, PX_CG_CPUSET, group, "cpuset.cpus", text, sizeof(text), NULL) ==
               -ENOENT &&
           fstatat(dir_fd, name, &st, 0) == 0 && time(NULL) - st.st_mtime > STARTING_S;
}

/* Counts what the others have. */
static void add_loads(const struct px_container *c, const struct px_cg_layout *cgroups, int dir_fd,
                      struct px_cpu *cpus, size_t n) {
    bool set[PX_CPUS_MAX];
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    px_cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    while (dir && (e = readdir(dir))) {
        px_cleanup_free char *text = NULL;
        if (e->d_name[0] == '.' || strcmp(e->d_name, c->name) == 0)
            continue;
        if (is_stale(cgroups, dir_fd, e->d_name)) {
            unlinkat(dir_fd, e->d_name, 0);
            continue;
        }
        if (px_file_read(dir_fd, e->d_name, 4096, &text, NULL, NULL) < 0 ||
            px_cpus_parse(text, set, NULL) < 0)
            continue;
        for (size_t i = 0; i < n; i++)
            cpus[i].load += set[cpus[i].id];
    }
}

static size_t count(const bool *set) {
    size_t n = 0;
    for (size_t i = 0; i < PX_CPUS_MAX; i++)
        n += set[i];
    return n;
}

/* The choice of before, where it has the right number and all of it is still there. */
static bool still_fits(const struct px_container *c, int dir_fd, const bool *online) {
    bool set[PX_CPUS_MAX];
    px_cleanup_free char *text = NULL;
    if (px_file_read(dir_fd, c->name, 4096, &text, NULL, NULL) < 0 ||
        px_cpus_parse(text, set, NULL) < 0 || count(set) != c->cores)
        return false;
    for (size_t i = 0; i < PX_CPUS_MAX; i++)
        if (set[i] && !online[i])
            return false;
    return true;
}

static void pick(const struct px_container *c, const struct px_cg_layout *cgroups, int dir_fd,
                 const bool *online, bool *set) {
    px_cleanup_free struct px_cpu *cpus = px_new0(struct px_cpu, PX_CPUS_MAX);
    size_t n = 0;
    for (unsigned i = 0; i < PX_CPUS_MAX; i++)
        if (online[i])
            cpus[n++] = (struct px_cpu){.id = i,
                                        .core = read_first(i, "topology/thread_siblings_list", i),
                                        .node = node_of(i)};
    add_loads(c, cgroups, dir_fd, cpus, n);
    px_cpus_pick(cpus, n, c->cores, set);
}

int px_cpus_choose(const struct px_container *c, const struct px_cg_layout *cgroups, bool keep,
                   char out[PX_CPUS_TEXT_MAX], struct px_error *err) {
    bool online[PX_CPUS_MAX], set[PX_CPUS_MAX];
    px_cleanup_free char *dir = px_asprintf("%s/cpus", c->run_dir);
    px_cleanup_free char *lock_path = px_asprintf("%s/cpus.lock", c->run_dir);
    int r = read_online(cgroups, online, err);
    if (r < 0)
        return r;
    out[0] = '\0';
    if (c->cores == 0 || c->cores >= count(online) || !px_cg_has(cgroups, PX_CG_CPUSET)) {
        px_cpus_release(c);
        return 0;
    }
    if ((r = px_mkdir_p(AT_FDCWD, dir, 0700, err)) < 0)
        return r;
    px_cleanup_close int lock = px_lock(AT_FDCWD, lock_path, LOCK_TIMEOUT_MS, err);
    px_cleanup_close int dir_fd = lock < 0 ? lock : px_dir_open(AT_FDCWD, dir, err);
    if (dir_fd < 0)
        return dir_fd;
    px_cleanup_free char *text = NULL;
    if (keep && still_fits(c, dir_fd, online) &&
        px_file_read(dir_fd, c->name, PX_CPUS_TEXT_MAX - 1, &text, NULL, NULL) == 0) {
        strcpy(out, text);
        return 0;
    }
    pick(c, cgroups, dir_fd, online, set);
    if ((r = px_cpus_format(set, out, PX_CPUS_TEXT_MAX, err)) < 0)
        return r;
    return px_file_write_atomic(dir_fd, c->name, out, strlen(out), 0600, err);
}

void px_cpus_release(const struct px_container *c) {
    px_cleanup_free char *path = px_asprintf("%s/cpus/%s", c->run_dir, c->name);
    (void)unlink(path);
}
