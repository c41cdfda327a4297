/* src/desktop/locale.c - keyboard layouts and time zones */
#include "desktop/locale.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <string.h>

#define SYMBOLS "/usr/share/X11/xkb/symbols"
#define ZONES "/usr/share/zoneinfo"
#define SYMBOLS_MAX_BYTES (1024 * 1024)

void px_keyboard_split(const char *text, char **ret_layouts, char **ret_variants) {
    struct px_buf layouts = {0}, variants = {0};
    size_t n_variants = 0;
    for (const char *p = text; *p; p += *p == ',') {
        const size_t n = strcspn(p, "(,");
        px_buf_printf(&layouts, "%s%.*s", p == text ? "" : ",", (int)n, p);
        if (p != text)
            px_buf_putc(&variants, ',');
        p += n;
        if (*p != '(')
            continue;
        const size_t size = strcspn(++p, ")");
        px_buf_add(&variants, p, size);
        n_variants++;
        p += size + (p[size] == ')');
    }
    *ret_layouts = px_buf_take(&layouts);
    *ret_variants = n_variants > 0 ? px_buf_take(&variants) : px_strdup("");
    px_buf_fini(&variants);
}

/* Opens @path in the topmost layer that has it; -ENOENT. */
static int open_in(char *const *trees, size_t n_trees, const char *path, int flags) {
    for (size_t i = n_trees; i-- > 0;) {
        px_cleanup_close int root = px_dir_open(AT_FDCWD, trees[i], NULL);
        const int fd = root < 0 ? -1 : px_open_in_root(root, path, flags, 0, NULL);
        if (fd >= 0)
            return fd;
    }
    return -ENOENT;
}

static bool has(char *const *trees, size_t n_trees, const char *path) {
    px_cleanup_close int fd = open_in(trees, n_trees, path, O_PATH);
    return fd >= 0;
}

/* Each variant begins with a line `xkb_symbols "NAME" {`. */
static bool has_variant(char *const *trees, size_t n_trees, const char *path, const char *variant) {
    px_cleanup_close int fd = open_in(trees, n_trees, path, O_RDONLY);
    px_cleanup_free char *text = NULL, *quoted = px_asprintf("\"%s\"", variant);
    if (fd < 0 || px_fd_read_all(fd, SYMBOLS_MAX_BYTES, &text, NULL, NULL) < 0)
        return true; /* cannot tell */
    return strstr(text, quoted) != NULL;
}

static int check_layout(char *const *trees, size_t n_trees, const char *layout, const char *variant,
                        struct px_error *err) {
    px_cleanup_free char *path = px_asprintf(SYMBOLS "/%s", layout);
    if (!has(trees, n_trees, path)) {
        px_fail(err, -EINVAL, "the image has no keyboard layout '%s'", layout);
        return px_hint(err, -EINVAL,
                       "layouts are mostly two letters of a country, such as us, gb, de or fr");
    }
    if (variant[0] == '\0' || has_variant(trees, n_trees, path, variant))
        return 0;
    px_fail(err, -EINVAL, "keyboard layout '%s' has no variant '%s'", layout, variant);
    return px_hint(err, -EINVAL, "write %s alone, or see man xkeyboard-config", layout);
}

int px_keyboard_check(char *const *trees, size_t n_trees, const char *text, struct px_error *err) {
    px_cleanup_free char *layouts = NULL, *variants = NULL;
    if (!has(trees, n_trees, SYMBOLS))
        return 0;
    px_keyboard_split(text, &layouts, &variants);
    char *next_layout = layouts, *next_variant = variants;
    for (char *layout; (layout = strsep(&next_layout, ","));) {
        const char *variant = strsep(&next_variant, ",");
        const int r = check_layout(trees, n_trees, layout, variant ? variant : "", err);
        if (r < 0)
            return r;
    }
    return 0;
}

int px_timezone_check(char *const *trees, size_t n_trees, const char *zone, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf(ZONES "/%s", zone);
    if (!has(trees, n_trees, ZONES) || has(trees, n_trees, path))
        return 0;
    px_fail(err, -EINVAL, "the image has no time zone '%s'", zone);
    return px_hint(err, -EINVAL, "`timedatectl list-timezones` lists them");
}
