/* src/host/config.c - what phoenix-host is told */
#include "host/config.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "proto/session.h"
#include "proto/wss.h"
#include <jansson.h>
#include <sodium.h>
#include <string.h>

#define CONFIG_MAX_BYTES (64 * 1024)
#define SECRET_MAX_BYTES 4096
#define PASSWORD_MIN_CHARS 8
#define LOCK_COMMAND "/usr/lib/phoenix/lock-session"

static const char *const known_keys[] = {
    "id",        "display",        "identity_file",      "password_file",   "server",
    "direct",    "permissions",    "require_encryption", "allow_addresses", "totp_secret_file",
    "audit_log", "encoder",        "tunnel_targets",     "punching",        "lan",
    "discovery", "one_time_file",  "trusted_devices",    "state_dir",       "banner",
    "tls",       "metrics_socket", "lock_command"};

bool px_host_config_allows(const struct px_host_config *c, const struct px_addr *from) {
    for (size_t i = 0; i < c->n_allow; i++)
        if (px_addr_in_block(from, &c->allow[i]))
            return true;
    return c->n_allow == 0;
}

void px_host_config_fini(struct px_host_config *c) {
    free(c->id);
    free(c->display);
    free(c->salt);
    free(c->server);
    free(c->server_key);
    free(c->relay);
    free(c->audit_log);
    free(c->one_time_file);
    free(c->state_dir);
    free(c->encoder);
    free(c->tls_name);
    free(c->tls_cert);
    free(c->tls_key);
    free(c->metrics_socket);
    free(c->lock_command);
    sodium_memzero(c, sizeof(*c));
}

static int check_keys(const json_t *root, const char *const *known, size_t n,
                      struct px_error *err) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)root, key, value) {
        size_t i = 0;
        while (i < n && strcmp(known[i], key) != 0)
            i++;
        if (i < n)
            continue;
        const char *near = px_suggest(key, known, n);
        px_fail(err, -EINVAL, "unknown key '%s'", key);
        return near ? px_hint(err, -EINVAL, "did you mean '%s'?", near) : -EINVAL;
    }
    return 0;
}

/* The string at @key, lent; "" when absent. */
static int get_text(const json_t *o, const char *key, const char **ret, struct px_error *err) {
    const json_t *v = json_object_get(o, key);
    if (v && !json_is_string(v))
        return px_fail(err, -EINVAL, "'%s' is not a text", key);
    *ret = v ? json_string_value(v) : "";
    return 0;
}

static int get_bool(const json_t *o, const char *key, bool *ret, struct px_error *err) {
    const json_t *v = json_object_get(o, key);
    if (v && !json_is_boolean(v))
        return px_fail(err, -EINVAL, "'%s' is neither true nor false", key);
    if (v)
        *ret = json_is_true(v);
    return 0;
}

/* A secret file's first line; the caller wipes and frees. */
static int read_secret(const char *path, char **ret, struct px_error *err) {
    const int r = px_file_read(AT_FDCWD, path, SECRET_MAX_BYTES, ret, NULL, err);
    if (r >= 0)
        (*ret)[strcspn(*ret, "\r\n")] = '\0';
    return r;
}

static void free_secret(char *s) {
    sodium_memzero(s, strlen(s));
    free(s);
}

static int take_identity(struct px_host_config *c, const char *path, struct px_error *err) {
    char *text = NULL;
    int r = read_secret(path, &text, err);
    if (r < 0)
        return px_wrap(err, r, "identity");
    size_t n = 0;
    r = sodium_base642bin(c->identity, sizeof(c->identity), text, strlen(text), NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL);
    free_secret(text);
    uint8_t sk[PX_SIGN_SK_BYTES];
    if (r == 0 && n == sizeof(c->identity))
        crypto_sign_seed_keypair(c->identity_pk, sk, c->identity);
    if (r != 0 || n != sizeof(c->identity) || sodium_memcmp(sk, c->identity, sizeof(sk)) != 0)
        return px_fail(err, -EINVAL, "'%s' does not hold a 64-byte Ed25519 key in base64", path);
    sodium_memzero(sk, sizeof(sk));
    return 0;
}

