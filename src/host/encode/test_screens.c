/* src/host/encode/test_screens.c - see test_screens.h */
#include "host/encode/test_screens.h"

#define FAST_KBPS 1000000
#define SLOW_KBPS 2000

static void open_case(struct desk *d, const struct screens *of, struct screens_case c) {
    desk_open(d, of->codec, c.width, c.height, c.i444, c.rate_kbps ? c.rate_kbps : FAST_KBPS,
              c.threads);
    d->every = of->every;
}

static void open_plain(struct desk *d, const struct screens *of, int width, int height,
                       unsigned rate_kbps) {
    open_case(d, of, (struct screens_case){width, height, false, 2, rate_kbps});
}

static void show_text(struct desk *d) {
    desk_write_lines(d, 0, d->picture.height);
    desk_push(d, NULL, true, false);
}

static void show_something_new(struct desk *d) {
    const struct px_region all = desk_everything(d);
    desk_write_new(d);
    desk_push(d, &all, false, false);
}

static void scroll(struct desk *d, int lines) {
    const struct px_region all = desk_everything(d);
    desk_scroll(d, lines);
    desk_push(d, &all, false, false);
}

void every_size_and_number_of_threads_is_shown_as_it_is(void **state) {
    const struct screens *of = *state;
    for (const struct screens_case *c = of->sizes; c->width; c++) {
        struct desk d;
        open_case(&d, of, *c);
        show_text(&d);
        assert_true(d.packet.key);
        assert_true(desk_difference(&d) < SCREENS_NEAR);
        const struct px_region all = desk_everything(&d);
        for (int k = 0; k < 3; k++) { /* and what changes */
            desk_write_lines(&d, 0, c->height / 2);
            desk_push(&d, &all, false, false);
            assert_false(d.packet.key);
            assert_true(desk_difference(&d) < SCREENS_NEAR);
        }
        desk_close(&d);
    }
}

void what_moved_costs_little_and_does_not_fade(void **state) {
    static const int lines[] = {1, 2, 13, 40, 127};
    const struct screens *of = *state;
    for (size_t i = 0; i < PX_N_ELEMENTS(lines); i++) {
        struct desk d;
        open_case(&d, of, (struct screens_case){640, 480, of->i444 && i & 1, 2, FAST_KBPS});
        show_text(&d);
        const size_t whole = d.packet.size;
        for (int k = 0; k < of->n_scrolls; k++) {
            scroll(&d, lines[i]);
            assert_true(d.packet.size < whole * (size_t)(lines[i] + 96) / 480);
            assert_true(desk_difference(&d) < SCREENS_NEAR);
        }
        desk_close(&d);
    }
}

void what_scrolled_far_is_found(void **state) {
    const struct screens *of = *state;
    struct desk d;
    open_plain(&d, of, 304, 1200, FAST_KBPS);
    desk_write_new(&d);
    desk_push(&d, NULL, true, false);
    const size_t whole = d.packet.size;
    scroll(&d, of->far_lines);
    assert_true(d.packet.size < whole * (size_t)(of->far_lines + 40) / 1200);
    assert_true(desk_difference(&d) < SCREENS_NEAR);
    desk_close(&d);
}

void a_large_change_is_coarse_first_on_a_slow_line(void **state) {
    struct desk d;
    open_plain(&d, *state, 640, 480, SLOW_KBPS);
    desk_write_new(&d);
    desk_push(&d, NULL, true, false);
    desk_take_parts(&d);
    for (int i = 0; i < 6; i++) { /* what such pictures cost is learnt */
        d.now_ms += 400;
        show_something_new(&d);
    }
    assert_true(d.packet.owes && !d.packet.fine);
    assert_true(d.packet.size * 8 < SLOW_KBPS * 200); /* bits, in 200 ms of the line */
    const double first = desk_difference(&d);
    const struct px_region all = desk_everything(&d);
    size_t largest = 0;
    for (int i = 0; i < 3000 && !d.packet.fine; i++) {
        desk_push(&d, &all, false, true);
        largest = d.packet.size > largest ? d.packet.size : largest;
    }
    assert_true(d.packet.fine);
    assert_true(largest * 8 < SLOW_KBPS * 100);
    assert_true(desk_difference(&d) < SCREENS_NEAR && desk_difference(&d) < first / 2);
    desk_close(&d);
}

