/* src/desktop/cert.c - a certificate that signs itself, for a desktop's tunnels */
#include "desktop/cert.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400
#define VALID_S (825LL * DAY_S) /* browsers take no longer ones */
#define FRESH_S (60LL * DAY_S)

PX_DEFINE_CLEANUP(X509 *, X509_free)
PX_DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
PX_DEFINE_CLEANUP(BIO *, BIO_free)

static int add_extension(X509 *x, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    const int ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

static int fill(X509 *x, EVP_PKEY *key, const char *name, int64_t now_s) {
    uint8_t serial[16];
    px_cleanup_free char *alt = px_asprintf("DNS:localhost,IP:127.0.0.1,DNS:%s", name);
    if (RAND_bytes(serial, sizeof(serial)) != 1)
        return 0;
    serial[0] &= 0x7f;
    BIGNUM *n = BN_bin2bn(serial, sizeof(serial), NULL);
    const int numbered = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    X509_NAME *subject = X509_get_subject_name(x);
    return numbered && X509_set_version(x, 2) &&
           ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_s - DAY_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now_s - DAY_S + VALID_S)) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1,
                                      0) &&
           X509_set_issuer_name(x, subject) && X509_set_pubkey(x, key) &&
           add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(x, NID_ext_key_usage, "serverAuth") &&
           add_extension(x, NID_subject_alt_name, alt) && X509_sign(x, key, EVP_sha256());
}

static char *text_of(BIO *b) {
    char *data = NULL;
    const long n = BIO_get_mem_data(b, &data);
    return px_strndup(data, (size_t)n);
}

int px_cert_make(const char *name, int64_t now_s, char **ret_cert, char **ret_key,
                 struct px_error *err) {
    px_cleanup(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    px_cleanup(X509_freep) X509 *x = X509_new();
    px_cleanup(BIO_freep) BIO *cert = BIO_new(BIO_s_mem());
    px_cleanup(BIO_freep) BIO *secret = BIO_new(BIO_s_secmem());
    if (!key || !x || !cert || !secret || !fill(x, key, name, now_s) ||
        !PEM_write_bio_X509(cert, x) ||
        !PEM_write_bio_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL))
        return px_fail(err, -EIO, "OpenSSL makes no certificate for '%s'", name);
    *ret_cert = text_of(cert);
    *ret_key = text_of(secret);
    return 0;
}

static X509 *parse(const char *pem) {
    px_cleanup(BIO_freep) BIO *b = BIO_new_mem_buf(pem, -1);
    return b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
}

int px_cert_fingerprint(const char *pem, char ret[PX_CERT_FINGERPRINT_MAX], struct px_error *err) {
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    px_cleanup(X509_freep) X509 *x = parse(pem);
    if (!x || !X509_digest(x, EVP_sha256(), hash, &n) || n != 32)
        return px_fail(err, -EINVAL, "not a certificate");
    for (unsigned i = 0; i < n; i++)
        snprintf(ret + i * 3, 4 - (i == n - 1), "%02X%s", hash[i], i == n - 1 ? "" : ":");
    return 0;
}

bool px_cert_lasts(const char *pem, int64_t now_s) {
    time_t until = (time_t)(now_s + FRESH_S);
    px_cleanup(X509_freep) X509 *x = parse(pem);
    return x && X509_cmp_time(X509_get0_notAfter(x), &until) > 0;
}
