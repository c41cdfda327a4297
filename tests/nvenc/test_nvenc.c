/* tests/nvenc/test_nvenc.c - encoders on a card, on a played one
 *
 * What this shows: that NVENC's clients keep to its interface, and what becomes of it when a card
 * does not do as it should. What it cannot show is what silicon and driver make of it. */
#include "../host/clock.h"
#include "base/test.h"
#include "host/encode/apart.h"
#include "host/encode/encoder.h"
#include "host/encode/measure.h"
#include "host/encode/scene.h"
#include "host/encode/test_seen.h"
#include "played_test.h"
#include <math.h>
#include <time.h>

#define WIDTH 640
#define HEIGHT 368

struct show {
    struct px_encoders *all;
    struct px_encoder *enc;
    struct px_decoder *decoder;
    struct px_scene scene;
    struct px_packet packet;
    int64_t now_ms;
};

static struct px_encoders *of(const struct px_encoder_ops *first) {
    const struct px_encoder_ops *const tables[] = {first, px_encoders_x264, px_encoders_vp8};
    return px_encoders_of(tables, 3);
}

static struct px_encoder_opts opts(enum px_codec codec) {
    return (struct px_encoder_opts){.codec = codec,
                                    .width = WIDTH,
                                    .height = HEIGHT,
                                    .rate_kbps = 20000,
                                    .min_quality = 11,
                                    .max_quality = 85,
                                    .threads = 1};
}

static struct px_encoder *open_it(struct px_encoders *all, struct px_encoder_opts o) {
    struct px_encoder *enc = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_encoder_open(all, &o, &enc, &err), &err);
    return enc;
}

/* By the encoder of that name, though it takes a moment to come. */
static struct px_encoder *open_named(struct px_encoders *all, const char *name,
                                     struct px_encoder_opts o) {
    struct px_encoder *enc = NULL;
    struct px_error err = {0};
    for (size_t i = 0; px_encoders_at(all, i); i++)
        if (strcmp(px_encoders_at(all, i)->name, name) == 0)
            px_assert_ok_err(px_encoder_open_at(all, i, &o, &enc, &err), &err);
    assert_non_null(enc);
    return enc;
}

static void begin_with(struct show *s, const char *control, const struct px_encoder_ops *table,
                       const char *name, struct px_encoder_opts o) {
    played_reset(control);
    *s = (struct show){.all = of(table), .decoder = px_decoder_new()};
    played_clean();
    played_reset(control); /* each was looked for on a card of its own */
    s->enc = open_named(s->all, name, o);
    px_scene_init(&s->scene, WIDTH, HEIGHT);
}

static void begin(struct show *s, const char *control, enum px_codec codec) {
    begin_with(s, control, px_encoders_nvenc, codec == PX_CODEC_H264 ? "nvenc-h264" : "nvenc-h265",
               opts(codec));
}

static void end(struct show *s) {
    px_encoder_close(s->enc);
    px_encoders_free(s->all);
    px_decoder_free(s->decoder);
    px_scene_fini(&s->scene);
    played_clean();
}

/* What the viewer sees against what is there: steps of grey, on average. */
static double away(const struct show *s) {
    const struct px_picture *p = &s->scene.picture;
    double sum = 0;
    for (int y = 0; y < HEIGHT; y += 2)
        for (int x = 0; x < WIDTH; x += 2) {
            const uint32_t c = px_decoder_pixel(s->decoder, x, y);
            const double luma =
                16 + 0.257 * (c >> 16 & 255) + 0.504 * (c >> 8 & 255) + 0.098 * (c & 255);
            sum += fabs(luma - p->planes[0][(ptrdiff_t)y * p->strides[0] + x]);
        }
    return sum / (WIDTH * HEIGHT / 4);
}

