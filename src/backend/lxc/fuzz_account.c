/* src/backend/lxc/fuzz_account.c - whatever a desktop's owner writes into passwd and group: what is
 * found has a home, a shell, and ids that can be given to a process */
#include "backend/lxc/account.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text before the first NUL is passwd, the rest group. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    const char *nul = size ? memchr(text, '\0', size) : NULL;
    const size_t first = nul ? (size_t)(nul - text) : size;
    struct px_account a;
    if (px_account_find(text, first, nul ? nul + 1 : NULL, nul ? size - first - 1 : 0, "ai", &a,
                        NULL) < 0)
        return 0;
    assert(strcmp(a.name, "ai") == 0 && a.home[0] == '/' && a.shell[0] == '/');
    assert(a.uid != UINT32_MAX && a.gid != UINT32_MAX && a.n_groups <= PX_ACCOUNT_GROUPS_MAX);
    return 0;
}
