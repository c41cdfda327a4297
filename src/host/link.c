/* src/host/link.c - what the kernel knows of a TCP connection's line
 * A file of its own: linux/tcp.h has the delivery rate, but does not go with netinet/tcp.h. */
#include "host/link.h"
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

void px_link_read(int fd, struct px_link_info *ret) {
    struct tcp_info ti = {0};
    socklen_t len = sizeof(ti);
    int outstanding = 0;
    *ret = (struct px_link_info){0};
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) != 0)
        return;
    ret->rtt_us = ti.tcpi_rtt;
    ret->min_rtt_us = ti.tcpi_min_rtt == UINT32_MAX ? 0 : ti.tcpi_min_rtt;
    ret->unsent_bytes = ti.tcpi_notsent_bytes;
    if (ioctl(fd, SIOCOUTQ, &outstanding) == 0 && outstanding > 0)
        ret->outstanding_bytes = (uint32_t)outstanding;
    ret->delivered_bytes_per_s = ti.tcpi_delivery_rate;
    ret->app_limited = ti.tcpi_delivery_rate_app_limited;
}
