/* src/host/encode/test_vp9.c - the VP9 encoder for screens, seen through clients' decoders
 *
 * Every picture of every test goes through libavcodec's decoder and through libvpx's, which is what
 * stock clients have, and both must show the same to the bit. */
#include "base/test.h"
#include "host/encode/encoder.h"
#include "host/encode/scene.h"
#include "proto/session.h"
#include "session/decoder.h"
#include <libavcodec/avcodec.h>
#include <string.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

struct desk {
    struct px_encoders *all;
    struct px_encoder *enc;
    struct px_decoder *decoder;
    AVCodecContext *av;
    vpx_codec_ctx_t vpx;
    struct px_picture picture;
    struct px_packet packet;
    uint32_t random;
    int64_t now_ms;
    struct px_decoder *late; /* of a second viewer */
};

static void open_desk(struct desk *d, int width, int height, bool i444, unsigned rate_kbps,
                      unsigned threads) {
    const struct px_encoder_ops *const tables[] = {px_encoders_vp9};
    const struct px_encoder_opts o = {.codec = PX_CODEC_VP9,
                                      .width = width,
                                      .height = height,
                                      .i444 = i444,
                                      .rate_kbps = rate_kbps,
                                      .min_quality = 5,
                                      .max_quality = 85,
                                      .threads = threads};
    *d = (struct desk){.all = px_encoders_of(tables, 1), .random = 1};
    px_assert_ok_err(px_encoder_open(d->all, &o, &d->enc, NULL), &(struct px_error){0});
    d->decoder = px_decoder_new();
    d->av = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_VP9));
    assert_int_equal(avcodec_open2(d->av, NULL, NULL), 0);
    assert_int_equal(vpx_codec_dec_init(&d->vpx, vpx_codec_vp9_dx(), NULL, 0), VPX_CODEC_OK);
    px_picture_init(&d->picture, width, height, i444);
}

static void close_desk(struct desk *d) {
    px_encoder_close(d->enc);
    px_encoders_free(d->all);
    px_decoder_free(d->decoder);
    px_decoder_free(d->late);
    avcodec_free_context(&d->av);
    vpx_codec_destroy(&d->vpx);
    px_picture_fini(&d->picture);
}

static unsigned chance(struct desk *d) {
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

/* Lines @from..@to of a plane: as dense as text gets, or colours in patches. */
static void write_lines(struct desk *d, int from, int to) {
    for (int plane = 0; plane < 3; plane++)
        for (int y = from >> shift_of(d, plane);
             y < (to + shift_of(d, plane)) >> shift_of(d, plane); y++) {
            uint8_t *line = d->picture.planes[plane] + (ptrdiff_t)y * d->picture.strides[plane];
            for (int x = 0; x < plane_width(d, plane); x++)
                line[x] = plane ? (uint8_t)(108 + 40 * (x / 24 % 2)) : chance(d) & 1 ? 220 : 30;
        }
}

/* Everything goes up by @lines, below comes something new. Colours go along by half as many. */
static void scroll(struct desk *d, int lines) {
    for (int plane = 0; plane < 3; plane++) {
        const int by = lines >> shift_of(d, plane), stride = d->picture.strides[plane];
        for (int y = 0; y + by < plane_height(d, plane); y++)
            memcpy(d->picture.planes[plane] + (ptrdiff_t)y * stride,
                   d->picture.planes[plane] + (ptrdiff_t)(y + by) * stride,
                   (size_t)plane_width(d, plane));
    }
    write_lines(d, d->picture.height - lines, d->picture.height);
}

static void decoders_agree(struct desk *d) {
    AVPacket *packet = av_packet_alloc();
    AVFrame *av = av_frame_alloc();
    assert_int_equal(av_new_packet(packet, (int)d->packet.size), 0);
    memcpy(packet->data, d->packet.data, d->packet.size);
    assert_int_equal(avcodec_send_packet(d->av, packet), 0);
    assert_int_equal(avcodec_receive_frame(d->av, av), 0);
    vpx_codec_iter_t iter = NULL;
    assert_int_equal(vpx_codec_decode(&d->vpx, d->packet.data, (unsigned)d->packet.size, NULL, 0),
                     VPX_CODEC_OK);
    const vpx_image_t *vpx = vpx_codec_get_frame(&d->vpx, &iter);
    assert_non_null(vpx);
    assert_int_equal(vpx->d_w, av->width);
    assert_int_equal(vpx->d_h, av->height);
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < plane_height(d, plane); y++)
            assert_memory_equal(vpx->planes[plane] + (ptrdiff_t)y * vpx->stride[plane],
                                av->data[plane] + (ptrdiff_t)y * av->linesize[plane],
                                (size_t)plane_width(d, plane));
    av_frame_free(&av);
    av_packet_free(&packet);
}

