/* src/spec/schema_doc.c - tables as JSON Schema for editors and as Markdown for people */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "spec/schema.h"
#include <string.h>

/* As px_size_parse takes them. */
#define SIZE_PATTERN "^ *[0-9]+(\\.[0-9]+)? *([kKmMgGtTpP]([iI]?[bB]?)?|[bB])? *$"

static json_t *map_schema(const struct px_field *fields);
static json_t *field_schema(const struct px_field *f);

static json_t *text_schema(const char *pattern, uint64_t max) {
    json_t *s = json_pack("{s:s}", "type", "string");
    if (pattern)
        json_object_set_new(s, "pattern", json_string(pattern));
    if (max > 0)
        json_object_set_new(s, "maxLength", json_integer((json_int_t)max));
    return s;
}

static json_t *integer_schema(const struct px_field *f) {
    json_t *s = json_pack("{s:s, s:I}", "type", "integer", "minimum", (json_int_t)f->min);
    if (f->max > 0)
        json_object_set_new(s, "maximum", json_integer((json_int_t)f->max));
    return s;
}

static json_t *words_schema(const char *const *words) {
    json_t *list = json_array();
    for (size_t i = 0; words[i]; i++)
        json_array_append_new(list, json_string(words[i]));
    return json_pack("{s:o}", "enum", list);
}

/* One schema as it is, several as anyOf. */
static json_t *any_of(json_t *list) {
    if (json_array_size(list) != 1)
        return json_pack("{s:o}", "anyOf", list);
    json_t *only = json_incref(json_array_get(list, 0));
    json_decref(list);
    return only;
}

static json_t *scalar_schema(const struct px_field *f) {
    json_t *list = json_array();
    if (f->zero_word)
        json_array_append_new(list, json_pack("{s:s}", "const", f->zero_word));
    if (f->words)
        json_array_append_new(list, words_schema(f->words));
    if (f->kind == PX_FIELD_SIZE)
        json_array_append_new(list, text_schema(SIZE_PATTERN, 0));
    const bool number = f->kind == PX_FIELD_UINT || f->kind == PX_FIELD_SIZE ||
                        (f->kind == PX_FIELD_TEXT && f->max > 0) || f->integers;
    if (number)
        json_array_append_new(list, integer_schema(f));
    if (f->kind == PX_FIELD_STRING || (f->kind == PX_FIELD_TEXT && f->pattern))
        json_array_append_new(
            list, text_schema(f->pattern, f->kind == PX_FIELD_STRING && !f->integers ? f->max : 0));
    return any_of(list);
}

static json_t *list_schema(const struct px_field *f) {
    json_t *s = json_pack("{s:s, s:o}", "type", "array", "items", field_schema(f->item));
    if (f->min > 0)
        json_object_set_new(s, "minItems", json_integer((json_int_t)f->min));
    if (f->max > 0)
        json_object_set_new(s, "maxItems", json_integer((json_int_t)f->max));
    if (f->unique)
        json_object_set_new(s, "uniqueItems", json_true());
    return s;
}

static json_t *union_schema(const struct px_field *f) {
    json_t *list = json_array();
    for (const struct px_field *alt = f->fields; alt->kind; alt++)
        json_array_append_new(list, field_schema(alt));
    return any_of(list);
}

/* The default as JSON: what a reader of the text would take it for. */
static json_t *fallback_json(const struct px_field *f) {
    if (f->kind == PX_FIELD_BOOL)
        return json_boolean(strcmp(f->fallback, "true") == 0);
    const bool digits = f->fallback[strspn(f->fallback, "0123456789")] == '\0';
    return f->kind == PX_FIELD_UINT && digits ? json_integer(atoll(f->fallback))
                                              : json_string(f->fallback);
}

