/* src/image/deb822.c - paragraphs of "Field: value" lines */
#include "image/deb822.h"
#include "base/alloc.h"
#include "base/buf.h"
#include <string.h>
#include <strings.h>

/* Length of the line at @p without its newline. */
static size_t line_size(const char *p, const char *end) {
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    return (size_t)((nl ? nl : end) - p);
}

static bool is_blank(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
            return false;
    return true;
}

bool px_deb822_next(const char *text, size_t size, size_t *at, struct px_deb822 *ret) {
    const char *p = text + *at, *end = text + size, *start = NULL;
    while (p < end) {
        size_t n = line_size(p, end);
        bool blank = is_blank(p, n);
        if (!start && !blank)
            start = p;
        if (start && blank)
            break;
        p += n + (p + n < end);
    }
    *at = (size_t)(p - text);
    if (!start)
        return false;
    *ret = (struct px_deb822){start, (size_t)(p - start)};
    return true;
}

static void add_trimmed(struct px_buf *b, const char *p, size_t n) {
    while (n > 0 && strchr(" \t\r", p[n - 1]))
        n--;
    px_buf_add(b, p, n);
}

char *px_deb822_get(const struct px_deb822 *para, const char *field) {
    const char *p = para->text, *end = para->text + para->size;
    const size_t name_size = strlen(field);
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    bool found = false;
    for (size_t n; p < end; p += n + (p + n < end)) {
        n = line_size(p, end);
        if (n > 0 && *p == '#')
            continue;
        bool more = n > 0 && (*p == ' ' || *p == '\t');
        if (found && !more)
            break;
        if (found) {
            px_buf_putc(&b, '\n');
            add_trimmed(&b, p, n);
        } else if (!more && n > name_size && p[name_size] == ':' &&
                   strncasecmp(p, field, name_size) == 0) {
            const char *v = p + name_size + 1, *line_end = p + n;
            while (v < line_end && (*v == ' ' || *v == '\t'))
                v++;
            add_trimmed(&b, v, (size_t)(line_end - v));
            found = true;
        }
    }
    return found ? px_buf_take(&b) : NULL;
}
