/* src/image/warm.c - the image's pages are read before a desktop reads them */
#include "image/warm.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PAGE 4096
#define LIST_MAX_BYTES (16 * 1024 * 1024)
#define MERGE_PAGES 8            /* a gap that small is read as well */
#define SAMPLES 32               /* of the list's lines, to tell whether the cache is cold */
#define READERS 4                /* inodes are read one by one: some at once */
#define CHUNK_BYTES (128 * 1024) /* readahead(2) takes no more at once on some devices */
#define DEPTH_MAX 64

struct entry { /* points into the text */
    unsigned layer;
    size_t first, count; /* pages */
    const char *path;    /* below the layer's tree */
};

struct list {
    char *text;
    struct entry *items;
    size_t n, cap;
    int *layer_fds;
    size_t n_layers;
};

static void list_fini(struct list *l) {
    for (size_t i = 0; i < l->n_layers; i++)
        px_closep(&l->layer_fds[i]);
    free(l->layer_fds);
    free(l->items);
    free(l->text);
}

static char *list_path(const char *state_dir, const struct px_image *image) {
    return px_asprintf("%s/images/warm/sha256-%s", state_dir, image->digest + strlen("sha256:"));
}

static int open_layers(const struct px_image *image, struct list *ret, struct px_error *err) {
    ret->layer_fds = px_new0(int, image->n_layers);
    for (size_t i = 0; i < image->n_layers; i++) {
        int fd = px_dir_open(AT_FDCWD, image->layers[i], err);
        if (fd < 0)
            return fd;
        ret->layer_fds[ret->n_layers++] = fd;
    }
    return 0;
}

/* Root wrote it into a folder of root's; a line that makes no sense is passed over. */
static void parse(struct list *l) {
    char *save = NULL;
    for (char *line = strtok_r(l->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct entry e = {0};
        int at = 0;
        if (sscanf(line, "%u %zu %zu %n", &e.layer, &e.first, &e.count, &at) != 3 || at == 0 ||
            e.layer >= l->n_layers || line[at] == '\0' || line[at] == '/')
            continue;
        e.path = line + at;
        px_grow(l->items, &l->cap, l->n + 1);
        l->items[l->n++] = e;
    }
}

static int load(const char *state_dir, const struct px_image *image, struct list *ret) {
    px_cleanup_free char *path = list_path(state_dir, image);
    int r = px_file_read(AT_FDCWD, path, LIST_MAX_BYTES, &ret->text, NULL, NULL);
    if (r == 0)
        r = open_layers(image, ret, NULL);
    if (r == 0)
        parse(ret);
    return r;
}

static int open_file(int dir_fd, const char *name) {
    return openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOATIME | O_NONBLOCK);
}

/* Which pages of the file are in the cache, a byte for each; the caller's. NULL: none to speak of.
 */
static unsigned char *resident(int fd, size_t size) {
    const size_t n = (size + PAGE - 1) / PAGE;
    void *map = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map == MAP_FAILED)
        return NULL;
    unsigned char *pages = px_new0(unsigned char, n);
    if (mincore(map, size, pages) < 0) {
        free(pages);
        pages = NULL;
    }
    munmap(map, size);
    return pages;
}

static bool is_cold(const struct list *l) {
    const size_t step = l->n / SAMPLES + 1;
    size_t n = 0, n_cold = 0;
    for (size_t i = 0; i < l->n; i += step) {
        const struct entry *e = &l->items[i];
        px_cleanup_close int fd = open_file(l->layer_fds[e->layer], e->path);
        unsigned char page = 0;
        void *map = fd < 0 ? MAP_FAILED
                           : mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)(e->first * PAGE));
        if (map == MAP_FAILED)
            continue;
        n++;
        n_cold += mincore(map, PAGE, &page) == 0 && !(page & 1);
        munmap(map, PAGE);
    }
    return n_cold * 4 > n;
}

/* The root of the memory hierarchy, v1 or v2, has no limit, and lives on. */
static void enter_root_cgroup(void) {
    static const char *const files[] = {"/sys/fs/cgroup/memory/cgroup.procs",
                                        "/sys/fs/cgroup/cgroup.procs"};
    for (size_t i = 0; i < PX_N_ELEMENTS(files); i++) {
        px_cleanup_close int fd = open(files[i], O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, "0", 1) == 1)
            return;
    }
}

static _Noreturn void reader(const struct list *l, size_t from) {
    enter_root_cgroup();
    for (size_t i = from; i < l->n; i += READERS) {
        const struct entry *e = &l->items[i];
        px_cleanup_close int fd = open_file(l->layer_fds[e->layer], e->path);
        const uint64_t end = (e->first + e->count) * PAGE;
        for (uint64_t at = e->first * PAGE; fd >= 0 && at < end; at += CHUNK_BYTES)
            readahead(fd, (off_t)at, end - at < CHUNK_BYTES ? end - at : CHUNK_BYTES);
    }
    _exit(0);
}

