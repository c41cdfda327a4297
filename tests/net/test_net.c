/* tests/net/test_net.c - the network as desktops meet it, in namespaces of its own
 *
 * Every wall is tried twice: with our rules, and with the one rule taken away that is meant to
 * hold, so that a test whose packets would never have come through anyway fails. Runs three times:
 * as it is; with bridged packets handed to iptables (Docker sets that); with the filter for kernels
 * that have no bridge family. */
#include "world.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct mode {
    const char *name;
    bool nf_call, netdev;
};

static const struct mode modes[] = {
    {"plain", false, false}, {"nf-call", true, false}, {"netdev", false, true}};

static struct world world; /* one at a time: cmocka's state holds the mode */

static int setup(void **state) {
    const struct mode *m = *state;
    if (m->netdev)
        setenv("PHOENIX_TEST_NET_FAMILY", "netdev", 1);
    else
        unsetenv("PHOENIX_TEST_NET_FAMILY");
    if (world_open(&world) < 0)
        return -1;
    sh(&world, world.host,
       "for f in /proc/sys/net/bridge/bridge-nf-call-*tables; do [ ! -e $f ] || echo %d > $f; done",
       m->nf_call);
    return 0;
}

static int teardown(void **state) {
    world_close(&world);
    return 0;
}

static const char *filter_table(void **state) {
    const struct mode *m = *state;
    return m->netdev ? "netdev phoenix-pxt0" : "bridge phoenix-pxt0";
}

/* The rules about frames are gone, all else stays. */
static void without_filter(void **state) {
    sh(&world, world.host, "nft delete table %s", filter_table(state));
}

static void set_isolation(const char *word) {
    for (unsigned i = 0; i < N_DESKS; i++)
        sh(&world, world.host, "bridge link set dev %s isolated %s", world.port[i].ifname, word);
}

static void up_again(void) {
    struct px_error err = {0};
    px_assert_ok_err(px_net_up(&world.spec, world.port, N_DESKS, &err), &err);
}

static struct px_net_state state_now(void) {
    struct px_net_state s = {0};
    struct px_error err = {0};
    px_assert_ok_err(px_net_state(&world.spec, &s, &err), &err);
    return s;
}

/* ---- up and down ---- */

static void up_makes_the_bridge_and_down_leaves_nothing(void **state) {
    px_cleanup_free char *before = world_dump(&world);
    struct px_error err = {0};
    up_again();
    struct px_net_state s = state_now();
    char gateway[INET_ADDRSTRLEN];
    assert_true(s.bridge_exists && s.bridge_ours && s.bridge_up && s.rules_loaded && s.forwarding);
    assert_string_equal(inet_ntop(AF_INET, &s.gateway, gateway, sizeof(gateway)), GATEWAY);
    assert_int_equal(s.mtu, MTU); /* of the way out, not 1500 */
    assert_string_equal(s.uplink, "up0");
    assert_string_equal(s.blocked_by, "");
    px_cleanup_free char *during = world_dump(&world);
    assert_string_not_equal(during, before);
    px_assert_contains(during, "ipv4/ip_forward:1");
    px_assert_ok_err(px_net_down(&world.spec, &err), &err);
    px_cleanup_free char *after = world_dump(&world);
    assert_same_text(after, before);
    s = state_now();
    assert_false(s.bridge_exists || s.rules_loaded || s.forwarding);
    px_assert_ok_err(px_net_down(&world.spec, &err), &err); /* nothing to do is good */
}

/* Docker, ufw, another phoenix: whoever changes rules of his own takes nothing from ours. */
static void rules_of_others_do_not_hide_ours(void **state) {
    up_again();
    sh(&world, world.host, "nft add table inet others");
    assert_true(state_now().rules_loaded);
    sh(&world, world.host, "nft delete table inet others");
    assert_true(state_now().rules_loaded);
    px_assert_ok(px_net_down(&world.spec, NULL));
}

static void up_twice_changes_nothing(void **state) {
    up_again();
    px_cleanup_free char *first = world_dump(&world);
    const int64_t start = px_now_us();
    up_again();
    printf("# up again took %lld us\n", (long long)(px_now_us() - start));
    px_cleanup_free char *second = world_dump(&world);
    assert_same_text(first, second); /* rule handles, too */
}

