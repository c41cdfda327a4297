/* src/host/capture/test_region.c */
#include "base/test.h"
#include "host/capture/region.h"

static bool covers(const struct px_region *r, int x, int y) {
    for (int i = 0; i < r->n; i++)
        if (x >= r->rects[i].x && x < r->rects[i].x + r->rects[i].w && y >= r->rects[i].y &&
            y < r->rects[i].y + r->rects[i].h)
            return true;
    return false;
}

static void add_melts_what_lies_side_by_side(void **state) {
    struct px_region r = {0};
    px_region_add(&r, (struct px_rect){0, 0, 10, 10});
    px_region_add(&r, (struct px_rect){20, 0, 10, 10});
    assert_int_equal(r.n, 2);
    px_region_add(&r, (struct px_rect){10, 0, 10, 10});
    assert_int_equal(r.n, 1);
    assert_int_equal(px_region_area(&r), 300);
}

static void add_ignores_empty_rectangles(void **state) {
    struct px_region r = {0};
    px_region_add(&r, (struct px_rect){5, 5, 0, 10});
    px_region_add(&r, (struct px_rect){5, 5, 10, -1});
    assert_int_equal(r.n, 0);
}

static void add_never_loses_a_pixel(void **state) {
    struct px_region r = {0};
    unsigned seed = 1;
    struct px_rect all[200];
    for (int i = 0; i < 200; i++) {
        int v[4];
        for (int k = 0; k < 4; k++) {
            seed = seed * 1103515245 + 12345;
            v[k] = (int)(seed >> 16) % 500;
        }
        all[i] = (struct px_rect){v[0], v[1], 1 + v[2] % 40, 1 + v[3] % 40};
        px_region_add(&r, all[i]);
        assert_in_range(r.n, 1, PX_REGION_MAX);
    }
    for (int i = 0; i < 200; i++) {
        assert_true(covers(&r, all[i].x, all[i].y));
        assert_true(covers(&r, all[i].x + all[i].w - 1, all[i].y + all[i].h - 1));
    }
}

static void align_grows_to_even_and_stays_on_the_screen(void **state) {
    struct px_region r = {0};
    px_region_add(&r, (struct px_rect){3, 5, 2, 2});
    px_region_add(&r, (struct px_rect){95, 45, 50, 50});
    px_region_add(&r, (struct px_rect){200, 0, 9, 9});
    px_region_align(&r, 101, 51);
    assert_int_equal(r.n, 2);
    assert_memory_equal(&r.rects[0], (&(struct px_rect){2, 4, 4, 4}), sizeof(struct px_rect));
    assert_memory_equal(&r.rects[1], (&(struct px_rect){94, 44, 7, 7}), sizeof(struct px_rect));
}

static void a_part_of_the_screen_gets_what_lies_in_it(void **state) {
    struct px_region all = {0}, part = {0};
    px_region_add(&all, (struct px_rect){90, 10, 20, 20}); /* across the left edge */
    px_region_add(&all, (struct px_rect){0, 0, 50, 50});   /* beside it */
    px_region_add(&all, (struct px_rect){150, 90, 500, 500});
    px_region_add_inside(&part, &all, (struct px_rect){100, 0, 100, 100});
    assert_int_equal(part.n, 2);
    int seen = 0;
    for (int i = 0; i < part.n; i++) {
        const struct px_rect r = part.rects[i];
        seen |= r.x == 0 && r.y == 10 && r.w == 10 && r.h == 20 ? 1 : 0;
        seen |= r.x == 50 && r.y == 90 && r.w == 50 && r.h == 10 ? 2 : 0;
    }
    assert_int_equal(seen, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_melts_what_lies_side_by_side),
        cmocka_unit_test(add_ignores_empty_rectangles),
        cmocka_unit_test(add_never_loses_a_pixel),
        cmocka_unit_test(align_grows_to_even_and_stays_on_the_screen),
        cmocka_unit_test(a_part_of_the_screen_gets_what_lies_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
