/* tests/host/test_nvenc.c - a desktop whose card encodes, as viewers see it; the card is played
 *
 * tests/nvenc/ says what that shows and what not. */
#include "base/clock.h"
#include "fixture.h"
#include "proto/session.h"
#include "../nvenc/played_test.h"

#define WAIT (30 * SECOND)

static struct px_client *viewer(void) {
    Pxs__SupportedDecoding d = PXS__SUPPORTED_DECODING__INIT;
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    d.ability_vp9 = d.ability_h264 = 1;
    d.prefer = PX_PREFER_H264;
    o.supported_decoding = &d;
    return desktop(&o);
}

/* By the host's screen: not those that measure, which take a smaller one. */
static int n_encoders(void) {
    char what[64];
    snprintf(what, sizeof(what), "initialized h264 %dx%d", f.width, f.height);
    return played_count(what);
}

/* Paints, takes pictures in, and looks at them, until @enough and the last colour is seen. */
static void watch(struct px_client *c, struct px_decoder *d, bool (*enough)(void)) {
    const int64_t until = px_now_us() + WAIT;
    bool done = false;
    for (uint32_t i = 0; !done; i++) {
        const uint32_t red = i % 2 ? 200 : 60;
        const bool last = enough();
        bool seen = false;
        paint(100, 100, 200, 200, red << 16);
        while (!seen) {
            assert_true(px_now_us() < until);
            px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, d, SECOND);
            if (!m)
                continue;
            assert_int_equal(m->video_frame->pictures_case, PXS__VIDEO_FRAME__PICTURES_H264S);
            seen = labs((long)(px_decoder_pixel(d, 200, 200) >> 16 & 255) - (long)red) < 40;
        }
        done = last;
    }
}

static bool card_codes(void) {
    return n_encoders() > 0 && played_count(" p qp=") > 0;
}

static bool card_is_lost(void) {
    return played_count("lost at picture") > 0;
}

static int n_more;

static bool twenty_more(void) {
    return n_more++ >= 20;
}

static bool has_all_back(void *data) {
    return played_count("session opened") == played_count("session closed") &&
           played_count("context made") == played_count("context gone");
}

static void a_desktop_that_nobody_watches_keeps_nothing_of_a_card(void **state) {
    played_reset("");
    fixture_host("");
    played_has("initialized h264 640x368"); /* it was looked at, by a process of its own */
    assert_true(wait_for(has_all_back, NULL, WAIT));
    played_clean();
    fixture_stop_host();
}

static void viewers_share_the_cards_encoder_and_do_not_see_it_fail(void **state) {
    played_reset("");
    fixture_host("");
    played_reset("");
    px_cleanup(px_client_closep) struct px_client *one = viewer();
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new(), *e = NULL;
    watch(one, d, card_codes);
    px_client_close(one);
    one = NULL;
    assert_true(wait_for(has_all_back, NULL, WAIT)); /* with the last viewer */
    played_clean();

    played_reset("");
    one = viewer();
    watch(one, d, card_codes);
    px_cleanup(px_client_closep) struct px_client *two = viewer();
    e = px_decoder_new();
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(two, e, WAIT);
    assert_non_null(m);
    assert_int_equal(n_encoders(), 1);
    px_client_close(two);
    two = NULL;
    px_decoder_free(e);
    e = NULL;

    played_set("lose 1\n");
    watch(one, d, card_is_lost); /* each picture is decoded, and the last one seen */
    played_set("");
    watch(one, d, twenty_more);
    assert_int_equal(n_encoders(), 1); /* it is not asked again at each picture */
    assert_true(wait_for(has_all_back, NULL, WAIT));
    played_clean();
    px_client_close(one);
    one = NULL;
    fixture_stop_host();
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_desktop_that_nobody_watches_keeps_nothing_of_a_card),
        cmocka_unit_test(viewers_share_the_cards_encoder_and_do_not_see_it_fail),
    };
    played_begin(argv);
    const int r = cmocka_run_group_tests(tests, fixture_start_x, fixture_end);
    played_end();
    return r;
}
