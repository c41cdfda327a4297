/* src/spec/gen.c - what is made from the tables of our files: JSON Schemas and tables of keys
 *
 *     spec-gen schema KIND          the JSON Schema of a kind of file: desktop, host, recipe
 *     spec-gen write DOCS           brings DOCS/schema/KIND.schema.json and DOCS/files.md up to
 * date spec-gen check DOCS           0 when there is nothing to write spec-gen parse KIND FILE
 * reads a file as phoenix would, for tests
 *
 * A tool of the build, not installed. In files.md it owns what lies between the lines
 * "<!-- keys: KIND -->" and "<!-- end of keys -->". */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "spec/desktop.h"
#include "spec/host.h"
#include "spec/recipe.h"
#include <string.h>

#define DOC_MAX_BYTES (1024 * 1024)

static int parse_desktop(const char *name, const char *text, size_t size, struct px_error *err) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *file = NULL;
    return px_desktop_file_parse(name, text, size, &file, err);
}

static int parse_host(const char *name, const char *text, size_t size, struct px_error *err) {
    px_cleanup(px_host_freep) struct px_host_spec *host = NULL;
    return px_host_parse(name, text, size, &host, err);
}

static int parse_recipe(const char *name, const char *text, size_t size, struct px_error *err) {
    px_cleanup(px_recipe_freep) struct px_recipe *recipe = NULL;
    return px_recipe_parse(name, text, size, &recipe, err);
}

static const struct kind {
    const char *name;
    char *(*schema)(void);
    char *(*keys)(void);
    int (*parse)(const char *name, const char *text, size_t size, struct px_error *err);
} kinds[] = {
    {"desktop", px_desktop_file_schema, px_desktop_file_keys, parse_desktop},
    {"host", px_host_schema, px_host_keys, parse_host},
    {"recipe", px_recipe_schema, px_recipe_keys, parse_recipe},
};

static const struct kind *find_kind(const char *name, size_t n) {
    for (size_t i = 0; i < PX_N_ELEMENTS(kinds); i++)
        if (strlen(kinds[i].name) == n && strncmp(kinds[i].name, name, n) == 0)
            return &kinds[i];
    return NULL;
}

/* @text with the tables between its marks made anew. */
static int with_keys(const char *text, char **ret, struct px_error *err) {
    static const char open[] = "<!-- keys: ", close[] = " -->\n", end[] = "<!-- end of keys -->\n";
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    const char *p = text, *mark;
    while ((mark = strstr(p, open))) {
        const char *name = mark + strlen(open), *body = strstr(name, close);
        const struct kind *kind = body ? find_kind(name, (size_t)(body - name)) : NULL;
        const char *after = body ? strstr(body, end) : NULL;
        if (!kind || !after)
            return px_fail(err, -EINVAL, "no known kind of file or no end at '%.30s'", mark);
        px_cleanup_free char *keys = kind->keys();
        px_buf_add(&b, p, (size_t)(body - p) + strlen(close));
        px_buf_printf(&b, "%s", keys);
        p = after;
    }
    px_buf_puts(&b, p);
    *ret = px_buf_take(&b);
    return 0;
}

/* Writes @text to @path where it differs, or with @look says that it does. */
static int update(const char *path, const char *text, bool look, struct px_error *err) {
    px_cleanup_free char *have = NULL;
    int r = px_file_read(AT_FDCWD, path, DOC_MAX_BYTES, &have, NULL, err);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r == 0 && strcmp(have, text) == 0)
        return 0;
    if (!look)
        return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
    px_fail(err, -EINVAL, "'%s' is not what the tables in src/spec say", path);
    return px_hint(err, -EINVAL, "ninja -C build update-docs");
}

static int docs(const char *dir, bool look, struct px_error *err) {
    for (size_t i = 0; i < PX_N_ELEMENTS(kinds); i++) {
        px_cleanup_free char *path = px_asprintf("%s/schema/%s.schema.json", dir, kinds[i].name);
        px_cleanup_free char *schema = kinds[i].schema();
        int r = update(path, schema, look, err);
        if (r < 0)
            return r;
    }
    px_cleanup_free char *page = px_asprintf("%s/files.md", dir);
    px_cleanup_free char *have = NULL, *want = NULL;
    int r = px_file_read(AT_FDCWD, page, DOC_MAX_BYTES, &have, NULL, err);
    if (r == 0)
        r = with_keys(have, &want, err);
    return r < 0 ? r : update(page, want, look, err);
}

static int parse(const struct kind *kind, const char *path, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(AT_FDCWD, path, PX_DESKTOP_FILE_MAX_BYTES, &text, &size, err);
    return r < 0 ? r : kind->parse(path, text, size, err);
}

int main(int argc, char **argv) {
    struct px_error err = {0};
    const char *verb = argc > 2 ? argv[1] : "";
    const struct kind *kind = argc > 2 ? find_kind(argv[2], strlen(argv[2])) : NULL;
    int r = 0;
    if (strcmp(verb, "schema") == 0 && kind) {
        px_cleanup_free char *text = kind->schema();
        fputs(text, stdout);
    } else if (strcmp(verb, "parse") == 0 && kind && argc == 4) {
        r = parse(kind, argv[3], &err);
    } else if (strcmp(verb, "write") == 0 || strcmp(verb, "check") == 0) {
        r = docs(argv[2], strcmp(verb, "check") == 0, &err);
    } else {
        fprintf(stderr,
                "usage: spec-gen schema KIND | write DOCS | check DOCS | parse KIND FILE\n");
        return 2;
    }
    if (r < 0)
        fprintf(stderr, "%s%s%s%s\n", err.msg, err.hint[0] ? " (hint: " : "", err.hint,
                err.hint[0] ? ")" : "");
    return r < 0 ? 1 : 0;
}