void a_sudden_change_is_coarse_first_and_a_film_is_not(void **state) {
    struct desk d;
    open_plain(&d, *state, 1280, 720, FAST_KBPS);
    desk_write_new(&d);
    desk_push(&d, NULL, true, false);
    desk_take_parts(&d);
    d.now_ms += 1000;
    show_something_new(&d);
    assert_true(d.packet.owes && !d.packet.key);
    desk_take_parts(&d);
    assert_true(desk_difference(&d) < SCREENS_NEAR);
    d.now_ms += 1000;
    for (int i = 0; i < 5; i++) {
        show_something_new(&d);
        assert_true(i == 0 || desk_difference(&d) < SCREENS_NEAR);
    }
    desk_close(&d);
}

void a_film_on_a_tight_line_can_be_watched(void **state) {
    const struct screens *of = *state;
    struct desk d;
    open_plain(&d, of, 642, 366, 2000);
    const struct px_region all = desk_everything(&d);
    desk_play(&d, 0);
    desk_push(&d, NULL, true, false);
    for (int n = 1; n < 60; n++) {
        d.now_ms += 40;
        desk_play(&d, n);
        desk_push(&d, &all, false, false);
    }
    assert_true(desk_difference(&d) < of->film_difference);
    for (int i = 0; i < 400 && !d.packet.fine; i++)
        desk_push(&d, &all, false, true);
    assert_true(d.packet.fine);
    assert_true(desk_difference(&d) < SCREENS_NEAR);
    desk_close(&d);
}

void a_small_change_leaves_the_rest(void **state) {
    const struct screens *of = *state;
    struct desk d;
    open_plain(&d, of, of->small.width, of->small.height, FAST_KBPS);
    d.every = of->small.every;
    show_text(&d);
    desk_take_parts(&d);
    for (int i = 0; i < of->small.n; i++) {
        const struct px_region corner = {.rects = {{0, 0, 16 + i * of->small.step_px, 32}}, .n = 1};
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < corner.rects[0].w; x++)
                d.picture.planes[0][(ptrdiff_t)y * d.picture.strides[0] + x] =
                    desk_chance(&d) & 1 ? 220 : 30;
        desk_push(&d, &corner, false, false);
    }
    assert_true(desk_difference(&d) < SCREENS_NEAR);
    desk_close(&d);
}

void a_viewer_who_comes_late_gets_a_key_frame_at_once(void **state) {
    struct desk d;
    open_plain(&d, *state, 640, 480, FAST_KBPS);
    show_text(&d);
    scroll(&d, 7);
    px_decoder_free(d.decoder);
    d.decoder = px_decoder_new();
    desk_push(&d, NULL, true, false);
    assert_true(d.packet.key);
    assert_true(desk_difference(&d) < SCREENS_NEAR);
    scroll(&d, 7); /* and what follows it */
    assert_true(desk_difference(&d) < SCREENS_NEAR);
    desk_close(&d);
}

void a_busy_screen_is_right_in_the_end(void **state) {
    const struct screens *of = *state;
    for (const struct screens_case *c = of->busy.cases; c->width; c++) {
        struct desk d;
        open_case(&d, of, *c);
        d.random = (uint32_t)(c - of->busy.cases + 77);
        show_text(&d);
        for (int k = 1; k <= of->busy.n_changes; k++) {
            struct px_region changed = {.rects = {desk_do_something(&d), desk_do_something(&d)},
                                        .n = 2};
            desk_push(&d, &changed, k % of->busy.key_every == 0, false);
        }
        const struct px_region all = desk_everything(&d);
        if (of->busy.end_kbps)
            px_encoder_set_rate(d.enc, of->busy.end_kbps, d.enc->opts.min_quality,
                                d.enc->opts.max_quality);
        int n = 0;
        do {                  /* the last change may be fine while the rest is not */
            d.now_ms += 1000; /* the link empties */
            desk_push(&d, &all, false, true);
        } while (!d.packet.fine && ++n < 3000);
        assert_true(d.packet.fine);
        assert_true(desk_difference(&d) < SCREENS_NEAR);
        desk_close(&d);
    }
}

/* The screen goes on meanwhile, each time in another order. */
static void take_late_parts(struct desk *d, const struct screens *of, int round) {
    for (int n = 0; d->packet.owes; n++) {
        assert_true(n < 30);
        if ((round + n) % 4 == 1) {
            scroll(d, 1 + (int)desk_chance(d) % 60);
        } else if ((round + n) % 4 == 2) {
            const struct px_region changed = {.rects = {desk_do_something(d)}, .n = 1};
            desk_push(d, &changed, false, false);
        } else {
            const struct px_region all = desk_everything(d);
            desk_push(d, &all, false, true);
            assert_true(d->packet.size < of->late.part_bytes);
        }
        assert_false(d->packet.key);
        assert_true(desk_difference(d) < SCREENS_NEAR);
    }
}

