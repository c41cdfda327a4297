/* src/check/verify_screen.c - what a person would see: the screen, and JupyterLab */
#include "base/alloc.h"
#include "base/clock.h"
#include "check/verify_desk.h"
#include "desktop/ready.h"
#include "desktop/xwd.h"

#define DUMP_MAX_BYTES (256u * 1024 * 1024)
#define COLOURS_ENOUGH 16 /* wallpaper and panel have thousands; an empty X screen has one */

/* How many different colours there are, counted up to 65536 by their upper 5 or 6 bits. */
static unsigned count_colours(const struct px_xwd *x) {
    px_cleanup_free uint8_t *seen = px_calloc(1, 65536), *row = px_calloc(x->width_px, 3);
    unsigned n = 0;
    for (uint32_t y = 0; y < x->height_px; y++) {
        px_xwd_row(x, y, row);
        for (uint32_t i = 0; i < x->width_px; i++) {
            const uint8_t *p = row + (size_t)i * 3;
            const unsigned key = (p[0] >> 3 << 11) | (p[1] >> 2 << 5) | p[2] >> 3;
            n += !seen[key];
            seen[key] = 1;
        }
    }
    return n;
}

void px_verify_screen(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    static const char *const argv[] = {"xwd", "-root", "-silent", NULL};
    const char *name = desk->d->rec->spec.name;
    px_cleanup_free char *fix = px_asprintf("phoenix logs %s --unit phoenix-desktop", name);
    px_cleanup(px_buf_fini) struct px_buf dump = {0};
    char why[PX_DESK_WHY_MAX];
    struct px_error err = {0};
    struct px_xwd x;
    if (!desk->has_session) {
        px_found_skip(ret, "screen", "its image has no X session");
        return;
    }
    const int64_t t0 = px_now_us();
    int r = px_desk_run(desk,
                        &(struct px_desk_run){.argv = argv,
                                              .session = true,
                                              .max_bytes = DUMP_MAX_BYTES,
                                              .timeout_us = 20 * PX_US_PER_S},
                        &dump, why, &err);
    if (r > 0)
        px_found_fail(ret, "screen", fix, "xwd ended with status %d: %s", r, why);
    else if (r < 0 || px_xwd_parse(dump.data, dump.size, &x, &err) < 0)
        px_found_error(ret, "screen", &err);
    else {
        const unsigned n = count_colours(&x);
        const double ms = (double)(px_now_us() - t0) / 1e3;
        if (!px_ready_painted(desk->fleet, desk->d))
            px_found_fail(ret, "screen", fix, "the session has not painted yet");
        else if (n < COLOURS_ENOUGH)
            px_found_fail(ret, "screen", fix, "%ux%u, but only %u colours: nothing is drawn",
                          x.width_px, x.height_px, n);
        else
            px_found_ok(ret, "screen", "%ux%u, %u colours, taken in %.0f ms", x.width_px,
                        x.height_px, n, ms);
        px_findings_value(ret, n, "colours");
    }
}

void px_verify_jupyter(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    px_cleanup_free char *fix =
        px_asprintf("phoenix logs %s --unit phoenix-jupyter", desk->d->rec->spec.name);
    struct px_error err = {0};
    if (!px_ready_has_jupyter(desk->fleet, desk->d)) {
        px_found_skip(ret, "jupyter",
                      desk->d->rec->spec.jupyter ? "its image has no JupyterLab"
                                                 : "its file wants none");
        return;
    }
    const int64_t t0 = px_now_us();
    const int with = px_ready_ask_jupyter(desk->d, true, &err);
    const double ms = (double)(px_now_us() - t0) / 1e3;
    const int without = with < 0 ? 0 : px_ready_ask_jupyter(desk->d, false, &err);
    if (with < 0)
        px_found_fail(ret, "jupyter", fix, "%s", err.msg);
    else if (with != 200)
        px_found_fail(ret, "jupyter", fix, "HTTP status %d for who has the token", with);
    else if (without == 200)
        px_found_fail(ret, "jupyter", "stop it: anybody on its network may run code in it",
                      "it answers without the token, too");
    else
        px_found_ok(ret, "jupyter", "HTTP 200 with its token in %.1f ms, %d without", ms, without);
    px_findings_value(ret, ms, "ms");
}
