/* src/phoenix-server/commands_id.c - what `phoenix-server ctl` asks of the ID server */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "phoenix-server/commands.h"
#include <string.h>
#include <time.h>

static int need_id(const struct admin_call *c, struct px_error *err) {
    return c->server->id ? 0 : px_fail(err, -ENODEV, "the ID server is off here");
}

static json_t *peer_json(struct px_bytes id, const struct px_peer_info *p) {
    const int64_t age_us = px_now_us() - p->seen_us;
    json_t *o = json_pack("{s:s%, s:b}", "id", (const char *)id.data, id.size, "online", p->online);
    if (p->has_addr)
        json_object_set_new(o, "address", admin_addr(&p->where.addr));
    json_object_set_new(o, "via", json_string(p->where.link ? "stream" : "udp"));
    if (age_us >= 0 && age_us < INT32_MAX * PX_US_PER_S) /* else never, or nobody knows when */
        json_object_set_new(o, "seen_s", json_integer((json_int_t)(age_us / PX_US_PER_S)));
    return o;
}

struct listing {
    json_t *out;
    const char *pattern;
};

static bool add_peer(struct px_bytes id, const struct px_peer_info *info, void *data) {
    struct listing *l = data;
    char text[PX_PEER_ID_MAX_BYTES + 1];
    memcpy(text, id.data, id.size);
    text[id.size] = '\0';
    if (!l->pattern || px_glob_match(l->pattern, text))
        json_array_append_new(l->out, peer_json(id, info));
    return json_array_size(l->out) < ADMIN_LIST_MAX;
}

int admin_on_list(struct admin_call *c, struct px_error *err) {
    struct listing l = {.out = json_array(), .pattern = admin_arg(c, 0)};
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
    r = px_peers_find(px_idserver_peers(c->server->id), px_bytes_of(admin_arg(c, 0)), px_now_us(),
                      ret);
    return r < 0 ? px_fail(err, -ENOENT, "no device '%s'", admin_arg(c, 0)) : 0;
}

int admin_on_find(struct admin_call *c, struct px_error *err) {
    struct px_peer_info info;
    char key[PX_KEY_TEXT_MAX];
    int r = find_peer(c, &info, err);
    if (r < 0)
        return r;
    c->result = peer_json(px_bytes_of(admin_arg(c, 0)), &info);
    px_key_text(info.pk, key);
    json_object_set_new(c->result, "device_key", json_string(key));
    return 0;
}

int admin_on_drop(struct admin_call *c, struct px_error *err) {
    struct px_peer_info info;
    int r = find_peer(c, &info, err);
    if (r == 0)
        px_peers_drop(px_idserver_peers(c->server->id), px_bytes_of(admin_arg(c, 0)));
    return r;
}

int admin_on_free(struct admin_call *c, struct px_error *err) {
    struct px_peer_info info;
    int r = find_peer(c, &info, err);
    if (r == 0)
        px_peers_forget(px_idserver_peers(c->server->id), px_bytes_of(admin_arg(c, 0)));
    return r;
}

static void add_relay(const char *name, bool live, void *data) {
    json_array_append_new(data, json_pack("{s:s, s:b}", "relay", name, "live", live));
}

int admin_on_relays(struct admin_call *c, struct px_error *err) {
    int r = need_id(c, err);
    if (r == 0 && admin_arg(c, 0))
        r = px_relays_set(px_idserver_relays(c->server->id), admin_arg(c, 0), err);
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

int admin_on_always_relay(struct admin_call *c, struct px_error *err) {
    bool on = false;
    int r = need_id(c, err);
    if (r == 0 && admin_arg(c, 0))
        r = parse_yesno(admin_arg(c, 0), &on, err);
    if (r < 0)
        return r;
    if (admin_arg(c, 0))
        px_idserver_set_always_relay(c->server->id, on);
    c->result = json_pack("{s:b}", "always_use_relay", px_idserver_always_relay(c->server->id));
    return 0;
}

/* What @recent holds, newest first; "clear" forgets it before that. */
static int list_recent(struct admin_call *c, struct px_recent *recent, struct px_error *err) {
    if (admin_arg(c, 0) && strcmp(admin_arg(c, 0), "clear") != 0)
        return px_fail(err, -EINVAL, "expected clear or nothing, not '%.60s'", admin_arg(c, 0));
    if (admin_arg(c, 0))
        px_recent_forget(recent);
    px_cleanup_free struct px_recent_record *p = px_new0(struct px_recent_record, PX_RECENT_MAX);
    const size_t n = px_recent_list(recent, p, PX_RECENT_MAX);
    c->result = json_array();
    for (size_t i = 0; i < n; i++) {
        struct tm tm;
        char when[32];
        time_t at = (time_t)p[i].at_s;
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
        json_t *o = json_pack("{s:s, s:s}", "time", when, "id", p[i].id);
        json_object_set_new(o, "from", admin_addr(&p[i].from));
        json_object_set_new(o, "to", admin_addr(&p[i].to));
        json_array_append_new(c->result, o);
    }
    return 0;
}

int admin_on_punches(struct admin_call *c, struct px_error *err) {
    int r = need_id(c, err);
    return r < 0 ? r : list_recent(c, px_idserver_punches(c->server->id), err);
}

int admin_on_ip_changes(struct admin_call *c, struct px_error *err) {
    int r = need_id(c, err);
    return r < 0 ? r : list_recent(c, px_idserver_moves(c->server->id), err);
}
