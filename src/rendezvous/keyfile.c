/* src/rendezvous/keyfile.c - the server's Ed25519 pair */
#include "rendezvous/keyfile.h"
#include "base/file.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SECRET_FILE "id_ed25519"
#define PUBLIC_FILE "id_ed25519.pub"
#define FILE_MAX_BYTES 4096

static void encode(const uint8_t *raw, size_t size, char ret[PX_KEY_TEXT_MAX]) {
    sodium_bin2base64(ret, PX_KEY_TEXT_MAX, raw, size, sodium_base64_VARIANT_ORIGINAL);
}

void px_key_text(const uint8_t pk[PX_SIGN_PK_BYTES], char ret[PX_KEY_TEXT_MAX]) {
    encode(pk, PX_SIGN_PK_BYTES, ret);
}

/* White space is allowed, as in a file edited by hand. */
static bool decode(const char *text, uint8_t ret[PX_SIGN_SK_BYTES]) {
    size_t n = 0;
    const char *end = NULL;
    if (sodium_base642bin(ret, PX_SIGN_SK_BYTES, text, strlen(text), " \t\r\n", &n, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    return n == PX_SIGN_SK_BYTES && *end == '\0';
}

static bool pair_fits(const uint8_t sk[PX_SIGN_SK_BYTES]) {
    uint8_t pk[PX_SIGN_PK_BYTES], again[PX_SIGN_SK_BYTES];
    crypto_sign_seed_keypair(pk, again, sk);
    return memcmp(pk, sk + 32, sizeof(pk)) == 0;
}

int px_key_store(int dir_fd, const uint8_t sk[PX_SIGN_SK_BYTES], struct px_error *err) {
    char text[PX_KEY_TEXT_MAX];
    px_key_text(sk + 32, text);
    int r = px_file_write_atomic(dir_fd, PUBLIC_FILE, text, strlen(text), 0644, err);
    if (r < 0)
        return r;
    encode(sk, PX_SIGN_SK_BYTES, text);
    r = px_file_write_atomic(dir_fd, SECRET_FILE, text, strlen(text), 0600, err);
    sodium_memzero(text, sizeof(text));
    return r;
}

/* A public key goes into file names of renamed installers: no '/' in its text, if luck allows. */
static void make(uint8_t ret_sk[PX_SIGN_SK_BYTES]) {
    uint8_t pk[PX_SIGN_PK_BYTES];
    char text[PX_KEY_TEXT_MAX];
    for (int i = 0; i < 300; i++) {
        crypto_sign_keypair(pk, ret_sk);
        px_key_text(pk, text);
        if (!strchr(text, '/'))
            return;
    }
}

int px_key_load(int dir_fd, uint8_t ret_sk[PX_SIGN_SK_BYTES], struct px_error *err) {
    px_cleanup_free char *text = NULL;
    int r = px_file_read(dir_fd, SECRET_FILE, FILE_MAX_BYTES, &text, NULL, err);
    if (r == -ENOENT) {
        make(ret_sk);
        return px_key_store(dir_fd, ret_sk, err);
    }
    if (r < 0)
        return r;
    bool good = decode(text, ret_sk) && pair_fits(ret_sk);
    sodium_memzero(text, strlen(text));
    if (!good) {
        px_fail(err, -EINVAL, "'%s' does not hold a key pair", SECRET_FILE);
        return px_hint(err, -EINVAL,
                       "restore it from a backup, or remove it to make a new pair "
                       "(clients then need the new key)");
    }
    return 0;
}

int px_key_setup(int dir_fd, const char *option, struct px_server_key *ret, struct px_error *err) {
    struct px_server_key key = {.can_sign = true};
    const bool own = strcmp(option, "-") == 0 || strcmp(option, "_") == 0;
    if (strlen(option) >= sizeof(key.expected))
        return px_fail(err, -EINVAL, "key is longer than %zu characters", sizeof(key.expected) - 1);
    if (!own && *option && decode(option, key.sk)) {
        if (!pair_fits(key.sk))
            return px_fail(err, -EINVAL, "the secret key given does not fit together");
    } else {
        int r = px_key_load(dir_fd, key.sk, err);
        if (r < 0)
            return r;
        snprintf(key.expected, sizeof(key.expected), "%s", own ? "" : option);
    }
    memcpy(key.pk, key.sk + 32, sizeof(key.pk));
    if (own || (*option && !key.expected[0])) {
        px_key_text(key.pk, key.expected);
    } else if (*option) {
        char text[PX_KEY_TEXT_MAX];
        px_key_text(key.pk, text);
        key.can_sign = strcmp(text, key.expected) == 0; /* another's key: we cannot sign for it */
    }
    *ret = key;
    return 0;
}