static void decode(struct px_decoder *decoder, const struct px_packet *p) {
    Pxs__EncodedVideoFrame f = PXS__ENCODED_VIDEO_FRAME__INIT, *frames[] = {&f};
    Pxs__EncodedVideoFrames list = PXS__ENCODED_VIDEO_FRAMES__INIT;
    Pxs__VideoFrame v = PXS__VIDEO_FRAME__INIT;
    struct px_error err = {0};
    f.data = (ProtobufCBinaryData){p->size, (uint8_t *)p->data};
    f.key = p->key;
    list.n_frames = 1;
    list.frames = frames;
    v.pictures_case = PXS__VIDEO_FRAME__PICTURES_VP9S;
    v.vp9s = &list;
    px_assert_ok_err(px_decoder_push(decoder, &v, &err), &err);
}

/* What a viewer who is there gets; and a late one. */
static void push(struct desk *d, const struct px_region *changed, bool key, bool refine) {
    struct px_error err = {0};
    d->now_ms += 17;
    px_assert_ok_err(px_encoder_push(d->all, &d->enc, &d->picture, changed, d->now_ms, key, refine,
                                     &d->packet, &err),
                     &err);
    if (d->late)
        decode(d->late, &d->packet);
    if (d->packet.lone)
        return;
    decode(d->decoder, &d->packet);
    decoders_agree(d);
}

static struct px_region everything(const struct desk *d) {
    return (struct px_region){.rects = {{0, 0, d->picture.width, d->picture.height}}, .n = 1};
}

/* The parts that a coarse key frame owes. */
static void take_parts(struct desk *d) {
    const struct px_region all = everything(d);
    int n = 0;
    while (d->packet.owes) {
        assert_true(n++ < 1000);
        d->now_ms += 100;
        push(d, &all, false, true);
        assert_false(d->packet.key);
    }
}

static int at(const struct desk *d, int plane, int x, int y) {
    const int shift = shift_of(d, plane);
    return d->picture
        .planes[plane][(ptrdiff_t)(y >> shift) * d->picture.strides[plane] + (x >> shift)];
}

/* Of red, green and blue, on average; and by how much blue, where colour is, is off. */
static double difference(const struct desk *d) {
    double sum = 0;
    for (int y = 0; y < d->picture.height; y++)
        for (int x = 0; x < d->picture.width; x++) {
            const uint32_t got = px_decoder_pixel(d->decoder, x, y);
            const int c = 298 * (at(d, 0, x, y) - 16);
            const int u = at(d, 1, x, y) - 128, v = at(d, 2, x, y) - 128;
            const int want[3] = {c + 516 * u, c - 100 * u - 208 * v, c + 409 * v};
            for (int i = 0; i < 3; i++) {
                const int w = (want[i] + 128) >> 8, clipped = w < 0 ? 0 : w > 255 ? 255 : w;
                sum += abs(clipped - (int)(got >> 8 * i & 255));
            }
        }
    return sum / (3.0 * d->picture.width * d->picture.height);
}

