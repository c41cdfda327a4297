/* src/desktop/remote.c - what a RustDesk client needs to reach a desktop */
#include "desktop/remote.h"
#include "base/alloc.h"
#include "base/buf.h"
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
#define TOTP_BYTES 20     /* RFC 4226 4, R6 */
#define ONE_TIME_CHARS 13 /* 65 bits, for an hour and one login */
#define ONE_TIME_MAX 16   /* that are good at once */

static void wipe(char *secret) {
    sodium_memzero(secret, strlen(secret));
    free(secret);
}

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
    wipe(text);
    return r < 0 ? r : once(fd, name, make, mode, owner, err);
}

static char *make_id(void) {
    return px_asprintf("%u", 100000000u + randombytes_uniform(900000000u));
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 6, in lower case */

static char *make_letters(int n) {
    char *text = px_new0(char, n + 1);
    for (int i = 0; i < n; i++)
        text[i] = letters[randombytes_uniform(32)];
    return text;
}

static char *make_password(void) {
    return make_letters(PASSWORD_CHARS);
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

static char *make_totp(void) {
    uint8_t secret[TOTP_BYTES];
    char *hex = px_new0(char, TOTP_BYTES * 2 + 1);
    randombytes_buf(secret, sizeof(secret));
    sodium_bin2hex(hex, TOTP_BYTES * 2 + 1, secret, sizeof(secret));
    sodium_memzero(secret, sizeof(secret));
    return hex;
}

static json_t *texts(char *const *list, size_t n) {
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_string(list[i]));
    return a;
}

static json_t *make_config(const struct px_fleet *fleet, const struct px_remote_spec *spec,
                           const struct px_server_info *server, const char *id) {
    json_t *o = json_pack("{ss ss ss ss ss s{ss ss ss} s[s]}", "id", id, "display", ":0",
                          "identity_file", PX_FILES_TARGET "/host-identity", "password_file",
                          PX_FILES_TARGET "/host-password", "one_time_file",
                          PX_FILES_TARGET "/host-one-time", "server", "address", server->inside,
                          "key", server->key, "relay", "", "tunnel_targets", DESKTOP_TUNNELS);
    json_object_set_new(o, "permissions",
                        json_pack("{sb sb sb sb sb sb sb}", "keyboard", spec->input, "clipboard",
                                  spec->clipboard, "audio", spec->audio, "file", spec->files,
                                  "tunnel", spec->tunnel, "terminal", spec->terminal, "recording",
                                  spec->recording));
    json_object_set_new(o, "allow_addresses", texts(spec->allow, spec->n_allow));
    json_object_set_new(o, "direct", texts(spec->direct, spec->n_direct));
    json_object_set_new(o, "banner", json_boolean(spec->banner));
    json_object_set_new(o, "trusted_devices", json_boolean(spec->trusted_devices));
    json_object_set_new(o, "punching", json_boolean(spec->punching));
    json_object_set_new(o, "discovery", json_boolean(spec->discovery));
    json_object_set_new(o, "lan", json_boolean(!px_fleet_host(fleet)->network.nat));
    json_object_set_new(o, "tls",
                        json_pack("{ss si ss ss}", "name", "jupyter", "port", 8888, "cert_file",
                                  PX_FILES_TARGET "/tunnel-cert", "key_file",
                                  PX_FILES_TARGET "/tunnel-key"));
    if (spec->totp)
        json_object_set_new(o, "totp_secret_file", json_string(PX_FILES_TARGET "/host-totp"));
    return o;
}

/* phoenix-host reads it again when it is replaced. */
static int put_config(int fd, const char *text, uid_t root, struct px_error *err) {
    int r = px_file_replace(fd, "host.json", text, strlen(text), 0644, err);
    if (r == 0 && fchownat(fd, "host.json", root, root, AT_SYMLINK_NOFOLLOW) < 0)
        r = px_fail_sys(err, -errno, "cannot give 'host.json' to id %u", root);
    return r;
}

static int write_config(const struct px_fleet *fleet, const struct px_remote_spec *spec, int fd,
                        const struct px_server_info *server, uid_t root, struct px_error *err) {
    px_cleanup_free char *id = NULL, *now = NULL;
    int r = read_word(fd, "rustdesk-id", &id, err);
    if (r < 0)
        return r;
    json_t *o = make_config(fleet, spec, server, id);
    px_cleanup_free char *text = json_dumps(o, JSON_INDENT(2));
    json_decref(o);
    if (px_file_read(fd, "host.json", 65536, &now, NULL, NULL) == 0 && strcmp(now, text) == 0)
        return 0;
    return put_config(fd, text, root, err);
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
        (r = make_cert(files_fd, d->rec->spec.name, root, user, err)) < 0 ||
        (d->rec->spec.remote.totp &&
         (r = once(files_fd, "host-totp", make_totp, 0400, user, err)) < 0))
        return r;
    return write_config(fleet, &d->rec->spec.remote, files_fd, &server, root, err);
}

