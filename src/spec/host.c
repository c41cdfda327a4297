/* src/spec/host.c - the host file, /etc/phoenix/host.yaml: how phoenix uses this machine */
#include "spec/host.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/server_name.h"
#include "spec/check.h"
#include "spec/schema.h"
#include <arpa/inet.h>
#include <string.h>

#define OFF(member) offsetof(struct px_host_spec, member)
#define IDS_UNIT 65536u

static int parse_bridge(const char *text, void *obj, struct px_error *err) {
    int r = px_check_bridge(text, err);
    if (r == 0)
        strcpy(((struct px_host_spec *)obj)->network.bridge, text); /* its length is checked */
    return r;
}

static json_t *print_bridge(const void *obj) {
    return json_string(((const struct px_host_spec *)obj)->network.bridge);
}

static int parse_range(const char *text, void *obj, struct px_error *err) {
    struct px_host_spec *host = obj;
    return px_parse_range(text, &host->network.range, &host->network.prefix, err);
}

static json_t *print_range(const void *obj) {
    const struct px_host_spec *host = obj;
    char text[INET_ADDRSTRLEN];
    return json_sprintf("%s/%u", inet_ntop(AF_INET, &host->network.range, text, sizeof(text)),
                        host->network.prefix);
}

static int parse_dns(const char *text, void *obj, struct px_error *err) {
    return px_parse_address(text, obj, err);
}

static json_t *print_dns(const void *obj) {
    char text[INET_ADDRSTRLEN];
    return json_string(inet_ntop(AF_INET, obj, text, sizeof(text)));
}

static int parse_port(const char *text, void *obj, struct px_error *err) {
    struct px_host_port *port = obj;
    return px_parse_port(text, &port->port, &port->udp, err);
}

static json_t *print_port(const void *obj) {
    const struct px_host_port *port = obj;
    return json_sprintf("%u/%s", port->port, port->udp ? "udp" : "tcp");
}

static int finish_open(const struct px_at *at, const struct px_node *node, void *obj,
                       struct px_error *err) {
    const struct px_host_spec *host = obj;
    const struct px_node *n = node->child;
    for (size_t i = 0; i < host->network.n_open; i++, n = n->next)
        for (size_t j = 0; j < i; j++) {
            const struct px_host_port *a = &host->network.open[j], *b = &host->network.open[i];
            if (a->port == b->port && a->udp == b->udp)
                return px_at_fail(&(struct px_at){.up = at, .index = i}, n, err,
                                  "port %u/%s is listed twice", b->port, b->udp ? "udp" : "tcp");
        }
    return 0;
}

static int finish_ids(const struct px_at *at, const struct px_node *node, void *obj,
                      struct px_error *err) {
    const struct px_host_spec *host = obj;
    if (host->ids.count % IDS_UNIT != 0) {
        const uint32_t up = (host->ids.count / IDS_UNIT + 1) * IDS_UNIT;
        px_at_fail(&(struct px_at){.up = at, .key = "count"}, px_node_get(node, "count"), err,
                   "expected a multiple of %u, a block per desktop, found '%u'", IDS_UNIT,
                   host->ids.count);
        return px_hint(err, -EINVAL, "did you mean %u?", up);
    }
    /* chown(2) takes id 2^32-1 to mean "leave unchanged", so nobody may own it. */
    if ((uint64_t)host->ids.first + host->ids.count > UINT32_MAX)
        return px_at_fail(at, node, err, "%u to %ju: the last must be below 4294967295",
                          host->ids.first, (uintmax_t)host->ids.first + host->ids.count - 1);
    return 0;
}

