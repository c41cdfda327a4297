/* src/desktop/remote.c - what a RustDesk client needs to reach a desktop */
#include "desktop/remote.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/program.h"
#include "desktop/cert.h"
#include "desktop/files.h"
#include "desktop/server.h"
#include <jansson.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#define PASSWORD_CHARS 26
#define DESKTOP_TUNNELS "127.0.0.1"

/* Makes the secret @name with the text that @make gives, unless it is there. */
static int once(int fd, const char *name, char *(*make)(void), mode_t mode, uid_t owner,
                struct px_error *err) {
    px_cleanup_free char *now = NULL;
    if (px_file_read(fd, name, 4096, &now, NULL, NULL) == 0 && now[0] != '\0')
        return fchownat(fd, name, owner, owner, AT_SYMLINK_NOFOLLOW) < 0
                   ? px_fail_sys(err, -errno, "cannot give '%s' to id %u", name, owner)
                   : 0;
    char *text = make();
    int r = px_file_write_atomic(fd, name, text, strlen(text), mode, err);
    sodium_memzero(text, strlen(text));
    free(text);
    return r < 0 ? r : once(fd, name, make, mode, owner, err);
}

static char *make_id(void) {
    return px_asprintf("%u", 100000000u + randombytes_uniform(900000000u));
}

static char *make_password(void) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 6, in lower case */
    char *text = px_new0(char, PASSWORD_CHARS + 1);
    for (int i = 0; i < PASSWORD_CHARS; i++)
        text[i] = letters[randombytes_uniform(32)];
    return text;
}

static char *make_identity(void) {
    uint8_t pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof(sk), sodium_base64_VARIANT_ORIGINAL)];
    crypto_sign_keypair(pk, sk);
    sodium_bin2base64(text, sizeof(text), sk, sizeof(sk), sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(sk, sizeof(sk));
    char *copy = px_strdup(text);
    sodium_memzero(text, sizeof(text));
    return copy;
}

static int read_word(int fd, const char *name, char **ret, struct px_error *err) {
    char *text = NULL;
    int r = px_file_read(fd, name, 4096, &text, NULL, err);
    if (r < 0)
        return r;
    text[strcspn(text, "\r\n")] = '\0';
    *ret = text;
    return 0;
}

/* The certificate of tunnels and its key, made where missing and before it runs out. */
static int make_cert(int fd, const char *name, uid_t root, uid_t user, struct px_error *err) {
    px_cleanup_free char *now = NULL, *cert = NULL;
    char *key = NULL;
    if (px_file_read(fd, "tunnel-cert", 16384, &now, NULL, NULL) == 0 &&
        px_exists(fd, "tunnel-key") && px_cert_lasts(now, (int64_t)time(NULL)))
        return 0;
    int r = px_cert_make(name, (int64_t)time(NULL), &cert, &key, err);
    if (r < 0)
        return r;
    r = px_file_write_atomic(fd, "tunnel-key", key, strlen(key), 0400, err);
    sodium_memzero(key, strlen(key));
    free(key);
    if (r >= 0)
        r = px_file_write_atomic(fd, "tunnel-cert", cert, strlen(cert), 0644, err);
    if (r >= 0 && (fchownat(fd, "tunnel-key", user, user, AT_SYMLINK_NOFOLLOW) < 0 ||
                   fchownat(fd, "tunnel-cert", root, root, AT_SYMLINK_NOFOLLOW) < 0))
        r = px_fail_sys(err, -errno, "cannot give the certificate of tunnels away");
    return r;
}

