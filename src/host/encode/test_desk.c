/* src/host/encode/test_desk.c - see test_desk.h */
#include "host/encode/test_desk.h"
#include "base/test.h"
#include "host/encode/test_seen.h"
#include <string.h>
#include <vpx/vp8dx.h>

static const struct px_encoder_ops *table_of(enum px_codec codec) {
    return codec == PX_CODEC_H264  ? px_encoders_h264
           : codec == PX_CODEC_VP8 ? px_encoders_vp8
           : codec == PX_CODEC_VP9 ? px_encoders_vp9
                                   : px_encoders_av1;
}

static AVCodecContext *open_decoder(const char *name) {
    AVCodecContext *c = avcodec_alloc_context3(avcodec_find_decoder_by_name(name));
    assert_non_null(c);
    c->flags |= AV_CODEC_FLAG_LOW_DELAY;
    c->err_recognition = AV_EF_EXPLODE;
    c->thread_count = 1;
    assert_int_equal(avcodec_open2(c, NULL, NULL), 0);
    return c;
}

static bool is_vpx(const struct desk *d) {
    return d->codec == PX_CODEC_VP8 || d->codec == PX_CODEC_VP9;
}

static void open_decoders(struct desk *d) {
    const bool av1 = d->codec == PX_CODEC_AV1;
    d->decoder = px_decoder_new();
    d->av = open_decoder(av1 ? "libdav1d" : px_codec_name(d->codec));
    if (av1 && avcodec_find_decoder_by_name("libaom-av1")) /* newer libavcodecs may lack it */
        d->aom = open_decoder("libaom-av1");
    if (is_vpx(d))
        assert_int_equal(
            vpx_codec_dec_init(&d->vpx,
                               d->codec == PX_CODEC_VP8 ? vpx_codec_vp8_dx() : vpx_codec_vp9_dx(),
                               NULL, 0),
            VPX_CODEC_OK);
}

void desk_open(struct desk *d, enum px_codec codec, int width, int height, bool i444,
               unsigned rate_kbps, unsigned threads) {
    const struct px_encoder_ops *const tables[] = {table_of(codec)};
    const struct px_encoder_opts o = {.codec = codec,
                                      .width = width,
                                      .height = height,
                                      .i444 = i444,
                                      .rate_kbps = rate_kbps,
                                      .min_quality = 5,
                                      .max_quality = 85,
                                      .threads = threads};
    *d = (struct desk){.codec = codec, .every = 1, .all = px_encoders_of(tables, 1), .random = 1};
    px_assert_ok_err(px_encoder_open(d->all, &o, &d->enc, NULL), &(struct px_error){0});
    open_decoders(d);
    px_picture_init(&d->picture, width, height, i444);
}

void desk_close(struct desk *d) {
    px_encoder_close(d->enc);
    px_encoders_free(d->all);
    px_decoder_free(d->decoder);
    px_decoder_free(d->late);
    avcodec_free_context(&d->av);
    avcodec_free_context(&d->aom);
    if (is_vpx(d))
        vpx_codec_destroy(&d->vpx);
    px_picture_fini(&d->picture);
}

void desk_is_declined(enum px_codec codec, int width, int height, bool i444) {
    const struct px_encoder_ops *const tables[] = {table_of(codec)};
    const struct px_encoder_opts o = {
        .codec = codec, .width = width, .height = height, .i444 = i444, .threads = 1};
    struct px_encoders *all = px_encoders_of(tables, 1);
    struct px_encoder *enc = NULL;
    assert_int_equal(px_encoder_open(all, &o, &enc, NULL), -ENOTSUP);
    assert_null(enc);
    px_encoders_free(all);
}

unsigned desk_chance(struct desk *d) {
    d->random = d->random * 1103515245u + 12345u;
    return d->random >> 16;
}

static int shift_of(const struct desk *d, int plane) {
    return plane && !d->picture.i444 ? 1 : 0;
}

static int plane_width(const struct desk *d, int plane) {
    const int shift = shift_of(d, plane);
    return (d->picture.width + shift) >> shift;
}

static int plane_height(const struct desk *d, int plane) {
    const int shift = shift_of(d, plane);
    return (d->picture.height + shift) >> shift;
}

void desk_write_lines(struct desk *d, int from, int to) {
    for (int plane = 0; plane < 3; plane++)
        for (int y = from >> shift_of(d, plane);
             y < (to + shift_of(d, plane)) >> shift_of(d, plane); y++) {
            uint8_t *line = d->picture.planes[plane] + (ptrdiff_t)y * d->picture.strides[plane];
            for (int x = 0; x < plane_width(d, plane); x++)
                if (plane)
                    line[x] = (uint8_t)(108 + 40 * (x / 24 % 2));
                else
                    line[x] = desk_chance(d) & 1 ? 220 : d->shades ? desk_chance(d) % 60 : 30;
        }
}

