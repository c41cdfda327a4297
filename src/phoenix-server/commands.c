/* src/phoenix-server/commands.c - what `phoenix-server ctl` can ask for
 *
 * One table of commands serves the dispatch, the help and the man page. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "phoenix-server/admin.h"
#include "phoenix-server/server.h"
#include <ctype.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define LIST_DEFAULT 1000
#define LIMIT_MAX 1000000u

static const char *arg(const struct admin_call *c, size_t i) {
    return json_string_value(json_array_get(c->args, i));
}

static json_t *addr_json(const struct px_addr *a) {
    char text[PX_ADDR_TEXT_MAX];
    return json_string(px_addr_text(a, text));
}

static int need_id(const struct admin_call *c, struct px_error *err) {
    return c->server->id ? 0 : px_fail(err, -ENODEV, "the ID server is off here");
}

static int need_relay(const struct admin_call *c, struct px_error *err) {
    return c->server->relay ? 0 : px_fail(err, -ENODEV, "the relay is off here");
}

static int on_status(struct admin_call *c, struct px_error *err) {
    struct server *s = c->server;
    c->result = json_pack("{s:s, s:I, s:I}", "version", PX_VERSION, "uptime_s",
                          (json_int_t)((px_now_us() - s->started_us) / PX_US_PER_S), "threads",
                          (json_int_t)s->n_threads);
    if (s->id) {
        uint64_t stats[PX_ID_STATS];
        const struct px_store_stats st = px_idserver_store_stats(s->id);
        json_t *id = json_object();
        px_idserver_stats(s->id, stats);
        json_object_set_new(
            id, "peers",
            json_integer((json_int_t)px_peers_stats(px_idserver_peers(s->id)).n_peers));
        for (size_t i = 0; i < PX_ID_STATS; i++)
            json_object_set_new(id, px_id_stat_names[i], json_integer((json_int_t)stats[i]));
        json_object_set_new(id, "store_queued", json_integer((json_int_t)st.n_queued));
        json_object_set_new(id, "store_failed", json_integer((json_int_t)st.n_failed));
        json_object_set_new(c->result, "id", id);
    }
    if (s->relay) {
        uint64_t stats[PX_RELAY_STATS];
        json_t *relay = json_object();
        px_relay_stats(s->relay, stats);
        for (size_t i = 0; i < PX_RELAY_STATS; i++)
            json_object_set_new(relay, px_relay_stat_names[i], json_integer((json_int_t)stats[i]));
        json_object_set_new(c->result, "relay", relay);
    }
    return 0;
}

/* What RustDesk clients take from the clipboard in place of typed settings, and as --config: JSON,
 * in base64url without padding, backwards. Source: RustDesk 1.4.9, flutter/lib/common.dart
 * (ServerConfig) and src/custom_server.rs. */
static json_t *import_text(const char *host, const char *key) {
    json_auto_t *o =
        json_pack("{s:s, s:s, s:s, s:s}", "host", host, "relay", "", "api", "", "key", key);
    px_cleanup_free char *text = json_dumps(o, JSON_COMPACT);
    const size_t size = sodium_base64_ENCODED_LEN(strlen(text), BASE64);
    px_cleanup_free char *coded = px_new0(char, size);
    sodium_bin2base64(coded, size, (const uint8_t *)text, strlen(text), BASE64);
    for (size_t i = 0, k = strlen(coded); i + 1 < k; i++) {
        const char swap = coded[i];
        coded[i] = coded[--k];
        coded[k] = swap;
    }
    return json_string(coded);
}

static int on_key(struct admin_call *c, struct px_error *err) {
    struct server *s = c->server;
    char host[256];
    server_host(s, host, sizeof(host));
    c->result =
        json_pack("{s:s, s:s, s:i, s:i}", "host", host, "key", s->key.expected, "port",
                  s->id ? (int)s->config.port : 0, "relay_port", s->relay ? (int)relay_port(s) : 0);
    if (s->id)
        json_object_set_new(c->result, "import", import_text(host, s->key.expected));
    return 0;
}

static json_t *peer_json(struct px_bytes id, const struct px_peer_info *p) {
    const int64_t age_us = px_now_us() - p->seen_us;
    json_t *o = json_pack("{s:s%, s:b}", "id", (const char *)id.data, id.size, "online", p->online);
    if (p->has_addr)
        json_object_set_new(o, "address", addr_json(&p->where.addr));
    json_object_set_new(o, "via", json_string(p->where.link ? "stream" : "udp"));
    if (age_us >= 0 && age_us < INT32_MAX * PX_US_PER_S) /* else never, or nobody knows when */
        json_object_set_new(o, "seen_s", json_integer((json_int_t)(age_us / PX_US_PER_S)));
    return o;
}

