/* src/host/link.h - what the kernel knows of a TCP connection's line. Source: linux/tcp.h, TCP_INFO
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct px_link_info {
    uint64_t delivered_bytes_per_s; /* of late; 0: unknown */
    uint32_t rtt_us, min_rtt_us, unsent_bytes;
    uint32_t outstanding_bytes; /* sent or not, and not acknowledged; 0: unknown, too */
    bool app_limited;           /* the rate is what we sent, not what the line takes */
};

/* All zero when @fd does not tell. */
void px_link_read(int fd, struct px_link_info *ret);
