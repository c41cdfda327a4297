/* src/spec/mounts.c - what of the host a desktop sees: the key `mounts` */
#include "spec/mounts.h"
#include "base/alloc.h"
#include "spec/check.h"
#include "spec/desktop_fields.h"
#include <string.h>

#define MOUNT_OFF(member) offsetof(struct px_mount_spec, member)

/* Whether @path is @dir or lies below it. */
static bool is_below(const char *path, const char *dir) {
    const size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static int check_source(const char *text, struct px_error *err) {
    static const char *const kernel[] = {"/proc", "/sys", "/dev"};
    int r = px_check_path(text, err);
    for (size_t i = 0; r == 0 && i < PX_N_ELEMENTS(kernel); i++)
        if (is_below(text, kernel[i]))
            r = px_fail(err, -EINVAL, "'%.200s' of the host cannot be given to a desktop", text);
    return r;
}

/* "/data/" is "/data". */
static void strip_slashes(char *path) {
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
}

static int check_target(const char *text, struct px_error *err) {
    /* The backend's and systemd's own; what is mounted below them would be hidden or would harm. */
    static const char *const theirs[] = {"/proc", "/sys", "/dev", "/run"};
    /* The image's: a mount over one of these leaves no system. Below them is fine. */
    static const char *const systems[] = {
        "/bin",     "/boot",    "/etc",      "/home",      "/lib", "/lib32",
        "/lib64",   "/opt",     "/root",     "/sbin",      "/tmp", "/usr",
        "/usr/bin", "/usr/lib", "/usr/sbin", "/usr/share", "/var", "/var/lib"};
    int r = px_check_path(text, err);
    px_cleanup_free char *path = px_strdup(text);
    strip_slashes(path);
    for (size_t i = 0; r == 0 && i < PX_N_ELEMENTS(theirs); i++)
        if (is_below(path, theirs[i]))
            r = px_fail(err, -EINVAL, "'%.200s' belongs to the desktop's system", text);
    for (size_t i = 0; r == 0 && i < PX_N_ELEMENTS(systems); i++)
        if (strcmp(path, systems[i]) == 0)
            r = px_fail(err, -EINVAL, "'%.200s' belongs to the desktop's system", text);
    return r < 0 && text[0] == '/'
               ? px_hint(err, r, "mount it at a place of its own, such as /data")
               : r;
}

static int finish_mount(const struct px_at *at, const struct px_node *node, void *obj,
                        struct px_error *err) {
    struct px_mount_spec *mount = obj;
    strip_slashes(mount->source);
    if (mount->target) {
        strip_slashes(mount->target);
        return 0;
    }
    const struct px_at here = {.up = at, .key = "source"};
    if (check_target(mount->source, err) < 0) {
        px_at_wrap(&here, px_node_get(node, "source"), err);
        return px_hint(err, -EINVAL, "add a target");
    }
    mount->target = px_strdup(mount->source);
    return 0;
}

int px_mounts_finish(const struct px_at *at, const struct px_node *node, void *obj,
                     struct px_error *err) {
    const struct px_desktop_entry *e = obj;
    const struct px_node *n = node->child;
    for (size_t i = 0; i < e->spec.n_mounts; i++, n = n->next)
        for (size_t j = 0; j < i; j++) {
            const char *target = e->spec.mounts[i].target;
            const struct px_at here = {.up = at, .index = i};
            if (strcmp(target, e->spec.mounts[j].target) == 0)
                return px_at_fail(&here, n, err, "target '%s' is also that of mounts[%zu]", target,
                                  j);
        }
    return 0;
}

static const struct px_field mount_fields[] = {
    {.key = "source",
     .kind = PX_FIELD_STRING,
     .doc = "A file or directory of the host.",
     .expected = "an absolute path",
     .required = true,
     .aka = "src host from path",
     .offset = MOUNT_OFF(source),
     .check = check_source,
     .pattern = PX_PATTERN_PATH},
    {.key = "target",
     .kind = PX_FIELD_STRING,
     .doc = "Where the desktop sees it; not a directory of the system itself.",
     .expected = "an absolute path",
     .fallback_doc = "the same as `source`",
     .aka = "dest destination dst to container",
     .offset = MOUNT_OFF(target),
     .check = check_target,
     .pattern = PX_PATTERN_PATH},
    {.key = "read_only",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether the desktop may only read.",
     .fallback = "false",
     .aka = "ro readonly",
     .offset = MOUNT_OFF(read_only)},
    {0},
};

const struct px_field px_mount_item = {.kind = PX_FIELD_MAP,
                                       .expected =
                                           "a mapping such as {source: /data, read_only: true}",
                                       .fields = mount_fields,
                                       .finish = finish_mount};
