/* src/net/resolv.h - name servers of the host, as far as desktops can reach them
 *
 * Shape: lines "nameserver ADDRESS", "search DOMAIN...", "options ..."; '#' and ';' start comments.
 * Pure but for px_resolv_host. Source: resolv.conf(5). */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <netinet/in.h>
#include <stdbool.h>

#define PX_RESOLV_SERVERS_MAX 3 /* MAXNS: the resolver takes no more */
#define PX_RESOLV_SEARCH_MAX 1024
#define PX_RESOLV_MAX_BYTES (256 * 1024)

struct px_resolv {
    struct in_addr servers[PX_RESOLV_SERVERS_MAX]; /* IPv4, no loopback */
    size_t n_servers;
    bool loopback, ipv6;               /* there were such servers, too; desktops reach neither */
    char search[PX_RESOLV_SEARCH_MAX]; /* domains, blanks between; "" when there are none */
};

/* Takes anything; what it does not know it leaves out. */
void px_resolv_parse(const char *text, size_t size, struct px_resolv *ret);
void px_resolv_print(const struct px_resolv *resolv, struct px_buf *out);

/* The host's: @path (/etc/resolv.conf), or, where that names a stub on loopback, the servers behind
 * it in @upstream (systemd-resolved's /run/systemd/resolve/resolv.conf). -ENOENT: no usable server;
 * the message says which ones there were. */
int px_resolv_host(const char *path, const char *upstream, struct px_resolv *ret,
                   struct px_error *err);
