/* tests/host/test_encoders.c - encoders that give up in mid-session, as viewers see it */
#include "base/clock.h"
#include "clock.h"
#include "inside.h"
#include <stdatomic.h>

/* A VP9 encoder of libvpx that stops when it is told to. */
static atomic_bool broken;
static atomic_uint n_opened; /* how often it was tried */
static const struct px_encoder_ops *vp9, *vp8;

static int flaky_probe(const struct px_encoder_ops *ops, struct px_error *err) {
    return 0;
}

static int flaky_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *opts,
                      struct px_encoder **ret, struct px_error *err) {
    n_opened++;
    return broken ? px_fail(err, -ENOTSUP, "broken") : vp9->open(vp9, opts, ret, err);
}

static int flaky_push(struct px_encoder *enc, const struct px_picture *pic,
                      const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                      struct px_packet *ret, struct px_error *err) {
    return broken ? px_fail(err, -EIO, "broken")
                  : vp9->push(enc, pic, changed, pts_ms, key, refine, ret, err);
}

static void flaky_set_rate(struct px_encoder *enc) {
    vp9->set_rate(enc);
}

static void flaky_close(struct px_encoder *enc) {
    vp9->close(enc);
}

static const struct px_encoder_ops flaky[] = {{"flaky", PX_CODEC_VP9, false, flaky_probe,
                                               flaky_open, flaky_push, flaky_set_rate, flaky_close},
                                              {0}};

static struct px_encoders *without_another_vp9(void) {
    static struct px_encoder_ops only_vp8[2];
    for (const struct px_encoder_ops *o = px_encoders_vpx; o->name; o++)
        *(o->codec == PX_CODEC_VP9 ? &vp9 : &vp8) = o;
    only_vp8[0] = *vp8;
    const struct px_encoder_ops *const tables[] = {flaky, only_vp8};
    return px_encoders_of(tables, 2);
}

/* One that stands alone is not measured, so that nobody but the viewer's stream opens it. */
static struct px_encoders *nothing_but_flaky(void) {
    const struct px_encoder_ops *const tables[] = {flaky};
    px_encoders_free(without_another_vp9()); /* finds libvpx's */
    return px_encoders_of(tables, 1);
}

static struct px_client *viewer(bool can_vp8, bool i444) {
    Pxs__SupportedDecoding d = PXS__SUPPORTED_DECODING__INIT;
    Pxs__CodecAbility a = PXS__CODEC_ABILITY__INIT;
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    d.ability_vp9 = 1;
    d.ability_vp8 = can_vp8;
    d.prefer = PX_PREFER_VP9;
    a.vp9 = true;
    d.i444 = &a;
    d.prefer_chroma = i444;
    o.supported_decoding = &d;
    return desktop(&o);
}

static Pxs__VideoFrame__PicturesCase codec_of_next(struct px_client *c, bool *ret_key) {
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, 10 * SECOND);
    assert_non_null(m);
    *ret_key = px_video_frame_first(m->video_frame)->key;
    return m->video_frame->pictures_case;
}

/* Paints until the picture shows it; the frames that do must be of VP8, beginning with a key. */
static void goes_on_in_vp8(struct px_client *c) {
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    const int64_t until = px_now_us() + 20 * SECOND;
    bool seen = false, first = true;
    while (!seen) {
        assert_true(px_now_us() < until);
        paint(100, 100, 200, 200, 0x0000ff);
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_VIDEO_FRAME, SECOND / 2);
        if (!m || m->video_frame->pictures_case == PXS__VIDEO_FRAME__PICTURES_VP9S)
            continue; /* of before */
        assert_int_equal(m->video_frame->pictures_case, PXS__VIDEO_FRAME__PICTURES_VP8S);
        assert_true(!first || px_video_frame_first(m->video_frame)->key);
        first = false;
        px_assert_ok(px_decoder_push(d, m->video_frame, NULL));
        seen = (px_decoder_pixel(d, 200, 200) & 0xff) > 200;
    }
}

