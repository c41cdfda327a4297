/* src/net/others.c - firewalls of others that keep desktops from the outside */
#include "net/others.h"
#include "base/file.h"
#include "base/proc.h"
#include "net/nft.h"
#include <jansson.h>
#include <string.h>

struct hook { /* a base chain that may stop us; strings are lent from the JSON */
    const char *family, *table, *chain;
    bool input;
};

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_in(const json_t *item, const struct hook *h) {
    return strcmp(text_of(item, "family"), h->family) == 0 &&
           strcmp(text_of(item, "table"), h->table) == 0;
}

/* Whether any rule or set in the chain's table names the bridge. */
static bool names_bridge(const json_t *list, const struct hook *h, const char *bridge) {
    char quoted[IFNAMSIZ + 3];
    snprintf(quoted, sizeof(quoted), "\"%.*s\"", IFNAMSIZ - 1, bridge);
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        const json_t *rule = json_object_get(entry, "rule");
        const json_t *set = json_object_get(entry, "set");
        const json_t *item = rule ? rule : set;
        if (!item || !is_in(item, h))
            continue;
        px_cleanup_free char *text = json_dumps(item, JSON_COMPACT);
        if (text && strstr(text, quoted))
            return true;
    }
    return false;
}

/* A rule that refuses whatever comes to it: no match, a verdict, perhaps a counter. */
static bool refuses_all(const json_t *rule) {
    const json_t *expr = json_object_get(rule, "expr");
    bool refuses = false;
    size_t i;
    json_t *e;
    json_array_foreach(expr, i, e) {
        if (json_object_get(e, "drop") || json_object_get(e, "reject"))
            refuses = true;
        else if (!json_object_get(e, "counter") && !json_object_get(e, "log"))
            return false;
    }
    return refuses;
}

static bool ends_refusing(const json_t *list, const struct hook *h) {
    bool refuses = false;
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        const json_t *rule = json_object_get(entry, "rule");
        if (rule && is_in(rule, h) && strcmp(text_of(rule, "chain"), h->chain) == 0)
            refuses = refuses_all(rule);
    }
    return refuses;
}