static void up_repairs_what_others_broke(void **state) {
    up_again();
    px_cleanup_free char *good = out_of(&world, "nft list ruleset; ip -o addr show pxt0");
    sh(&world, world.host,
       "nft flush chain inet phoenix-pxt0 outward; nft delete table %s; "
       "ip addr flush dev pxt0; ip link set pxt0 down",
       filter_table(state));
    up_again();
    px_cleanup_free char *again = out_of(&world, "nft list ruleset; ip -o addr show pxt0");
    assert_same_text(good, again);
}

static void down_refuses_while_desktops_are_attached(void **state) {
    struct px_error err = {0};
    world_up(&world, true);
    px_cleanup_free char *before = out_of(&world, "nft -a list ruleset");
    assert_int_equal(px_net_down(&world.spec, &err), -EBUSY);
    px_assert_contains(err.msg, world.port[0].ifname);
    px_cleanup_free char *after = out_of(&world, "nft -a list ruleset");
    assert_same_text(before, after);
    for (unsigned i = 0; i < N_DESKS; i++)
        world_unwire(&world, i);
    px_assert_ok_err(px_net_down(&world.spec, &err), &err);
}

static void forwarding_that_was_on_stays_on(void **state) {
    sh(&world, world.host, "echo 1 > /proc/sys/net/ipv4/ip_forward");
    up_again();
    px_assert_ok(px_net_down(&world.spec, NULL));
    assert_true(state_now().forwarding);
    sh(&world, world.host, "echo 0 > /proc/sys/net/ipv4/ip_forward");
    up_again();
    sh(&world, world.host, "ip link add docker0 type bridge && ip link set docker0 up");
    px_assert_ok(px_net_down(&world.spec, NULL)); /* Docker came to rely on it */
    assert_true(state_now().forwarding);
}

static void a_hardened_host_is_hardened_again_afterwards(void **state) {
    /* The kernel resets these whenever ip_forward is written. */
    sh(&world, world.host,
       "cd /proc/sys/net/ipv4/conf && echo 0 > all/accept_redirects && "
       "echo 1 > up0/forwarding && echo 1 > default/forwarding");
    px_cleanup_free char *before = world_dump(&world);
    up_again();
    assert_true(state_now().forwarding);
    px_assert_ok(px_net_down(&world.spec, NULL));
    px_cleanup_free char *after = world_dump(&world);
    assert_same_text(after, before);
}

static void a_bridge_that_is_called_otherwise_now_is_moved(void **state) {
    struct px_error err = {0};
    px_cleanup_free char *before = world_dump(&world);
    world_up(&world, true);
    strcpy(world.spec.network.bridge, "pxt1");
    assert_int_equal(px_net_up(&world.spec, NULL, 0, &err), -EBUSY);
    px_assert_contains(err.msg, "'pxt0'");
    for (unsigned i = 0; i < N_DESKS; i++)
        world_unwire(&world, i);
    px_assert_ok_err(px_net_up(&world.spec, NULL, 0, &err), &err);
    px_cleanup_free char *during = out_of(&world, "ip -o link; nft list ruleset");
    px_assert_contains(during, "pxt1");
    assert_null(strstr(during, "pxt0"));
    px_assert_ok_err(px_net_down(&world.spec, &err), &err);
    px_cleanup_free char *after = world_dump(&world);
    assert_same_text(after, before);
}

static void somebody_elses_bridge_is_left_alone(void **state) {
    struct px_error err = {0};
    sh(&world, world.host, "ip link add pxt0 type bridge && ip addr add 172.20.0.1/24 dev pxt0");
    px_cleanup_free char *before = world_dump(&world);
    assert_int_equal(px_net_up(&world.spec, world.port, N_DESKS, &err), -EEXIST);
    px_assert_contains(err.msg, "'pxt0' exists and is not phoenix's (bridge)");
    px_assert_contains(err.hint, "network.bridge");
    assert_int_equal(px_net_down(&world.spec, &err), -EEXIST);
    px_assert_contains(state_now().owner, "not phoenix's");
    sh(&world, world.host, "ip link set pxt0 alias phoenix:/srv/other");
    assert_int_equal(px_net_up(&world.spec, world.port, N_DESKS, &err), -EEXIST);
    px_assert_contains(err.msg, "belongs to the phoenix in /srv/other");
    sh(&world, world.host, "ip link set pxt0 alias ''");
    px_cleanup_free char *after = world_dump(&world);
    assert_same_text(before, after);
}

