/* src/net/net.c - bringing the network up and down, and desktops' ports in and out */
#include "net/net.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/step.h"
#include "net/bridge.h"
#include "net/forward.h"
#include "net/nft.h"
#include "net/note.h"
#include "net/resolv.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_UPSTREAM "/run/systemd/resolve/resolv.conf"

/* The name goes into nftables text and file names; the kernel would take nearly anything. */
static int check_name(const struct px_host_spec *host, struct px_error *err) {
    const char *name = host->network.bridge;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
            return px_fail(err, -EINVAL, "bridge name '%s' has a character outside a-z 0-9 - _ .",
                           name);
    if (!isalnum((unsigned char)*name))
        return px_fail(err, -EINVAL, "bridge name '%s' does not begin with a letter or digit",
                       name);
    return 0;
}

/* Our directories, and the lock. Returns its fd. */
static int enter(const struct px_host_spec *host, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf path = {0};
    int r = check_name(host, err);
    if (r >= 0)
        r = px_mkdir_p(AT_FDCWD, host->state_dir, 0711, err);
    if (r >= 0)
        r = px_mkdir_p(AT_FDCWD, host->run_dir, 0755, err);
    if (r < 0)
        return r;
    px_buf_printf(&path, "%s/net.lock", host->run_dir);
    return px_lock(AT_FDCWD, px_buf_str(&path), -1, err);
}

/* ---- rules ---- */

/* Servers in 169.254.0.0/16 among those that desktops are told. */
static size_t link_local_dns(const struct px_host_spec *host, struct px_resolv *servers) {
    size_t n = 0;
    if (host->network.n_dns == 0)
        px_resolv_host(RESOLV_CONF, RESOLV_UPSTREAM, servers, NULL);
    for (size_t i = 0; i < host->network.n_dns && i < PX_RESOLV_SERVERS_MAX; i++)
        servers->servers[servers->n_servers++] = host->network.dns[i];
    for (size_t i = 0; i < servers->n_servers; i++)
        if (ntohl(servers->servers[i].s_addr) >> 16 == 0xa9fe)
            servers->servers[n++] = servers->servers[i];
    return n;
}

/* Interfaces attached to the bridge; lent from @links. */
static int attached(struct nl_sock *sock, const struct px_host_spec *host, struct px_link **links,
                    const char ***ret, size_t *ret_n, struct px_error *err) {
    struct px_link bridge = {0};
    enum px_bridge_whose whose;
    size_t n = 0;
    int r = px_bridge_find(sock, host, &whose, &bridge, err);
    if (r >= 0)
        r = px_link_list(sock, links, &n, err);
    if (r < 0)
        return r;
    *ret = px_new0(const char *, n + 1);
    *ret_n = 0;
    for (size_t i = 0; i < n; i++)
        if (bridge.index && (*links)[i].master == bridge.index)
            (*ret)[(*ret_n)++] = (*links)[i].name;
    return 0;
}

static bool same_ports(const struct px_loaded *note, const struct px_net_port *ports, size_t n) {
    if (note->n_ports != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!px_loaded_has(note, &ports[i]))
            return false;
    return true;
}

static uint64_t rules_digest(const struct px_rules *rules) {
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    px_rules_load(rules, NULL, 0, NULL, 0, &text);
    return px_digest(px_buf_str(&text));
}

/* Notes what the kernel holds now, if it is what we put there: @known before, and the generation
 * grew by our own transaction only. Else the next px_net_up loads the rules anew. */
static int note_loaded(const struct px_host_spec *host, struct px_loaded *note, bool known,
                       uint32_t before, struct px_error *err) {
    uint32_t after = 0;
    int r = px_nft_generation(&after, err);
    if (r < 0)
        return r;
    note->generation = known && after == before + 1 ? after : 0;
    return px_loaded_write(host, note, err);
}

static int load_rules(struct nl_sock *sock, const struct px_rules *rules,
                      const struct px_net_port *ports, size_t n_ports, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    px_cleanup(px_loaded_fini) struct px_loaded note = {.family = rules->family,
                                                        .digest = rules_digest(rules)};
    px_cleanup_free struct px_link *links = NULL;
    px_cleanup_free const char **hooked = NULL;
    size_t n_hooked = 0;
    uint32_t before = 0;
    for (size_t i = 0; i < n_ports; i++)
        px_loaded_add(&note, &ports[i]);
    int r = attached(sock, rules->host, &links, &hooked, &n_hooked, err);
    if (r >= 0)
        r = px_nft_generation(&before, err);
    if (r < 0)
        return r;
    px_rules_load(rules, ports, n_ports, hooked, n_hooked, &text);
    r = px_nft_run(px_buf_str(&text), false, NULL, err);
    return r < 0 ? r : note_loaded(rules->host, &note, true, before, err);
}

