/* tests/host/test_clipboard.c - every form of a clipboard both ways, with real selection owners */
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "fixture.h"
#include <png.h>
#include <sys/wait.h>
#include <zstd.h>

static void copy_here(const char *target, const void *data, size_t size) {
    const char *const argv[] = {"xclip", "-selection", "clipboard", "-t", target, "-i", NULL};
    const struct px_proc_opts o = {
        .argv = argv, .inherit_env = true, .input = data, .input_size = size};
    px_assert_ok(px_proc_check(&o, NULL));
}

static int paste_here(const char *target, struct px_buf *out) {
    const char *const argv[] = {"xclip", "-selection", "clipboard", "-o", "-t", target, NULL};
    const struct px_proc_opts o = {.argv = argv,
                                   .inherit_env = true,
                                   .out = out,
                                   .max_bytes = 80 << 20,
                                   .timeout_us = 20 * SECOND};
    px_buf_reset(out);
    return px_proc_check(&o, NULL);
}

/* The entry of @format in the next multi_clipboards, unpacked into @out; whether it was packed. */
static bool await_form(struct px_client *c, int format, struct px_buf *out) {
    const int64_t until = px_now_us() + 15 * SECOND;
    px_buf_reset(out);
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS, until - px_now_us());
        if (!m)
            fail_msg("no clipboard of format %d", format);
        for (size_t i = 0; i < m->multi_clipboards->n_clipboards; i++) {
            const Pxs__Clipboard *k = m->multi_clipboards->clipboards[i];
            if (k->format != format)
                continue;
            if (!k->compress)
                px_buf_add(out, k->content.data, k->content.len);
            else {
                const size_t full = ZSTD_getFrameContentSize(k->content.data, k->content.len);
                assert_true(full < 100u << 20);
                out->size = ZSTD_decompress(px_buf_reserve(out, full), full, k->content.data,
                                            k->content.len);
            }
            return k->compress;
        }
    }
}

static void send_form(struct px_client *c, int format, const void *data, size_t size, int width,
                      int height, bool pack) {
    Pxs__Clipboard item = PXS__CLIPBOARD__INIT;
    Pxs__Clipboard *list[] = {&item};
    Pxs__MultiClipboards multi = PXS__MULTI_CLIPBOARDS__INIT;
    px_cleanup_free void *packed = pack ? malloc(ZSTD_compressBound(size)) : NULL;
    item.format = format;
    item.width = width;
    item.height = height;
    item.content = (ProtobufCBinaryData){size, (uint8_t *)data};
    if (pack) {
        item.compress = true;
        item.content.len = ZSTD_compress(packed, ZSTD_compressBound(size), data, size, 3);
        item.content.data = packed;
    }
    multi.n_clipboards = 1;
    multi.clipboards = list;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS;
    m.multi_clipboards = &multi;
    px_assert_ok(px_client_send(c, &m, NULL));
}

struct wanted {
    const char *target;
    const void *data;
    size_t size;
};

static bool is_pasted(void *data) {
    const struct wanted *w = data;
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    return paste_here(w->target, &got) == 0 && got.size == w->size &&
           memcmp(got.data, w->data, w->size) == 0;
}

static void make_png(struct px_buf *out) {
    static const uint8_t rgba[2 * 2 * 4] = {255, 0, 0,   255, 0, 255, 0, 255,
                                            0,   0, 255, 255, 9, 8,   7, 6};
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = 2, .height = 2, .format = PNG_FORMAT_RGBA};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    assert_true(
        png_image_write_to_memory(&image, px_buf_reserve(out, size), &size, 0, rgba, 0, NULL));
    out->size = size;
}

#define RTF "{\\rtf1 fat {\\b text}}"
#define SVG "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"

static void every_form_comes_from_the_desktop(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_buf_fini) struct px_buf png = {0}, got = {0}, long_text = {0};
    make_png(&png);
    for (int i = 0; i < 5000; i++)
        px_buf_printf(&long_text, "line %d\n", i % 7);
    const struct {
        const char *target;
        int format;
        const char *data;
        size_t size;
        bool packed;
    } all[] = {{"UTF8_STRING", PX_CLIPBOARD_TEXT, "h\xc3\xa4", 3, false},
               {"UTF8_STRING", PX_CLIPBOARD_TEXT, long_text.data, long_text.size, true},
               {"text/html", PX_CLIPBOARD_HTML, "<b>x</b>", 8, false},
               {"text/rtf", PX_CLIPBOARD_RTF, RTF, sizeof(RTF) - 1, false},
               {"application/rtf", PX_CLIPBOARD_RTF, RTF, sizeof(RTF) - 1, false},
               {"image/png", PX_CLIPBOARD_PNG, png.data, png.size, false},
               {"image/svg+xml", PX_CLIPBOARD_SVG, SVG, sizeof(SVG) - 1, false}};
    for (size_t i = 0; i < PX_N_ELEMENTS(all); i++) {
        copy_here(all[i].target, all[i].data, all[i].size);
        assert_int_equal(await_form(c, all[i].format, &got), all[i].packed);
        assert_int_equal(got.size, all[i].size);
        assert_memory_equal(got.data, all[i].data, got.size);
    }
}

