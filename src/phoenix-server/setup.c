/* src/phoenix-server/setup.c - the config's words become things */
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "phoenix-server/server.h"
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define LIST_MAX_BYTES (16u * 1024 * 1024)

char *server_data_dir(const struct px_config *c) {
    const char *state = getenv("STATE_DIRECTORY"), *home = getenv("HOME");
    if (c->data_dir[0])
        return px_strdup(c->data_dir);
    if (state && *state)
        return px_strndup(state, strcspn(state, ":"));
    if (geteuid() == 0 || !home)
        return px_strdup("/var/lib/phoenix-server");
    return px_asprintf("%s/.local/state/phoenix-server", home);
}

char *server_socket_path(const struct px_config *c) {
    const char *run = getenv("RUNTIME_DIRECTORY");
    if (c->admin_socket[0])
        return px_strdup(c->admin_socket);
    if (run && *run)
        return px_asprintf("%.*s/admin.sock", (int)strcspn(run, ":"), run);
    px_cleanup_free char *dir = server_data_dir(c);
    return px_asprintf("%s/admin.sock", dir);
}

static int parse_proxies(struct server *s, struct px_error *err) {
    px_cleanup_free char *copy = px_strdup(s->config.trusted_proxies);
    char *next = copy, *word;
    while ((word = strsep(&next, ", "))) {
        if (!*word)
            continue;
        if (s->n_proxies == PX_CONFIG_PROXIES_MAX)
            return px_fail(err, -EINVAL, "trusted-proxies: more than %d", PX_CONFIG_PROXIES_MAX);
        int r = px_addr_block_parse(word, &s->proxies[s->n_proxies++], err);
        if (r < 0)
            return px_wrap(err, r, "trusted-proxies");
    }
    return 0;
}

static int parse_words(struct server *s, struct px_error *err) {
    struct px_config *c = &s->config;
    enum px_log_level level;
    int r = px_log_parse_level(c->log_level, &level, err);
    if (r < 0)
        return r;
    px_log_set_level(level);
    if (c->bind[0] && (r = px_addr_parse(c->bind, 0, &s->bind, err)) < 0)
        return px_wrap(err, r, "bind");
    if (c->mask[0] && (r = px_addr_block_parse(c->mask, &s->mask, err)) < 0)
        return px_wrap(err, r, "mask");
    if (strcmp(c->only, "both") != 0 && strcmp(c->only, "id") != 0 && strcmp(c->only, "relay") != 0)
        return px_fail(err, -EINVAL, "only: '%s' is not id, relay or both", c->only);
    if (strcmp(c->answer_check, "ip") != 0 && strcmp(c->answer_check, "id") != 0)
        return px_fail(err, -EINVAL, "answer-check: '%s' is neither ip nor id", c->answer_check);
    if (c->threads == 0) {
        cpu_set_t set;
        c->threads = sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 1;
        if (c->threads > THREADS_MAX)
            c->threads = THREADS_MAX;
    }
    return parse_proxies(s, err);
}

/* The operator's own word, which may be a symlink: systemd makes /var/lib/phoenix-server one when
 * the user is dynamic. */
static int open_dir(const char *path, struct px_error *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot open directory '%s'", path) : fd;
}

static int open_data_dir(struct server *s, struct px_error *err) {
    px_cleanup_free char *dir = server_data_dir(&s->config);
    int r = px_mkdir_p(AT_FDCWD, dir, 0700, err);
    if (r < 0)
        return r;
    s->dir_fd = open_dir(dir, err);
    s->db_path = px_asprintf("%s/peers.sqlite3", dir);
    s->socket_path = server_socket_path(&s->config);
    return s->dir_fd < 0 ? s->dir_fd : 0;
}

/* As many descriptors as we may: both halves, two per relayed session and its pipes. */
static void raise_descriptors(const struct server *s) {
    struct rlimit l;
    const rlim_t want = s->config.max_connections * 2 + 4096;
    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return;
    l.rlim_cur = l.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &l);
    if (l.rlim_cur < want)
        px_warning("server: %llu descriptors are fewer than the %llu that max-connections may need",
                   (unsigned long long)l.rlim_cur, (unsigned long long)want);
}