/* PHOENIX_TEST_NET_FAMILY=netdev forces what kernels without the bridge family get. */
static bool forced_netdev(void) {
    const char *forced = getenv("PHOENIX_TEST_NET_FAMILY");
    return forced && strcmp(forced, "netdev") == 0;
}

static int fail_no_family(struct px_error *err) {
    px_fail(err, -EOPNOTSUPP,
            "this kernel has neither the bridge nor the netdev family of nftables, so that nothing "
            "would keep desktops from forging each other's addresses");
    return px_hint(err, -EOPNOTSUPP,
                   "modprobe nf_tables, or a kernel with CONFIG_NF_TABLES_BRIDGE");
}

static int apply_rules(struct nl_sock *sock, const struct px_host_spec *host,
                       const struct px_net_port *ports, size_t n_ports, struct px_error *err) {
    struct px_resolv dns = {0};
    const size_t n_link = link_local_dns(host, &dns);
    struct px_rules rules = {.host = host, .link_dns = dns.servers, .n_link_dns = n_link};
    px_cleanup(px_loaded_fini) struct px_loaded note = {0};
    uint32_t generation = 0;
    px_loaded_read(host, &note);
    int r = px_nft_generation(&generation, err);
    if (r < 0)
        return r;
    rules.family = note.family;
    if (note.generation == generation && note.digest == rules_digest(&rules) &&
        same_ports(&note, ports, n_ports))
        return 0;
    rules.family = PX_RULES_BRIDGE;
    r = forced_netdev() ? -EOPNOTSUPP : load_rules(sock, &rules, ports, n_ports, err);
    /* Another lack than that of the family is one that netdev would not cure. */
    if (r != -EOPNOTSUPP || (!forced_netdev() && px_nft_has_family("bridge")))
        return r;
    rules.family = PX_RULES_NETDEV;
    r = load_rules(sock, &rules, ports, n_ports, err);
    return r == -EOPNOTSUPP && !px_nft_has_family("netdev") ? fail_no_family(err) : r;
}

/* ---- the contract ---- */

static int remove_empty(struct nl_sock *sock, const struct px_link *bridge, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf names = {0};
    size_t n = 0;
    int r = px_bridge_ports(sock, bridge->index, &n, &names, err);
    if (r >= 0 && n > 0) {
        px_fail(err, -EBUSY, "%zu desktops are attached to bridge '%s' (%s)", n, bridge->name,
                px_buf_str(&names));
        return px_hint(err, -EBUSY, "stop them first");
    }
    return r < 0 ? r : px_link_del(sock, bridge->index, err);
}

static int remove_bridge(struct nl_sock *sock, const struct px_host_spec *host,
                         struct px_error *err) {
    enum px_bridge_whose whose;
    struct px_link link;
    int r = px_bridge_find(sock, host, &whose, &link, err);
    if (r < 0 || whose == PX_BRIDGE_ABSENT)
        return r;
    return whose == PX_BRIDGE_FOREIGN ? px_bridge_fail_foreign(&link, err)
                                      : remove_empty(sock, &link, err);
}

static int remove_rules(const struct px_host_spec *host, struct px_error *err) {
    int r = 0;
    for (int f = PX_RULES_BRIDGE; r >= 0 && f <= PX_RULES_NETDEV; f++) {
        px_cleanup(px_buf_fini) struct px_buf text = {0};
        px_rules_unload(host, (enum px_rules_family)f, &text);
        r = px_nft_run(px_buf_str(&text), false, NULL, err);
        r = r == -EOPNOTSUPP ? 0 : r; /* no such family, so nothing of it */
    }
    return r;
}

/* The bridge by the name that the host file gave it before. */
static int remove_old(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err) {
    struct px_host_spec old = *host; /* lends all but the name */
    struct px_link link;
    int r = px_bridge_find_old(sock, host, &link, err);
    if (r < 0 || link.index == 0)
        return r;
    memcpy(old.network.bridge, link.name, sizeof(old.network.bridge));
    r = remove_empty(sock, &link, err);
    if (r >= 0)
        r = remove_rules(&old, err);
    return r < 0 ? r : px_loaded_remove(&old, err);
}

