/* tests/host/messages.h - messages of every kind, made by chance from the protocol's description
 *
 * What protobuf-c knows of a message tells its fields, so that no kind is forgotten. Values are
 * small numbers, absurd ones, paths, sizes, compressed blobs. The same seed makes the same
 * messages. Not thread-safe. */
#pragma once
#include "base/buf.h"
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

void messages_seed(uint32_t seed);
uint32_t messages_random(uint32_t below);
/* Where most of the paths in them lead. */
void messages_dir(const char *dir);
/* How many kinds of Message there are, each Misc, file action and so on counted for itself. */
unsigned messages_kinds(void);
/* Appends a body of kind @i; @ret_name (may be NULL): "misc.option". */
void messages_make(unsigned i, struct px_buf *out, char ret_name[64]);
/* Changes some of its bytes, or its length. */
void messages_mutate(struct px_buf *body);
/* Whether a host that runs as this user may take it: no file is touched but below @dir, and nothing
 * is typed into a shell that a shell would carry out. */
bool messages_harmless(const struct px_buf *body, const char *dir);