static void a_range_in_use_is_refused_by_name(void **state) {
    static const struct {
        const char *make, *undo, *says;
    } cases[] = {
        {"ip addr add 10.88.3.4/24 dev up0", "ip addr del 10.88.3.4/24 dev up0",
         "address 10.88.3.4/24 on 'up0'"},
        {"ip route add 10.88.128.0/17 via " OUTSIDE, "ip route del 10.88.128.0/17",
         "route 10.88.128.0/17 on 'up0'"},
        {"ip route add 10.0.0.0/8 dev up0", "ip route del 10.0.0.0/8", "route 10.0.0.0/8 on 'up0'"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_error err = {0};
        sh(&world, world.host, "%s", cases[i].make);
        px_cleanup_free char *before = world_dump(&world);
        assert_int_equal(px_net_up(&world.spec, world.port, N_DESKS, &err), -EADDRINUSE);
        px_assert_contains(err.msg, cases[i].says);
        px_assert_contains(state_now().range_used_by, cases[i].says);
        px_cleanup_free char *after = world_dump(&world);
        assert_same_text(before, after);
        sh(&world, world.host, "%s", cases[i].undo);
    }
    /* A VPN that takes everything in two halves is no claim on our range. */
    sh(&world, world.host, "ip route add 0.0.0.0/1 via " OUTSIDE);
    up_again();
}

static void a_new_range_waits_for_desktops_of_the_old(void **state) {
    struct px_error err = {0};
    world_up(&world, true);
    inet_pton(AF_INET, "10.99.0.0", &world.spec.network.range);
    assert_int_equal(px_net_up(&world.spec, NULL, 0, &err), -EBUSY);
    px_assert_contains(err.msg, "network.range");
    for (unsigned i = 0; i < N_DESKS; i++)
        world_unwire(&world, i);
    px_assert_ok_err(px_net_up(&world.spec, NULL, 0, &err), &err);
    px_cleanup_free char *addr = out_of(&world, "ip -o addr show pxt0");
    px_assert_contains(addr, "10.99.0.1/16");
    assert_null(strstr(addr, "10.88."));
}

static void killed_anywhere_the_next_call_finishes(void **state) {
    static const char *const steps[] = {"net.rules", "net.made", "net.bridge", "net.noted"};
    px_cleanup_free char *before = world_dump(&world);
    for (size_t i = 0; i < PX_N_ELEMENTS(steps); i++) {
        int status = 0;
        const pid_t pid = fork();
        if (pid == 0) {
            char step[64];
            snprintf(step, sizeof(step), "%s=KILL", steps[i]);
            setenv("PHOENIX_TEST_STEP", step, 1);
            px_net_up(&world.spec, world.port, N_DESKS, NULL);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status)); /* else the step is none any more */
        up_again();
        const struct px_net_state s = state_now();
        assert_true(s.bridge_ours && s.bridge_up && s.rules_loaded && s.forwarding);
        px_assert_ok(px_net_down(&world.spec, NULL));
        px_cleanup_free char *after = world_dump(&world);
        assert_same_text(after, before);
    }
}

/* ---- outside ---- */

static void desktops_reach_the_outside_behind_the_hosts_address(void **state) {
    char peer[INET_ADDRSTRLEN] = "";
    world_up(&world, true);
    assert_int_equal(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, peer), 0);
    assert_string_equal(peer, UPLINK);
    /* Without the translation the outside knows no way back. */
    sh(&world, world.host, "nft flush chain inet phoenix-pxt0 postrouting");
    assert_int_equal(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, peer), -ETIMEDOUT);
    up_again();
    assert_int_equal(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, peer), 0);
    world.spec.network.nat = false;
    up_again();
    sh(&world, world.outside, "ip route add 10.88.0.0/16 via " UPLINK);
    assert_int_equal(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, peer), 0);
    assert_string_equal(peer, "10.88.0.2");
}

