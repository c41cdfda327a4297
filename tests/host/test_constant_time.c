/* tests/host/test_constant_time.c - what judges a secret takes a time that does not tell of it
 *
 * Under Valgrind, to which the secrets are made unknown: every branch and every address that
 * depends on them is an error then (the way of "ctgrind"). What a judgement says is public. */
#include "base/alloc.h"
#include "base/proc.h"
#include "base/test.h"
#include "proto/secure.h"
#include "proto/session.h"
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#define NOW INT64_C(1111111109)

static void hide(void *p, size_t size) {
    VALGRIND_MAKE_MEM_UNDEFINED(p, size);
}

static void publish(void *p, size_t size) {
    VALGRIND_MAKE_MEM_DEFINED(p, size);
}

static unsigned errors_of(void (*f)(void)) {
    const unsigned before = VALGRIND_COUNT_ERRORS;
    f();
    return VALGRIND_COUNT_ERRORS - before;
}

static void compare_in_haste(void) {
    char secret[] = "hunter2", guess[] = "hunter3";
    hide(secret, sizeof(secret));
    volatile bool same = true;
    for (size_t i = 0; same && i < sizeof(secret); i++)
        if (secret[i] != guess[i])
            same = false;
}

/* That this way of looking sees something. */
static void comparison_that_stops_early_is_seen(void **state) {
    assert_true(errors_of(compare_in_haste) > 0);
}

static bool right;

static void judge_proof(void) {
    uint8_t h1[PX_PROOF_BYTES], proof[PX_PROOF_BYTES];
    px_login_h1("hunter2", "salt", h1);
    px_login_proof(h1, "challenge", proof);
    hide(h1, sizeof(h1));
    right = px_login_check(h1, "challenge", proof, sizeof(proof));
    publish(&right, sizeof(right));
    assert_true(right);
    proof[3] ^= 1;
    right = px_login_check(h1, "challenge", proof, sizeof(proof));
    publish(&right, sizeof(right));
    assert_false(right);
}

static void password_proof(void **state) {
    assert_int_equal(errors_of(judge_proof), 0);
}

static void judge_code(void) {
    uint8_t secret[20] = "12345678901234567890";
    const char *const codes[] = {"081804", "081805", "181804", "1", ""};
    for (size_t i = 0; i < PX_N_ELEMENTS(codes); i++) {
        hide(secret, sizeof(secret));
        right = px_totp_check(secret, sizeof(secret), NOW, codes[i], NULL);
        publish(&right, sizeof(right));
        assert_int_equal(right, i == 0);
    }
}

static void code_of_the_second_factor(void **state) {
    assert_int_equal(errors_of(judge_code), 0);
}

static void open_records(void) {
    struct px_secure s = {0}, t = {0};
    const char text[] = "a frame's body";
    uint8_t sealed[sizeof(text) + PX_SEAL_BYTES], plain[sizeof(sealed)];
    randombytes_buf(s.key, sizeof(s.key));
    t = s;
    hide(s.key, sizeof(s.key));
    hide(t.key, sizeof(t.key));
    const size_t n =
        px_secure_seal(&s, (struct px_bytes){(const uint8_t *)text, sizeof(text)}, sealed);
    publish(sealed, n); /* on the wire */
    int r = px_secure_open(&t, (struct px_bytes){sealed, n}, plain, NULL);
    publish(&r, sizeof(r));
    assert_int_equal(r, sizeof(text));
}

/* Whether a tag is right is public: libsodium branches on it, and so do we. */
static void records(void **state) {
    assert_in_range(errors_of(open_records), 0, 2);
}

static int run_under_valgrind(char *self) {
    px_cleanup_free char *valgrind = px_proc_find("valgrind");
    if (!valgrind) {
        printf("1..0 # SKIP no Valgrind here\n");
        return 77;
    }
    char *const argv[] = {valgrind, (char *)"-q", (char *)"--log-file=/dev/null", self, NULL};
    execv(valgrind, argv);
    return 1;
}

int main(int argc, char **argv) {
    if (!RUNNING_ON_VALGRIND)
        return run_under_valgrind(argv[0]);
    if (px_secure_init(NULL) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparison_that_stops_early_is_seen),
        cmocka_unit_test(password_proof),
        cmocka_unit_test(code_of_the_second_factor),
        cmocka_unit_test(records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