#define NEAR 4.0 /* of 255 */
#define COARSE_BYTES_MAX 100000
#define PART_BYTES_MAX 300000

/* Both viewers see the same, to the bit. */
static void same_picture(const struct desk *d) {
    px_cleanup_free uint8_t *a = px_decoder_rgba(d->decoder), *b = px_decoder_rgba(d->late);
    assert_memory_equal(a, b, (size_t)d->picture.width * (size_t)d->picture.height * 4);
}

static void every_size_and_number_of_threads_is_shown_as_it_is(void **state) {
    static const struct {
        int width, height;
        bool i444;
        unsigned threads;
    } cases[] = {{16, 16, false, 1},    {17, 15, false, 2},   {1, 1, false, 1},
                 {1, 1, true, 1},       {333, 217, false, 1}, {333, 217, true, 2},
                 {640, 480, false, 2},  {641, 479, false, 3}, {641, 479, true, 3},
                 {1040, 200, false, 4}, {1034, 201, true, 9}, {4500, 70, false, 2},
                 {70, 1030, true, 2}};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct desk d;
        open_desk(&d, cases[i].width, cases[i].height, cases[i].i444, 1000000, cases[i].threads);
        write_lines(&d, 0, cases[i].height);
        push(&d, NULL, true, false);
        assert_true(d.packet.key);
        assert_true(difference(&d) < NEAR);
        const struct px_region all = everything(&d);
        for (int k = 0; k < 3; k++) { /* and what changes */
            write_lines(&d, 0, cases[i].height / 2);
            push(&d, &all, false, false);
            assert_false(d.packet.key);
            assert_true(difference(&d) < NEAR);
        }
        close_desk(&d);
    }
}

/* By odd numbers of lines, too, at which colours move by halves of their pixels: they stay. */
static void what_moved_costs_little_and_does_not_fade(void **state) {
    static const int lines[] = {1, 2, 13, 40, 127};
    for (size_t i = 0; i < PX_N_ELEMENTS(lines); i++) {
        struct desk d;
        open_desk(&d, 640, 480, i & 1, 1000000, 2);
        write_lines(&d, 0, 480);
        push(&d, NULL, true, false);
        const size_t whole = d.packet.size;
        const struct px_region all = everything(&d);
        for (int k = 0; k < 6; k++) {
            scroll(&d, lines[i]);
            push(&d, &all, false, false);
            assert_true(d.packet.size < whole * (size_t)(lines[i] + 96) / 480);
            assert_true(difference(&d) < NEAR);
        }
        close_desk(&d);
    }
}

/* Blocks that stay cost a small part of a bit each: decoders must not take that for the end. */
static void a_small_change_leaves_the_rest(void **state) {
    struct desk d;
    open_desk(&d, 1920, 1080, false, 1000000, 2);
    write_lines(&d, 0, 1080);
    push(&d, NULL, true, false);
    take_parts(&d);
    for (int i = 0; i < 8; i++) {
        const struct px_region corner = {.rects = {{0, 0, 16 + i * 100, 32}}, .n = 1};
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < corner.rects[0].w; x++)
                d.picture.planes[0][(ptrdiff_t)y * d.picture.strides[0] + x] =
                    chance(&d) & 1 ? 220 : 30;
        push(&d, &corner, false, false);
    }
    assert_true(difference(&d) < NEAR);
    close_desk(&d);
}

static void a_viewer_who_comes_late_gets_a_key_frame_at_once(void **state) {
    struct desk d;
    open_desk(&d, 640, 480, false, 1000000, 2);
    write_lines(&d, 0, 480);
    push(&d, NULL, true, false);
    const struct px_region all = everything(&d);
    scroll(&d, 7);
    push(&d, &all, false, false);
    px_decoder_free(d.decoder);
    d.decoder = px_decoder_new();
    push(&d, NULL, true, false);
    assert_true(d.packet.key);
    assert_true(difference(&d) < NEAR);
    scroll(&d, 7); /* and what follows it */
    push(&d, &all, false, false);
    assert_true(difference(&d) < NEAR);
    close_desk(&d);
}

