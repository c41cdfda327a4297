/* src/image/pool.c - packages and wheels that were fetched once, under their sha256 */
#include "image/pool.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "image/deb822.h"
#include "image/digest.h"
#include <string.h>
#include <sys/stat.h>

#define CONTROL_MAX_BYTES (1024 * 1024)

/* What apt decides by. The rest (descriptions, tags, addresses) would make indexes large for
 * nothing. */
static const char *const kept_fields[] = {
    "Package",   "Version",   "Architecture", "Multi-Arch",  "Essential",      "Important",
    "Protected", "Priority",  "Section",      "Pre-Depends", "Depends",        "Recommends",
    "Breaks",    "Conflicts", "Replaces",     "Provides",    "Installed-Size",
};

void px_locked_deb_copy(const struct px_locked_deb *from, struct px_locked_deb *to) {
    *to = (struct px_locked_deb){px_strdup(from->name), px_strdup(from->version),
                                 px_strdup(from->architecture), px_strdup(from->sha256),
                                 from->size_bytes};
}

void px_debs_add(struct px_debs *debs, const struct px_deb *deb) {
    px_grow(debs->items, &debs->cap, debs->n + 1);
    struct px_deb *d = &debs->items[debs->n++];
    *d = (struct px_deb){.installed_bytes = deb->installed_bytes,
                         .control = px_strdup(deb->control)};
    px_locked_deb_copy(&deb->id, &d->id);
}

static void deb_fini(struct px_deb *deb) {
    px_locked_deb_fini(&deb->id);
    free(deb->control);
    *deb = (struct px_deb){0};
}

void px_debs_merge(struct px_debs *debs, const struct px_debs *more) {
    for (size_t i = 0; i < more->n; i++) {
        const struct px_locked_deb *id = &more->items[i].id;
        size_t k = 0, n = debs->n;
        while (k < n && (strcmp(debs->items[k].id.name, id->name) != 0 ||
                         strcmp(debs->items[k].id.architecture, id->architecture) != 0))
            k++;
        px_debs_add(debs, &more->items[i]);
        if (k < n) {
            deb_fini(&debs->items[k]);
            debs->items[k] = debs->items[--debs->n];
        }
    }
}

void px_debs_fini(struct px_debs *debs) {
    for (size_t i = 0; i < debs->n; i++)
        deb_fini(&debs->items[i]);
    free(debs->items);
    *debs = (struct px_debs){0};
}

static char *short_control(const struct px_deb822 *p) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (size_t i = 0; i < PX_N_ELEMENTS(kept_fields); i++) {
        px_cleanup_free char *value = px_deb822_get(p, kept_fields[i]);
        if (value)
            px_buf_printf(&b, "%s: %s\n", kept_fields[i], value);
    }
    return px_buf_take(&b);
}

static int parse_deb(const struct px_deb822 *p, struct px_deb *ret, struct px_error *err) {
    ret->id.name = px_deb822_get(p, "Package");
    ret->id.version = px_deb822_get(p, "Version");
    ret->id.architecture = px_deb822_get(p, "Architecture");
    ret->id.sha256 = px_deb822_get(p, "SHA256");
    px_cleanup_free char *size = px_deb822_get(p, "Size");
    px_cleanup_free char *installed = px_deb822_get(p, "Installed-Size");
    if (!ret->id.name || !ret->id.version || !ret->id.architecture || !ret->id.sha256 || !size ||
        !px_digest_hex_valid(ret->id.sha256))
        return px_fail(err, -EINVAL, "the index entry of package '%s' is not complete",
                       ret->id.name ? ret->id.name : "?");
    ret->id.size_bytes = strtoull(size, NULL, 10);
    ret->installed_bytes = installed ? strtoull(installed, NULL, 10) * 1024 : 0;
    ret->control = short_control(p);
    return 0;
}

int px_debs_parse(const char *text, size_t size, struct px_debs *ret, struct px_error *err) {
    struct px_deb822 p;
    for (size_t at = 0; px_deb822_next(text, size, &at, &p);) {
        px_cleanup(deb_fini) struct px_deb deb = {0};
        int r = parse_deb(&p, &deb, err);
        if (r < 0)
            return r;
        px_debs_add(ret, &deb);
    }
    return 0;
}

static char *deb_path(const char *images, const char *sha256, const char *suffix) {
    return px_asprintf("%s/pool/deb/%s.%s", images, sha256, suffix);
}

bool px_pool_has_deb(const char *images, const char *sha256) {
    px_cleanup_free char *deb = deb_path(images, sha256, "deb");
    px_cleanup_free char *control = deb_path(images, sha256, "control");
    return px_exists(AT_FDCWD, deb) && px_exists(AT_FDCWD, control);
}

int px_pool_get_deb(const char *images, const struct px_locked_deb *id, struct px_deb *ret,
                    struct px_error *err) {
    px_cleanup_free char *path = deb_path(images, id->sha256, "control");
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(AT_FDCWD, path, CONTROL_MAX_BYTES, &text, &size, err);
    if (r < 0)
        return r;
    struct px_deb822 p = {text, size};
    px_cleanup_free char *installed = px_deb822_get(&p, "Installed-Size");
    *ret = (struct px_deb){.installed_bytes = installed ? strtoull(installed, NULL, 10) * 1024 : 0,
                           .control = px_take_ptr(text)};
    px_locked_deb_copy(id, &ret->id);
    return 0;
}

