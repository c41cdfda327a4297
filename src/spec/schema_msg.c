/* src/spec/schema_msg.c - where we are in a file, what was expected there and what was found */
#include "base/alloc.h"
#include "base/buf.h"
#include "spec/schema.h"
#include <stdio.h>
#include <string.h>

#define FOUND_MAX 40 /* bytes of a value shown in a message */

static void put_path(struct px_buf *b, const struct px_at *at) {
    if (!at->up)
        return;
    put_path(b, at->up);
    if (!at->key)
        px_buf_printf(b, "[%zu]", at->index);
    else
        px_buf_printf(b, "%s%s", b->size ? "." : "", at->key);
}

/* "lab.yaml:4: desktops[1].memory" */
static char *where(const struct px_at *at, const struct px_node *node) {
    const struct px_at *file = at;
    while (file->up)
        file = file->up;
    px_cleanup(px_buf_fini) struct px_buf path = {0};
    put_path(&path, at);
    const unsigned line = node ? px_node_line(node) : 0;
    char number[16] = "";
    if (line > 0)
        snprintf(number, sizeof(number), ":%u", line);
    return px_asprintf("%s%s%s%s", file->key, number, path.size ? ": " : "", px_buf_str(&path));
}

int px_at_wrap(const struct px_at *at, const struct px_node *node, struct px_error *err) {
    px_cleanup_free char *place = where(at, node);
    return px_wrap(err, -EINVAL, "%s", place);
}

int px_at_fail(const struct px_at *at, const struct px_node *node, struct px_error *err,
               const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    px_cleanup_free char *text = px_vasprintf(fmt, ap);
    va_end(ap);
    px_fail(err, -EINVAL, "%s", text);
    return px_at_wrap(at, node, err);
}

char *px_node_found(const struct px_node *node) {
    if (node->kind == PX_NODE_LIST)
        return px_strdup("a list");
    if (node->kind == PX_NODE_MAP)
        return px_strdup("a mapping");
    if (px_node_is_null(node))
        return px_strdup("nothing");
    size_t n = strlen(node->text);
    const bool cut = n > FOUND_MAX;
    for (n = cut ? FOUND_MAX : n; cut && (node->text[n] & 0xc0) == 0x80;)
        n--; /* not in the middle of a character */
    px_cleanup_free char *text = px_strndup(node->text, n);
    return px_asprintf("'%s%s'", text, cut ? "..." : "");
}

static char *expected_uint(const struct px_field *f) {
    return f->max < UINT32_MAX
               ? px_asprintf("a whole number from %ju to %ju", (uintmax_t)f->min, (uintmax_t)f->max)
               : px_asprintf("a whole number, at least %ju", (uintmax_t)f->min);
}

static char *expected_words(const struct px_field *f) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (size_t i = 0; f->words[i]; i++)
        px_buf_printf(&b, "%s'%s'", i == 0 ? "" : f->words[i + 1] ? ", " : " or ", f->words[i]);
    return px_buf_take(&b);
}

char *px_field_expected(const struct px_field *f) {
    px_cleanup_free char *text = NULL;
    if (f->expected)
        return px_strdup(f->expected);
    switch (f->kind) {
    case PX_FIELD_UINT:
        text = expected_uint(f);
        break;
    case PX_FIELD_SIZE:
        text = px_strdup("a size such as 8GiB");
        break;
    case PX_FIELD_BOOL:
        return px_strdup("true or false");
    case PX_FIELD_ENUM:
        return expected_words(f);
    case PX_FIELD_MAP:
        return px_strdup("a mapping of keys to values");
    case PX_FIELD_LIST:
        return px_strdup("a list");
    case PX_FIELD_STRING:
    case PX_FIELD_TEXT:
    case PX_FIELD_UNION:
    case PX_FIELD_END:
        return px_strdup("text");
    }
    return f->zero_word ? px_asprintf("%s, or '%s'", text, f->zero_word) : px_take_ptr(text);
}