static int write_config(int fd, const struct px_server_info *server, uid_t root,
                        struct px_error *err) {
    px_cleanup_free char *id = NULL, *now = NULL;
    int r = read_word(fd, "rustdesk-id", &id, err);
    if (r < 0)
        return r;
    json_t *o = json_pack("{ss ss ss ss s{ss ss ss} s[s]}", "id", id, "display", ":0",
                          "identity_file", PX_FILES_TARGET "/host-identity", "password_file",
                          PX_FILES_TARGET "/host-password", "server", "address", server->inside,
                          "key", server->key, "relay", "", "tunnel_targets", DESKTOP_TUNNELS);
    json_object_set_new(o, "tls",
                        json_pack("{ss si ss ss}", "name", "jupyter", "port", 8888, "cert_file",
                                  PX_FILES_TARGET "/tunnel-cert", "key_file",
                                  PX_FILES_TARGET "/tunnel-key"));
    px_cleanup_free char *text = json_dumps(o, JSON_INDENT(2));
    json_decref(o);
    if (px_file_read(fd, "host.json", 65536, &now, NULL, NULL) == 0 && strcmp(now, text) == 0)
        return 0;
    r = px_file_replace(fd, "host.json", text, strlen(text), 0644, err);
    if (r == 0 && fchownat(fd, "host.json", root, root, AT_SYMLINK_NOFOLLOW) < 0)
        r = px_fail_sys(err, -errno, "cannot give 'host.json' to id %u", root);
    return r;
}

int px_remote_write(const struct px_fleet *fleet, const struct px_desktop *d, int files_fd,
                    uid_t root, uid_t user, struct px_error *err) {
    px_cleanup(px_server_info_fini) struct px_server_info server = {0};
    struct px_error why = {0};
    int r = px_server_info(fleet, &server, &why);
    if (r < 0) {
        if (r != -ENOENT)
            px_warning("desktop '%s' is made without remote access: %s", d->rec->spec.name,
                       why.msg);
        return 0;
    }
    if (sodium_init() < 0)
        return px_fail(err, -EIO, "libsodium does not start");
    if ((r = once(files_fd, "rustdesk-id", make_id, 0644, root, err)) < 0 ||
        (r = once(files_fd, "host-password", make_password, 0400, user, err)) < 0 ||
        (r = once(files_fd, "host-identity", make_identity, 0400, user, err)) < 0 ||
        (r = make_cert(files_fd, d->rec->spec.name, root, user, err)) < 0)
        return r;
    return write_config(files_fd, &server, root, err);
}

int px_remote_load(const struct px_fleet *fleet, const struct px_desktop *d, struct px_remote *ret,
                   struct px_error *err) {
    px_cleanup(px_server_info_fini) struct px_server_info server = {0};
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    int r = px_server_info(fleet, &server, err);
    if (r < 0)
        return r;
    px_cleanup_close int fd = px_dir_open(d->dir_fd, PX_FILES_DIR, err);
    if (fd < 0)
        return fd;
    if ((r = read_word(fd, "rustdesk-id", &remote.id, err)) < 0 ||
        (r = read_word(fd, "host-password", &remote.password, err)) < 0)
        return r;
    px_cleanup_free char *cert = NULL;
    char print[PX_CERT_FINGERPRINT_MAX];
    if (px_file_read(fd, "tunnel-cert", 16384, &cert, NULL, NULL) == 0 &&
        px_cert_fingerprint(cert, print, NULL) == 0)
        remote.fingerprint = px_strdup(print);
    remote.server = px_take_ptr(server.address);
    remote.key = px_take_ptr(server.key);
    *ret = remote;
    remote = (struct px_remote){0};
    return 0;
}

void px_remote_fini(struct px_remote *remote) {
    if (remote->password)
        sodium_memzero(remote->password, strlen(remote->password));
    free(remote->id);
    free(remote->password);
    free(remote->fingerprint);
    free(remote->server);
    free(remote->key);
    *remote = (struct px_remote){0};
}

char *px_remote_bundle(void) {
    static const char *const folders[] = {"../../desktop-bundle", "../lib/phoenix/desktop-bundle",
                                          PX_LIBDIR "/desktop-bundle", NULL};
    char *program = NULL;
    if (px_program_find("phoenix-host", folders, &program, NULL) < 0)
        return NULL;
    program[strlen(program) - strlen("/phoenix-host")] = '\0';
    return program;
}
