/* tests/host/test_security.c - who comes in, with what, and what is told of it afterwards */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "fixture.h"
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

static bool audit_says(void *word) {
    px_cleanup_free char *text = get_file("audit");
    return strstr(text, word) != NULL;
}

/* 0, or -EACCES with the host's words in @err. */
static int try_login(const struct px_client_login *l, struct px_client **ret,
                     struct px_error *err) {
    struct px_client *c = dial();
    Pxs__Message *m = NULL;
    const int r = px_client_login(c, l, 10 * SECOND, &m, err);
    px_message_free(m);
    if (r < 0 || !ret)
        px_client_close(c);
    else
        *ret = c;
    return r;
}

static void assert_refused(const struct px_client_login *l, const char *words) {
    struct px_error err = {0};
    assert_int_equal(try_login(l, NULL, &err), -EACCES);
    assert_string_equal(err.msg, words);
}

static void restart(const char *extra) {
    fixture_stop_host();
    fixture_host(extra);
}

static void write_one_time(const char *password, long long until) {
    char line[128];
    snprintf(line, sizeof(line), "%s %lld\n", password, until);
    put_file("one-time", line);
}

static char *with_one_time(void) {
    return px_asprintf("\"one_time_file\": \"%s/one-time\"", f.dir);
}

static void one_time_password_opens_once(void **state) {
    px_cleanup_free char *extra = with_one_time();
    struct px_client_login l = {
        .username = ID, .password = "abcdefghijklm", .my_id = "1", .session_id = 7};
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    write_one_time("abcdefghijklm", time(NULL) + 3600);
    restart(extra);
    px_assert_ok(try_login(&l, &c, NULL));
    assert_true(audit_says((void *)"auth=one-time "));
    struct px_client_login other = l;
    other.my_id = "2";
    assert_refused(&other, "Wrong Password");
    other.session_id = 8;
    assert_refused(&other, "Wrong Password");
    other = l;
    other.session_id = 0; /* no session to come back to */
    assert_refused(&other, "Wrong Password");
    /* the same client's reconnection is the same session */
    px_client_close(c);
    c = NULL;
    px_assert_ok(try_login(&l, &c, NULL));
    assert_true(audit_says((void *)"auth=resumed "));
}

static void used_one_time_password_stays_used_after_a_restart(void **state) {
    px_cleanup_free char *extra = with_one_time();
    const struct px_client_login l = {
        .username = ID, .password = "abcdefghijklm", .my_id = "1", .session_id = 7};
    restart(extra);
    assert_refused(&l, "Wrong Password");
}

static void one_time_password_ends(void **state) {
    const struct px_client_login l = {.username = ID, .password = "nopqrstuvwxyz"};
    write_one_time("nopqrstuvwxyz", time(NULL) - 1);
    assert_refused(&l, "Wrong Password");
    write_one_time("nopqrstuvwxyz", time(NULL) + 3600); /* read anew, without a restart */
    px_assert_ok(try_login(&l, NULL, NULL));
}

#define SECRET_HEX "3132333435363738393031323334353637383930"

static void code_now(char out[7]) {
    static const uint8_t secret[] = "12345678901234567890";
    px_totp(secret, 20, (int64_t)time(NULL), out);
}

static void trusted_device_is_spared_the_code(void **state) {
    px_cleanup_free char *extra = px_asprintf("\"totp_secret_file\": \"%s/totp\"", f.dir);
    char code[7];
    put_file("totp", SECRET_HEX "\n");
    restart(extra);
    code_now(code);
    struct px_client_login l = {
        .username = ID, .password = PASSWORD, .my_id = "1", .hwid = "machine-1"};
    assert_refused(&l, "2FA Required");
    l.code = code;
    px_assert_ok(try_login(&l, NULL, NULL)); /* without the wish to be trusted */
    l.code = NULL;
    assert_refused(&l, "2FA Required");
    code_now(code);
    l.code = code;
    l.trust = true;
    px_assert_ok(try_login(&l, NULL, NULL));
    assert_true(audit_says((void *)"auth=password+code "));
    l.code = NULL;
    restart(extra); /* it is remembered */
    px_assert_ok(try_login(&l, NULL, NULL));
    assert_true(audit_says((void *)"auth=password+trusted "));
    struct px_client_login other = l;
    other.hwid = "machine-2";
    assert_refused(&other, "2FA Required");
    other = l;
    other.my_name = "somebody else";
    assert_refused(&other, "2FA Required");
    other = l;
    other.password = "not the password";
    assert_refused(&other, "Wrong Password");
}

static void trust_can_be_forbidden(void **state) {
    px_cleanup_free char *extra =
        px_asprintf("\"totp_secret_file\": \"%s/totp\", \"trusted_devices\": false", f.dir);
    const struct px_client_login l = {
        .username = ID, .password = PASSWORD, .my_id = "1", .hwid = "machine-1"};
    restart(extra);
    assert_refused(&l, "2FA Required");
}

static void session_that_comes_back_is_not_asked_for_another_code(void **state) {
    char code[7];
    code_now(code);
    struct px_client_login l = {
        .username = ID, .password = PASSWORD, .my_id = "3", .session_id = 99, .code = code};
    px_assert_ok(try_login(&l, NULL, NULL));
    l.code = NULL;
    px_assert_ok(try_login(&l, NULL, NULL));
    l.session_id = 98;
    assert_refused(&l, "2FA Required");
}

