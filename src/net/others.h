/* src/net/others.h - firewalls of others that keep desktops from the outside
 *
 * In nftables a packet passes only when no table drops it: our accept does not help against the
 * forward policy "drop" that Docker, ufw or firewalld set. Their rules are theirs, so we only find
 * them and say what to run. A rule of theirs that names the bridge counts as the answer to it.
 * Pure but for px_others_scan. Source: nft(8), libnftables-json(5), iptables(8). */
#pragma once
#include "base/error.h"
#include "net/net.h"

struct px_others {
    char who[PX_NET_BLOCKED_MAX]; /* "Docker (table ip filter, chain FORWARD)"; "": nobody */
    char fix[PX_NET_FIX_MAX];     /* one command line */
};

/* @json: what `nft --json list ruleset` prints. @uplink: interface to the outside, "" when unknown.
 * @input: look at what reaches the host, too, not only at what is routed. -EINVAL: not that. */
int px_others_parse(const char *json, size_t size, const char *bridge, const char *uplink,
                    bool input, struct px_others *ret, struct px_error *err);
/* @rules: what `iptables-legacy -S FORWARD` prints. */
void px_others_parse_legacy(const char *rules, const char *bridge, const char *uplink,
                            struct px_others *ret);

int px_others_scan(const struct px_host_spec *host, const char *uplink, struct px_others *ret,
                   struct px_error *err);
