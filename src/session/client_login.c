/* src/session/client_login.c - a client's way in: handshake, challenge, proof, second factor */
#include "base/alloc.h"
#include "base/clock.h"
#include "proto/handshake.h"
#include "session/client.h"
#include <string.h>

#define WORD_MAX_BYTES 256 /* salt and challenge; 32 and 6 are usual */

int px_client_handshake(struct px_client *c, const uint8_t identity_pk[PX_SIGN_PK_BYTES],
                        const char *id, int64_t timeout_us, struct px_error *err) {
    const uint8_t *body;
    size_t size;
    struct px_secure s;
    px_cleanup(px_buf_fini) struct px_buf answer = {0};
    int r = px_client_recv_body(c, px_now_us() + timeout_us, &body, &size, err);
    if (r == 0)
        return px_fail(err, -ETIMEDOUT, "the host does not start the handshake");
    if (r > 0)
        r = px_handshake_answer(identity_pk, id, body, size, &s, &answer, err);
    if (r >= 0)
        r = px_client_send_body(c, answer.data, answer.size, err);
    if (r < 0)
        return r;
    c->secure = s;
    c->encrypted = true;
    return 0;
}

int px_client_wait_hash(struct px_client *c, int64_t timeout_us, struct px_error *err) {
    const int64_t until = px_now_us() + timeout_us;
    while (!c->challenge) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        const int r = px_client_recv(c, until, &m, err);
        if (r <= 0)
            return r < 0 ? r : px_fail(err, -ETIMEDOUT, "the host sends no challenge");
        if (m->item_case == PXS__MESSAGE__ITEM_HASH) {
            if (strlen(m->hash->salt) > WORD_MAX_BYTES ||
                strlen(m->hash->challenge) > WORD_MAX_BYTES)
                return px_fail(err, -EBADMSG, "the host's challenge is too long");
            c->salt = px_strdup(m->hash->salt);
            c->challenge = px_strdup(m->hash->challenge);
        } else if (m->item_case == PXS__MESSAGE__ITEM_LOGIN_RESPONSE &&
                   m->login_response->answer_case == PXS__LOGIN_RESPONSE__ANSWER_ERROR)
            return px_fail(err, -EACCES, "%s", m->login_response->error);
    }
    return 0;
}

static void set_kind(const struct px_client_login *l, Pxs__LoginRequest *r,
                     Pxs__FileTransferLogin *files, Pxs__PortForwardLogin *tunnel,
                     Pxs__TerminalLogin *terminal) {
    if (l->files_dir) {
        files->dir = (ProtobufCBinaryData){strlen(l->files_dir), (uint8_t *)l->files_dir};
        r->kind_case = PXS__LOGIN_REQUEST__KIND_FILE_TRANSFER;
        r->file_transfer = files;
    } else if (l->tunnel_host) {
        tunnel->host = (char *)l->tunnel_host;
        tunnel->port = l->tunnel_port;
        r->kind_case = PXS__LOGIN_REQUEST__KIND_PORT_FORWARD;
        r->port_forward = tunnel;
    } else if (l->terminal_service) {
        terminal->service_id = (char *)l->terminal_service;
        r->kind_case = PXS__LOGIN_REQUEST__KIND_TERMINAL;
        r->terminal = terminal;
    }
}

int px_client_send_login(struct px_client *c, const struct px_client_login *l,
                         struct px_error *err) {
    uint8_t h1[PX_PROOF_BYTES], proof[PX_PROOF_BYTES];
    Pxs__FileTransferLogin files = PXS__FILE_TRANSFER_LOGIN__INIT;
    Pxs__PortForwardLogin tunnel = PXS__PORT_FORWARD_LOGIN__INIT;
    Pxs__TerminalLogin terminal = PXS__TERMINAL_LOGIN__INIT;
    Pxs__LoginRequest r = PXS__LOGIN_REQUEST__INIT;
    r.username = (char *)l->username;
    r.my_id = (char *)(l->my_id ? l->my_id : "phoenix-probe");
    r.my_name = (char *)(l->my_name ? l->my_name : "phoenix");
    r.version = (char *)(l->version ? l->version : PX_PROTOCOL_VERSION);
    r.my_platform = (char *)(l->platform ? l->platform : "Linux");
    r.video_ack_required = l->wants_acks;
    r.option = (Pxs__OptionMessage *)l->option;
    r.session_id = l->session_id;
    if (l->hwid)
        r.hwid = (ProtobufCBinaryData){strlen(l->hwid), (uint8_t *)l->hwid};
    if (l->password && *l->password) {
        px_login_h1(l->password, c->salt, h1);
        px_login_proof(h1, c->challenge, proof);
        r.password = (ProtobufCBinaryData){sizeof(proof), proof};
    }
    set_kind(l, &r, &files, &tunnel, &terminal);
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_LOGIN_REQUEST;
    m.login_request = &r;
    return px_client_send(c, &m, err);
}

static int send_code(struct px_client *c, const struct px_client_login *l, const char *code,
                     size_t size, struct px_error *err) {
    Pxs__Auth2FA a = PXS__AUTH2_FA__INIT;
    px_cleanup_free char *one = px_strndup(code, size);
    a.code = one;
    if (l->trust && l->hwid)
        a.hwid = (ProtobufCBinaryData){strlen(l->hwid), (uint8_t *)l->hwid};
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_AUTH_2FA;
    m.auth_2fa = &a;
    return px_client_send(c, &m, err);
}

int px_client_login(struct px_client *c, const struct px_client_login *l, int64_t timeout_us,
                    Pxs__Message **ret, struct px_error *err) {
    const int64_t until = px_now_us() + timeout_us;
    const char *code = l->code;
    int r = px_client_wait_hash(c, timeout_us, err);
    if (r >= 0)
        r = px_client_send_login(c, l, err);
    if (r < 0)
        return r;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        r = px_client_recv(c, until, &m, err);
        if (r <= 0)
            return r < 0 ? r : px_fail(err, -ETIMEDOUT, "the host does not answer the login");
        if (m->item_case != PXS__MESSAGE__ITEM_LOGIN_RESPONSE)
            continue;
        const Pxs__LoginResponse *a = m->login_response;
        if (a->answer_case == PXS__LOGIN_RESPONSE__ANSWER_PEER_INFO) {
            c->raw = l->tunnel_host != NULL;
            c->logged_in = true;
            *ret = px_take_ptr(m);
            return 0;
        }
        const bool again = strcmp(a->error, "Wrong 2FA Code") == 0 && code != l->code;
        if (!code || !*code || !(again || strcmp(a->error, "2FA Required") == 0))
            return px_fail(err, -EACCES, "%s", a->error);
        const size_t n = strcspn(code, " ");
        r = send_code(c, l, code, n, err);
        if (r < 0)
            return r;
        code += n + strspn(code + n, " ");
    }
}
