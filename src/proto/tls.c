/* src/proto/tls.c - TLS for tunnels and proxies: bytes in, bytes out, no sockets */
#include "proto/tls.h"
#include "base/alloc.h"
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#define EARLY_MAX_BYTES (1024 * 1024)

/* What tells one file from the one that replaced it. */
struct version {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
};

struct px_tls_server {
    SSL_CTX *ctx;
    char *files[2]; /* certificate, key */
    struct version versions[2];
};

struct px_tls_trust {
    SSL_CTX *ctx;
};

struct px_tls {
    SSL *ssl;
    BIO *in, *out;       /* of @ssl */
    struct px_buf early; /* for the other side, until the handshake is done */
};

static int fail(struct px_error *err, int code, const char *what) {
    char text[200] = "";
    const unsigned long e = ERR_get_error();
    if (e)
        ERR_error_string_n(e, text, sizeof(text));
    ERR_clear_error();
    return px_fail(err, code, "%s: %s", what, e ? text : "it ended early");
}

static int load(const char *cert_file, const char *key_file, SSL_CTX **ret, struct px_error *err) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return fail(err, -ENOMEM, "TLS");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        SSL_CTX_free(ctx);
        return fail(err, -EINVAL, "the certificate of tunnels");
    }
    *ret = ctx;
    return 0;
}

static void look(char *const files[2], struct version ret[2]) {
    memset(ret, 0, 2 * sizeof(*ret));
    for (int i = 0; i < 2; i++) {
        struct stat st;
        if (stat(files[i], &st) == 0)
            ret[i] = (struct version){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    }
}

static bool same(const struct version *a, const struct version *b) {
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

int px_tls_server_new(const char *cert_file, const char *key_file, struct px_tls_server **ret,
                      struct px_error *err) {
    struct px_tls_server *s = px_new0(struct px_tls_server, 1);
    s->files[0] = px_strdup(cert_file);
    s->files[1] = px_strdup(key_file);
    look(s->files, s->versions); /* before they are read: what comes later is news */
    const int r = load(cert_file, key_file, &s->ctx, err);
    if (r < 0) {
        px_tls_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

int px_tls_server_renew(struct px_tls_server *s, struct px_error *err) {
    struct version now[2];
    SSL_CTX *ctx;
    look(s->files, now);
    if (same(&now[0], &s->versions[0]) && same(&now[1], &s->versions[1]))
        return 0;
    const int r = load(s->files[0], s->files[1], &ctx, err);
    if (r < 0)
        return r;
    SSL_CTX_free(s->ctx); /* connections hold it as long as they need it */
    s->ctx = ctx;
    memcpy(s->versions, now, sizeof(now));
    return 1;
}

void px_tls_server_free(struct px_tls_server *s) {
    if (!s)
        return;
    SSL_CTX_free(s->ctx);
    free(s->files[0]);
    free(s->files[1]);
    free(s);
}

struct px_tls_trust *px_tls_trust_new(void) {
    struct px_tls_trust *t = px_new0(struct px_tls_trust, 1);
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (!t->ctx)
        abort(); /* memory is out */
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    /* The folder's name is Debian's; OpenSSL's own is a link there that need not be installed. */
    SSL_CTX_set_default_verify_paths(t->ctx);
    SSL_CTX_load_verify_dir(t->ctx, "/etc/ssl/certs");
    ERR_clear_error();
    return t;
}

void px_tls_trust_free(struct px_tls_trust *t) {
    if (t)
        SSL_CTX_free(t->ctx);
    free(t);
}

static struct px_tls *make(SSL_CTX *ctx) {
    struct px_tls *t = px_new0(struct px_tls, 1);
    t->ssl = SSL_new(ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out)
        abort(); /* memory is out */
    SSL_set_bio(t->ssl, t->in, t->out);
    return t;
}

struct px_tls *px_tls_new(struct px_tls_server *s) {
    struct px_tls *t = make(s->ctx);
    SSL_set_accept_state(t->ssl);
    return t;
}

struct px_tls *px_tls_new_client(struct px_tls_trust *trust, const char *host) {
    struct px_tls *t = make(trust->ctx);
    char literal[64];
    snprintf(literal, sizeof(literal), "%.*s", (int)strcspn(host + (*host == '['), "]"),
             host + (*host == '['));
    const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), literal) == 1;
    if (!is_address &&
        (SSL_set1_host(t->ssl, host) != 1 || SSL_set_tlsext_host_name(t->ssl, host) != 1))
        abort(); /* memory is out */
    ERR_clear_error();
    SSL_set_connect_state(t->ssl);
    return t;
}

void px_tls_free(struct px_tls *t) {
    if (!t)
        return;
    SSL_free(t->ssl);
    px_buf_fini(&t->early);
    free(t);
}

/* What OpenSSL wants sent. */
static void flush(struct px_tls *t, struct px_buf *cipher) {
    size_t n;
    while ((n = BIO_ctrl_pending(t->out)) > 0) {
        const int got = BIO_read(t->out, px_buf_reserve(cipher, n), n < INT_MAX ? (int)n : INT_MAX);
        if (got <= 0)
            return;
        cipher->size += (size_t)got;
    }
}

/* A BIO in memory takes everything. */
static void write_plain(struct px_tls *t, const void *bytes, size_t size) {
    const char *p = bytes;
    while (size > 0) {
        const int n = SSL_write(t->ssl, p, size < INT_MAX ? (int)size : INT_MAX);
        if (n <= 0)
            return;
        p += n;
        size -= (size_t)n;
    }
}

int px_tls_take(struct px_tls *t, const void *bytes, size_t size, struct px_buf *plain,
                struct px_buf *cipher, struct px_error *err) {
    int n = 0;
    if (size > INT_MAX || (size > 0 && BIO_write(t->in, bytes, (int)size) != (int)size))
        return px_fail(err, -EPROTO, "TLS: too much at once");
    while ((n = SSL_read(t->ssl, px_buf_reserve(plain, 16384), 16384)) > 0)
        plain->size += (size_t)n;
    const int why = SSL_get_error(t->ssl, n);
    if (SSL_is_init_finished(t->ssl) && t->early.size) {
        write_plain(t, t->early.data, t->early.size);
        px_buf_fini(&t->early);
    }
    flush(t, cipher);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return 1;
    const long verdict = SSL_get_verify_result(t->ssl);
    if (why != SSL_ERROR_ZERO_RETURN && verdict != X509_V_OK) {
        ERR_clear_error();
        return px_fail(err, -EPROTO, "TLS: %s", X509_verify_cert_error_string(verdict));
    }
    return why == SSL_ERROR_ZERO_RETURN ? 0 : fail(err, -EPROTO, "TLS");
}

int px_tls_give(struct px_tls *t, const void *bytes, size_t size, struct px_buf *cipher) {
    if (!SSL_is_init_finished(t->ssl)) {
        if (t->early.size + size > EARLY_MAX_BYTES)
            return -ENOBUFS;
        px_buf_add(&t->early, bytes, size);
        return 0;
    }
    write_plain(t, bytes, size);
    flush(t, cipher);
    return 0;
}

void px_tls_finish(struct px_tls *t, struct px_buf *cipher) {
    if (SSL_is_init_finished(t->ssl))
        (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
    flush(t, cipher);
}