bool px_warm_read(const char *state_dir, const struct px_image *image) {
    px_cleanup(list_fini) struct list l = {0};
    if (load(state_dir, image, &l) < 0)
        return false;
    /* Of several starts at once one reads, and the others find that it has. */
    px_cleanup_free char *path = list_path(state_dir, image);
    px_cleanup_close int lock = open(path, O_RDONLY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0 || !is_cold(&l))
        return false;
    pid_t pids[READERS];
    for (size_t i = 0; i < READERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            reader(&l, i);
    }
    for (size_t i = 0; i < READERS; i++)
        while (pids[i] > 0 && waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
            ;
    return true;
}

struct survey {
    struct px_buf text;
    unsigned layer;
    uint64_t bytes;
    char path[PATH_MAX];
};

static void put_runs(struct survey *s, const unsigned char *pages, size_t n) {
    size_t first = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(pages[i] & 1))
            continue;
        s->bytes += PAGE;
        if (count > 0 && i - (first + count) > MERGE_PAGES) {
            px_buf_printf(&s->text, "%u %zu %zu %s\n", s->layer, first, count, s->path);
            count = 0;
        }
        if (count == 0)
            first = i;
        count = i - first + 1;
    }
    if (count > 0)
        px_buf_printf(&s->text, "%u %zu %zu %s\n", s->layer, first, count, s->path);
}

static void look_at_file(struct survey *s, int dir_fd, const char *name) {
    struct stat st;
    px_cleanup_close int fd = open_file(dir_fd, name);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    px_cleanup_free unsigned char *pages = resident(fd, (size_t)st.st_size);
    if (pages)
        put_runs(s, pages, ((size_t)st.st_size + PAGE - 1) / PAGE);
}

/* Takes @dir_fd, whose path below the tree is s->path up to @at. */
static void walk(struct survey *s, int dir_fd, size_t at, int depth) {
    px_cleanup_closedir DIR *dir = fdopendir(dir_fd);
    const struct dirent *d;
    if (!dir) {
        close(dir_fd);
        return;
    }
    while (depth < DEPTH_MAX && (d = readdir(dir))) {
        const size_t n = strlen(d->d_name);
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
            strchr(d->d_name, '\n') || at + n + 2 > sizeof(s->path))
            continue;
        memcpy(s->path + at, d->d_name, n + 1);
        if (d->d_type == DT_REG)
            look_at_file(s, dirfd(dir), d->d_name);
        else if (d->d_type == DT_DIR) {
            int sub =
                openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            strcpy(s->path + at + n, "/");
            if (sub >= 0)
                walk(s, sub, at + n + 1, depth + 1);
        }
    }
}

int px_warm_write(const char *state_dir, const struct px_image *image, uint64_t *ret_bytes,
                  struct px_error *err) {
    px_cleanup_free char *path = list_path(state_dir, image);
    px_cleanup_free char *dir = px_asprintf("%s/images/warm", state_dir);
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    struct survey s = {.layer = 0};
    for (; s.layer < image->n_layers; s.layer++) {
        int fd = px_dir_open(AT_FDCWD, image->layers[s.layer], err);
        if (fd < 0) {
            px_buf_fini(&s.text);
            return fd;
        }
        walk(&s, fd, 0, 0);
    }
    text = s.text;
    *ret_bytes = s.bytes;
    if (s.bytes > image->size_bytes / 3 || s.bytes < image->size_bytes / 200 ||
        text.size > LIST_MAX_BYTES)
        return 0;
    /* That folder only: the store may have gone meanwhile. */
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return px_fail_sys(err, -errno, "cannot make '%s'", dir);
    return px_file_replace(AT_FDCWD, path, px_buf_str(&text), text.size, 0600, err);
}

/* In a process that nobody waits for. It must hold nothing of its parent's: locks, above all. */
static _Noreturn void stay_behind(const char *state_dir, const struct px_image *image,
                                  int delay_ms) {
    setsid();
    prctl(PR_SET_NAME, "phoenix-warm");
    if (chdir("/") < 0)
        _exit(1);
    close_range(0, ~0U, 0);
    for (int i = 0; i < 3; i++)
        if (open("/dev/null", O_RDWR) < 0)
            _exit(1);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    setpriority(PRIO_PROCESS, 0, 19);
    px_sleep_us((int64_t)delay_ms * PX_US_PER_MS);
    uint64_t bytes = 0;
    px_warm_write(state_dir, image, &bytes, NULL);
    _exit(0);
}

void px_warm_note(const char *state_dir, const char *run_dir, const struct px_image *image,
                  int delay_ms) {
    px_cleanup_free char *list = list_path(state_dir, image);
    px_cleanup_free char *mark = px_asprintf("%s/warm-%.16s", run_dir, image->digest + 7);
    if (px_exists(AT_FDCWD, list))
        return;
    px_cleanup_close int fd = open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    const pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0)
            stay_behind(state_dir, image, delay_ms);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
