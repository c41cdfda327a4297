/* src/backend/lxc/paths.c - where a container's files lie */
#include "backend/lxc/paths.h"
#include "base/alloc.h"

char *px_lxc_path(const struct px_container *c, const char *name) {
    return px_asprintf("%s/lxc%s%s", c->dir, name[0] ? "/" : "", name);
}

char *px_lxc_config_path(const struct px_container *c) {
    return px_asprintf("%s/lxc/config", c->dir);
}

char *px_lxc_containers_path(const struct px_container *c) {
    return px_asprintf("%s/containers", c->run_dir);
}

char *px_lxc_running_path(const struct px_container *c) {
    return px_asprintf("%s/containers/%s/config", c->run_dir, c->name);
}

char *px_lxc_mnt_path(const struct px_container *c, const char *name) {
    return px_asprintf("%s/mnt%s%s", c->run_dir, name[0] ? "/" : "", name);
}

char *px_lxc_run_path(const struct px_container *c) {
    return px_asprintf("%s/containers/%s", c->run_dir, c->name);
}

char *px_lxc_data_path(const struct px_container *c) {
    return px_asprintf("%s/data", c->dir);
}

char *px_lxc_cgroup(const char *name) {
    return px_asprintf(PX_LXC_CGROUP_PARENT "/%s", name);
}

char *px_lxc_cgroup_monitor(const char *name) {
    return px_asprintf(PX_LXC_CGROUP_PARENT "/%s.monitor", name);
}
