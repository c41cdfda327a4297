/* src/check/verify_desk.c - what checks of a desktop share */
#include "check/verify_desk.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "desktop/reach.h"
#include <string.h>

#define TIMEOUT_US (10 * PX_US_PER_S)
#define MAX_BYTES (64 * 1024)

int px_desk_run(const struct px_verify_desk *desk, const struct px_desk_run *what,
                struct px_buf *ret, char ret_why[PX_DESK_WHY_MAX], struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf errs = {0};
    const struct px_exec_opts opts = {.argv = what->argv,
                                      .user = what->user,
                                      .session = what->session,
                                      .timeout_us =
                                          what->timeout_us ? what->timeout_us : TIMEOUT_US};
    int r = px_desktop_collect(desk->fleet, desk->d, &opts,
                               what->max_bytes ? what->max_bytes : MAX_BYTES, ret, &errs, err);
    if (ret_why) {
        const char *text = px_buf_str(&errs);
        snprintf(ret_why, PX_DESK_WHY_MAX, "%.*s", (int)strcspn(text, "\n"), text);
        px_text_clean(ret_why);
    }
    return r;
}

bool px_desk_has(const struct px_verify_desk *desk, const char *path) {
    px_cleanup_close int root = px_fleet_backend(desk->fleet)->root(&desk->d->c, NULL);
    if (root < 0)
        return false;
    px_cleanup_close int fd = px_open_in_root(root, path, O_PATH, 0, NULL);
    return fd >= 0;
}
