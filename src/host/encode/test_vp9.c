/* src/host/encode/test_vp9.c - the VP9 encoder for screens, seen through clients' decoders
 *
 * Which decoders those are, and what the screen shows: test_desk.h. */
#include "base/test.h"
#include "host/encode/test_desk.h"

#define NEAR 4.0 /* of 255 */
#define COARSE_BYTES_MAX 100000
#define PART_BYTES_MAX 300000

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
        desk_open(&d, PX_CODEC_VP9, cases[i].width, cases[i].height, cases[i].i444, 1000000,
                  cases[i].threads);
        desk_write_lines(&d, 0, cases[i].height);
        desk_push(&d, NULL, true, false);
        assert_true(d.packet.key);
        assert_true(desk_difference(&d) < NEAR);
        const struct px_region all = desk_everything(&d);
        for (int k = 0; k < 3; k++) { /* and what changes */
            desk_write_lines(&d, 0, cases[i].height / 2);
            desk_push(&d, &all, false, false);
            assert_false(d.packet.key);
            assert_true(desk_difference(&d) < NEAR);
        }
        desk_close(&d);
    }
}

/* By odd numbers of lines, too, at which colours move by halves of their pixels: they stay. */
static void what_moved_costs_little_and_does_not_fade(void **state) {
    static const int lines[] = {1, 2, 13, 40, 127};
    for (size_t i = 0; i < PX_N_ELEMENTS(lines); i++) {
        struct desk d;
        desk_open(&d, PX_CODEC_VP9, 640, 480, i & 1, 1000000, 2);
        desk_write_lines(&d, 0, 480);
        desk_push(&d, NULL, true, false);
        const size_t whole = d.packet.size;
        const struct px_region all = desk_everything(&d);
        for (int k = 0; k < 6; k++) {
            desk_scroll(&d, lines[i]);
            desk_push(&d, &all, false, false);
            assert_true(d.packet.size < whole * (size_t)(lines[i] + 96) / 480);
            assert_true(desk_difference(&d) < NEAR);
        }
        desk_close(&d);
    }
}

/* Blocks that stay cost a small part of a bit each: decoders must not take that for the end. */
/* On a slow line the next picture comes late, and text has scrolled far by then. */
static void what_scrolled_far_is_found(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_VP9, 304, 1200, false, 1000000, 2);
    desk_write_new(&d);
    desk_push(&d, NULL, true, false);
    const size_t whole = d.packet.size;
    const struct px_region all = desk_everything(&d);
    desk_scroll(&d, 500);
    desk_push(&d, &all, false, false);
    assert_true(d.packet.size < whole * (500 + 40) / 1200);
    assert_true(desk_difference(&d) < NEAR);
    desk_close(&d);
}

/* A screen of something new, on a line that would take seconds for it: a sketch of it, then parts
 * that are as small as the line wants, readable before they are fine. */
static void a_large_change_is_coarse_first_on_a_slow_line(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_VP9, 640, 480, false, 2000, 2);
    desk_write_new(&d);
    desk_push(&d, NULL, true, false);
    desk_take_parts(&d);
    const struct px_region all = desk_everything(&d);
    for (int i = 0; i < 6; i++) { /* what such pictures cost is learnt */
        d.now_ms += 400;
        desk_write_new(&d);
        desk_push(&d, &all, false, false);
    }
    assert_true(d.packet.owes && !d.packet.fine);
    assert_true(d.packet.size * 8 < 2000 * 200); /* bits, in 200 ms of the line */
    const double first = desk_difference(&d);
    size_t largest = 0;
    for (int i = 0; i < 3000 && !d.packet.fine; i++) {
        desk_push(&d, &all, false, true);
        largest = d.packet.size > largest ? d.packet.size : largest;
    }
    assert_true(d.packet.fine);
    assert_true(largest * 8 < 2000 * 100);
    assert_true(desk_difference(&d) < NEAR && desk_difference(&d) < first / 2);
    desk_close(&d);
}

