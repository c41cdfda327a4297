/* src/net/forward.h - routing between interfaces, net.ipv4.ip_forward
 *
 * Desktops need it on. Who found it off and switched it on notes that in STATE/net.json and
 * switches it off again in the end, unless others came to live on it. Source: ip-sysctl.rst of the
 * kernel. */
#pragma once
#include "net/link.h"
#include "net/net.h"

bool px_forward_is_on(void);
int px_forward_on(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err);
int px_forward_back(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err);
