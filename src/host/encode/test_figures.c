/* src/host/encode/test_figures.c - figures kept, and really measured */
#include "base/test.h"
#include "host/encode/av.h"
#include "host/encode/measure.h"
#include <string.h>

static struct px_encoders *all;

static int set_up(void **state) {
    struct px_av stays; /* unloaded, what it forgets would be told of as leaks */
    px_assert_ok(px_av_open(true, &stays, NULL));
    px_av_close(&stays);
    return px_encoders_new("", &all, NULL);
}

static int tear_down(void **state) {
    px_encoders_free(all);
    return 0;
}

static void every_encoder_has_figures_from_the_start(void **state) {
    struct px_measured m;
    px_measured_assume(all, &m);
    for (int i = 0; i < m.n; i++) {
        assert_true(m.list[i].assumed);
        assert_true(m.list[i].encode_us[PX_SCENE_TYPING] > 0);
        assert_string_equal(m.list[i].name, px_encoders_at(all, (size_t)i)->name);
        assert_non_null(px_measured_of(&m, m.list[i].codec));
    }
}

static void what_is_printed_is_read_again(void **state) {
    px_cleanup(px_buf_fini) struct px_buf key = {0}, text = {0}, again = {0};
    struct px_measured m, r = {0};
    px_measured_key(all, &key);
    px_measured_assume(all, &m);
    px_measured_print(&m, key.data, &text);
    assert_true(px_measured_parse(text.data, key.data, &r));
    px_measured_print(&r, key.data, &again);
    assert_string_equal(text.data, again.data);
}

static void what_was_measured_elsewhere_or_is_broken_does_not_count(void **state) {
    struct px_measured m = {0};
    assert_false(px_measured_parse("", "k", &m));
    assert_false(px_measured_parse("k", "k", &m));
    assert_false(px_measured_parse("k\n", "k", &m));
    assert_false(
        px_measured_parse("other\na 0 0 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", "k", &m));
    assert_false(px_measured_parse("k\na 9 0 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", "k", &m));
    assert_false(px_measured_parse("k\na 0 0 0 1 1 1 1 1 1 1\n", "k", &m));
    assert_int_equal(m.n, 0);
    assert_true(px_measured_parse("k\na 0 0 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", "k", &m));
    assert_int_equal(m.n, 1);
}

static void a_card_that_is_slower_comes_last(void **state) {
    struct px_measured m = {.n = 2,
                            .list = {{.name = "card", .hardware = true, .encode_us = {9, 9, 9, 9}},
                                     {.name = "soft", .encode_us = {2, 2, 2, 2}}}};
    px_measured_rank(&m, all);
    assert_string_equal(px_measured_of(&m, PX_CODEC_VP8)->name, "soft");
    m = (struct px_measured){.n = 2,
                             .list = {{.name = "card", .hardware = true, .encode_us = {9, 9, 9, 9}},
                                      {.name = "soft", .assumed = true}}};
    px_measured_rank(&m, all); /* nothing is known of the other's time */
    assert_string_equal(px_measured_of(&m, PX_CODEC_VP8)->name, "card");
}

/* Most of what a card takes for a small picture it takes for any. */
static void what_a_card_takes_at_least_does_not_grow_with_the_picture(void **state) {
    const struct px_figures card = {
        .name = "card", .hardware = true, .fixed_us = 700, .encode_us = {900, 900, 900, 900}};
    struct px_measured m = {.n = 2,
                            .list = {card, {.name = "soft", .encode_us = {600, 600, 600, 600}}}};
    px_measured_rank(&m, all);
    assert_string_equal(px_measured_of(&m, PX_CODEC_VP8)->name, "card");
    assert_in_range(px_figures_us(&card, 900, 1920 * 1080), 2400, 2500);
    assert_in_range(px_figures_us(&card, 900, PX_MEASURE_WIDTH * PX_MEASURE_HEIGHT), 900, 900);
    assert_in_range(px_figures_us(&card, 300, 1920 * 1080), 300, 300); /* less than its least */
}

static bool stop_at_once(void *data) {
    return true;
}

static void every_encoder_can_be_measured(void **state) {
    struct px_measure_opts o = {.width = 192,
                                .height = 128,
                                .n_pictures = 3,
                                .threads = 1,
                                .min_quality = 11,
                                .rate_kbps = 100000};
    for (size_t i = 0; px_encoders_at(all, i); i++) {
        struct px_figures f;
        struct px_error err = {0};
        px_assert_ok_err(px_measure(all, i, &o, &f, &err), &err);
        assert_false(f.assumed);
        for (int c = 0; c < PX_N_SCENES; c++) {
            assert_true(f.bytes[c] > 0);
            assert_true(f.ddb[c] > 100);
        }
        o.stop = stop_at_once;
        assert_int_equal(px_measure(all, i, &o, &f, NULL), -ECANCELED);
        o.stop = NULL;
    }
}

/* Until the first measurement a codec is chosen by them. Bytes do not depend on the machine. */
static void what_is_assumed_of_our_own_encoders_is_what_they_do(void **state) {
    const struct px_measure_opts o = {.width = PX_MEASURE_WIDTH,
                                      .height = PX_MEASURE_HEIGHT,
                                      .n_pictures = 5,
                                      .threads = 1,
                                      .min_quality = 11,
                                      .rate_kbps = 100000};
    struct px_measured assumed;
    px_measured_assume(all, &assumed);
    for (int i = 0; i < assumed.n; i++) {
        const struct px_figures *a = &assumed.list[i];
        struct px_figures f;
        struct px_error err = {0};
        if (strncmp(a->name, "phoenix-", 8) != 0)
            continue;
        px_assert_ok_err(px_measure(all, (size_t)i, &o, &f, &err), &err);
        for (int c = 0; c < PX_N_SCENES; c++) {
            assert_in_range(a->bytes[c], f.bytes[c] * 3 / 4, f.bytes[c] * 4 / 3);
            assert_in_range(a->ddb[c], f.ddb[c] - 20, f.ddb[c] + 20);
        }
        assert_in_range(a->key_bytes, f.key_bytes * 3 / 4, f.key_bytes * 4 / 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_encoder_has_figures_from_the_start),
        cmocka_unit_test(what_is_printed_is_read_again),
        cmocka_unit_test(what_was_measured_elsewhere_or_is_broken_does_not_count),
        cmocka_unit_test(a_card_that_is_slower_comes_last),
        cmocka_unit_test(what_a_card_takes_at_least_does_not_grow_with_the_picture),
        cmocka_unit_test(every_encoder_can_be_measured),
        cmocka_unit_test(what_is_assumed_of_our_own_encoders_is_what_they_do),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