/* Clients remember SHA256(password, salt), so the salt must be the same after a restart; made from
 * the identity, it is, without a file of its own. */
static void make_salt(struct px_host_config *c) {
    static const char label[] = "phoenix login salt";
    uint8_t h[32];
    c->salt = px_calloc(1, 33);
    crypto_generichash(h, sizeof(h), (const uint8_t *)label, sizeof(label) - 1, c->identity_pk,
                       sizeof(c->identity_pk));
    for (int i = 0; i < 32; i++)
        c->salt[i] = "abcdefghijkmnpqrstuvwxyz23456789"[h[i] % 32];
}

static int take_password(struct px_host_config *c, const char *path, struct px_error *err) {
    char *text = NULL;
    int r = read_secret(path, &text, err);
    if (r < 0)
        return px_wrap(err, r, "password");
    /* The proof can be guessed off line by whoever watched a plain login. */
    if (strlen(text) < PASSWORD_MIN_CHARS)
        r = px_fail(err, -EINVAL, "the password in '%s' is shorter than %d characters", path,
                    PASSWORD_MIN_CHARS);
    else
        px_login_h1(text, c->salt, c->password_h1);
    free_secret(text);
    return r;
}

static int take_secrets(struct px_host_config *c, const json_t *root, struct px_error *err) {
    const char *identity = NULL, *password = NULL, *totp = NULL;
    int r = get_text(root, "identity_file", &identity, err);
    if (r >= 0)
        r = get_text(root, "password_file", &password, err);
    if (r >= 0)
        r = get_text(root, "totp_secret_file", &totp, err);
    if (r >= 0)
        r = take_identity(c, identity, err);
    if (r < 0)
        return r;
    make_salt(c);
    r = take_password(c, password, err);
    if (r < 0 || !*totp)
        return r;
    char *text = NULL;
    r = read_secret(totp, &text, err);
    if (r < 0)
        return px_wrap(err, r, "totp secret");
    if (sodium_hex2bin(c->totp, sizeof(c->totp), text, strlen(text), NULL, &c->totp_size, NULL) !=
            0 ||
        c->totp_size < 16)
        r = px_fail(err, -EINVAL, "'%s' does not hold at least 16 bytes in hexadecimal", totp);
    free_secret(text);
    return r;
}

static int take_server(struct px_host_config *c, const json_t *root, struct px_error *err) {
    static const char *const keys[] = {"address", "key", "relay"};
    const char *address = NULL, *key = NULL, *relay = NULL;
    const json_t *server = json_object_get(root, "server");
    if (!server)
        return 0;
    int r = json_is_object(server) ? check_keys(server, keys, PX_N_ELEMENTS(keys), err)
                                   : px_fail(err, -EINVAL, "'server' is not an object");
    if (r >= 0)
        r = get_text(server, "address", &address, err);
    if (r >= 0)
        r = get_text(server, "key", &key, err);
    if (r >= 0)
        r = get_text(server, "relay", &relay, err);
    if (r < 0)
        return r;
    struct px_wss proxy;
    if (strncmp(address, PX_WSS_SCHEME, strlen(PX_WSS_SCHEME)) == 0 &&
        !px_wss_parse(address, &proxy))
        return px_fail(err, -EINVAL, "server '%s' is not " PX_WSS_SCHEME "HOST[:PORT]", address);
    c->server = *address ? px_strdup(address) : NULL;
    c->server_key = px_strdup(key);
    c->relay = px_strdup(relay);
    return 0;
}

static int take_permissions(struct px_host_config *c, const json_t *root, struct px_error *err) {
    const struct {
        const char *key;
        bool *to;
    } all[] = {{"keyboard", &c->permissions.keyboard},  {"clipboard", &c->permissions.clipboard},
               {"audio", &c->permissions.audio},        {"file", &c->permissions.file},
               {"tunnel", &c->permissions.tunnel},      {"terminal", &c->permissions.terminal},
               {"recording", &c->permissions.recording}};
    const char *keys[PX_N_ELEMENTS(all)];
    for (size_t i = 0; i < PX_N_ELEMENTS(all); i++) {
        *all[i].to = true;
        keys[i] = all[i].key;
    }
    const json_t *p = json_object_get(root, "permissions");
    int r = !p                  ? 0
            : json_is_object(p) ? check_keys(p, keys, PX_N_ELEMENTS(keys), err)
                                : px_fail(err, -EINVAL, "'permissions' is not an object");
    for (size_t i = 0; p && r >= 0 && i < PX_N_ELEMENTS(all); i++)
        r = get_bool(p, all[i].key, all[i].to, err);
    return r;
}

