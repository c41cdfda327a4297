/* src/host/credentials.c - what a client can prove, and what is remembered of it */
#include "host/credentials.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "proto/session.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ONE_TIME_MAX 16
#define USED_MAX 64
#define RESUME_MAX 16
#define RESUME_US (30 * PX_US_PER_S)
#define TRUSTED_MAX 64
#define TRUSTED_S (90 * 24 * 3600)
#define FILE_MAX 16384
#define HASH_BYTES 32
#define HASH_HEX (2 * HASH_BYTES + 1)

struct remembered {  /* a session that may come back */
    uint64_t handle; /* 0: free */
    uint8_t h1[32];  /* of its one-time password; zeroes: it had the permanent one */
    unsigned n;      /* connections */
    int64_t left_us;
};

struct trusted {
    char hash[HASH_HEX];
    int64_t at_s;
};

struct spent {
    int64_t step; /* 0: none */
    char hash[HASH_HEX];
};

struct px_credentials {
    const struct px_host_config *config; /* lent */
    uint8_t key[crypto_shorthash_KEYBYTES];
    char used[USED_MAX][HASH_HEX]; /* a ring */
    unsigned n_used;
    uint8_t pending[32]; /* h1 of a one-time password whose client is not yet in */
    uint64_t pending_handle;
    struct remembered sessions[RESUME_MAX];
    struct spent spent[PX_TOTP_STEPS]; /* by step */
    struct trusted trusted[TRUSTED_MAX];
    unsigned n_trusted;
};

/* ---- files ---- */

static char *read_state(const struct px_credentials *c, const char *name) {
    char *text = NULL;
    px_cleanup_free char *path = px_asprintf("%s/%s", c->config->state_dir, name);
    return px_file_read(AT_FDCWD, path, FILE_MAX, &text, NULL, NULL) < 0 ? px_strdup("") : text;
}

static void write_state(const struct px_credentials *c, const char *name, const struct px_buf *b) {
    struct px_error err = {0};
    px_cleanup_free char *path = px_asprintf("%s/%s", c->config->state_dir, name);
    int r = px_mkdir_p(AT_FDCWD, c->config->state_dir, 0700, &err);
    if (r >= 0)
        r = px_file_write_atomic(AT_FDCWD, path, b->data ? b->data : "", b->size, 0600, &err);
    if (r < 0)
        px_warning("login: cannot remember in '%s': %s", path, err.msg);
}

static const char *next_line(const char *p) {
    p += strcspn(p, "\n");
    return *p ? p + 1 : p;
}

static void load(struct px_credentials *c) {
    px_cleanup_free char *used = read_state(c, "used-one-time");
    px_cleanup_free char *trusted = read_state(c, "trusted-devices");
    for (const char *p = used; *p; p = next_line(p))
        if (sscanf(p, "%64s", c->used[c->n_used % USED_MAX]) == 1)
            c->n_used++;
    for (const char *p = trusted; *p && c->n_trusted < TRUSTED_MAX; p = next_line(p)) {
        struct trusted *t = &c->trusted[c->n_trusted];
        long long at = 0;
        if (sscanf(p, "%64s %lld", t->hash, &at) == 2) {
            t->at_s = at;
            c->n_trusted++;
        }
    }
}

struct px_credentials *px_credentials_new(const struct px_host_config *config) {
    struct px_credentials *c = px_new0(struct px_credentials, 1);
    c->config = config;
    crypto_shorthash_keygen(c->key);
    load(c);
    return c;
}

void px_credentials_free(struct px_credentials *c) {
    if (c)
        sodium_memzero(c, sizeof(*c));
    free(c);
}

/* ---- sessions that come back ---- */

static void put(struct px_buf *b, const void *data, size_t size) {
    px_buf_printf(b, "%zu:", size); /* so that no two lists of fields are the same bytes */
    px_buf_add(b, data, size);
}

static uint64_t handle_of(const struct px_credentials *c, const struct px_asker *who) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    uint8_t h[crypto_shorthash_BYTES];
    if (who->session_id == 0)
        return 0;
    put(&b, who->my_id, strlen(who->my_id));
    put(&b, who->my_name, strlen(who->my_name));
    put(&b, &who->session_id, sizeof(who->session_id));
    crypto_shorthash(h, (const uint8_t *)b.data, b.size, c->key);
    return px_le64(h) | 1;
}

static struct remembered *find(const struct px_credentials *c, uint64_t handle) {
    for (size_t i = 0; handle && i < RESUME_MAX; i++) {
        const struct remembered *s = &c->sessions[i];
        if (s->handle == handle && (s->n > 0 || px_now_us() - s->left_us < RESUME_US))
            return (struct remembered *)s;
    }
    return NULL;
}

uint64_t px_credentials_entered(struct px_credentials *c, const struct px_asker *who) {
    const uint64_t handle = handle_of(c, who);
    struct remembered *s = find(c, handle);
    if (handle == 0)
        return 0;
    for (size_t i = 0; !s && i < RESUME_MAX; i++) /* a free place, else the one longest gone */
        if (c->sessions[i].n == 0)
            s = &c->sessions[i];
    for (size_t i = 0; s && s->handle != handle && i < RESUME_MAX; i++)
        if (c->sessions[i].n == 0 && c->sessions[i].left_us < s->left_us)
            s = &c->sessions[i];
    if (!s)
        return 0;
    if (s->handle != handle)
        *s = (struct remembered){.handle = handle};
    if (c->pending_handle == handle)
        memcpy(s->h1, c->pending, sizeof(s->h1));
    c->pending_handle = 0;
    s->n++;
    return handle;
}

void px_credentials_left(struct px_credentials *c, uint64_t handle) {
    struct remembered *s = find(c, handle);
    if (s && s->n > 0 && --s->n == 0)
        s->left_us = px_now_us();
}

