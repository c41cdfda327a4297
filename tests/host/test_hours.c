/* tests/host/test_hours.c - the session checklist: what has to hold for minutes and hours
 *
 * The host runs in this process, whose clock is put forward a second at a time. */
#include "base/clock.h"
#include "clock.h"
#include "inside.h"

/* A second passes; the next probe of the host comes and is answered. What else comes is thrown
 * away, but for answers to logins, of which there must be none. */
static void a_second_passes(struct px_client *c) {
    const unsigned before = c->n_probes;
    const int64_t until = clock_real_us() + 20 * SECOND;
    clock_advance(SECOND);
    while (c->n_probes == before) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        assert_true(clock_real_us() < until);
        inside_wake();
        assert_true(px_client_recv(c, px_now_us() + 500, &m, NULL) >= 0);
        assert_true(!m || m->item_case != PXS__MESSAGE__ITEM_LOGIN_RESPONSE);
    }
}

static void item_20_empty_password_waits_for_minutes(void **state) {
    inside_start("", NULL);
    px_cleanup(px_client_closep) struct px_client *c = dial();
    const struct px_client_login l = {.username = ID, .password = ""};
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    px_assert_ok(px_client_send_login(c, &l, NULL));
    for (int i = 0; i < 180; i++)
        a_second_passes(c);
    const struct px_client_login right = {.username = ID, .password = PASSWORD};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok(px_client_login(c, &right, 10 * SECOND, &m, NULL)); /* it still counts */
    px_client_close(c);
    c = NULL;
    inside_stop();
}

/* Somebody who keeps a connection without ever giving a password takes one of sixteen places. */
static void who_does_not_log_in_within_five_minutes_goes(void **state) {
    inside_start("", NULL);
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    for (int i = 0; i < 298; i++)
        a_second_passes(c);
    const int64_t until = clock_real_us() + 20 * SECOND;
    int r = 0;
    while (r >= 0) { /* probes are answered all the while */
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        assert_true(clock_real_us() < until);
        clock_advance(SECOND / 10);
        inside_wake();
        r = px_client_recv(c, px_now_us() + 500, &m, NULL);
    }
    assert_int_equal(r, -EPIPE);
    px_client_close(c);
    c = NULL;
    inside_stop();
}

#define HOURS 3

/* At least one frame in two seconds: here one in each. */
static void item_33_still_screen_sends_probes_for_hours(void **state) {
    inside_start("", NULL);
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_message_free(await_frame(c, NULL, 10 * SECOND));
    const int64_t t0 = clock_real_us();
    for (int i = 0; i < HOURS * 3600; i++)
        a_second_passes(c);
    print_message("# %d h in %.1f s\n", HOURS, (double)(clock_real_us() - t0) / 1e6);
    paint(100, 100, 50, 50, 0x123456); /* and there is still a picture */
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, 10 * SECOND);
    assert_non_null(m);
    px_client_close(c);
    c = NULL;
    inside_stop();
}

/* The seven wrong ones are forgiven after the minute that the host names. */
static void item_29_after_a_minute_the_right_password_opens(void **state) {
    inside_start("", NULL);
    px_cleanup(px_client_closep) struct px_client *c = dial();
    struct px_client_login l = {.username = ID, .password = "wrong wrong"};
    struct px_error err = {0};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    for (int i = 0; i < 8; i++)
        assert_int_equal(px_client_login(c, &l, 10 * SECOND, &m, &err), -EACCES);
    assert_string_equal(err.msg, "Please try 1 minute later");
    l.password = PASSWORD;
    assert_int_equal(px_client_login(c, &l, 10 * SECOND, &m, &err), -EACCES); /* not even this */
    assert_string_equal(err.msg, "Please try 1 minute later");
    for (int i = 0; i < 61; i++)
        a_second_passes(c);
    px_assert_ok(px_client_login(c, &l, 10 * SECOND, &m, NULL));
    px_client_close(c);
    c = NULL;
    inside_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_20_empty_password_waits_for_minutes),
        cmocka_unit_test(who_does_not_log_in_within_five_minutes_goes),
        cmocka_unit_test(item_33_still_screen_sends_probes_for_hours),
        cmocka_unit_test(item_29_after_a_minute_the_right_password_opens),
    };
    return cmocka_run_group_tests(tests, fixture_start_x, fixture_end);
}