static int take_addresses(struct px_host_config *c, const json_t *root, struct px_error *err) {
    const json_t *direct = json_object_get(root, "direct");
    const json_t *allow = json_object_get(root, "allow_addresses");
    const json_t *targets = json_object_get(root, "tunnel_targets");
    if ((direct && !json_is_array(direct)) || (allow && !json_is_array(allow)) ||
        (targets && !json_is_array(targets)))
        return px_fail(err, -EINVAL, "'direct', 'allow_addresses' and 'tunnel_targets' are lists");
    if (json_array_size(direct) > PX_HOST_DIRECT_MAX || json_array_size(allow) > PX_HOST_ALLOW_MAX)
        return px_fail(err, -EINVAL, "too many addresses");
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)direct, i, v) {
        const char *text = json_string_value(v);
        const int r = px_addr_parse(text ? text : "", 21118, &c->direct[c->n_direct++], err);
        if (r < 0)
            return px_wrap(err, r, "direct[%zu]", i);
    }
    json_array_foreach((json_t *)allow, i, v) {
        const char *text = json_string_value(v);
        const int r = px_addr_block_parse(text ? text : "", &c->allow[c->n_allow++], err);
        if (r < 0)
            return px_wrap(err, r, "allow_addresses[%zu]", i);
    }
    json_array_foreach((json_t *)targets, i, v) c->tunnel_anywhere |=
        json_is_string(v) && strcmp(json_string_value(v), "*") == 0;
    return 0;
}

static int take_tls(struct px_host_config *c, const json_t *root, struct px_error *err) {
    static const char *const keys[] = {"name", "port", "cert_file", "key_file"};
    const char *name = NULL, *cert = NULL, *key = NULL;
    const json_t *tls = json_object_get(root, "tls");
    if (!tls)
        return 0;
    int r = json_is_object(tls) ? check_keys(tls, keys, PX_N_ELEMENTS(keys), err)
                                : px_fail(err, -EINVAL, "'tls' is not an object");
    if (r >= 0)
        r = get_text(tls, "name", &name, err);
    if (r >= 0)
        r = get_text(tls, "cert_file", &cert, err);
    if (r >= 0)
        r = get_text(tls, "key_file", &key, err);
    if (r < 0)
        return r;
    const json_int_t port = json_integer_value(json_object_get(tls, "port"));
    if (!*name || port < 1 || port > 65535)
        return px_fail(err, -EINVAL, "'tls' has no name, or no port of 1 to 65535");
    c->tls_name = px_strdup(name);
    c->tls_cert = px_strdup(cert);
    c->tls_key = px_strdup(key);
    c->tls_port = (int)port;
    return 0;
}

static char *default_state_dir(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    return state && *state ? px_asprintf("%s/phoenix-host", state)
                           : px_asprintf("%s/.local/state/phoenix-host", home ? home : "");
}

static int take_memory(struct px_host_config *c, const json_t *root, struct px_error *err) {
    const char *one_time = NULL, *state = NULL;
    int r = get_text(root, "one_time_file", &one_time, err);
    if (r >= 0)
        r = get_text(root, "state_dir", &state, err);
    if (r < 0)
        return r;
    c->one_time_file = *one_time ? px_strdup(one_time) : NULL;
    c->state_dir = *state ? px_strdup(state) : default_state_dir();
    c->trusted_devices = c->banner = true;
    r = get_bool(root, "trusted_devices", &c->trusted_devices, err);
    return r < 0 ? r : get_bool(root, "banner", &c->banner, err);
}