static int open_id(struct server *s, struct px_error *err) {
    const struct px_config *c = &s->config;
    const struct px_idserver_opts o = {.bind = c->bind[0] ? &s->bind : NULL,
                                       .port = (uint16_t)c->port,
                                       .key = &s->key,
                                       .db_path = s->db_path,
                                       .relays = c->relay_servers,
                                       .relay_port = relay_port(s),
                                       .always_relay = c->always_use_relay,
                                       .open_relay_requests = c->open_relay_requests,
                                       .check_answer_ip = strcmp(c->answer_check, "ip") == 0,
                                       .has_mask = c->mask[0],
                                       .mask = s->mask,
                                       .local_ip = c->local_ip,
                                       .serial = (int32_t)c->serial,
                                       .servers = c->rendezvous_servers,
                                       .max_peers = c->max_peers,
                                       .max_conns = c->max_connections,
                                       .online_s = (uint32_t)c->online_seconds,
                                       .idle_s = (uint32_t)c->idle_seconds,
                                       .keepalive_s = (uint32_t)c->keepalive_seconds,
                                       .sources = s->sources,
                                       .proxies = s->proxies,
                                       .n_proxies = s->n_proxies,
                                       .rcvbuf_bytes = (int)c->rmem};
    return px_idserver_new(&o, &s->id, err);
}

/* kbit/s (of 1024 bit) to bytes per second */
static uint64_t bps(uint64_t kbit) {
    return kbit * 128;
}

static void open_relay(struct server *s) {
    const struct px_config *c = &s->config;
    s->relay =
        px_relay_new(&(struct px_relay_opts){.bind = c->bind[0] ? &s->bind : NULL,
                                             .port = relay_port(s),
                                             .key = s->key.expected,
                                             .first_s = (uint32_t)c->idle_seconds,
                                             .wait_s = (uint32_t)c->wait_seconds,
                                             .idle_s = (uint32_t)c->idle_seconds,
                                             .max_conns = c->max_connections,
                                             .max_waiting = c->max_waiting,
                                             .sources = s->sources,
                                             .proxies = s->proxies,
                                             .n_proxies = s->n_proxies,
                                             .limits = {.total_bps = bps(c->total_bandwidth),
                                                        .single_bps = bps(c->single_bandwidth),
                                                        .slow_bps = bps(c->limit_speed)}});
}

/* One address or block per line; text after the first blank is a remark. */
static int read_list(struct server *s, const char *name, enum px_relay_list list,
                     struct px_error *err) {
    px_cleanup_free char *text = NULL;
    px_cleanup_free struct px_addr_block *blocks = NULL;
    size_t n = 0, cap = 0;
    int r = px_file_read(s->dir_fd, name, LIST_MAX_BYTES, &text, NULL, err);
    if (r < 0 && r != -ENOENT)
        return r;
    for (char *next = text, *line; next && (line = strsep(&next, "\n"));) {
        line += strspn(line, " \t");
        line[strcspn(line, " \t\r")] = '\0';
        if (!*line || *line == '#')
            continue;
        px_grow(blocks, &cap, n + 1);
        r = px_addr_block_parse(line, &blocks[n++], err);
        if (r < 0)
            return px_wrap(err, r, "%s", name);
    }
    px_relay_set_list(s->relay, list, blocks, n);
    return 0;
}

int server_reload_lists(struct server *s, struct px_error *err) {
    if (!s->relay)
        return 0;
    int r = read_list(s, "blocklist.txt", PX_RELAY_BLOCKED, err);
    return r < 0 ? r : read_list(s, "blacklist.txt", PX_RELAY_SLOW, err);
}

/* Threads share their ports, and so would a second server of the same user: each would get a part
 * of the clients. */
