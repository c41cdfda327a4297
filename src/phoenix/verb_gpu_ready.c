/* src/phoenix/verb_gpu_ready.c - `phoenix gpu ready` */
#include "base/alloc.h"
#include "base/file.h"
#include "gpu/driver.h"
#include "gpu/nodes.h"
#include "phoenix/cli.h"
#include "phoenix/gpu_cli.h"

/* Without it the driver lets go of a card whenever nothing has it open, and the next program waits
 * a second for it. NVIDIA's own daemon does the same job where it runs. */
static size_t persist(const struct px_gpu_host *host) {
    if (host->state != PX_GPU_READY || px_exists(AT_FDCWD, "/run/nvidia-persistenced/socket"))
        return 0;
    px_cleanup_free char *library = px_driver_library("/", host->libraries, "libnvidia-ml.so.1");
    return px_nvml_persist(library);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup_free struct px_gpu_host *host = px_new0(struct px_gpu_host, 1);
    const struct px_host_spec *spec = NULL;
    struct px_gpu_ready done;
    int r = px_cli_host(cli, &spec, err);
    if (r < 0)
        return r;
    px_gpu_look("/", NULL, host);
    if ((r = px_gpu_make_ready(host, false, &done, err)) < 0)
        return r;
    const size_t n_kept = spec->gpus.persistence ? persist(host) : 0;
    if (host->n_cards == 0)
        px_cli_note(cli, "this host has no NVIDIA GPU: nothing to do");
    else
        px_cli_note(cli,
                    "%zu modules loaded, %zu nodes made, %zu mended, %zu cards set to persistence",
                    done.n_loaded, done.n_made, done.n_mended, n_kept);
    return 0;
}

const struct px_verb px_verb_gpu_ready = {
    .name = "ready",
    .summary = "load the driver's modules and make its device nodes",
    .description =
        "Run at boot by phoenix-gpu.service, before any desktop starts, and by every start of a "
        "desktop that has cards. NVIDIA's nodes (/dev/nvidia-uvm above all) otherwise appear only "
        "when root first runs one of the driver's programs. Sets persistence mode, unless "
        "nvidia-persistenced runs or the host file says gpus.persistence: false. Does nothing on a "
        "machine without a card.",
    .examples = {{"phoenix gpu ready", "Makes what is missing."}},
    .needs_root = true,
    .run = run,
};
