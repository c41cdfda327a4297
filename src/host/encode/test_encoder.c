/* src/host/encode/test_encoder.c - every encoder that runs here, seen through a client's decoder */
#include "base/test.h"
#include "host/encode/encoder.h"
#include "host/encode/scene.h"
#include "host/encode/test_seen.h"
#include <string.h>

#define WIDTH 320
#define HEIGHT 240
#define SIDE 32

static struct px_encoders *all;

static int set_up(void **state) {
    return px_encoders_new("", &all, NULL);
}

static int tear_down(void **state) {
    px_encoders_free(all);
    return 0;
}

static struct px_encoder *open_one(struct px_encoders *of, enum px_codec codec, bool i444,
                                   unsigned rate_kbps, unsigned min_quality) {
    const struct px_encoder_opts o = {.codec = codec,
                                      .width = WIDTH,
                                      .height = HEIGHT,
                                      .i444 = i444,
                                      .rate_kbps = rate_kbps,
                                      .min_quality = min_quality,
                                      .max_quality = 85,
                                      .threads = 2};
    struct px_encoder *enc = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_encoder_open(of, &o, &enc, &err), &err);
    return enc;
}

static void fill(struct px_picture *p, struct px_rect r, uint32_t rgb) {
    uint8_t pixels[SIDE * SIDE * 4];
    for (int i = 0; i < SIDE * SIDE; i++)
        memcpy(pixels + 4 * i,
               (uint8_t[]){(uint8_t)rgb, (uint8_t)(rgb >> 8), (uint8_t)(rgb >> 16), 0}, 4);
    for (int y = r.y; y < r.y + r.h; y += SIDE)
        for (int x = r.x; x < r.x + r.w; x += SIDE)
            px_picture_put_bgrx(p, x, y, pixels, SIDE * 4, SIDE, SIDE);
}

/* As dense as text gets: black and white by chance. */
static void scribble(struct px_picture *p) {
    uint32_t random = 1;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            random = random * 1103515245u + 12345u;
            p->planes[0][(ptrdiff_t)y * p->strides[0] + x] = random >> 24 & 1 ? 235 : 16;
        }
}

static double difference(const struct px_picture *p, const struct px_decoder *d) {
    double sum = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const int want = p->planes[0][(ptrdiff_t)y * p->strides[0] + x] > 128 ? 255 : 0;
            const int got = (int)(px_decoder_pixel(d, x, y) >> 8 & 255);
            sum += abs(want - got);
        }
    return sum / (WIDTH * HEIGHT);
}

static void decode(struct px_decoder *d, enum px_codec codec, const struct px_packet *p) {
    px_test_decode(d, codec, p->data, p->size, p->key);
}

static bool is_white(const struct px_decoder *d, struct px_rect r) {
    return (px_decoder_pixel(d, r.x + r.w / 2, r.y + r.h / 2) >> 8 & 255) > 180;
}

static struct px_rect place(int i) {
    return (struct px_rect){i % 8 * SIDE, i / 8 % 4 * SIDE, SIDE, SIDE};
}

/* Pushes a picture in which the square went on to place @i, expects to see it there at once. */
static struct px_packet go_on(struct px_encoder **enc, struct px_encoders *of, struct px_picture *p,
                              struct px_decoder *d, int i, bool key) {
    struct px_packet packet = {0};
    struct px_region changed = {0};
    struct px_error err = {0};
    if (i > 0) {
        fill(p, place(i - 1), 0x000000);
        px_region_add(&changed, place(i - 1));
    }
    fill(p, place(i), 0xffffff);
    px_region_add(&changed, place(i));
    const int r = px_encoder_push(of, enc, p, &changed, i * 20, key, false, &packet, &err);
    px_assert_ok_err(r, &err);
    assert_int_equal(r, 1);
    decode(d, (*enc)->opts.codec, &packet);
    assert_true(is_white(d, place(i)));
    assert_true(i == 0 || !is_white(d, place(i - 1)));
    return packet;
}

