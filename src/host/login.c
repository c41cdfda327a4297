/* src/host/login.c - who may come in, and for what */
#include "base/clock.h"
#include "base/log.h"
#include "host/session.h"
#include <sodium.h>
#include <string.h>
#include <time.h>

static const char alphabet[] = "23456789abcdefghijkmnpqrstuvwxyz"; /* 32 */

void px_login_send_permission(struct px_session *s, enum px_permission p, bool on) {
    Pxs__PermissionInfo info = PXS__PERMISSION_INFO__INIT;
    info.permission = p;
    info.enabled = on;
    Pxs__Misc misc = PXS__MISC__INIT;
    misc.item_case = PXS__MISC__ITEM_PERMISSION_INFO;
    misc.permission_info = &info;
    px_session_send_misc(s, &misc);
}

static void send_permissions(struct px_session *s) {
    const struct px_permissions *p = &s->host->config->permissions;
    if (!p->keyboard)
        px_login_send_permission(s, PX_PERMISSION_KEYBOARD, false);
    if (!p->clipboard)
        px_login_send_permission(s, PX_PERMISSION_CLIPBOARD, false);
    if (!p->audio || !s->host->audio)
        px_login_send_permission(s, PX_PERMISSION_AUDIO, false);
    if (!p->file)
        px_login_send_permission(s, PX_PERMISSION_FILE, false);
    if (!p->recording)
        px_login_send_permission(s, PX_PERMISSION_RECORDING, false);
    /* A container's desktop restarts from outside, and has nobody before it to shut out. */
    px_login_send_permission(s, PX_PERMISSION_RESTART, false);
    px_login_send_permission(s, PX_PERMISSION_BLOCK_INPUT, false);
    px_login_send_permission(s, PX_PERMISSION_PRIVACY_MODE, false);
}

void px_login_start(struct px_session *s) {
    for (size_t i = 0; i + 1 < sizeof(s->challenge); i++)
        s->challenge[i] = alphabet[randombytes_uniform(32)];
    Pxs__Hash hash = PXS__HASH__INIT;
    hash.salt = s->host->config->salt;
    hash.challenge = s->challenge;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_HASH;
    m.hash = &hash;
    px_session_send(s, &m);
    send_permissions(s);
}

static void send_error(struct px_session *s, const char *text, bool trust) {
    Pxs__LoginResponse r = PXS__LOGIN_RESPONSE__INIT;
    r.answer_case = PXS__LOGIN_RESPONSE__ANSWER_ERROR;
    r.error = (char *)text;
    r.enable_trusted_devices = trust;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_LOGIN_RESPONSE;
    m.login_response = &r;
    px_session_send(s, &m);
}

void px_login_error(struct px_session *s, const char *text) {
    send_error(s, text, false);
}

/* ---- what is asked for ---- */

static enum px_session_kind kind_of(const Pxs__LoginRequest *r) {
    switch (r->kind_case) {
    case PXS__LOGIN_REQUEST__KIND_FILE_TRANSFER:
        return PX_KIND_FILES;
    case PXS__LOGIN_REQUEST__KIND_PORT_FORWARD:
        return PX_KIND_TUNNEL;
    case PXS__LOGIN_REQUEST__KIND_VIEW_CAMERA:
        return PX_KIND_CAMERA;
    case PXS__LOGIN_REQUEST__KIND_TERMINAL:
        return PX_KIND_TERMINAL;
    case PXS__LOGIN_REQUEST__KIND__NOT_SET:
    default:
        return PX_KIND_DESKTOP;
    }
}

/* Purpose and asker of a request as one number: a second request must have the same. */
static uint64_t scope_of(const Pxs__LoginRequest *r) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    uint8_t h[16];
    px_buf_printf(&b, "%d|%s|", (int)r->kind_case, r->my_id);
    if (r->kind_case == PXS__LOGIN_REQUEST__KIND_FILE_TRANSFER)
        px_message_print(&r->file_transfer->base, &b);
    else if (r->kind_case == PXS__LOGIN_REQUEST__KIND_PORT_FORWARD)
        px_message_print(&r->port_forward->base, &b);
    else if (r->kind_case == PXS__LOGIN_REQUEST__KIND_TERMINAL)
        px_message_print(&r->terminal->base, &b);
    crypto_generichash(h, sizeof(h), (const uint8_t *)b.data, b.size, NULL, 0);
    return px_le64(h);
}

