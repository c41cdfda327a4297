/* src/backend/lxc/host.c - what this host offers a container, read each time */
#include "backend/lxc/host.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc.h"
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>

bool px_lxc_have_cap(int cap) {
    px_cleanup_free char *status = NULL;
    if (px_file_read(AT_FDCWD, "/proc/self/status", 64 * 1024, &status, NULL, NULL) < 0)
        return false;
    const char *line = strstr(status, "\nCapEff:");
    return line && (strtoull(line + strlen("\nCapEff:"), NULL, 16) >> cap & 1);
}

/* Above the hard limit of the starter, lxc.prlimit fails the start. */
static bool may_lift_memlock(void) {
    struct rlimit limit;
    return px_lxc_have_cap(CAP_SYS_RESOURCE) ||
           (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max == RLIM_INFINITY);
}

static enum px_lxc_apparmor apparmor(void) {
    px_cleanup_free char *text = NULL, *parser = px_proc_find("apparmor_parser");
    if (px_file_read(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 64, &text, NULL, NULL) <
            0 ||
        text[0] != 'Y')
        return PX_LXC_APPARMOR_NONE;
    return parser ? PX_LXC_APPARMOR_GENERATED : PX_LXC_APPARMOR_UNCONFINED;
}

/* The kernel must mind them, and the parser know the words, which came with AppArmor 4. */
static bool apparmor_minds_userns(void) {
    px_cleanup_free char *mask = NULL;
    return px_file_read(AT_FDCWD, "/sys/kernel/security/apparmor/features/namespaces/mask", 4096,
                        &mask, NULL, NULL) == 0 &&
           strstr(mask, "userns_create") && px_exists(AT_FDCWD, "/etc/apparmor.d/abi/4.0");
}

int px_lxc_host_read(struct px_lxc_host *ret, struct px_error *err) {
    *ret = (struct px_lxc_host){0};
    int r = px_cg_layout(&ret->cgroups, err);
    if (r < 0)
        return r;
    ret->memlock_unlimited = may_lift_memlock();
    ret->oom_adjust = px_lxc_have_cap(CAP_SYS_RESOURCE);
    ret->apparmor = apparmor();
    ret->apparmor_userns = apparmor_minds_userns();
    uint64_t swap;
    ret->swap_limit = px_cg_read_u64(&ret->cgroups, PX_CG_MEMORY, "", "memory.memsw.limit_in_bytes",
                                     &swap, NULL) == 0;
    return 0;
}