static void every_packet_shows_its_picture_and_keys_come_when_asked(void **state) {
    const struct px_encoder_ops *ops;
    for (size_t k = 0; (ops = px_encoders_at(all, k)); k++) {
        struct px_encoders *one = NULL;
        px_assert_ok_err(px_encoders_new(ops->name, &one, NULL), &(struct px_error){0});
        struct px_encoder *enc = open_one(one, ops->codec, false, 4000, 11);
        px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
        struct px_picture p;
        px_picture_init(&p, WIDTH, HEIGHT, false);
        for (int i = 0; i < 20; i++)
            assert_int_equal(go_on(&enc, one, &p, d, i, i == 12).key, i == 0 || i == 12);
        px_picture_fini(&p);
        px_encoder_close(enc);
        px_encoders_free(one);
    }
}

static void full_chroma_keeps_coloured_lines(void **state) {
    static const enum px_codec codecs[] = {PX_CODEC_VP9, PX_CODEC_AV1};
    for (size_t k = 0; k < PX_N_ELEMENTS(codecs); k++) {
        if (!px_encoders_can(all, codecs[k]))
            continue;
        struct px_encoder *enc = open_one(all, codecs[k], true, 20000, 1);
        px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
        struct px_picture p;
        struct px_packet packet;
        px_picture_init(&p, WIDTH, HEIGHT, true);
        fill(&p, (struct px_rect){0, 0, WIDTH, 224}, 0x808080);
        for (int y = 0; y < 200; y++) /* lines one pixel wide, red and blue in turn */
            for (int x = 64; x < 128; x++)
                px_picture_put_bgrx(&p, x, y,
                                    x % 2 ? (uint8_t[]){0, 0, 255, 0} : (uint8_t[]){255, 0, 0, 0},
                                    4, 1, 1);
        assert_int_equal(px_encoder_push(all, &enc, &p, NULL, 0, true, false, &packet, NULL), 1);
        decode(d, codecs[k], &packet);
        assert_true(px_decoder_is_i444(d));
        const uint32_t red = px_decoder_pixel(d, 101, 100), blue = px_decoder_pixel(d, 100, 100);
        assert_true((red >> 16 & 255) > 150 && (red & 255) < 100);
        assert_true((blue & 255) > 150 && (blue >> 16 & 255) < 100);
        px_picture_fini(&p);
        px_encoder_close(enc);
    }
}

/* On a slow line the first picture is coarse; refinements end with one that says it is fine. */
static void refinements_come_to_an_end_and_are_seen(void **state) {
    static const enum px_codec codecs[] = {PX_CODEC_VP8, PX_CODEC_VP9, PX_CODEC_H264};
    for (size_t k = 0; k < PX_N_ELEMENTS(codecs); k++) {
        if (!px_encoders_can(all, codecs[k]))
            continue;
        struct px_encoder *enc = open_one(all, codecs[k], false, 200, 5);
        px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
        const struct px_region screen = {.rects = {{0, 0, WIDTH, HEIGHT}}, .n = 1};
        struct px_picture p;
        struct px_packet packet;
        px_picture_init(&p, WIDTH, HEIGHT, false);
        scribble(&p);
        assert_int_equal(px_encoder_push(all, &enc, &p, NULL, 0, true, false, &packet, NULL), 1);
        assert_false(packet.fine);
        decode(d, codecs[k], &packet);
        const double first = difference(&p, d);
        for (int i = 1; i < 1000 && !packet.fine; i++) {
            assert_int_equal(
                px_encoder_push(all, &enc, &p, &screen, i * 200, false, true, &packet, NULL), 1);
            assert_false(packet.key);
            decode(d, codecs[k], &packet);
        }
        assert_true(packet.fine);
        assert_true(difference(&p, d) < first / 2);
        px_picture_fini(&p);
        px_encoder_close(enc);
    }
}

/* How far away the decoded luma is, on average. */
static double away_from(const struct px_picture *p, const struct px_decoder *d) {
    double sum = 0;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            const int luma = p->planes[0][(ptrdiff_t)y * p->strides[0] + x];
            const int got = (int)(px_decoder_pixel(d, x, y) >> 8 & 255); /* grey: all three alike */
            sum += abs((luma - 16) * 255 / 219 - got);
        }
    return sum / p->width / p->height;
}

