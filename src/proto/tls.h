/* src/proto/tls.h - TLS for tunnels and proxies: bytes in, bytes out, no sockets
 *
 * Tunnels are not encrypted by the protocol. For some targets this end takes TLS off itself, so
 * that a program that speaks plain HTTP can be reached by https. The other way round it speaks to a
 * proxy before the ID server, whose certificate is checked with the system's store. TLS 1.2 and
 * 1.3. One thread. */
#pragma once
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <stdbool.h>

struct px_tls_server; /* certificate and key */
struct px_tls_trust;  /* whom we believe: the system's certificates */
struct px_tls;        /* one connection */

/* PEM files. -EINVAL: not a certificate and its key. */
int px_tls_server_new(const char *cert_file, const char *key_file, struct px_tls_server **ret,
                      struct px_error *err);
/* Reads them again if they are others than it has read last. 1: they were; 0: they are the same;
 * -EINVAL: what lies there is no pair (a renewal may be under way): it keeps what it had, and looks
 * again next time. */
int px_tls_server_renew(struct px_tls_server *s, struct px_error *err);
void px_tls_server_free(struct px_tls_server *s);

/* $SSL_CERT_FILE and $SSL_CERT_DIR count, as OpenSSL has it. */
struct px_tls_trust *px_tls_trust_new(void);
void px_tls_trust_free(struct px_tls_trust *t);

struct px_tls *px_tls_new(struct px_tls_server *s);
/* The client's side, towards @host (a name, or an address literal), which must prove that it is.
 * The first px_tls_take(), of nothing, makes what has to be sent. */
struct px_tls *px_tls_new_client(struct px_tls_trust *t, const char *host);
void px_tls_free(struct px_tls *t);
PX_DEFINE_CLEANUP(struct px_tls *, px_tls_free)
/* What the other side sent; adds what it meant to @plain and what it must be answered to @cipher.
 * 1: more may come; 0: it said that it is done; -EPROTO: no TLS, or broken (@cipher may hold an
 * alert). */
int px_tls_take(struct px_tls *t, const void *bytes, size_t size, struct px_buf *plain,
                struct px_buf *cipher, struct px_error *err);
/* For the other side; before the handshake is done it is kept. -ENOBUFS: more than 1 MiB of that.
 */
int px_tls_give(struct px_tls *t, const void *bytes, size_t size, struct px_buf *cipher);
/* Says that nothing more comes. */
void px_tls_finish(struct px_tls *t, struct px_buf *cipher);
