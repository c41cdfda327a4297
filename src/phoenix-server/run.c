/* src/phoenix-server/run.c - threads, signals, watchdog, the end */
#include "base/clock.h"
#include "base/log.h"
#include "phoenix-server/server.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LOOK_US (2 * PX_US_PER_S)

/* Tells the service manager; nothing happens without one. Source: sd_notify(3). */
static void notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (!path || !*path || strlen(path) >= sizeof(sa.sun_path))
        return;
    strcpy(sa.sun_path, path);
    if (path[0] == '@')
        sa.sun_path[0] = '\0';
    px_cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (fd >= 0)
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa, size);
}

static void *run_thread(void *data) {
    struct thread *t = data;
    px_loop_run(t->loop);
    return NULL;
}

static void stop_threads(struct server *s) {
    for (size_t i = 0; i < s->n_threads; i++) {
        struct thread *t = &s->threads[i];
        if (!t->started)
            continue;
        if (t->id_worker)
            px_id_worker_stop(t->id_worker);
        px_loop_stop(t->loop);
        pthread_join(t->id, NULL);
        t->started = false;
    }
}

static int start_threads(struct server *s, struct px_error *err) {
    for (size_t i = 0; i < s->n_threads; i++) {
        struct thread *t = &s->threads[i];
        if (pthread_create(&t->id, NULL, run_thread, t) != 0) {
            stop_threads(s);
            return px_fail(err, -EAGAIN, "cannot start thread %zu", i);
        }
        t->started = true;
        int r = t->id_worker ? px_id_worker_start(t->id_worker, err) : 0;
        if (r < 0) {
            stop_threads(s);
            return r;
        }
    }
    return 0;
}

static bool moved(uint64_t turns, uint64_t *before) {
    const bool yes = turns != *before;
    *before = turns;
    return yes;
}

/* Every thread must have turned since the last look; one that hangs stops the heartbeat, and the
 * service manager acts. */
static void on_watchdog(struct px_timer *timer) {
    struct server *s = px_container_of(timer, struct server, watchdog);
    bool alive = true;
    for (size_t i = 0; i < s->n_threads; i++) {
        struct thread *t = &s->threads[i];
        const bool loop = moved(px_loop_turns(t->loop), &t->turns);
        const bool udp = !t->id_worker || moved(px_id_worker_turns(t->id_worker), &t->udp_turns);
        if (!loop || !udp)
            px_error("server: thread %zu hangs%s", i, loop ? " (datagrams)" : "");
        alive &= loop && udp;
    }
    if (alive)
        notify("WATCHDOG=1");
    px_loop_arm(s->loop, timer, px_loop_now_us(s->loop) + s->watchdog_us);
}

static void on_drain(struct px_timer *timer) {
    struct server *s = px_container_of(timer, struct server, drain);
    uint64_t stats[PX_RELAY_STATS] = {0};
    if (s->relay)
        px_relay_stats(s->relay, stats);
    const int64_t now_us = px_loop_now_us(s->loop);
    if (stats[PX_RELAY_PAIRS_OPEN] == 0 || now_us >= s->drain_until_us)
        return px_loop_stop(s->loop);
    px_loop_arm(s->loop, timer, now_us + 100 * PX_US_PER_MS);
}

static void begin_drain(struct server *s) {
    if (s->draining) /* asked twice: at once */
        return px_loop_stop(s->loop);
    s->draining = true;
    notify("STOPPING=1");
    px_info("server: stopping");
    if (s->relay)
        px_relay_drain(s->relay);
    s->drain_until_us = px_loop_now_us(s->loop) + (int64_t)s->config.drain_seconds * PX_US_PER_S;
    px_loop_arm(s->loop, &s->drain, px_loop_now_us(s->loop) + 20 * PX_US_PER_MS);
}

static void on_signal(struct px_watch *w, uint32_t events) {
    struct server *s = px_container_of(w, struct server, signals);
    struct signalfd_siginfo info;
    struct px_error err = {0};
    while (read(w->fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGHUP)
            begin_drain(s);
        else if (server_reload_lists(s, &err) < 0)
            px_error("server: %s", err.msg);
        else
            px_info("server: lists read again");
    }
}

static sigset_t our_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGHUP);
    return set;
}

void server_block_signals(void) {
    const sigset_t set = our_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int open_signals(struct server *s, struct px_error *err) {
    const sigset_t set = our_signals();
    s->signals = (struct px_watch){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
                                   .on_events = on_signal};
    if (s->signals.fd < 0)
        return px_fail_sys(err, -errno, "signalfd");
    return px_loop_watch(s->loop, &s->signals, EPOLLIN, err);
}

static void greet(struct server *s) {
    char host[256];
    server_host(s, host, sizeof(host));
    if (s->id)
        printf("ID server: %s\n", host);
    if (s->relay)
        printf("Relay:     port %u%s\n", relay_port(s),
               s->id ? " (clients find it themselves)" : "");
    printf("Key:       %s\n", s->key.expected[0] ? s->key.expected : "(none asked for)");
    fflush(stdout);
}

int server_run(struct server *s, struct px_error *err) {
    const char *usec = getenv("WATCHDOG_USEC");
    s->started_us = px_now_us();
    s->watchdog_us = usec ? strtoll(usec, NULL, 10) / 3 : 0;
    if (s->watchdog_us < LOOK_US)
        s->watchdog_us = LOOK_US;
    int r = open_signals(s, err);
    if (r == 0)
        r = start_threads(s, err);
    if (r < 0)
        return r;
    greet(s);
    notify("READY=1");
    px_info("server: running: id_port=%u relay_port=%u threads=%zu peers=%zu",
            s->id ? (unsigned)s->config.port : 0, s->relay ? relay_port(s) : 0, s->n_threads,
            s->id ? px_peers_stats(px_idserver_peers(s->id)).n_peers : 0);
    s->watchdog.on_timeout = on_watchdog;
    s->drain.on_timeout = on_drain;
    px_loop_arm(s->loop, &s->watchdog, px_now_us() + s->watchdog_us);
    px_loop_run(s->loop);
    stop_threads(s);
    px_loop_unwatch(s->loop, &s->signals);
    px_closep(&s->signals.fd);
    return 0;
}