static void a_desktop_without_internet_has_none(void **state) {
    world_up(&world, true);
    world.port[0].internet = false;
    struct px_error err = {0};
    px_assert_ok_err(px_net_port_add(&world.spec, &world.port[0], &err), &err);
    assert_int_equal(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, NULL), -EHOSTUNREACH);
    assert_int_equal(reach(&world, world.desk[1], world.outside, OUTSIDE, 80, NULL), 0);
    world.port[0].internet = true;
    px_assert_ok_err(px_net_port_add(&world.spec, &world.port[0], &err), &err);
    assert_int_equal(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, NULL), 0);
    /* A connection that stood ends, too, when the internet is taken away. */
    px_cleanup_close int listener = listen_at(&world, world.outside, "0.0.0.0", 81);
    world.port[0].internet = false;
    px_assert_ok_err(px_net_port_add(&world.spec, &world.port[0], &err), &err);
    assert_true(talk_to(&world, world.desk[0], OUTSIDE, 81, listener, NULL) < 0);
}

static void the_outside_does_not_reach_in(void **state) {
    world_up(&world, true);
    sh(&world, world.outside, "ip route add 10.88.0.0/16 via " UPLINK);
    assert_int_equal(reach(&world, world.outside, world.desk[0], "10.88.0.2", 8888, NULL),
                     -ETIMEDOUT);
    sh(&world, world.host, "nft delete table inet phoenix-pxt0");
    assert_int_equal(reach(&world, world.outside, world.desk[0], "10.88.0.2", 8888, NULL), 0);
}

static void metadata_of_clouds_is_shut_but_for_a_name_server_there(void **state) {
    world_up(&world, true);
    sh(&world, world.host, "ip route add " METADATA " dev up0");
    assert_int_equal(reach(&world, world.desk[0], world.outside, METADATA, 80, NULL),
                     -EHOSTUNREACH);
    assert_int_equal(reach(&world, world.desk[0], world.outside, METADATA, 53, NULL),
                     -EHOSTUNREACH);
    inet_pton(AF_INET, METADATA, &world.dns[0]);
    up_again();
    assert_int_equal(reach(&world, world.desk[0], world.outside, METADATA, 80, NULL),
                     -EHOSTUNREACH);
    assert_int_equal(reach(&world, world.desk[0], world.outside, METADATA, 53, NULL), 0);
    sh(&world, world.host, "nft flush chain inet phoenix-pxt0 outward");
    assert_int_equal(reach(&world, world.desk[0], world.outside, METADATA, 80, NULL), 0);
}

/* ---- the host ---- */

static void the_host_is_shut_but_for_what_the_file_opens(void **state) {
    world.open[world.spec.network.n_open++] = (struct px_host_port){.port = 21116};
    world_up(&world, true);
    static const char *const addresses[] = {GATEWAY, UPLINK};
    for (size_t i = 0; i < PX_N_ELEMENTS(addresses); i++) {
        assert_int_equal(reach(&world, world.desk[0], world.host, addresses[i], 21116, NULL), 0);
        assert_int_equal(reach(&world, world.desk[0], world.host, addresses[i], 22, NULL),
                         -EHOSTUNREACH);
    }
    assert_true(pings(&world, world.desk[0], GATEWAY));
    assert_false(pings(&world, world.desk[0], UPLINK));
    sh(&world, world.host, "nft flush chain inet phoenix-pxt0 inward");
    assert_int_equal(reach(&world, world.desk[0], world.host, UPLINK, 22, NULL), 0);
    assert_true(pings(&world, world.desk[0], UPLINK));
}

static void the_host_reaches_desktops(void **state) {
    char peer[INET_ADDRSTRLEN] = "";
    world_up(&world, true);
    assert_int_equal(reach(&world, world.host, world.desk[1], "10.88.0.3", 8888, peer), 0);
    assert_string_equal(peer, GATEWAY);
}

/* ---- neighbours ---- */

static struct frame to_neighbour(void) {
    return frame_udp(&(struct udp_opts){.from_mac = world.port[0].mac,
                                        .to_mac = world.port[1].mac,
                                        .from = "10.88.0.2",
                                        .to = "10.88.0.3"});
}