static void copy(char *to, size_t cap, const char *from) {
    char text[PX_PEER_TEXT_MAX];
    snprintf(to, cap, "%s", px_peer_text(from, text));
}

static void take_scope(struct px_session *s, const Pxs__LoginRequest *r) {
    s->scope_fixed = true;
    s->scope_hash = scope_of(r);
    s->kind = kind_of(r);
    s->version = px_version_number(r->version);
    s->wants_acks = r->video_ack_required;
    copy(s->my_id, sizeof(s->my_id), r->my_id);
    copy(s->my_name, sizeof(s->my_name), r->my_name);
    copy(s->platform, sizeof(s->platform), r->my_platform);
    s->session_id = r->session_id;
    s->hwid_size = r->hwid.len < sizeof(s->hwid) ? r->hwid.len : sizeof(s->hwid);
    if (s->hwid_size)
        memcpy(s->hwid, r->hwid.data, s->hwid_size);
    if (s->kind == PX_KIND_TUNNEL) {
        const char *host = *r->port_forward->host ? r->port_forward->host : "localhost";
        s->tunnel_port = r->port_forward->port;
        if (strcmp(host, "RDP") == 0 && s->tunnel_port == 0)
            host = "localhost", s->tunnel_port = 3389;
        copy(s->tunnel_host, sizeof(s->tunnel_host), host);
    } else if (s->kind == PX_KIND_FILES) {
        const ProtobufCBinaryData *d = &r->file_transfer->dir;
        if (d->len < sizeof(s->files_dir) && d->len && !memchr(d->data, 0, d->len))
            memcpy(s->files_dir, d->data, d->len);
        s->files_hidden = r->file_transfer->show_hidden;
    } else if (s->kind == PX_KIND_TERMINAL)
        copy(s->service_id, sizeof(s->service_id), r->terminal->service_id);
}

/* Our id; an address or a name with port on the direct port, where the client knows no id. */
static bool is_for_us(const struct px_session *s, const char *username) {
    struct px_addr a;
    if (strcmp(username, s->host->config->id) == 0)
        return true;
    if (px_addr_parse(username, 1, &a, NULL) >= 0)
        return true;
    const char *colon = strrchr(username, ':');
    return s->way == PX_WAY_DIRECT && colon && colon > username && colon[1] >= '0' &&
           colon[1] <= '9';
}

const char *px_login_forbidden(const struct px_session *s) {
    const struct px_permissions *p = &s->host->config->permissions;
    switch (s->kind) {
    case PX_KIND_DESKTOP:
        return NULL;
    case PX_KIND_FILES:
        return p->file ? NULL : "No permission of file transfer";
    case PX_KIND_TUNNEL:
        if (px_conn_is_ws(s->conn)) /* raw bytes have no place in its messages */
            return "IP tunneling does not go through a WebSocket";
        return p->tunnel ? NULL : "No permission of IP tunneling";
    case PX_KIND_TERMINAL:
        return p->terminal ? NULL : "No permission of terminal";
    case PX_KIND_CAMERA:
        return "No permission of viewing camera";
    }
    return NULL;
}

static const char *held_off(const struct px_session *s, const struct px_guard *g) {
    switch (px_guard_check(g, &s->peer, px_now_us())) {
    case PX_GUARD_PASS:
        return NULL;
    case PX_GUARD_WAIT:
        return "Please try 1 minute later";
    case PX_GUARD_LOCKED:
        return "Too many wrong attempts";
    }
    return NULL;
}

void px_login_asker(const struct px_session *s, struct px_asker *ret) {
    *ret = (struct px_asker){.my_id = s->my_id,
                             .my_name = s->my_name,
                             .platform = s->platform,
                             .hwid = s->hwid,
                             .hwid_size = s->hwid_size,
                             .session_id = s->session_id};
}

