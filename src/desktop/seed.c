/* src/desktop/seed.c - what a new root gets that only this desktop has */
#include "desktop/seed.h"
#include "base/alloc.h"
#include "base/file.h"
#include "desktop/files.h"
#include "desktop/login.h"
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define ACCOUNT_FILE_MAX_BYTES (1024 * 1024)
#define HOME_DEPTH_MAX 32

struct ids { /* host ids of a file's owner */
    uid_t uid;
    gid_t gid;
};

/* Replaces the file at @path below the root, keeping mode and owner of one that is there. */
static int put(int root_fd, const char *path, const char *text, mode_t mode, struct ids owner,
               struct px_error *err) {
    px_cleanup_close int fd =
        px_open_in_root(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, err);
    if (fd < 0)
        return fd;
    int r = px_fd_write_all(fd, text, strlen(text));
    if (r < 0)
        return px_fail_sys(err, r, "cannot write '%s'", path);
    struct stat st;
    /* Uid 0 of the host owns what we have just made; what the image had is the container's already.
     */
    if (fstat(fd, &st) == 0 && st.st_uid == 0 && fchown(fd, owner.uid, owner.gid) < 0)
        return px_fail_sys(err, -errno, "cannot give '%s' to id %u", path, owner.uid);
    return 0;
}

static int rename_login(int root_fd, const char *from, const char *to, struct ids root,
                        struct px_error *err) {
    static const char *const files[] = {"/etc/passwd",  "/etc/group",  "/etc/shadow",
                                        "/etc/gshadow", "/etc/subuid", "/etc/subgid"};
    for (size_t i = 0; i < PX_N_ELEMENTS(files); i++) {
        px_cleanup_close int fd = px_open_in_root(root_fd, files[i], O_RDONLY, 0, err);
        if (fd == -ENOENT)
            continue;
        px_cleanup_free char *text = NULL;
        size_t size = 0;
        int r = fd < 0 ? fd : px_fd_read_all(fd, ACCOUNT_FILE_MAX_BYTES, &text, &size, err);
        if (r < 0)
            return r;
        px_cleanup_free char *renamed = px_login_rename(text, size, from, to);
        if (strcmp(renamed, text) != 0 &&
            (r = put(root_fd, files[i], renamed, 0644, root, err)) < 0)
            return r;
    }
    return 0;
}

static int copy_dir(int from_fd, int to_fd, struct ids owner, unsigned depth, struct px_error *err);