static void neighbours_are_out_of_reach_on_the_bridge(void **state) {
    const struct mode *m = *state;
    world_up(&world, true);
    const struct frame f = to_neighbour();
    const struct frame request = frame_arp(&(struct arp_opts){.frame_mac = world.port[0].mac,
                                                              .sender_mac = world.port[0].mac,
                                                              .sender = "10.88.0.2",
                                                              .target = "10.88.0.3",
                                                              .operation = 1});
    assert_false(arrives(&world, 0, &f, world.desk[1], "eth0"));
    assert_false(arrives(&world, 0, &request, world.desk[1], "eth0"));
    /* Each of the two walls holds alone (the netdev filter knows its own desktop only). */
    set_isolation("off");
    if (!m->netdev)
        assert_false(arrives(&world, 0, &f, world.desk[1], "eth0"));
    if (!m->netdev)
        assert_false(arrives(&world, 0, &request, world.desk[1], "eth0"));
    without_filter(state);
    if (!m->nf_call) /* there the forward chain of "inet" sees bridged packets as well */
        assert_true(arrives(&world, 0, &f, world.desk[1], "eth0"));
    assert_true(arrives(&world, 0, &request, world.desk[1], "eth0"));
    set_isolation("on");
    assert_false(arrives(&world, 0, &f, world.desk[1], "eth0"));
    assert_false(arrives(&world, 0, &request, world.desk[1], "eth0"));
}

static void neighbours_are_out_of_reach_by_way_of_the_gateway(void **state) {
    world_up(&world, true);
    for (unsigned i = 0; i < 2; i++)
        sh(&world, world.desk[i], "ip route add 10.88.0.%u via " GATEWAY, 3 - i);
    assert_int_equal(reach(&world, world.desk[0], world.desk[1], "10.88.0.3", 8888, NULL),
                     -ETIMEDOUT);
    sh(&world, world.host, "nft flush chain inet phoenix-pxt0 forward");
    assert_int_equal(reach(&world, world.desk[0], world.desk[1], "10.88.0.3", 8888, NULL), 0);
}

static void broadcasts_stay_between_a_desktop_and_the_host(void **state) {
    world_up(&world, true);
    const struct frame offer = frame_udp(&(struct udp_opts){.from_mac = world.port[0].mac,
                                                            .to_mac = mac_broadcast,
                                                            .from = "10.88.0.2",
                                                            .to = "255.255.255.255",
                                                            .from_port = 67,
                                                            .to_port = 68});
    const struct frame router = frame_router_advert(world.port[0].mac);
    assert_false(arrives(&world, 0, &offer, world.desk[1], "eth0"));
    assert_false(arrives(&world, 0, &router, world.desk[1], "eth0"));
    assert_false(arrives(&world, 0, &router, world.host, "pxt0"));
    without_filter(state);
    assert_true(arrives(&world, 0, &router, world.host, "pxt0"));
    set_isolation("off");
    sh(&world, world.host, "nft delete table inet phoenix-pxt0");
    assert_true(arrives(&world, 0, &offer, world.desk[1], "eth0"));
    assert_true(arrives(&world, 0, &router, world.desk[1], "eth0"));
}

/* ---- forgery ---- */

struct forgery {
    const char *what;
    struct frame frame;
};

static const uint8_t stranger[6] = {0x02, 0x66, 0x66, 0x66, 0x66, 0x66};

static struct frame to_host(const uint8_t *from_mac, const char *from, bool vlan) {
    struct px_net_port gateway;
    px_net_port_name(&world.spec, "", px_net_gateway(&world.spec), &gateway); /* the bridge's MAC */
    return frame_udp(&(struct udp_opts){
        .from_mac = from_mac, .to_mac = gateway.mac, .from = from, .to = GATEWAY, .vlan = vlan});
}

static struct frame arp(const uint8_t *frame_mac, const uint8_t *sender_mac, const char *sender,
                        uint16_t operation) {
    return frame_arp(&(struct arp_opts){.frame_mac = frame_mac,
                                        .sender_mac = sender_mac,
                                        .sender = sender,
                                        .target = GATEWAY,
                                        .operation = operation});
}

