/* src/backend/lxc/disk.c - the directory a desktop writes to, and its limit */
#include "backend/lxc/disk.h"
#include "backend/lxc/idmount.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/step.h"
#include <jansson.h>
#include <string.h>

#define RECORD_MAX_BYTES 4096

/* The best first. */
static const struct px_disk_method *const methods[] = {&px_disk_project, &px_disk_btrfs,
                                                       &px_disk_loop, &px_disk_plain};

static const struct px_disk_method *find(const char *name) {
    for (size_t i = 0; name && i < PX_N_ELEMENTS(methods); i++)
        if (strcmp(methods[i]->name, name) == 0)
            return methods[i];
    return NULL;
}

/* -ENOENT: none was chosen yet. */
static int load(const struct px_container *c, const struct px_disk_method **ret,
                struct px_error *err) {
    px_cleanup_free char *path = px_lxc_path(c, "disk.json"), *text = NULL;
    int r = px_file_read(AT_FDCWD, path, RECORD_MAX_BYTES, &text, NULL, err);
    if (r < 0)
        return r;
    json_t *json = json_loads(text, 0, NULL);
    *ret = find(json_string_value(json_object_get(json, "method")));
    json_decref(json);
    return *ret ? 0 : px_fail(err, -EBADMSG, "'%s' does not name a method of ours", path);
}

static int save(const struct px_container *c, const struct px_disk_method *m,
                struct px_error *err) {
    px_cleanup_free char *dir = px_lxc_path(c, ""), *path = px_lxc_path(c, "disk.json");
    px_cleanup_free char *text = px_asprintf("{\"method\": \"%s\"}\n", m->name);
    int r = px_mkdir_p(AT_FDCWD, dir, 0700, err);
    return r < 0 ? r : px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err);
}

static const struct px_disk_method *choose(const struct px_container *c) {
    for (size_t i = 0; i < PX_N_ELEMENTS(methods); i++)
        if (methods[i]->usable(c))
            return methods[i];
    return &px_disk_plain;
}

int px_disk_create(const struct px_container *c, struct px_error *err) {
    const struct px_disk_method *m = NULL;
    int r = load(c, &m, err);
    if (r == -ENOENT) { /* noted first: whatever is made after it is found and removed by it */
        m = choose(c);
        r = save(c, m, err);
    }
    if (r == 0)
        r = px_step("lxc.create.method", err);
    if (r == 0)
        r = m->make(c, err);
    return r < 0 ? px_wrap(err, r, "disk") : 0;
}

int px_disk_mount(const struct px_container *c, struct px_error *err) {
    const struct px_disk_method *m = NULL;
    int r = load(c, &m, err);
    if (r == 0)
        r = m->mount(c, err);
    return r < 0 ? px_wrap(err, r, "disk") : r;
}

int px_disk_limit(const struct px_container *c, bool *ret_later, struct px_error *err) {
    const struct px_disk_method *m = NULL;
    int r = load(c, &m, err);
    if (r == 0)
        r = m->limit(c, err);
    *ret_later = r > 0;
    return r < 0 ? px_wrap(err, r, "disk") : 0;
}

int px_disk_used(const struct px_container *c, uint64_t *ret, struct px_error *err) {
    const struct px_disk_method *m = NULL;
    int r = load(c, &m, err);
    if (r == -ENOENT) {
        *ret = 0;
        return 0;
    }
    if (r == 0)
        r = m->used(c, ret, err);
    return r < 0 ? px_wrap(err, r, "disk") : 0;
}

int px_disk_destroy(const struct px_container *c, struct px_error *err) {
    const struct px_disk_method *m = NULL;
    int r = load(c, &m, err);
    if (r == -ENOENT || r == -EBADMSG) /* all the rest is only files */
        m = &px_disk_plain;
    else if (r < 0)
        return r;
    r = m->remove(c, err);
    return r < 0 ? px_wrap(err, r, "disk") : 0;
}

int px_disk_mount_dir(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    const struct px_idmount_opts opts = {.userns_fd = -1, .trusted = true};
    return px_idmount_open(AT_FDCWD, data, &opts, err);
}
