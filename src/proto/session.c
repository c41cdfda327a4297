/* src/proto/session.c - messages between the two ends of a desktop session */
#include "proto/session.h"
#include "base/alloc.h"
#include "base/text.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Two bytes on the wire can stand for an empty submessage, whose struct has a hundred. So that a
 * peer cannot multiply its bytes, a message has a budget: real ones stay far below it. */
#define BUDGET_FACTOR 16
#define BUDGET_BASE_BYTES (64 * 1024)

struct budget {
    ProtobufCAllocator allocator;
    size_t left;
};

static void *budget_alloc(void *data, size_t size) {
    struct budget *b = data;
    if (size > b->left)
        return NULL;
    b->left -= size;
    return malloc(size ? size : 1);
}

static void budget_free(void *data, void *p) {
    free(p);
}

int px_message_parse(const uint8_t *data, size_t size, Pxs__Message **ret, struct px_error *err) {
    size_t left;
    if (__builtin_mul_overflow(size, (size_t)BUDGET_FACTOR, &left) ||
        __builtin_add_overflow(left, (size_t)BUDGET_BASE_BYTES, &left))
        return px_fail(err, -EBADMSG, "a message of %zu bytes", size);
    struct budget b = {.left = left};
    b.allocator = (ProtobufCAllocator){budget_alloc, budget_free, &b};
    Pxs__Message *m = pxs__message__unpack(&b.allocator, size, data);
    if (!m)
        return px_fail(err, -EBADMSG, "%zu bytes that are no message", size);
    *ret = m;
    return 0;
}

void px_message_free(Pxs__Message *m) {
    ProtobufCAllocator plain = {budget_alloc, budget_free, NULL};
    if (m)
        pxs__message__free_unpacked(m, &plain);
}

void px_message_print(const ProtobufCMessage *m, struct px_buf *out) {
    const size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *at = px_buf_reserve(out, size);
    out->size += protobuf_c_message_pack(m, at);
    out->data[out->size] = '\0';
}

int64_t px_version_number(const char *text) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    const int n = sscanf(text, "%4u.%4u.%4u-%1u", &a, &b, &c, &d);
    return n < 3 ? 0 : (int64_t)a * 1000000 + b * 1000 + c * 10 + d;
}

char *px_peer_text(const char *text, char out[PX_PEER_TEXT_MAX]) {
    size_t used = 0;
    const uint8_t *p = (const uint8_t *)text;
    while (*p) {
        const size_t n = px_utf8_length(p, strnlen((const char *)p, 4));
        if (used + (n ? n : 1) >= PX_PEER_TEXT_MAX)
            break;
        /* C1 controls (U+0080..9f) can steer a terminal too. */
        if (n == 0 || *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
            out[used++] = '?';
        else {
            memcpy(out + used, p, n);
            used += n;
        }
        p += n ? n : 1;
    }
    out[used] = '\0';
    return out;
}

static void sha256_two(const void *a, size_t a_size, const void *b, size_t b_size,
                       uint8_t ret[PX_PROOF_BYTES]) {
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, a, a_size);
    crypto_hash_sha256_update(&st, b, b_size);
    crypto_hash_sha256_final(&st, ret);
    sodium_memzero(&st, sizeof(st));
}

void px_login_h1(const char *password, const char *salt, uint8_t ret[PX_PROOF_BYTES]) {
    sha256_two(password, strlen(password), salt, strlen(salt), ret);
}

void px_login_proof(const uint8_t h1[PX_PROOF_BYTES], const char *challenge,
                    uint8_t ret[PX_PROOF_BYTES]) {
    sha256_two(h1, PX_PROOF_BYTES, challenge, strlen(challenge), ret);
}

bool px_login_check(const uint8_t h1[PX_PROOF_BYTES], const char *challenge, const uint8_t *proof,
                    size_t size) {
    uint8_t want[PX_PROOF_BYTES];
    px_login_proof(h1, challenge, want);
    const bool right = size == PX_PROOF_BYTES && sodium_memcmp(want, proof, PX_PROOF_BYTES) == 0;
    sodium_memzero(want, sizeof(want));
    return right;
}
