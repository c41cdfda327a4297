/* src/spec/gpus.h - the gpus key of the desktop file
 *
 *     gpus: none | N | all | {count: N, mode: shared, memory: 6GiB} | [GPU-uuid, 0000:01:00.0, 0]
 *
 * Tables for spec/schema.h; how the cards of a machine meet such a wish is src/gpu's business. */
#pragma once
#include "spec/desktop.h"
#include "spec/schema.h"

#define PX_GPUS_MAX 64

/* Alternatives of a PX_FIELD_UNION at a struct px_gpu_request. */
extern const struct px_field px_gpu_alternatives[];
void px_gpu_request_reset(void *obj);
/* The shortest way to write it. */
json_t *px_gpu_request_print(const void *obj);