void px_credentials_forget_sessions(struct px_credentials *c) {
    sodium_memzero(c->sessions, sizeof(c->sessions));
    sodium_memzero(c->pending, sizeof(c->pending));
    c->pending_handle = 0;
    memset(c->spent, 0, sizeof(c->spent));
}

bool px_credentials_resumes(const struct px_credentials *c, const struct px_asker *who) {
    return find(c, handle_of(c, who)) != NULL;
}

/* ---- passwords ---- */

static void hash_hex(const void *data, size_t size, char hex[HASH_HEX]) {
    uint8_t h[HASH_BYTES];
    crypto_generichash(h, sizeof(h), data, size, NULL, 0);
    sodium_bin2hex(hex, HASH_HEX, h, sizeof(h));
}

static bool is_used(const struct px_credentials *c, const char *hex) {
    for (unsigned i = 0; i < c->n_used && i < USED_MAX; i++)
        if (strcmp(c->used[i], hex) == 0)
            return true;
    return false;
}

static void use_up(struct px_credentials *c, const char *hex) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    snprintf(c->used[c->n_used++ % USED_MAX], HASH_HEX, "%s", hex);
    for (unsigned i = 0; i < c->n_used && i < USED_MAX; i++)
        px_buf_printf(&b, "%s\n", c->used[i]);
    write_state(c, "used-one-time", &b);
}

static bool check_one_time(struct px_credentials *c, const struct px_asker *who,
                           const char *challenge, const uint8_t *proof, size_t size) {
    char *text = NULL, hit[HASH_HEX] = "";
    if (!c->config->one_time_file ||
        px_file_read(AT_FDCWD, c->config->one_time_file, FILE_MAX, &text, NULL, NULL) < 0)
        return false;
    unsigned n = 0;
    for (const char *p = text; *p && n < ONE_TIME_MAX; p = next_line(p), n++) {
        char word[64], hex[HASH_HEX];
        long long until = 0;
        uint8_t h1[32];
        if (sscanf(p, "%63s %lld", word, &until) != 2)
            continue;
        px_login_h1(word, c->config->salt, h1);
        hash_hex(h1, sizeof(h1), hex);
        const bool right = px_login_check(h1, challenge, proof, size);
        if (right && until > time(NULL) && !is_used(c, hex)) {
            snprintf(hit, sizeof(hit), "%s", hex);
            memcpy(c->pending, h1, sizeof(h1));
            c->pending_handle = handle_of(c, who);
        }
        sodium_memzero(word, sizeof(word));
        sodium_memzero(h1, sizeof(h1));
    }
    sodium_memzero(text, strlen(text));
    free(text);
    if (!*hit)
        return false;
    use_up(c, hit);
    return true;
}

enum px_proof px_credentials_check(struct px_credentials *c, const struct px_asker *who,
                                   const char *challenge, const uint8_t *proof, size_t size) {
    const struct remembered *s = find(c, handle_of(c, who));
    const bool own = px_login_check(c->config->password_h1, challenge, proof, size);
    const bool back =
        s && !sodium_is_zero(s->h1, sizeof(s->h1)) && px_login_check(s->h1, challenge, proof, size);
    if (own)
        return PX_PROOF_PASSWORD;
    if (back)
        return PX_PROOF_RESUMED;
    return check_one_time(c, who, challenge, proof, size) ? PX_PROOF_ONE_TIME : PX_PROOF_WRONG;
}

/* ---- trusted devices ---- */

static void device_hex(const struct px_asker *who, char hex[HASH_HEX]) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    put(&b, who->hwid, who->hwid_size);
    put(&b, who->my_id, strlen(who->my_id));
    put(&b, who->my_name, strlen(who->my_name));
    put(&b, who->platform, strlen(who->platform));
    hash_hex(b.data, b.size, hex);
}

bool px_credentials_spend(struct px_credentials *c, const struct px_asker *who, int64_t step) {
    struct spent *s = &c->spent[step % PX_TOTP_STEPS];
    const struct px_asker named = {
        .my_id = who->my_id, .my_name = who->my_name, .platform = who->platform};
    char hex[HASH_HEX];
    device_hex(&named, hex);
    if (s->step == step)
        return strcmp(s->hash, hex) == 0;
    s->step = step;
    memcpy(s->hash, hex, sizeof(hex));
    return true;
}

bool px_credentials_trusted(const struct px_credentials *c, const struct px_asker *who,
                            int64_t now_s) {
    char hex[HASH_HEX];
    if (!c->config->trusted_devices || who->hwid_size == 0)
        return false;
    device_hex(who, hex);
    for (unsigned i = 0; i < c->n_trusted; i++)
        if (now_s - c->trusted[i].at_s < TRUSTED_S && strcmp(c->trusted[i].hash, hex) == 0)
            return true;
    return false;
}

void px_credentials_trust(struct px_credentials *c, const struct px_asker *who, int64_t now_s) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    if (!c->config->trusted_devices || who->hwid_size == 0)
        return;
    unsigned at = 0; /* the place of the oldest, where all are taken */
    for (unsigned i = 1; i < c->n_trusted; i++)
        if (c->trusted[i].at_s < c->trusted[at].at_s)
            at = i;
    if (c->n_trusted < TRUSTED_MAX)
        at = c->n_trusted++;
    device_hex(who, c->trusted[at].hash);
    c->trusted[at].at_s = now_s;
    for (unsigned i = 0; i < c->n_trusted; i++)
        px_buf_printf(&b, "%s %lld\n", c->trusted[i].hash, (long long)c->trusted[i].at_s);
    write_state(c, "trusted-devices", &b);
}
