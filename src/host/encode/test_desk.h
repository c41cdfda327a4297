/* src/host/encode/test_desk.h - a desktop made up for the tests of our own encoders
 *
 * Every picture goes through libavcodec's decoder (of AV1: dav1d) and, of VP8 and VP9, through
 * libvpx's, of AV1 through libaom's, which is what stock clients have, and both must show the same
 * to the bit. All of it asserts, and belongs
 * to one thread. */
#pragma once
#include "host/encode/encoder.h"
#include "session/decoder.h"
#include <libavcodec/avcodec.h>
#include <vpx/vpx_decoder.h>

struct desk {
    enum px_codec codec;
    int every; /* looks at each so-many-th line in desk_difference; 1 unless a test sets it */
    struct px_encoders *all;
    struct px_encoder *enc;
    struct px_decoder *decoder;
    AVCodecContext *av, *aom; /* the second with AV1 only */
    vpx_codec_ctx_t vpx;
    struct px_picture picture;
    struct px_packet packet;
    uint32_t random;
    bool shades; /* text is of more than two; false unless a test sets it */
    int64_t now_ms;
    struct px_decoder *late; /* of a second viewer */
};

/* @codec: VP8, VP9, AV1 or H.264. @i444: with VP9 only. */
void desk_open(struct desk *d, enum px_codec codec, int width, int height, bool i444,
               unsigned rate_kbps, unsigned threads);
void desk_close(struct desk *d);
/* No encoder of @codec opens for such a picture. */
void desk_is_declined(enum px_codec codec, int width, int height, bool i444);
/* 0..65535, the same row of them in each run. */
unsigned desk_chance(struct desk *d);
/* Lines @from..@to of all planes: as dense as text gets, or colours in patches. */
void desk_write_lines(struct desk *d, int from, int to);
/* All of luma, as nothing has been before: desk_write_lines() repeats itself after 131072 pixels.
 */
void desk_write_new(struct desk *d);
/* Everything goes up by @lines, below comes something new. Colours go along by half as many. */
void desk_scroll(struct desk *d, int lines);
/* All of it shows picture @n of a film: patterns that glide by quarters of pixels. */
void desk_play(struct desk *d, int n);
/* One thing that programs do to a part of the screen; returns which part. */
struct px_rect desk_do_something(struct desk *d);
struct px_region desk_everything(const struct desk *d);
/* What a viewer who is there gets; and a late one. */
void desk_push(struct desk *d, const struct px_region *changed, bool key, bool refine);
/* The parts that a coarse key frame owes. */
void desk_take_parts(struct desk *d);
/* A second viewer comes, or another one in his place: the key frame is for him alone, and coarse.
 */
void desk_come_late(struct desk *d);
/* Of red, green and blue, on average, of 255: what the viewer sees against what is there. */
double desk_difference(const struct desk *d);
/* Only right of and below that. */
double desk_difference_from(const struct desk *d, int left, int top);
/* Both viewers see the same, to the bit. */
void desk_same_picture(const struct desk *d);