void desk_write_new(struct desk *d) {
    uint64_t x = desk_chance(d) + ((uint64_t)d->now_ms << 20) + 1;
    for (int y = 0; y < d->picture.height; y++)
        for (int i = 0; i < d->picture.width; i++) {
            x ^= x << 13; /* Marsaglia's xorshift */
            x ^= x >> 7;
            x ^= x << 17;
            d->picture.planes[0][(ptrdiff_t)y * d->picture.strides[0] + i] = x & 1 ? 220 : 30;
        }
}

void desk_scroll(struct desk *d, int lines) {
    for (int plane = 0; plane < 3; plane++) {
        const int by = lines >> shift_of(d, plane), stride = d->picture.strides[plane];
        for (int y = 0; y + by < plane_height(d, plane); y++)
            memcpy(d->picture.planes[plane] + (ptrdiff_t)y * stride,
                   d->picture.planes[plane] + (ptrdiff_t)(y + by) * stride,
                   (size_t)plane_width(d, plane));
    }
    desk_write_lines(d, d->picture.height - lines, d->picture.height);
}

/* What @x, @y in quarters of a pixel shows: between the corners of squares of 8x8 pixels. */
static int pattern(int plane, int x, int y) {
    int corners[2][2];
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            uint32_t h = (uint32_t)((x >> 5) + k) * 2654435761u ^ (uint32_t)((y >> 5) + i) * 40503u;
            h = (h ^ (uint32_t)plane * 97) * 2246822519u;
            corners[i][k] = (int)(h >> 24) * 3 / 4 + 30;
        }
    const int fx = x & 31, fy = y & 31;
    return ((corners[0][0] * (32 - fx) + corners[0][1] * fx) * (32 - fy) +
            (corners[1][0] * (32 - fx) + corners[1][1] * fx) * fy) >>
           10;
}

void desk_play(struct desk *d, int n) {
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < plane_height(d, plane); y++)
            for (int x = 0; x < plane_width(d, plane); x++)
                d->picture.planes[plane][(ptrdiff_t)y * d->picture.strides[plane] + x] =
                    (uint8_t)pattern(plane, (x << shift_of(d, plane)) * 4 + n * 9,
                                     (y << shift_of(d, plane)) * 4 - n * 5);
}

static AVFrame *decode_av(struct desk *d, AVCodecContext *c) {
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    assert_int_equal(av_new_packet(packet, (int)d->packet.size), 0);
    memcpy(packet->data, d->packet.data, d->packet.size);
    assert_int_equal(avcodec_send_packet(c, packet), 0);
    assert_int_equal(avcodec_receive_frame(c, frame), 0);
    av_packet_free(&packet);
    return frame;
}

static void is_same(const struct desk *d, const AVFrame *av, uint8_t *const planes[],
                    const int strides[]) {
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < plane_height(d, plane); y++)
            assert_memory_equal(planes[plane] + (ptrdiff_t)y * strides[plane],
                                av->data[plane] + (ptrdiff_t)y * av->linesize[plane],
                                (size_t)plane_width(d, plane));
}

static void vpx_agrees(struct desk *d, const AVFrame *av) {
    vpx_codec_iter_t iter = NULL;
    assert_int_equal(vpx_codec_decode(&d->vpx, d->packet.data, (unsigned)d->packet.size, NULL, 0),
                     VPX_CODEC_OK);
    const vpx_image_t *vpx = vpx_codec_get_frame(&d->vpx, &iter);
    assert_non_null(vpx);
    assert_int_equal(vpx->d_w, av->width);
    assert_int_equal(vpx->d_h, av->height);
    is_same(d, av, vpx->planes, vpx->stride);
}

static void aom_agrees(struct desk *d, const AVFrame *av) {
    AVFrame *aom = decode_av(d, d->aom);
    assert_int_equal(aom->width, av->width);
    assert_int_equal(aom->height, av->height);
    is_same(d, av, aom->data, aom->linesize);
    av_frame_free(&aom);
}

static void decoders_agree(struct desk *d) {
    AVFrame *av = decode_av(d, d->av);
    if (is_vpx(d))
        vpx_agrees(d, av);
    if (d->aom)
        aom_agrees(d, av);
    av_frame_free(&av);
}