struct listing {
    json_t *out;
    const char *pattern;
    size_t max;
};

static bool add_peer(struct px_bytes id, const struct px_peer_info *info, void *data) {
    struct listing *l = data;
    char text[PX_PEER_ID_MAX_BYTES + 1];
    memcpy(text, id.data, id.size);
    text[id.size] = '\0';
    if (!l->pattern || px_glob_match(l->pattern, text))
        json_array_append_new(l->out, peer_json(id, info));
    return json_array_size(l->out) < l->max;
}

static int on_list(struct admin_call *c, struct px_error *err) {
    struct listing l = {.out = json_array(), .pattern = arg(c, 0), .max = LIST_DEFAULT};
    c->result = l.out;
    int r = need_id(c, err);
    if (r == 0)
        px_peers_each(px_idserver_peers(c->server->id), px_now_us(), add_peer, &l);
    return r;
}

static int find_peer(struct admin_call *c, struct px_peer_info *ret, struct px_error *err) {
    int r = need_id(c, err);
    if (r < 0)
        return r;
    r = px_peers_find(px_idserver_peers(c->server->id), px_bytes_of(arg(c, 0)), px_now_us(), ret);
    return r < 0 ? px_fail(err, -ENOENT, "no device '%s'", arg(c, 0)) : 0;
}

static int on_find(struct admin_call *c, struct px_error *err) {
    struct px_peer_info info;
    char key[PX_KEY_TEXT_MAX];
    int r = find_peer(c, &info, err);
    if (r < 0)
        return r;
    c->result = peer_json(px_bytes_of(arg(c, 0)), &info);
    px_key_text(info.pk, key);
    json_object_set_new(c->result, "device_key", json_string(key));
    return 0;
}

static int on_drop(struct admin_call *c, struct px_error *err) {
    struct px_peer_info info;
    int r = find_peer(c, &info, err);
    if (r == 0)
        px_peers_drop(px_idserver_peers(c->server->id), px_bytes_of(arg(c, 0)));
    return r;
}

static int on_free(struct admin_call *c, struct px_error *err) {
    struct px_peer_info info;
    int r = find_peer(c, &info, err);
    if (r == 0)
        px_peers_forget(px_idserver_peers(c->server->id), px_bytes_of(arg(c, 0)));
    return r;
}

static void add_relay(const char *name, bool live, void *data) {
    json_array_append_new(data, json_pack("{s:s, s:b}", "relay", name, "live", live));
}

static int on_relays(struct admin_call *c, struct px_error *err) {
    int r = need_id(c, err);
    if (r == 0 && arg(c, 0))
        r = px_relays_set(px_idserver_relays(c->server->id), arg(c, 0), err);
    if (r < 0)
        return r;
    c->result = json_array();
    px_relays_each(px_idserver_relays(c->server->id), add_relay, c->result);
    return 0;
}

static int parse_yesno(const char *text, bool *ret, struct px_error *err) {
    if (strcasecmp(text, "y") == 0 || strcasecmp(text, "yes") == 0)
        *ret = true;
    else if (strcasecmp(text, "n") == 0 || strcasecmp(text, "no") == 0)
        *ret = false;
    else
        return px_fail(err, -EINVAL, "'%s' is neither yes nor no", text);
    return 0;
}

static int on_always_relay(struct admin_call *c, struct px_error *err) {
    bool on = false;
    int r = need_id(c, err);
    if (r == 0 && arg(c, 0))
        r = parse_yesno(arg(c, 0), &on, err);
    if (r < 0)
        return r;
    if (arg(c, 0))
        px_idserver_set_always_relay(c->server->id, on);
    c->result = json_pack("{s:b}", "always_use_relay", px_idserver_always_relay(c->server->id));
    return 0;
}

static int on_punches(struct admin_call *c, struct px_error *err) {
    int r = need_id(c, err);
    if (r == 0 && arg(c, 0) && strcmp(arg(c, 0), "clear") != 0)
        r = px_fail(err, -EINVAL, "expected clear or nothing, not '%.60s'", arg(c, 0));
    if (r < 0)
        return r;
    if (arg(c, 0))
        px_idserver_forget_punches(c->server->id);
    px_cleanup_free struct px_punch_record *p = px_new0(struct px_punch_record, PX_PUNCH_RECORDS);
    size_t n = px_idserver_punches(c->server->id, p, PX_PUNCH_RECORDS);
    c->result = json_array();
    for (size_t i = 0; i < n; i++) {
        struct tm tm;
        char when[32];
        time_t at = (time_t)p[i].at_s;
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
        json_t *o = json_pack("{s:s, s:s}", "time", when, "id", p[i].id);
        json_object_set_new(o, "from", addr_json(&p[i].from));
        json_object_set_new(o, "to", addr_json(&p[i].to));
        json_array_append_new(c->result, o);
    }
    return 0;
}

