/* src/phoenix/verb_net.c - `phoenix net show|up|down` */
#include "base/alloc.h"
#include "desktop/server.h"
#include "net/net.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"
#include <arpa/inet.h>
#include <jansson.h>

static const char *bridge_text(const struct px_net_state *n) {
    return !n->bridge_exists ? "absent"
           : !n->bridge_ours ? "somebody else's"
           : n->bridge_up    ? "up"
                             : "down";
}

static void print_json(struct px_cli *cli, const struct px_host_spec *host,
                       const struct px_net_state *n, const char *range) {
    px_cli_json(cli, json_pack("{s:s, s:s, s:s, s:b, s:b, s:I, s:i, s:s, s:s, s:s, s:s}", "bridge",
                               host->network.bridge, "state", bridge_text(n), "range", range,
                               "rules", n->rules_loaded, "forwarding", n->forwarding, "desktops",
                               (json_int_t)n->n_ports, "mtu", (int)n->mtu, "uplink", n->uplink,
                               "owner", n->owner, "range_used_by", n->range_used_by, "blocked_by",
                               n->blocked_by));
}

static int show(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    struct px_net_state n = {0};
    int r = px_cli_host(cli, &host, err);
    if (r < 0 || (r = px_net_state(host, &n, err)) < 0)
        return r;
    char network[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &host->network.range, network, sizeof(network));
    inet_ntop(AF_INET, &n.gateway, gateway, sizeof(gateway));
    px_cleanup_free char *range = px_asprintf("%s/%u", network, host->network.prefix);
    if (cli->json) {
        print_json(cli, host, &n, range);
        return 0;
    }
    px_cli_fact(cli, "bridge", "%s, %s%s%s", host->network.bridge, bridge_text(&n),
                n.owner[0] ? ": " : "", n.owner);
    px_cli_fact(cli, "range", "%s%s%s", range, n.range_used_by[0] ? ", in use: " : "",
                n.range_used_by);
    if (n.bridge_ours) {
        px_cli_fact(cli, "gateway", "%s", gateway);
        px_cli_fact(cli, "MTU", "%u", n.mtu);
        px_cli_fact(cli, "desktops", "%zu attached", n.n_ports);
    }
    px_cli_fact(cli, "rules", "%s", n.rules_loaded ? "loaded" : "not loaded");
    px_cli_fact(cli, "forwarding", "%s", n.forwarding ? "on" : "off");
    px_cli_fact(cli, "uplink", "%s", n.uplink[0] ? n.uplink : "none");
    if (n.blocked_by[0])
        px_cli_fact(cli, "blocked by", "%s; mend it with: %s", n.blocked_by, n.blocked_fix);
    return 0;
}

static int up(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    int r = px_cli_fleet(cli, &fleet, err);
    return r < 0 ? r : px_fleet_net_up(fleet, err);
}

static int down(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 || (r = px_net_down(px_fleet_host(fleet), err)) < 0)
        return r;
    return px_server_down(fleet, err); /* nobody is left whom it serves */
}

static const struct px_verb verb_show = {
    .name = "show",
    .summary = "show the bridge, its range and its rules",
    .examples = {{"phoenix net show", "What there is, and what is in the way."}},
    .needs_root = true,
    .run = show,
};
static const struct px_verb verb_up = {
    .name = "up",
    .summary = "make bridge and rules right",
    .description =
        "'phoenix up' and 'phoenix start' do this by themselves; it is for when somebody "
        "flushed the rules. Desktops keep running.",
    .examples = {{"phoenix net up", "Puts bridge and rules back."}},
    .needs_root = true,
    .run = up,
};
static const struct px_verb verb_down = {
    .name = "down",
    .summary = "take bridge and rules away",
    .description = "Leaves the host as it was. Refused while desktops are attached.",
    .examples = {{"phoenix net down", "After the last desktop is stopped."}},
    .needs_root = true,
    .run = down,
};

const struct px_verb px_verb_net = {
    .name = "net",
    .summary = "the bridge that desktops are on",
    .subs = (const struct px_verb *const[]){&verb_show, &verb_up, &verb_down, NULL},
};