static bool check_password(struct px_session *s, const struct px_asker *who,
                           const Pxs__LoginRequest *r) {
    const char *no = held_off(s, &s->host->guard);
    if (no) {
        px_audit_refused(s->host, s, "too-many");
        px_login_error(s, no);
        return false;
    }
    s->proof = px_credentials_check(s->host->credentials, who, s->challenge, r->password.data,
                                    r->password.len);
    if (s->proof == PX_PROOF_WRONG) {
        px_guard_failed(&s->host->guard, &s->peer, px_now_us());
        px_audit_refused(s->host, s, "password");
        px_login_error(s, "Wrong Password");
        return false;
    }
    px_guard_passed(&s->host->guard, &s->peer);
    return true;
}

/* The password was right; a code may be wanted as well. */
static void ask_code(struct px_session *s, const struct px_asker *who) {
    struct px_credentials *c = s->host->credentials;
    if (px_credentials_trusted(c, who, (int64_t)time(NULL)))
        s->second = PX_SECOND_TRUSTED;
    else if (px_credentials_resumes(c, who))
        s->second = PX_SECOND_RESUMED;
    else {
        s->state = PX_SESSION_TWO_FACTOR;
        send_error(s, "2FA Required", s->host->config->trusted_devices);
        return;
    }
    px_session_authorised(s);
}

void px_login_request(struct px_session *s, const Pxs__LoginRequest *r) {
    struct px_asker who;
    if (s->scope_fixed && scope_of(r) != s->scope_hash) {
        px_login_error(s, "Connection not allowed");
        px_session_end(s, NULL);
        return;
    }
    if (!s->scope_fixed)
        take_scope(s, r);
    if (!is_for_us(s, r->username)) {
        px_login_error(s, "Offline");
        return;
    }
    const char *no = px_login_forbidden(s);
    if (no) {
        px_audit_refused(s->host, s, "permission");
        px_login_error(s, no);
        px_session_end(s, NULL);
        return;
    }
    if (r->password.len == 0) /* the user is still typing */
        return;
    px_login_asker(s, &who);
    if (!check_password(s, &who, r))
        return;
    if (r->option)
        px_options_merge(&s->options, r->option);
    if (s->host->config->totp_size)
        ask_code(s, &who);
    else
        px_session_authorised(s);
}

void px_login_2fa(struct px_session *s, const Pxs__Auth2FA *a) {
    struct px_asker who;
    const char *no = held_off(s, &s->host->guard_2fa);
    if (no) {
        px_audit_refused(s->host, s, "too-many");
        px_login_error(s, no);
        return;
    }
    const struct px_host_config *c = s->host->config;
    int64_t step = 0;
    px_login_asker(s, &who);
    const bool right = px_totp_check(c->totp, c->totp_size, (int64_t)time(NULL), a->code, &step);
    if (!right || !px_credentials_spend(s->host->credentials, &who, step)) {
        px_guard_failed(&s->host->guard_2fa, &s->peer, px_now_us());
        px_audit_refused(s->host, s, right ? "code-used" : "code");
        px_login_error(s, "Wrong 2FA Code"); /* these words alone let the user try the next one */
        return;
    }
    px_guard_passed(&s->host->guard_2fa, &s->peer);
    s->second = PX_SECOND_CODE;
    who.hwid = a->hwid.data;
    who.hwid_size = a->hwid.len < sizeof(s->hwid) ? a->hwid.len : sizeof(s->hwid);
    if (who.hwid_size) /* "trust this device" */
        px_credentials_trust(s->host->credentials, &who, (int64_t)time(NULL));
    px_session_authorised(s);
}

/* ---- what we are ---- */

struct info {
    Pxs__PeerInfo info;
    Pxs__DisplayInfo display[PX_DISPLAYS_MAX], *displays[PX_DISPLAYS_MAX];
    Pxs__Resolution original, current, *modes[1];
    Pxs__SupportedResolutions resolutions;
    Pxs__Features features;
    Pxs__SupportedEncoding encoding;
    Pxs__CodecAbility i444;
    char additions[PX_WHY_MAX + 80];
};

