/* src/spec/node.h - YAML text to a small tree of nodes, for files that people write
 *
 * A strict part of YAML 1.2 as libyaml reads it: one document of mappings, lists and scalars.
 * Anchors and aliases (and with them every "bomb"), tags, a second document, and a key given twice
 * are refused. UTF-8 only, a byte order mark and CRLF are fine. Depth, nodes and keys are bounded,
 * so that reading costs time and memory in proportion to the text and no more. Errors are -EINVAL
 * with one line, "lab.yaml:4: tabs cannot indent YAML". Pure; any thread. Source: yaml.h of libyaml
 * 0.2, YAML 1.2.2. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

#define PX_YAML_DEPTH_MAX 32
#define PX_YAML_NODES_MAX 100000
#define PX_YAML_KEYS_MAX 256 /* in one mapping */

enum px_node_kind { PX_NODE_TEXT, PX_NODE_LIST, PX_NODE_MAP };

struct px_node {
    enum px_node_kind kind;
    unsigned line; /* where it begins, 1-based; 0: it comes from no file */
    char *key;     /* as an entry of a mapping; else NULL */
    unsigned key_line;
    char *text;  /* TEXT: no NUL inside; else NULL */
    bool quoted; /* TEXT: written in quotes or as a block, so never a number, true or null */
    struct px_node *child, *next; /* first entry; the entry after this one */
    size_t n_children;
};

/* *ret: the root, the caller's. @name stands in messages. Nothing but blanks is an error; nothing
 * but comments too, unless @comments_do: then *ret is an empty mapping. */
int px_yaml_parse(const char *name, const char *text, size_t size, bool comments_do,
                  struct px_node **ret, struct px_error *err);
struct px_node *px_node_free(struct px_node *node);
PX_DEFINE_CLEANUP(struct px_node *, px_node_free)

/* Lends the entry @key of a mapping; NULL: none, or no mapping (NULL included). */
const struct px_node *px_node_get(const struct px_node *map, const char *key);
/* YAML's null: nothing, "~" or "null" without quotes. */
bool px_node_is_null(const struct px_node *node);
/* The line that a message about @node names: where its key stands when it has no value. */
unsigned px_node_line(const struct px_node *node);

/* For building a tree by hand: an empty node, and one put behind the entries of @parent, which
 * takes it and, for a mapping, copies @key. */
struct px_node *px_node_new(enum px_node_kind kind, unsigned line);
void px_node_add(struct px_node *parent, const char *key, struct px_node **last,
                 struct px_node *entry);
