/* src/host/encode/test_vp8.c - the VP8 encoder for screens, seen through clients' decoders
 *
 * Which decoders those are, and what the screen shows: test_desk.h; most tests: test_screens.h. */
#include "host/encode/scene.h"
#include "host/encode/test_screens.h"

static const struct screens vp8 = {
    .codec = PX_CODEC_VP8,
    .every = 3,
    .sizes = (const struct screens_case[]){{16, 16, false, 1},
                                           {17, 15, false, 2},
                                           {333, 217, false, 1},
                                           {640, 480, false, 2},
                                           {641, 479, false, 3},
                                           {640, 480, false, 4},
                                           {640, 480, false, 9},
                                           {0}},
    .n_scrolls = 12,
    .far_lines = 250,
    .small = {.width = 1920, .height = 1080, .every = 3, .n = 20, .step_px = 40},
    .busy = {.cases = (const struct screens_case[]){{640, 480, false, 2, 500},
                                                    {333, 251, false, 4, 3000},
                                                    {800, 202, false, 1, 50000},
                                                    {401, 399, false, 3, 100},
                                                    {0}},
             .n_changes = 80,
             .key_every = 31,
             .end_kbps = 20000},
    .late = {.sizes =
                 (const struct screens_case[]){
                     {811, 521, false, 2}, {806, 519, false, 3}, {824, 505, false, 1}, {0}},
             .n_rounds = 3,
             .coarse_bytes = 40000,
             .part_bytes = 180000,
             .slow_part_bytes = 90000},
    .refined = {640, 480},
};

/* Both ways at once, so that the first blocks of what changed show frame and background. */
static void a_window_dragged_aslant_is_found(void **state) {
    static const struct { int width, height; } sizes[] = {{640, 368}, {1280, 720}, {1920, 1080}};
    for (size_t k = 0; k < PX_N_ELEMENTS(sizes); k++) {
        struct px_scene scene;
        struct px_region changed;
        struct desk d;
        px_scene_init(&scene, sizes[k].width, sizes[k].height);
        desk_open(&d, PX_CODEC_VP8, sizes[k].width, sizes[k].height, false, 100000, 1);
        for (int i = 0; i < 6; i++) {
            px_scene_step(&scene, PX_SCENE_DRAG, &changed);
            px_assert_ok_err(px_encoder_push(d.all, &d.enc, &scene.picture, i ? &changed : NULL,
                                             i * 17, i == 0, false, &d.packet, NULL),
                             &(struct px_error){0});
            const size_t window = (size_t)(scene.window.w * scene.window.h);
            assert_true(i == 0 || d.packet.size * 8 < window * 2); /* two bits a pixel, at most */
        }
        desk_close(&d);
        px_scene_fini(&scene);
    }
}

static void sizes_and_chroma_that_the_format_lacks_are_declined(void **state) {
    desk_is_declined(PX_CODEC_VP8, 16384, 16, false);
    desk_is_declined(PX_CODEC_VP8, 640, 16, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCREENS_TEST(every_size_and_number_of_threads_is_shown_as_it_is, &vp8),
        SCREENS_TEST(what_moved_costs_little_and_does_not_fade, &vp8),
        cmocka_unit_test(a_window_dragged_aslant_is_found),
        SCREENS_TEST(what_scrolled_far_is_found, &vp8),
        SCREENS_TEST(a_large_change_is_coarse_first_on_a_slow_line, &vp8),
        SCREENS_TEST(a_sudden_change_is_coarse_first_and_a_film_is_not, &vp8),
        SCREENS_TEST(a_small_change_leaves_the_rest, &vp8),
        SCREENS_TEST(a_viewer_who_comes_late_gets_a_key_frame_at_once, &vp8),
        SCREENS_TEST(a_busy_screen_is_right_in_the_end, &vp8),
        SCREENS_TEST(a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest, &vp8),
        SCREENS_TEST(a_coarse_key_frame_of_any_size_becomes_fine, &vp8),
        SCREENS_TEST(late_viewers_who_come_at_once_share_the_parts, &vp8),
        SCREENS_TEST(a_late_viewer_does_not_cost_others_their_quality, &vp8),
        SCREENS_TEST(a_large_refinement_comes_in_parts, &vp8),
        cmocka_unit_test(sizes_and_chroma_that_the_format_lacks_are_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