/* On any line: so that it is there soon. A film is not: it would never be sharp. */
static void a_sudden_change_is_coarse_first_and_a_film_is_not(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_VP9, 1280, 720, false, 1000000, 2);
    desk_write_new(&d);
    desk_push(&d, NULL, true, false);
    desk_take_parts(&d);
    const struct px_region all = desk_everything(&d);
    d.now_ms += 1000;
    desk_write_new(&d);
    desk_push(&d, &all, false, false);
    assert_true(d.packet.owes && !d.packet.key);
    desk_take_parts(&d);
    assert_true(desk_difference(&d) < NEAR);
    d.now_ms += 1000;
    for (int i = 0; i < 5; i++) {
        desk_write_new(&d);
        desk_push(&d, &all, false, false);
        assert_true(i == 0 || desk_difference(&d) < NEAR);
    }
    desk_close(&d);
}

static void a_small_change_leaves_the_rest(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_VP9, 1920, 1080, false, 1000000, 2);
    desk_write_lines(&d, 0, 1080);
    desk_push(&d, NULL, true, false);
    desk_take_parts(&d);
    for (int i = 0; i < 8; i++) {
        const struct px_region corner = {.rects = {{0, 0, 16 + i * 100, 32}}, .n = 1};
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < corner.rects[0].w; x++)
                d.picture.planes[0][(ptrdiff_t)y * d.picture.strides[0] + x] =
                    desk_chance(&d) & 1 ? 220 : 30;
        desk_push(&d, &corner, false, false);
    }
    assert_true(desk_difference(&d) < NEAR);
    desk_close(&d);
}

static void a_viewer_who_comes_late_gets_a_key_frame_at_once(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_VP9, 640, 480, false, 1000000, 2);
    desk_write_lines(&d, 0, 480);
    desk_push(&d, NULL, true, false);
    const struct px_region all = desk_everything(&d);
    desk_scroll(&d, 7);
    desk_push(&d, &all, false, false);
    px_decoder_free(d.decoder);
    d.decoder = px_decoder_new();
    desk_push(&d, NULL, true, false);
    assert_true(d.packet.key);
    assert_true(desk_difference(&d) < NEAR);
    desk_scroll(&d, 7); /* and what follows it */
    desk_push(&d, &all, false, false);
    assert_true(desk_difference(&d) < NEAR);
    desk_close(&d);
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
        desk_open(&d, PX_CODEC_VP9, cases[i].width, cases[i].height, cases[i].i444,
                  cases[i].rate_kbps, cases[i].threads);
        d.random = (uint32_t)(i + 77);
        desk_write_lines(&d, 0, cases[i].height);
        desk_push(&d, NULL, true, false);
        for (int k = 0; k < 40; k++) {
            struct px_region changed = {.rects = {desk_do_something(&d), desk_do_something(&d)},
                                        .n = 2};
            desk_push(&d, &changed, k % 17 == 16, false);
        }
        const struct px_region all = desk_everything(&d);
        /* Quicker in the end, for a slow line's parts are small. */
        px_encoder_set_rate(d.enc, 20000, d.enc->opts.min_quality, d.enc->opts.max_quality);
        for (int k = 0; k < 3000 && !d.packet.fine; k++) {
            d.now_ms += 1000; /* the link empties */
            desk_push(&d, &all, false, true);
        }
        assert_true(d.packet.fine);
        assert_true(desk_difference(&d) < NEAR);
        desk_close(&d);
    }
}