/* As in a tick of the host: the connection lives. */
static void still_there(struct px_client *c) {
    send_hex(c, "2A021001");
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_TEST_DELAY, 10 * SECOND);
    assert_non_null(m);
}

static void vp9_that_fails_hands_over_to_what_the_viewer_decodes(void **state) {
    bool key = false;
    broken = false;
    inside_start("", without_another_vp9());
    px_cleanup(px_client_closep) struct px_client *both = viewer(true, false);
    px_cleanup(px_client_closep) struct px_client *only_vp9 = viewer(false, false);
    assert_int_equal(codec_of_next(both, &key), PXS__VIDEO_FRAME__PICTURES_VP9S);
    assert_int_equal(codec_of_next(only_vp9, &key), PXS__VIDEO_FRAME__PICTURES_VP9S);
    broken = true;
    paint(0, 0, 50, 50, 0x123456);
    goes_on_in_vp8(both);
    still_there(only_vp9);
    /* who comes now and prefers VP9 has a picture all the same */
    px_cleanup(px_client_closep) struct px_client *late = viewer(true, false);
    assert_int_equal(codec_of_next(late, &key), PXS__VIDEO_FRAME__PICTURES_VP8S);
    assert_true(key);
    px_client_close(both);
    px_client_close(only_vp9);
    px_client_close(late);
    both = only_vp9 = late = NULL;
    inside_stop();
}

static void so_it_does_in_full_chroma(void **state) {
    bool key = false;
    broken = false;
    inside_start("", without_another_vp9());
    px_cleanup(px_client_closep) struct px_client *c = viewer(true, true);
    assert_int_equal(codec_of_next(c, &key), PXS__VIDEO_FRAME__PICTURES_VP9S);
    broken = true;
    goes_on_in_vp8(c);
    px_client_close(c);
    c = NULL;
    inside_stop();
}

/* It is left alone for a minute, tried once more (and fails again), and so on until it works. */
static void vp9_that_fails_is_tried_again_for_who_decodes_nothing_else(void **state) {
    bool key = false;
    broken = false;
    inside_start("", nothing_but_flaky());
    px_cleanup(px_client_closep) struct px_client *c = viewer(false, false);
    assert_int_equal(codec_of_next(c, &key), PXS__VIDEO_FRAME__PICTURES_VP9S);
    broken = true;
    paint(0, 0, 50, 50, 0x123456);
    px_cleanup(px_message_freep) Pxs__Message *none = NULL;
    while ((none = await_frame(c, NULL, SECOND / 2))) { /* of before */
        px_message_free(none);
        none = NULL;
    }
    unsigned before = n_opened;
    for (int round = 0; round < 2; round++) {
        /* the connection lives on the client's echoes meanwhile */
        for (int i = 0; i < 2; i++) {
            clock_advance(19 * SECOND);
            inside_wake();
            still_there(c);
        }
        assert_int_equal(n_opened, before);
        if (round == 1)
            broken = false;
        const int64_t until = clock_real_us() + 60 * SECOND;
        while (n_opened == before) { /* by the video thread, when it gets to it */
            assert_true(clock_real_us() < until);
            clock_advance(SECOND);
            inside_wake();
            still_there(c);
            px_sleep_us(20000);
        }
        before = n_opened;
    }
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    for (int i = 0; !(m = await_frame(c, d, SECOND / 10)); i++) {
        assert_true(i < 200);
        clock_advance(SECOND);
        inside_wake();
    }
    assert_int_equal(m->video_frame->pictures_case, PXS__VIDEO_FRAME__PICTURES_VP9S);
    assert_true(px_video_frame_first(m->video_frame)->key);
    assert_true((px_decoder_pixel(d, 20, 20) & 0xff) > 0x30); /* what was painted meanwhile */
    px_client_close(c);
    c = NULL;
    inside_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vp9_that_fails_hands_over_to_what_the_viewer_decodes),
        cmocka_unit_test(so_it_does_in_full_chroma),
        cmocka_unit_test(vp9_that_fails_is_tried_again_for_who_decodes_nothing_else),
    };
    return cmocka_run_group_tests(tests, fixture_start_x, fixture_end);
}
