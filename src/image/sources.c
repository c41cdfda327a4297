/* src/image/sources.c - where this machine's apt gets Debian from */
#include "image/sources.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "image/deb822.h"
#include <stdbool.h>
#include <string.h>

#define LIST_MAX_BYTES (1024 * 1024)
#define BLANKS " \t\r\n"

static bool has_word(const char *list, const char *word) {
    px_cleanup_free char *copy = px_strdup(list);
    char *save = NULL;
    for (char *w = strtok_r(copy, BLANKS, &save); w; w = strtok_r(NULL, BLANKS, &save))
        if (strcmp(w, word) == 0)
            return true;
    return false;
}

static void add(struct px_apt_sources *ret, const char *uri, const char *suite,
                const char *components, const char *signed_by) {
    px_grow(ret->items, &ret->cap, ret->n + 1);
    ret->items[ret->n++] = (struct px_apt_source){
        px_strdup(uri), px_strdup(suite), px_strdup_null(signed_by), has_word(components, "main")};
}

static void parse_paragraph(const struct px_deb822 *p, struct px_apt_sources *ret) {
    px_cleanup_free char *types = px_deb822_get(p, "Types");
    px_cleanup_free char *uris = px_deb822_get(p, "URIs");
    px_cleanup_free char *suites = px_deb822_get(p, "Suites");
    px_cleanup_free char *components = px_deb822_get(p, "Components");
    px_cleanup_free char *enabled = px_deb822_get(p, "Enabled");
    px_cleanup_free char *signed_by = px_deb822_get(p, "Signed-By");
    if (!types || !uris || !suites || !has_word(types, "deb") ||
        (enabled && strcmp(enabled, "no") == 0))
        return;
    char *save_uri = NULL;
    for (char *u = strtok_r(uris, BLANKS, &save_uri); u; u = strtok_r(NULL, BLANKS, &save_uri)) {
        px_cleanup_free char *all = px_strdup(suites);
        char *save = NULL;
        for (char *s = strtok_r(all, BLANKS, &save); s; s = strtok_r(NULL, BLANKS, &save))
            add(ret, u, s, components ? components : "", signed_by);
    }
}

/* "[arch=amd64 signed-by=/x]": the value of signed-by, the caller's. */
static char *signed_by_option(const char *options) {
    const char *at = strstr(options, "signed-by=");
    return at ? px_strndup(at + 10, strcspn(at + 10, " \t]")) : NULL;
}

/* deb [options] uri suite component... */
static void parse_line(char *line, struct px_apt_sources *ret) {
    line[strcspn(line, "#")] = '\0';
    line += strspn(line, BLANKS);
    if (strncmp(line, "deb", 3) != 0 || !strchr(BLANKS, line[3]) || !line[3])
        return;
    line += 3 + strspn(line + 3, BLANKS);
    px_cleanup_free char *signed_by = NULL;
    if (*line == '[') {
        char *end = strchr(line, ']');
        if (!end)
            return;
        *end = '\0';
        signed_by = signed_by_option(line);
        line = end + 1;
    }
    char *save = NULL;
    const char *uri = strtok_r(line, BLANKS, &save), *suite = strtok_r(NULL, BLANKS, &save);
    if (uri && suite)
        add(ret, uri, suite, save ? save : "", signed_by);
}

void px_apt_sources_parse(const char *text, size_t size, int deb822, struct px_apt_sources *ret) {
    if (deb822) {
        struct px_deb822 p;
        for (size_t at = 0; px_deb822_next(text, size, &at, &p);)
            parse_paragraph(&p, ret);
        return;
    }
    for (const char *p = text, *end = text + size; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);
        px_cleanup_free char *line = px_strndup(p, n);
        parse_line(line, ret);
        p += n + 1;
    }
}

static int read_one(int dir_fd, const char *path, int deb822, struct px_apt_sources *ret,
                    struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(dir_fd, path, LIST_MAX_BYTES, &text, &size, err);
    if (r < 0)
        return r;
    px_apt_sources_parse(text, size, deb822, ret);
    return 0;
}

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

int px_apt_sources_read(const char *etc_apt, struct px_apt_sources *ret, struct px_error *err) {
    px_cleanup_free char *list = px_asprintf("%s/sources.list", etc_apt);
    int r = read_one(AT_FDCWD, list, 0, ret, err);
    if (r < 0 && r != -ENOENT)
        return r;
    px_cleanup_free char *parts = px_asprintf("%s/sources.list.d", etc_apt);
    px_cleanup_closedir DIR *dir = opendir(parts);
    const struct dirent *d;
    while (dir && (d = readdir(dir))) {
        bool deb822 = ends_with(d->d_name, ".sources");
        if (!deb822 && !ends_with(d->d_name, ".list"))
            continue;
        r = read_one(dirfd(dir), d->d_name, deb822, ret, err);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

/* "bookworm-updates" of a bookworm machine becomes "trixie-updates"; NULL: not one of Debian's. */
static char *map_suite(const char *have, const char *codename, const char *suite) {
    const char *names[] = {codename, "stable"};
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++) {
        size_t n = strlen(names[i]);
        if (n == 0 || strncmp(have, names[i], n) != 0)
            continue;
        const char *rest = have + n;
        if (!rest[0] || strcmp(rest, "-updates") == 0 || strcmp(rest, "-security") == 0)
            return px_asprintf("%s%s", suite, rest);
    }
    return NULL;
}

/* Others name their suites after Debian's, too, and have a main; their keys are their own. */
static bool has_debians_keys(const struct px_apt_source *s) {
    return !s->signed_by || strstr(s->signed_by, "debian-archive-") ||
           strstr(s->signed_by, "PGP PUBLIC KEY");
}

int px_apt_sources_derive(const struct px_apt_sources *have, const char *codename,
                          const char *suite, const char *components, char **ret,
                          struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    bool found = false;
    for (size_t i = 0; i < have->n; i++) {
        const struct px_apt_source *s = &have->items[i];
        px_cleanup_free char *mapped = map_suite(s->suite, codename, suite);
        if (!mapped || !s->has_main || !has_debians_keys(s) || strncmp(s->uri, "cdrom:", 6) == 0)
            continue;
        found |= strcmp(mapped, suite) == 0;
        px_buf_printf(&b, "Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\n", s->uri, mapped,
                      components);
        if (s->signed_by)
            px_buf_printf(&b, "Signed-By: %s\n", s->signed_by);
        px_buf_putc(&b, '\n');
    }
    if (!found) {
        px_fail(err, -ENOENT, "apt on this machine has no Debian source to get '%s' from", suite);
        return px_hint(err, -ENOENT,
                       "add Debian's '%s' with component main to /etc/apt/sources.list", suite);
    }
    *ret = px_buf_take(&b);
    return 0;
}

void px_apt_sources_fini(struct px_apt_sources *sources) {
    for (size_t i = 0; i < sources->n; i++) {
        free(sources->items[i].uri);
        free(sources->items[i].suite);
        free(sources->items[i].signed_by);
    }
    free(sources->items);
    *sources = (struct px_apt_sources){0};
}
