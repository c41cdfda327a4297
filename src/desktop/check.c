/* src/desktop/check.c - a desktop file's wishes against this host */
#include "desktop/check.h"
#include "base/alloc.h"
#include "base/file.h"
#include "desktop/locale.h"
#include <arpa/inet.h>
#include <string.h>

static int at_line(const struct px_desktop_file *file, const struct px_desktop_spec *spec, int r,
                   struct px_error *err) {
    return px_wrap(err, r, "%s:%u: desktop '%s'", file->path, spec->line, spec->name);
}

static int find_image(const struct px_fleet *fleet, const struct px_desktop_spec *spec,
                      struct px_image **ret, struct px_error *err) {
    const struct px_host_spec *host = px_fleet_host(fleet);
    int r = px_image_find(host->state_dir, spec->image, ret, err);
    if (r == -ENOENT)
        r = px_image_missing(host->state_dir, px_host_recipes_dir(host), spec->image, err);
    return r < 0 ? px_wrap(err, r, "image") : 0;
}

static int check_locale(const struct px_image *image, const struct px_desktop_spec *spec,
                        struct px_error *err) {
    int r =
        spec->keyboard ? px_keyboard_check(image->layers, image->n_layers, spec->keyboard, err) : 0;
    if (r < 0)
        return px_wrap(err, r, "keyboard");
    r = spec->timezone ? px_timezone_check(image->layers, image->n_layers, spec->timezone, err) : 0;
    return r < 0 ? px_wrap(err, r, "timezone") : 0;
}

static int check_image(const struct px_fleet *fleet, const struct px_desktop_spec *spec, char *ret,
                       struct px_error *err) {
    px_cleanup(px_image_freep) struct px_image *image = NULL;
    int r = find_image(fleet, spec, &image, err);
    if (r < 0 || (r = check_locale(image, spec, err)) < 0)
        return r;
    memcpy(ret, image->digest, PX_DIGEST_TEXT_MAX);
    return 0;
}

static int check_mounts(const struct px_desktop_spec *spec, struct px_error *err) {
    for (size_t i = 0; i < spec->n_mounts; i++)
        if (access(spec->mounts[i].source, F_OK) < 0) {
            px_fail_sys(err, -errno, "mounts[%zu].source: '%s'", i, spec->mounts[i].source);
            return px_hint(err, -EINVAL, "make it on this host first");
        }
    return 0;
}

static int check_address(const struct px_fleet *fleet, const struct px_desktop_spec *spec,
                         struct px_error *err) {
    const struct in_addr want = spec->network.address;
    if (want.s_addr == 0)
        return 0;
    int r = px_net_address_check(px_fleet_host(fleet), want, err);
    if (r < 0)
        return px_wrap(err, r, "network.address");
    char **names = NULL;
    size_t n = 0;
    r = px_fleet_names(fleet, NULL, 0, &names, &n, err);
    for (size_t i = 0; i < n && r >= 0; i++) {
        px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
        if (strcmp(names[i], spec->name) != 0 && px_desktop_open(fleet, names[i], &d, NULL) == 0 &&
            d->rec->address.s_addr == want.s_addr)
            r = px_fail(err, -EINVAL, "network.address: %s is that of desktop '%s'",
                        inet_ntoa(want), names[i]);
    }
    px_names_free(names, n);
    return r;
}

int px_check_spec(const struct px_fleet *fleet, const struct px_desktop_file *file,
                  const struct px_desktop_spec *spec, struct px_ledger *ledger, char *ret_image,
                  struct px_gpu_grants *ret_gpus, char *ret_why, struct px_error *err) {
    int r;
    if ((r = px_ledger_place(ledger, spec, ret_gpus, ret_why, err)) < 0 ||
        (r = check_mounts(spec, err)) < 0 || (r = check_address(fleet, spec, err)) < 0)
        return at_line(file, spec, -EINVAL, err);
    /* Last: the others are mistakes in the file, this one may be a thing to do first. */
    r = check_image(fleet, spec, ret_image, err);
    return r < 0 ? at_line(file, spec, -EINVAL, err) : 0;
}

bool px_check_has_record(const struct px_fleet *fleet, const char *name) {
    px_cleanup_free char *path = px_asprintf("desktops/%s/desktop.json", name);
    return px_exists(px_fleet_state_fd(fleet), path);
}
