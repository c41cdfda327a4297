/* src/spec/host.h - the host file, /etc/phoenix/host.yaml: how phoenix uses this machine
 *
 * Absent means all defaults. Parsing is pure; see spec/desktop.h for errors. Any thread. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define PX_HOST_FILE_DEFAULT "/etc/phoenix/host.yaml"
#define PX_HOST_FILE_MAX_BYTES (256 * 1024)

enum px_gpu_policy { PX_GPU_SPREAD, PX_GPU_PACK };

struct px_host_port { /* what desktops may reach on the host: network.open: [53/udp, 21116/tcp] */
    uint16_t port;
    bool udp;
};

struct px_host_spec {
    char *state_dir;   /* default /var/lib/phoenix */
    char *run_dir;     /* default /run/phoenix */
    char *recipes_dir; /* NULL: ./recipes where it exists, else the installed ones */
    struct {
        uint32_t first; /* 0: chosen once and kept in state_dir */
        uint32_t count; /* default 65536 * 1024 */
        bool reserve;   /* default true: enter the span in /etc/subuid and /etc/subgid */
    } ids;
    struct {
        char bridge[IFNAMSIZ]; /* default "phoenix0" */
        struct in_addr range;  /* network address; default 10.88.0.0 */
        unsigned prefix;       /* default 16; 8..29 */
        struct in_addr *dns;   /* n_dns 0: the host's own servers */
        size_t n_dns;
        struct px_host_port *open;
        size_t n_open;
        bool nat; /* default true */
    } network;
    struct {
        bool run; /* default true: phoenix keeps a phoenix-server on this host for its desktops */
        unsigned port; /* its main port P; P-1 and P+1 follow; default 21116 */
        /* Name that clients outside use; NULL: the host's address on its way out. Of a server
         * elsewhere also wss://HOST[:PORT]. */
        char *address;
        char *key; /* of a server that is not ours (run: false); NULL: none is used */
    } server;
    unsigned parallel; /* desktops started at once; 0: number of cores */
    struct {
        enum px_gpu_policy policy; /* default spread */
        unsigned max_shared;       /* desktops on one shared card; default 4 */
        char *cdi;        /* CDI file that says what desktops get; NULL: phoenix looks itself */
        bool persistence; /* default true: `gpu ready` sets persistence mode */
    } gpus;
};

/* @path NULL: PX_HOST_FILE_DEFAULT, all defaults where it does not exist. A named file must exist.
 */
int px_host_load(const char *path, struct px_host_spec **ret, struct px_error *err);
int px_host_parse(const char *name, const char *text, size_t size, struct px_host_spec **ret,
                  struct px_error *err);
/* Where recipes lie: what the file says, else here, else where they were installed. Lent. */
const char *px_host_recipes_dir(const struct px_host_spec *host);
struct px_host_spec *px_host_free(struct px_host_spec *host);
PX_DEFINE_CLEANUP(struct px_host_spec *, px_host_free)
char *px_host_schema(void); /* see px_desktop_file_schema */
char *px_host_keys(void);
