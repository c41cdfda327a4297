/* src/spec/yaml_text.h - the text below the YAML: what is no text, and what libyaml's errors mean
 *
 * Pure; any thread. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <yaml.h>

/* -EINVAL: empty, blank, not UTF-8, or holds bytes that no text file holds; with the line. */
int px_yaml_check_text(const char *name, const char *text, size_t size, struct px_error *err);

/* The error that stopped @yaml, in words for whoever wrote the file, as -EINVAL. */
int px_yaml_explain(const char *name, const char *text, size_t size, const yaml_parser_t *yaml,
                    struct px_error *err);
