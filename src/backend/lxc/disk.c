/* src/backend/lxc/disk.c - the directory a desktop writes to, and its limit */
#include "backend/lxc/disk.h"
#include "backend/lxc/idmount.h"
#include "backend/lxc/paths.h"
#include "base/cleanup.h"
#include "base/file.h"

int px_disk_create(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    return px_mkdir_p(AT_FDCWD, data, 0700, err);
}

int px_disk_mount(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    const struct px_idmount_opts opts = {.userns_fd = -1, .trusted = true};
    return px_idmount_open(AT_FDCWD, data, &opts, err);
}

int px_disk_used(const struct px_container *c, uint64_t *ret, struct px_error *err) {
    *ret = 0;
    return 0;
}

int px_disk_destroy(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    return px_rm_rf(AT_FDCWD, data, err);
}
