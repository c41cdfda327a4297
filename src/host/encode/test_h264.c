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

/* ---- noise ---- */

#define BLOCK_BITS 3200 /* of a macroblock, at most: ITU-T H.264, A.3.1 */

static void write_noise(struct desk *d, int from, int to) {
    for (int plane = 0; plane < 3; plane++)
        for (int y = from >> !!plane; y < to >> !!plane; y++)
            for (int x = 0; x < d->picture.width >> !!plane; x++)
                d->picture.planes[plane][(ptrdiff_t)y * d->picture.strides[plane] + x] =
                    (uint8_t)(16 + desk_chance(d) % 220);
}

/* With what headers and start codes take. */
static void fits(const struct desk *d) {
    const size_t n = (size_t)(d->picture.width + 15) / 16 * (size_t)((d->picture.height + 15) / 16);
    assert_true(d->packet.size <= n * BLOCK_BITS / 8 + 64);
}

/* Whatever the numbers, and where neighbours have many or are pixels. */
static void no_macroblock_takes_more_than_the_format_lets_it(void **state) {
    enum { COLUMNS = 3, N = 9 };
    struct px_h264_block blocks[N];
    const struct px_block pixels = {0};
    const struct px_h264_picture p = {.columns = COLUMNS, .rows = N / COLUMNS, .key = false};
    struct px_h264_slice s = {0};
    struct desk d = {.random = 1};
    unsigned raw = 0, others = 0;
    for (unsigned size = 1; size <= 2040; size += 1 + size / 8) {
        px_h264_slice_begin(&s, &p, blocks, 0);
        for (int i = 0; i < N; i++) {
            const bool inside = desk_chance(&d) & 1;
            px_h264_numbers numbers;
            for (int k = 0; k < PX_H264_PARTS * 16; k++)
                numbers[k / 16][k % 16] =
                    (int16_t)((int)(1 + desk_chance(&d) % size) * (desk_chance(&d) & 1 ? 1 : -1));
            blocks[i] = (struct px_h264_block){
                .mode = inside ? PX_H264_DC : PX_H264_INTER, .luma = 15, .chroma = 2};
            memset(blocks[i].n, inside ? 15 : 16, 16);
            memset(blocks[i].n + PX_H264_CHROMA, 15, 8);
            const size_t before = s.out.size * 8 + (size_t)s.n_bits;
            if (px_h264_slice_add(&s, i % COLUMNS, i / COLUMNS, numbers))
                others++;
            else {
                assert_int_equal(s.out.size * 8 + (size_t)s.n_bits, before);
                blocks[i].mode = PX_H264_RAW;
                memset(blocks[i].n, 16, sizeof(blocks[i].n));
                px_h264_slice_add_raw(&s, &pixels);
                raw++;
            }
            const size_t skip_run = 1;
            assert_true(s.out.size * 8 + (size_t)s.n_bits - before <= BLOCK_BITS + skip_run);
        }
        px_h264_slice_end(&s);
    }
    assert_true(raw > 50 && others > 50);
    px_buf_fini(&s.out);
}

static void noise_is_shown_as_it_is_within_the_bits_of_a_macroblock(void **state) {
    static const struct screens_case sizes[] = {
        {16, 16, false, 1}, {98, 70, false, 1}, {160, 128, false, 3}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct desk d;
        desk_open(&d, PX_CODEC_H264, sizes[i].width, sizes[i].height, false, 1000000,
                  sizes[i].threads);
        const struct px_region all = desk_everything(&d);
        px_encoder_set_rate(d.enc, 1000000, 0, 85); /* as fine as it gets */
        write_noise(&d, 0, d.picture.height);
        desk_push(&d, NULL, true, false);
        fits(&d);
        assert_true(d.packet.fine && desk_difference(&d) < 0.1);
        for (int k = 0; k < 4; k++) {
            write_noise(&d, 0, d.picture.height);
            desk_push(&d, &all, false, false);
            fits(&d);
            assert_true(d.packet.fine && desk_difference(&d) < 0.1);
        }
        desk_close(&d);
    }
}

/* Beside others, that are guessed from it, or from what it came from; and that move along. */
static void noise_leaves_its_neighbours_as_they_are(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_H264, 334, 252, false, 1000000, 3);
    const struct px_region all = desk_everything(&d);
    desk_write_lines(&d, 0, 252);
    desk_push(&d, NULL, true, false);
    for (int i = 0; i < 24; i++) {
        const int from = (int)(desk_chance(&d) % 100) * 2;
        const int to = from + 2 + (int)(desk_chance(&d) % 25) * 2;
        px_encoder_set_rate(d.enc, 1000000, (unsigned)i % 4 * 5, 85); /* finer and coarser */
        write_noise(&d, from, to);
        if (i % 3 == 1)
            desk_scroll(&d, 16);
        desk_push(&d, &all, i % 8 == 7, false);
        assert_true(desk_difference(&d) < 8);
        if (i % 5 == 4)
            desk_push(&d, &all, false, true);
    }
    px_encoder_set_rate(d.enc, 1000000, 0, 85);
    for (int i = 0; i < 50 && !d.packet.fine; i++)
        desk_push(&d, &all, false, true);
    assert_true(d.packet.fine && desk_difference(&d) < SCREENS_NEAR);
    desk_close(&d);
}

/* Blocks of black and white, by turns, at the finest quantizer: a word holds 12 bits and a bit. */
static void the_largest_numbers_have_words(void **state) {
    struct desk d;
    desk_open(&d, PX_CODEC_H264, 96, 80, false, 1000000, 1);
    const struct px_region all = desk_everything(&d);
    px_encoder_set_rate(d.enc, 1000000, 0, 85);
    for (int i = 0; i < 4; i++) {
        for (int plane = 0; plane < 3; plane++)
            for (int y = 0; y < 80 >> !!plane; y++)
                for (int x = 0; x < 96 >> !!plane; x++) {
                    const int side = plane ? 8 : 16;
                    d.picture.planes[plane][(ptrdiff_t)y * d.picture.strides[plane] + x] =
                        (x / side + y / side + i) % 2 ? 255 : 0;
                }
        desk_push(&d, &all, i == 0, false);
        assert_true(d.packet.fine && desk_difference(&d) < SCREENS_NEAR);
    }
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
        cmocka_unit_test(what_moves_by_quarters_is_guessed_as_the_format_has_it),
        SCREENS_TEST(a_film_on_a_tight_line_can_be_watched, &h264),
        SCREENS_TEST(a_busy_screen_is_right_in_the_end, &h264),
        SCREENS_TEST(a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest, &h264),
        cmocka_unit_test(late_viewers_go_on_with_the_count_of_the_stream),
        SCREENS_TEST(a_late_viewer_does_not_cost_others_their_quality, &h264),
        cmocka_unit_test(no_macroblock_takes_more_than_the_format_lets_it),
        cmocka_unit_test(noise_is_shown_as_it_is_within_the_bits_of_a_macroblock),
        cmocka_unit_test(noise_leaves_its_neighbours_as_they_are),
        cmocka_unit_test(the_largest_numbers_have_words),
        cmocka_unit_test(sizes_and_chroma_that_the_format_lacks_are_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