/* One thing that programs do to a part of the screen; returns which part. */
static struct px_rect do_something(struct desk *d) {
    const int w = d->picture.width, h = d->picture.height;
    struct px_rect r = {.x = (int)chance(d) % (w - 16), .y = (int)chance(d) % (h - 16)};
    r.w = 1 + (int)chance(d) % (w - r.x);
    r.h = 1 + (int)chance(d) % (h - r.y);
    const unsigned what = chance(d) % 4, colour = chance(d);
    const int dx = (int)chance(d) % 100, dy = (int)chance(d) % 60; /* a move, to the left and up */
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
                    *p = (uint8_t)(16 + chance(d) % 220); /* noise */
                else if (from_x < plane_width(d, plane) && from_y < plane_height(d, plane))
                    *p = p[(from_y - y) * stride + from_x - x];
            }
    }
    return r;
}

/* Whatever the screen and the link do: what was coarse on the way is fine when it rests. */
static void a_busy_screen_is_right_in_the_end(void **state) {
    static const struct {
        int width, height;
        bool i444;
        unsigned rate_kbps, threads;
    } cases[] = {{640, 480, false, 500, 2},
                 {333, 251, true, 3000, 4},
                 {800, 202, false, 50000, 1},
                 {401, 399, false, 100, 3},
                 {601, 299, true, 1000, 3}};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct desk d;
        open_desk(&d, cases[i].width, cases[i].height, cases[i].i444, cases[i].rate_kbps,
                  cases[i].threads);
        d.random = (uint32_t)(i + 77);
        write_lines(&d, 0, cases[i].height);
        push(&d, NULL, true, false);
        for (int k = 0; k < 40; k++) {
            struct px_region changed = {.rects = {do_something(&d), do_something(&d)}, .n = 2};
            push(&d, &changed, k % 17 == 16, false);
        }
        const struct px_region all = everything(&d);
        for (int k = 0; k < 100 && !d.packet.fine; k++) {
            d.now_ms += 1000; /* the link empties */
            push(&d, &all, false, true);
        }
        assert_true(d.packet.fine);
        assert_true(difference(&d) < NEAR);
        close_desk(&d);
    }
}

/* Who was there sees nothing of it, whatever happens meanwhile; who comes has all of it soon. */
static void a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest(void **state) {
    static const unsigned threads[] = {1, 4};
    for (size_t i = 0; i < PX_N_ELEMENTS(threads); i++) {
        struct desk d;
        open_desk(&d, 800, 512, i == 1, 1000000, threads[i]); /* 1600 blocks */
        write_lines(&d, 0, 512);
        push(&d, NULL, true, false);
        assert_true(d.packet.key && d.packet.owes && !d.packet.lone);
        take_parts(&d);
        assert_true(difference(&d) < NEAR);
        for (int k = 0; k < 2; k++) {
            const struct px_region all = everything(&d);
            struct px_region changed;
            write_lines(&d, 0, 512);
            push(&d, &all, false, false);
            px_decoder_free(d.late);
            d.late = px_decoder_new();
            push(&d, NULL, true, false);
            assert_true(d.packet.key && d.packet.owes && d.packet.lone);
            assert_true(d.packet.size < COARSE_BYTES_MAX);
            for (int n = 0; d.packet.owes; n++) {
                assert_true(n < 30);
                if ((k + n) % 4 == 1) {
                    scroll(&d, 1 + (int)chance(&d) % 60);
                    push(&d, &all, false, false);
                } else if ((k + n) % 4 == 2) {
                    changed = (struct px_region){.rects = {do_something(&d)}, .n = 1};
                    push(&d, &changed, false, false);
                } else {
                    push(&d, &all, false, true);
                    assert_true(d.packet.size < PART_BYTES_MAX);
                }
                assert_false(d.packet.key);
                assert_true(difference(&d) < NEAR);
            }
            same_picture(&d);
        }
        close_desk(&d);
    }
}

