/* src/phoenix/verb_gpu_cdi.c - `phoenix gpu cdi` */
#include "gpu/cdi.h"
#include "phoenix/cli.h"
#include "phoenix/gpu_cli.h"
#include "base/alloc.h"
#include <jansson.h>

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup_free struct px_gpu_host *host = px_gpu_look_here();
    px_cleanup(px_driver_freep) struct px_driver *driver = NULL;
    json_t *spec = NULL;
    if (host->state != PX_GPU_READY) {
        px_fail(err, -ENODEV, "%s", host->why);
        return px_hint(err, -ENODEV, "%s", host->fix);
    }
    int r = px_driver_find("/", host->module, &driver, err);
    if (r < 0 || (r = px_gpu_cdi(host, driver, &spec, err)) < 0)
        return r;
    px_cli_json(cli, spec);
    return 0;
}

const struct px_verb px_verb_gpu_cdi = {
    .name = "cdi",
    .summary = "print a CDI specification of the cards, for other container engines",
    .description =
        "The Container Device Interface's description of what phoenix found: a device per card "
        "(and per MIG device) by UUID, and 'all'. Podman and Docker read it from "
        "/etc/cdi/phoenix.json. Libraries keep their places on the host; engines that need the "
        "linker's cache run ldconfig inside.",
    .examples = {{"phoenix gpu cdi > /etc/cdi/phoenix.json", "For podman --device "
                                                             "phoenix.local/gpu=all."}},
    .run = run,
};
