/* src/desktop/subid.c - our span of host ids, entered where other tools look */
#include "desktop/subid.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (4 * 1024 * 1024)
#define LOCK_WAIT_US (10 * PX_US_PER_S)
#define ABOVE_NSPAWN UINT32_C(0x70000000) /* systemd.io/UIDS-GIDS: container range ends below */
#define LOWEST UINT32_C(1048576)

static const char *const file_names[] = {"subuid", "subgid"};

/* One field of "owner:first:count": digits only, within 32 bits. */
static bool parse_id(const char *text, size_t size, uint32_t *ret) {
    uint32_t v = 0;
    if (size == 0)
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint32_t)(text[i] - '0'), &v))
            return false;
    *ret = v;
    return true;
}

static bool parse_line(const char *p, size_t size, struct px_subid_line *ret) {
    const char *a = memchr(p, ':', size);
    const char *b = a ? memchr(a + 1, ':', size - (size_t)(a + 1 - p)) : NULL;
    if (!b || a == p || (size_t)(a - p) >= sizeof(ret->owner))
        return false;
    *ret = (struct px_subid_line){0};
    memcpy(ret->owner, p, (size_t)(a - p));
    return parse_id(a + 1, (size_t)(b - a - 1), &ret->ids.first) &&
           parse_id(b + 1, size - (size_t)(b + 1 - p), &ret->ids.count) && ret->ids.count > 0;
}

void px_subid_parse(const char *text, size_t size, struct px_subid_line **ret, size_t *ret_n) {
    struct px_subid_line *lines = NULL;
    size_t n = 0, cap = 0;
    for (const char *p = text, *end = text + size; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const size_t len = (size_t)((nl ? nl : end) - p);
        px_grow(lines, &cap, n + 1);
        if (parse_line(p, len, &lines[n]))
            n++;
        p += len + 1;
    }
    *ret = lines;
    *ret_n = n;
}

static bool is_ours(const struct px_subid_line *line) {
    return strcmp(line->owner, PX_SUBID_OWNER) == 0;
}

int px_subid_choose(const struct px_subid_line *lines, size_t n, uint32_t count, struct px_ids *ret,
                    struct px_error *err) {
    px_cleanup_free struct px_ids *taken = px_new0(struct px_ids, n);
    size_t n_taken = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_ours(&lines[i]))
            taken[n_taken++] = lines[i].ids;
    for (size_t i = 0; i < n; i++)
        if (is_ours(&lines[i]) && lines[i].ids.count >= count &&
            px_subid_check(lines, n, lines[i].ids, NULL) == 0) {
            *ret = (struct px_ids){lines[i].ids.first, count};
            return 0;
        }
    const struct px_ids high = {ABOVE_NSPAWN, INT32_MAX - ABOVE_NSPAWN};
    const struct px_ids low = {LOWEST, ABOVE_NSPAWN - LOWEST};
    if (px_idmap_alloc(high, taken, n_taken, count, ret, NULL) == 0 ||
        px_idmap_alloc(low, taken, n_taken, count, ret, NULL) == 0)
        return 0;
    px_fail(err, -ENOSPC, "no %u host ids in a row are free in /etc/subuid and /etc/subgid", count);
    return px_hint(err, -ENOSPC, "lower ids.count in the host file, or free a range there");
}

int px_subid_check(const struct px_subid_line *lines, size_t n, struct px_ids span,
                   struct px_error *err) {
    for (size_t i = 0; i < n; i++) {
        const struct px_subid_line *l = &lines[i];
        if (is_ours(l) || l->ids.first >= px_ids_end(span) || px_ids_end(l->ids) <= span.first)
            continue;
        px_fail(err, -EEXIST, "host ids %u:%u overlap those of '%s' (%u:%u)", span.first,
                span.count, l->owner, l->ids.first, l->ids.count);
        return px_hint(err, -EEXIST,
                       "leave ids.first out of the host file, and a free span is chosen");
    }
    return 0;
}

static int read_file(int etc_fd, const char *name, char **ret, size_t *ret_size,
                     struct px_error *err) {
    int r = px_file_read(etc_fd, name, FILE_MAX_BYTES, ret, ret_size, err);
    if (r != -ENOENT)
        return r;
    *ret = px_strdup("");
    *ret_size = 0;
    return 0;
}

