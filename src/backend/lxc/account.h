/* src/backend/lxc/account.h - users of a container, from its passwd(5) and group(5)
 *
 * The files are their owner's to write: lines that make no sense are skipped, ids are those inside.
 * Pure. Users that only NSS knows (LDAP) are not found. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define PX_ACCOUNT_TEXT_MAX 256
#define PX_ACCOUNT_GROUPS_MAX 64
#define PX_ACCOUNT_FILE_MAX_BYTES (1024 * 1024)

struct px_account {
    char name[PX_ACCOUNT_TEXT_MAX], home[PX_ACCOUNT_TEXT_MAX], shell[PX_ACCOUNT_TEXT_MAX];
    uint32_t uid, gid;
    uint32_t
        groups[PX_ACCOUNT_GROUPS_MAX]; /* supplementary ones, those beyond the limit left out */
    size_t n_groups;
};

/* User @name in the text of passwd and group (not NUL-terminated). -ENOENT: no such user. */
int px_account_find(const char *passwd, size_t passwd_size, const char *group, size_t group_size,
                    const char *name, struct px_account *ret, struct px_error *err);