/* Who was there sees nothing of it, whatever happens meanwhile; who comes has all of it soon. */
static void a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest(void **state) {
    static const unsigned threads[] = {1, 4};
    for (size_t i = 0; i < PX_N_ELEMENTS(threads); i++) {
        struct desk d;
        desk_open(&d, PX_CODEC_VP9, 800, 512, i == 1, 1000000, threads[i]); /* 1600 blocks */
        desk_write_lines(&d, 0, 512);
        desk_push(&d, NULL, true, false);
        assert_true(d.packet.key && d.packet.owes && !d.packet.lone);
        desk_take_parts(&d);
        assert_true(desk_difference(&d) < NEAR);
        for (int k = 0; k < 2; k++) {
            const struct px_region all = desk_everything(&d);
            struct px_region changed;
            desk_write_lines(&d, 0, 512);
            desk_push(&d, &all, false, false);
            px_decoder_free(d.late);
            d.late = NULL;
            desk_take_parts(&d);
            d.late = px_decoder_new();
            desk_push(&d, NULL, true, false);
            assert_true(d.packet.key && d.packet.owes && d.packet.lone);
            assert_true(d.packet.size < COARSE_BYTES_MAX);
            for (int n = 0; d.packet.owes; n++) {
                assert_true(n < 30);
                if ((k + n) % 4 == 1) {
                    desk_scroll(&d, 1 + (int)desk_chance(&d) % 60);
                    desk_push(&d, &all, false, false);
                } else if ((k + n) % 4 == 2) {
                    changed = (struct px_region){.rects = {desk_do_something(&d)}, .n = 1};
                    desk_push(&d, &changed, false, false);
                } else {
                    desk_push(&d, &all, false, true);
                    assert_true(d.packet.size < PART_BYTES_MAX);
                }
                assert_false(d.packet.key);
                assert_true(desk_difference(&d) < NEAR);
            }
            desk_same_picture(&d);
        }
        desk_close(&d);
    }
}

/* A newcomer who comes while another one still waits for parts. */
static void late_viewers_who_come_at_once_share_the_parts(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_VP9, 800, 512, false, 1000000, 2);
    desk_write_lines(&d, 0, 512);
    desk_push(&d, NULL, true, false);
    desk_take_parts(&d);
    const struct px_region all = desk_everything(&d);
    for (int i = 0; i < 3; i++) {
        px_decoder_free(d.late);
        d.late = px_decoder_new();
        desk_push(&d, NULL, true, false);
        assert_true(d.packet.lone);
        if (i < 2)
            desk_push(&d, &all, false, true);
        assert_true(d.packet.owes);
    }
    desk_take_parts(&d);
    desk_same_picture(&d);
    assert_true(desk_difference(&d) < NEAR);
    desk_close(&d);
}

/* A slow line gets smaller parts, and nobody's picture becomes worse for them. */
static void a_late_viewer_does_not_cost_others_their_quality(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_VP9, 800, 512, false, 2000, 2);
    desk_write_lines(&d, 0, 512);
    desk_push(&d, NULL, true, false);
    const struct px_region all = desk_everything(&d);
    while (!d.packet.fine) {
        d.now_ms += 1000;
        desk_push(&d, &all, false, true);
    }
    const double fine = desk_difference(&d);
    d.late = px_decoder_new();
    desk_push(&d, NULL, true, false);
    assert_true(d.packet.lone);
    for (int n = 0; d.packet.owes; n++) {
        assert_true(n < 200);
        desk_push(&d, &all, false, true);
        assert_true(d.packet.size < PART_BYTES_MAX / 4);
        assert_true(desk_difference(&d) < fine + 0.5);
    }
    desk_same_picture(&d);
    desk_close(&d);
}

/* No part takes long, and none is left out. */
static void a_large_refinement_comes_in_parts(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_VP9, 640, 480, false, 2000, 2); /* 1200 blocks */
    desk_write_lines(&d, 0, 480);
    desk_push(&d, NULL, true, false);
    assert_false(d.packet.fine);
    const double first = desk_difference(&d);
    const struct px_region all = desk_everything(&d);
    int n = 0, n_parts = 0;
    while (!d.packet.fine && n++ < 3000) {
        d.now_ms += 2000; /* the line has had its time */
        desk_push(&d, &all, false, true);
        assert_false(d.packet.key);
        n_parts += d.packet.more;
    }
    assert_true(d.packet.fine);
    assert_true(n_parts >= 3);
    assert_true(desk_difference(&d) < NEAR && desk_difference(&d) < first / 2);
    desk_close(&d);
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
        cmocka_unit_test(what_scrolled_far_is_found),
        cmocka_unit_test(a_large_change_is_coarse_first_on_a_slow_line),
        cmocka_unit_test(a_sudden_change_is_coarse_first_and_a_film_is_not),
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