static void push(struct show *s, const struct px_region *changed, bool key, bool refine) {
    struct px_error err = {0};
    s->now_ms += 16;
    const int r = px_encoder_push(s->all, &s->enc, &s->scene.picture, changed, s->now_ms, key,
                                  refine, &s->packet, &err);
    px_assert_ok_err(r, &err);
    assert_int_equal(r, 1); /* at once */
    px_test_decode(s->decoder, s->enc->opts.codec, s->packet.data, s->packet.size, s->packet.key);
}

static void go_on(struct show *s, enum px_scene_kind kind, bool key) {
    struct px_region changed;
    px_scene_step(&s->scene, kind, &changed);
    push(s, &changed, key, false);
}

static void settings_for_no_latency_arrive(void **state) {
    static const enum px_codec codecs[] = {PX_CODEC_H264, PX_CODEC_H265};
    for (int i = 0; i < 2; i++) {
        struct show s;
        begin(&s, "", codecs[i]);
        played_has(i == 0 ? "initialized h264 640x368 preset=p2 tuning=3"
                          : "initialized hevc 640x368 preset=p2 tuning=3");
        played_has("rc=constqp");
        played_has("reorder0=1 gop=endless idr=endless repeat=1 buffering=0 timing=0 range=0 "
                   "matrix=1/6/6/6");
        assert_int_equal(played_count("input created"), 1);
        end(&s);
    }
}

static void every_picture_is_shown_at_once_and_keys_come_when_asked(void **state) {
    static const enum px_codec codecs[] = {PX_CODEC_H264, PX_CODEC_H265};
    for (int k = 0; k < 2; k++) {
        struct show s;
        begin(&s, "", codecs[k]);
        for (int i = 0; i < 9; i++) {
            go_on(&s, (enum px_scene_kind)(i % 3), i == 5);
            assert_int_equal(s.packet.key, i == 0 || i == 5);
            assert_true(away(&s) < 6);
        }
        end(&s);
    }
}

static void rate_and_quality_change_without_a_key_frame(void **state) {
    struct show s;
    begin(&s, "", PX_CODEC_H264);
    go_on(&s, PX_SCENE_TYPING, false);
    for (int i = 0; i < 6; i++) {
        px_encoder_set_rate(s.enc, i % 2 ? 50000 : 300, i % 2 ? 11 : 60, 85);
        for (int k = 0; k < 4; k++) {
            go_on(&s, PX_SCENE_SCROLL, false);
            assert_false(s.packet.key);
        }
    }
    assert_true(played_count("reconfigured h264 rc=0") >= 6);
    assert_int_equal(played_count("reset=1"), 0);
    assert_int_equal(played_count("idr=1"), 0);
    assert_int_equal(played_count("initialized"), 1);
    end(&s);
}

static void refinements_come_to_an_end_and_are_seen(void **state) {
    const struct px_region screen = {.rects = {{0, 0, WIDTH, HEIGHT}}, .n = 1};
    struct px_encoder_opts o = opts(PX_CODEC_H264);
    struct show s;
    int n = 0;
    o.rate_kbps = 300;
    begin_with(&s, "", px_encoders_nvenc, "nvenc-h264", o);
    go_on(&s, PX_SCENE_SCROLL, true);
    assert_false(s.packet.fine);
    const double first = away(&s);
    for (; !s.packet.fine && n < 20; n++) {
        s.now_ms += 200;
        push(&s, &screen, false, true);
        assert_false(s.packet.key);
    }
    assert_true(s.packet.fine);
    assert_in_range(n, 1, 10);
    assert_true(away(&s) < first / 2);
    end(&s);
}

static void what_a_card_does_not_code_is_left_to_software(void **state) {
    static const struct {
        int width, height;
        bool i444;
    } cases[] = {{4098, 600, false}, {120, 100, false}, {101, 100, false}, {640, 368, true}};
    struct show s;
    begin(&s, "", PX_CODEC_H264);
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_encoder_opts o = opts(PX_CODEC_H264);
        struct px_encoder *enc = NULL;
        o.width = cases[i].width;
        o.height = cases[i].height;
        o.i444 = cases[i].i444;
        assert_int_equal(px_encoder_open_at(s.all, 0, &o, &enc, NULL), -ENOTSUP);
        if (i < 2) {
            enc = open_it(s.all, o);
            assert_string_equal(enc->ops->name, "libx264");
            px_encoder_close(enc);
        }
    }
    struct px_encoder *again = open_it(s.all, opts(PX_CODEC_H264)); /* nobody was left alone */
    assert_string_equal(again->ops->name, "nvenc-h264");
    px_encoder_close(again);
    end(&s);
}

