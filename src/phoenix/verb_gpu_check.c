/* src/phoenix/verb_gpu_check.c - `phoenix gpu check` */
#include "base/alloc.h"
#include "gpu/cdi_read.h"
#include "phoenix/findings_cli.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/gpu_cli.h"
#include <string.h>
#include <sys/stat.h>

static void check_host(const struct px_gpu_host *host, struct px_findings *l) {
    if (host->state == PX_GPU_READY)
        px_findings_add(l, PX_VERDICT_OK, "driver", NULL, "module and libraries are %s",
                        host->module);
    else
        px_findings_add(l, host->state == PX_GPU_NO_CARD ? PX_VERDICT_OK : PX_VERDICT_FAIL,
                        "driver", host->state == PX_GPU_NO_CARD ? NULL : host->fix, "%s",
                        host->why);
    if (host->nvml_why[0] && host->state == PX_GPU_READY)
        px_findings_add(l, PX_VERDICT_WARN, "driver", "look into the kernel log (dmesg)",
                        "NVML does not answer: %s", host->nvml_why);
    for (size_t i = 0; i < host->n_cards; i++)
        if (host->cards[i].trouble[0])
            px_findings_add(l, PX_VERDICT_WARN, "card", host->cards[i].fix, "%s: %s",
                            host->cards[i].address, host->cards[i].trouble);
        else
            px_findings_add(l, PX_VERDICT_OK, "card", NULL, "%s: %s, %s", host->cards[i].address,
                            host->cards[i].name, host->cards[i].uuid);
}

static void check_nodes(const struct px_gpu_host *host, struct px_findings *l) {
    static const char *const all[] = {"/dev/nvidiactl", "/dev/nvidia-uvm"};
    for (size_t i = 0; i < PX_N_ELEMENTS(all) && host->module[0]; i++) {
        struct stat st;
        if (stat(all[i], &st) < 0)
            px_findings_add(l, PX_VERDICT_WARN, "nodes", "phoenix gpu ready", "%s is missing",
                            all[i]);
        else if ((st.st_mode & 0006) != 0006)
            px_findings_add(
                l, PX_VERDICT_WARN, "nodes", "load the module with NVreg_DeviceFileMode=0666",
                "%s has mode %04o: no desktop's user could open it", all[i], st.st_mode & 07777);
    }
}

/* What the next start of it would find. */
static void check_desktop(const char *cdi, const struct px_gpu_host *host,
                          const struct px_status *s, struct px_findings *l) {
    struct px_error err = {0};
    px_cleanup_free struct px_gpu_nodes *nodes = px_new0(struct px_gpu_nodes, 1);
    px_cleanup(px_driver_freep) struct px_driver *driver = NULL;
    const bool runs = s->info.init_pid > 0;
    if (!s->rec || s->rec->gpus.n == 0)
        return;
    if (px_gpu_source_nodes(cdi, host, &s->rec->gpus, s->rec->spec.gpus.dri, nodes, &err) < 0 ||
        (host->state != PX_GPU_READY && px_fail(&err, -ENODEV, "%s", host->why) < 0) ||
        px_gpu_source_driver(cdi, host->module, &driver, &err) < 0)
        px_findings_add(
            l, PX_VERDICT_FAIL, s->name, err.hint[0] ? err.hint : host->fix, "%s: %s",
            runs ? "runs with what it has; its next start would fail" : "would not start", err.msg);
    else
        px_findings_add(l, PX_VERDICT_OK, s->name, NULL, "%s %zu card%s and the driver's %zu files",
                        runs ? "after a restart it would have" : "would start with", s->rec->gpus.n,
                        s->rec->gpus.n == 1 ? "" : "s", driver->n_files);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    px_cleanup_free struct px_gpu_host *host = px_gpu_look_here();
    px_cleanup(px_findings_fini) struct px_findings list = {0};
    struct px_status *all = NULL;
    size_t n = 0;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 ||
        (r = px_status_list(fleet, NULL, 0, &(struct px_status_opts){0}, &all, &n, err)) < 0)
        return r;
    check_host(host, &list);
    check_nodes(host, &list);
    for (size_t i = 0; i < n; i++)
        check_desktop(px_fleet_host(fleet)->gpus.cdi, host, &all[i], &list);
    px_status_list_free(all, n);
    return px_cli_print_findings(cli, &list);
}

const struct px_verb px_verb_gpu_check = {
    .name = "check",
    .summary = "say what the next start of each desktop would find",
    .description =
        "After a driver upgrade, or before a reboot: whether the loaded module and the installed "
        "libraries agree, whether the device nodes are there, and for each desktop with cards "
        "whether it would start. Changes nothing.",
    .examples = {{"phoenix gpu check", "A line for the driver, each card and each desktop."}},
    .exits = "0: all would start. 4: something must be mended first.",
    .needs_root = true,
    .run = run,
};