static int check_ports(const struct server *s, struct px_error *err) {
    struct px_sock_opts o = {.bind = s->config.bind[0] ? &s->bind : NULL,
                             .port = (uint16_t)s->config.port};
    int r = s->id ? px_sock_is_free(&o, err) : 0;
    o.port = relay_port(s);
    return r == 0 && s->relay ? px_sock_is_free(&o, err) : r;
}

static int open_threads(struct server *s, struct px_error *err) {
    int r = check_ports(s, err);
    for (; s->n_threads < s->config.threads && r == 0; s->n_threads++) {
        struct thread *t = &s->threads[s->n_threads];
        r = px_loop_new(&t->loop, err);
        if (r == 0 && s->id)
            r = px_id_worker_new(s->id, t->loop, &t->id_worker, err);
        if (r == 0 && s->relay)
            r = px_relay_worker_new(s->relay, t->loop, &t->relay_worker, err);
    }
    return r == -EADDRINUSE ? px_hint(err, r, "another server uses that port; see --port") : r;
}

/* Clients take any 4xx for the API's word; what they find under "error" they show to who logs in.
 */
static int answer_api(struct px_http *h, struct px_bytes path, struct px_buf *body) {
    px_buf_puts(body, "{\"error\":\"this server has no accounts and no address book\"}\n");
    return 404;
}

static int answer_metrics(struct px_http *h, struct px_bytes path, struct px_buf *body) {
    struct server *s = px_container_of(h, struct server, metrics);
    if (!px_bytes_equal(path, px_bytes_of("/metrics")))
        return 404;
    metrics_print(s, body);
    return 200;
}

static int open_http(struct server *s, struct px_error *err) {
    const struct px_config *c = &s->config;
    struct px_addr at;
    s->api = (struct px_http){
        .answer = answer_api, .type = "application/json", .max_conns = 2000, .sources = s->sources};
    s->metrics = (struct px_http){
        .answer = answer_metrics, .type = "text/plain; charset=utf-8", .max_conns = 64};
    if (c->http && s->id) {
        struct px_error why = {0};
        int fd = px_sock_listen(&(struct px_sock_opts){.bind = c->bind[0] ? &s->bind : NULL,
                                                       .port = (uint16_t)(c->port - 2)},
                                &why);
        s->has_api = fd >= 0 && px_http_init(&s->api, s->loop, fd, &why) == 0;
        if (!s->has_api) /* perhaps a real API is there */
            px_warning("http: %s", why.msg);
    }
    if (!c->metrics[0])
        return 0;
    int r = px_addr_parse(c->metrics, 9116, &at, err);
    if (r < 0)
        return px_wrap(err, r, "metrics");
    int fd = px_sock_listen(&(struct px_sock_opts){.bind = &at, .port = at.port}, err);
    r = fd < 0 ? fd : px_http_init(&s->metrics, s->loop, fd, err);
    s->has_metrics = r == 0;
    return r;
}

int server_open(struct server *s, struct px_error *err) {
    const struct px_config *c = &s->config;
    int r = parse_words(s, err);
    if (r == 0)
        r = open_data_dir(s, err);
    if (r == 0)
        r = px_secure_init(err);
    if (r == 0)
        r = px_key_setup(s->dir_fd, c->key, &s->key, err);
    if (r < 0)
        return r;
    raise_descriptors(s);
    s->sources = px_sources_new(
        &(struct px_sources_opts){.max_conns = (uint32_t)c->connections_per_source,
                                  .conns_per_second = (uint32_t)c->connection_rate,
                                  .register_burst = (uint32_t)c->register_burst,
                                  .register_ids = (uint32_t)c->register_ids_per_day,
                                  .udp_probes_per_second = (uint32_t)c->udp_probe_rate});
    if (strcmp(c->only, "relay") != 0)
        r = open_id(s, err);
    if (r == 0 && strcmp(c->only, "id") != 0) {
        open_relay(s);
        r = server_reload_lists(s, err);
    }
    if (r == 0)
        r = open_threads(s, err);
    if (r == 0)
        r = px_loop_new(&s->loop, err);
    if (r == 0)
        r = open_http(s, err);
    return r == 0 ? admin_open(s, err) : r;
}

