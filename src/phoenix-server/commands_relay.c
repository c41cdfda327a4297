/* src/phoenix-server/commands_relay.c - what `phoenix-server ctl` asks of the relay */
#include "base/clock.h"
#include "phoenix-server/commands.h"
#include <string.h>

static int need_relay(const struct admin_call *c, struct px_error *err) {
    return c->server->relay ? 0 : px_fail(err, -ENODEV, "the relay is off here");
}

static void add_pair(const struct px_relay_pair_info *i, void *data) {
    json_t *o = json_pack("{s:s, s:I, s:I, s:I}", "session", i->token, "bytes_ab",
                          (json_int_t)i->bytes_ab, "bytes_ba", (json_int_t)i->bytes_ba, "age_s",
                          (json_int_t)(i->age_us / PX_US_PER_S));
    json_object_set_new(o, "a", admin_addr(&i->a));
    json_object_set_new(o, "b", admin_addr(&i->b));
    json_array_append_new(data, o);
}

int admin_on_usage(struct admin_call *c, struct px_error *err) {
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

int admin_on_bandwidth(struct admin_call *c, struct px_error *err) {
    int r = need_relay(c, err);
    if (r < 0)
        return r;
    struct px_relay_limits l = px_relay_limits(c->server->relay);
    uint64_t *to = !admin_arg(c, 0)                         ? NULL
                   : strcmp(admin_arg(c, 0), "total") == 0  ? &l.total_bps
                   : strcmp(admin_arg(c, 0), "single") == 0 ? &l.single_bps
                   : strcmp(admin_arg(c, 0), "slow") == 0   ? &l.slow_bps
                                                            : NULL;
    if (admin_arg(c, 0) && (!to || !admin_arg(c, 1)))
        return px_fail(err, -EINVAL, "expected total, single or slow, and a number");
    if (to && (r = set_mbit(to, admin_arg(c, 1), err)) < 0)
        return r;
    px_relay_set_limits(c->server->relay, &l);
    c->result =
        json_pack("{s:f, s:f, s:f}", "total_mbit", (double)l.total_bps / 131072, "single_mbit",
                  (double)l.single_bps / 131072, "slow_mbit", (double)l.slow_bps / 131072);
    return 0;
}

int admin_on_listed(struct admin_call *c, struct px_error *err) {
    struct px_addr a;
    int r = need_relay(c, err);
    if (r == 0)
        r = px_addr_parse(admin_arg(c, 0), 0, &a, err);
    if (r < 0)
        return r;
    c->result =
        json_pack("{s:b, s:b}", "blocked", px_relay_listed(c->server->relay, PX_RELAY_BLOCKED, &a),
                  "slow", px_relay_listed(c->server->relay, PX_RELAY_SLOW, &a));
    return 0;
}