static void only_a_desktops_own_addresses_leave_it(void **state) {
    world_up(&world, true);
    const uint8_t *mine = world.port[0].mac, *others = world.port[1].mac;
    static const uint8_t lldp[6] = {0x01, 0x80, 0xc2, 0, 0, 0x0e};
    struct frame short_arp = arp(mine, mine, "10.88.0.2", 1);
    short_arp.data[18] = 5; /* claims addresses of another length */
    const struct forgery forged[] = {
        {"a stranger's MAC", to_host(stranger, "10.88.0.2", false)},
        {"the neighbour's MAC", to_host(others, "10.88.0.2", false)},
        {"a free address of the range", to_host(mine, "10.88.0.99", false)},
        {"the neighbour's address", to_host(mine, "10.88.0.3", false)},
        {"both of the neighbour's", to_host(others, "10.88.0.3", false)},
        {"the gateway's address", to_host(mine, GATEWAY, false)},
        {"an address outside", to_host(mine, "203.0.113.7", false)},
        {"no address, as DHCP does", to_host(mine, "0.0.0.0", false)},
        {"its own address in a VLAN", to_host(mine, "10.88.0.2", true)},
        {"ARP for the neighbour", arp(mine, mine, "10.88.0.3", 2)},
        {"ARP for the gateway", arp(mine, mine, GATEWAY, 2)},
        {"ARP with another MAC inside", arp(mine, others, "10.88.0.2", 2)},
        {"ARP with another MAC outside", arp(stranger, mine, "10.88.0.2", 2)},
        {"ARP of another length", short_arp},
        {"reverse ARP", arp(mine, mine, "10.88.0.2", 3)},
        {"IPv6", frame_router_advert(mine)},
        {"an unknown ethertype", frame_other(mine, mac_broadcast, 0x88b5)},
        {"LLC", frame_other(mine, mac_broadcast, 0x0040)},
        {"LLDP, which bridges keep for themselves", frame_other(others, lldp, 0x88cc)},
    };
    const struct frame honest = to_host(mine, "10.88.0.2", false);
    const struct frame honest_arp = arp(mine, mine, "10.88.0.2", 1);
    assert_true(arrives(&world, 0, &honest, world.host, "pxt0"));
    assert_true(arrives(&world, 0, &honest_arp, world.host, "pxt0"));
    for (size_t i = 0; i < PX_N_ELEMENTS(forged); i++)
        if (arrives(&world, 0, &forged[i].frame, world.host, "pxt0"))
            fail_msg("%s came through", forged[i].what);
    without_filter(state);
    for (size_t i = 0; i < PX_N_ELEMENTS(forged); i++)
        if (!arrives(&world, 0, &forged[i].frame, world.host,
                     i + 1 < PX_N_ELEMENTS(forged) ? "pxt0" : world.port[0].ifname))
            fail_msg("%s does not come through without the rules either", forged[i].what);
}

/* Who can teach the bridge a neighbour's MAC gets the neighbour's packets. */
static void the_bridge_learns_nothing_from_forged_frames(void **state) {
    static const uint8_t lldp[6] = {0x01, 0x80, 0xc2, 0, 0, 0x0e};
    world_up(&world, true);
    const char *query = "bridge fdb show br pxt0 dynamic | grep -i 02:66:66:66:66:66 || true";
    const struct frame frames[] = {to_host(stranger, "10.88.0.2", false),
                                   frame_other(stranger, lldp, 0x88cc)};
    for (size_t i = 0; i < PX_N_ELEMENTS(frames); i++) {
        arrives(&world, 0, &frames[i], world.host, "pxt0");
        px_cleanup_free char *fdb = out_of(&world, query);
        assert_string_equal(fdb, "");
    }
    without_filter(state);
    sh(&world, world.host, "ip link set pxt0 type bridge no_linklocal_learn 0");
    for (size_t i = 0; i < PX_N_ELEMENTS(frames); i++) {
        sh(&world, world.host, "bridge fdb del 02:66:66:66:66:66 dev %s master 2>/dev/null || true",
           world.port[0].ifname);
        arrives(&world, 0, &frames[i], world.host, "pxt0");
        px_cleanup_free char *fdb = out_of(&world, query);
        px_assert_contains(fdb, world.port[0].ifname);
    }
}

