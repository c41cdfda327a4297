/* src/spec/schema.c - reading a tree of nodes into a struct by tables, with messages */
#include "spec/schema.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"
#include <assert.h>
#include <string.h>

#define KEYS_SHOWN 64 /* most keys of one mapping that are searched for a near miss */

static void *field_at(const struct px_field *f, void *obj) {
    return (char *)obj + f->offset;
}

static int unexpected(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                      struct px_error *err) {
    px_cleanup_free char *expected = px_field_expected(f), *found = px_node_found(node);
    return px_at_fail(at, node, err, "expected %s, found %s", expected, found);
}

/* For a key with nothing behind it. */
static int hint_null(const struct px_node *node, struct px_error *err) {
    return px_node_is_null(node)
               ? px_hint(err, -EINVAL, "give it a value, or remove the key for its default")
               : -EINVAL;
}

/* ---- scalars ---- */

static int load_string(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                       void *obj, struct px_error *err) {
    if (node->text[0] == '\0' && !f->empty_ok)
        return unexpected(at, f, node, err);
    for (const char *p = node->text; *p && !f->multiline; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return px_at_fail(at, node, err, "expected one line of text without tabs");
    if (f->check && f->check(node->text, err) < 0)
        return px_at_wrap(at, node, err);
    char **to = field_at(f, obj);
    free(*to);
    *to = px_strdup(node->text);
    return 0;
}

static int load_bool(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                     void *obj, struct px_error *err) {
    static const struct {
        const char *text;
        const char *meant; /* for what YAML 1.1 took and 1.2 does not; NULL: good */
        bool value;
    } words[] = {
        {"true", NULL, true},   {"True", NULL, true},   {"TRUE", NULL, true},
        {"false", NULL, false}, {"False", NULL, false}, {"FALSE", NULL, false},
        {"yes", "true"},        {"on", "true"},         {"y", "true"},
        {"1", "true"},          {"no", "false"},        {"off", "false"},
        {"n", "false"},         {"0", "false"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(words); i++) {
        if (strcasecmp(words[i].text, node->text) != 0)
            continue;
        if (words[i].meant || node->quoted) {
            unexpected(at, f, node, err);
            return px_hint(err, -EINVAL, "write %s%s",
                           words[i].meant ? words[i].meant : words[i].text,
                           node->quoted ? " without quotes" : "");
        }
        *(bool *)field_at(f, obj) = words[i].value;
        return 0;
    }
    return unexpected(at, f, node, err);
}

/* Decimal digits only, as every YAML and JSON reader takes them. -EINVAL, -ERANGE. */
static int parse_uint(const char *text, uint64_t *ret) {
    uint64_t v = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return -EINVAL;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return -ERANGE;
    }
    *ret = v;
    return 0;
}

static bool is_zero_word(const struct px_field *f, const struct px_node *node) {
    return f->zero_word && strcmp(node->text, f->zero_word) == 0;
}

static int load_uint(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                     void *obj, struct px_error *err) {
    uint64_t v = 0;
    if (!is_zero_word(f, node)) {
        int r = parse_uint(node->text, &v);
        if (r < 0 || v < f->min || v > f->max || node->quoted) {
            unexpected(at, f, node, err);
            return r == 0 && node->quoted ? px_hint(err, -EINVAL, "write it without quotes")
                                          : -EINVAL;
        }
    }
    *(unsigned *)field_at(f, obj) = (unsigned)v;
    return 0;
}

/* "8" where a size is wanted is hardly 8 bytes. */
static int hint_unit(const struct px_field *f, const char *text, struct px_error *err) {
    uint64_t n = 0;
    if (parse_uint(text, &n) < 0 || n == 0)
        return -EINVAL;
    if (n <= 512 && n << 30 >= f->min)
        return px_hint(err, -EINVAL, "did you mean %juGiB?", (uintmax_t)n);
    if (n <= 1024 * 1024 && n << 20 >= f->min)
        return px_hint(err, -EINVAL, "did you mean %juMiB?", (uintmax_t)n);
    return -EINVAL;
}

static int load_size(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                     void *obj, struct px_error *err) {
    uint64_t bytes = 0;
    char least[PX_SIZE_TEXT_MAX];
    if (!is_zero_word(f, node)) {
        int r = px_size_parse(node->text, &bytes, err);
        if (r == -ERANGE)
            return px_at_wrap(at, node, err);
        if (r < 0)
            return unexpected(at, f, node, err);
        if (bytes < f->min) {
            px_cleanup_free char *found = px_node_found(node);
            px_at_fail(at, node, err, "expected a size of at least %s%s%s%s, found %s (%ju byte%s)",
                       px_size_format(f->min, least), f->zero_word ? ", or '" : "",
                       f->zero_word ? f->zero_word : "", f->zero_word ? "'" : "", found,
                       (uintmax_t)bytes, bytes == 1 ? "" : "s");
            return hint_unit(f, node->text, err);
        }
        if (f->max > 0 && bytes > f->max) {
            px_cleanup_free char *found = px_node_found(node);
            return px_at_fail(at, node, err, "expected a size of at most %s, found %s",
                              px_size_format(f->max, least), found);
        }
    }
    *(uint64_t *)field_at(f, obj) = bytes;
    return 0;
}

static int load_enum(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                     void *obj, struct px_error *err) {
    size_t n = 0;
    for (; f->words[n]; n++)
        if (strcmp(f->words[n], node->text) == 0) {
            *(unsigned *)field_at(f, obj) = (unsigned)n;
            return 0;
        }
    unexpected(at, f, node, err);
    const char *near = px_suggest(node->text, f->words, n);
    return near ? px_hint(err, -EINVAL, "did you mean '%s'?", near) : -EINVAL;
}

static int load_scalar(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                       void *obj, struct px_error *err) {
    if (node->kind != PX_NODE_TEXT || px_node_is_null(node)) {
        unexpected(at, f, node, err);
        return hint_null(node, err);
    }
    switch (f->kind) {
    case PX_FIELD_STRING:
        return load_string(at, f, node, obj, err);
    case PX_FIELD_BOOL:
        return load_bool(at, f, node, obj, err);
    case PX_FIELD_UINT:
        return load_uint(at, f, node, obj, err);
    case PX_FIELD_SIZE:
        return load_size(at, f, node, obj, err);
    case PX_FIELD_ENUM:
        return load_enum(at, f, node, obj, err);
    case PX_FIELD_TEXT:
        return f->parse(node->text, obj, err) < 0 ? px_at_wrap(at, node, err) : 0;
    case PX_FIELD_MAP:
    case PX_FIELD_LIST:
    case PX_FIELD_UNION:
    case PX_FIELD_END:
        break;
    }
    assert(!"not a scalar");
    return -EINVAL;
}

/* ---- lists, mappings, unions ---- */

static int load_field(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                      void *obj, struct px_error *err);

static int compare_nodes(const void *a, const void *b) {
    const struct px_node *const *x = a, *const *y = b;
    int order = strcmp((*x)->text, (*y)->text);
    return order ? order : (*x)->line < (*y)->line ? -1 : (*x)->line > (*y)->line;
}

/* No two texts of the list the same; by sorting, because lists of packages are long. */
static int check_unique(const struct px_at *at, const struct px_node *list, struct px_error *err) {
    px_cleanup_free const struct px_node **all =
        px_new0(const struct px_node *, list->n_children + 1);
    size_t n = 0;
    for (const struct px_node *c = list->child; c; c = c->next)
        all[n++] = c;
    qsort(all, n, sizeof(*all), compare_nodes);
    for (size_t i = 1; i < n; i++)
        if (strcmp(all[i - 1]->text, all[i]->text) == 0) {
            px_cleanup_free char *found = px_node_found(all[i]);
            return px_at_fail(at, all[i], err, "%s is listed twice, first in line %u", found,
                              all[i - 1]->line);
        }
    return 0;
}

static void free_list(const struct px_field *f, void *obj) {
    char **items = field_at(f, obj);
    size_t *n = (size_t *)(void *)((char *)obj + f->n_offset);
    const struct px_field as_table[] = {*f->item, {0}};
    for (size_t i = 0; i < *n; i++)
        px_schema_fini(as_table, *items + i * f->item_size);
    free(*items);
    *items = NULL;
    *n = 0;
}

/* The one key that the mapping needs; NULL: none, or several. */
static const char *only_required(const struct px_field *map) {
    const char *key = NULL;
    for (const struct px_field *f = map->fields; f->kind; f++) {
        if (f->required && key)
            return NULL;
        if (f->required)
            key = f->key;
    }
    return key;
}

/* Text where a mapping should be is likely what its main key stands for. */
static int hint_map(const struct px_field *map, const struct px_node *node, const char *before,
                    const char *after, struct px_error *err) {
    const char *key = only_required(map);
    if (!key || node->kind != PX_NODE_TEXT || px_node_is_null(node) || strchr(node->text, ':'))
        return hint_null(node, err);
    return px_hint(err, -EINVAL, "did you mean %s{%s: %.60s}%s?", before, key, node->text, after);
}

static int load_list(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                     void *obj, struct px_error *err) {
    if (node->kind != PX_NODE_LIST) {
        unexpected(at, f, node, err);
        if (node->kind != PX_NODE_TEXT || px_node_is_null(node))
            return px_hint(err, -EINVAL, "write one '- ' per entry, or [] for none");
        if (f->item->kind == PX_FIELD_MAP)
            return hint_map(f->item, node, "[", "]", err);
        return px_hint(err, -EINVAL, "write [%.60s]", node->text);
    }
    if (node->n_children < f->min)
        return px_at_fail(at, node, err, "expected at least %ju in the list, found %zu",
                          (uintmax_t)f->min, node->n_children);
    if (f->max > 0 && node->n_children > f->max)
        return px_at_fail(at, node, err, "expected at most %ju in the list, found %zu",
                          (uintmax_t)f->max, node->n_children);
    free_list(f, obj);
    char **items = field_at(f, obj);
    size_t *n = (size_t *)(void *)((char *)obj + f->n_offset), i = 0;
    const struct px_field as_table[] = {*f->item, {0}};
    if (node->n_children > 0)
        *items = px_calloc(node->n_children, f->item_size);
    for (const struct px_node *c = node->child; c; c = c->next, i++) {
        const struct px_at here = {.up = at, .index = i};
        void *item = *items + i * f->item_size;
        *n = i + 1; /* a half-read item is released with the rest */
        px_schema_defaults(as_table, item);
        int r = load_field(&here, f->item, c, item, err);
        if (r < 0)
            return r;
    }
    return f->unique ? check_unique(at, node, err) : 0;
}

static int load_union(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                      void *obj, struct px_error *err) {
    for (const struct px_field *alt = f->fields; alt->kind; alt++) {
        const enum px_node_kind kind = alt->kind == PX_FIELD_MAP    ? PX_NODE_MAP
                                       : alt->kind == PX_FIELD_LIST ? PX_NODE_LIST
                                                                    : PX_NODE_TEXT;
        if (kind != node->kind || px_node_is_null(node))
            continue;
        if (f->reset)
            f->reset(field_at(f, obj));
        return load_field(at, alt, node, field_at(f, obj), err);
    }
    unexpected(at, f, node, err);
    return hint_null(node, err);
}

static int load_field(const struct px_at *at, const struct px_field *f, const struct px_node *node,
                      void *obj, struct px_error *err) {
    int r = 0;
    if (f->kind == PX_FIELD_UNION) {
        r = load_union(at, f, node, obj, err);
    } else if (f->kind == PX_FIELD_LIST) {
        r = load_list(at, f, node, obj, err);
    } else if (f->kind == PX_FIELD_MAP) {
        if (node->kind != PX_NODE_MAP) {
            unexpected(at, f, node, err);
            return hint_map(f, node, "", "", err);
        }
        r = px_schema_load(at, f->fields, node, field_at(f, obj), err);
    } else {
        r = load_scalar(at, f, node, obj, err);
    }
    if (r == 0 && f->finish)
        r = f->finish(at, node, f->kind == PX_FIELD_MAP ? field_at(f, obj) : obj, err);
    return r;
}

/* Whether @word is one of the words, blanks between, in @list. */
static bool has_word(const char *list, const char *word) {
    const size_t n = strlen(word);
    for (const char *p = list; p && n > 0 && (p = strstr(p, word)); p++)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

static int hint_keys(const struct px_field *fields, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf all = {0};
    for (const struct px_field *f = fields; f->kind; f++)
        px_buf_printf(&all, "%s%s", all.size ? ", " : "", f->key);
    return px_hint(err, -EINVAL, "known here: %s", px_buf_str(&all));
}

static int unknown_key(const struct px_at *at, const struct px_field *fields,
                       const struct px_node *node, struct px_error *err) {
    const char *keys[KEYS_SHOWN];
    const char *near = NULL;
    size_t n = 0;
    for (const struct px_field *f = fields; f->kind && n < KEYS_SHOWN; f++) {
        keys[n++] = f->key;
        if (has_word(f->aka, node->key))
            near = f->key;
    }
    if (!near)
        near = px_suggest(node->key, keys, n);
    const struct px_node at_key = {.line = node->key_line};
    px_cleanup_free char *key = px_node_found(&(struct px_node){.text = node->key, .quoted = true});
    px_at_fail(at, &at_key, err, "unknown key %s", key);
    return near ? px_hint(err, -EINVAL, "did you mean '%s'?", near) : hint_keys(fields, err);
}

int px_schema_load(const struct px_at *at, const struct px_field *fields, const struct px_node *map,
                   void *obj, struct px_error *err) {
    if (map->kind != PX_NODE_MAP) {
        unexpected(at, &(struct px_field){.kind = PX_FIELD_MAP}, map, err);
        return hint_keys(fields, err);
    }
    for (const struct px_node *n = map->child; n; n = n->next) {
        const struct px_field *f = fields;
        while (f->kind && strcmp(f->key, n->key) != 0)
            f++;
        if (!f->kind)
            return unknown_key(at, fields, n, err);
        const struct px_at here = {.up = at, .key = f->key};
        int r = load_field(&here, f, n, obj, err);
        if (r < 0)
            return r;
    }
    for (const struct px_field *f = fields; f->kind; f++)
        if (f->required && !px_node_get(map, f->key))
            return px_at_fail(at, map, err, "key '%s' is missing", f->key);
    return 0;
}