static void fill_displays(const struct px_host *h, struct info *i) {
    i->original = (Pxs__Resolution)PXS__RESOLUTION__INIT;
    for (int n = 0; n < h->displays.n; n++) {
        const struct px_display *from = &h->displays.list[n];
        Pxs__DisplayInfo *to = &i->display[n];
        *to = (Pxs__DisplayInfo)PXS__DISPLAY_INFO__INIT;
        to->x = from->area.x;
        to->y = from->area.y;
        to->width = from->area.w;
        to->height = from->area.h;
        to->name = (char *)from->name;
        to->online = true;
        to->original_resolution = &i->original; /* 0x0: any size may be asked for */
        i->displays[n] = to;
    }
    i->info.n_displays = (size_t)h->displays.n;
    i->info.displays = i->displays;
}

static void fill(const struct px_host *h, struct info *i) {
    i->info = (Pxs__PeerInfo)PXS__PEER_INFO__INIT;
    i->info.username = (char *)h->user;
    i->info.hostname = (char *)h->hostname;
    i->info.platform = (char *)"Linux";
    i->info.version = (char *)PX_PROTOCOL_VERSION;
}

static void fill_rest(const struct px_host *h, const struct px_choice *c, struct info *i) {
    i->features = (Pxs__Features)PXS__FEATURES__INIT;
    i->features.terminal = h->config->permissions.terminal;
    i->encoding = (Pxs__SupportedEncoding)PXS__SUPPORTED_ENCODING__INIT;
    i->i444 = (Pxs__CodecAbility)PXS__CODEC_ABILITY__INIT;
    i->encoding.h264 = px_encoders_can(h->encoders, PX_CODEC_H264);
    i->encoding.h265 = px_encoders_can(h->encoders, PX_CODEC_H265);
    i->encoding.vp8 = px_encoders_can(h->encoders, PX_CODEC_VP8);
    i->encoding.av1 = px_encoders_can(h->encoders, PX_CODEC_AV1);
    i->i444.vp9 = px_encoders_can(h->encoders, PX_CODEC_VP9);
    i->encoding.i444 = &i->i444;
    i->current = (Pxs__Resolution)PXS__RESOLUTION__INIT;
    i->current.width = h->displays.list[0].area.w;
    i->current.height = h->displays.list[0].area.h;
    i->modes[0] = &i->current;
    i->resolutions = (Pxs__SupportedResolutions)PXS__SUPPORTED_RESOLUTIONS__INIT;
    i->resolutions.n_resolutions = 1;
    i->resolutions.resolutions = i->modes;
    i->info.features = &i->features;
    i->info.encoding = &i->encoding;
    i->info.resolutions = &i->resolutions;
    const struct px_permissions *p = &h->config->permissions;
    /* Clients take what they know. The second is for ours (phoenix-probe). */
    snprintf(i->additions, sizeof(i->additions), "{%s\"phoenix_codec\":\"%s: %s\"}",
             p->file && p->clipboard && p->keyboard ? "\"has_file_clipboard\":true," : "",
             px_codec_name(c->codec), c->why);
    i->info.platform_additions = i->additions;
}

void px_login_send_peer_info(struct px_session *s) {
    struct info i;
    fill(s->host, &i);
    if (s->kind != PX_KIND_TUNNEL) {
        fill_displays(s->host, &i);
        struct px_choice c;
        px_viewer_choose(s, s->shown, true, &c);
        fill_rest(s->host, &c, &i);
    }
    Pxs__LoginResponse r = PXS__LOGIN_RESPONSE__INIT;
    r.answer_case = PXS__LOGIN_RESPONSE__ANSWER_PEER_INFO;
    r.peer_info = &i.info;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_LOGIN_RESPONSE;
    m.login_response = &r;
    px_session_send(s, &m);
}

void px_login_send_displays(struct px_session *s) {
    struct info i;
    i.info = (Pxs__PeerInfo)PXS__PEER_INFO__INIT;
    fill_displays(s->host, &i);
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_PEER_INFO;
    m.peer_info = &i.info;
    px_session_send(s, &m);
}