static void a_port_nobody_announced_is_mute(void **state) {
    const struct mode *m = *state;
    struct px_error err = {0};
    px_assert_ok_err(px_net_up(&world.spec, NULL, 0, &err), &err);
    world_wire(&world, 0);
    const struct frame f = to_host(world.port[0].mac, "10.88.0.2", false);
    if (m->netdev) /* there a port is open until px_net_port_isolate: say so when that changes */
        px_assert_ok_err(px_net_port_isolate(&world.spec, world.port[0].ifname, &err), &err);
    assert_false(arrives(&world, 0, &f, world.host, "pxt0"));
    px_assert_ok_err(px_net_port_add(&world.spec, &world.port[0], &err), &err);
    assert_true(arrives(&world, 0, &f, world.host, "pxt0"));
    px_assert_ok_err(px_net_port_add(&world.spec, &world.port[0], &err), &err);
    assert_int_equal(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, NULL), 0);
    px_assert_ok_err(px_net_port_remove(&world.spec, &world.port[0], &err), &err);
    assert_false(arrives(&world, 0, &f, world.host, "pxt0"));
    px_assert_ok_err(px_net_port_remove(&world.spec, &world.port[0], &err), &err);
}

static void port_calls_say_what_is_missing(void **state) {
    struct px_error err = {0};
    assert_int_equal(px_net_port_add(&world.spec, &world.port[0], &err), -ENOENT);
    px_assert_contains(err.hint, "phoenix net up");
    assert_int_equal(px_net_port_isolate(&world.spec, world.port[0].ifname, &err), -ENODEV);
    px_assert_contains(err.msg, world.port[0].ifname);
    px_assert_ok(px_net_port_remove(&world.spec, &world.port[0], &err));
}

static void ports_cost_little(void **state) {
    enum { N = 50 };
    struct px_net_port many[N];
    struct px_error err = {0};
    int64_t at[4];
    up_again();
    for (unsigned i = 0; i < N; i++)
        px_net_port_name(&world.spec, "pxt",
                         (struct in_addr){htonl(ntohl(world.port[2].address.s_addr) + 1 + i)},
                         &many[i]);
    at[0] = px_now_us();
    for (unsigned i = 0; i < N; i++)
        px_assert_ok_err(px_net_port_add(&world.spec, &many[i], &err), &err);
    at[1] = px_now_us();
    for (unsigned i = 0; i < N; i++)
        px_assert_ok_err(px_net_port_remove(&world.spec, &many[i], &err), &err);
    at[2] = px_now_us();
    up_again();
    at[3] = px_now_us();
    printf("# port_add %lld us, port_remove %lld us, up without work %lld us\n",
           (long long)(at[1] - at[0]) / N, (long long)(at[2] - at[1]) / N,
           (long long)(at[3] - at[2]));
}

/* ---- other firewalls ---- */

static void a_firewall_that_drops_desktops_is_told_with_its_cure(void **state) {
    static const struct {
        const char *make, *who, *cure;
    } cases[] = {
        {"table ip filter { chain DOCKER-USER { }; chain FORWARD { type filter hook forward "
         "priority "
         "filter; policy drop; jump DOCKER-USER; }; }",
         "Docker (table ip filter, chain FORWARD)",
         "iptables -I DOCKER-USER -i pxt0 -o up0 -j ACCEPT && iptables -I DOCKER-USER -i up0 -o "
         "pxt0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"},
        {"table ip filter { chain ufw-user-forward { }; chain FORWARD { type filter hook forward "
         "priority filter; policy drop; jump ufw-user-forward; }; }",
         "ufw (table ip filter, chain FORWARD)", "ufw route allow in on pxt0 out on up0"},
        {"table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; "
         "policy accept; ct state established accept; reject with icmpx admin-prohibited; }; }",
         "firewalld (table inet firewalld, chain filter_FORWARD)",
         "firewall-cmd --permanent --zone=trusted --add-interface=pxt0 && firewall-cmd --reload"},
        {"table inet mine { chain last { type filter hook forward priority 5; policy drop; }; }",
         "a firewall (table inet mine, chain last)", NULL},
    };
    world_up(&world, true);
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        sh(&world, world.host, "nft '%s'", cases[i].make);
        assert_true(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, NULL) < 0);
        const struct px_net_state s = state_now();
        assert_string_equal(s.blocked_by, cases[i].who);
        if (cases[i].cure)
            assert_string_equal(s.blocked_fix, cases[i].cure);
        else /* the one whose tool is here */
            sh(&world, world.host, "%s", s.blocked_fix);
        if (!cases[i].cure) {
            assert_int_equal(reach(&world, world.desk[0], world.outside, OUTSIDE, 80, NULL), 0);
            assert_string_equal(state_now().blocked_by, "");
        }
        sh(&world, world.host,
           "nft delete table ip filter 2>/dev/null || nft delete table inet "
           "firewalld 2>/dev/null || nft delete table inet mine");
        assert_string_equal(state_now().blocked_by, "");
    }
    sh(&world, world.host,
       "nft 'table ip filter { chain FORWARD { type filter hook forward priority "
       "filter; policy accept; }; chain INPUT { type filter hook input priority "
       "filter; policy drop; }; }'");
    assert_string_equal(state_now().blocked_by, ""); /* nothing of ours is meant to come in */
    world.open[world.spec.network.n_open++] = (struct px_host_port){.port = 21116};
    px_assert_contains(state_now().blocked_by, "chain INPUT");
}

