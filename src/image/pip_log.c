/* src/image/pip_log.c - what pip fetched: file names of wheels, and its log */
#include "base/alloc.h"
#include "image/pip.h"
#include <stdbool.h>
#include <string.h>

static bool is_part(const char *s, size_t n) {
    static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+!";
    for (size_t i = 0; i < n; i++)
        if (!s[i] || !strchr(ok, s[i]))
            return false;
    return n > 0;
}

/* name-version(-build)?-python-abi-platform.whl; no part has a '-' of its own. */
int px_wheel_parse(const char *file, char **ret_name, char **ret_version, struct px_error *err) {
    const size_t n = strlen(file);
    const char *dash = strchr(file, '-');
    const char *second = dash ? strchr(dash + 1, '-') : NULL;
    unsigned n_dashes = 0;
    for (const char *p = file; *p; p++)
        n_dashes += *p == '-';
    if (n < 5 || strcmp(file + n - 4, ".whl") != 0 || n_dashes < 4 || n_dashes > 5 ||
        !is_part(file, (size_t)(dash - file)) || !is_part(dash + 1, (size_t)(second - dash - 1)))
        return px_fail(err, -EINVAL, "'%.200s' is not a wheel's file name", file);
    *ret_name = px_strndup(file, (size_t)(dash - file));
    *ret_version = px_strndup(dash + 1, (size_t)(second - dash - 1));
    return 0;
}

static void add_once(struct px_store_names *names, const char *file, size_t n) {
    size_t at = 0;
    px_cleanup_free char *name = px_strndup(file, n);
    while (at < names->n && strcasecmp(names->items[at], name) < 0)
        at++;
    if (at < names->n && strcmp(names->items[at], name) == 0)
        return;
    px_grow(names->items, &names->cap, names->n + 1);
    memmove(&names->items[at + 1], &names->items[at], (names->n - at) * sizeof(char *));
    names->items[at] = px_take_ptr(name);
    names->n++;
}

/* "2026-01-01T10:00:00,123   Saved ./wheels/x.whl", "... File was already downloaded /wheels/x.whl"
 */
void px_pip_log_parse(const char *text, size_t size, struct px_store_names *ret) {
    static const char *const said[] = {" Saved ", " File was already downloaded "};
    for (const char *p = text, *end = text + size; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const size_t n = (size_t)((nl ? nl : end) - p);
        px_cleanup_free char *line = px_strndup(p, n);
        p += n + 1;
        for (size_t i = 0; i < PX_N_ELEMENTS(said); i++) {
            const char *at = strstr(line, said[i]);
            const char *slash = strrchr(line, '/');
            const char *suffix = strstr(line, ".whl");
            if (at && slash && suffix && slash > at && suffix > slash + 1)
                add_once(ret, slash + 1, (size_t)(suffix + 4 - slash - 1));
        }
    }
}
