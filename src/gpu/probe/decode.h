/* src/gpu/probe/decode.h - NVDEC turns a stream back into the picture */
#pragma once
#include "gpu/probe/probe.h"
#include <stddef.h>
#include <stdint.h>

/* Decodes an H.264 stream of one frame on the current card. 0: *ret_off is how far a sample of its
 * brightness is from picture.h's, on average; else a code of CUDA's. -1: no frame came out. */
int probe_decode(struct probe *p, void *nvcuvid, const uint8_t *stream, size_t size,
                 double *ret_off);
/* What two lossy steps at most leave. */
#define PROBE_OFF_MAX 4.0