static json_t *field_schema(const struct px_field *f) {
    json_t *s = f->kind == PX_FIELD_MAP     ? map_schema(f->fields)
                : f->kind == PX_FIELD_LIST  ? list_schema(f)
                : f->kind == PX_FIELD_UNION ? union_schema(f)
                : f->kind == PX_FIELD_BOOL  ? json_pack("{s:s}", "type", "boolean")
                                            : scalar_schema(f);
    if (f->doc && f->fallback_doc)
        json_object_set_new(s, "description",
                            json_sprintf("%s Default: %s.", f->doc, f->fallback_doc));
    else if (f->doc)
        json_object_set_new(s, "description", json_string(f->doc));
    if (f->fallback)
        json_object_set_new(s, "default", fallback_json(f));
    return s;
}

static json_t *map_schema(const struct px_field *fields) {
    json_t *properties = json_object(), *required = json_array();
    for (const struct px_field *f = fields; f->kind; f++) {
        json_object_set_new(properties, f->key, field_schema(f));
        if (f->required)
            json_array_append_new(required, json_string(f->key));
    }
    json_t *s = json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0,
                          "properties", properties);
    if (json_array_size(required) > 0)
        json_object_set(s, "required", required);
    json_decref(required);
    return s;
}

char *px_schema_json(const struct px_field *fields, const char *title, const char *doc) {
    json_t *s =
        json_pack("{s:s, s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema",
                  "title", title, "description", doc);
    json_t *map = map_schema(fields);
    json_object_update(s, map);
    json_decref(map);
    px_cleanup_free char *text = json_dumps(s, JSON_INDENT(2));
    json_decref(s);
    return px_asprintf("%s\n", text);
}

/* ---- Markdown ---- */

static void put_escaped(struct px_buf *b, const char *text) {
    for (const char *p = text; *p; p++)
        px_buf_printf(b, "%s%c", *p == '|' ? "\\" : "", *p);
}

static const struct px_field *fields_below(const struct px_field *f) {
    const struct px_field *inner = f->kind == PX_FIELD_LIST ? f->item : f;
    if (inner->kind == PX_FIELD_MAP)
        return inner->fields;
    for (const struct px_field *alt = inner->fields; inner->kind == PX_FIELD_UNION && alt->kind;
         alt++)
        if (alt->kind == PX_FIELD_MAP)
            return alt->fields;
    return NULL;
}

static void put_row(struct px_buf *b, const struct px_field *f) {
    px_cleanup_free char *expected = px_field_expected(f);
    px_buf_printf(b, "| `%s` | ", f->key);
    put_escaped(b, expected);
    px_buf_puts(b, " | ");
    if (f->required)
        px_buf_puts(b, "required");
    else if (f->fallback)
        px_buf_printf(b, "`%s`", f->fallback);
    else
        put_escaped(b, f->fallback_doc            ? f->fallback_doc
                       : f->kind == PX_FIELD_MAP  ? "see below"
                       : f->kind == PX_FIELD_LIST ? "empty"
                                                  : "none");
    px_buf_puts(b, " | ");
    put_escaped(b, f->doc ? f->doc : "");
    px_buf_puts(b, " |\n");
}

static void put_tables(struct px_buf *b, const struct px_field *fields, const char *path) {
    px_buf_puts(b, "| key | takes | default | meaning |\n| --- | --- | --- | --- |\n");
    for (const struct px_field *f = fields; f->kind; f++)
        put_row(b, f);
    for (const struct px_field *f = fields; f->kind; f++) {
        const struct px_field *below = fields_below(f);
        px_cleanup_free char *name = px_asprintf("%s%s%s%s", path, path[0] ? "." : "", f->key,
                                                 f->kind == PX_FIELD_LIST ? "[]" : "");
        if (!below || f->undocumented)
            continue;
        px_buf_printf(b, "\n### `%s`\n\n", name);
        put_tables(b, below, name);
    }
}

char *px_schema_markdown(const struct px_field *fields) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    put_tables(&b, fields, "");
    return px_buf_take(&b);
}
