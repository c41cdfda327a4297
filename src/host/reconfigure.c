/* src/host/reconfigure.c - a changed configuration, while sessions go on */
#include "host/reconfigure.h"
#include "base/log.h"
#include "host/audio/audio.h"
#include "host/session.h"
#include <sodium.h>
#include <string.h>

static bool same_text(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_direct(const struct px_host_config *a, const struct px_host_config *b) {
    if (a->n_direct != b->n_direct)
        return false;
    for (size_t i = 0; i < a->n_direct; i++)
        if (!px_addr_equal(&a->direct[i], &b->direct[i]))
            return false;
    return true;
}

static bool same_secrets(const struct px_host_config *a, const struct px_host_config *b) {
    return sodium_memcmp(a->identity, b->identity, sizeof(a->identity)) == 0 &&
           sodium_memcmp(a->password_h1, b->password_h1, sizeof(a->password_h1)) == 0;
}

bool px_host_can_take(const struct px_host *h, const struct px_host_config *fresh) {
    const struct px_host_config *now = h->config;
    return same_secrets(now, fresh) && same_direct(now, fresh) && same_text(now->id, fresh->id) &&
           same_text(now->display, fresh->display) && same_text(now->server, fresh->server) &&
           same_text(now->server_key, fresh->server_key) && same_text(now->relay, fresh->relay) &&
           same_text(now->audit_log, fresh->audit_log) &&
           same_text(now->one_time_file, fresh->one_time_file) &&
           same_text(now->state_dir, fresh->state_dir) && same_text(now->encoder, fresh->encoder) &&
           same_text(now->tls_name, fresh->tls_name) && same_text(now->tls_cert, fresh->tls_cert) &&
           same_text(now->tls_key, fresh->tls_key) && now->tls_port == fresh->tls_port &&
           same_text(now->metrics_socket, fresh->metrics_socket) &&
           now->require_encryption == fresh->require_encryption;
}

static void tell_permissions(struct px_session *s, const struct px_permissions *was) {
    const struct px_permissions *p = &s->host->config->permissions;
    const bool login = s->state == PX_SESSION_LOGIN || s->state == PX_SESSION_TWO_FACTOR;
    if (!login && s->state != PX_SESSION_ACTIVE)
        return;
    const struct {
        enum px_permission what;
        bool was, is;
    } all[] = {{PX_PERMISSION_KEYBOARD, was->keyboard, p->keyboard},
               {PX_PERMISSION_CLIPBOARD, was->clipboard, p->clipboard},
               {PX_PERMISSION_AUDIO, was->audio, p->audio && s->host->audio},
               {PX_PERMISSION_FILE, was->file, p->file},
               {PX_PERMISSION_RECORDING, was->recording, p->recording}};
    for (size_t i = 0; i < PX_N_ELEMENTS(all); i++)
        if (all[i].was != all[i].is)
            px_login_send_permission(s, all[i].what, all[i].is);
}

/* Both texts hold what keeps a client from coming back by itself. */
static const char *not_any_more(const struct px_session *s) {
    if (s->state == PX_SESSION_HANDSHAKE)
        return NULL; /* is asked before its login */
    if (!px_session_allowed(s))
        return "Your address is not allowed any more";
    return px_login_forbidden(s) ? "This kind of session is not allowed any more" : NULL;
}

static void apply(struct px_session *s, const struct px_permissions *was, bool other_code) {
    const char *why = not_any_more(s);
    char addr[PX_ADDR_TEXT_MAX];
    if (!why && other_code && s->state == PX_SESSION_TWO_FACTOR)
        why = "Reset by the peer"; /* to be asked as it is now */
    if (why) {
        px_info("session %s: closed: reason='%s'", px_addr_text(&s->peer, addr), why);
        px_session_end(s, why);
        return;
    }
    tell_permissions(s, was);
    if (px_session_is_desktop(s))
        px_desk_permissions_changed(s);
}

void px_host_take(struct px_host *h, const struct px_host_config *fresh) {
    struct px_host_config *c = h->config;
    struct px_permissions was = c->permissions;
    was.audio = was.audio && h->audio;
    const bool other_code = c->totp_size != fresh->totp_size ||
                            sodium_memcmp(c->totp, fresh->totp, sizeof(c->totp)) != 0;
    c->permissions = fresh->permissions;
    memcpy(c->allow, fresh->allow, sizeof(c->allow));
    c->n_allow = fresh->n_allow;
    c->banner = fresh->banner;
    memcpy(c->totp, fresh->totp, sizeof(c->totp));
    c->totp_size = fresh->totp_size;
    c->trusted_devices = fresh->trusted_devices;
    c->tunnel_anywhere = fresh->tunnel_anywhere;
    c->punching = fresh->punching;
    c->lan = fresh->lan;
    c->discovery = fresh->discovery;
    px_host_update_discovery(h);
    if (other_code) /* who came in without the code does not come back without it */
        px_credentials_forget_sessions(h->credentials);
    if (c->permissions.audio && !h->audio)
        h->audio = px_audio_new(h);
    for (struct px_session *s = h->sessions, *next; s; s = next) {
        next = s->next;
        if (!s->ended)
            apply(s, &was, other_code);
    }
    px_banner_update(h);
}