void desk_push(struct desk *d, const struct px_region *changed, bool key, bool refine) {
    struct px_error err = {0};
    d->now_ms += 17;
    px_assert_ok_err(px_encoder_push(d->all, &d->enc, &d->picture, changed, d->now_ms, key, refine,
                                     &d->packet, &err),
                     &err);
    const struct px_packet *p = &d->packet;
    const uint8_t *after = p->data + p->size;
    if (d->late) {
        px_test_decode(d->late, d->codec, p->data, p->size, p->key);
        for (unsigned i = 0; i < p->n_after; after += p->after[i++])
            px_test_decode(d->late, d->codec, after, p->after[i], false);
    }
    if (p->lone)
        return;
    px_test_decode(d->decoder, d->codec, p->data, p->size, p->key);
    decoders_agree(d);
}

struct px_region desk_everything(const struct desk *d) {
    return (struct px_region){.rects = {{0, 0, d->picture.width, d->picture.height}}, .n = 1};
}

void desk_take_parts(struct desk *d) {
    const struct px_region all = desk_everything(d);
    int n = 0;
    while (d->packet.owes) {
        assert_true(n++ < 1000);
        d->now_ms += 100;
        desk_push(d, &all, false, true);
        assert_false(d->packet.key);
    }
}

void desk_come_late(struct desk *d) {
    px_decoder_free(d->late);
    d->late = px_decoder_new();
    desk_push(d, NULL, true, false);
    assert_true(d->packet.key && d->packet.owes && d->packet.lone);
}

static int at(const struct desk *d, int plane, int x, int y) {
    const int shift = shift_of(d, plane);
    return d->picture
        .planes[plane][(ptrdiff_t)(y >> shift) * d->picture.strides[plane] + (x >> shift)];
}

double desk_difference(const struct desk *d) {
    return desk_difference_from(d, 0, 0);
}

double desk_difference_from(const struct desk *d, int left, int top) {
    double sum = 0;
    int n = 0;
    for (int y = top; y < d->picture.height; y += d->every, n++)
        for (int x = left; x < d->picture.width; x++) {
            const uint32_t got = px_decoder_pixel(d->decoder, x, y);
            const int c = 298 * (at(d, 0, x, y) - 16);
            const int u = at(d, 1, x, y) - 128, v = at(d, 2, x, y) - 128;
            const int want[3] = {c + 516 * u, c - 100 * u - 208 * v, c + 409 * v};
            for (int i = 0; i < 3; i++) {
                const int w = (want[i] + 128) >> 8, clipped = w < 0 ? 0 : w > 255 ? 255 : w;
                sum += abs(clipped - (int)(got >> 8 * i & 255));
            }
        }
    return sum / (3.0 * (d->picture.width - left) * n);
}

void desk_same_picture(const struct desk *d) {
    px_cleanup_free uint8_t *a = px_decoder_rgba(d->decoder), *b = px_decoder_rgba(d->late);
    assert_memory_equal(a, b, (size_t)d->picture.width * (size_t)d->picture.height * 4);
}

struct px_rect desk_do_something(struct desk *d) {
    const int w = d->picture.width, h = d->picture.height;
    struct px_rect r = {.x = (int)desk_chance(d) % (w - 16), .y = (int)desk_chance(d) % (h - 16)};
    r.w = 1 + (int)desk_chance(d) % (w - r.x);
    r.h = 1 + (int)desk_chance(d) % (h - r.y);
    const unsigned what = desk_chance(d) % 4, colour = desk_chance(d);
    /* A move, to the left and up. */
    const int dx = (int)desk_chance(d) % 100, dy = (int)desk_chance(d) % 60;
    for (int plane = 0; plane < 3; plane++) {
        const int shift = shift_of(d, plane), stride = d->picture.strides[plane];
        for (int y = r.y >> shift; y < (r.y + r.h + shift) >> shift; y++)
            for (int x = r.x >> shift; x < (r.x + r.w + shift) >> shift; x++) {
                uint8_t *p = d->picture.planes[plane] + (ptrdiff_t)y * stride + x;
                const int from_x = x + (dx >> shift), from_y = y + (dy >> shift);
                if (what == 0)
                    *p = (uint8_t)(16 + (colour >> plane) % 220); /* one colour */
                else if (what == 1)
                    *p = (uint8_t)(16 + ((colour >> plane) + (unsigned)(x + y)) % 220); /* slopes */
                else if (what == 2)
                    *p = (uint8_t)(16 + desk_chance(d) % 220); /* noise */
                else if (from_x < plane_width(d, plane) && from_y < plane_height(d, plane))
                    *p = p[(from_y - y) * stride + from_x - x];
            }
    }
    return r;
}