/* RFC 4648 6 of the secret, as apps want it. */
static int load_totp(int fd, const char *name, char **ret, struct px_error *err) {
    px_cleanup_free char *hex = NULL;
    uint8_t secret[TOTP_BYTES];
    char text[TOTP_BYTES * 8 / 5 + 1] = "";
    size_t n = 0;
    int r = read_word(fd, "host-totp", &hex, err);
    if (r < 0)
        return r;
    if (sodium_hex2bin(secret, sizeof(secret), hex, strlen(hex), NULL, &n, NULL) != 0 ||
        n != sizeof(secret))
        r = px_fail(err, -EINVAL, "'host-totp' is damaged");
    for (size_t i = 0; r == 0 && i < TOTP_BYTES * 8 / 5; i++) {
        const size_t bit = i * 5, byte = bit / 8;
        const unsigned two =
            (unsigned)secret[byte] << 8 | (byte + 1 < TOTP_BYTES ? secret[byte + 1] : 0);
        const char c = letters[two >> (11 - bit % 8) & 31];
        text[i] = c >= 'a' ? (char)(c - 'a' + 'A') : c;
    }
    if (r == 0)
        *ret = px_asprintf("otpauth://totp/phoenix:%s?secret=%s&issuer=phoenix", name, text);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(text, sizeof(text));
    sodium_memzero(hex, strlen(hex));
    return r;
}

/* The lines of @old that are still good, the youngest ones. */
static char *still_good(const char *old, time_t now) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    size_t n = 0;
    for (const char *p = old; *p; p += strcspn(p, "\n"), p += *p == '\n')
        n++;
    for (const char *p = old; *p; p += strcspn(p, "\n"), p += *p == '\n', n--) {
        char word[64];
        long long until = 0;
        if (n < ONE_TIME_MAX && sscanf(p, "%63s %lld", word, &until) == 2 && until > now)
            px_buf_printf(&b, "%s %lld\n", word, until);
    }
    return px_buf_take(&b);
}

static uid_t user_of(const struct px_desktop *d) {
    return d->rec->id_first + (d->image ? d->image->uid : 1000);
}

/* A file that the desktop's user alone may read. */
static int put_secret(int fd, const char *name, const char *text, uid_t user,
                      struct px_error *err) {
    int r = px_file_write_atomic(fd, name, text, strlen(text), 0400, err);
    if (r == 0 && fchownat(fd, name, user, user, AT_SYMLINK_NOFOLLOW) < 0)
        r = px_fail_sys(err, -errno, "cannot give '%s' to id %u", name, user);
    return r;
}

int px_remote_new_password(const struct px_fleet *fleet, const struct px_desktop *d, char **ret,
                           struct px_error *err) {
    px_cleanup_free char *config = NULL;
    px_cleanup_close int fd = px_dir_open(d->dir_fd, PX_FILES_DIR, err);
    if (fd < 0)
        return fd;
    if (sodium_init() < 0)
        return px_fail(err, -EIO, "libsodium does not start");
    int r = px_file_read(fd, "host.json", 65536, &config, NULL, err);
    if (r < 0)
        return r;
    char *password = make_password();
    r = put_secret(fd, "host-password", password, user_of(d), err);
    if (r == 0)
        r = put_config(fd, config, d->rec->id_first, err); /* the same again: that is watched */
    if (r < 0) {
        wipe(password);
        return r;
    }
    *ret = password;
    return 0;
}

int px_remote_one_time(const struct px_fleet *fleet, const struct px_desktop *d, char **ret,
                       struct px_error *err) {
    px_cleanup_free char *old = NULL, *good = NULL;
    px_cleanup_close int fd = px_dir_open(d->dir_fd, PX_FILES_DIR, err);
    if (fd < 0)
        return fd;
    if (sodium_init() < 0)
        return px_fail(err, -EIO, "libsodium does not start");
    (void)px_file_read(fd, "host-one-time", 4096, &old, NULL, NULL);
    good = still_good(old ? old : "", time(NULL));
    char *password = make_letters(ONE_TIME_CHARS);
    px_cleanup_free char *text =
        px_asprintf("%s%s %lld\n", good, password, (long long)time(NULL) + PX_REMOTE_ONE_TIME_S);
    int r = put_secret(fd, "host-one-time", text, user_of(d), err);
    sodium_memzero(text, strlen(text));
    sodium_memzero(good, strlen(good));
    if (r < 0) {
        wipe(password);
        return r;
    }
    *ret = password;
    return 0;
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
    if (d->rec->spec.remote.totp && (r = load_totp(fd, d->rec->spec.name, &remote.totp, err)) < 0)
        return r;
    remote.server = px_take_ptr(server.address);
    remote.proxy = px_take_ptr(server.proxy);
    remote.key = px_take_ptr(server.key);
    *ret = remote;
    remote = (struct px_remote){0};
    return 0;
}

void px_remote_fini(struct px_remote *remote) {
    if (remote->password)
        sodium_memzero(remote->password, strlen(remote->password));
    if (remote->totp)
        sodium_memzero(remote->totp, strlen(remote->totp));
    free(remote->totp);
    free(remote->id);
    free(remote->password);
    free(remote->fingerprint);
    free(remote->server);
    free(remote->proxy);
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