static int check_server_way(const struct px_at *at, const struct px_node *node,
                            const struct px_host_spec *host, struct px_error *err) {
    struct px_server_name address = {0};
    px_server_name_parse(host->server.address, &address); /* which was checked */
    if (address.wss && host->server.run) {
        px_at_fail(&(struct px_at){.up = at, .key = "address"}, px_node_get(node, "address"), err,
                   PX_WSS_SCHEME
                   " is for a server elsewhere; desktops reach the one that phoenix runs "
                   "without a proxy");
        return px_hint(err, -EINVAL, "write the name alone, which clients use as well");
    }
    const struct px_node *port = px_node_get(node, "port");
    if (port && (address.wss || address.port))
        return px_at_fail(&(struct px_at){.up = at, .key = "port"}, port, err,
                          "the port belongs to the address '%s' here", host->server.address);
    return 0;
}

static int finish_server(const struct px_at *at, const struct px_node *node, void *obj,
                         struct px_error *err) {
    const struct px_host_spec *host = obj;
    if (host->server.run && host->server.key)
        return px_at_fail(&(struct px_at){.up = at, .key = "key"}, px_node_get(node, "key"), err,
                          "is that of a server elsewhere; the one that phoenix runs makes its own");
    if (!host->server.run && !host->server.key != !host->server.address)
        return px_at_fail(at, node, err, "a server elsewhere needs both address and key");
    return host->server.address ? check_server_way(at, node, host, err) : 0;
}

static int check_whole(const struct px_at *at, const struct px_node *root,
                       const struct px_host_spec *host, struct px_error *err) {
    /* After a reboot nothing is left of run_dir; state must not share that. */
    if (strcmp(host->state_dir, host->run_dir) == 0)
        return px_at_fail(&(struct px_at){.up = at, .key = "run_dir"}, px_node_get(root, "run_dir"),
                          err, "must not be the same as state_dir");
    return 0;
}

static const struct px_field ids_fields[] = {
    {.key = "first",
     .kind = PX_FIELD_UINT,
     .doc = "Lowest host id (uid and gid) of the span that desktops get their blocks from. `auto`: "
            "a free span is chosen once and kept.",
     .fallback = "auto",
     .min = 65536,
     .max = UINT32_MAX - 1,
     .zero_word = "auto",
     .aka = "start from",
     .offset = OFF(ids.first)},
    {.key = "count",
     .kind = PX_FIELD_UINT,
     .doc = "How many ids; each desktop takes 65536, so this bounds how many desktops there can "
            "be.",
     .fallback = "67108864",
     .min = IDS_UNIT,
     .max = UINT32_MAX - 1,
     .aka = "size n",
     .offset = OFF(ids.count)},
    {.key = "reserve",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether the span is entered in /etc/subuid and /etc/subgid, so that other programs "
            "leave it alone.",
     .fallback = "true",
     .offset = OFF(ids.reserve)},
    {0},
};

static const struct px_field dns_item = {.kind = PX_FIELD_TEXT,
                                         .expected = "an IPv4 address",
                                         .parse = parse_dns,
                                         .print = print_dns,
                                         .pattern = PX_PATTERN_ADDRESS};
static const struct px_field port_item = {.kind = PX_FIELD_TEXT,
                                          .expected = "a port such as 8080/tcp",
                                          .parse = parse_port,
                                          .print = print_port,
                                          .min = 1,
                                          .max = 65535,
                                          .pattern = PX_PATTERN_PORT};

