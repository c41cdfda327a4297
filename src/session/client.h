/* src/session/client.h - the client's side of a session, blocking
 *
 * For the probe, verify, benchmarks and tests: one thread, one connection, every wait has a limit.
 * Answers the host's probes by itself. The host is a stranger: frames are bounded, to 64 KiB until
 * it let us in, so that it cannot make us take memory by claiming sizes. */
#pragma once
#include "base/buf.h"
#include "base/cleanup.h"
#include "proto/addr.h"
#include "proto/secure.h"
#include "proto/session.h"
#include <stdint.h>

struct px_client {
    int fd; /* -1: closed */
    bool encrypted, raw;
    bool relayed;              /* by px_reach(): not straight to the host */
    struct px_kcp *kcp;        /* a stream over UDP; NULL: TCP */
    struct px_client_wss *wss; /* a WebSocket over TLS; NULL: neither */
    struct px_secure secure;
    struct px_buf in;
    size_t taken; /* bytes of @in whose frame was handed out */
    char *salt, *challenge;
    unsigned n_probes;
    uint32_t last_delay_ms, target_kbps; /* as the host tells them */
    bool no_echo;                        /* leaves probes unanswered, for tests */
    bool logged_in;
    int32_t n_jobs; /* file transfers begun (session/files.h) */
};

struct px_client_login {
    const char *username; /* the host's id, or its address */
    const char *password;
    const char *my_id, *my_name;
    const char *version;  /* NULL: PX_PROTOCOL_VERSION */
    const char *platform; /* NULL: "Linux" */
    bool wants_acks;
    const char *code;    /* of the second factor; NULL: none. Several, with blanks: one by one */
    const char *hwid;    /* of the client's machine; NULL: none */
    bool trust;          /* asks to be spared the code from now on */
    uint64_t session_id; /* the same for all connections of one session; 0: none */
    const Pxs__OptionMessage *option;
    /* at most one of these: */
    const char *files_dir;
    const char *tunnel_host;
    int tunnel_port;
    const char *terminal_service; /* "": a new one */
};

/* TCP to @to. -ETIMEDOUT, -ECONNREFUSED. */
int px_client_connect(const struct px_addr *to, int64_t timeout_us, struct px_client **ret,
                      struct px_error *err);
/* The same from @own, whose port (0: any) other connections may share. */
int px_client_connect_from(const struct px_addr *own, const struct px_addr *to, int64_t timeout_us,
                           struct px_client **ret, struct px_error *err);
void px_client_own(const struct px_client *c, struct px_addr *ret);
/* Takes @fd, connected. */
struct px_client *px_client_adopt(int fd);
void px_client_close(struct px_client *c);
PX_DEFINE_CLEANUP(struct px_client *, px_client_close)

/* Bytes of the socket as they are: how many, 0: none until @until_us. -EPIPE. */
int px_client_read(struct px_client *c, int64_t until_us, void *to, size_t cap,
                   struct px_error *err);

/* The handshake of connections through a server: the host must be @id with @identity_pk. */
int px_client_handshake(struct px_client *c, const uint8_t identity_pk[PX_SIGN_PK_BYTES],
                        const char *id, int64_t timeout_us, struct px_error *err);

int px_client_send(struct px_client *c, const Pxs__Message *m, struct px_error *err);
int px_client_send_misc(struct px_client *c, const Pxs__Misc *misc, struct px_error *err);
int px_client_send_body(struct px_client *c, const void *body, size_t size, struct px_error *err);
int px_client_send_raw(struct px_client *c, const void *bytes, size_t size, struct px_error *err);

/* The next message (but no probes). 1: *ret is the caller's; 0: none until @until_us;
 * -EPIPE: the host closed. */
int px_client_recv(struct px_client *c, int64_t until_us, Pxs__Message **ret, struct px_error *err);
/* The next frame as it is, probes included; *ret is lent until the next call. */
int px_client_recv_body(struct px_client *c, int64_t until_us, const uint8_t **ret,
                        size_t *ret_size, struct px_error *err);
/* Raw bytes of a tunnel. Returns how many (0: none until then), -EPIPE. */
int px_client_recv_raw(struct px_client *c, int64_t until_us, void *to, size_t cap,
                       struct px_error *err);

/* Waits for the challenge, sends the proof, and waits for the answer. *ret: the LoginResponse's
 * message, the caller's. -EACCES: the answer is an error (its text in @err, verbatim). */
int px_client_login(struct px_client *c, const struct px_client_login *l, int64_t timeout_us,
                    Pxs__Message **ret, struct px_error *err);
/* Only sends a LoginRequest; @password "" sends no proof. Needs the challenge. */
int px_client_send_login(struct px_client *c, const struct px_client_login *l,
                         struct px_error *err);
int px_client_wait_hash(struct px_client *c, int64_t timeout_us, struct px_error *err);

/* Short ways to the usual messages. */
int px_client_mouse(struct px_client *c, int mask, int x, int y, struct px_error *err);
int px_client_click(struct px_client *c, int x, int y, struct px_error *err);
int px_client_type(struct px_client *c, const char *utf8, struct px_error *err);
int px_client_key(struct px_client *c, unsigned keycode, bool down, struct px_error *err);
int px_client_control_key(struct px_client *c, int control_key, struct px_error *err);
int px_client_refresh(struct px_client *c, struct px_error *err);
