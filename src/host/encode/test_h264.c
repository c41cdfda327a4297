/* src/host/encode/test_h264.c - the H.264 encoder for screens, seen through a client's decoder
 *
 * What the screen shows, and how it is looked at: test_desk.h; most tests: test_screens.h.
 * libavcodec's decoder is told to take no damage for less. */
#include "host/encode/h264_private.h"
#include "host/encode/test_screens.h"

static const struct screens h264 = {
    .codec = PX_CODEC_H264,
    .every = 7,
    .sizes = (const struct screens_case[]){{16, 16, false, 1},
                                           {18, 14, false, 2},
                                           {334, 218, false, 1},
                                           {640, 480, false, 2},
                                           {642, 478, false, 3},
                                           {640, 480, false, 4},
                                           {640, 480, false, 9},
                                           {0}},
    .n_scrolls = 12,
    .busy = {.cases = (const struct screens_case[]){{334, 252, false, 4, 3000},
                                                    {402, 398, false, 3, 300},
                                                    {0}},
             .n_changes = 60,
             .key_every = 23},
    .late = {.n_rounds = 3, .coarse_bytes = 60000, .part_bytes = 250000, .slow_part_bytes = 125000},
};

static void no_word_of_a_table_begins_another(const struct px_h264_code_word *w, int n) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            if (i != k && w[i].n && w[k].n >= w[i].n)
                assert_true(w[k].bits >> (w[k].n - w[i].n) != w[i].bits);
}

static void words_can_be_told_apart(void **state) {
    for (int i = 0; i < 4; i++)
        no_word_of_a_table_begins_another(px_h264_counts[i][0], 17 * 4);
    for (int i = 0; i < 15; i++)
        no_word_of_a_table_begins_another(px_h264_zeros[i], 16);
    for (int i = 0; i < 3; i++)
        no_word_of_a_table_begins_another(px_h264_zeros_of_means[i], 4);
    for (int i = 0; i < 7; i++)
        no_word_of_a_table_begins_another(px_h264_runs[i], 15);
}

/* Wherever the stream is in its count of pictures; and while another one still waits for parts. */
static void late_viewers_go_on_with_the_count_of_the_stream(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_H264, 800, 512, false, 1000000, 2);
    d.every = h264.every;
    desk_write_lines(&d, 0, 512);
    desk_push(&d, NULL, true, false);
    desk_take_parts(&d);
    const struct px_region all = desk_everything(&d);
    unsigned seen = 0;
    for (int i = 0; i < PX_H264_FRAME_NUMS; i++) {
        desk_come_late(&d);
        assert_true(d.packet.n_after < PX_H264_FRAME_NUMS);
        seen |= 1u << d.packet.n_after;
        for (unsigned k = 0; k < d.packet.n_after; k++)
            assert_true(d.packet.after[k] < 24);
        desk_push(&d, &all, false, true);
        assert_true(d.packet.owes);
    }
    assert_int_equal(seen, 0xffff);
    desk_take_parts(&d);
    desk_same_picture(&d);
    assert_true(desk_difference(&d) < SCREENS_NEAR);
    desk_close(&d);
}

static void sizes_and_chroma_that_the_format_lacks_are_declined(void **state) {
    desk_is_declined(PX_CODEC_H264, 17000, 16, false);
    desk_is_declined(PX_CODEC_H264, 16384, 16384, false);
    desk_is_declined(PX_CODEC_H264, 641, 480, false);
    desk_is_declined(PX_CODEC_H264, 640, 480, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_can_be_told_apart),
        SCREENS_TEST(every_size_and_number_of_threads_is_shown_as_it_is, &h264),
        SCREENS_TEST(what_moved_costs_little_and_does_not_fade, &h264),
        SCREENS_TEST(a_busy_screen_is_right_in_the_end, &h264),
        SCREENS_TEST(a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest, &h264),
        cmocka_unit_test(late_viewers_go_on_with_the_count_of_the_stream),
        SCREENS_TEST(a_late_viewer_does_not_cost_others_their_quality, &h264),
        cmocka_unit_test(sizes_and_chroma_that_the_format_lacks_are_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
