/* src/host/test_options.c */
#include "base/test.h"
#include "host/options.h"

static struct px_encoders *encoders;
static struct px_measured measured;

static int setup(void **state) {
    const int r = px_encoders_new(NULL, &encoders, NULL);
    if (r >= 0)
        px_measured_assume(encoders, &measured);
    return r;
}

static enum px_codec codec_for(const struct px_options *o) {
    const struct px_situation now = {.measured = &measured, .area_px = 1920 * 1080, .current = -1};
    struct px_choice c;
    px_options_codec(o, encoders, &now, &c);
    assert_true(c.why[0]);
    return c.codec;
}

static int teardown(void **state) {
    px_encoders_free(encoders);
    return 0;
}

static struct px_options of(const Pxs__SupportedDecoding *d) {
    struct px_options o;
    Pxs__OptionMessage m = PXS__OPTION_MESSAGE__INIT;
    m.supported_decoding = (Pxs__SupportedDecoding *)d;
    px_options_init(&o);
    px_options_merge(&o, &m);
    return o;
}

static void item_38_without_a_word_only_vp9_is_sent(void **state) {
    struct px_options o;
    px_options_init(&o);
    assert_int_equal(codec_for(&o), PX_CODEC_VP9);
}

static void preference_counts_when_both_can(void **state) {
    Pxs__SupportedDecoding d = PXS__SUPPORTED_DECODING__INIT;
    d.ability_vp9 = d.ability_vp8 = 1;
    d.prefer = PX_PREFER_VP8;
    struct px_options o = of(&d);
    assert_int_equal(codec_for(&o), PX_CODEC_VP8);
    d.prefer = PX_PREFER_H264; /* which this client cannot */
    o = of(&d);
    const enum px_codec other = codec_for(&o); /* the quicker one */
    assert_true(other == PX_CODEC_VP8 || other == PX_CODEC_VP9);
    d.prefer = 77;
    o = of(&d);
    assert_int_equal(o.prefer, PX_PREFER_AUTO);
}

static void full_chroma_only_where_client_takes_it(void **state) {
    Pxs__SupportedDecoding d = PXS__SUPPORTED_DECODING__INIT;
    Pxs__CodecAbility a = PXS__CODEC_ABILITY__INIT;
    struct px_vstream_opts s;
    d.ability_vp9 = 1;
    d.prefer_chroma = 1;
    struct px_options o = of(&d);
    px_options_stream(&o, codec_for(&o), &s);
    assert_false(s.i444);
    a.vp9 = true;
    d.i444 = &a;
    o = of(&d);
    px_options_stream(&o, codec_for(&o), &s);
    assert_true(s.i444);
    d.ability_h264 = d.ability_vp8 = 1; /* quicker, but in 4:2:0 only */
    o = of(&d);
    px_options_stream(&o, codec_for(&o), &s);
    assert_true(s.i444);
    assert_int_equal(s.codec, PX_CODEC_VP9);
}

static void not_set_leaves_the_value(void **state) {
    struct px_options o;
    Pxs__OptionMessage m = PXS__OPTION_MESSAGE__INIT;
    px_options_init(&o);
    m.disable_keyboard = PX_OPTION_YES;
    m.custom_image_quality = 70 << 8;
    m.custom_fps = 5;
    px_options_merge(&o, &m);
    m = (Pxs__OptionMessage)PXS__OPTION_MESSAGE__INIT;
    px_options_merge(&o, &m);
    assert_true(o.no_input);
    assert_int_equal(o.quality_percent, 140);
    assert_int_equal(o.fps, 5);
    m.disable_keyboard = PX_OPTION_NO;
    m.image_quality = PX_QUALITY_LOW;
    px_options_merge(&o, &m);
    assert_false(o.no_input);
    assert_int_equal(o.quality_percent, 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_38_without_a_word_only_vp9_is_sent),
        cmocka_unit_test(preference_counts_when_both_can),
        cmocka_unit_test(full_chroma_only_where_client_takes_it),
        cmocka_unit_test(not_set_leaves_the_value),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
