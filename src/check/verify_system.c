/* src/check/verify_system.c - the container and what runs it: state, systemd, limits, walls */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "check/verify_desk.h"
#include "check/verify_parse.h"
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define STATUS_MAX_BYTES (64 * 1024)
#define DISK_FULL_BYTES (1024 * 1024) /* a session does not begin with less */
#define DISK_FULL_INODES 16
#define DISK_LOW_BYTES (256 * 1024 * 1024)

static int64_t boottime_us(void) {
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * PX_US_PER_S + ts.tv_nsec / 1000;
}

void px_verify_running(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    const struct px_container_info *i = &desk->info;
    if (!desk->d || desk->open_err.code < 0) {
        px_found_error(ret, "running", &desk->open_err);
        return;
    }
    if (i->state == PX_CONTAINER_RUNNING) {
        char memory[PX_SIZE_TEXT_MAX];
        const double up_s = (double)(boottime_us() - i->started_us) / 1e6;
        px_found_ok(ret, "running", "for %.0f s, %s, %u processes", up_s,
                    px_size_human(i->memory_bytes, memory), i->pids);
        px_findings_value(ret, up_s, "s");
        return;
    }
    px_cleanup_free char *fix = px_asprintf("phoenix start %s", desk->d->rec->spec.name);
    if (desk->d->rec->phase == PX_PHASE_READY && !desk->d->rec->want_running &&
        !desk->stopped_fails)
        px_found_skip(ret, "running", "it is %s, as it should be",
                      px_container_state_word(i->state));
    else
        px_found_fail(ret, "running", fix, "it is %s", px_container_state_word(i->state));
}

void px_verify_systemd(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    static const char *const state_argv[] = {"systemctl", "is-system-running", NULL};
    static const char *const failed_argv[] = {"systemctl",   "list-units", "--failed", "--plain",
                                              "--no-legend", "--no-pager", NULL};
    px_cleanup(px_buf_fini) struct px_buf state = {0}, failed = {0};
    struct px_error err = {0};
    char units[PX_VERIFY_TEXT_MAX], word[32];
    int r = px_desk_run(desk, &(struct px_desk_run){.argv = state_argv, .user = "root"}, &state,
                        NULL, &err);
    if (r >= 0)
        r = px_desk_run(desk, &(struct px_desk_run){.argv = failed_argv, .user = "root"}, &failed,
                        NULL, &err);
    if (r < 0) {
        px_found_error(ret, "systemd", &err);
        return;
    }
    px_verify_word(px_buf_str(&state), word, sizeof(word));
    const size_t n = px_verify_first_words(px_buf_str(&failed), units);
    px_cleanup_free char *fix =
        px_asprintf("phoenix logs %s --unit %.*s", desk->d->rec->spec.name,
                    n > 0 ? (int)strcspn(units, ",") : 4, n > 0 ? units : "UNIT");
    if (strcmp(word, "running") == 0 && n == 0)
        px_found_ok(ret, "systemd", "running, no unit has failed");
    else if (n > 0)
        px_found_fail(ret, "systemd", fix, "%s, failed: %s", word, units);
    else if (strcmp(word, "starting") == 0)
        px_found_warn(ret, "systemd", "phoenix verify again in a moment", "still starting");
    else
        px_found_fail(ret, "systemd", fix, "it is '%s'", word);
    px_findings_value(ret, (double)n, "failed units");
}

/* Below / of the desktop: what is left of its disk, or of the host's where it has no limit. */
void px_verify_disk(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    struct px_error err = {0};
    struct statvfs fs;
    char left[PX_SIZE_TEXT_MAX], all[PX_SIZE_TEXT_MAX];
    px_cleanup_close int root = px_fleet_backend(desk->fleet)->root(&desk->d->c, &err);
    if (root < 0) {
        px_found_error(ret, "disk", &err);
        return;
    }
    if (fstatvfs(root, &fs) < 0) {
        px_fail_sys(&err, -errno, "cannot look at its disk");
        px_found_error(ret, "disk", &err);
        return;
    }
    const uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    const uint64_t size = (uint64_t)fs.f_blocks * fs.f_frsize;
    const bool limited = desk->d->rec->spec.disk_bytes > 0;
    px_cleanup_free char *fix =
        limited ? px_asprintf("remove files inside, or raise disk in the desktop file")
                : px_asprintf("make room on this host: df -h %s",
                              px_fleet_host(desk->fleet)->state_dir);
    px_size_human(room, left);
    px_size_human(size, all);
    if (fs.f_files > 0 && fs.f_favail < DISK_FULL_INODES)
        px_found_fail(ret, "disk", fix, "%s disk takes no more files: %ju of %ju inodes are free",
                      limited ? "its" : "the host's", (uintmax_t)fs.f_favail,
                      (uintmax_t)fs.f_files);
    else if (room < DISK_FULL_BYTES)
        px_found_fail(ret, "disk", fix, "%s disk is full: %s of %s are free",
                      limited ? "its" : "the host's", left, all);
    else if (room < DISK_LOW_BYTES && room < size / 10)
        px_found_warn(ret, "disk", fix, "%s of %s are free", left, all);
    else
        px_found_ok(ret, "disk", "%s of %s are free", left, all);
    px_findings_value(ret, (double)room, "bytes");
}