static void the_context_stays_while_encoders_come_and_go(void **state) {
    struct show s;
    begin(&s, "", PX_CODEC_H264);
    const int made = played_count("context made");
    for (int i = 0; i < 3; i++) { /* another size, or codec */
        px_encoder_close(s.enc);
        s.enc = open_named(s.all, i == 1 ? "nvenc-h265" : "nvenc-h264",
                           opts(i == 1 ? PX_CODEC_H265 : PX_CODEC_H264));
    }
    px_encoders_rest(s.all); /* in use: it stays */
    assert_int_equal(played_count("context made"), made);
    assert_int_equal(played_count("context gone"), made - 1);
    px_encoder_close(s.enc);
    s.enc = NULL;
    assert_int_equal(played_count("context gone"), made);
    s.enc = open_named(s.all, "nvenc-h264", opts(PX_CODEC_H264));
    assert_int_equal(played_count("context made"), made + 1);
    end(&s);
}

static void a_card_that_fails_is_replaced_and_nobody_sees(void **state) {
    struct show s;
    begin(&s, "fail_encode 4\n", PX_CODEC_H264);
    for (int i = 0; i < 8; i++) {
        go_on(&s, PX_SCENE_TYPING, false);
        assert_int_equal(s.packet.key, i == 0 || i == 4);
        assert_true(away(&s) < 6);
    }
    assert_string_equal(s.enc->ops->name, "libx264");
    assert_int_equal(px_encoders_n_failed(s.all), 1);
    assert_int_equal(px_encoders_n_hardware(s.all), 0);
    assert_int_equal(played_count("lost at picture"), 1); /* and was not asked again */
    assert_int_equal(played_count("context made"), played_count("context gone"));
    assert_false(px_encoder_is_outdated(s.enc));
    end(&s);
}

static void one_that_keeps_a_picture_back_is_replaced(void **state) {
    struct show s;
    begin(&s, "more_input 3\n", PX_CODEC_H264);
    for (int i = 0; i < 6; i++) {
        go_on(&s, PX_SCENE_TYPING, false);
        assert_int_equal(s.packet.key, i == 0 || i == 3);
    }
    assert_string_equal(s.enc->ops->name, "libx264");
    end(&s);
}