static bool add_source(const struct px_source_info *i, void *data) {
    char text[PX_ADDR_TEXT_MAX];
    json_array_append_new(
        data, json_pack("{s:s, s:I, s:I, s:I, s:I}", "address", px_addr_ip_text(&i->addr, text),
                        "connections", (json_int_t)i->n_conns, "registrations",
                        (json_int_t)i->n_registers, "ids", (json_int_t)i->n_ids, "seen_s",
                        (json_int_t)((px_now_us() - i->last_us) / PX_US_PER_S)));
    return json_array_size(data) < LIST_DEFAULT;
}

static int on_sources(struct admin_call *c, struct px_error *err) {
    struct px_addr a;
    if (arg(c, 0)) {
        int r = px_addr_parse(arg(c, 0), 0, &a, err);
        if (r == 0)
            px_sources_forget(c->server->sources, &a);
        return r;
    }
    c->result = json_array();
    px_sources_each(c->server->sources, add_source, c->result);
    return 0;
}

static int set_limit(struct px_sources *sources, const char *name, const char *value,
                     struct px_error *err) {
    char *end;
    errno = 0;
    const unsigned long long n = value ? strtoull(value, &end, 10) : 0;
    if (!value || !isdigit((unsigned char)*value) || *end || errno || n > LIMIT_MAX)
        return px_fail(err, -EINVAL, "%s needs a number up to %u", name, LIMIT_MAX);
    for (int i = 0; i < PX_SOURCE_LIMITS; i++)
        if (strcmp(px_source_limit_names[i], name) == 0) {
            px_sources_set_limit(sources, (enum px_source_limit)i, (uint32_t)n);
            return 0;
        }
    const char *near = px_suggest(name, px_source_limit_names, PX_SOURCE_LIMITS);
    px_fail(err, -EINVAL, "no limit '%.60s'", name);
    return near ? px_hint(err, -EINVAL, "did you mean '%s'?", near) : -EINVAL;
}

static int on_limits(struct admin_call *c, struct px_error *err) {
    struct px_sources *sources = c->server->sources;
    int r = arg(c, 0) ? set_limit(sources, arg(c, 0), arg(c, 1), err) : 0;
    if (r < 0)
        return r;
    c->result = json_object();
    for (int i = 0; i < PX_SOURCE_LIMITS; i++)
        json_object_set_new(c->result, px_source_limit_names[i],
                            json_integer(px_sources_limit(sources, (enum px_source_limit)i)));
    return 0;
}

static void add_pair(const struct px_relay_pair_info *i, void *data) {
    json_t *o = json_pack("{s:s, s:I, s:I, s:I}", "session", i->token, "bytes_ab",
                          (json_int_t)i->bytes_ab, "bytes_ba", (json_int_t)i->bytes_ba, "age_s",
                          (json_int_t)(i->age_us / PX_US_PER_S));
    json_object_set_new(o, "a", addr_json(&i->a));
    json_object_set_new(o, "b", addr_json(&i->b));
    json_array_append_new(data, o);
}

static int on_usage(struct admin_call *c, struct px_error *err) {
    int r = need_relay(c, err);
    if (r < 0)
        return r;
    c->result = json_array();
    px_relay_each(c->server->relay, add_pair, c->result);
    return 0;
}

static int set_mbit(uint64_t *to, const char *text, struct px_error *err) {
    char *end;
    double n = strtod(text, &end);
    if (end == text || *end || !(n >= 0 && n < 1e6))
        return px_fail(err, -EINVAL, "'%s' is not a number of megabits per second", text);
    *to = (uint64_t)(n * 131072);
    return 0;
}

static int on_bandwidth(struct admin_call *c, struct px_error *err) {
    int r = need_relay(c, err);
    if (r < 0)
        return r;
    struct px_relay_limits l = px_relay_limits(c->server->relay);
    uint64_t *to = !arg(c, 0)                         ? NULL
                   : strcmp(arg(c, 0), "total") == 0  ? &l.total_bps
                   : strcmp(arg(c, 0), "single") == 0 ? &l.single_bps
                   : strcmp(arg(c, 0), "slow") == 0   ? &l.slow_bps
                                                      : NULL;
    if (arg(c, 0) && (!to || !arg(c, 1)))
        return px_fail(err, -EINVAL, "expected total, single or slow, and a number");
    if (to && (r = set_mbit(to, arg(c, 1), err)) < 0)
        return r;
    px_relay_set_limits(c->server->relay, &l);
    c->result =
        json_pack("{s:f, s:f, s:f}", "total_mbit", (double)l.total_bps / 131072, "single_mbit",
                  (double)l.single_bps / 131072, "slow_mbit", (double)l.slow_bps / 131072);
    return 0;
}