/* One limit against the file's. @want 0: none. */
static void limit(struct px_findings *ret, const char *what, uint64_t have, uint64_t want,
                  const char *have_text, const char *want_text, unsigned *n_wrong) {
    if (have == want)
        return;
    ++*n_wrong;
    px_found_fail(ret, "limits", "phoenix restart NAME sets them anew", "%s: %s, its file says %s",
                  what, have ? have_text : "without a limit", want ? want_text : "none");
}

void px_verify_limits(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    const struct px_desktop_spec *spec = &desk->d->rec->spec;
    const struct px_container_info *i = &desk->info;
    char have[PX_SIZE_TEXT_MAX], want[PX_SIZE_TEXT_MAX], a[32], b[32];
    unsigned n_wrong = 0;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    limit(ret, "memory", i->memory_max_bytes, spec->memory_bytes / page * page,
          px_size_format(i->memory_max_bytes, have), px_size_format(spec->memory_bytes, want),
          &n_wrong);
    snprintf(a, sizeof(a), "%u", i->pids_max);
    snprintf(b, sizeof(b), "%u", spec->pids);
    limit(ret, "processes", i->pids_max, spec->pids, a, b, &n_wrong);
    if (i->cores > 0 && spec->cores > 0) { /* 0: not known here, or all */
        snprintf(a, sizeof(a), "%u", i->cores);
        snprintf(b, sizeof(b), "%u", spec->cores);
        limit(ret, "cores", i->cores, spec->cores, a, b, &n_wrong);
    }
    if (n_wrong > 0)
        return;
    if (spec->cores)
        snprintf(b, sizeof(b), "%u core%s", spec->cores, spec->cores == 1 ? "" : "s");
    else
        snprintf(b, sizeof(b), "all cores");
    px_found_ok(ret, "limits", "%s memory, %s, %u processes",
                spec->memory_bytes ? px_size_human(spec->memory_bytes, have) : "any", b,
                spec->pids);
}

/* Whether init lives in another namespace of that kind than we do; less than 0: cannot tell. */
static int other_ns(pid_t pid, const char *kind) {
    px_cleanup_free char *theirs = px_asprintf("/proc/%d/ns/%s", pid, kind);
    px_cleanup_free char *ours = px_asprintf("/proc/self/ns/%s", kind);
    struct stat a, b;
    if (stat(theirs, &a) < 0 || stat(ours, &b) < 0)
        return -errno;
    return a.st_ino != b.st_ino;
}

static int read_proc(pid_t pid, const char *file, char **ret, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("/proc/%d/%s", pid, file);
    return px_file_read(AT_FDCWD, path, STATUS_MAX_BYTES, ret, NULL, err);
}

static void check_ids(const struct px_verify_desk *desk, const char *map, const char *what,
                      struct px_findings *ret) {
    struct px_verify_map m;
    if (px_verify_idmap(map, &m) < 0)
        px_found_fail(ret, "isolation", NULL, "%s: no simple map of one block", what);
    else if (m.inside != 0 || m.outside != desk->d->rec->id_first ||
             m.count != desk->d->rec->id_count || m.outside == 0)
        px_found_fail(ret, "isolation", "stop it, and look who changed its configuration",
                      "%s: %u..%u inside is %u.. outside; its block begins at %u", what, m.inside,
                      m.inside + m.count - 1, m.outside, desk->d->rec->id_first);
}

void px_verify_isolation(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    static const char *const kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
    const pid_t pid = desk->info.init_pid;
    px_cleanup_free char *status = NULL, *uids = NULL, *gids = NULL;
    struct px_error err = {0};
    if (read_proc(pid, "status", &status, &err) < 0 || read_proc(pid, "uid_map", &uids, &err) < 0 ||
        read_proc(pid, "gid_map", &gids, &err) < 0) {
        px_found_error(ret, "isolation", &err);
        return;
    }
    check_ids(desk, uids, "users", ret);
    check_ids(desk, gids, "groups", ret);
    for (size_t i = 0; i < PX_N_ELEMENTS(kinds); i++)
        if (other_ns(pid, kinds[i]) == 0)
            px_found_fail(ret, "isolation", NULL, "it shares the host's %s namespace", kinds[i]);
    struct px_verify_status s;
    px_verify_proc_status(status, &s);
    if (s.seccomp != 2)
        px_found_fail(ret, "isolation", NULL, "init runs without a filter of system calls");
    if (ret->n == 0)
        px_found_ok(ret, "isolation",
                    "%zu namespaces, ids %u..%u, %u system call filter%s, %d capabilities",
                    PX_N_ELEMENTS(kinds), desk->d->rec->id_first,
                    desk->d->rec->id_first + desk->d->rec->id_count - 1, s.n_filters,
                    s.n_filters == 1 ? "" : "s", __builtin_popcountll(s.cap_bounding));
}
