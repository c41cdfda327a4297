/* src/host/encode/test_av1.c - the AV1 encoder for screens, seen through clients' decoders
 *
 * Which decoders those are, and what the screen shows: test_desk.h; most tests: test_screens.h. */
#include "host/encode/test_screens.h"

static const struct screens av1 = {
    .codec = PX_CODEC_AV1,
    .every = 1,
    .shades = true,
    .sizes = (const struct screens_case[]){{16, 16, false, 1},
                                           {17, 15, false, 2},
                                           {1, 1, false, 1},
                                           {333, 217, false, 1},
                                           {333, 217, false, 2},
                                           {640, 480, false, 2},
                                           {641, 479, false, 3},
                                           {1040, 200, false, 4},
                                           {1034, 201, false, 9},
                                           {4500, 70, false, 2},
                                           {70, 1030, false, 2},
                                           {0}},
    .n_scrolls = 6,
    .small = {.width = 1280, .height = 720, .every = 4, .n = 8, .step_px = 100},
    .busy = {.cases = (const struct screens_case[]){{640, 480, false, 2, 500},
                                                    {333, 251, false, 4, 3000},
                                                    {800, 202, false, 1, 50000},
                                                    {401, 399, false, 3, 100},
                                                    {601, 299, false, 3, 1000},
                                                    {0}},
             .n_changes = 40,
             .key_every = 17},
    .late = {.sizes =
                 (const struct screens_case[]){
                     {811, 521, false, 2}, {806, 519, false, 3}, {824, 505, false, 1}, {0}},
             .n_rounds = 2,
             .coarse_bytes = 100000,
             .part_bytes = 300000,
             .slow_part_bytes = 75000},
    .refined = {1280, 720},
};

/* A screen full of text: no key frame of it is coarse, nothing is left to refine. */
static void text_is_exact_at_once(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_AV1, 1024, 512, false, 1000000, 2); /* 2048 blocks */
    desk_write_lines(&d, 0, 512);
    for (int i = 0; i < 2; i++) {
        desk_push(&d, NULL, true, false);
        assert_true(d.packet.key && d.packet.fine && !d.packet.owes && !d.packet.lone);
        assert_true(desk_difference(&d) < 0.5); /* colours are rounded on their way to the eye */
    }
    desk_close(&d);
}

/* Each number of colours, the most and one more, at once. */
static void cells_of_any_number_of_colours_are_shown_as_they_are(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_AV1, 16 * 18, 64, false, 1000000, 1);
    for (int round = 0; round < 8; round++) {
        for (int y = 0; y < 64; y++)
            for (int x = 0; x < d.picture.width; x++) {
                const unsigned n = 1 + (unsigned)(x / 16 + round) % 10;
                d.picture.planes[0][(ptrdiff_t)y * d.picture.strides[0] + x] =
                    (uint8_t)(16 + desk_chance(&d) % n * (3 + (unsigned)y / 16 * 7));
            }
        const struct px_region all = desk_everything(&d);
        desk_push(&d, &all, round % 3 == 0, false);
        assert_true(desk_difference(&d) < SCREENS_NEAR);
    }
    desk_close(&d);
}

static void sizes_that_the_host_lacks_are_declined(void **state) {
    desk_is_declined(PX_CODEC_AV1, 16400, 16, false);
    desk_is_declined(PX_CODEC_AV1, 16, 16, true);
}

int main(void) {
    av_log_set_level(AV_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        SCREENS_TEST(every_size_and_number_of_threads_is_shown_as_it_is, &av1),
        SCREENS_TEST(what_moved_costs_little_and_does_not_fade, &av1),
        SCREENS_TEST(a_small_change_leaves_the_rest, &av1),
        SCREENS_TEST(a_viewer_who_comes_late_gets_a_key_frame_at_once, &av1),
        SCREENS_TEST(a_busy_screen_is_right_in_the_end, &av1),
        cmocka_unit_test(text_is_exact_at_once),
        cmocka_unit_test(cells_of_any_number_of_colours_are_shown_as_they_are),
        SCREENS_TEST(a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest, &av1),
        SCREENS_TEST(a_coarse_key_frame_of_any_size_becomes_fine, &av1),
        SCREENS_TEST(late_viewers_who_come_at_once_share_the_parts, &av1),
        SCREENS_TEST(a_late_viewer_does_not_cost_others_their_quality, &av1),
        SCREENS_TEST(a_large_refinement_comes_in_parts, &av1),
        cmocka_unit_test(sizes_that_the_host_lacks_are_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