/* libx264, which takes over when our own fails. */
static void h264_is_refined_in_parts_and_what_is_new_is_fine_at_once(void **state) {
    const struct px_encoder_opts o = {.codec = PX_CODEC_H264,
                                      .width = 1280,
                                      .height = 720,
                                      .rate_kbps = 2000,
                                      .min_quality = 5,
                                      .max_quality = 85,
                                      .threads = 2};
    const struct px_encoder_ops *const tables[] = {px_encoders_x264};
    struct px_encoders *x264 = px_encoders_of(tables, 1);
    if (!px_encoders_can(x264, PX_CODEC_H264)) {
        px_encoders_free(x264);
        skip();
    }
    struct px_encoder *enc = NULL;
    struct px_scene scene;
    struct px_region changed;
    struct px_packet packet;
    const struct px_region screen = {.rects = {{0, 0, 1280, 720}}, .n = 1};
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_scene_init(&scene, 1280, 720);
    px_assert_ok_err(px_encoder_open(x264, &o, &enc, NULL), &(struct px_error){0});
    assert_int_equal(
        px_encoder_push(x264, &enc, &scene.picture, NULL, 0, true, false, &packet, NULL), 1);
    assert_false(packet.fine);
    decode(d, PX_CODEC_H264, &packet);
    const double first = away_from(&scene.picture, d);
    int n = 0;
    for (int64_t ms = 200; !packet.fine && n < 500; ms += 100, n++) {
        px_scene_step(&scene, PX_SCENE_TYPING, &changed);
        assert_int_equal(
            px_encoder_push(x264, &enc, &scene.picture, &changed, ms, false, false, &packet, NULL),
            1);
        assert_true(packet.size < 20000); /* only the letter, though finer than the rest */
        decode(d, PX_CODEC_H264, &packet);
        assert_int_equal(px_encoder_push(x264, &enc, &scene.picture, &screen, ms + 50, false, true,
                                         &packet, NULL),
                         1);
        assert_false(packet.fine && packet.more);
        decode(d, PX_CODEC_H264, &packet);
    }
    assert_true(packet.fine);
    assert_in_range(n, 10, 400); /* 3600 blocks */
    assert_true(away_from(&scene.picture, d) < first / 3);
    px_encoder_close(enc);
    px_encoders_free(x264);
    px_scene_fini(&scene);
}

static void better_quality_is_nearer_to_the_picture(void **state) {
    static const enum px_codec codecs[] = {PX_CODEC_VP8, PX_CODEC_VP9, PX_CODEC_H264};
    for (size_t k = 0; k < PX_N_ELEMENTS(codecs); k++) {
        double away[2];
        for (int better = 0; better < 2; better++) {
            if (!px_encoders_can(all, codecs[k]))
                continue;
            struct px_encoder *enc = open_one(all, codecs[k], false, 100000, better ? 1 : 50);
            px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
            struct px_picture p;
            struct px_packet packet;
            px_picture_init(&p, WIDTH, HEIGHT, false);
            scribble(&p);
            assert_int_equal(px_encoder_push(all, &enc, &p, NULL, 0, true, false, &packet, NULL),
                             1);
            decode(d, codecs[k], &packet);
            away[better] = difference(&p, d);
            px_picture_fini(&p);
            px_encoder_close(enc);
        }
        assert_true(away[1] < away[0]);
    }
}

/* ---- an encoder that gives up in mid-session: a "card" that codes by libvpx, and then fails ----
 */

static int n_left;  /* pushes until it fails; less than 0: it does not open */
static int n_asked; /* to open */
static const struct px_encoder_ops *real;

static int flaky_probe(const struct px_encoder_ops *ops, struct px_error *err) {
    return 0;
}

static int flaky_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *opts,
                      struct px_encoder **ret, struct px_error *err) {
    n_asked++;
    return n_left < 0 ? px_fail(err, -EIO, "no session free") : real->open(real, opts, ret, err);
}

