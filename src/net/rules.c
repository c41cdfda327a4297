/* src/net/rules.c - the firewall of the bridge, as nftables text */
#include "net/rules.h"
#include <arpa/inet.h>
#include <stdio.h>

/* FNV-1a, folded to 24 bits: two bridges of one host must differ, nothing more. */
static uint32_t hash24(const char *text) {
    uint32_t h = 2166136261U;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619U;
    return (h >> 24) ^ (h & 0xffffff);
}

void px_rules_prefix(const struct px_host_spec *host, char ret[PX_RULES_PREFIX_MAX]) {
    snprintf(ret, PX_RULES_PREFIX_MAX, "px%06x-", hash24(host->network.bridge));
}

void px_rules_table(const struct px_host_spec *host, char ret[PX_RULES_TABLE_MAX]) {
    snprintf(ret, PX_RULES_TABLE_MAX, "phoenix-%s", host->network.bridge);
}

const char *px_rules_family_name(enum px_rules_family family) {
    return family == PX_RULES_BRIDGE ? "bridge" : "netdev";
}

static void add_address(struct px_buf *out, struct in_addr a) {
    char text[INET_ADDRSTRLEN];
    px_buf_puts(out, inet_ntop(AF_INET, &a, text, sizeof(text)));
}

static void add_port_key(struct px_buf *out, const struct px_net_port *p) {
    px_buf_printf(out, "\"%s\" . %02x:%02x:%02x:%02x:%02x:%02x . ", p->ifname, p->mac[0], p->mac[1],
                  p->mac[2], p->mac[3], p->mac[4], p->mac[5]);
    add_address(out, p->address);
}

/* Who may send at all, and who may send to the outside. */
static void add_sets(struct px_buf *ports_set, struct px_buf *internet_set,
                     const struct px_net_port *ports, size_t n_ports) {
    for (size_t i = 0; i < n_ports; i++) {
        px_buf_puts(ports_set, ports_set->size ? ", " : "");
        add_port_key(ports_set, &ports[i]);
        if (!ports[i].internet)
            continue;
        px_buf_puts(internet_set, internet_set->size ? ", " : "");
        add_address(internet_set, ports[i].address);
    }
}

static void add_set(struct px_buf *out, const char *name, const char *type,
                    const struct px_buf *elements) {
    px_buf_printf(out, "set %s { type %s; ", name, type);
    if (elements->size)
        px_buf_printf(out, "elements = { %s }; ", px_buf_str(elements));
    px_buf_puts(out, "}\n");
}

static const char refuse[] = "reject with icmpx type admin-prohibited\n";

/* Ports the host file opens, on whichever of the host's addresses: a desktop is told the name of
 * the phoenix server as everybody else is, and that is often the host's outer address. */
static void add_open(struct px_buf *out, const struct px_host_spec *host, bool udp) {
    px_cleanup(px_buf_fini) struct px_buf list = {0};
    for (size_t i = 0; i < host->network.n_open; i++)
        if (host->network.open[i].udp == udp)
            px_buf_printf(&list, "%s%u", list.size ? ", " : "", host->network.open[i].port);
    if (host->server.run) { /* P: UDP and TCP; P-1: NAT test; P+1: relay */
        const unsigned port = host->server.port;
        px_buf_puts(&list, list.size ? ", " : "");
        if (udp)
            px_buf_printf(&list, "%u", port);
        else
            px_buf_printf(&list, "%u-%u", port - 1, port + 1);
    }
    if (list.size)
        px_buf_printf(out, "%s dport { %s } accept\n", udp ? "udp" : "tcp", px_buf_str(&list));
}

static void add_outward(struct px_buf *out, const struct px_rules *rules) {
    px_buf_puts(out, "chain outward {\n");
    /* A route to the neighbour through the gateway: port isolation does not see it. */
    px_buf_printf(out, "oifname \"%s\" drop\n", rules->host->network.bridge);
    px_buf_puts(out, "meta nfproto ipv6 drop\n");
    for (size_t i = 0; i < rules->n_link_dns; i++) {
        px_buf_puts(out, "ip daddr ");
        add_address(out, rules->link_dns[i]);
        px_buf_puts(out, " meta l4proto { tcp, udp } th dport 53 ip saddr @internet accept\n");
    }
    /* Metadata services of clouds hand the machine's own credentials to whoever asks. */
    px_buf_printf(out, "ip daddr 169.254.0.0/16 %s", refuse);
    px_buf_puts(out, "ip saddr @internet accept\n");
    px_buf_printf(out, "%s}\n", refuse);
}

static void add_forward(struct px_buf *out, const struct px_rules *rules) {
    const char *bridge = rules->host->network.bridge;
    add_outward(out, rules);
    px_buf_puts(out, "chain forward { type filter hook forward priority filter; policy accept;\n");
    px_buf_printf(out, "iifname \"%s\" jump outward\n", bridge);
    px_buf_printf(out, "oifname \"%s\" ct state established,related accept\n", bridge);
    px_buf_printf(out, "oifname \"%s\" drop\n}\n", bridge);
}

static void add_input(struct px_buf *out, const struct px_host_spec *host) {
    px_buf_puts(out, "chain inward {\nmeta nfproto ipv6 drop\nicmp type redirect drop\n"
                     "ct state established,related accept\nip daddr ");
    add_address(out, px_net_gateway(host));
    px_buf_puts(out, " icmp type echo-request accept\n");
    add_open(out, host, false);
    add_open(out, host, true);
    /* A broadcast is nothing to answer. */
    px_buf_printf(out, "meta pkttype host %sdrop\n}\n", refuse);
    px_buf_puts(out, "chain input { type filter hook input priority filter; policy accept;\n");
    px_buf_printf(out, "iifname \"%s\" jump inward\n}\n", host->network.bridge);
}