void server_close(struct server *s) {
    admin_close(s);
    px_http_fini(&s->api);
    px_http_fini(&s->metrics);
    for (size_t i = 0; i < s->n_threads; i++)
        if (s->threads[i].loop) /* mail under way still finds its receivers */
            px_loop_flush(s->threads[i].loop);
    for (size_t i = 0; i < s->n_threads; i++) {
        px_id_worker_free(s->threads[i].id_worker);
        px_relay_worker_free(s->threads[i].relay_worker);
    }
    for (size_t i = 0; i < s->n_threads; i++)
        px_loop_free(s->threads[i].loop);
    px_idserver_free(s->id);
    px_relay_free(s->relay);
    px_sources_free(s->sources);
    px_loop_free(s->loop);
    free(s->db_path);
    free(s->socket_path);
    px_closep(&s->dir_fd);
    px_config_fini(&s->config);
}

/* What root made belongs to the service, as the directory does. */
static void give_away(int dir_fd) {
    static const char *const names[] = {"id_ed25519", "id_ed25519.pub", "peers.sqlite3",
                                        "peers.sqlite3-wal", "peers.sqlite3-shm"};
    struct stat st;
    if (geteuid() != 0 || fstat(dir_fd, &st) < 0 || st.st_uid == 0)
        return;
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++)
        if (fchownat(dir_fd, names[i], st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 &&
            errno != ENOENT)
            px_warning("import: '%s' stays root's: %s", names[i], strerror(errno));
}

int server_import(struct server *s, struct px_error *err) {
    const char *from = s->config.import_dir;
    uint8_t sk[PX_SIGN_SK_BYTES];
    size_t n = 0;
    int r = parse_words(s, err);
    if (r == 0)
        r = open_data_dir(s, err);
    if (r == 0)
        r = px_secure_init(err);
    px_cleanup_close int dir = r < 0 ? -1 : open_dir(from, err);
    if (r < 0 || dir < 0)
        return r < 0 ? r : dir;
    if (px_exists(dir, "id_ed25519")) {
        r = px_key_load(dir, sk, err);
        if (r == 0)
            r = px_key_store(s->dir_fd, sk, err);
        if (r < 0)
            return px_wrap(err, r, "keys of '%s'", from);
        printf("key pair taken over\n");
    }
    px_cleanup_free char *db = px_asprintf("%s/db_v2.sqlite3", from);
    if (px_exists(AT_FDCWD, db)) {
        r = px_store_import(s->db_path, db, &n, err);
        if (r < 0)
            return px_wrap(err, r, "devices of '%s'", db);
        printf("%zu devices taken over\n", n);
    }
    give_away(s->dir_fd);
    return 0;
}

/* Of this machine's addresses the first that others may reach. */
static bool own_address(char *ret, size_t size) {
    struct ifaddrs *list = NULL;
    bool found = false;
    if (getifaddrs(&list) < 0)
        return false;
    for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET) {
            struct px_addr a;
            char text[PX_ADDR_TEXT_MAX];
            if (px_addr_from_sockaddr(i->ifa_addr, &a) < 0 || px_addr_is_loopback(&a))
                continue;
            snprintf(ret, size, "%s", px_addr_ip_text(&a, text));
            found = true;
        }
    freeifaddrs(list);
    return found;
}

void server_host(const struct server *s, char *ret, size_t size) {
    char text[PX_ADDR_TEXT_MAX], name[192] = "127.0.0.1";
    if (s->config.host[0])
        snprintf(name, sizeof(name), "%s", s->config.host);
    else if (s->config.bind[0])
        snprintf(name, sizeof(name), "%s", px_addr_ip_text(&s->bind, text));
    else
        (void)own_address(name, sizeof(name));
    if (s->config.port == 21116 || strcmp(s->config.only, "relay") == 0)
        snprintf(ret, size, "%s", name);
    else
        snprintf(ret, size, "%s:%u", name, (unsigned)s->config.port);
}
