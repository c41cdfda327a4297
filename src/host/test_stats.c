/* src/host/test_stats.c */
#include "base/test.h"
#include "host/stats.h"

static const char *print(const struct px_stats *s, struct px_buf *out) {
    px_stats_print(s, out);
    return px_buf_str(out);
}

static void buckets_add_up(void **state) {
    struct px_stats s = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_stats_stage(&s, PX_CODEC_H264, PX_STAGE_SEND, 100);
    px_stats_stage(&s, PX_CODEC_H264, PX_STAGE_SEND, 3000);
    px_stats_stage(&s, PX_CODEC_H264, PX_STAGE_SEND, 9000000);
    px_stats_stage(&s, PX_CODEC_H264, PX_STAGE_SEND, -5);
    const char *text = print(&s, &out);
#define LINE(LE, N)                                                                                \
    "phoenix_host_stage_seconds_bucket{stage=\"send\",codec=\"h264\",le=\"" LE "\"} " N "\n"
    assert_non_null(strstr(text, LINE("0.000125", "2")));
    assert_non_null(strstr(text, LINE("0.002", "2")));
    assert_non_null(strstr(text, LINE("0.004", "3")));
    assert_non_null(strstr(text, LINE("0.256", "3")));
    assert_non_null(strstr(text, LINE("+Inf", "4")));
    assert_non_null(strstr(text, "_count{stage=\"send\",codec=\"h264\"} 4\n"));
    assert_non_null(strstr(text, "_sum{stage=\"send\",codec=\"h264\"} 9.003100\n"));
    assert_null(strstr(text, "vp9"));
}

static void a_key_frame_without_damage_has_only_what_it_went_through(void **state) {
    struct px_stats s = {0};
    const struct px_video_packet p = {.key = true,
                                      .size = 1000,
                                      .codec = PX_CODEC_VP9,
                                      .times = {.encode_us = 10, .done_us = 30}};
    px_stats_packet(&s, &p);
    assert_int_equal(s.stages[PX_CODEC_VP9][PX_STAGE_WAIT].n, 0);
    assert_int_equal(s.stages[PX_CODEC_VP9][PX_STAGE_GRAB].n, 0);
    assert_int_equal(s.stages[PX_CODEC_VP9][PX_STAGE_ENCODE].sum_us, 20);
    assert_int_equal(s.keys[PX_CODEC_VP9], 1);
    assert_int_equal(s.bytes[PX_CODEC_VP9], 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_add_up),
        cmocka_unit_test(a_key_frame_without_damage_has_only_what_it_went_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
