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
    .film_difference = 5,
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

/* ---- moves by quarters, one pixel after the other as in ITU-T H.264, 8.4.2.2 ---- */

#define FILM_COLUMNS 4
#define FILM_ROWS 3

struct plane {
    uint8_t *at;
    int width, height;
};

static int pixel(const struct plane *p, int x, int y) {
    x = x < 0 ? 0 : x >= p->width ? p->width - 1 : x;
    y = y < 0 ? 0 : y >= p->height ? p->height - 1 : y;
    return p->at[y * p->width + x];
}

static int bound(int v) {
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* Six of them, in a row or a column, without the scale. */
static int sum_at(const struct plane *p, int x, int y, bool down) {
    static const int taps[] = {1, -5, 20, 20, -5, 1};
    int sum = 0;
    for (int i = 0; i < 6; i++)
        sum += taps[i] * (down ? pixel(p, x, y + i - 2) : pixel(p, x + i - 2, y));
    return sum;
}

static int half_at(const struct plane *p, int x, int y, bool down) {
    return bound((sum_at(p, x, y, down) + 16) >> 5);
}

static int both_at(const struct plane *p, int x, int y) {
    static const int taps[] = {1, -5, 20, 20, -5, 1};
    int sum = 0;
    for (int i = 0; i < 6; i++)
        sum += taps[i] * sum_at(p, x, y + i - 2, false);
    return bound((sum + 512) >> 10);
}

static int quarter_at(const struct plane *p, int x, int y, int fx, int fy) {
    const int g = pixel(p, x, y), h = pixel(p, x + 1, y), m = pixel(p, x, y + 1);
    const int right = half_at(p, x, y, false), below = half_at(p, x, y, true);
    const int far_right = half_at(p, x, y + 1, false), far_below = half_at(p, x + 1, y, true);
    const int both = both_at(p, x, y);
    const int pairs[4][4][2] = {
        {{g, g}, {g, right}, {right, right}, {right, h}},
        {{g, below}, {right, below}, {right, both}, {right, far_below}},
        {{below, below}, {below, both}, {both, both}, {both, far_below}},
        {{below, m}, {below, far_right}, {both, far_right}, {far_below, far_right}}};
    return (pairs[fy][fx][0] + pairs[fy][fx][1] + 1) >> 1;
}

static int eighth_at(const struct plane *p, int x, int y, int fx, int fy) {
    return ((8 - fx) * (8 - fy) * pixel(p, x, y) + fx * (8 - fy) * pixel(p, x + 1, y) +
            (8 - fx) * fy * pixel(p, x, y + 1) + fx * fy * pixel(p, x + 1, y + 1) + 32) >>
           6;
}

static void is_as_the_format_has_it(const struct px_planes *from, int column, int row,
                                    struct px_move m, const struct px_block *b) {
    const struct plane luma = {from->planes[0], FILM_COLUMNS * 16, FILM_ROWS * 16};
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++)
            assert_int_equal(b->y[y][x], quarter_at(&luma, column * 16 + x + (m.x >> 2),
                                                    row * 16 + y + (m.y >> 2), m.x & 3, m.y & 3));
    for (int i = 0; i < 2; i++) {
        const struct plane chroma = {from->planes[1 + i], FILM_COLUMNS * 8, FILM_ROWS * 8};
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++)
                assert_int_equal(b->uv[i][y][x],
                                 eighth_at(&chroma, column * 8 + x + (m.x >> 3),
                                           row * 8 + y + (m.y >> 3), m.x & 7, m.y & 7));
    }
}

/* Every quarter, of noise, that no sum is spared; some blocks end at the picture's edges. */
static void what_moves_by_quarters_is_guessed_as_the_format_has_it(void **state) {
    enum { N = FILM_COLUMNS * FILM_ROWS * 64 };
    static uint8_t y[4 * N], uv[2 * N];
    const struct px_planes from = {
        .planes = {y, uv, uv + N},
        .strides = {FILM_COLUMNS * 16, FILM_COLUMNS * 8, FILM_COLUMNS * 8}};
    const struct plane luma = {y, FILM_COLUMNS * 16, FILM_ROWS * 16};
    struct desk d = {.random = 1};
    unsigned found = 0;
    for (size_t i = 0; i < sizeof(y); i++)
        y[i] = desk_chance(&d) & 1 ? 255 : 0;
    for (size_t i = 0; i < sizeof(uv); i++)
        uv[i] = (uint8_t)desk_chance(&d);
    for (int i = 0; i < 16 * FILM_COLUMNS * FILM_ROWS; i++) {
        const struct px_block_at at = {.before = &from,
                                       .columns = FILM_COLUMNS,
                                       .rows = FILM_ROWS,
                                       .column = i / 16 % FILM_COLUMNS,
                                       .row = i / 16 / FILM_COLUMNS};
        const struct px_move real = {(int16_t)(i % 4), (int16_t)(i / 4 % 4)}, still = {0};
        struct px_move m;
        struct px_block b;
        uint8_t want[16][16];
        for (int k = 0; k < 256; k++)
            want[k / 16][k % 16] = (uint8_t)quarter_at(&luma, at.column * 16 + k % 16,
                                                       at.row * 16 + k / 16, real.x, real.y);
        px_h264_search(&at, want, &still, 1, still, 1, &m, &b);
        is_as_the_format_has_it(&from, at.column, at.row, m, &b);
        found |= (unsigned)(m.x == real.x && m.y == real.y) << i % 16;
    }
    assert_int_equal(found, 0xffff);
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
        cmocka_unit_test(what_moves_by_quarters_is_guessed_as_the_format_has_it),
        SCREENS_TEST(a_film_on_a_tight_line_can_be_watched, &h264),
        SCREENS_TEST(a_busy_screen_is_right_in_the_end, &h264),
        SCREENS_TEST(a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest, &h264),
        cmocka_unit_test(late_viewers_go_on_with_the_count_of_the_stream),
        SCREENS_TEST(a_late_viewer_does_not_cost_others_their_quality, &h264),
        cmocka_unit_test(sizes_and_chroma_that_the_format_lacks_are_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
