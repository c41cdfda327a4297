/* src/desktop/alloc_ids.c - the host's span of ids: chosen once, kept in STATE/ids.json */
#include "desktop/alloc_ids.h"
#include "base/alloc.h"
#include "base/file.h"
#include "desktop/subid.h"
#include <jansson.h>
#include <string.h>

#define IDS_FILE "ids.json"
#define ETC_DIR "/etc"

/* -ENOENT: none yet. */
static int load(int state_fd, struct px_ids *ret, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    int r = px_file_read(state_fd, IDS_FILE, 4096, &text, NULL, err);
    if (r < 0)
        return r;
    json_int_t first = 0, count = 0;
    json_t *root = json_loads(text, 0, NULL);
    int bad = json_unpack(root, "{sI sI}", "first", &first, "count", &count);
    json_decref(root);
    if (bad || first < 65536 || count < 1 || first + count > UINT32_MAX)
        return px_fail(err, -EBADMSG, "'" IDS_FILE "' in the state directory is damaged");
    *ret = (struct px_ids){(uint32_t)first, (uint32_t)count};
    return 0;
}

static int choose(const struct px_host_spec *host, const struct px_subid_line *lines, size_t n,
                  struct px_ids *ret, struct px_error *err) {
    if (host->ids.first == 0)
        return px_subid_choose(lines, n, host->ids.count, ret, err);
    *ret = (struct px_ids){host->ids.first, host->ids.count};
    return 0;
}

int px_alloc_ids_span(const struct px_host_spec *host, int state_fd, struct px_ids *ret,
                      struct px_error *err) {
    px_cleanup_free struct px_subid_line *lines = NULL;
    size_t n = 0;
    int r = px_subid_load(ETC_DIR, &lines, &n, err);
    if (r < 0)
        return r;
    struct px_ids span;
    r = load(state_fd, &span, err);
    if (r == 0 && host->ids.first != 0 && host->ids.first != span.first) {
        px_fail(err, -EINVAL, "ids.first is %u in the host file, but this host's desktops use %u",
                host->ids.first, span.first);
        return px_hint(err, -EINVAL, "remove all desktops and STATE/" IDS_FILE " first");
    }
    const bool fresh = r == -ENOENT;
    if (fresh)
        r = choose(host, lines, n, &span, err);
    else if (r == 0 && host->ids.count > span.count)
        span.count = host->ids.count; /* growing is fine where the ids are free */
    if (r < 0 || (r = px_subid_check(lines, n, span, err)) < 0)
        return r;
    if (host->ids.reserve && (r = px_subid_write(ETC_DIR, span, err)) < 0)
        return r;
    px_cleanup_free char *text =
        px_asprintf("{\"first\": %u, \"count\": %u}\n", span.first, span.count);
    if (fresh && (r = px_file_write_atomic(state_fd, IDS_FILE, text, strlen(text), 0600, err)) < 0)
        return r;
    *ret = span;
    return 0;
}