/* Waits until the encoder on the card can take over. */
static bool becomes_outdated(struct px_encoder *enc) {
    for (int i = 0; i < 2000; i++) {
        if (px_encoder_is_outdated(enc))
            return true;
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    return false;
}

static void a_card_that_takes_its_time_keeps_nobody_waiting(void **state) {
    struct show s;
    begin(&s, "", PX_CODEC_H264);
    px_encoder_close(s.enc);
    px_encoders_rest(s.all);
    played_set("context_ms 300\n");
    s.enc = open_it(s.all, opts(PX_CODEC_H264));
    assert_string_equal(s.enc->ops->name, "libx264");
    go_on(&s, PX_SCENE_TYPING, false);
    assert_true(becomes_outdated(s.enc));
    px_encoder_close(s.enc);
    s.enc = open_it(s.all, opts(PX_CODEC_H264));
    assert_string_equal(s.enc->ops->name, "nvenc-h264");
    assert_false(px_encoder_is_outdated(s.enc));
    go_on(&s, PX_SCENE_TYPING, false);
    assert_true(s.packet.key);
    px_encoder_close(s.enc); /* where nothing stands in, one waits */
    px_encoders_rest(s.all);
    s.enc = open_it(s.all, opts(PX_CODEC_H265));
    assert_string_equal(s.enc->ops->name, "nvenc-h265");
    end(&s);
}

static void above_the_limit_software_encodes_and_a_free_session_is_found(void **state) {
    static const char *const full[] = {"sessions 1\n", "sessions 1\nclient_key 1\n"};
    for (int i = 0; i < 2; i++) {
        struct show s;
        begin(&s, full[i], PX_CODEC_H264);
        struct px_encoder *more = open_it(s.all, opts(PX_CODEC_H264));
        assert_string_equal(more->ops->name, "libx264");
        assert_int_equal(played_count("refused"), 1);
        for (int k = 0; k < 3; k++) { /* not asked at each picture */
            assert_false(px_encoder_is_outdated(more));
            px_encoder_close(more);
            more = open_it(s.all, opts(PX_CODEC_H264));
        }
        assert_int_equal(played_count("refused"), 1);
        assert_int_equal(px_encoders_n_failed(s.all), 0);
        go_on(&s, PX_SCENE_TYPING, false); /* who has one keeps it */
        assert_string_equal(s.enc->ops->name, "nvenc-h264");
        clock_advance(PX_ENCODER_SHUN_US + 1000000);
        for (int k = 0; k < 3; k++) /* asked once more, and what runs goes on */
            assert_false(px_encoder_is_outdated(more));
        assert_int_equal(played_count("refused"), 2);
        played_set("sessions 2\n");
        clock_advance(PX_ENCODER_SHUN_US + 1000000);
        assert_true(becomes_outdated(more));
        px_encoder_close(more);
        more = open_it(s.all, opts(PX_CODEC_H264));
        assert_string_equal(more->ops->name, "nvenc-h264");
        px_encoder_close(more);
        end(&s);
    }
}

static void the_first_card_with_room_is_taken(void **state) {
    struct show s;
    begin(&s, "cards 2\nno_engine 1\n", PX_CODEC_H264);
    go_on(&s, PX_SCENE_TYPING, false);
    played_has("session opened on card 1");
    assert_int_equal(played_count("session opened on card 0"), 0);
    end(&s);
}

/* A card that takes its time for whatever picture; how much of it, load decides. */
static void a_card_is_measured_with_what_it_takes_at_least(void **state) {
    const struct px_measure_opts o = {.width = 320,
                                      .height = 192,
                                      .n_pictures = 3,
                                      .threads = 1,
                                      .min_quality = 11,
                                      .rate_kbps = 100000};
    struct px_figures f;
    struct px_error err = {0};
    struct show s;
    begin(&s, "late_ms 20\n", PX_CODEC_H264);
    px_assert_ok_err(px_measure(s.all, 0, &o, &f, &err), &err);
    assert_true(f.hardware && f.encode_us[PX_SCENE_TYPING] >= 20000);
    assert_true(f.fixed_us <= f.encode_us[PX_SCENE_TYPING]);
    end(&s);
}

/* ---- what the host finds when it starts ---- */

static bool has(const struct px_encoders *e, const char *name) {
    for (size_t i = 0; px_encoders_at(e, i); i++)
        if (strcmp(px_encoders_at(e, i)->name, name) == 0)
            return true;
    return false;
}

static void a_start_tells_why_there_is_no_card(void **state) {
    static const struct {
        const char *control, *note; /* NULL: nothing */
        bool h264, h265;
    } cases[] = {
        {"", NULL, true, true},
        {"no_hevc 1\n", NULL, true, false},
        {"cards 0\n", NULL, false, false},
        {"no_engine 1\n", NULL, false, false},
        {"api 160\n", "offers NVENC 10.0, this needs ", false, false},
        {"sessions 0\n", "no session is free", true, true}, /* a while later there may be one */
        {"no_context 1\n", "CUDA gives no context", true, true},
        {"fail_open 1\n", "NVENC's error (20)", false, false},
        {"crash 1\n", "the card's driver has crashed (signal 6)", false, false},
        {"green 1\n", "its pictures are not what was shown", false, false},
        {"fail_encode 1\n", "the card is gone", false, false},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_encoders *e = NULL;
        played_reset(cases[i].control);
        px_assert_ok(px_encoders_new("", &e, NULL));
        assert_int_equal(has(e, "nvenc-h264"), cases[i].h264);
        assert_int_equal(has(e, "nvenc-h265"), cases[i].h265);
        assert_false(has(e, "h264_nvenc")); /* not needed, or no better */
        if (cases[i].note)
            px_assert_contains(px_encoders_note(e), cases[i].note);
        else
            assert_string_equal(px_encoders_note(e), "");
        assert_true(px_encoders_can(e, PX_CODEC_H264)); /* as ever */
        px_encoders_free(e);
        if (!strstr(cases[i].control, "crash"))
            played_clean();
    }
}

static void asking_leaves_nothing_in_this_process(void **state) {
    struct px_encoders *e = NULL;
    char maps[1 << 20];
    played_reset("");
    px_assert_ok(px_encoders_new("", &e, NULL));
    assert_true(has(e, "nvenc-h264"));
    FILE *f = fopen("/proc/self/maps", "re");
    const size_t n = fread(maps, 1, sizeof(maps) - 1, f);
    fclose(f);
    maps[n] = '\0';
    assert_null(strstr(maps, "libnvidia-encode"));
    px_encoders_free(e);
}

/* ---- libavcodec's, which stands behind ---- */

static void libavcodecs_keeps_to_the_interface_too(void **state) {
    const struct px_region screen = {.rects = {{0, 0, WIDTH, HEIGHT}}, .n = 1};
    struct show s;
    begin_with(&s, "", px_encoders_avcodec_nvenc, "h264_nvenc", opts(PX_CODEC_H264));
    played_has("preset=p2 tuning=3 rc=vbr");
    played_has("reorder0=1 gop=endless idr=endless repeat=1 buffering=0 timing=1 range=0 "
               "matrix=1/6/6/6");
    played_has("min=1/5 max_qp=1/43");
    for (int i = 0; i < 6; i++) {
        px_encoder_set_rate(s.enc, 20000 + 1000 * (unsigned)i, 11, 85); /* too little for a key */
        go_on(&s, (enum px_scene_kind)(i % 3), i == 4);
        assert_int_equal(s.packet.key, i == 0 || i == 4);
        assert_true(away(&s) < 6);
    }
    push(&s, &screen, false, true);
    assert_true(s.packet.fine); /* told by the card */
    px_encoder_set_rate(s.enc, 2000, 11, 85);
    go_on(&s, PX_SCENE_TYPING, false);
    assert_int_equal(played_count("reconfigured"), 1);
    assert_true(s.packet.key); /* which is why it only stands behind */
    end(&s);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_for_no_latency_arrive),
        cmocka_unit_test(every_picture_is_shown_at_once_and_keys_come_when_asked),
        cmocka_unit_test(rate_and_quality_change_without_a_key_frame),
        cmocka_unit_test(refinements_come_to_an_end_and_are_seen),
        cmocka_unit_test(what_a_card_does_not_code_is_left_to_software),
        cmocka_unit_test(the_context_stays_while_encoders_come_and_go),
        cmocka_unit_test(a_card_that_fails_is_replaced_and_nobody_sees),
        cmocka_unit_test(one_that_keeps_a_picture_back_is_replaced),
        cmocka_unit_test(a_card_that_takes_its_time_keeps_nobody_waiting),
        cmocka_unit_test(above_the_limit_software_encodes_and_a_free_session_is_found),
        cmocka_unit_test(the_first_card_with_room_is_taken),
        cmocka_unit_test(a_card_is_measured_with_what_it_takes_at_least),
        cmocka_unit_test(a_start_tells_why_there_is_no_card),
        cmocka_unit_test(asking_leaves_nothing_in_this_process),
        cmocka_unit_test(libavcodecs_keeps_to_the_interface_too),
    };
    played_begin(argv);
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    played_end();
    return r;
}
