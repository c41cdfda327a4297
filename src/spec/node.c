/* src/spec/node.c - YAML text to a small tree of nodes, for files that people write */
#include "spec/node.h"
#include "base/alloc.h"
#include "spec/yaml_text.h"
#include <string.h>
#include <yaml.h>

struct reader {
    const char *name;
    const char *text;
    size_t size;
    yaml_parser_t yaml;
    size_t n_nodes;
};

static void event_fini(yaml_event_t *ev) {
    yaml_event_delete(ev); /* a zeroed event is fine */
}

static void reader_fini(struct reader *rd) {
    yaml_parser_delete(&rd->yaml);
}

struct px_node *px_node_new(enum px_node_kind kind, unsigned line) {
    struct px_node *node = px_new0(struct px_node, 1);
    node->kind = kind;
    node->line = line;
    return node;
}

void px_node_add(struct px_node *parent, const char *key, struct px_node **last,
                 struct px_node *entry) {
    if (key)
        entry->key = px_strdup(key);
    if (*last)
        (*last)->next = entry;
    else
        parent->child = entry;
    *last = entry;
    parent->n_children++;
}

struct px_node *px_node_free(struct px_node *node) {
    while (node) { /* along the entries; into them by recursion, which the depth bounds */
        struct px_node *next = node->next;
        px_node_free(node->child);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
    return NULL;
}

const struct px_node *px_node_get(const struct px_node *map, const char *key) {
    if (!map || map->kind != PX_NODE_MAP)
        return NULL;
    for (const struct px_node *n = map->child; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n;
    return NULL;
}

bool px_node_is_null(const struct px_node *node) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != PX_NODE_TEXT || node->quoted)
        return false;
    for (size_t i = 0; i < PX_N_ELEMENTS(nulls); i++)
        if (strcmp(node->text, nulls[i]) == 0)
            return true;
    return false;
}

unsigned px_node_line(const struct px_node *node) {
    return node->key && px_node_is_null(node) ? node->key_line : node->line;
}

static unsigned line_of(yaml_mark_t mark) {
    return (unsigned)mark.line + 1;
}

static int next_event(struct reader *rd, yaml_event_t *ev, struct px_error *err) {
    if (yaml_parser_parse(&rd->yaml, ev))
        return 0;
    return px_yaml_explain(rd->name, rd->text, rd->size, &rd->yaml, err);
}

/* What we take of YAML, checked on every event that begins a value. */
static int check_event(struct reader *rd, const yaml_event_t *ev, unsigned depth,
                       struct px_error *err) {
    const yaml_char_t *anchor = NULL, *tag = NULL;
    const unsigned line = line_of(ev->start_mark);
    if (ev->type == YAML_ALIAS_EVENT)
        anchor = ev->data.alias.anchor;
    else if (ev->type == YAML_SCALAR_EVENT)
        anchor = ev->data.scalar.anchor, tag = ev->data.scalar.tag;
    else if (ev->type == YAML_SEQUENCE_START_EVENT)
        anchor = ev->data.sequence_start.anchor, tag = ev->data.sequence_start.tag;
    else if (ev->type == YAML_MAPPING_START_EVENT)
        anchor = ev->data.mapping_start.anchor, tag = ev->data.mapping_start.tag;
    if (anchor) {
        px_fail(err, -EINVAL, "%s:%u: anchors and aliases ('&%.40s', '*%.40s') are not taken here",
                rd->name, line, (const char *)anchor, (const char *)anchor);
        return px_hint(err, -EINVAL, "write the value out%s",
                       ev->type == YAML_ALIAS_EVENT ? "; text that begins with '*' needs quotes"
                                                    : "; text that begins with '&' needs quotes");
    }
    if (tag)
        return px_fail(err, -EINVAL,
                       "%s:%u: tags ('%.40s') are not taken here; text that begins with '!' needs "
                       "quotes",
                       rd->name, line, (const char *)tag);
    if (depth > PX_YAML_DEPTH_MAX)
        return px_fail(err, -EINVAL, "%s:%u: nested more than %d deep", rd->name, line,
                       PX_YAML_DEPTH_MAX);
    if (++rd->n_nodes > PX_YAML_NODES_MAX)
        return px_fail(err, -EINVAL, "%s:%u: more than %d values in one file", rd->name, line,
                       PX_YAML_NODES_MAX);
    return 0;
}

static int read_node(struct reader *rd, const yaml_event_t *ev, unsigned depth,
                     struct px_node **ret, struct px_error *err);