int px_subid_load(const char *etc_dir, struct px_subid_line **ret, size_t *ret_n,
                  struct px_error *err) {
    px_cleanup_close int etc_fd = px_dir_open(AT_FDCWD, etc_dir, err);
    if (etc_fd < 0)
        return etc_fd;
    px_cleanup(px_buf_fini) struct px_buf both = {0};
    for (size_t i = 0; i < PX_N_ELEMENTS(file_names); i++) {
        px_cleanup_free char *text = NULL;
        size_t size = 0;
        int r = read_file(etc_fd, file_names[i], &text, &size, err);
        if (r < 0)
            return r;
        px_buf_add(&both, text, size);
        px_buf_putc(&both, '\n');
    }
    px_subid_parse(both.data, both.size, ret, ret_n);
    return 0;
}

struct shadow_lock {
    int dir_fd;
    char *name; /* NULL: not held */
};

static void shadow_unlock(struct shadow_lock *lock) {
    if (lock->name)
        unlinkat(lock->dir_fd, lock->name, 0);
    free(lock->name);
}

/* Whether the lock's holder is gone, in which case the lock is taken away. */
static bool break_stale(int dir_fd, const char *name) {
    px_cleanup_free char *text = NULL;
    if (px_file_read(dir_fd, name, 64, &text, NULL, NULL) < 0)
        return true; /* it went away meanwhile */
    const long pid = strtol(text, NULL, 10);
    if (pid > 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH))
        return false;
    unlinkat(dir_fd, name, 0);
    return true;
}

static int shadow_lock(int dir_fd, const char *file, struct shadow_lock *ret,
                       struct px_error *err) {
    px_cleanup_free char *name = px_asprintf("%s.lock", file);
    px_cleanup_free char *mine = px_asprintf("%s.%d", file, getpid());
    px_cleanup_free char *pid = px_asprintf("%d", getpid());
    int r = px_file_write_atomic(dir_fd, mine, pid, strlen(pid), 0600, err);
    if (r < 0)
        return r;
    const int64_t deadline = px_now_us() + LOCK_WAIT_US;
    while (linkat(dir_fd, mine, dir_fd, name, 0) < 0) {
        r = -errno;
        if (r == -EEXIST && break_stale(dir_fd, name))
            continue;
        if (r != -EEXIST || px_now_us() > deadline) {
            unlinkat(dir_fd, mine, 0);
            return px_fail_sys(err, r, "cannot lock '%s'", file);
        }
        px_sleep_us(50 * PX_US_PER_MS);
    }
    unlinkat(dir_fd, mine, 0);
    *ret = (struct shadow_lock){dir_fd, px_take_ptr(name)};
    return 0;
}

/* @text without our lines, and with the one that @span asks for. */
static void edit(const char *text, size_t size, struct px_ids span, struct px_buf *out) {
    for (const char *p = text, *end = text + size; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const size_t len = (size_t)((nl ? nl : end) - p);
        if (strncmp(p, PX_SUBID_OWNER ":", strlen(PX_SUBID_OWNER ":")) != 0) {
            px_buf_add(out, p, len);
            px_buf_putc(out, '\n');
        }
        p += len + 1;
    }
    if (span.count > 0)
        px_buf_printf(out, "%s:%u:%u\n", PX_SUBID_OWNER, span.first, span.count);
}

static int write_one(int etc_fd, const char *name, struct px_ids span, struct px_error *err) {
    px_cleanup(shadow_unlock) struct shadow_lock lock = {0};
    int r = shadow_lock(etc_fd, name, &lock, err);
    if (r < 0)
        return r;
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    r = read_file(etc_fd, name, &text, &size, err);
    if (r < 0)
        return r;
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    edit(text, size, span, &out);
    if (out.size == size && memcmp(px_buf_str(&out), text, size) == 0)
        return 0;
    struct stat st = {.st_mode = 0644};
    fstatat(etc_fd, name, &st, 0);
    return px_file_write_atomic(etc_fd, name, px_buf_str(&out), out.size, st.st_mode & 0777, err);
}

int px_subid_write(const char *etc_dir, struct px_ids span, struct px_error *err) {
    px_cleanup_close int etc_fd = px_dir_open(AT_FDCWD, etc_dir, err);
    if (etc_fd < 0)
        return etc_fd;
    for (size_t i = 0; i < PX_N_ELEMENTS(file_names); i++) {
        int r = write_one(etc_fd, file_names[i], span, err);
        if (r < 0)
            return px_wrap(err, r, "'%s/%s'", etc_dir, file_names[i]);
    }
    return 0;
}