/* ---- */

typedef void test_func(void **state);
static const struct {
    const char *name;
    test_func *run;
    bool once; /* frames make no difference to it */
} promises[] = {
#define PROMISE(f)                                                                                 \
    { #f, f, false }
#define ONCE(f)                                                                                    \
    { #f, f, true }
    PROMISE(up_makes_the_bridge_and_down_leaves_nothing),
    PROMISE(rules_of_others_do_not_hide_ours),
    PROMISE(up_twice_changes_nothing),
    PROMISE(up_repairs_what_others_broke),
    PROMISE(down_refuses_while_desktops_are_attached),
    ONCE(forwarding_that_was_on_stays_on),
    ONCE(a_hardened_host_is_hardened_again_afterwards),
    ONCE(a_bridge_that_is_called_otherwise_now_is_moved),
    ONCE(somebody_elses_bridge_is_left_alone),
    ONCE(a_range_in_use_is_refused_by_name),
    ONCE(a_new_range_waits_for_desktops_of_the_old),
    PROMISE(killed_anywhere_the_next_call_finishes),
    PROMISE(desktops_reach_the_outside_behind_the_hosts_address),
    PROMISE(a_desktop_without_internet_has_none),
    ONCE(the_outside_does_not_reach_in),
    ONCE(metadata_of_clouds_is_shut_but_for_a_name_server_there),
    PROMISE(the_host_is_shut_but_for_what_the_file_opens),
    PROMISE(the_host_reaches_desktops),
    PROMISE(neighbours_are_out_of_reach_on_the_bridge),
    PROMISE(neighbours_are_out_of_reach_by_way_of_the_gateway),
    PROMISE(broadcasts_stay_between_a_desktop_and_the_host),
    PROMISE(only_a_desktops_own_addresses_leave_it),
    PROMISE(the_bridge_learns_nothing_from_forged_frames),
    PROMISE(a_port_nobody_announced_is_mute),
    ONCE(port_calls_say_what_is_missing),
    ONCE(ports_cost_little),
    ONCE(a_firewall_that_drops_desktops_is_told_with_its_cure),
};

static int can_run(void) {
    struct world w;
    const int r = world_open(&w);
    world_close(&w);
    return r;
}

int main(int argc, char **argv) {
    static struct CMUnitTest tests[PX_N_ELEMENTS(promises) * PX_N_ELEMENTS(modes)];
    static char names[PX_N_ELEMENTS(tests)][128];
    size_t n = 0;
    if (geteuid() != 0 || can_run() < 0) {
        printf("1..0 # SKIP %s\n", geteuid() ? "needs root" : "host: no network namespaces");
        return 0;
    }
    for (size_t m = 0; m < PX_N_ELEMENTS(modes); m++)
        for (size_t i = 0; i < PX_N_ELEMENTS(promises); i++) {
            if (m > 0 && promises[i].once)
                continue;
            snprintf(names[n], sizeof(names[n]), "%s: %s", modes[m].name, promises[i].name);
            tests[n] = (struct CMUnitTest){.name = names[n],
                                           .test_func = promises[i].run,
                                           .setup_func = setup,
                                           .teardown_func = teardown,
                                           .initial_state = (void *)(uintptr_t)&modes[m]};
            n++;
        }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return _cmocka_run_group_tests("net", tests, n, NULL, NULL);
}
