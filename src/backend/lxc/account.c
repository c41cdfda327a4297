/* src/backend/lxc/account.c - users of a container, from its passwd(5) and group(5) */
#include "backend/lxc/account.h"
#include <stdbool.h>
#include <string.h>

struct text { /* a part of the file, not NUL-terminated */
    const char *at;
    size_t size;
};

/* Cuts the part before the next @sep off *@rest. false: nothing is left. */
static bool cut(struct text *rest, char sep, struct text *ret) {
    if (!rest->at)
        return false;
    const char *end = rest->size ? memchr(rest->at, sep, rest->size) : NULL;
    ret->at = rest->at;
    ret->size = end ? (size_t)(end - rest->at) : rest->size;
    rest->at = end ? end + 1 : NULL;
    rest->size = end ? rest->size - ret->size - 1 : 0;
    return true;
}

static bool equals(struct text t, const char *s) {
    return strlen(s) == t.size && (t.size == 0 || memcmp(t.at, s, t.size) == 0);
}

/* A decimal id below 2^32-1, which stands for "none". */
static bool to_id(struct text t, uint32_t *ret) {
    uint64_t n = 0;
    if (t.size == 0 || t.size > 10)
        return false;
    for (size_t i = 0; i < t.size; i++) {
        if (t.at[i] < '0' || t.at[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(t.at[i] - '0');
    }
    if (n >= UINT32_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

static bool to_string(struct text t, char out[PX_ACCOUNT_TEXT_MAX]) {
    if (t.size >= PX_ACCOUNT_TEXT_MAX || (t.size && memchr(t.at, '\0', t.size)))
        return false;
    if (t.size)
        memcpy(out, t.at, t.size);
    out[t.size] = '\0';
    return true;
}

/* name:password:uid:gid:gecos:home:shell */
static bool parse_user(struct text line, const char *name, struct px_account *ret) {
    struct text f[7];
    for (size_t i = 0; i < 7; i++)
        if (!cut(&line, ':', &f[i]))
            return false;
    if (!equals(f[0], name) || !to_string(f[0], ret->name) || !to_id(f[2], &ret->uid) ||
        !to_id(f[3], &ret->gid) || !to_string(f[5], ret->home) || !to_string(f[6], ret->shell))
        return false;
    if (ret->home[0] != '/')
        strcpy(ret->home, "/");
    if (ret->shell[0] != '/')
        strcpy(ret->shell, "/bin/sh");
    return true;
}

/* name:password:gid:member,member */
static void add_group(struct text line, struct px_account *a) {
    struct text f[4], member;
    uint32_t gid;
    for (size_t i = 0; i < 4; i++)
        if (!cut(&line, ':', &f[i]))
            return;
    if (!to_id(f[2], &gid) || gid == a->gid)
        return;
    while (cut(&f[3], ',', &member)) {
        if (!equals(member, a->name) || a->n_groups == PX_ACCOUNT_GROUPS_MAX)
            continue;
        a->groups[a->n_groups++] = gid;
        return;
    }
}

int px_account_find(const char *passwd, size_t passwd_size, const char *group, size_t group_size,
                    const char *name, struct px_account *ret, struct px_error *err) {
    struct text users = {passwd, passwd_size}, groups = {group, group_size}, line;
    struct px_account found = {0};
    while (cut(&users, '\n', &line)) {
        if (!parse_user(line, name, &found))
            continue;
        while (cut(&groups, '\n', &line))
            add_group(line, &found);
        *ret = found;
        return 0;
    }
    return px_fail(err, -ENOENT, "no user '%s' in the container", name);
}
