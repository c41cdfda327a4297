/* src/desktop/test_cert.c - certificates of desktops */
#include "base/cleanup.h"
#include "base/test.h"
#include "desktop/cert.h"
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define NOW 1800000000

static void certificates_are_for_localhost_and_the_desktop(void **state) {
    px_cleanup_free char *cert = NULL, *key = NULL;
    px_assert_ok(px_cert_make("lab-1", NOW, &cert, &key, NULL));
    px_assert_contains(key, "-----BEGIN PRIVATE KEY-----");
    BIO *b = BIO_new_mem_buf(cert, -1);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    assert_non_null(x);
    assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(x, "lab-1", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_host(x, "example.org", 0, 0, NULL), 0);
    X509_free(x);
    BIO_free(b);
}

static void fingerprints_look_as_browsers_show_them(void **state) {
    px_cleanup_free char *cert = NULL, *key = NULL;
    char one[PX_CERT_FINGERPRINT_MAX], again[PX_CERT_FINGERPRINT_MAX];
    px_assert_ok(px_cert_make("a", NOW, &cert, &key, NULL));
    px_assert_ok(px_cert_fingerprint(cert, one, NULL));
    px_assert_ok(px_cert_fingerprint(cert, again, NULL));
    assert_int_equal(strlen(one), 32 * 3 - 1);
    assert_string_equal(one, again);
    for (int i = 2; i < 32 * 3 - 1; i += 3)
        assert_int_equal(one[i], ':');
    assert_int_equal(px_cert_fingerprint("no", one, NULL), -EINVAL);
}

static void certificates_run_out_in_time_to_be_renewed(void **state) {
    px_cleanup_free char *cert = NULL, *key = NULL;
    px_assert_ok(px_cert_make("a", NOW, &cert, &key, NULL));
    assert_true(px_cert_lasts(cert, NOW));
    assert_true(px_cert_lasts(cert, NOW + 700LL * 86400));
    assert_false(px_cert_lasts(cert, NOW + 800LL * 86400));
    assert_false(px_cert_lasts("", NOW));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_for_localhost_and_the_desktop),
        cmocka_unit_test(fingerprints_look_as_browsers_show_them),
        cmocka_unit_test(certificates_run_out_in_time_to_be_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
