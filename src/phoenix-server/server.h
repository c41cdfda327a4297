/* src/phoenix-server/server.h - what the program is made of
 *
 * One thread per processor runs a loop with a worker of each half, and one beside it takes the
 * datagrams; the main thread runs signals, the admin socket, HTTP and the watchdog on a loop of its
 * own. */
#pragma once
#include "io/http.h"
#include "io/loop.h"
#include "io/sources.h"
#include "phoenix-server/config.h"
#include "relay/relay.h"
#include "rendezvous/idserver.h"
#include <pthread.h>

#define THREADS_MAX 64

struct thread {
    pthread_t id;
    bool started;
    struct px_loop *loop;
    struct px_id_worker *id_worker;       /* NULL: that half is off */
    struct px_relay_worker *relay_worker; /* the same */
    uint64_t turns, udp_turns;            /* at the watchdog's last look */
};

struct server {
    struct px_config config;
    struct px_addr bind;
    struct px_addr_block mask, proxies[PX_CONFIG_PROXIES_MAX];
    size_t n_proxies;
    int dir_fd; /* data directory */
    char *db_path, *socket_path;
    struct px_server_key key;
    struct px_sources *sources;
    struct px_idserver *id; /* NULL: off */
    struct px_relay *relay; /* NULL: off */
    struct thread threads[THREADS_MAX];
    size_t n_threads;
    struct px_loop *loop; /* the main thread's */
    struct px_http api, metrics;
    struct admin *admin;
    struct px_watch signals;
    struct px_timer watchdog, drain;
    int64_t started_us, watchdog_us, drain_until_us;
    bool has_api, has_metrics, draining;
};

static inline uint16_t relay_port(const struct server *s) {
    return (uint16_t)(s->config.relay_port ? s->config.relay_port : s->config.port + 1);
}

/* uid.c: with uid in the config, and as root: becomes that user, without a way back. */
int server_become(const struct px_config *c, struct px_error *err);

/* keep.c: returns 0 in the server, each time in a new process, and never in its keeper, which ends
 * with the server's exit code once the server ends by itself, cannot start at all, or was asked to
 * end. What kills the keeper kills the server. Before there is any thread. */
int server_keep(struct px_error *err);

/* setup.c: the config's words become things. */
int server_open(struct server *s, struct px_error *err);
void server_close(struct server *s);
int server_import(struct server *s, struct px_error *err);
/* Reads blocklist.txt and blacklist.txt again. */
int server_reload_lists(struct server *s, struct px_error *err);
/* What to type into a client; "" when not known. Both are the caller's buffers. */
void server_host(const struct server *s, char *ret, size_t size);

/* run.c */
/* Before there is any thread: all inherit it, and only the main thread's loop sees signals. */
void server_block_signals(void);
int server_run(struct server *s, struct px_error *err);

/* admin.c */
int admin_open(struct server *s, struct px_error *err);
void admin_close(struct server *s);
/* metrics.c */
void metrics_print(struct server *s, struct px_buf *out);
/* man.c: prints the manual page @path with its tables filled in; returns the exit code */
int man_main(const char *path);
/* ctl.c: the client half; returns the exit code */
int ctl_main(int argc, char **argv);
/* Where the admin socket is, by the same rules for both halves; the caller's. */
char *server_data_dir(const struct px_config *c);
char *server_socket_path(const struct px_config *c);
