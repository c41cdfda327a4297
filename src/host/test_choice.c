/* src/host/test_choice.c */
#include "base/test.h"
#include "base/clock.h"
#include "host/choice.h"

#define BOTH (1u << PX_CODEC_VP8 | 1u << PX_CODEC_H264)

/* VP8 is quick where little changes, H.264 takes half the bytes and is quick with films. */
static const struct px_measured measured = {.n = 2,
                                            .list = {{.name = "a",
                                                      .codec = PX_CODEC_H264,
                                                      .encode_us = {500, 600, 900, 2700},
                                                      .decode_us = {150, 300, 300, 2000},
                                                      .bytes = {100, 3000, 5000, 60000},
                                                      .ddb = {480, 500, 500, 460}},
                                                     {.name = "b",
                                                      .codec = PX_CODEC_VP8,
                                                      .encode_us = {70, 900, 900, 7000},
                                                      .decode_us = {100, 700, 500, 4500},
                                                      .bytes = {200, 7000, 10000, 60000},
                                                      .ddb = {480, 500, 500, 460}}}};

static struct px_situation at_rest(int current) {
    return (struct px_situation){.measured = &measured,
                                 .now_us = 100 * PX_US_PER_S,
                                 .area_px = 1920 * 1080,
                                 .current = current};
}

static void on_a_quick_line_typing_decides(void **state) {
    const struct px_situation s = at_rest(-1);
    struct px_choice c;
    px_choose(&s, BOTH, &c);
    assert_int_equal(c.codec, PX_CODEC_VP8);
    assert_true(c.by_time);
    assert_non_null(strstr(c.why, "measured quickest: vp8 "));
    assert_non_null(strstr(c.why, " ms, h264 "));
}

static void on_a_slow_line_bytes_decide(void **state) {
    struct px_situation s = at_rest(PX_CODEC_VP8);
    struct px_choice c;
    s.rate_kbps = 2000;
    px_choose(&s, BOTH, &c);
    assert_int_equal(c.codec, PX_CODEC_H264);
}

static void a_film_changes_the_choice_and_its_end_does_too(void **state) {
    struct px_situation s = at_rest(PX_CODEC_VP8);
    struct px_choice c;
    struct px_mix mix = {0};
    s.mix = &mix;
    for (int i = 0; i < 150; i++)
        px_mix_add(&mix, PX_SCENE_VIDEO, s.now_us += 33 * PX_US_PER_MS);
    assert_true(px_mix_is_video(&mix, s.now_us));
    px_choose(&s, BOTH, &c);
    assert_int_equal(c.codec, PX_CODEC_H264);
    s.now_us += 60 * PX_US_PER_S;
    assert_false(px_mix_is_video(&mix, s.now_us));
    s.current = PX_CODEC_H264;
    px_choose(&s, BOTH, &c);
    assert_int_equal(c.codec, PX_CODEC_VP8);
}

static void a_little_quicker_is_not_worth_a_switch(void **state) {
    struct px_measured even = measured;
    struct px_choice c;
    even.list[0] = even.list[1];
    even.list[0].codec = PX_CODEC_H264;
    even.list[0].encode_us[PX_SCENE_TYPING] -= 20;
    struct px_situation s = at_rest(PX_CODEC_VP8);
    s.measured = &even;
    px_choose(&s, BOTH, &c);
    assert_int_equal(c.codec, PX_CODEC_VP8);
    s.current = -1;
    px_choose(&s, BOTH, &c);
    assert_int_equal(c.codec, PX_CODEC_H264);
}

static void what_does_not_keep_up_is_left_to_those_who_ask(void **state) {
    struct px_measured slow = measured;
    struct px_choice c;
    struct px_situation s = at_rest(-1);
    s.measured = &slow;
    s.rate_kbps = 100; /* where a third of the bytes would be worth a lot */
    slow.n = 3;
    slow.list[2] = measured.list[0];
    slow.list[2].codec = PX_CODEC_AV1;
    for (int i = 0; i < PX_N_SCENES; i++)
        slow.list[2].bytes[i] /= 3;
    px_choose(&s, BOTH | 1u << PX_CODEC_AV1, &c);
    assert_int_equal(c.codec, PX_CODEC_AV1);
    slow.list[2].encode_us[PX_SCENE_SCROLL] = 9000;
    px_choose(&s, BOTH | 1u << PX_CODEC_AV1, &c);
    assert_int_equal(c.codec, PX_CODEC_H264);
    px_choose(&s, 1u << PX_CODEC_AV1, &c);
    assert_int_equal(c.codec, PX_CODEC_AV1);
}

static void who_shares_a_stream_stays_with_it(void **state) {
    struct px_situation s = at_rest(PX_CODEC_H264);
    struct px_choice c;
    s.stay = true;
    px_choose(&s, BOTH, &c);
    assert_int_equal(c.codec, PX_CODEC_H264);
    px_choose(&s, 1u << PX_CODEC_VP8 | 1u << PX_CODEC_VP9, &c); /* which this one cannot */
    assert_int_equal(c.codec, PX_CODEC_VP8);
}

static void without_another_there_is_no_choice(void **state) {
    const struct px_situation s = at_rest(-1);
    struct px_choice c;
    px_choose(&s, 1u << PX_CODEC_VP9, &c); /* not measured either */
    assert_int_equal(c.codec, PX_CODEC_VP9);
    assert_false(c.by_time);
}

static void content_is_told_by_how_much_changed_and_what_it_took(void **state) {
    const int64_t area = 1920 * 1080;
    static const struct {
        int64_t changed_px;
        size_t bytes;
        enum px_scene_kind want;
    } cases[] = {{78, 100, PX_SCENE_TYPING},        {78, 100000, PX_SCENE_TYPING},
                 {200000, 4000, PX_SCENE_DRAG},     {2000000, 40000, PX_SCENE_SCROLL},
                 {2000000, 400000, PX_SCENE_VIDEO}, {300000, 60000, PX_SCENE_VIDEO}};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++)
        assert_int_equal(px_scene_of(cases[i].changed_px, area, cases[i].bytes), cases[i].want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_quick_line_typing_decides),
        cmocka_unit_test(on_a_slow_line_bytes_decide),
        cmocka_unit_test(a_film_changes_the_choice_and_its_end_does_too),
        cmocka_unit_test(a_little_quicker_is_not_worth_a_switch),
        cmocka_unit_test(what_does_not_keep_up_is_left_to_those_who_ask),
        cmocka_unit_test(who_shares_a_stream_stays_with_it),
        cmocka_unit_test(without_another_there_is_no_choice),
        cmocka_unit_test(content_is_told_by_how_much_changed_and_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