static const struct px_field network_fields[] = {
    {.key = "bridge",
     .kind = PX_FIELD_TEXT,
     .doc = "The bridge that phoenix makes. One that it did not make is never touched.",
     .expected = "an interface name",
     .fallback = "phoenix0",
     .aka = "interface device",
     .parse = parse_bridge,
     .print = print_bridge,
     .pattern = PX_PATTERN_BRIDGE},
    {.key = "range",
     .kind = PX_FIELD_TEXT,
     .doc = "Private IPv4 range of the desktops, /8 to /29; its first address is the bridge's.",
     .expected = "a range such as 10.88.0.0/16",
     .fallback = "10.88.0.0/16",
     .aka = "subnet cidr net",
     .parse = parse_range,
     .print = print_range,
     .pattern = PX_PATTERN_RANGE},
    {.key = "dns",
     .kind = PX_FIELD_LIST,
     .doc = "Name servers that desktops ask, at most three.",
     .expected = "a list such as [192.0.2.53]",
     .fallback_doc = "the host's",
     .item = &dns_item,
     .offset = OFF(network.dns),
     .n_offset = OFF(network.n_dns),
     .item_size = sizeof(struct in_addr),
     .max = 3, /* resolv.conf(5) MAXNS */
     .aka = "nameservers nameserver resolvers"},
    {.key = "open",
     .kind = PX_FIELD_LIST,
     .doc = "Ports of the host that desktops may reach.",
     .expected = "a list such as [8080, 53/udp]",
     .fallback_doc = "none",
     .item = &port_item,
     .offset = OFF(network.open),
     .n_offset = OFF(network.n_open),
     .item_size = sizeof(struct px_host_port),
     .max = 256,
     .finish = finish_open,
     .aka = "ports allow expose"},
    {.key = "nat",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether desktops share the host's address on their way out. Without it, the network "
            "outside needs a route to the range.",
     .fallback = "true",
     .aka = "masquerade",
     .offset = OFF(network.nat)},
    {0},
};

static const struct px_field server_fields[] = {
    {.key = "run",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether phoenix keeps an ID server and relay (phoenix-server) on this host, by which "
            "RustDesk clients reach the desktops.",
     .fallback = "true",
     .aka = "enabled",
     .offset = OFF(server.run)},
    {.key = "port",
     .kind = PX_FIELD_UINT,
     .doc = "Its main port P (TCP and UDP); the ports from P-2 to P+3 are taken, too.",
     .fallback = "21116",
     .min = 1026,
     .max = 65532,
     .offset = OFF(server.port)},
    {.key = "address",
     .kind = PX_FIELD_STRING,
     .doc = "Name or address by which clients reach the server. With `run: false` also "
            "`wss://HOST`, for a server behind a reverse proxy that speaks TLS.",
     .expected = "a host name or address, or " PX_WSS_SCHEME "HOST",
     .fallback_doc = "the host's address on its way out",
     .aka = "host name",
     .offset = OFF(server.address),
     .check = px_check_server,
     .pattern = PX_PATTERN_SERVER},
    {.key = "key",
     .kind = PX_FIELD_STRING,
     .doc = "Public key of a server elsewhere, with `run: false` and its `address`.",
     .expected = "the key that its clients have",
     .fallback_doc = "none",
     .offset = OFF(server.key)},
    {0},
};

static const char *const policies[] = {[PX_GPU_SPREAD] = "spread", [PX_GPU_PACK] = "pack", NULL};

static const struct px_field gpu_fields[] = {
    {.key = "policy",
     .kind = PX_FIELD_ENUM,
     .doc = "`spread`: the least used card first. `pack`: fill one card before the next.",
     .fallback = "spread",
     .words = policies,
     .offset = OFF(gpus.policy)},
    {.key = "max_shared",
     .kind = PX_FIELD_UINT,
     .doc = "Desktops on one shared card, at most.",
     .fallback = "4",
     .min = 1,
     .max = 64,
     .offset = OFF(gpus.max_shared)},
    {.key = "cdi",
     .kind = PX_FIELD_STRING,
     .doc = "CDI file (`nvidia-ctk cdi generate`) whose device nodes and mounts desktops get, "
            "instead of what phoenix finds. Its hooks are not run.",
     .expected = "an absolute path",
     .fallback_doc = "phoenix looks itself",
     .offset = OFF(gpus.cdi),
     .check = px_check_path,
     .pattern = PX_PATTERN_PATH},
    {.key = "persistence",
     .kind = PX_FIELD_BOOL,
     .doc =
         "Whether `phoenix gpu ready`, run at boot, lets the driver keep idle cards initialised, "
         "where nvidia-persistenced does not.",
     .fallback = "true",
     .offset = OFF(gpus.persistence)},
    {0},
};