static bool has_chain(const json_t *list, const struct hook *h, const char *prefix) {
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        const json_t *chain = json_object_get(entry, "chain");
        if (chain && is_in(chain, h) &&
            strncmp(text_of(chain, "name"), prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

static void out_on(char *text, size_t size, const char *option, const char *uplink) {
    text[0] = 0;
    if (uplink[0])
        snprintf(text, size, " %s %s", option, uplink);
}

static void say_docker(struct px_others *ret, const char *iptables, const char *chain,
                       const char *bridge, const char *uplink) {
    char out[32], in[32];
    out_on(out, sizeof(out), "-o", uplink);
    out_on(in, sizeof(in), "-i", uplink);
    snprintf(ret->fix, sizeof(ret->fix),
             "%s -I %s -i %s%s -j ACCEPT && %s -I %s%s -o %s -m conntrack --ctstate "
             "RELATED,ESTABLISHED -j ACCEPT",
             iptables, chain, bridge, out, iptables, chain, in, bridge);
}

static void say_ufw(struct px_others *ret, bool input, const char *bridge, const char *uplink) {
    char out[32];
    out_on(out, sizeof(out), "out on", uplink);
    if (input)
        snprintf(ret->fix, sizeof(ret->fix), "ufw allow in on %s", bridge);
    else
        snprintf(ret->fix, sizeof(ret->fix), "ufw route allow in on %s%s", bridge, out);
}

static void say_nft(struct px_others *ret, const struct hook *h, const char *bridge) {
    if (h->input)
        snprintf(ret->fix, sizeof(ret->fix), "nft insert rule %s %s %s iifname %s accept",
                 h->family, h->table, h->chain, bridge);
    else
        snprintf(ret->fix, sizeof(ret->fix),
                 "nft 'insert rule %s %s %s iifname %s accept; insert rule %s %s %s oifname %s ct "
                 "state established,related accept'",
                 h->family, h->table, h->chain, bridge, h->family, h->table, h->chain, bridge);
}

static void say(struct px_others *ret, const json_t *list, const struct hook *h, const char *bridge,
                const char *uplink) {
    const char *who = "a firewall";
    if (strcmp(h->table, "firewalld") == 0) {
        who = "firewalld";
        snprintf(ret->fix, sizeof(ret->fix),
                 "firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd "
                 "--reload",
                 bridge);
    } else if (has_chain(list, h, "ufw-")) {
        who = "ufw";
        say_ufw(ret, h->input, bridge, uplink);
    } else if (!h->input && has_chain(list, h, "DOCKER-USER")) {
        who = "Docker";
        say_docker(ret, "iptables", "DOCKER-USER", bridge, uplink);
    } else
        say_nft(ret, h, bridge);
    snprintf(ret->who, sizeof(ret->who), "%s (table %.16s %.64s, chain %.64s)", who, h->family,
             h->table, h->chain);
}

/* The hook that @chain is, if it stops what nobody has asked for. */
static bool stops(const json_t *list, const json_t *chain, const char *bridge, bool input,
                  struct hook *ret) {
    const char *hook = text_of(chain, "hook");
    *ret = (struct hook){.family = text_of(chain, "family"),
                         .table = text_of(chain, "table"),
                         .chain = text_of(chain, "name"),
                         .input = strcmp(hook, "input") == 0};
    if (strncmp(ret->table, "phoenix-", 8) == 0 ||
        (strcmp(ret->family, "ip") != 0 && strcmp(ret->family, "inet") != 0))
        return false;
    if (strcmp(hook, "forward") != 0 && !(input && ret->input))
        return false;
    if (strcmp(text_of(chain, "policy"), "drop") != 0 && !ends_refusing(list, ret))
        return false;
    return !names_bridge(list, ret, bridge);
}

int px_others_parse(const char *json, size_t size, const char *bridge, const char *uplink,
                    bool input, struct px_others *ret, struct px_error *err) {
    px_cleanup(json_decrefp) json_t *root = json_loadb(json, size, 0, NULL);
    const json_t *list = json_object_get(root, "nftables");
    *ret = (struct px_others){0};
    if (!json_is_array(list))
        return px_fail(err, -EINVAL, "not a listing of nftables rules");
    size_t i;
    json_t *entry;
    struct hook h;
    json_array_foreach(list, i, entry) {
        const json_t *chain = json_object_get(entry, "chain");
        if (!ret->who[0] && chain && stops(list, chain, bridge, input, &h))
            say(ret, list, &h, bridge, uplink);
    }
    return 0;
}

/* Whether the rule in the line [line, end) names the interface as a word. */
static bool line_names(const char *line, const char *end, const char *name) {
    const size_t n = strlen(name);
    for (const char *p = line; (p = memmem(p, (size_t)(end - p), name, n)); p++)
        if (p > line && p[-1] == ' ' && (p + n == end || p[n] == ' '))
            return true;
    return false;
}

void px_others_parse_legacy(const char *rules, const char *bridge, const char *uplink,
                            struct px_others *ret) {
    bool drops = false, docker = false;
    *ret = (struct px_others){0};
    for (const char *line = rules; *line;) {
        const char *end = line + strcspn(line, "\n");
        drops = drops || strncmp(line, "-P FORWARD DROP", 15) == 0;
        docker = docker || line_names(line, end, "DOCKER-USER");
        if (line_names(line, end, bridge))
            return;
        line = *end ? end + 1 : end;
    }
    if (!drops)
        return;
    snprintf(ret->who, sizeof(ret->who), "%s (iptables-legacy, chain FORWARD)",
             docker ? "Docker" : "a firewall");
    say_docker(ret, "iptables-legacy", docker ? "DOCKER-USER" : "FORWARD", bridge, uplink);
}

/* nftables does not see the old tables. Looking is free only where they are loaded already. */
static int scan_legacy(const char *bridge, const char *uplink, struct px_others *ret,
                       struct px_error *err) {
    px_cleanup_free char *tables = NULL, *program = px_proc_find("iptables-legacy");
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    if (!program ||
        px_file_read(AT_FDCWD, "/proc/net/ip_tables_names", 4096, &tables, NULL, NULL) < 0 ||
        !strstr(tables, "filter"))
        return 0;
    const char *const argv[] = {program, "-w", "1", "-S", NULL};
    int r = px_proc_check(&(struct px_proc_opts){.argv = argv, .out = &out}, err);
    if (r >= 0)
        px_others_parse_legacy(px_buf_str(&out), bridge, uplink, ret);
    return r;
}

int px_others_scan(const struct px_host_spec *host, const char *uplink, struct px_others *ret,
                   struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf json = {0};
    int r = px_nft_run("list ruleset", true, &json, err);
    if (r >= 0)
        r = px_others_parse(px_buf_str(&json), json.size, host->network.bridge, uplink,
                            host->network.n_open > 0 || host->server.run, ret, err);
    return r < 0 || ret->who[0] ? r : scan_legacy(host->network.bridge, uplink, ret, err);
}
