/* src/host/encode/test_vp9.c - the VP9 encoder for screens, seen through clients' decoders
 *
 * Which decoders those are, and what the screen shows: test_desk.h; most tests: test_screens.h. */
#include "host/encode/test_screens.h"

static const struct screens vp9 = {
    .codec = PX_CODEC_VP9,
    .every = 1,
    .i444 = true,
    .sizes = (const struct screens_case[]){{16, 16, false, 1},
                                           {17, 15, false, 2},
                                           {1, 1, false, 1},
                                           {1, 1, true, 1},
                                           {333, 217, false, 1},
                                           {333, 217, true, 2},
                                           {640, 480, false, 2},
                                           {641, 479, false, 3},
                                           {641, 479, true, 3},
                                           {1040, 200, false, 4},
                                           {1034, 201, true, 9},
                                           {4500, 70, false, 2},
                                           {70, 1030, true, 2},
                                           {0}},
    .n_scrolls = 6,
    .far_lines = 500,
    .small = {.width = 1920, .height = 1080, .every = 1, .n = 8, .step_px = 100},
    .busy = {.cases = (const struct screens_case[]){{640, 480, false, 2, 500},
                                                    {333, 251, true, 4, 3000},
                                                    {800, 202, false, 1, 50000},
                                                    {401, 399, false, 3, 100},
                                                    {601, 299, true, 3, 1000},
                                                    {0}},
             .n_changes = 40,
             .key_every = 17,
             .end_kbps = 20000},
    .late = {.sizes =
                 (const struct screens_case[]){
                     {811, 521, false, 2}, {806, 519, true, 3}, {824, 505, true, 1}, {0}},
             .n_rounds = 2,
             .coarse_bytes = 100000,
             .part_bytes = 300000,
             .slow_part_bytes = 75000},
    .refined = {640, 480},
};

static void sizes_that_the_host_lacks_are_declined(void **state) {
    desk_is_declined(PX_CODEC_VP9, 16400, 16, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCREENS_TEST(every_size_and_number_of_threads_is_shown_as_it_is, &vp9),
        SCREENS_TEST(what_moved_costs_little_and_does_not_fade, &vp9),
        SCREENS_TEST(what_scrolled_far_is_found, &vp9),
        SCREENS_TEST(a_large_change_is_coarse_first_on_a_slow_line, &vp9),
        SCREENS_TEST(a_sudden_change_is_coarse_first_and_a_film_is_not, &vp9),
        SCREENS_TEST(a_small_change_leaves_the_rest, &vp9),
        SCREENS_TEST(a_viewer_who_comes_late_gets_a_key_frame_at_once, &vp9),
        SCREENS_TEST(a_busy_screen_is_right_in_the_end, &vp9),
        SCREENS_TEST(a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest, &vp9),
        SCREENS_TEST(a_coarse_key_frame_of_any_size_becomes_fine, &vp9),
        SCREENS_TEST(late_viewers_who_come_at_once_share_the_parts, &vp9),
        SCREENS_TEST(a_late_viewer_does_not_cost_others_their_quality, &vp9),
        SCREENS_TEST(a_large_refinement_comes_in_parts, &vp9),
        cmocka_unit_test(sizes_that_the_host_lacks_are_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
