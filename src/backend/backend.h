/* src/backend/backend.h - what runs containers
 *
 * A backend makes containers from a struct px_container and runs them. It keeps no truth of its
 * own: everything it needs is given again with each call, and what it writes lies in @dir. Calls
 * block and may run at once on several threads or processes for different containers; the caller
 * holds the desktop's lock. `lxc` is liblxc on this host. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct px_backend_mount { /* a host path seen inside */
    const char *source;   /* absolute, on the host; file or directory */
    const char *target;   /* absolute, inside; made where missing */
    bool read_only;
    bool idmap; /* files keep their numeric owners inside (idmapped mount); else as on disk,
                   so that only ids of the desktop's block are known inside */
};

struct px_backend_device { /* a device node of the host given to the container */
    const char *path;      /* the same inside */
    uint32_t major, minor;
    bool block;
    /* A node of its own with these numbers, which anybody inside may open, whatever the modes of
     * the host's. */
    bool copy;
};

/* Works on a container's tree while nothing runs in it. @root_fd: the merged root; @home_fd: what
 * is /home; both lent. Owners are host ids (id_first + uid); see root.h for writing there. Runs in
 * a child process, so that only what it writes remains, and where nobody else sees the mounts. Not
 * 0: gives up with that code and @err. */
typedef int (*px_backend_root_fn)(void *data, int root_fd, int home_fd, struct px_error *err);

struct px_container { /* all lent for the call */
    const char *name; /* container name: host file's prefix and the desktop's name */
    const char *hostname;
    const char *dir;     /* the desktop's state directory, exists, root only; the backend makes
                            dir/data (upper, work, home) and dir/lxc (config, logs) */
    const char *run_dir; /* tmpfs directory for sockets and mount points */
    uint32_t id_first, id_count; /* its block of host ids */
    const char *const *layers;   /* image trees, lowest first */
    size_t n_layers;
    unsigned cores;                               /* 0: no limit */
    uint64_t memory_bytes, disk_bytes, shm_bytes; /* 0: no limit */
    unsigned pids;
    bool nesting, fuse;
    const char *bridge; /* NULL: no network but loopback */
    char veth[IFNAMSIZ];
    uint8_t mac[6];
    struct in_addr address, gateway;
    unsigned prefix;
    const struct px_backend_mount *mounts;
    size_t n_mounts;
    const struct px_backend_device *devices;
    size_t n_devices;
    /* Called once by create, when root and home are new and mounted for us alone: puts in what only
     * this desktop has (login, machine-id, skeleton of the home). create calls it again when it
     * failed or was killed, on the half-seeded tree: it must be idempotent. NULL: none. */
    px_backend_root_fn seed;
    void *seed_data;
    /* The same at each start, with all mounts in place, before init runs. NULL: none. */
    px_backend_root_fn prepare;
    void *prepare_data;
};

enum px_container_state {
    PX_CONTAINER_ABSENT,
    PX_CONTAINER_STOPPED,
    PX_CONTAINER_STARTING,
    PX_CONTAINER_RUNNING,
    PX_CONTAINER_STOPPING,
    PX_CONTAINER_FROZEN
};

/* For people and JSON; what is absent is "stopped", since its files are there. Static. */
const char *px_container_state_word(enum px_container_state state);

struct px_container_info {
    enum px_container_state state;
    pid_t init_pid;        /* on the host; 0: not running */
    uint64_t memory_bytes; /* what it holds itself: anonymous, shmem and kernel memory, without the
                              page cache of the shared image */
    uint64_t disk_bytes;   /* written so far; only where asked for (walks or asks the quota) */
    uint64_t cpu_us;       /* used since start */
    unsigned pids;
    int64_t started_us; /* of CLOCK_BOOTTIME; 0: not running */
    /* Limits as the kernel has them now; 0: none, or not known. */
    uint64_t memory_max_bytes;
    unsigned pids_max, cores;
};

struct px_backend_exec {
    const char *const *argv;
    const char *const *env;    /* NULL-terminated; the environment is otherwise cleared */
    const char *cwd;           /* NULL: the user's home */
    const char *user;          /* login name inside; NULL: root */
    int fd_in, fd_out, fd_err; /* lent; -1: /dev/null */
    bool tty;           /* give it a terminal and pass ours through (fds must be terminals) */
    int64_t timeout_us; /* 0: none */
};

struct px_backend_ops {
    const char *name;
    /* 0: runs here; else why not. Leaves nothing open. */
    int (*probe)(struct px_error *err);
    /* Makes data directories and configuration, finishing what a killed call left. */
    int (*create)(const struct px_container *c, struct px_error *err);
    /* Writes the configuration anew (limits, mounts, devices), and to the running container what
     * can change live. *ret_restart_needed: something takes effect only at the next start. */
    int (*update)(const struct px_container *c, bool *ret_restart_needed, struct px_error *err);
    /* Mounts, prepares and starts; returns when init runs. Cleans up after itself on failure.
     * -EALREADY: runs. */
    int (*start)(const struct px_container *c, struct px_error *err);
    /* Asks init to stop, kills after @timeout_ms (0: at once). Not running is good. Nothing of it
     * is left after: process, cgroup, mount, interface. */
    int (*stop)(const struct px_container *c, int timeout_ms, struct px_error *err);
    /* Throws the root's own layer away and keeps home; create then seeds a new one over c->layers
     * (which may be another image's). Stopped only. Idempotent. */
    int (*reset)(const struct px_container *c, struct px_error *err);
    /* Removes what create made, data included; stopped or half made. */
    int (*destroy)(const struct px_container *c, struct px_error *err);
    int (*info)(const struct px_container *c, bool with_disk, struct px_container_info *ret,
                struct px_error *err);
    /* Runs a command inside; returns its exit status 0..255 (128+n: signal). -ESRCH: not running.
     */
    int (*exec)(const struct px_container *c, const struct px_backend_exec *what,
                struct px_error *err);
    /* fd of the running container's root directory (O_PATH). -ESRCH: not running. */
    int (*root)(const struct px_container *c, struct px_error *err);
    /* Runs @fn on a stopped container (to look, copy or repair). -EBUSY: it runs. */
    int (*enter)(const struct px_container *c, px_backend_root_fn fn, void *data,
                 struct px_error *err);
    /* Gives a running container a device node of the host, or takes it away: the node and the
     * cgroup's rule. What it has open stays open. The next start goes by c->devices. -ESRCH: not
     * running. */
    int (*device)(const struct px_container *c, const struct px_backend_device *device, bool give,
                  struct px_error *err);
    /* Waits until the system inside has finished booting (systemd: its start-up jobs are done), by
     * events. -ETIMEDOUT; -ESRCH: it does not run, or stopped meanwhile. */
    int (*wait_ready)(const struct px_container *c, int64_t timeout_us, struct px_error *err);
};

/* @name NULL: the first that probes well. -ENOENT: no such backend. */
int px_backend_get(const char *name, const struct px_backend_ops **ret, struct px_error *err);