static int read_list(struct reader *rd, struct px_node *list, unsigned depth,
                     struct px_error *err) {
    struct px_node *last = NULL;
    for (;;) {
        px_cleanup(event_fini) yaml_event_t ev = {0};
        int r = next_event(rd, &ev, err);
        if (r < 0)
            return r;
        if (ev.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        struct px_node *item = NULL;
        r = read_node(rd, &ev, depth + 1, &item, err);
        if (r < 0)
            return r;
        px_node_add(list, NULL, &last, item);
    }
}

static int read_key(struct reader *rd, const struct px_node *map, const yaml_event_t *ev,
                    struct px_error *err) {
    const unsigned line = line_of(ev->start_mark);
    int r = check_event(rd, ev, 0, err);
    if (r < 0)
        return r;
    if (ev->type != YAML_SCALAR_EVENT)
        return px_fail(err, -EINVAL, "%s:%u: a key must be a plain word, found %s", rd->name, line,
                       ev->type == YAML_SEQUENCE_START_EVENT ? "a list" : "a mapping");
    const char *key = (const char *)ev->data.scalar.value;
    if (strlen(key) != ev->data.scalar.length)
        return px_fail(err, -EINVAL, "%s:%u: a NUL character in a key", rd->name, line);
    if (map->n_children >= PX_YAML_KEYS_MAX)
        return px_fail(err, -EINVAL, "%s:%u: more than %d keys in one mapping", rd->name, line,
                       PX_YAML_KEYS_MAX);
    const struct px_node *first = px_node_get(map, key);
    if (first)
        return px_fail(err, -EINVAL, "%s:%u: key '%.60s' is given twice, first in line %u",
                       rd->name, line, key, first->key_line);
    return 0;
}

static int read_map(struct reader *rd, struct px_node *map, unsigned depth, struct px_error *err) {
    struct px_node *last = NULL;
    for (;;) {
        px_cleanup(event_fini) yaml_event_t key = {0};
        px_cleanup(event_fini) yaml_event_t value = {0};
        int r = next_event(rd, &key, err);
        if (r < 0)
            return r;
        if (key.type == YAML_MAPPING_END_EVENT)
            return 0;
        r = read_key(rd, map, &key, err);
        if (r < 0)
            return r;
        r = next_event(rd, &value, err);
        if (r < 0)
            return r;
        struct px_node *entry = NULL;
        r = read_node(rd, &value, depth + 1, &entry, err);
        if (r < 0)
            return r;
        entry->key_line = line_of(key.start_mark);
        px_node_add(map, (const char *)key.data.scalar.value, &last, entry);
    }
}

static int read_text(struct reader *rd, const yaml_event_t *ev, struct px_node *node,
                     struct px_error *err) {
    const char *value = (const char *)ev->data.scalar.value;
    /* "\0" in double quotes: C strings would end there, and the check would see less than a user.
     */
    if (strlen(value) != ev->data.scalar.length)
        return px_fail(err, -EINVAL, "%s:%u: a NUL character in a value", rd->name, node->line);
    node->text = px_strdup(value);
    node->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return 0;
}

static int read_node(struct reader *rd, const yaml_event_t *ev, unsigned depth,
                     struct px_node **ret, struct px_error *err) {
    int r = check_event(rd, ev, depth, err);
    if (r < 0)
        return r;
    px_cleanup(px_node_freep) struct px_node *node =
        px_node_new(PX_NODE_TEXT, line_of(ev->start_mark));
    if (ev->type == YAML_SEQUENCE_START_EVENT) {
        node->kind = PX_NODE_LIST;
        r = read_list(rd, node, depth, err);
    } else if (ev->type == YAML_MAPPING_START_EVENT) {
        node->kind = PX_NODE_MAP;
        r = read_map(rd, node, depth, err);
    } else {
        r = read_text(rd, ev, node, err);
    }
    if (r < 0)
        return r;
    *ret = px_take_ptr(node);
    return 0;
}

/* The one document; *ret stays NULL when there is none. */
static int read_document(struct reader *rd, struct px_node **ret, struct px_error *err) {
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    for (;;) {
        px_cleanup(event_fini) yaml_event_t ev = {0};
        int r = next_event(rd, &ev, err);
        if (r < 0)
            return r;
        switch (ev.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
        case YAML_NO_EVENT:
            break;
        case YAML_STREAM_END_EVENT:
            *ret = px_take_ptr(root);
            return 0;
        case YAML_DOCUMENT_START_EVENT:
            if (root)
                return px_fail(err, -EINVAL,
                               "%s:%u: a second document ('---') begins here: one file holds one",
                               rd->name, line_of(ev.start_mark));
            break;
        case YAML_ALIAS_EVENT:
        case YAML_SCALAR_EVENT:
        case YAML_SEQUENCE_START_EVENT:
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_START_EVENT:
        case YAML_MAPPING_END_EVENT:
            r = read_node(rd, &ev, 1, &root, err);
            if (r < 0)
                return r;
            break;
        }
    }
}

int px_yaml_parse(const char *name, const char *text, size_t size, bool comments_do,
                  struct px_node **ret, struct px_error *err) {
    int r = px_yaml_check_text(name, text, size, err);
    if (r < 0)
        return r;
    px_cleanup(reader_fini) struct reader rd = {.name = name, .text = text, .size = size};
    if (!yaml_parser_initialize(&rd.yaml))
        return px_fail(err, -ENOMEM, "%s: no memory for the YAML parser", name);
    yaml_parser_set_input_string(&rd.yaml, (const unsigned char *)text, size);
    yaml_parser_set_encoding(&rd.yaml, YAML_UTF8_ENCODING);
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    r = read_document(&rd, &root, err);
    if (r < 0)
        return r;
    if (!root && comments_do)
        root = px_node_new(PX_NODE_MAP, 1);
    if (!root || px_node_is_null(root))
        return px_fail(err, -EINVAL, "%s: nothing in it but comments", name);
    *ret = px_take_ptr(root);
    return 0;
}
