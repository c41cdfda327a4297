/* tests/nvenc/coder.h - what the played card codes with: libx264, and libx265 through libavcodec */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coder;

/* @hevc: else H.264. NULL: it does not open. */
struct coder *coder_new(bool hevc, int width, int height, int qp);
/* A picture in NV12, or in YV12 (@yv12), at @qp (H.265: at the one of its beginning). What it
 * became is the coder's, until the next one. False: trouble. */
bool coder_push(struct coder *c, const uint8_t *pixels, size_t pitch, bool yv12, int rows, int qp,
                bool key, const uint8_t **ret, size_t *ret_size, bool *ret_key);
void coder_free(struct coder *c);
