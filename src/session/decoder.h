/* src/session/decoder.h - packets to pictures, as a client sees them
 *
 * libavcodec decodes all five codecs. Follows the codec of the packets: a new one starts with a key
 * frame. One packet in, one picture out; anything else is an error, as it is for stock clients. A
 * stream that claims more than 64 million pixels is refused before memory is taken for it. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/session.h"
#include <stdint.h>

struct px_decoder;

struct px_decoder *px_decoder_new(void);
void px_decoder_free(struct px_decoder *d);
PX_DEFINE_CLEANUP(struct px_decoder *, px_decoder_free)
/* -EBADMSG: a packet that gives no picture. */
int px_decoder_push(struct px_decoder *d, const Pxs__VideoFrame *v, struct px_error *err);
/* Of the last picture; 0: none yet. */
int px_decoder_width(const struct px_decoder *d);
int px_decoder_height(const struct px_decoder *d);
const char *px_decoder_codec(const struct px_decoder *d);
bool px_decoder_is_i444(const struct px_decoder *d);
/* Colour of one pixel, 0xRRGGBB, converted as clients do (BT.601, limited). */
uint32_t px_decoder_pixel(const struct px_decoder *d, int x, int y);
/* The whole picture: width * height * 4 bytes R,G,B,255; the caller's. NULL: no picture yet. */
uint8_t *px_decoder_rgba(const struct px_decoder *d);
/* -ENODATA: no picture yet. */
int px_decoder_write_png(const struct px_decoder *d, int fd, struct px_error *err);

/* Helpers for any message. */
const Pxs__EncodedVideoFrame *px_video_frame_first(const Pxs__VideoFrame *v);
