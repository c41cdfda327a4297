/* src/check/verify_gpu.c - its cards, proven from inside and measured against the host
 *
 * phoenix-gpu-probe runs inside as the desktop's user, then inside and on the host by turns, on the
 * same cards, for the rates. What it says inside is a stranger's word: read in bounds. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "check/verify_desk.h"
#include "check/verify_gpu_parse.h"
#include "desktop/gpus.h"
#include <string.h>

#define PROBE_TIMEOUT_US (100 * PX_US_PER_S)
#define LOCK_WAIT_MS 60000
#define ROUNDS 3
#define RATIO_MIN 0.95 /* above what two runs of the same program differ by */

/* The desktop's cards, in the order of their PCI addresses, which is CUDA's inside as well. */
static void sort_cards(struct px_gpu_grants *cards, const struct px_gpu_host *host) {
    for (size_t i = 1; i < cards->n; i++)
        for (size_t k = i; k > 0; k--) {
            const struct px_gpu_card *a = px_gpu_by_uuid(host, cards->items[k - 1].uuid);
            const struct px_gpu_card *b = px_gpu_by_uuid(host, cards->items[k].uuid);
            if (!a || !b || a <= b)
                break;
            const struct px_gpu_grant swap = cards->items[k];
            cards->items[k] = cards->items[k - 1];
            cards->items[k - 1] = swap;
        }
}

static int read_answer(struct px_buf *out, struct px_findings *ret, struct px_error *err) {
    return px_findings_parse(px_buf_str(out), out->size, ret, err);
}

/* @rates: only what is measured. */
static int probe_inside(const struct px_verify_desk *desk, const struct px_gpu_grants *cards,
                        bool rates, struct px_findings *ret, struct px_error *err) {
    const char *argv[PX_GPU_GRANTS_MAX + 4] = {PX_GPUS_PROBE, "--json"};
    size_t n = 2;
    char why[PX_DESK_WHY_MAX];
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    if (rates)
        argv[n++] = "--rates";
    for (size_t i = 0; i < cards->n; i++)
        argv[n++] = cards->items[i].uuid;
    const struct px_desk_run what = {
        .argv = argv, .timeout_us = PROBE_TIMEOUT_US, .max_bytes = PX_FINDINGS_TEXT_MAX_BYTES};
    int r = px_desk_run(desk, &what, &out, why, err);
    if (r == 126 || r == 127) {
        px_fail(err, -ENOENT, "phoenix-gpu-probe cannot be run inside%s%s", why[0] ? ": " : "",
                why);
        return px_hint(err, -ENOENT, "phoenix restart %s", desk->d->rec->spec.name);
    }
    if (r >= 0 && out.size == 0)
        return px_fail(err, -EIO, "phoenix-gpu-probe ended with %d and said nothing%s%s", r,
                       why[0] ? ": " : "", why);
    return r < 0 ? r : read_answer(&out, ret, err);
}

static int probe_outside(const struct px_gpu_host *host, const struct px_gpu_grants *cards,
                         struct px_findings *ret, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf out = {0}, visible = {0};
    px_cleanup_free char *probe = px_gpus_probe_path();
    px_cleanup_free char *cuda = px_driver_library("/", host->module, "libcuda.so.1");
    char *slash = cuda ? strrchr(cuda, '/') : NULL;
    if (!probe || !slash)
        return px_fail(err, -ENOENT, "%s is not on this host",
                       probe ? "libcuda" : "phoenix-gpu-probe");
    *slash = '\0';
    for (size_t i = 0; i < cards->n; i++)
        px_buf_printf(&visible, "%s%s", i ? "," : "CUDA_VISIBLE_DEVICES=", cards->items[i].uuid);
    px_cleanup_free char *path = px_asprintf("LD_LIBRARY_PATH=%s", cuda);
    const char *const argv[] = {probe, "--json", "--rates", NULL};
    const char *const env[] = {path, px_buf_str(&visible), NULL};
    const struct px_proc_opts opts = {.argv = argv,
                                      .env = env,
                                      .out = &out,
                                      .max_bytes = PX_FINDINGS_TEXT_MAX_BYTES,
                                      .timeout_us = PROBE_TIMEOUT_US,
                                      .die_with_parent = true};
    int r = px_proc_run(&opts, err);
    return r < 0 ? r : read_answer(&out, ret, err);
}

/* By turns, so that a clock or a neighbour that changes meets both sides. */
static int measure(const struct px_verify_desk *desk, const struct px_gpu_host *host,
                   const struct px_gpu_grants *cards, struct px_rates *rates,
                   struct px_error *err) {
    for (int i = 0; i < 2 * ROUNDS; i++) {
        const bool inside = i % 2;
        px_cleanup(px_findings_fini) struct px_findings found = {0};
        int r = inside ? probe_inside(desk, cards, true, &found, err)
                       : probe_outside(host, cards, &found, err);
        if (r < 0)
            return px_wrap(err, r, inside ? "inside" : "outside");
        px_rates_add(rates, &found, inside);
    }
    return 0;
}

static void compare(const struct px_verify_desk *desk, const struct px_gpu_host *host,
                    const struct px_gpu_grants *cards, struct px_findings *ret) {
    struct px_error err = {0};
    px_cleanup_free struct px_rates *rates = px_new0(struct px_rates, 1);
    /* Desktops are verified side by side: two that measure at once would measure each other. */
    px_cleanup_close int lock =
        px_lock(px_fleet_state_fd(desk->fleet), "gpu-measure.lock", LOCK_WAIT_MS, &err);
    if (lock < 0) {
        px_found_skip(ret, "gpu-ratio", "another desktop's cards are being measured");
        return;
    }
    const size_t before = ret->n;
    if (measure(desk, host, cards, rates, &err) < 0) {
        px_found_skip(ret, "gpu-ratio", "not compared with the host: %s", err.msg);
        return;
    }
    px_rates_judge(rates, RATIO_MIN, ret);
    if (ret->n == before)
        px_found_skip(ret, "gpu-ratio", "nothing was measured on both sides");
}

void px_verify_gpu(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    struct px_error err = {0};
    if (desk->d->rec->gpus.n == 0) {
        px_found_skip(ret, "gpu", "it has no card");
        return;
    }
    px_cleanup_free struct px_gpu_grants *cards = px_new0(struct px_gpu_grants, 1);
    px_cleanup_free struct px_gpu_host *host = px_new0(struct px_gpu_host, 1);
    *cards = desk->d->rec->gpus;
    px_gpu_look("/", NULL, host);
    sort_cards(cards, host);
    if (host->state != PX_GPU_READY)
        px_found_warn(ret, "gpu", host->fix, "its next start would fail: %s", host->why);
    if (probe_inside(desk, cards, false, ret, &err) < 0) {
        px_found_error(ret, "gpu", &err);
        return;
    }
    if (px_findings_count(ret, PX_VERDICT_FAIL) == 0 && host->state == PX_GPU_READY)
        compare(desk, host, cards, ret);
}
