/* src/image/pip.h - what pip fetched: file names of wheels, and its log
 *
 * Pure, any thread. Source: the binary distribution format (PEP 427), pip's messages. */
#pragma once
#include "base/error.h"
#include "image/store.h"
#include <stddef.h>

/* "numpy-2.5.5-cp313-cp313-manylinux_2_28_x86_64.whl": "numpy" and "2.5.5", the caller's.
 * -EINVAL: not a wheel's name. */
int px_wheel_parse(const char *file, char **ret_name, char **ret_version, struct px_error *err);
/* Adds the file names that pip (download --log) says it saved or had, each once, sorted. */
void px_pip_log_parse(const char *text, size_t size, struct px_store_names *ret);