int px_pool_add_deb(const char *images, const struct px_deb *deb, const char *path,
                    struct px_error *err) {
    char hex[65];
    int r = px_digest_file(AT_FDCWD, path, hex, err);
    if (r < 0)
        return r;
    if (strcmp(hex, deb->id.sha256) != 0)
        return px_fail(err, -EBADMSG, "package '%s' %s has sha256 %s, expected %s", deb->id.name,
                       deb->id.version, hex, deb->id.sha256);
    px_cleanup_free char *dir = px_asprintf("%s/pool/deb", images);
    px_cleanup_free char *to = deb_path(images, hex, "deb");
    px_cleanup_free char *control = deb_path(images, hex, "control");
    r = px_mkdir_p(AT_FDCWD, dir, 0755, err);
    if (r < 0)
        return r;
    /* Not write_atomic: a thousand packages would mean a thousand fsyncs. What a power failure
     * leaves broken is found by the hash (apt checks it) and can be fetched again. */
    px_cleanup_close int fd = open(control, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot write '%s'", control);
    r = px_fd_write_all(fd, deb->control, strlen(deb->control));
    if (r < 0)
        return px_fail_sys(err, r, "cannot write '%s'", control);
    if (rename(path, to) < 0)
        return px_fail_sys(err, -errno, "cannot move '%s' into the pool", path);
    return 0;
}

int px_pool_deb_time(const char *images, const char *sha256, int64_t *ret_s, struct px_error *err) {
    px_cleanup_free char *path = deb_path(images, sha256, "deb");
    px_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", path);
    /* ar(5): 8 bytes of magic, then a header: 16 bytes of name, 12 of decimal time. */
    char head[37] = "";
    if (read(fd, head, 36) != 36 || memcmp(head, "!<arch>\n", 8) != 0)
        return px_fail(err, -EINVAL, "'%s' is not a Debian package", path);
    *ret_s = strtoll(head + 24, NULL, 10);
    return 0;
}

static int link_debs(const char *images, const struct px_debs *debs, const char *dir,
                     struct px_buf *index, struct px_error *err) {
    for (size_t i = 0; i < debs->n; i++) {
        const struct px_deb *d = &debs->items[i];
        px_cleanup_free char *from = deb_path(images, d->id.sha256, "deb");
        px_cleanup_free char *to = px_asprintf("%s/%s.deb", dir, d->id.sha256);
        if (link(from, to) < 0 && errno != EEXIST)
            return px_fail_sys(err, -errno, "cannot link '%s'", to);
        px_buf_printf(index, "%sFilename: ./%s.deb\nSize: %ju\nSHA256: %s\n\n", d->control,
                      d->id.sha256, (uintmax_t)d->id.size_bytes, d->id.sha256);
    }
    return 0;
}

static int write_in(const char *dir, const char *name, const struct px_buf *text,
                    struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/%s", dir, name);
    return px_file_write_atomic(AT_FDCWD, path, px_buf_str(text), text->size, 0644, err);
}

int px_pool_repository(const char *images, const struct px_debs *debs, const char *suite,
                       const char *dir, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf index = {0};
    px_cleanup(px_buf_fini) struct px_buf release = {0};
    int r = px_mkdir_p(AT_FDCWD, dir, 0755, err);
    if (r == 0)
        r = link_debs(images, debs, dir, &index, err);
    if (r < 0)
        return r;
    char digest[PX_DIGEST_TEXT_MAX];
    px_digest_bytes(px_buf_str(&index), index.size, digest);
    /* mmdebstrap picks the essential packages by suite and codename. */
    px_buf_printf(&release,
                  "Origin: Debian\nSuite: %s\nCodename: %s\n"
                  "Date: Thu, 01 Jan 1970 00:00:00 UTC\nSHA256:\n %s %zu Packages\n",
                  suite, suite, digest + 7, index.size);
    r = write_in(dir, "Packages", &index, err);
    return r < 0 ? r : write_in(dir, "Release", &release, err);
}

char *px_pool_find_wheel(const char *images, const char *sha256) {
    px_cleanup_free char *dir = px_asprintf("%s/pool/wheel/%s", images, sha256);
    return px_exists(AT_FDCWD, dir) ? px_take_ptr(dir) : NULL;
}

int px_pool_add_wheel(const char *images, const char *path, struct px_error *err) {
    char hex[65];
    int r = px_digest_file(AT_FDCWD, path, hex, err);
    if (r < 0)
        return r;
    px_cleanup_free char *have = px_pool_find_wheel(images, hex);
    if (have)
        return 0;
    /* The directory appears whole: find_wheel looks for nothing else. */
    px_cleanup_free char *tmp = px_asprintf("%s/pool/wheel/%s.tmp", images, hex);
    px_cleanup_free char *dir = px_asprintf("%s/pool/wheel/%s", images, hex);
    const char *name = strrchr(path, '/');
    px_cleanup_free char *to = px_asprintf("%s/%s", tmp, name ? name + 1 : path);
    r = px_mkdir_p(AT_FDCWD, tmp, 0755, err);
    if (r < 0)
        return r;
    unlink(to); /* a killed call's */
    /* A second link: whoever fetched the wheel still works with its own. */
    if (link(path, to) < 0 || (rename(tmp, dir) < 0 && errno != EEXIST && errno != ENOTEMPTY))
        return px_fail_sys(err, -errno, "cannot take '%s' into the pool", path);
    return px_rm_rf(AT_FDCWD, tmp, err);
}
