/* tests/host/test_credentials.c - what is remembered of clients, and for how long
 *
 * Without a host; the clock is this process's own and can be put forward. */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"
#include "clock.h"
#include "host/credentials.h"
#include "proto/session.h"
#include <fcntl.h>
#include <time.h>

#define SALT "abcdefghijkmnpqrstuvwxyz23456789"
#define CHALLENGE "abc234"
#define WORD "one-time-word"
#define DAY_S (24 * 3600)

static char dir[] = "/tmp/px-credentials-XXXXXX";
static struct px_host_config config;
static const uint8_t machine[] = "machine", other_machine[] = "another";
static const struct px_asker alice = {.my_id = "111111111",
                                      .my_name = "alice",
                                      .platform = "Linux",
                                      .hwid = machine,
                                      .hwid_size = sizeof(machine),
                                      .session_id = 7};

static int start(void **state) {
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int end(void **state) {
    free(config.one_time_file);
    free(config.state_dir);
    return px_rm_rf(AT_FDCWD, dir, NULL);
}

/* Nothing is remembered; the one-time password is good for an hour. */
static int anew(void **state) {
    px_cleanup_free char *text = px_asprintf(WORD " %lld\n", (long long)time(NULL) + 3600);
    free(config.one_time_file);
    free(config.state_dir);
    config = (struct px_host_config){.salt = (char *)SALT,
                                     .trusted_devices = true,
                                     .one_time_file = px_asprintf("%s/one-time", dir),
                                     .state_dir = px_asprintf("%s/state", dir)};
    (void)px_rm_rf(AT_FDCWD, config.state_dir, NULL);
    px_login_h1("the desktop's own password", SALT, config.password_h1);
    return px_file_write_atomic(AT_FDCWD, config.one_time_file, text, strlen(text), 0600, NULL);
}

static enum px_proof try_word(struct px_credentials *c, const struct px_asker *who) {
    uint8_t h1[PX_PROOF_BYTES], proof[PX_PROOF_BYTES];
    px_login_h1(WORD, SALT, h1);
    px_login_proof(h1, CHALLENGE, proof);
    return px_credentials_check(c, who, CHALLENGE, proof, sizeof(proof));
}

static void one_time_is_for_one_client_until_it_has_been_away_for_thirty_seconds(void **state) {
    struct px_credentials *c = px_credentials_new(&config);
    struct px_asker bob = alice;
    bob.session_id = 8;
    assert_int_equal(try_word(c, &alice), PX_PROOF_ONE_TIME);
    const uint64_t handle = px_credentials_entered(c, &alice);
    assert_int_equal(try_word(c, &bob), PX_PROOF_WRONG);
    assert_int_equal(try_word(c, &alice), PX_PROOF_RESUMED);
    assert_true(px_credentials_entered(c, &alice) == handle); /* a second window */
    px_credentials_left(c, handle);
    clock_advance(100 * PX_US_PER_S); /* the first is still there */
    assert_true(px_credentials_resumes(c, &alice));
    px_credentials_left(c, handle);
    clock_advance(29 * PX_US_PER_S);
    assert_int_equal(try_word(c, &alice), PX_PROOF_RESUMED);
    assert_true(px_credentials_resumes(c, &alice));
    clock_advance(2 * PX_US_PER_S);
    assert_int_equal(try_word(c, &alice), PX_PROOF_WRONG);
    assert_false(px_credentials_resumes(c, &alice));
    px_credentials_free(c);
}

static void used_one_time_stays_used_after_a_restart(void **state) {
    struct px_credentials *c = px_credentials_new(&config);
    assert_int_equal(try_word(c, &alice), PX_PROOF_ONE_TIME);
    px_credentials_free(c);
    c = px_credentials_new(&config);
    assert_int_equal(try_word(c, &alice), PX_PROOF_WRONG);
    px_credentials_free(c);
}

static void devices_are_trusted_for_ninety_days(void **state) {
    const int64_t now = time(NULL);
    struct px_credentials *c = px_credentials_new(&config);
    struct px_asker other = alice, renamed = alice, bare = alice;
    other.hwid = other_machine;
    other.hwid_size = sizeof(other_machine);
    renamed.my_name = "bob";
    bare.hwid_size = 0;
    px_credentials_trust(c, &bare, now);
    assert_false(px_credentials_trusted(c, &bare, now)); /* without a machine there is none */
    assert_false(px_credentials_trusted(c, &alice, now));
    px_credentials_trust(c, &alice, now);
    px_credentials_free(c);
    c = px_credentials_new(&config); /* a restart later */
    assert_true(px_credentials_trusted(c, &alice, now + 90 * DAY_S - 1));
    assert_false(px_credentials_trusted(c, &alice, now + 90 * DAY_S));
    assert_false(px_credentials_trusted(c, &other, now));
    assert_false(px_credentials_trusted(c, &renamed, now));
    config.trusted_devices = false;
    assert_false(px_credentials_trusted(c, &alice, now));
    px_credentials_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_time_is_for_one_client_until_it_has_been_away_for_thirty_seconds,
                               anew),
        cmocka_unit_test_setup(used_one_time_stays_used_after_a_restart, anew),
        cmocka_unit_test_setup(devices_are_trusted_for_ninety_days, anew),
    };
    return cmocka_run_group_tests(tests, start, end);
}
