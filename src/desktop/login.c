/* src/desktop/login.c - renaming the ordinary user in an image's account files */
#include "desktop/login.h"
#include "base/alloc.h"
#include "base/buf.h"
#include <stdbool.h>
#include <string.h>

static bool is_word(const char *p, size_t n, const char *word) {
    return n == strlen(word) && memcmp(p, word, n) == 0;
}

/* One field: a name, a list of names with commas, or a home directory. */
static void rename_field(const char *p, size_t n, const char *from, const char *to,
                         struct px_buf *out) {
    static const char home[] = "/home/";
    const size_t home_len = sizeof(home) - 1;
    if (n > home_len && memcmp(p, home, home_len) == 0 &&
        is_word(p + home_len, n - home_len, from)) {
        px_buf_printf(out, "%s%s", home, to);
        return;
    }
    for (size_t i = 0; i <= n;) {
        const char *comma = memchr(p + i, ',', n - i);
        const size_t len = comma ? (size_t)(comma - (p + i)) : n - i;
        if (is_word(p + i, len, from))
            px_buf_puts(out, to);
        else
            px_buf_add(out, p + i, len);
        if (!comma)
            break;
        px_buf_putc(out, ',');
        i += len + 1;
    }
}

static void rename_line(const char *p, size_t n, const char *from, const char *to,
                        struct px_buf *out) {
    for (size_t i = 0; i <= n;) {
        const char *colon = memchr(p + i, ':', n - i);
        const size_t len = colon ? (size_t)(colon - (p + i)) : n - i;
        rename_field(p + i, len, from, to, out);
        if (!colon)
            break;
        px_buf_putc(out, ':');
        i += len + 1;
    }
}

char *px_login_rename(const char *text, size_t size, const char *from, const char *to) {
    struct px_buf out = {0};
    for (const char *p = text, *end = text + size; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const size_t len = (size_t)((nl ? nl : end) - p);
        rename_line(p, len, from, to, &out);
        if (nl)
            px_buf_putc(&out, '\n');
        p += len + 1;
    }
    return px_buf_take(&out);
}