void a_late_viewer_of_a_full_screen_gets_a_coarse_key_frame_and_the_rest(void **state) {
    static const unsigned threads[] = {1, 4};
    const struct screens *of = *state;
    for (size_t i = 0; i < PX_N_ELEMENTS(threads); i++) {
        struct desk d; /* of 1600 blocks */
        open_case(&d, of,
                  (struct screens_case){800, 512, of->i444 && i == 1, threads[i], FAST_KBPS});
        d.shades = of->shades;
        show_text(&d);
        assert_true(d.packet.key && d.packet.owes && !d.packet.lone);
        desk_take_parts(&d);
        assert_true(desk_difference(&d) < SCREENS_NEAR);
        const struct px_region all = desk_everything(&d);
        for (int k = 0; k < of->late.n_rounds; k++) {
            desk_write_lines(&d, 0, 512);
            desk_push(&d, &all, false, false);
            px_decoder_free(d.late);
            d.late = NULL;
            desk_take_parts(&d); /* such a change may be coarse at first */
            desk_come_late(&d);
            assert_true(d.packet.size < of->late.coarse_bytes);
            take_late_parts(&d, of, k);
            desk_same_picture(&d);
        }
        desk_close(&d);
    }
}

void a_coarse_key_frame_of_any_size_becomes_fine(void **state) {
    const struct screens *of = *state;
    for (const struct screens_case *c = of->late.sizes; c->width; c++) {
        struct desk d;
        open_case(&d, of, *c);
        d.every = 1;
        d.shades = of->shades;
        desk_write_new(&d);
        show_text(&d);
        assert_true(d.packet.key && d.packet.owes && !d.packet.lone);
        desk_take_parts(&d);
        desk_come_late(&d);
        desk_take_parts(&d);
        desk_same_picture(&d);
        assert_true(desk_difference(&d) < SCREENS_NEAR);
        assert_true(desk_difference_from(&d, c->width - SCREENS_EDGE, 0) < SCREENS_NEAR);
        assert_true(desk_difference_from(&d, 0, c->height - SCREENS_EDGE) < SCREENS_NEAR);
        desk_close(&d);
    }
}

void late_viewers_who_come_at_once_share_the_parts(void **state) {
    const struct screens *of = *state;
    struct desk d;
    open_plain(&d, of, 800, 512, FAST_KBPS);
    d.shades = of->shades;
    show_text(&d);
    desk_take_parts(&d);
    const struct px_region all = desk_everything(&d);
    for (int i = 0; i < 3; i++) {
        desk_come_late(&d);
        if (i < 2)
            desk_push(&d, &all, false, true);
        assert_true(d.packet.owes);
    }
    desk_take_parts(&d);
    desk_same_picture(&d);
    assert_true(desk_difference(&d) < SCREENS_NEAR);
    desk_close(&d);
}

void a_late_viewer_does_not_cost_others_their_quality(void **state) {
    const struct screens *of = *state;
    struct desk d;
    open_plain(&d, of, 800, 512, SLOW_KBPS);
    d.shades = of->shades;
    show_text(&d);
    const struct px_region all = desk_everything(&d);
    for (int n = 0; !d.packet.fine; n++) {
        assert_true(n < 3000);
        d.now_ms += 1000;
        desk_push(&d, &all, false, true);
    }
    const double fine = desk_difference(&d);
    assert_true(fine < SCREENS_NEAR);
    desk_come_late(&d);
    for (int n = 0; d.packet.owes; n++) {
        assert_true(n < 200);
        desk_push(&d, &all, false, true);
        assert_true(d.packet.size < of->late.slow_part_bytes);
        assert_true(desk_difference(&d) < fine + 0.5);
    }
    desk_same_picture(&d);
    desk_close(&d);
}

void a_large_refinement_comes_in_parts(void **state) {
    const struct screens *of = *state;
    struct desk d;
    open_plain(&d, of, of->refined.width, of->refined.height, SLOW_KBPS);
    d.shades = of->shades;
    show_text(&d);
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
    assert_true(desk_difference(&d) < SCREENS_NEAR && desk_difference(&d) < first / 2);
    desk_close(&d);
}
