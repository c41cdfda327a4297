/* src/backend/backend.c - which backends there are */
#include "backend/backend.h"
#include "backend/lxc/lxc.h"
#include <string.h>

static const struct px_backend_ops *const backends[] = {&px_backend_lxc};

int px_backend_get(const char *name, const struct px_backend_ops **ret, struct px_error *err) {
    struct px_error why = {0};
    for (size_t i = 0; i < PX_N_ELEMENTS(backends); i++) {
        if (name && strcmp(backends[i]->name, name) != 0)
            continue;
        int r = backends[i]->probe(name ? err : &why);
        if (r < 0 && name)
            return px_wrap(err, r, "backend '%s'", name);
        if (r < 0)
            continue;
        *ret = backends[i];
        return 0;
    }
    if (name)
        return px_fail(err, -ENOENT, "no backend '%s' (there is: lxc)", name);
    px_fail(err, -ENOENT, "no backend runs here: %s", why.msg);
    return why.hint[0] ? px_hint(err, -ENOENT, "%s", why.hint) : -ENOENT;
}

const char *px_container_state_word(enum px_container_state state) {
    switch (state) {
    case PX_CONTAINER_ABSENT:
    case PX_CONTAINER_STOPPED:
        return "stopped";
    case PX_CONTAINER_STARTING:
        return "starting";
    case PX_CONTAINER_RUNNING:
        return "running";
    case PX_CONTAINER_STOPPING:
        return "stopping";
    case PX_CONTAINER_FROZEN:
        return "frozen";
    }
    return "in a state unknown";
}
