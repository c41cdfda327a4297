/* src/proto/fuzz_kcp.c - datagrams of strangers, at both ends and at any time
 *
 * Input: records of a length byte, a byte of what to do besides (1: to the one that connected, 2:
 * read, 4: write, 8: flush, 16: the conv is put right), a byte of time in 10 ms, and the bytes. */
#include "base/clock.h"
#include "proto/kcp.h"
#include <assert.h>
#include <string.h>

#define CONV 0x01020304u

static void drop(void *data, const uint8_t *bytes, size_t size) {
    size_t *sent = data;
    assert(size >= PX_KCP_HEAD_BYTES && size <= PX_KCP_DATAGRAM_MAX_BYTES && bytes[13] == 0);
    *sent += size;
}

static void step(struct px_kcp *k, unsigned what, uint8_t *bytes, size_t size, int64_t now) {
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    const uint32_t conv = CONV;
    for (size_t at = 0; (what & 16) && at + 4 <= size && at <= 14; at += 14)
        memcpy(bytes + at, &conv, 4);
    px_kcp_input(k, bytes, size, now);
    if (what & 2)
        px_kcp_read(k, &got);
    if (what & 4)
        px_kcp_write(k, bytes, size);
    if (what & 8)
        px_kcp_flush(k, now);
    assert(px_kcp_due_us(k) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t sent = 0;
    int64_t now = PX_US_PER_S;
    struct px_kcp_opts o = {.send = drop, .data = &sent, .now_us = now};
    struct px_kcp *ends[2];
    ends[0] = px_kcp_new(&o);
    o.connect = true;
    o.conv = CONV;
    ends[1] = px_kcp_new(&o);
    while (size >= 3) {
        uint8_t bytes[256];
        const size_t n = data[0] < size - 3 ? data[0] : size - 3;
        const unsigned what = data[1];
        now += data[2] * 10 * PX_US_PER_MS;
        memcpy(bytes, data + 3, n);
        step(ends[what & 1], what, bytes, n, now);
        data += 3 + n;
        size -= 3 + n;
    }
    struct px_kcp_line line;
    px_kcp_line(ends[0], &line);
    px_kcp_free(ends[0]);
    px_kcp_free(ends[1]);
    return 0;
}
