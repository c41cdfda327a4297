/* src/phoenix/verb_gpu_ready.c - `phoenix gpu ready` */
#include "base/alloc.h"
#include "gpu/nodes.h"
#include "phoenix/cli.h"
#include "phoenix/gpu_cli.h"

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup_free struct px_gpu_host *host = px_new0(struct px_gpu_host, 1);
    struct px_gpu_ready done;
    px_gpu_look("/", NULL, host);
    int r = px_gpu_make_ready(host, &done, err);
    if (r < 0)
        return r;
    if (host->n_cards == 0)
        px_cli_note(cli, "this host has no NVIDIA GPU: nothing to do");
    else
        px_cli_note(cli, "%zu modules loaded, %zu nodes made, %zu mended", done.n_loaded,
                    done.n_made, done.n_mended);
    return 0;
}

const struct px_verb px_verb_gpu_ready = {
    .name = "ready",
    .summary = "load the driver's modules and make its device nodes",
    .description =
        "Run at boot by phoenix-gpu.service, before any desktop starts, and by every start of a "
        "desktop that has cards. NVIDIA's nodes (/dev/nvidia-uvm above all) otherwise appear only "
        "when root first runs one of the driver's programs. Does nothing on a machine without a "
        "card.",
    .examples = {{"phoenix gpu ready", "Makes what is missing."}},
    .needs_root = true,
    .run = run,
};
