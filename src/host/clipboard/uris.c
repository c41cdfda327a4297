/* src/host/clipboard/uris.c - paths of copied files, as X programs exchange them */
#include "host/clipboard/uris.h"
#include "base/alloc.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATH_MAX_BYTES 4096

void px_paths_fini(struct px_paths *p) {
    for (size_t i = 0; i < p->n; i++)
        free(p->list[i]);
    free(p->list);
    *p = (struct px_paths){0};
}

void px_paths_add(struct px_paths *p, const char *path) {
    px_grow(p->list, &p->cap, p->n + 1);
    p->list[p->n++] = px_strdup(path);
}

static int hex(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* What follows "file:" up to the path, or NULL: not of this machine. */
static const char *skip_host(const char *p, const char *end) {
    static const char local[] = "localhost";
    if (end - p < 2 || p[0] != '/' || p[1] != '/')
        return p < end && *p == '/' ? p : NULL;
    p += 2;
    const size_t n = sizeof(local) - 1;
    if ((size_t)(end - p) > n && strncasecmp(p, local, n) == 0)
        p += n;
    return p < end && *p == '/' ? p : NULL;
}

static void take_line(const char *p, const char *end, struct px_paths *ret) {
    char path[PATH_MAX_BYTES];
    size_t n = 0;
    if (end - p < 5 || strncasecmp(p, "file:", 5) != 0)
        return;
    p = skip_host(p + 5, end);
    for (; p && p < end; p++) {
        int c = (unsigned char)*p;
        if (c == '%') {
            const int high = end - p > 2 ? hex(p[1]) : -1, low = end - p > 2 ? hex(p[2]) : -1;
            if (high < 0 || low < 0)
                return;
            c = high << 4 | low;
            p += 2;
        }
        if (c == 0 || n + 1 >= sizeof(path))
            return;
        path[n++] = (char)c;
    }
    while (n > 1 && path[n - 1] == '/')
        n--;
    path[n] = '\0';
    if (n > 1) /* not "/": that is no file that anybody copies */
        px_paths_add(ret, path);
}

void px_uris_parse(const char *text, size_t size, struct px_paths *ret) {
    const char *end = text + size;
    *ret = (struct px_paths){0};
    while (text < end && ret->n < PX_URIS_MAX) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        const char *last = stop ? stop : end;
        const char *line_end = last > text && last[-1] == '\r' ? last - 1 : last;
        take_line(text, line_end, ret);
        text = stop ? stop + 1 : end;
    }
}

static void add_uri(struct px_buf *out, const char *path) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    px_buf_puts(out, "file://");
    for (const char *p = path; *p; p++)
        if (strchr(plain, *p))
            px_buf_putc(out, *p);
        else
            px_buf_printf(out, "%%%02X", (unsigned char)*p);
}

void px_uris_print(const struct px_paths *p, bool gnome, struct px_buf *out) {
    if (gnome)
        px_buf_puts(out, "copy");
    for (size_t i = 0; i < p->n; i++) {
        if (gnome)
            px_buf_putc(out, '\n');
        add_uri(out, p->list[i]);
        if (!gnome)
            px_buf_puts(out, "\r\n");
    }
}
