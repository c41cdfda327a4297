/* src/gpu/cdi.h - the cards as a CDI specification, for other container engines
 *
 * Version 0.3.0, the lowest that has the fields: device names begin with a letter (UUIDs do), nodes
 * and mounts have paths. Pure. Source: the Container Device Interface's SPEC.md. */
#pragma once
#include "base/error.h"
#include "gpu/driver.h"
#include "gpu/inject.h"
#include <jansson.h>

/* The reference is the caller's. */
int px_gpu_cdi(const struct px_gpu_host *host, const struct px_driver *driver, json_t **ret,
               struct px_error *err);
