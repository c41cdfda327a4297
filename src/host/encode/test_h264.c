/* src/host/encode/test_h264.c - the H.264 encoder for screens, seen through a client's decoder
 *
 * What the screen shows, and how it is looked at: test_desk.h. libavcodec's decoder is told to take
 * no damage for less. */
#include "base/test.h"
#include "host/encode/h264_private.h"
#include "host/encode/test_desk.h"

#define NEAR 4.0 /* of 255 */
#define COARSE_BYTES_MAX 60000
#define PART_BYTES_MAX 250000
#define EVERY 7 /* of the lines: enough to find any block that is wrong */

static void open_h264(struct desk *d, int width, int height, unsigned rate_kbps, unsigned threads) {
    desk_open(d, PX_CODEC_H264, width, height, false, rate_kbps, threads);
    d->every = EVERY;
}

static void come_late(struct desk *d) {
    px_decoder_free(d->late);
    d->late = px_decoder_new();
    desk_push(d, NULL, true, false);
    assert_true(d->packet.key && d->packet.owes && d->packet.lone);
}

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

static void every_size_and_number_of_threads_is_shown_as_it_is(void **state) {
    static const struct {
        int width, height;
        unsigned threads;
    } cases[] = {{16, 16, 1},   {18, 14, 2},   {334, 218, 1}, {640, 480, 2},
                 {642, 478, 3}, {640, 480, 4}, {640, 480, 9}};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct desk d;
        open_h264(&d, cases[i].width, cases[i].height, 1000000, cases[i].threads);
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
        open_h264(&d, 640, 480, 1000000, 2);
        desk_write_lines(&d, 0, 480);
        desk_push(&d, NULL, true, false);
        const size_t whole = d.packet.size;
        const struct px_region all = desk_everything(&d);
        for (int k = 0; k < 12; k++) {
            desk_scroll(&d, lines[i]);
            desk_push(&d, &all, false, false);
            assert_true(d.packet.size < whole * (size_t)(lines[i] + 96) / 480);
            assert_true(desk_difference(&d) < NEAR);
        }
        desk_close(&d);
    }
}

/* Whatever the screen and the link do: what was coarse on the way is fine when it rests. */
static void a_busy_screen_is_right_in_the_end(void **state) {
    static const struct {
        int width, height;
        unsigned rate_kbps, threads;
    } cases[] = {{334, 252, 3000, 4}, {402, 398, 300, 3}};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct desk d;
        open_h264(&d, cases[i].width, cases[i].height, cases[i].rate_kbps, cases[i].threads);
        d.random = (uint32_t)(i + 77);
        desk_write_lines(&d, 0, cases[i].height);
        desk_push(&d, NULL, true, false);
        for (int k = 0; k < 60; k++) {
            struct px_region changed = {.rects = {desk_do_something(&d), desk_do_something(&d)},
                                        .n = 2};
            desk_push(&d, &changed, k % 23 == 22, false);
        }
        const struct px_region all = desk_everything(&d);
        int n = 0;
        do {                  /* the last change may be fine while the rest is not */
            d.now_ms += 1000; /* the link empties */
            desk_push(&d, &all, false, true);
        } while (!d.packet.fine && n++ < 3000);
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
        open_h264(&d, 800, 512, 1000000, threads[i]); /* 1600 blocks */
        desk_write_lines(&d, 0, 512);
        desk_push(&d, NULL, true, false);
        assert_true(d.packet.key && d.packet.owes && !d.packet.lone);
        desk_take_parts(&d);
        assert_true(desk_difference(&d) < NEAR);
        for (int k = 0; k < 3; k++) {
            const struct px_region all = desk_everything(&d);
            desk_write_lines(&d, 0, 512);
            desk_push(&d, &all, false, false);
            px_decoder_free(d.late);
            d.late = NULL;
            desk_take_parts(&d); /* such a change may be coarse at first */
            come_late(&d);
            assert_true(d.packet.size < COARSE_BYTES_MAX);
            for (int n = 0; d.packet.owes; n++) {
                assert_true(n < 30);
                if ((k + n) % 4 == 1) {
                    desk_scroll(&d, 1 + (int)desk_chance(&d) % 60);
                    desk_push(&d, &all, false, false);
                } else if ((k + n) % 4 == 2) {
                    const struct px_region changed = {.rects = {desk_do_something(&d)}, .n = 1};
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

/* Wherever the stream is in its count of pictures; and while another one still waits for parts. */
static void late_viewers_go_on_with_the_count_of_the_stream(void **state) {
    struct desk d;
    open_h264(&d, 800, 512, 1000000, 2);
    desk_write_lines(&d, 0, 512);
    desk_push(&d, NULL, true, false);
    desk_take_parts(&d);
    const struct px_region all = desk_everything(&d);
    unsigned seen = 0;
    for (int i = 0; i < PX_H264_FRAME_NUMS; i++) {
        come_late(&d);
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
    assert_true(desk_difference(&d) < NEAR);
    desk_close(&d);
}

/* A slow line gets smaller parts, and nobody's picture becomes worse for them. */
static void a_late_viewer_does_not_cost_others_their_quality(void **state) {
    struct desk d;
    open_h264(&d, 800, 512, 2000, 2);
    desk_write_lines(&d, 0, 512);
    desk_push(&d, NULL, true, false);
    const struct px_region all = desk_everything(&d);
    while (!d.packet.fine) {
        d.now_ms += 1000;
        desk_push(&d, &all, false, true);
    }
    const double fine = desk_difference(&d);
    come_late(&d);
    for (int n = 0; d.packet.owes; n++) {
        assert_true(n < 200);
        desk_push(&d, &all, false, true);
        assert_true(d.packet.size < PART_BYTES_MAX / 2);
        assert_true(desk_difference(&d) < fine + 0.5);
    }
    desk_same_picture(&d);
    desk_close(&d);
}

static void sizes_and_chroma_that_the_format_lacks_are_declined(void **state) {
    static const struct {
        int width, height;
        bool i444;
    } cases[] = {{17000, 16, false}, {16384, 16384, false}, {641, 480, false}, {640, 480, true}};
    const struct px_encoder_ops *const tables[] = {px_encoders_h264};
    struct px_encoders *all = px_encoders_of(tables, 1);
    struct px_encoder *enc = NULL;
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        const struct px_encoder_opts o = {.codec = PX_CODEC_H264,
                                          .width = cases[i].width,
                                          .height = cases[i].height,
                                          .i444 = cases[i].i444,
                                          .threads = 1};
        assert_int_equal(px_encoder_open(all, &o, &enc, NULL), -ENOTSUP);
        assert_null(enc);
    }
    px_encoders_free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_can_be_told_apart),
        cmocka_unit_test(every_size_and_number_of_threads_is_shown_as_it_is),
        cmocka_unit_test(what_moved_costs_little_and_does_not_fade),
        cmocka_unit_test(a_busy_screen_is_right_in_the_end),
        cmocka_unit_test(a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest),
        cmocka_unit_test(late_viewers_go_on_with_the_count_of_the_stream),
        cmocka_unit_test(a_late_viewer_does_not_cost_others_their_quality),
        cmocka_unit_test(sizes_and_chroma_that_the_format_lacks_are_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