static void add_nat(struct px_buf *out, const struct px_host_spec *host) {
    if (!host->network.nat)
        return;
    char net[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &host->network.range, net, sizeof(net));
    px_buf_puts(out, "chain postrouting { type nat hook postrouting priority srcnat; "
                     "policy accept;\n");
    px_buf_printf(out, "ip saddr %s/%u ip daddr != %s/%u oifname != \"%s\" masquerade\n}\n", net,
                  host->network.prefix, net, host->network.prefix, host->network.bridge);
}

/* What one desktop's port may send. The type is read from the frame itself ("ether type"), so that
 * a VLAN tag does not hide what is inside; ARP must be right in both of its layers. */
static void add_from_port(struct px_buf *out) {
    px_buf_puts(out, "chain from_port {\n"
                     "ether type ip iifname . ether saddr . ip saddr @ports accept\n"
                     "ether type arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4 "
                     "arp operation { request, reply } "
                     "iifname . ether saddr . arp saddr ip @ports "
                     "iifname . arp saddr ether . arp saddr ip @ports accept\n"
                     "drop\n}\n");
}

static void add_bridge_hooks(struct px_buf *out, const struct px_host_spec *host) {
    char prefix[PX_RULES_PREFIX_MAX];
    px_rules_prefix(host, prefix);
    /* input as well: frames to 01:80:c2:00:00:0x skip prerouting, and teach the bridge addresses.
     */
    const char *const hooks[] = {"prerouting", "input"};
    for (size_t i = 0; i < PX_N_ELEMENTS(hooks); i++) {
        px_buf_printf(out, "chain %s { type filter hook %s priority filter; policy accept;\n",
                      hooks[i], hooks[i]);
        px_buf_printf(out, "iifname \"%s*\" jump from_port\n}\n", prefix);
    }
    px_buf_puts(out, "chain forward { type filter hook forward priority filter; policy accept;\n");
    px_buf_printf(out, "iifname \"%s*\" drop\noifname \"%s*\" drop\n}\n", prefix, prefix);
}

static void add_unload(struct px_buf *out, const char *family, const char *table) {
    px_buf_printf(out, "table %s %s\ndelete table %s %s\n", family, table, family, table);
}

void px_rules_hook(const struct px_host_spec *host, const char *ifname, struct px_buf *out) {
    char table[PX_RULES_TABLE_MAX];
    px_rules_table(host, table);
    /* Flushed, so that a second call does not add the rule twice. */
    px_buf_printf(out,
                  "add chain netdev %s %s { type filter hook ingress device \"%s\" "
                  "priority filter; policy drop; }\n"
                  "flush chain netdev %s %s\nadd rule netdev %s %s jump from_port\n",
                  table, ifname, ifname, table, ifname, table, ifname);
}

void px_rules_load(const struct px_rules *rules, const struct px_net_port *ports, size_t n_ports,
                   const char *const *hooked, size_t n_hooked, struct px_buf *out) {
    px_cleanup(px_buf_fini) struct px_buf ports_set = {0}, internet_set = {0};
    const char *family = px_rules_family_name(rules->family);
    char table[PX_RULES_TABLE_MAX];
    px_rules_table(rules->host, table);
    add_sets(&ports_set, &internet_set, ports, n_ports);
    px_rules_unload(rules->host, rules->family, out);

    px_buf_printf(out, "table inet %s {\n", table);
    add_set(out, "internet", "ipv4_addr", &internet_set);
    add_nat(out, rules->host);
    add_forward(out, rules);
    add_input(out, rules->host);
    px_buf_printf(out, "}\ntable %s %s {\n", family, table);
    add_set(out, "ports", "ifname . ether_addr . ipv4_addr", &ports_set);
    add_from_port(out);
    if (rules->family == PX_RULES_BRIDGE)
        add_bridge_hooks(out, rules->host);
    px_buf_puts(out, "}\n");
    if (rules->family == PX_RULES_NETDEV)
        for (size_t i = 0; i < n_hooked; i++)
            px_rules_hook(rules->host, hooked[i], out);
}

void px_rules_unload(const struct px_host_spec *host, enum px_rules_family family,
                     struct px_buf *out) {
    char table[PX_RULES_TABLE_MAX];
    px_rules_table(host, table);
    add_unload(out, "inet", table);
    add_unload(out, px_rules_family_name(family), table);
}

static void add_element(struct px_buf *out, const char *verb, const struct px_rules *rules,
                        const struct px_net_port *port) {
    char table[PX_RULES_TABLE_MAX];
    px_rules_table(rules->host, table);
    px_buf_printf(out, "%s element %s %s ports { ", verb, px_rules_family_name(rules->family),
                  table);
    add_port_key(out, port);
    px_buf_puts(out, " }\n");
}

static void add_internet(struct px_buf *out, const char *verb, const struct px_rules *rules,
                         const struct px_net_port *port) {
    char table[PX_RULES_TABLE_MAX];
    px_rules_table(rules->host, table);
    px_buf_printf(out, "%s element inet %s internet { ", verb, table);
    add_address(out, port->address);
    px_buf_puts(out, " }\n");
}

void px_rules_port_add(const struct px_rules *rules, const struct px_net_port *port,
                       struct px_buf *out) {
    add_element(out, "add", rules, port);
    if (port->internet)
        add_internet(out, "add", rules, port);
}

void px_rules_port_remove(const struct px_rules *rules, const struct px_net_port *port,
                          struct px_buf *out) {
    add_element(out, "add", rules, port);
    add_element(out, "delete", rules, port);
    add_internet(out, "add", rules, port);
    add_internet(out, "delete", rules, port);
}
