/* src/desktop/files.c - what a desktop is told by its host */
#include "desktop/files.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "desktop/locale.h"
#include "desktop/remote.h"
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define TOKEN_BYTES 24
#define MACHINE_ID_BYTES 16

static char *random_hex(size_t n_bytes) {
    uint8_t raw[64];
    size_t got = 0;
    while (got < n_bytes) {
        ssize_t n = getrandom(raw + got, n_bytes - got, 0);
        if (n > 0)
            got += (size_t)n;
    }
    char *text = px_new0(char, n_bytes * 2 + 1);
    for (size_t i = 0; i < n_bytes; i++)
        sprintf(text + 2 * i, "%02x", raw[i]);
    explicit_bzero(raw, sizeof(raw));
    return text;
}

static void keyboard(const char *text, struct px_buf *out) {
    px_cleanup_free char *layouts = NULL, *variants = NULL;
    px_keyboard_split(text, &layouts, &variants);
    px_buf_printf(out, "PHOENIX_KEYBOARD=%s\nPHOENIX_KEYBOARD_VARIANT=%s\n", layouts, variants);
}

char *px_files_env(const struct px_desktop_spec *spec, const char *user) {
    struct px_buf b = {0};
    px_buf_printf(&b, "PHOENIX_NAME=%s\nPHOENIX_USER=%s\n", spec->name, user);
    px_buf_printf(&b, "PHOENIX_WIDTH=%u\nPHOENIX_HEIGHT=%u\n", spec->width_px, spec->height_px);
    keyboard(spec->keyboard ? spec->keyboard : "us", &b);
    px_buf_printf(&b, "PHOENIX_JUPYTER=%d\n", spec->jupyter);
    return px_buf_take(&b);
}

/* Writes when the text differs: an unchanged file keeps its inode, which may be mounted inside. */
static int put(int dir_fd, const char *name, const char *text, mode_t mode, uid_t owner,
               struct px_error *err) {
    px_cleanup_free char *now = NULL;
    struct stat st;
    if (px_file_read(dir_fd, name, 64 * 1024, &now, NULL, NULL) == 0 && strcmp(now, text) == 0 &&
        fstatat(dir_fd, name, &st, 0) == 0 && st.st_uid == owner)
        return 0;
    /* In place where it exists: a running desktop has this inode mounted (resolv.conf). */
    px_cleanup_close int fd = now ? openat(dir_fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC) : -1;
    if (fd < 0) {
        int r = px_file_replace(dir_fd, name, text, strlen(text), mode, err);
        if (r < 0)
            return r;
    } else {
        int r = px_fd_write_all(fd, text, strlen(text));
        if (r < 0)
            return px_fail_sys(err, r, "cannot write '%s'", name);
    }
    if (fchownat(dir_fd, name, owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
        return px_fail_sys(err, -errno, "cannot give '%s' to id %u", name, owner);
    return 0;
}

/* Makes the secret @name where it is missing or cut short by a crash. */
static int put_random(int dir_fd, const char *name, size_t n_bytes, const char *end, mode_t mode,
                      uid_t owner, struct px_error *err) {
    px_cleanup_free char *now = NULL;
    size_t size = 0;
    if (px_file_read(dir_fd, name, 256, &now, &size, NULL) == 0 &&
        size == n_bytes * 2 + strlen(end))
        return put(dir_fd, name, now, mode, owner, err);
    px_cleanup_free char *hex = random_hex(n_bytes);
    px_cleanup_free char *text = px_asprintf("%s%s", hex, end);
    /* On the disk before anybody uses it: it must not change after a power failure. */
    int r = px_file_write_atomic(dir_fd, name, text, strlen(text), mode, err);
    return r < 0 ? r : put(dir_fd, name, text, mode, owner, err);
}

static int open_files(const struct px_desktop *d, struct px_error *err) {
    int r = px_mkdir_p(d->dir_fd, PX_FILES_DIR, 0755, err);
    return r < 0 ? r : px_dir_open(d->dir_fd, PX_FILES_DIR, err);
}

static int write_resolv_conf(const struct px_fleet *fleet, int fd, uid_t root,
                             struct px_error *err) {
    px_cleanup_free char *text = NULL;
    int r = px_net_resolv_conf(px_fleet_host(fleet), &text, err);
    if (r == -ENOENT && px_exists(fd, "resolv.conf"))
        return 0; /* a host that is off line for now: what worked before stays */
    return r < 0 ? r : put(fd, "resolv.conf", text, 0644, root, err);
}

int px_files_write(const struct px_fleet *fleet, const struct px_desktop *d, struct px_error *err) {
    const struct px_desktop_spec *spec = &d->rec->spec;
    const uid_t root = d->rec->id_first;
    const uid_t user = root + (d->image ? d->image->uid : 1000);
    px_cleanup_close int fd = open_files(d, err);
    if (fd < 0)
        return fd;
    const char *login = spec->user ? spec->user : d->image ? d->image->user : "";
    px_cleanup_free char *env = px_files_env(spec, login);
    int r = put(fd, "desktop.env", env, 0644, root, err);
    if (r < 0 || (r = put_random(fd, "machine-id", MACHINE_ID_BYTES, "\n", 0444, root, err)) < 0)
        return r;
    if ((r = put_random(fd, "jupyter-token", TOKEN_BYTES, "", 0400, user, err)) < 0)
        return r;
    if ((r = px_remote_write(fleet, d, fd, root, user, err)) < 0)
        return r;
    return write_resolv_conf(fleet, fd, root, err);
}

static int read_line(const struct px_desktop *d, const char *name, char **ret,
                     struct px_error *err) {
    px_cleanup_close int fd = px_dir_open(d->dir_fd, PX_FILES_DIR, err);
    if (fd < 0)
        return fd;
    char *text = NULL;
    int r = px_file_read(fd, name, 256, &text, NULL, err);
    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = '\0';
    *ret = text;
    return 0;
}

int px_files_jupyter_token(const struct px_desktop *d, char **ret, struct px_error *err) {
    return read_line(d, "jupyter-token", ret, err);
}

int px_files_machine_id(const struct px_desktop *d, char **ret, struct px_error *err) {
    return read_line(d, "machine-id", ret, err);
}
