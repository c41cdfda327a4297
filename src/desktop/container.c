/* src/desktop/container.c - a desktop as the backend sees it */
#include "desktop/container.h"
#include "base/alloc.h"
#include "desktop/files.h"
#include "desktop/remote.h"
#include <string.h>

static const char *own(struct px_desktop *d, char *text) {
    px_grow(d->owned, &d->cap_owned, d->n_owned + 1);
    return d->owned[d->n_owned++] = text;
}

static void add_mounts(struct px_desktop *d) {
    const struct px_desktop_spec *spec = &d->rec->spec;
    d->mounts = px_new0(struct px_backend_mount, spec->n_mounts + 3);
    size_t n = 0;
    d->mounts[n++] =
        (struct px_backend_mount){.source = own(d, px_asprintf("%s/" PX_FILES_DIR, d->dir)),
                                  .target = PX_FILES_TARGET,
                                  .read_only = true};
    d->mounts[n++] = (struct px_backend_mount){
        .source = own(d, px_asprintf("%s/" PX_FILES_DIR "/resolv.conf", d->dir)),
        .target = "/etc/resolv.conf",
        .read_only = true};
    char *bundle = px_remote_bundle();
    if (bundle)
        d->mounts[n++] = (struct px_backend_mount){
            .source = own(d, bundle), .target = PX_REMOTE_TARGET, .read_only = true};
    for (size_t i = 0; i < spec->n_mounts; i++)
        d->mounts[n++] = (struct px_backend_mount){.source = spec->mounts[i].source,
                                                   .target = spec->mounts[i].target,
                                                   .read_only = spec->mounts[i].read_only,
                                                   .idmap = true};
    d->c.mounts = d->mounts;
    d->c.n_mounts = n;
}

void px_desktop_describe(const struct px_host_spec *host, struct px_desktop *d) {
    const struct px_desktop_spec *spec = &d->rec->spec;
    px_net_port_name(host, spec->name, d->rec->address, &d->port);
    d->port.internet = spec->network.internet;
    d->c = (struct px_container){
        /* The bridge's name is unique on a host, so two host files never share a container name. */
        .name = own(d, px_asprintf("%s-%s", host->network.bridge, spec->name)),
        .hostname = spec->name,
        .dir = d->dir,
        .run_dir = host->run_dir,
        .id_first = d->rec->id_first,
        .id_count = d->rec->id_count,
        .layers = d->image ? (const char *const *)d->image->layers : NULL,
        .n_layers = d->image ? d->image->n_layers : 0,
        .cores = spec->cores,
        .memory_bytes = spec->memory_bytes,
        .disk_bytes = spec->disk_bytes,
        .shm_bytes = spec->shm_bytes,
        .pids = spec->pids,
        .nesting = spec->nesting,
        .fuse = spec->fuse,
        .bridge = host->network.bridge,
        .address = d->rec->address,
        .gateway = px_net_gateway(host),
        .prefix = host->network.prefix,
    };
    memcpy(d->c.veth, d->port.ifname, sizeof(d->c.veth));
    memcpy(d->c.mac, d->port.mac, sizeof(d->c.mac));
    add_mounts(d);
}