static int flaky_push(struct px_encoder *enc, const struct px_picture *pic,
                      const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                      struct px_packet *ret, struct px_error *err) {
    if (n_left-- == 0)
        return px_fail(err, -EIO, "the card is gone");
    return real->push(enc, pic, changed, pts_ms, key, refine, ret, err);
}

static void flaky_set_rate(struct px_encoder *enc) {
    real->set_rate(enc);
}

static void flaky_close(struct px_encoder *enc) {
    real->close(enc);
}

static const struct px_encoder_ops flaky[] = {
    {"flaky", PX_CODEC_VP9, true, flaky_probe, flaky_open, flaky_push, flaky_set_rate, flaky_close},
    {0}};

static void an_encoder_that_fails_is_replaced_and_nobody_sees(void **state) {
    const struct px_encoder_ops *const tables[] = {flaky, px_encoders_vpx};
    struct px_encoders *e = px_encoders_of(tables, 2);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    struct px_picture p;
    real = px_encoders_vpx;
    n_left = 5;
    px_picture_init(&p, WIDTH, HEIGHT, false);
    struct px_encoder *enc = open_one(e, PX_CODEC_VP9, false, 4000, 11);
    assert_string_equal(enc->ops->name, "flaky");
    assert_int_equal(px_encoders_n_hardware(e), 1);
    for (int i = 0; i < 12; i++) /* each picture is seen, also the one at which it gives up */
        assert_int_equal(go_on(&enc, e, &p, d, i, false).key, i == 0 || i == 5);
    assert_string_equal(enc->ops->name, "libvpx-vp9");
    assert_int_equal(px_encoders_n_hardware(e), 0);
    assert_int_equal(px_encoders_n_failed(e), 1);
    px_encoder_close(enc);
    n_left = 5; /* it would work again, but is left alone for a while */
    enc = open_one(e, PX_CODEC_VP9, false, 4000, 11);
    assert_string_equal(enc->ops->name, "libvpx-vp9");
    px_encoder_close(enc);
    px_picture_fini(&p);
    px_encoders_free(e);
}

static void without_a_free_session_the_next_encoder_opens(void **state) {
    const struct px_encoder_ops *const tables[] = {flaky, px_encoders_vpx};
    struct px_encoders *e = px_encoders_of(tables, 2);
    n_left = -1;
    n_asked = 0;
    for (int i = 0; i < 3; i++) { /* it is not asked again at once: that can take long */
        struct px_encoder *enc = open_one(e, PX_CODEC_VP9, false, 4000, 11);
        assert_string_equal(enc->ops->name, "libvpx-vp9");
        assert_int_equal(n_asked, 1);
        px_encoder_close(enc);
    }
    assert_int_equal(px_encoders_n_failed(e), 0);
    px_encoders_free(e);
}

static void when_none_is_left_it_is_told(void **state) {
    const struct px_encoder_ops *const tables[] = {flaky};
    struct px_encoders *e = px_encoders_of(tables, 1);
    struct px_picture p;
    struct px_packet packet;
    struct px_error err = {0};
    real = px_encoders_vpx;
    n_left = 0;
    px_picture_init(&p, WIDTH, HEIGHT, false);
    struct px_encoder *enc = open_one(e, PX_CODEC_VP9, false, 4000, 11);
    assert_int_equal(px_encoder_push(e, &enc, &p, NULL, 0, true, false, &packet, &err), -ENOTSUP);
    assert_null(enc);
    assert_string_equal(err.msg, "no encoder for vp9");
    px_picture_fini(&p);
    px_encoders_free(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_shows_its_picture_and_keys_come_when_asked),
        cmocka_unit_test(full_chroma_keeps_coloured_lines),
        cmocka_unit_test(refinements_come_to_an_end_and_are_seen),
        cmocka_unit_test(h264_is_refined_in_parts_and_what_is_new_is_fine_at_once),
        cmocka_unit_test(better_quality_is_nearer_to_the_picture),
        cmocka_unit_test(an_encoder_that_fails_is_replaced_and_nobody_sees),
        cmocka_unit_test(without_a_free_session_the_next_encoder_opens),
        cmocka_unit_test(when_none_is_left_it_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
