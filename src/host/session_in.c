/* src/host/session_in.c - what a client sends, to whom it is for */
#include "base/clock.h"
#include "base/log.h"
#include "host/files/files.h"
#include "host/session_private.h"
#include "host/terminal/terminal.h"
#include "host/tunnel/tunnel.h"
#include <string.h>

static void take_probe(struct px_session *s, const Pxs__TestDelay *t, const uint8_t *body,
                       size_t size) {
    if (t->from_client) {
        px_conn_send(s->conn, body, size); /* byte for byte */
        return;
    }
    if (!s->probe_us)
        return;
    const int64_t now = px_now_us(), us = now - s->probe_us, ms = us / PX_US_PER_MS;
    s->probe_us = 0;
    if (s->way == PX_WAY_RELAY) {
        px_viewer_echoed(s, now);
        s->probe_us = s->far.n_marks ? s->far.marks[0].sent_us : 0;
    }
    s->last_delay_ms = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
    s->min_delay_ms = (uint32_t)(px_best_of(&s->best_delay, us > 0 ? us : 1, now) / PX_US_PER_MS);
    if (s->state == PX_SESSION_CONNECTING)
        px_tunnel_probe_answered(s);
}

/* A client that was not told our key asks its user whether to go on in the clear. The user who says
 * yes reads this, and the client does not try again. */
void px_session_refuse_unencrypted(struct px_session *s) {
    char addr[PX_ADDR_TEXT_MAX];
    px_info("session %s: refused: the client does not encrypt", px_addr_text(&s->peer, addr));
    px_audit_refused(s->host, s, "unencrypted");
    px_login_error(s, "Only encrypted sessions are taken here. Compare the key in your client's "
                      "network settings with the server's.");
    px_session_end(s, NULL);
}

static void take_handshake(struct px_session *s, const uint8_t *body, size_t size) {
    struct px_secure secure;
    struct px_error err = {0};
    char addr[PX_ADDR_TEXT_MAX];
    const int r = px_handshake_accept(&s->handshake, body, size, &secure, &err);
    px_handshake_wipe(&s->handshake);
    if (r == PX_HANDSHAKE_ENCRYPTED) {
        px_conn_set_secure(s->conn, &secure);
        explicit_bzero(&secure, sizeof(secure));
        px_session_start_login(s);
        return;
    }
    if (r < 0) {
        px_info("session %s: refused: %s", px_addr_text(&s->peer, addr), err.msg);
        px_session_end(s, NULL);
    } else if (s->host->config->require_encryption)
        px_session_refuse_unencrypted(s);
    else
        px_session_start_login(s);
}

/* What the audit log says of it later. */
static void note_use(struct px_session *s, const Pxs__Message *m) {
    switch ((int)m->item_case) {
    case PXS__MESSAGE__ITEM_MOUSE_EVENT:
    case PXS__MESSAGE__ITEM_KEY_EVENT:
    case PXS__MESSAGE__ITEM_POINTER_DEVICE_EVENT:
        s->uses |= PX_USE_INPUT;
        break;
    case PXS__MESSAGE__ITEM_CLIPBOARD:
    case PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS:
    case PXS__MESSAGE__ITEM_CLIPRDR:
        s->uses |= PX_USE_CLIPBOARD;
        break;
    case PXS__MESSAGE__ITEM_FILE_ACTION:
    case PXS__MESSAGE__ITEM_FILE_RESPONSE:
        s->uses |= PX_USE_FILES;
        break;
    case PXS__MESSAGE__ITEM_TERMINAL_ACTION:
        s->uses |= PX_USE_TERMINAL;
        break;
    case PXS__MESSAGE__ITEM_SCREENSHOT_REQUEST:
        s->uses |= PX_USE_SCREENSHOT;
        break;
    default:
        break;
    }
    if (s->audio_on)
        s->uses |= PX_USE_AUDIO;
}

static void take_active(struct px_session *s, const Pxs__Message *m) {
    note_use(s, m);
    switch (s->kind) {
    case PX_KIND_DESKTOP:
        px_desk_message(s, m);
        break;
    case PX_KIND_FILES:
        px_files_message(s->files, m);
        break;
    case PX_KIND_TERMINAL:
        px_terminals_message(s->host->terminals, s, m);
        break;
    case PX_KIND_TUNNEL:
    case PX_KIND_CAMERA:
        break;
    }
}

static void take_message(struct px_session *s, const Pxs__Message *m, const uint8_t *body,
                         size_t size) {
    if (m->item_case == PXS__MESSAGE__ITEM_TEST_DELAY)
        take_probe(s, m->test_delay, body, size);
    else if (m->item_case == PXS__MESSAGE__ITEM_MISC &&
             m->misc->item_case == PXS__MISC__ITEM_CLOSE_REASON)
        px_session_end(s, NULL);
    else if (s->state == PX_SESSION_ACTIVE)
        take_active(s, m);
    else if (m->item_case == PXS__MESSAGE__ITEM_LOGIN_REQUEST && s->state != PX_SESSION_CONNECTING)
        px_login_request(s, m->login_request);
    else if (m->item_case == PXS__MESSAGE__ITEM_AUTH_2FA && s->state == PX_SESSION_TWO_FACTOR)
        px_login_2fa(s, m->auth_2fa);
}

void px_session_on_frame(void *data, const uint8_t *body, size_t size) {
    struct px_session *s = data;
    struct px_error err = {0};
    char addr[PX_ADDR_TEXT_MAX];
    if (s->ended)
        return;
    if (s->state == PX_SESSION_HANDSHAKE) {
        take_handshake(s, body, size);
        return;
    }
    if (size == 0)
        return;
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    if (px_message_parse(body, size, &m, &err) < 0) {
        px_info("session %s: closed: %s", px_addr_text(&s->peer, addr), err.msg);
        px_session_end(s, NULL);
        return;
    }
    take_message(s, m, body, size);
}

void px_session_on_raw(void *data, const uint8_t *bytes, size_t size) {
    struct px_session *s = data;
    if (!s->ended && s->tunnel)
        px_tunnel_send(s->tunnel, bytes, size);
}