int px_net_up(const struct px_host_spec *host, const struct px_net_port *ports, size_t n_ports,
              struct px_error *err) {
    px_cleanup(px_link_closep) struct nl_sock *sock = NULL;
    px_cleanup_close int lock = enter(host, err);
    int r = lock < 0 ? lock : px_link_open(&sock, err);
    if (r >= 0)
        r = remove_old(sock, host, err);
    if (r >= 0)
        r = px_bridge_check(sock, host, err);
    /* Rules first: they need no interface, and a kernel without them gets no bridge. */
    if (r >= 0)
        r = apply_rules(sock, host, ports, n_ports, err);
    if (r >= 0)
        r = px_step("net.rules", err);
    if (r >= 0)
        r = px_bridge_apply(sock, host, err);
    if (r >= 0)
        r = px_step("net.bridge", err);
    if (r >= 0)
        r = px_forward_on(sock, host, err);
    return r < 0 ? px_wrap(err, r, "network") : 0;
}

int px_net_down(const struct px_host_spec *host, struct px_error *err) {
    px_cleanup(px_link_closep) struct nl_sock *sock = NULL;
    px_cleanup_close int lock = enter(host, err);
    int r = lock < 0 ? lock : px_link_open(&sock, err);
    if (r >= 0)
        r = remove_old(sock, host, err);
    if (r >= 0)
        r = remove_bridge(sock, host, err);
    if (r >= 0)
        r = px_step("net.removed", err);
    if (r >= 0)
        r = remove_rules(host, err);
    if (r >= 0)
        r = px_loaded_remove(host, err);
    if (r >= 0)
        r = px_forward_back(sock, host, err);
    return r < 0 ? px_wrap(err, r, "network") : 0;
}

/* Changes one port in the kernel and in the note; @add false: takes it away. */
static int change_port(const struct px_host_spec *host, const struct px_net_port *port, bool add,
                       struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    px_cleanup(px_loaded_fini) struct px_loaded note = {0};
    uint32_t generation = 0;
    px_loaded_read(host, &note);
    const struct px_rules rules = {.host = host, .family = note.family};
    int r = px_nft_generation(&generation, err);
    if (r < 0)
        return r;
    const bool known = note.generation == generation;
    const struct px_net_port *old = px_loaded_find(&note, port->ifname);
    if (known && (add ? px_loaded_has(&note, port) : !old))
        return 0;
    if (old)
        px_rules_port_remove(&rules, old, &text);
    if (!add || !known)
        px_rules_port_remove(&rules, port, &text);
    if (add)
        px_rules_port_add(&rules, port, &text);
    r = px_nft_run(px_buf_str(&text), false, NULL, err);
    if (r < 0)
        return r;
    px_loaded_drop(&note, port->ifname);
    if (add)
        px_loaded_add(&note, port);
    return note_loaded(host, &note, known, generation, err);
}

int px_net_port_add(const struct px_host_spec *host, const struct px_net_port *port,
                    struct px_error *err) {
    px_cleanup_close int lock = enter(host, err);
    int r = lock < 0 ? lock : change_port(host, port, true, err);
    if (r == -ENOENT)
        px_hint(err, r, "phoenix net up");
    return r < 0 ? px_wrap(err, r, "network port '%s'", port->ifname) : 0;
}

int px_net_port_remove(const struct px_host_spec *host, const struct px_net_port *port,
                       struct px_error *err) {
    px_cleanup_close int lock = enter(host, err);
    int r = lock < 0 ? lock : change_port(host, port, false, err);
    if (r == -ENOENT) /* no table, so no port in it */
        return 0;
    return r < 0 ? px_wrap(err, r, "network port '%s'", port->ifname) : 0;
}

int px_net_port_isolate(const struct px_host_spec *host, const char *ifname, struct px_error *err) {
    px_cleanup(px_link_closep) struct nl_sock *sock = NULL;
    px_cleanup(px_loaded_fini) struct px_loaded note = {0};
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    struct px_link link;
    int r = px_link_open(&sock, err);
    if (r >= 0)
        r = px_link_get(sock, ifname, &link, err);
    if (r >= 0)
        r = px_link_set_isolated(sock, link.index, err);
    px_loaded_read(host, &note);
    if (r < 0 || note.family != PX_RULES_NETDEV)
        return r;
    px_rules_hook(host, ifname, &text);
    return px_nft_run(px_buf_str(&text), false, NULL, err);
}

int px_net_resolv_conf(const struct px_host_spec *host, char **ret, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_resolv resolv = {0};
    int r = 0;
    for (size_t i = 0; i < host->network.n_dns && i < PX_RESOLV_SERVERS_MAX; i++)
        resolv.servers[resolv.n_servers++] = host->network.dns[i];
    if (resolv.n_servers == 0)
        r = px_resolv_host(RESOLV_CONF, RESOLV_UPSTREAM, &resolv, err);
    if (r < 0)
        return r;
    px_resolv_print(&resolv, &out);
    *ret = px_buf_take(&out);
    return 0;
}
