/* tests/host/test_banner.c - the strip that says who watches */
#include "base/clock.h"
#include "fixture.h"
#include <xcb/shape.h>

static xcb_window_t find_banner(void) {
    xcb_query_tree_reply_t *t = xcb_query_tree_reply(f.x, xcb_query_tree(f.x, f.root), NULL);
    xcb_window_t found = 0;
    for (int i = 0; t && i < xcb_query_tree_children_length(t); i++) {
        const xcb_window_t w = xcb_query_tree_children(t)[i];
        xcb_get_property_reply_t *p = xcb_get_property_reply(
            f.x, xcb_get_property(f.x, 0, w, XCB_ATOM_WM_NAME, XCB_ATOM_STRING, 0, 64), NULL);
        if (p && xcb_get_property_value_length(p) == 12 &&
            memcmp(xcb_get_property_value(p), "phoenix-host", 12) == 0)
            found = w;
        free(p);
    }
    free(t);
    return found;
}

static bool banner_is_shown(void *data) {
    const xcb_window_t w = find_banner();
    xcb_get_window_attributes_reply_t *a =
        w ? xcb_get_window_attributes_reply(f.x, xcb_get_window_attributes(f.x, w), NULL) : NULL;
    const bool shown = a && a->map_state == XCB_MAP_STATE_VIEWABLE;
    free(a);
    return shown;
}

static bool banner_is_gone(void *data) {
    return find_banner() == 0;
}

/* White letters on the strip. */
static bool banner_has_letters(void *data) {
    const xcb_window_t w = find_banner();
    xcb_get_geometry_reply_t *g =
        w ? xcb_get_geometry_reply(f.x, xcb_get_geometry(f.x, w), NULL) : NULL;
    if (!g)
        return false;
    xcb_get_image_reply_t *i = xcb_get_image_reply(
        f.x, xcb_get_image(f.x, XCB_IMAGE_FORMAT_Z_PIXMAP, w, 0, 0, g->width, g->height, ~0u),
        NULL);
    unsigned white = 0;
    for (int k = 0; i && k + 3 < xcb_get_image_data_length(i); k += 4)
        white += (px_le32(xcb_get_image_data(i) + k) & 0xffffff) == 0xffffff;
    free(i);
    free(g);
    return white > 50;
}

static void banner_stands_while_somebody_watches(void **state) {
    assert_true(banner_is_gone(NULL));
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL);
    assert_true(wait_for(banner_is_shown, NULL, PATIENCE));
    assert_true(wait_for(banner_has_letters, NULL, PATIENCE));
    px_cleanup(px_client_closep) struct px_client *b = desktop(NULL);
    px_client_close(a);
    a = NULL;
    px_sleep_us(SECOND / 2);
    assert_true(banner_is_shown(NULL)); /* one is left */
    px_client_close(b);
    b = NULL;
    assert_true(wait_for(banner_is_gone, NULL, PATIENCE));
}

static void banner_takes_no_clicks(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL);
    assert_true(wait_for(banner_is_shown, NULL, PATIENCE));
    const xcb_window_t w = find_banner();
    xcb_shape_get_rectangles_reply_t *r = xcb_shape_get_rectangles_reply(
        f.x, xcb_shape_get_rectangles(f.x, w, XCB_SHAPE_SK_INPUT), NULL);
    assert_non_null(r);
    assert_int_equal(xcb_shape_get_rectangles_rectangles_length(r), 0);
    free(r);
}

static void banner_makes_no_pictures_of_its_own(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL);
    assert_true(wait_for(banner_has_letters, NULL, PATIENCE));
    drain(a, 2 * SECOND); /* the picture and its refinement */
    unsigned n = 0;
    const int64_t until = px_now_us() + 3 * SECOND;
    Pxs__Message *m = NULL;
    while (px_client_recv(a, until, &m, NULL) > 0) {
        n += m->item_case == PXS__MESSAGE__ITEM_VIDEO_FRAME;
        px_message_free(m);
    }
    assert_in_range(n, 0, 1);
}

static void banner_comes_forward_again(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL);
    assert_true(wait_for(banner_is_shown, NULL, PATIENCE));
    const xcb_window_t w = xcb_generate_id(f.x);
    const uint32_t values[] = {0x00ff00, 1};
    xcb_create_window(f.x, XCB_COPY_FROM_PARENT, w, f.root, 0, 0, (uint16_t)f.width, 100, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT, values);
    xcb_map_window(f.x, w);
    xcb_flush(f.x);
    assert_true(wait_for(banner_has_letters, NULL, PATIENCE));
    xcb_destroy_window(f.x, w);
    xcb_flush(f.x);
}

static void banner_follows_the_configuration(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL);
    assert_true(wait_for(banner_is_shown, NULL, PATIENCE));
    fixture_change("\"banner\": false");
    assert_true(wait_for(banner_is_gone, NULL, PATIENCE));
    fixture_change("\"banner\": true");
    assert_true(wait_for(banner_has_letters, NULL, PATIENCE));
    px_message_free(await_frame(a, NULL, 10 * SECOND)); /* the same session all the while */
}

/* Last: it ends the X server twice. */
static void banner_comes_back_with_the_x_server(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL);
    assert_true(wait_for(banner_is_shown, NULL, PATIENCE));
    fixture_end_x();
    fixture_x_again(); /* while somebody watches */
    assert_true(wait_for(banner_has_letters, NULL, 20 * SECOND));
    px_client_close(a);
    a = NULL;
    assert_true(wait_for(banner_is_gone, NULL, PATIENCE));
    fixture_end_x();
    fixture_x_again(); /* while nobody does: it comes with the next viewer */
    px_cleanup(px_client_closep) struct px_client *b = desktop(NULL);
    assert_true(wait_for(banner_has_letters, NULL, 20 * SECOND));
}

static int start(void **state) {
    fixture_x(false);
    fixture_host("\"banner\": true");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(banner_stands_while_somebody_watches),
        cmocka_unit_test(banner_takes_no_clicks),
        cmocka_unit_test(banner_makes_no_pictures_of_its_own),
        cmocka_unit_test(banner_comes_forward_again),
        cmocka_unit_test(banner_follows_the_configuration),
        cmocka_unit_test(banner_comes_back_with_the_x_server),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