static int copy_file(int from_fd, int to_fd, const char *name, const struct stat *st,
                     struct ids owner, struct px_error *err) {
    px_cleanup_close int in = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    px_cleanup_close int out =
        openat(to_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return px_fail_sys(err, -errno, "cannot copy '%s'", name);
    ssize_t n;
    /* Not copy_file_range: it does not cross from overlay to what lies below home. */
    while ((n = sendfile(out, in, NULL, 1 << 30)) > 0)
        ;
    if (n < 0 || fchown(out, owner.uid, owner.gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
        return px_fail_sys(err, -errno, "cannot copy '%s'", name);
    return 0;
}

static int copy_link(int from_fd, int to_fd, const char *name, struct ids owner,
                     struct px_error *err) {
    char target[4096];
    ssize_t n = readlinkat(from_fd, name, target, sizeof(target) - 1);
    if (n < 0)
        return px_fail_sys(err, -errno, "cannot copy '%s'", name);
    target[n] = '\0';
    if ((symlinkat(target, to_fd, name) < 0 && errno != EEXIST) ||
        fchownat(to_fd, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
        return px_fail_sys(err, -errno, "cannot copy '%s'", name);
    return 0;
}

static int copy_subdir(int from_fd, int to_fd, const char *name, const struct stat *st,
                       struct ids owner, unsigned depth, struct px_error *err) {
    if (mkdirat(to_fd, name, 0700) < 0 && errno != EEXIST)
        return px_fail_sys(err, -errno, "cannot copy '%s'", name);
    px_cleanup_close int in =
        openat(from_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    px_cleanup_close int out = openat(to_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || out < 0)
        return px_fail_sys(err, -errno, "cannot copy '%s'", name);
    int r = copy_dir(in, out, owner, depth + 1, err);
    if (r < 0)
        return r;
    /* The owner last: a directory that has it is complete. */
    if (fchmod(out, st->st_mode & 07777) < 0 || fchown(out, owner.uid, owner.gid) < 0)
        return px_fail_sys(err, -errno, "cannot copy '%s'", name);
    return 0;
}

static int copy_entry(int from_fd, int to_fd, const char *name, struct ids owner, unsigned depth,
                      struct px_error *err) {
    struct stat st;
    if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return px_fail_sys(err, -errno, "cannot copy '%s'", name);
    if (S_ISREG(st.st_mode))
        return copy_file(from_fd, to_fd, name, &st, owner, err);
    if (S_ISLNK(st.st_mode))
        return copy_link(from_fd, to_fd, name, owner, err);
    if (S_ISDIR(st.st_mode) && depth < HOME_DEPTH_MAX)
        return copy_subdir(from_fd, to_fd, name, &st, owner, depth, err);
    return 0; /* sockets and the like are made by who needs them */
}

static int copy_dir(int from_fd, int to_fd, struct ids owner, unsigned depth,
                    struct px_error *err) {
    int dup_fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    px_cleanup_closedir DIR *dir = dup_fd >= 0 ? fdopendir(dup_fd) : NULL;
    if (!dir)
        return px_fail_sys(err, -errno, "cannot list the image's home");
    const struct dirent *e;
    while ((e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int r = copy_entry(from_fd, to_fd, e->d_name, owner, depth, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* /home/USER: the image's own home of that user, else /etc/skel. */
static int seed_home(const struct px_desktop *d, int root_fd, int home_fd, const char *user,
                     struct px_error *err) {
    const struct ids owner = {d->rec->id_first + d->image->uid, d->rec->id_first + d->image->uid};
    struct stat st;
    if (fstatat(home_fd, user, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == owner.uid)
        return 0; /* complete, and the user's own by now */
    px_cleanup_free char *from = px_asprintf("/home/%s", d->image->user);
    px_cleanup_close int in = px_open_in_root(root_fd, from, O_RDONLY | O_DIRECTORY, 0, NULL);
    if (in < 0)
        in = px_open_in_root(root_fd, "/etc/skel", O_RDONLY | O_DIRECTORY, 0, err);
    if (in < 0)
        return in;
    if (mkdirat(home_fd, user, 0700) < 0 && errno != EEXIST)
        return px_fail_sys(err, -errno, "cannot make home '%s'", user);
    px_cleanup_close int out =
        openat(home_fd, user, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out < 0)
        return px_fail_sys(err, -errno, "cannot make home '%s'", user);
    int r = copy_dir(in, out, owner, 0, err);
    if (r < 0)
        return r;
    if (fchown(out, owner.uid, owner.gid) < 0)
        return px_fail_sys(err, -errno, "cannot give home '%s' to its user", user);
    return 0;
}

static int seed_timezone(int root_fd, const char *zone, struct ids root, struct px_error *err) {
    px_cleanup_free char *file = px_asprintf("/usr/share/zoneinfo/%s", zone);
    px_cleanup_close int there = px_open_in_root(root_fd, file, O_PATH, 0, NULL);
    if (there < 0)
        return 0; /* an image without tzdata has UTC only */
    px_cleanup_close int etc = px_open_in_root(root_fd, "/etc", O_RDONLY | O_DIRECTORY, 0, err);
    if (etc < 0)
        return etc;
    unlinkat(etc, "localtime", 0);
    if (symlinkat(file, etc, "localtime") < 0 ||
        fchownat(etc, "localtime", root.uid, root.gid, AT_SYMLINK_NOFOLLOW) < 0)
        return px_fail_sys(err, -errno, "cannot set the time zone");
    px_cleanup_free char *line = px_asprintf("%s\n", zone);
    return put(root_fd, "/etc/timezone", line, 0644, root, err);
}

static int seed_names(const struct px_desktop *d, int root_fd, struct ids root,
                      struct px_error *err) {
    const char *name = d->rec->spec.name;
    px_cleanup_free char *hostname = px_asprintf("%s\n", name);
    px_cleanup_free char *hosts =
        px_asprintf("127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost\n", name);
    px_cleanup_free char *id = NULL;
    int r = px_files_machine_id(d, &id, err);
    if (r < 0)
        return r;
    px_cleanup_free char *id_line = px_asprintf("%s\n", id);
    if ((r = put(root_fd, "/etc/hostname", hostname, 0644, root, err)) < 0 ||
        (r = put(root_fd, "/etc/hosts", hosts, 0644, root, err)) < 0)
        return r;
    return put(root_fd, "/etc/machine-id", id_line, 0444, root, err);
}

int px_seed_root(void *seed_data, int root_fd, int home_fd, struct px_error *err) {
    const struct px_desktop *d = ((const struct px_seed *)seed_data)->desktop;
    const struct px_desktop_spec *spec = &d->rec->spec;
    const struct ids root = {d->rec->id_first, d->rec->id_first};
    int r = seed_names(d, root_fd, root, err);
    if (r < 0)
        return r;
    if (spec->timezone && (r = seed_timezone(root_fd, spec->timezone, root, err)) < 0)
        return r;
    const char *login = spec->user ? spec->user : d->image->user;
    if (!login || !d->image->user)
        return 0; /* an image without an ordinary user */
    /* Home before login: the image's home is found under the image's name. */
    r = seed_home(d, root_fd, home_fd, login, err);
    if (r < 0 || strcmp(login, d->image->user) == 0)
        return r;
    return rename_login(root_fd, d->image->user, login, root, err);
}
