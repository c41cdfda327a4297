/* src/host/audit.c - who was here */
#include "host/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/session.h"
#include <stdio.h>
#include <time.h>

void px_host_audit(struct px_host *h, const char *fmt, ...) {
    char line[1024], stamp[32];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    px_info("%s", line);
    if (h->audit.fd < 0)
        return;
    const time_t now = time(NULL);
    struct tm tm;
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    dprintf(h->audit.fd, "%s %s\n", stamp, line);
}

static const char *kind_text(const struct px_session *s) {
    static const char *const kinds[] = {"desktop", "files", "tunnel", "terminal", "camera"};
    return kinds[s->kind];
}

static const char *auth_text(const struct px_session *s, char out[32]) {
    static const char *const firsts[] = {"none", "password", "one-time", "resumed"};
    static const char *const seconds[] = {"", "+code", "+trusted", "+resumed"};
    snprintf(out, 32, "%s%s", firsts[s->proof], seconds[s->second]);
    return out;
}

static const char *use_text(unsigned uses, char out[96]) {
    static const char *const names[] = {"input",    "clipboard", "audio",     "files",
                                        "terminal", "tunnel",    "screenshot"};
    size_t at = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (uses & 1u << i)
            at += (size_t)snprintf(out + at, 96 - at, "%s%s", at ? "," : "", names[i]);
    if (at == 0)
        snprintf(out, 96, "nothing");
    return out;
}

void px_audit_began(struct px_host *h, const struct px_session *s) {
    char id[PX_PEER_TEXT_MAX], name[PX_PEER_TEXT_MAX], addr[PX_ADDR_TEXT_MAX], auth[32];
    px_host_audit(h,
                  "session %s began: kind=%s from=%s way=%s auth=%s name='%s' platform='%s' "
                  "encrypted=%s",
                  px_peer_text(s->my_id, id), kind_text(s), px_addr_text(&s->peer, addr),
                  px_way_name(s->way), auth_text(s, auth), px_peer_text(s->my_name, name),
                  s->platform, s->was_encrypted ? "yes" : "no");
}

void px_audit_ended(struct px_host *h, const struct px_session *s) {
    char id[PX_PEER_TEXT_MAX], addr[PX_ADDR_TEXT_MAX], use[96];
    uint64_t in = 0, out = 0;
    px_conn_bytes(s->conn, &in, &out);
    px_host_audit(h,
                  "session %s ended: kind=%s from=%s seconds=%lld used=%s in_bytes=%llu "
                  "out_bytes=%llu packets=%llu",
                  px_peer_text(s->my_id, id), kind_text(s), px_addr_text(&s->peer, addr),
                  (long long)((px_now_us() - s->began_us) / PX_US_PER_S), use_text(s->uses, use),
                  (unsigned long long)in, (unsigned long long)out,
                  (unsigned long long)px_viewer_packets(s));
}

void px_audit_refused(struct px_host *h, const struct px_session *s, const char *reason) {
    struct px_audit *a = &h->audit;
    char id[PX_PEER_TEXT_MAX], addr[PX_ADDR_TEXT_MAX];
    const int64_t minute = px_now_us() / (60 * PX_US_PER_S);
    if (minute != a->minute) {
        if (a->n_refusals > PX_AUDIT_REFUSALS)
            px_host_audit(h, "logins refused, not told one by one: %u",
                          a->n_refusals - PX_AUDIT_REFUSALS);
        a->minute = minute;
        a->n_refusals = 0;
    }
    if (a->n_refusals++ < PX_AUDIT_REFUSALS)
        px_host_audit(h, "login of %s refused: reason=%s from=%s way=%s",
                      px_peer_text(*s->my_id ? s->my_id : "a client without ID", id), reason,
                      px_addr_text(&s->peer, addr), px_way_name(s->way));
}