static int on_listed(struct admin_call *c, struct px_error *err) {
    struct px_addr a;
    int r = need_relay(c, err);
    if (r == 0)
        r = px_addr_parse(arg(c, 0), 0, &a, err);
    if (r < 0)
        return r;
    c->result =
        json_pack("{s:b, s:b}", "blocked", px_relay_listed(c->server->relay, PX_RELAY_BLOCKED, &a),
                  "slow", px_relay_listed(c->server->relay, PX_RELAY_SLOW, &a));
    return 0;
}

static int on_reload(struct admin_call *c, struct px_error *err) {
    return server_reload_lists(c->server, err);
}

static int on_help(struct admin_call *c, struct px_error *err);

static const struct command {
    const char *name, *args, *help;
    size_t n_needed;
    int (*run)(struct admin_call *c, struct px_error *err);
} commands[] = {
    {"status", "", "counters of both halves", 0, on_status},
    {"key", "", "host and key to type into clients, both to import there, ports", 0, on_key},
    {"list", "[GLOB]", "devices (at most 1000)", 0, on_list},
    {"find", "ID", "one device", 1, on_find},
    {"drop", "ID", "make a device offline until it registers again", 1, on_drop},
    {"free", "ID", "forget a device, so that another machine may take its ID", 1, on_free},
    {"relays", "[LIST]", "relays to propose; set them", 0, on_relays},
    {"always-use-relay", "[yes|no]", "show or set", 0, on_always_relay},
    {"punches", "[clear]", "latest connection requests, newest first; forget them", 0, on_punches},
    {"sources", "[ADDRESS]", "what addresses have used up; forget that of one", 0, on_sources},
    {"limits", "[NAME N]", "what one address may use; set one until the next start", 0, on_limits},
    {"usage", "", "relayed sessions", 0, on_usage},
    {"bandwidth", "[total|single|slow MBIT]", "show or set limits of the relay", 0, on_bandwidth},
    {"listed", "ADDRESS", "whether the relay blocks or slows an address", 1, on_listed},
    {"reload", "", "read blocklist.txt and blacklist.txt again", 0, on_reload},
    {"help", "", "this list", 0, on_help},
};

static int on_help(struct admin_call *c, struct px_error *err) {
    c->result = json_array();
    for (size_t i = 0; i < PX_N_ELEMENTS(commands); i++)
        json_array_append_new(c->result,
                              json_pack("{s:s, s:s, s:s}", "command", commands[i].name, "arguments",
                                        commands[i].args, "does", commands[i].help));
    return 0;
}

void admin_print_commands(FILE *out) {
    for (size_t i = 0; i < PX_N_ELEMENTS(commands); i++)
        fprintf(out, "  %s%s%s\n        %s\n", commands[i].name, commands[i].args[0] ? " " : "",
                commands[i].args, commands[i].help);
}

void admin_print_man(FILE *out) {
    for (size_t i = 0; i < PX_N_ELEMENTS(commands); i++)
        fprintf(out, ".It Cm %s Ar %s\n%s.\n", commands[i].name,
                commands[i].args[0] ? commands[i].args : "\\&", commands[i].help);
}

static const struct command *find_command(const char *name, struct px_error *err) {
    const char *names[PX_N_ELEMENTS(commands)];
    for (size_t i = 0; i < PX_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        names[i] = commands[i].name;
    }
    const char *near = px_suggest(name, names, PX_N_ELEMENTS(commands));
    px_fail(err, -EINVAL, "no command '%.60s'", name);
    if (near)
        px_hint(err, -EINVAL, "did you mean '%s'?", near);
    return NULL;
}

static bool all_strings(const json_t *args) {
    for (size_t i = 0; i < json_array_size(args); i++)
        if (!json_is_string(json_array_get(args, i)))
            return false;
    return !args || json_is_array(args);
}

int admin_execute(struct admin_call *c, const json_t *request, struct px_error *err) {
    const char *name = json_string_value(json_object_get(request, "command"));
    c->args = json_object_get(request, "args");
    if (!name || !all_strings(c->args))
        return px_fail(err, -EINVAL, "expected {\"command\": NAME, \"args\": [TEXT, ...]}");
    const struct command *cmd = find_command(name, err);
    if (!cmd)
        return -EINVAL;
    if (json_array_size(c->args) < cmd->n_needed)
        return px_fail(err, -EINVAL, "%s needs %s", cmd->name, cmd->args);
    return cmd->run(c, err);
}
