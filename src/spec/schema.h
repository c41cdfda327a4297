/* src/spec/schema.h - what a file may hold, as tables; checked, filled in, printed and documented
 *
 * A table of struct px_field says for each key of a mapping: its type, bounds, default, meaning,
 * and where in a C struct it goes. From the same tables come the checking with its messages, the
 * defaults, JSON (both ways), JSON Schema and the tables of keys in docs/files.md, so that no two
 * of them can disagree. (libcyaml, made for this, has no unions, no near misses and no schemas to
 * give away.) Pure; any thread.
 *
 *     static const struct px_field mount_fields[] = {
 *         {.key = "source", .kind = PX_FIELD_STRING, .doc = "Path on the host.", .required = true,
 *          .offset = offsetof(struct px_mount_spec, source), .check = px_path_check},
 *         {0},
 *     };
 */
#pragma once
#include "base/error.h"
#include "spec/node.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum px_field_kind {
    PX_FIELD_END,    /* ends a table */
    PX_FIELD_STRING, /* char * */
    PX_FIELD_BOOL,   /* bool */
    PX_FIELD_UINT,   /* unsigned or uint32_t */
    PX_FIELD_SIZE,   /* uint64_t, bytes */
    PX_FIELD_ENUM,   /* an enum; its value is the index in .words */
    PX_FIELD_TEXT,   /* a scalar that .parse understands */
    PX_FIELD_MAP,    /* a struct at .offset, as in .fields */
    PX_FIELD_LIST,   /* a pointer at .offset and a size_t at .n_offset, of .item */
    PX_FIELD_UNION,  /* one of .fields, by what kind of node is there */
};

/* Where we are in a file, for messages: lab.yaml, desktops, [1], memory. Lives on the stack. */
struct px_at {
    const struct px_at *up; /* NULL: the file itself, whose name is in key */
    const char *key;        /* NULL: entry number index of a list */
    size_t index;
};

struct px_field {
    const char *key; /* NULL for items of lists and alternatives of unions */
    enum px_field_kind kind;
    const char *doc;          /* sentences for a person */
    const char *expected;     /* "a size such as 8GiB"; NULL: made from kind, bounds and words */
    const char *fallback;     /* the default as one would write it; NULL: none, zero */
    const char *fallback_doc; /* the default in words, where there is no such text */
    const char *aka; /* other words people try for the key, with blanks between: "ram mem" */
    bool required;
    bool undocumented; /* Markdown: no table of its own, another one has the same keys */
    size_t offset;     /* in the struct of the mapping; a MAP's own fields count from there */

    uint64_t min, max;     /* UINT, SIZE (max 0: none); LIST: entries; TEXT: also takes integers;
                              STRING: most characters, .integers: the largest */
    const char *zero_word; /* UINT, SIZE: written for 0, which min does not bind: "none", "auto" */
    const char *const *words; /* ENUM: NULL-terminated; TEXT: words it takes, for the schema */
    const char *pattern;      /* STRING, TEXT: ECMA 262, as JSON Schema wants it */
    bool multiline;           /* STRING: control characters are fine */
    bool empty_ok;            /* STRING */
    bool integers;            /* STRING: for the schema, an index without quotes is fine */
    bool unique;              /* LIST of STRING: no two the same */

    /* STRING: more about @text; the message stands alone, "name 'X' is ...". NULL: all is fine. */
    int (*check)(const char *text, struct px_error *err);
    /* TEXT: reads @text into @obj, the struct of the mapping (LIST items: the item), +offset is not
     * added. Fails like check. print is the way back; its reference is the caller's, NULL: leave
     * out. */
    int (*parse)(const char *text, void *obj, struct px_error *err);
    json_t *(*print)(const void *obj); /* TEXT and UNION */

    const struct px_field *fields; /* MAP: keys; UNION: alternatives, at most one per kind of node;
                                      its MAP covers all that any of them stores */
    const struct px_field *item;   /* LIST */
    size_t item_size, n_offset;    /* LIST */
    /* UNION: makes @obj (at offset) as if absent, before an alternative is read into it. */
    void (*reset)(void *obj);
    /* MAP, LIST, and alternatives: a last look at all of it. @node is what was read. */
    int (*finish)(const struct px_at *at, const struct px_node *node, void *obj,
                  struct px_error *err);
};

/* Reads mapping @map into @obj, which holds defaults or earlier values; keys that are not there
 * stay as they are, lists and unions that are there replace. -EINVAL. */
int px_schema_load(const struct px_at *at, const struct px_field *fields, const struct px_node *map,
                   void *obj, struct px_error *err);

/* Sets the defaults in @obj, which is zeroed memory. */
void px_schema_defaults(const struct px_field *fields, void *obj);
/* Frees what the fields own and zeroes it. */
void px_schema_fini(const struct px_field *fields, void *obj);
/* Gives @obj, a byte copy of another struct, strings and lists of its own. */
void px_schema_own(const struct px_field *fields, void *obj);

/* A JSON object of @obj with the file's keys; what is NULL is left out. */
json_t *px_schema_dump(const struct px_field *fields, const void *obj);
/* The same of one field; NULL: it is not there. */
json_t *px_schema_dump_field(const struct px_field *field, const void *obj);
/* JSON as a tree of nodes, for px_schema_load. -EINVAL: nested too deep, or NULL. */
int px_node_from_json(const json_t *json, struct px_node **ret, struct px_error *err);

/* JSON Schema (2020-12) of a file whose top mapping has @fields; the caller's string. */
char *px_schema_json(const struct px_field *fields, const char *title, const char *doc);
/* Tables of keys in Markdown: of the top mapping, then of each mapping in it; the caller's string.
 */
char *px_schema_markdown(const struct px_field *fields);

/* "FILE:LINE: desktops[1].memory: " and the message, as -EINVAL. @node may be NULL. */
int px_at_fail(const struct px_at *at, const struct px_node *node, struct px_error *err,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Puts the same in front of the error that @err holds. */
int px_at_wrap(const struct px_at *at, const struct px_node *node, struct px_error *err);

/* "a whole number from 1 to 64, or 'all'"; the caller's string. */
char *px_field_expected(const struct px_field *field);
/* "'lots'", "a list", "nothing": what stands in the file, for messages; the caller's string. */
char *px_node_found(const struct px_node *node);
