/* tests/host/test_lock.c - locking the screen: by the desktop's own program, or a word why not */
#include "base/clock.h"
#include "base/file.h"
#include "fixture.h"
#include <string.h>
#include <sys/stat.h>

static char *path(const char *name) {
    static char text[128];
    snprintf(text, sizeof(text), "%s/%s", f.dir, name);
    return text;
}

static void write_text(const char *name, const char *text, mode_t mode) {
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path(name), text, strlen(text), mode, NULL));
}

/* Lines of a file that hold @what. */
static int n_lines(const char *name, const char *what) {
    char text[4096] = "";
    int n = 0;
    FILE *log = fopen(path(name), "re");
    while (log && fgets(text, sizeof(text), log))
        n += strstr(text, what) != NULL;
    if (log)
        fclose(log);
    return n;
}

static bool was_locked(void *data) {
    return n_lines("runs", "lock\n") == *(int *)data;
}

static bool was_checked(void *data) {
    return n_lines("runs", "lock --check\n") == *(int *)data;
}

static bool sessions_are(void *data) {
    return n_lines("audit", " began: ") - n_lines("audit", " ended: ") == *(int *)data;
}

/* A desktop that can be locked, or (@why) not. */
static void locker(const char *why) {
    char text[512];
    unlink(path("runs"));
    snprintf(text, sizeof(text), "#!/bin/sh\necho \"lock${1:+ $1}\" >>'%s'\n", path("runs"));
    if (why)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "printf '%s'\nexit 1\n", why);
    write_text("locker", text, 0700);
}

static int setup(void **state) {
    char extra[256];
    fixture_x(false);
    locker(NULL);
    snprintf(extra, sizeof(extra), "\"lock_command\": \"%s\"", path("locker"));
    fixture_host(extra);
    return 0;
}

static void press_lock(struct px_client *c) {
    Pxs__KeyEvent e = PXS__KEY_EVENT__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    e.key_case = PXS__KEY_EVENT__KEY_CONTROL_KEY;
    e.control_key = PX_KEY_LOCK_SCREEN;
    e.down = true; /* clients send no "up" */
    m.item_case = PXS__MESSAGE__ITEM_KEY_EVENT;
    m.key_event = &e;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static const Pxs__OptionMessage lock_at_end = {
    .base = PROTOBUF_C_MESSAGE_INIT(&pxs__option_message__descriptor),
    .lock_after_session_end = PX_OPTION_YES};

static void lock_screen_runs_the_desktops_locker(void **state) {
    int one = 1;
    locker(NULL);
    struct px_client *c = desktop(NULL);
    press_lock(c);
    assert_true(wait_for(was_locked, &one, 20 * SECOND));
    px_client_close(c);
}

static void client_is_told_why_the_screen_is_not_locked(void **state) {
    locker("no \\033password\\nand more\\n");
    struct px_client *c = desktop(NULL);
    press_lock(c);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_MESSAGE_BOX, 20 * SECOND);
    assert_non_null(m);
    assert_string_equal(m->message_box->text, "The screen was not locked: no ?password.");
    assert_string_equal(m->message_box->msgtype, "custom-nocancel"); /* OK, and the session stays */
    px_client_close(c);
}

static void last_who_leaves_locks_if_anybody_wanted_it(void **state) {
    int none = 0, one = 1;
    locker(NULL);
    assert_true(wait_for(sessions_are, &none, 20 * SECOND)); /* those of the tests above are over */
    struct px_client *wants = desktop(&lock_at_end), *other = desktop(NULL);
    assert_true(wait_for(was_checked, &one, 20 * SECOND));
    send_option(wants, &lock_at_end);
    px_client_close(wants);
    assert_true(wait_for(sessions_are, &one, 20 * SECOND));
    assert_true(was_locked(&none)); /* somebody still looks */
    px_client_close(other);
    assert_true(wait_for(was_locked, &one, 20 * SECOND));
    assert_true(was_checked(&one)); /* a client asks once */
}

static void client_is_told_at_once_that_leaving_will_not_lock(void **state) {
    locker("no password\\n");
    struct px_client *c = desktop(&lock_at_end);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_MESSAGE_BOX, 20 * SECOND);
    assert_non_null(m);
    assert_string_equal(m->message_box->text,
                        "The screen will not be locked when you leave: no password.");
    px_client_close(c);
    int one = 1;
    assert_true(wait_for(was_locked, &one, 20 * SECOND)); /* it is tried all the same */
}

static void who_may_only_look_locks_nothing(void **state) {
    int none = 0, one = 1;
    Pxs__OptionMessage o = lock_at_end;
    o.disable_keyboard = PX_OPTION_YES;
    locker(NULL);
    struct px_client *looks = desktop(&o);
    press_lock(looks);
    px_client_close(looks);
    assert_true(wait_for(sessions_are, &none, 20 * SECOND));
    struct px_client *c = desktop(NULL);
    assert_true(was_locked(&none));
    press_lock(c);
    assert_true(wait_for(was_locked, &one, 20 * SECOND));
    px_client_close(c);
}

static void desktop_without_a_locker_says_so(void **state) {
    unlink(path("locker"));
    struct px_client *c = desktop(NULL);
    press_lock(c);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_MESSAGE_BOX, 20 * SECOND);
    assert_non_null(m);
    assert_string_equal(m->message_box->text,
                        "The screen was not locked: this desktop has no screen lock.");
    px_client_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lock_screen_runs_the_desktops_locker),
        cmocka_unit_test(client_is_told_why_the_screen_is_not_locked),
        cmocka_unit_test(last_who_leaves_locks_if_anybody_wanted_it),
        cmocka_unit_test(client_is_told_at_once_that_leaving_will_not_lock),
        cmocka_unit_test(who_may_only_look_locks_nothing),
        cmocka_unit_test(desktop_without_a_locker_says_so),
    };
    return cmocka_run_group_tests(tests, setup, fixture_end);
}
