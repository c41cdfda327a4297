/* tests/host/ports.c - ports of loopback for what a test listens on */
#include "ports.h"
#include "base/cleanup.h"
#include "base/test.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 11000
#define END 32768 /* net.ipv4.ip_local_port_range begins here */

static struct sockaddr_in at(unsigned port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool is_free(unsigned port) {
    const struct sockaddr_in a = at(port);
    px_cleanup_close int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    px_cleanup_close int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return bind(tcp, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
           bind(udp, (const struct sockaddr *)&a, sizeof(a)) == 0;
}

uint16_t ports_free(unsigned n) {
    static unsigned next;
    if (next == 0) /* tests that run at the same time begin apart */
        next = FIRST + (unsigned)getpid() % 2000 * 8;
    for (unsigned found = 0; found < n; next++) {
        assert_true(next < END);
        found = is_free(next) ? found + 1 : 0;
    }
    return (uint16_t)(next - n);
}

int ports_listen(uint16_t *ret_port) {
    *ret_port = ports_free(1);
    const struct sockaddr_in a = at(*ret_port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 256), 0);
    return fd;
}
