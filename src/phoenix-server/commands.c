/* src/phoenix-server/commands.c - what `phoenix-server ctl` can ask for
 *
 * One table of commands serves the dispatch, the help and the man page. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "phoenix-server/commands.h"
#include <ctype.h>
#include <sodium.h>
#include <string.h>

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define LIMIT_MAX 1000000u

const char *admin_arg(const struct admin_call *c, size_t i) {
    return json_string_value(json_array_get(c->args, i));
}

json_t *admin_addr(const struct px_addr *a) {
    char text[PX_ADDR_TEXT_MAX];
    return json_string(px_addr_text(a, text));
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

static bool add_source(const struct px_source_info *i, void *data) {
    char text[PX_ADDR_TEXT_MAX];
    json_array_append_new(
        data, json_pack("{s:s, s:I, s:I, s:I, s:I}", "address", px_addr_ip_text(&i->addr, text),
                        "connections", (json_int_t)i->n_conns, "registrations",
                        (json_int_t)i->n_registers, "ids", (json_int_t)i->n_ids, "seen_s",
                        (json_int_t)((px_now_us() - i->last_us) / PX_US_PER_S)));
    return json_array_size(data) < ADMIN_LIST_MAX;
}

static int on_sources(struct admin_call *c, struct px_error *err) {
    struct px_addr a;
    if (admin_arg(c, 0)) {
        int r = px_addr_parse(admin_arg(c, 0), 0, &a, err);
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
    int r = admin_arg(c, 0) ? set_limit(sources, admin_arg(c, 0), admin_arg(c, 1), err) : 0;
    if (r < 0)
        return r;
    c->result = json_object();
    for (int i = 0; i < PX_SOURCE_LIMITS; i++)
        json_object_set_new(c->result, px_source_limit_names[i],
                            json_integer(px_sources_limit(sources, (enum px_source_limit)i)));
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
    {"list", "[GLOB]", "devices (at most 1000)", 0, admin_on_list},
    {"find", "ID", "one device", 1, admin_on_find},
    {"drop", "ID", "make a device offline until it registers again", 1, admin_on_drop},
    {"free", "ID", "forget a device, so that another machine may take its ID", 1, admin_on_free},
    {"relays", "[LIST]", "relays to propose; set them", 0, admin_on_relays},
    {"always-use-relay", "[yes|no]", "show or set", 0, admin_on_always_relay},
    {"punches", "[clear]", "latest connection requests, newest first; forget them", 0,
     admin_on_punches},
    {"ip-changes", "[clear]", "devices that came from another address, newest first; forget them",
     0, admin_on_ip_changes},
    {"sources", "[ADDRESS]", "what addresses have used up; forget that of one", 0, on_sources},
    {"limits", "[NAME N]", "what one address may use; set one until the next start", 0, on_limits},
    {"usage", "", "relayed sessions", 0, admin_on_usage},
    {"bandwidth", "[total|single|slow MBIT]", "show or set limits of the relay", 0,
     admin_on_bandwidth},
    {"listed", "ADDRESS", "whether the relay blocks or slows an address", 1, admin_on_listed},
    {"reload", "", "read blocklist.txt and blacklist.txt again", 0, on_reload},
    {"help", "", "this list", 0, on_help},
};

json_t *admin_commands(void) {
    json_t *list = json_array();
    for (size_t i = 0; i < PX_N_ELEMENTS(commands); i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "command", commands[i].name, "arguments",
                                        commands[i].args, "does", commands[i].help));
    return list;
}

static int on_help(struct admin_call *c, struct px_error *err) {
    c->result = admin_commands();
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
    else
        px_hint(err, -EINVAL, "`phoenix-server ctl help` lists them");
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
