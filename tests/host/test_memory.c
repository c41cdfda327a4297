/* tests/host/test_memory.c - what a host holds before, while and after somebody watches */
#include "base/clock.h"
#include "fixture.h"
#include "holds.h"
#include "session/client.h"
#include <stdio.h>

#define WIDTH 1920
#define HEIGHT 1080
#define TILE 240
#define PICTURES 12
/* Its own and written to: what it shares depends on what else runs. */
#define BEFORE_KB (4 * 1024) /* 1.8 MB */
#define AFTER_KB (8 * 1024)  /* 2.5 to 3.5 MB, unless encoders are being measured */
#define MOST_KB                                                                                    \
    (52 * 1024) /* 16 to 38 MB; the goal is 60 with its share of libraries and screen              \
                 */
#define SHARED_KB (8 * 1024)

static unsigned n_opened(void) {
    px_cleanup_free char *log = get_file("phoenix-host.log");
    return count_words(log, " opens ");
}

static bool rests(void *data) {
    return holds_dirty_kb(f.host_pid) < AFTER_KB && !holds_mapped(f.host_pid, "phoenix-screen");
}

/* ---- a screen full of what was not there before ---- */

/* Letters, as far as an encoder can tell: dark on light, some in each line of a tile, in grey. */
static void fill_screen(unsigned seed) {
    static uint32_t tile[TILE * TILE];
    const xcb_gcontext_t gc = xcb_generate_id(f.x);
    uint32_t state = seed * 2654435761u + 1;
    for (int i = 0; i < TILE * TILE; i++) {
        state = state * 1664525u + 1013904223u;
        tile[i] = i / TILE % 16 < 11 && state >> 30 == 0 ? (state >> 24) * 0x10101u : 0xffffff;
    }
    xcb_create_gc(f.x, gc, f.root, 0, NULL);
    for (int y = 0; y < HEIGHT; y += TILE)
        for (int x = 0; x < WIDTH; x += TILE)
            xcb_put_image(f.x, XCB_IMAGE_FORMAT_Z_PIXMAP, f.root, gc, TILE, TILE, (int16_t)x,
                          (int16_t)y, 0, 24, sizeof(tile), (const uint8_t *)tile);
    xcb_free_gc(f.x, gc);
    xcb_flush(f.x);
}

static void ask_size(struct px_client *c) {
    Pxs__Resolution r = PXS__RESOLUTION__INIT;
    Pxs__DisplayResolution d = PXS__DISPLAY_RESOLUTION__INIT;
    Pxs__Misc misc = PXS__MISC__INIT;
    r.width = WIDTH;
    r.height = HEIGHT;
    d.resolution = &r;
    misc.item_case = PXS__MISC__ITEM_CHANGE_DISPLAY_RESOLUTION;
    misc.change_display_resolution = &d;
    px_assert_ok(px_client_send_misc(c, &misc, NULL));
}

struct viewer {
    struct px_client *c;
    struct px_decoder *d;
};

static struct viewer viewer(int prefer, bool i444) {
    Pxs__SupportedDecoding decoding = PXS__SUPPORTED_DECODING__INIT;
    Pxs__CodecAbility full = PXS__CODEC_ABILITY__INIT;
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    decoding.ability_vp8 = decoding.ability_vp9 = decoding.ability_h264 = decoding.ability_av1 = 1;
    decoding.prefer = prefer;
    full.vp9 = true;
    decoding.i444 = &full;
    decoding.prefer_chroma = i444;
    o.supported_decoding = &decoding;
    struct viewer v = {desktop(&o), px_decoder_new()};
    px_message_free(await_frame(v.c, v.d, 10 * SECOND));
    ask_size(v.c);
    const int64_t until = px_now_us() + 20 * SECOND;
    while (px_decoder_width(v.d) != WIDTH) {
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(v.c, v.d, until - px_now_us());
        assert_non_null(m);
    }
    return v;
}

static void viewer_end(struct viewer *v) {
    px_client_close(v->c);
    px_decoder_free(v->d);
}

struct most {
    long pss_kb, dirty_kb;
    unsigned n_pictures; /* that were seen */
};

static long larger(long a, long b) {
    return a > b ? a : b;
}

/* The most it holds while all of the screen changes, again and again. */
static struct most watch(struct viewer *v) {
    struct most most = {0};
    for (unsigned i = 0; i < PICTURES; i++) {
        fill_screen(i);
        for (int k = 0; k < 3; k++) {
            px_cleanup(px_message_freep) Pxs__Message *m = await_frame(v->c, v->d, SECOND);
            most.n_pictures += m != NULL;
            most.pss_kb = larger(most.pss_kb, holds_pss_kb(f.host_pid));
            most.dirty_kb = larger(most.dirty_kb, holds_dirty_kb(f.host_pid));
        }
    }
    return most;
}

/* ---- */

static void before_anybody_watches_it_holds_little(void **state) {
    print_message("# %ld kB written to\n", holds_dirty_kb(f.host_pid));
    assert_true(holds_dirty_kb(f.host_pid) < BEFORE_KB);
    assert_false(holds_mapped(f.host_pid, "phoenix-screen"));
    assert_false(holds_mapped(f.host_pid, "libavcodec"));
}

static const struct {
    const char *name, *codec;
    int prefer;
    bool i444;
} kinds[] = {{"H.264", "h264", PX_PREFER_H264, false},
             {"VP8", "vp8", PX_PREFER_VP8, false},
             {"VP9", "vp9", PX_PREFER_VP9, false},
             {"VP9 in 4:4:4", "vp9", PX_PREFER_VP9, true},
             {"AV1", "av1", PX_PREFER_AV1, false}};

static void each_codec_keeps_to_its_bound_and_gives_all_back(void **state) {
    for (size_t i = 0; i < PX_N_ELEMENTS(kinds); i++) {
        struct viewer v = viewer(kinds[i].prefer, kinds[i].i444);
        const struct most most = watch(&v);
        assert_true(most.n_pictures >= PICTURES); /* or what was measured was not at work */
        assert_string_equal(px_decoder_codec(v.d), kinds[i].codec);
        assert_int_equal(px_decoder_is_i444(v.d), kinds[i].i444);
        viewer_end(&v);
        assert_true(wait_for(rests, NULL, 20 * SECOND));
        print_message("# %s: at most %ld kB, of which %ld kB its own; then %ld kB\n", kinds[i].name,
                      most.pss_kb, most.dirty_kb, holds_dirty_kb(f.host_pid));
        assert_true(most.dirty_kb < MOST_KB);
    }
}

static void viewers_of_the_same_share_an_encoder(void **state) {
    struct viewer first = viewer(PX_PREFER_VP9, true);
    watch(&first);
    drain(first.c, SECOND / 2);
    const unsigned before = n_opened();
    const long before_kb = holds_dirty_kb(f.host_pid);
    struct viewer second = viewer(PX_PREFER_VP9, true);
    const long kb = holds_dirty_kb(f.host_pid);
    print_message("# %ld kB for one, %ld kB for two\n", before_kb, kb);
    assert_int_equal(n_opened(), before);
    assert_true(kb < before_kb + SHARED_KB);
    viewer_end(&first);
    viewer_end(&second);
}

static int start(void **state) {
    fixture_x(true);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_anybody_watches_it_holds_little),
        cmocka_unit_test(each_codec_keeps_to_its_bound_and_gives_all_back),
        cmocka_unit_test(viewers_of_the_same_share_an_encoder),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