static void every_form_goes_to_the_desktop(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_buf_fini) struct px_buf png = {0};
    make_png(&png);
    const struct {
        int format;
        struct wanted want;
    } all[] = {{PX_CLIPBOARD_TEXT, {"UTF8_STRING", "one", 3}},
               {PX_CLIPBOARD_TEXT, {"text/plain;charset=utf-8", "two", 3}},
               {PX_CLIPBOARD_TEXT, {"STRING", "three", 5}},
               {PX_CLIPBOARD_HTML, {"text/html", "<i>y</i>", 8}},
               {PX_CLIPBOARD_RTF, {"text/rtf", RTF, sizeof(RTF) - 1}},
               {PX_CLIPBOARD_PNG, {"image/png", png.data, png.size}},
               {PX_CLIPBOARD_SVG, {"image/svg+xml", SVG, sizeof(SVG) - 1}}};
    for (int pack = 0; pack < 2; pack++)
        for (size_t i = 0; i < PX_N_ELEMENTS(all); i++) {
            struct wanted w = all[i].want;
            send_form(c, all[i].format, w.data, w.size, 0, 0, pack);
            if (!wait_for(is_pasted, &w, 10 * SECOND))
                fail_msg("'%s' is not on the desktop", w.target);
        }
}

static bool pasted_png_is_right(void *data) {
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    uint8_t rgba[16];
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (paste_here("image/png", &got) < 0 ||
        !png_image_begin_read_from_memory(&image, got.data, got.size))
        return false;
    image.format = PNG_FORMAT_RGBA;
    return image.width == 2 && image.height == 2 &&
           png_image_finish_read(&image, NULL, rgba, 0, NULL) && memcmp(rgba, data, 16) == 0;
}

static void pixels_become_png(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    uint8_t rgba[16] = {1, 2, 3, 255, 4, 5, 6, 255, 7, 8, 9, 255, 10, 11, 12, 128};
    send_form(c, PX_CLIPBOARD_RGBA, rgba, sizeof(rgba), 2, 2, true);
    assert_true(wait_for(pasted_png_is_right, rgba, 10 * SECOND));
    /* of a length that does not fit, or of no end: left out, and what was there stays */
    send_form(c, PX_CLIPBOARD_RGBA, rgba, sizeof(rgba), 3, 2, false);
    send_form(c, PX_CLIPBOARD_RGBA, rgba, sizeof(rgba), INT32_MAX, INT32_MAX, false);
    send_form(c, PX_CLIPBOARD_TEXT, "", 0, 0, 0, false);
    send_form(c, 12345, "private", 7, 0, 0, false);
    drain(c, SECOND / 3);
    assert_true(pasted_png_is_right(rgba));
}

/* 70 MB that take a few kB on the way: no more than the limit is unpacked. */
static void bombs_are_left_out(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const size_t size = 70u << 20;
    px_cleanup_free char *zeros = calloc(1, size);
    struct wanted w = {"UTF8_STRING", "before", 6};
    send_form(c, PX_CLIPBOARD_TEXT, w.data, w.size, 0, 0, false);
    assert_true(wait_for(is_pasted, &w, 10 * SECOND));
    send_form(c, PX_CLIPBOARD_TEXT, zeros, size, 0, 0, true);
    send_form(c, PX_CLIPBOARD_TEXT, "\x28\xb5\x2f\xfdnonsense", 12, 0, 0, false);
    w = (struct wanted){"UTF8_STRING", "\x28\xb5\x2f\xfdnonsense", 12};
    assert_true(wait_for(is_pasted, &w, 10 * SECOND));
}

/* Nothing is read from a program while no client wants it. */
static void an_option_holds_the_clipboard_back(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.disable_clipboard = PX_OPTION_YES;
    px_cleanup(px_client_closep) struct px_client *c = desktop(&o);
    struct wanted w = {"UTF8_STRING", "mine", 4};
    copy_here("UTF8_STRING", w.data, w.size);
    send_form(c, PX_CLIPBOARD_TEXT, "theirs", 6, 0, 0, false);
    px_cleanup(px_message_freep) Pxs__Message *none =
        await(c, PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS, SECOND / 2);
    assert_null(none);
    assert_true(is_pasted(&w));
}

/* Reading a clipboard may cost a program much: it is not asked when there is nobody to take it. */
static void nothing_is_read_while_nobody_watches(void **state) {
    char path[128];
    snprintf(path, sizeof(path), "%s/copied", f.dir);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, "mine", 4, 0600, NULL));
    /* Ends when it was asked once, for whatever. */
    const char *const argv[] = {"xclip",      "-quiet",    "-loops", "1",
                                "-selection", "clipboard", path,     NULL};
    const pid_t owner = run(argv);
    px_sleep_us(SECOND);
    assert_int_equal(waitpid(owner, NULL, WNOHANG), 0);
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    (void)paste_here("UTF8_STRING", &got); /* that counts */
    assert_int_equal(waitpid(owner, NULL, 0), owner);
}

static int start(void **state) {
    fixture_x(false);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_read_while_nobody_watches), /* no client has been there */
        cmocka_unit_test(every_form_comes_from_the_desktop),
        cmocka_unit_test(every_form_goes_to_the_desktop),
        cmocka_unit_test(pixels_become_png),
        cmocka_unit_test(bombs_are_left_out),
        cmocka_unit_test(an_option_holds_the_clipboard_back),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