/* Where the session has its sockets, unless the file says otherwise ("": nowhere). */
static int take_metrics(struct px_host_config *c, const json_t *root, struct px_error *err) {
    const char *path = NULL, *dir = getenv("XDG_RUNTIME_DIR");
    const int r = get_text(root, "metrics_socket", &path, err);
    if (r < 0)
        return r;
    if (*path)
        c->metrics_socket = px_strdup(path);
    else if (!json_object_get(root, "metrics_socket") && dir && *dir)
        c->metrics_socket = px_asprintf("%s/phoenix-host.metrics", dir);
    return 0;
}

/* What the image has for it, unless the file says otherwise ("": nothing). */
static int take_lock(struct px_host_config *c, const json_t *root, struct px_error *err) {
    const char *path = NULL;
    const int r = get_text(root, "lock_command", &path, err);
    if (r < 0)
        return r;
    if (!json_object_get(root, "lock_command"))
        path = LOCK_COMMAND;
    c->lock_command = *path ? px_strdup(path) : NULL;
    return 0;
}

static int take_texts(struct px_host_config *c, const json_t *root, struct px_error *err) {
    const char *id = NULL, *display = NULL, *audit = NULL, *encoder = NULL;
    int r = get_text(root, "id", &id, err);
    if (r >= 0)
        r = get_text(root, "display", &display, err);
    if (r >= 0)
        r = get_text(root, "audit_log", &audit, err);
    if (r >= 0)
        r = get_text(root, "encoder", &encoder, err);
    if (r < 0)
        return r;
    if (strlen(id) < 6 || strlen(id) > 16)
        return px_fail(err, -EINVAL, "id '%s' is not 6 to 16 characters long", id);
    c->id = px_strdup(id);
    c->display = px_strdup(display);
    c->audit_log = *audit ? px_strdup(audit) : NULL;
    c->encoder = px_strdup(encoder);
    c->require_encryption = c->punching = c->lan = true;
    r = get_bool(root, "require_encryption", &c->require_encryption, err);
    if (r >= 0)
        r = get_bool(root, "punching", &c->punching, err);
    if (r >= 0)
        r = get_bool(root, "lan", &c->lan, err);
    return r < 0 ? r : get_bool(root, "discovery", &c->discovery, err);
}

static int take_public(struct px_host_config *c, const json_t *root, struct px_error *err) {
    int r = check_keys(root, known_keys, PX_N_ELEMENTS(known_keys), err);
    if (r >= 0)
        r = take_texts(c, root, err);
    if (r >= 0)
        r = take_metrics(c, root, err);
    if (r >= 0)
        r = take_lock(c, root, err);
    if (r >= 0)
        r = take_memory(c, root, err);
    if (r >= 0)
        r = take_server(c, root, err);
    if (r >= 0)
        r = take_permissions(c, root, err);
    if (r >= 0)
        r = take_addresses(c, root, err);
    return r >= 0 ? take_tls(c, root, err) : r;
}

static int parse(const char *text, size_t size, bool with_secrets, struct px_host_config *ret,
                 struct px_error *err) {
    struct px_host_config c = {0};
    json_error_t je;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &je);
    int r = json_is_object(root) ? take_public(&c, root, err)
            : root               ? px_fail(err, -EINVAL, "no object")
                                 : px_fail(err, -EINVAL, "line %d: %s", je.line, je.text);
    if (r >= 0 && with_secrets)
        r = take_secrets(&c, root, err);
    json_decref(root);
    if (r < 0) {
        px_host_config_fini(&c);
        return r;
    }
    *ret = c;
    sodium_memzero(&c, sizeof(c)); /* secrets lie in one place */
    return 0;
}

int px_host_config_parse(const char *text, size_t size, struct px_host_config *ret,
                         struct px_error *err) {
    return parse(text, size, false, ret, err);
}

int px_host_config_load(const char *path, struct px_host_config *ret, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(AT_FDCWD, path, CONFIG_MAX_BYTES, &text, &size, err);
    if (r < 0)
        return r;
    r = parse(text, size, true, ret, err);
    return r < 0 ? px_wrap(err, r, "%s", path) : 0;
}
