/* src/spec/schema_obj.c - the structs that tables describe: defaults, release, copies, JSON */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "spec/schema.h"
#include <assert.h>
#include <string.h>

static size_t *n_items(const struct px_field *f, const void *obj) {
    return (size_t *)(void *)((char *)(uintptr_t)obj + f->n_offset);
}

/* The alternative that covers all the storage of a union. */
static const struct px_field *storage_of(const struct px_field *f) {
    const struct px_field *alt = f->fields;
    while (alt->kind && alt->kind != PX_FIELD_MAP)
        alt++;
    return alt->fields;
}

void px_schema_defaults(const struct px_field *fields, void *obj) {
    for (const struct px_field *f = fields; f->kind; f++) {
        char *at = (char *)obj + f->offset;
        if (f->kind == PX_FIELD_MAP)
            px_schema_defaults(f->fields, at);
        else if (f->kind == PX_FIELD_UNION && storage_of(f))
            px_schema_defaults(storage_of(f), at);
        if (!f->fallback)
            continue;
        /* Read like text from a file, so that a default that its own table refuses shows at once.
         */
        const struct px_field one[] = {*f, {0}};
        struct px_node value = {.kind = PX_NODE_TEXT,
                                .key = (char *)(uintptr_t)f->key,
                                .text = (char *)(uintptr_t)f->fallback};
        const struct px_node map = {.kind = PX_NODE_MAP, .child = &value, .n_children = 1};
        int r = px_schema_load(&(struct px_at){.key = "default"}, one, &map, obj, NULL);
        assert(r == 0);
    }
}

void px_schema_fini(const struct px_field *fields, void *obj) {
    for (const struct px_field *f = fields; f->kind; f++) {
        void *at = (char *)obj + f->offset;
        if (f->kind == PX_FIELD_STRING) {
            free(*(char **)at);
            *(char **)at = NULL;
        } else if (f->kind == PX_FIELD_MAP) {
            px_schema_fini(f->fields, at);
        } else if (f->kind == PX_FIELD_UNION && storage_of(f)) {
            px_schema_fini(storage_of(f), at);
        } else if (f->kind == PX_FIELD_LIST) {
            const struct px_field item[] = {*f->item, {0}};
            char *items = *(char **)at;
            for (size_t i = 0; i < *n_items(f, obj); i++)
                px_schema_fini(item, items + i * f->item_size);
            free(items);
            *(char **)at = NULL;
            *n_items(f, obj) = 0;
        }
    }
}

void px_schema_own(const struct px_field *fields, void *obj) {
    for (const struct px_field *f = fields; f->kind; f++) {
        void *at = (char *)obj + f->offset;
        if (f->kind == PX_FIELD_STRING) {
            *(char **)at = px_strdup_null(*(char **)at);
        } else if (f->kind == PX_FIELD_MAP) {
            px_schema_own(f->fields, at);
        } else if (f->kind == PX_FIELD_UNION && storage_of(f)) {
            px_schema_own(storage_of(f), at);
        } else if (f->kind == PX_FIELD_LIST && *(char **)at) {
            const struct px_field item[] = {*f->item, {0}};
            char *items = px_memdup(*(char **)at, *n_items(f, obj) * f->item_size);
            for (size_t i = 0; i < *n_items(f, obj); i++)
                px_schema_own(item, items + i * f->item_size);
            *(char **)at = items;
        }
    }
}

json_t *px_schema_dump_field(const struct px_field *f, const void *obj) {
    const void *at = (const char *)obj + f->offset;
    char text[PX_SIZE_TEXT_MAX];
    switch (f->kind) {
    case PX_FIELD_STRING: {
        const char *s = *(char *const *)at;
        return s ? json_string(s) : NULL;
    }
    case PX_FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case PX_FIELD_UINT: {
        const unsigned v = *(const unsigned *)at;
        return v == 0 && f->zero_word ? json_string(f->zero_word) : json_integer(v);
    }
    case PX_FIELD_SIZE: {
        const uint64_t v = *(const uint64_t *)at;
        return json_string(v == 0 && f->zero_word ? f->zero_word : px_size_format(v, text));
    }
    case PX_FIELD_ENUM:
        return json_string(f->words[*(const unsigned *)at]);
    case PX_FIELD_TEXT:
        return f->print(obj);
    case PX_FIELD_UNION:
        return f->print(at);
    case PX_FIELD_MAP:
        return px_schema_dump(f->fields, at);
    case PX_FIELD_LIST: {
        json_t *list = json_array();
        const char *items = *(char *const *)at;
        for (size_t i = 0; i < *n_items(f, obj); i++)
            json_array_append_new(list, px_schema_dump_field(f->item, items + i * f->item_size));
        return list;
    }
    case PX_FIELD_END:
        break;
    }
    return NULL;
}

json_t *px_schema_dump(const struct px_field *fields, const void *obj) {
    json_t *map = json_object();
    for (const struct px_field *f = fields; f->kind; f++) {
        json_t *value = px_schema_dump_field(f, obj);
        if (value)
            json_object_set_new(map, f->key, value);
    }
    return map;
}

static int node_from_json(const json_t *json, unsigned depth, struct px_node **ret,
                          struct px_error *err) {
    if (depth > PX_YAML_DEPTH_MAX)
        return px_fail(err, -EINVAL, "JSON nested more than %d deep", PX_YAML_DEPTH_MAX);
    px_cleanup(px_node_freep) struct px_node *node = px_node_new(PX_NODE_TEXT, 0);
    struct px_node *last = NULL, *child = NULL;
    const char *key;
    json_t *value;
    size_t i;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        node->kind = PX_NODE_MAP;
        json_object_foreach((json_t *)(uintptr_t)json, key, value) {
            int r = node_from_json(value, depth + 1, &child, err);
            if (r < 0)
                return r;
            px_node_add(node, key, &last, child);
        }
        break;
    case JSON_ARRAY:
        node->kind = PX_NODE_LIST;
        json_array_foreach(json, i, value) {
            int r = node_from_json(value, depth + 1, &child, err);
            if (r < 0)
                return r;
            px_node_add(node, NULL, &last, child);
        }
        break;
    case JSON_STRING:
        node->quoted = true;
        if (strlen(json_string_value(json)) != json_string_length(json))
            return px_fail(err, -EINVAL, "a NUL character in a value");
        node->text = px_strdup(json_string_value(json));
        break;
    case JSON_INTEGER:
        node->text = px_asprintf("%jd", (intmax_t)json_integer_value(json));
        break;
    case JSON_REAL:
        node->text = px_asprintf("%g", json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        node->text = px_strdup(json_is_true(json)    ? "true"
                               : json_is_false(json) ? "false"
                                                     : "null");
        break;
    }
    *ret = px_take_ptr(node);
    return 0;
}

int px_node_from_json(const json_t *json, struct px_node **ret, struct px_error *err) {
    return json ? node_from_json(json, 1, ret, err) : px_fail(err, -EINVAL, "no JSON there");
}
