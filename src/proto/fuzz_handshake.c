/* src/proto/fuzz_handshake.c - a stranger's answer to our identity, and a stranger's identity: a
 * key comes of neither unless it was sealed for us, or signed
 *
 * The first byte says which of the two the rest is. */
#include "base/cleanup.h"
#include "proto/handshake.h"
#include <assert.h>
#include <sodium.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t seed[32] = {7};
    uint8_t pk[PX_SIGN_PK_BYTES], sk[PX_SIGN_SK_BYTES];
    struct px_handshake h = {0};
    struct px_secure s = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_error err = {0};
    if (size == 0 || px_secure_init(NULL) < 0)
        return 0;
    crypto_sign_seed_keypair(pk, sk, seed);
    if (data[0] & 1) {
        const int r = px_handshake_answer(pk, "123456789", data + 1, size - 1, &s, &out, &err);
        assert(r == -EPROTO || r == -EKEYREJECTED);
        assert(out.size == 0 && err.msg[0]);
    } else {
        memset(h.offer.sk, 1, sizeof(h.offer.sk));
        crypto_scalarmult_base(h.offer.pk, h.offer.sk);
        const int r = px_handshake_accept(&h, data + 1, size - 1, &s, &err);
        assert(r == PX_HANDSHAKE_PLAIN || r == PX_HANDSHAKE_UNKNOWN || r == -EPROTO ||
               r == PX_HANDSHAKE_ENCRYPTED);
        if (r != PX_HANDSHAKE_ENCRYPTED)
            assert(sodium_is_zero(s.key, sizeof(s.key)));
    }
    return 0;
}