static const struct px_field host_fields[] = {
    {.key = "state_dir",
     .kind = PX_FIELD_STRING,
     .doc = "Where images, desktops and their data lie. Wants a large, fast file system.",
     .expected = "an absolute path",
     .fallback = "/var/lib/phoenix",
     .aka = "data_dir root storage state",
     .offset = OFF(state_dir),
     .check = px_check_path,
     .pattern = PX_PATTERN_PATH},
    {.key = "run_dir",
     .kind = PX_FIELD_STRING,
     .doc = "Sockets, locks and mount points; gone after a reboot.",
     .expected = "an absolute path",
     .fallback = "/run/phoenix",
     .aka = "runtime_dir",
     .offset = OFF(run_dir),
     .check = px_check_path,
     .pattern = PX_PATTERN_PATH},
    {.key = "recipes_dir",
     .kind = PX_FIELD_STRING,
     .doc = "Folder of recipes.",
     .expected = "an absolute path",
     .fallback_doc = "`./recipes` where it exists, else the installed ones",
     .aka = "recipes",
     .offset = OFF(recipes_dir),
     .check = px_check_path,
     .pattern = PX_PATTERN_PATH},
    {.key = "ids",
     .kind = PX_FIELD_MAP,
     .doc = "Host ids for user namespaces.",
     .fields = ids_fields,
     .finish = finish_ids,
     .aka = "idmap subuid uids"},
    {.key = "network",
     .kind = PX_FIELD_MAP,
     .doc = "Bridge, addresses and what desktops may reach on the host.",
     .fields = network_fields,
     .aka = "net"},
    {.key = "server",
     .kind = PX_FIELD_MAP,
     .doc = "The ID server and relay for RustDesk clients.",
     .fields = server_fields,
     .finish = finish_server,
     .aka = "rustdesk relay"},
    {.key = "parallel",
     .kind = PX_FIELD_UINT,
     .doc = "Desktops started at once. `auto`: as many as the host has cores.",
     .fallback = "auto",
     .min = 1,
     .max = 1024,
     .zero_word = "auto",
     .aka = "jobs concurrency",
     .offset = OFF(parallel)},
    {.key = "gpus",
     .kind = PX_FIELD_MAP,
     .doc = "How cards are handed out.",
     .fields = gpu_fields,
     .aka = "gpu"},
    {0},
};

int px_host_parse(const char *name, const char *text, size_t size, struct px_host_spec **ret,
                  struct px_error *err) {
    const struct px_at at = {.key = name};
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    px_cleanup(px_host_freep) struct px_host_spec *host = px_new0(struct px_host_spec, 1);
    px_schema_defaults(host_fields, host);
    /* A file with every line commented out is how such files are shipped; one without a byte is a
     * write that did not finish. */
    int r = px_yaml_parse(name, text, size, true, &root, err);
    if (r == 0)
        r = px_schema_load(&at, host_fields, root, host, err);
    if (r == 0)
        r = check_whole(&at, root, host, err);
    if (r < 0)
        return r;
    *ret = px_take_ptr(host);
    return 0;
}

int px_host_load(const char *path, struct px_host_spec **ret, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    const char *file = path ? path : PX_HOST_FILE_DEFAULT;
    int r = px_file_read(AT_FDCWD, file, PX_HOST_FILE_MAX_BYTES, &text, &size, err);
    if (r == -ENOENT && !path)
        return px_host_parse(file, "{}", 2, ret, err);
    return r < 0 ? r : px_host_parse(file, text, size, ret, err);
}

const char *px_host_recipes_dir(const struct px_host_spec *host) {
    if (host->recipes_dir)
        return host->recipes_dir;
    return px_exists(AT_FDCWD, "recipes") ? "recipes" : PX_DATA_DIR "/recipes";
}

struct px_host_spec *px_host_free(struct px_host_spec *host) {
    if (host)
        px_schema_fini(host_fields, host);
    free(host);
    return NULL;
}

char *px_host_schema(void) {
    return px_schema_json(host_fields, "phoenix host file",
                          "How phoenix uses this machine, " PX_HOST_FILE_DEFAULT);
}

char *px_host_keys(void) {
    return px_schema_markdown(host_fields);
}