/* A newcomer who comes while another one still waits for parts. */
static void late_viewers_who_come_at_once_share_the_parts(void **state) {
    struct desk d;
    open_desk(&d, 800, 512, false, 1000000, 2);
    write_lines(&d, 0, 512);
    push(&d, NULL, true, false);
    take_parts(&d);
    const struct px_region all = everything(&d);
    for (int i = 0; i < 3; i++) {
        px_decoder_free(d.late);
        d.late = px_decoder_new();
        push(&d, NULL, true, false);
        assert_true(d.packet.lone);
        if (i < 2)
            push(&d, &all, false, true);
        assert_true(d.packet.owes);
    }
    take_parts(&d);
    same_picture(&d);
    assert_true(difference(&d) < NEAR);
    close_desk(&d);
}

/* A slow line gets smaller parts, and nobody's picture becomes worse for them. */
static void a_late_viewer_does_not_cost_others_their_quality(void **state) {
    struct desk d;
    open_desk(&d, 800, 512, false, 2000, 2);
    write_lines(&d, 0, 512);
    push(&d, NULL, true, false);
    const struct px_region all = everything(&d);
    while (!d.packet.fine) {
        d.now_ms += 1000;
        push(&d, &all, false, true);
    }
    const double fine = difference(&d);
    d.late = px_decoder_new();
    push(&d, NULL, true, false);
    assert_true(d.packet.lone);
    for (int n = 0; d.packet.owes; n++) {
        assert_true(n < 200);
        push(&d, &all, false, true);
        assert_true(d.packet.size < PART_BYTES_MAX / 4);
        assert_true(difference(&d) < fine + 0.5);
    }
    same_picture(&d);
    close_desk(&d);
}

/* No part takes long, and none is left out. */
static void a_large_refinement_comes_in_parts(void **state) {
    struct desk d;
    open_desk(&d, 1280, 720, false, 2000, 2); /* 3600 blocks */
    write_lines(&d, 0, 720);
    push(&d, NULL, true, false);
    assert_false(d.packet.fine);
    const double first = difference(&d);
    const struct px_region all = everything(&d);
    int n = 0, n_parts = 0;
    while (!d.packet.fine && n++ < 200) {
        d.now_ms += 2000; /* the line has had its time */
        push(&d, &all, false, true);
        assert_false(d.packet.key);
        n_parts += d.packet.more;
    }
    assert_true(d.packet.fine);
    assert_true(n_parts >= 3);
    assert_true(difference(&d) < NEAR && difference(&d) < first / 2);
    close_desk(&d);
}

static void sizes_that_the_host_lacks_are_declined(void **state) {
    const struct px_encoder_ops *const tables[] = {px_encoders_vp9};
    struct px_encoders *all = px_encoders_of(tables, 1);
    struct px_encoder_opts o = {.codec = PX_CODEC_VP9, .width = 16400, .height = 16, .threads = 1};
    struct px_encoder *enc = NULL;
    assert_int_equal(px_encoder_open(all, &o, &enc, NULL), -ENOTSUP);
    assert_null(enc);
    px_encoders_free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_and_number_of_threads_is_shown_as_it_is),
        cmocka_unit_test(what_moved_costs_little_and_does_not_fade),
        cmocka_unit_test(a_small_change_leaves_the_rest),
        cmocka_unit_test(a_viewer_who_comes_late_gets_a_key_frame_at_once),
        cmocka_unit_test(a_busy_screen_is_right_in_the_end),
        cmocka_unit_test(a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest),
        cmocka_unit_test(late_viewers_who_come_at_once_share_the_parts),
        cmocka_unit_test(a_late_viewer_does_not_cost_others_their_quality),
        cmocka_unit_test(a_large_refinement_comes_in_parts),
        cmocka_unit_test(sizes_that_the_host_lacks_are_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