/* Whatever a client is called: the first to come in with a code has it. */
static void code_is_good_for_one_client(void **state) {
    char codes[15], spare[7];
    static const uint8_t secret[] = "12345678901234567890";
    px_cleanup_free char *extra = px_asprintf("\"totp_secret_file\": \"%s/totp\"", f.dir);
    restart(extra);
    const int64_t now = (int64_t)time(NULL);
    px_totp(secret, 20, now + 30, spare); /* right for longest, should this machine be busy */
    struct px_client_login mine = {
        .username = ID, .password = PASSWORD, .my_id = "5", .my_name = "me", .code = spare};
    struct px_client_login other = mine;
    px_assert_ok(try_login(&mine, NULL, NULL));
    px_assert_ok(try_login(&mine, NULL, NULL)); /* another window of it */
    other.my_id = "6";
    assert_refused(&other, "Wrong 2FA Code");
    assert_true(audit_says((void *)"reason=code-used"));
    px_totp(secret, 20, now, codes + 7);
    memcpy(codes, spare, 6);
    codes[6] = ' ';
    other.code = codes; /* who has the next one tries that */
    px_assert_ok(try_login(&other, NULL, NULL));
}

static void recording_that_is_not_wanted_is_told(void **state) {
    restart("\"permissions\": {\"recording\": false}");
    px_cleanup(px_client_closep) struct px_client *c = dial();
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = await(c, PXS__MESSAGE__ITEM_MISC, PATIENCE);
        assert_non_null(m);
        if (m->misc->item_case == PXS__MISC__ITEM_PERMISSION_INFO &&
            m->misc->permission_info->permission == PX_PERMISSION_RECORDING)
            break;
    }
}

static void each_session_has_its_two_lines(void **state) {
    restart("");
    {
        px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
        px_cleanup(px_message_freep) Pxs__Message *v = await_frame(c, NULL, PATIENCE);
        assert_non_null(v);
        px_assert_ok(px_client_click(c, 10, 10, NULL));
        drain(c, SECOND / 4);
    }
    assert_true(wait_for(audit_says, (void *)"used=input", PATIENCE));
    px_cleanup_free char *text = get_file("audit");
    assert_non_null(strstr(text, "began: kind=desktop from=127.0.0.1:"));
    assert_non_null(strstr(text, "way=direct auth=password name='phoenix'"));
    assert_non_null(strstr(text, "ended: kind=desktop"));
    assert_non_null(strstr(text, "in_bytes="));
    assert_null(strstr(text, PASSWORD));
}

/* From many addresses, as through a relay: loopback has 16 million. */
static void refusals_are_told_but_not_without_end(void **state) {
    px_cleanup_free char *before = get_file("audit");
    for (unsigned i = 0; i < 60; i++) {
        px_cleanup(px_client_closep) struct px_client *c = NULL;
        const struct px_addr from = px_addr_v4(127, 1, 1, (uint8_t)(i + 1), 0);
        const struct px_addr to = px_addr_v4(127, 0, 0, 1, (uint16_t)f.port);
        const struct px_client_login l = {.username = ID, .password = "a guess"};
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        px_assert_ok(px_client_connect_from(&from, &to, PATIENCE, &c, NULL));
        assert_int_equal(px_client_login(c, &l, PATIENCE, &m, NULL), -EACCES);
    }
    px_cleanup_free char *after = get_file("audit");
    const unsigned n =
        count_words(after, "reason=password") - count_words(before, "reason=password");
    assert_in_range(n, 30, 60); /* 60: a minute ended in between */
}

/* Until the host has seen that the strangers are gone it may have no room. */
static bool others_come_in(void *data) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    return try_login(&l, NULL, NULL) >= 0;
}

static void flood_of_logins_leaves_the_viewer_alone(void **state) {
    px_cleanup(px_client_closep) struct px_client *viewer = desktop(NULL);
    px_cleanup(px_message_freep) Pxs__Message *first = await_frame(viewer, NULL, PATIENCE);
    assert_non_null(first);
    struct px_client *strangers[64] = {0};
    const struct px_addr to = px_addr_v4(127, 0, 0, 1, (uint16_t)f.port);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 64; i++)
            if (px_client_connect(&to, 5 * SECOND, &strangers[i], NULL) < 0)
                strangers[i] = NULL;
        paint(100, 100, 200, 200, 0x102030 * (round + 1));
        px_cleanup(px_message_freep) Pxs__Message *v = await_frame(viewer, NULL, 5 * SECOND);
        assert_non_null(v);
        for (unsigned i = 0; i < 64; i++) {
            px_client_close(strangers[i]);
            strangers[i] = NULL;
        }
    }
    assert_true(wait_for(others_come_in, NULL, PATIENCE));
}

static int start(void **state) {
    fixture_x(false);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_time_password_opens_once),
        cmocka_unit_test(used_one_time_password_stays_used_after_a_restart),
        cmocka_unit_test(one_time_password_ends),
        cmocka_unit_test(trusted_device_is_spared_the_code),
        cmocka_unit_test(trust_can_be_forbidden),
        cmocka_unit_test(session_that_comes_back_is_not_asked_for_another_code),
        cmocka_unit_test(code_is_good_for_one_client),
        cmocka_unit_test(recording_that_is_not_wanted_is_told),
        cmocka_unit_test(each_session_has_its_two_lines),
        cmocka_unit_test(refusals_are_told_but_not_without_end),
        cmocka_unit_test(flood_of_logins_leaves_the_viewer_alone),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
